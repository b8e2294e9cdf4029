# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Docker Engine through the docker SDK, the Compose plugin through its own command."""

from __future__ import annotations

import typing as t

from ._base import Observation, Probe, ProbeError, output_of

__all__ = ["DockerProbe", "parse_unit"]

_TIMEOUT = 8


class DockerProbe(Probe):
    ARGUMENTS = {
        "fact": {"type": "str", "required": True, "choices": ["compose_version", "daemon", "project", "version"]},
        "project": {"type": "str"},
    }

    def __init__(self, secrets: t.Mapping[str, str]) -> None:
        super().__init__(secrets)
        self._connection: t.Any = None

    def client(self) -> t.Any:
        """A client of the local socket; raises ProbeError when the SDK is missing or the engine is silent."""
        if self._connection is None:
            docker = _library()
            try:
                client = docker.DockerClient(base_url="unix:///var/run/docker.sock", timeout=_TIMEOUT)
                client.ping()
            except Exception as error:
                raise ProbeError("the Docker Engine does not answer: %s" % error, "systemctl restart docker") from None
            self._connection = client
        return self._connection

    def fact_version(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        """Version of the engine that is running, not of the client."""
        return Observation(self.client().version()["Version"], "GET /version of the engine")

    def fact_compose_version(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        """Version of the Compose plugin."""
        version = output_of(["docker", "compose", "version", "--short"], package="docker-compose").strip()
        return Observation(version, "docker compose version")

    def fact_daemon(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        """{"active", "enabled", "answers"} of docker.service and the engine."""
        shown = output_of(["systemctl", "show", "-p", "ActiveState", "-p", "UnitFileState", "docker.service"])
        active, enabled = parse_unit(shown)
        _library()
        try:
            answers, evidence = bool(self.client().info()["ID"]), "docker.service and GET /info of the engine"
        except ProbeError as error:
            answers, evidence = False, str(error)
        return Observation({"active": active, "enabled": enabled, "answers": answers}, evidence)

    def fact_project(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        """{service: "healthy" | state} of the containers of Compose project `project`."""
        if not arguments.get("project"):
            raise ProbeError("fact project needs `project`")
        label = "com.docker.compose.project=%s" % arguments["project"]
        found: dict[str, str] = {}
        for container in self.client().containers.list(all=True, filters={"label": label}):
            state = container.attrs["State"]
            health = state.get("Health", {}).get("Status", "no health check")
            found[container.labels["com.docker.compose.service"]] = health if state["Running"] else state["Status"]
        return Observation(found, "containers of Compose project %s" % arguments["project"])


def _library() -> t.Any:
    try:
        import docker
    except ImportError as error:
        raise ProbeError("library missing: %s" % error, "apt-get install python3-docker") from None
    return docker


def parse_unit(text: str) -> tuple[bool, bool]:
    """(active, enabled) of `systemctl show -p ActiveState -p UnitFileState`."""
    fields = dict(line.partition("=")[::2] for line in text.splitlines())
    return fields.get("ActiveState") == "active", fields.get("UnitFileState") == "enabled"
