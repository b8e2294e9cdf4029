# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Docker Engine through the docker SDK, the Compose plugin through its own command."""

from __future__ import annotations

import typing as t

from ._base import Observation, Probe, ProbeError, output_of

__all__ = ["DockerProbe", "parse_unit", "services"]

_TIMEOUT = 8
_LABEL = "com.docker.compose.%s=%s"
_SERVICE = "com.docker.compose.service"


class DockerProbe(Probe):
    ARGUMENTS = {
        "fact": {"type": "str", "required": True, "choices": ["compose_version", "daemon", "project", "version"]},
        "project": {"type": "str"},
    }

    def __init__(self, secrets: t.Mapping[str, str]) -> None:
        super().__init__(secrets)
        self._connection: t.Any = None

    def client(self) -> t.Any:
        """A client of the local socket; raises ProbeError when the SDK is missing, or the engine is stopped or silent."""
        if self._connection is None:
            docker = _library()
            # docker.socket starts the engine for whoever connects, and a check changes nothing.
            if not unit()[0]:
                raise ProbeError("docker.service is not active", "systemctl start docker")
            try:
                # "auto": the version that an older SDK prefers may be too old for the engine.
                client = docker.DockerClient(base_url="unix:///var/run/docker.sock", version="auto", timeout=_TIMEOUT)
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
        """{"active", "enabled", "answers"} of docker.service and the engine; one that is active and silent is an error."""
        active, enabled = unit()
        answers = active and bool(self.client().info()["ID"])
        return Observation({"active": active, "enabled": enabled, "answers": answers}, "docker.service and GET /info of the engine")

    def fact_project(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        """{service: "healthy" or what its containers are instead} of Compose project `project`."""
        if not arguments.get("project"):
            raise ProbeError("fact project needs `project`")
        labels = [_LABEL % ("project", arguments["project"]), _LABEL % ("oneoff", "False")]
        containers = self.client().containers.list(all=True, filters={"label": labels})
        value = services((container.labels[_SERVICE], container.attrs["State"]) for container in containers)
        return Observation(value, "containers of Compose project %s" % arguments["project"])


def _library() -> t.Any:
    try:
        import docker
    except ImportError as error:
        raise ProbeError("library missing: %s" % error, "apt-get install python3-docker") from None
    return docker


def services(containers: t.Iterable[tuple[str, t.Mapping[str, t.Any]]]) -> dict[str, str]:
    """{service: what its containers are} of (service, State of `docker inspect`)."""
    found: dict[str, set[str]] = {}
    for service, state in containers:
        # A container that is paused or restarting still counts as Running, and keeps the health it had.
        health = (state.get("Health") or {}).get("Status", "no health check")
        found.setdefault(service, set()).add(health if state["Status"] == "running" else state["Status"])
    return {service: ", ".join(sorted(states)) for service, states in sorted(found.items())}


def unit() -> tuple[bool, bool]:
    """(active, enabled) of docker.service."""
    return parse_unit(output_of(["systemctl", "show", "-p", "ActiveState", "-p", "UnitFileState", "docker.service"]))


def parse_unit(text: str) -> tuple[bool, bool]:
    """(active, enabled) of `systemctl show -p ActiveState -p UnitFileState`."""
    fields = dict(line.partition("=")[::2] for line in text.splitlines())
    if "ActiveState" not in fields:
        raise ProbeError("systemctl does not say what state the unit is in")
    return fields.get("ActiveState") == "active", fields.get("UnitFileState") == "enabled"
