# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Docker Engine through the docker SDK, the Compose plugin through its own command."""

from __future__ import annotations

import os
import typing as t

from .._services import Service, declared, not_up, state_of
from ._base import Observation, Probe, ProbeError, finished, output_of

__all__ = ["DockerProbe", "parse_unit", "services"]

_TIMEOUT = 8
_LABEL = "com.docker.compose.%s=%s"
_SERVICE = "com.docker.compose.service"


class DockerProbe(Probe):
    ARGUMENTS = {
        "fact": {"type": "str", "required": True, "choices": ["compose_version", "daemon", "project", "release", "version"]},
        "project": {"type": "str"},
        "path": {"type": "str"},
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
        value = services(self._containers(arguments))
        return Observation(value, "containers of Compose project %s" % arguments["project"])

    def fact_release(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        """What is not up of Compose project `project`, by what the files of the release in the directory `path` declare: a list.

        A service that others wait for until it has ended well has to have ended so; each other one has to run and be healthy.
        """
        path = arguments.get("path")
        if not path:
            raise ProbeError("fact release needs `path`, the directory of the release")
        containers = self._containers(arguments)
        services = _declared(path, arguments["project"])
        evidence = "containers of Compose project %s, against the services of %s: %s" % (
            arguments["project"],
            os.path.realpath(path),
            ", ".join(sorted(services)),
        )
        return Observation(not_up(services, containers), evidence)

    def _containers(self, arguments: t.Mapping[str, t.Any]) -> list[tuple[str, t.Mapping[str, t.Any]]]:
        """(service, State of `docker inspect`) of each container of the project, one-off containers left out."""
        if not arguments.get("project"):
            raise ProbeError("fact %s needs `project`" % arguments["fact"])
        labels = [_LABEL % ("project", arguments["project"]), _LABEL % ("oneoff", "False")]
        containers = self.client().containers.list(all=True, filters={"label": labels})
        return [(container.labels[_SERVICE], container.attrs["State"]) for container in containers]


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
        found.setdefault(service, set()).add(state_of(state))
    return {service: ", ".join(sorted(states)) for service, states in sorted(found.items())}


def _declared(path: str, project: str) -> dict[str, Service]:
    """The services of the release in the directory `path`; raises ProbeError, which shows nothing of its settings."""
    if not os.path.isdir(path):
        raise ProbeError("%s does not exist: no release serves" % path)
    command = ["docker", "compose", "--project-directory", path, "--project-name", project, "config"]
    # What Compose makes of the files has the settings of the application in it, and so may its errors; neither is shown.
    status, out, _err = finished([*command, "--format", "json"], package="docker-compose", environment={})
    shown = " ".join([*command, "--quiet"])
    if status:
        raise ProbeError("Compose cannot read the release in %s (status %d)" % (path, status), shown)
    try:
        found = declared(out)
    except ValueError as error:
        raise ProbeError("%s in %s" % (error, path), shown) from None
    if not found:
        raise ProbeError("the release in %s declares no service" % path, shown)
    return found


def unit() -> tuple[bool, bool]:
    """(active, enabled) of docker.service."""
    return parse_unit(output_of(["systemctl", "show", "-p", "ActiveState", "-p", "UnitFileState", "docker.service"]))


def parse_unit(text: str) -> tuple[bool, bool]:
    """(active, enabled) of `systemctl show -p ActiveState -p UnitFileState`."""
    fields = dict(line.partition("=")[::2] for line in text.splitlines())
    if "ActiveState" not in fields:
        raise ProbeError("systemctl does not say what state the unit is in")
    return fields.get("ActiveState") == "active", fields.get("UnitFileState") == "enabled"
