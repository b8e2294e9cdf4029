# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Docker Engine through the docker SDK, the Compose plugin through its own command."""

from __future__ import annotations

import glob
import os
import re
import typing as t

from .._docker_daemon import DAEMON, SNAP, DaemonError, log_driver, log_max_size, parse_options, parse_started, unapplied
from .._services import Service, declared, not_up, state_of
from ._base import Observation, Probe, ProbeError, finished, output_of
from ._files import contents

__all__ = ["DockerProbe", "parse_unit", "parse_version", "services"]

_TIMEOUT = 8
_LABEL = "com.docker.compose.%s=%s"
_SERVICE = "com.docker.compose.service"
_LARGEST = 1024 * 1024
_NAMED = 10


class DockerProbe(Probe):
    ARGUMENTS = {
        "fact": {
            "type": "str",
            "required": True,
            "choices": [
                *("address_pools", "compose_version", "config", "daemon", "log_max_size", "project", "release", "runtimes", "snap"),
                *("storage", "unconfirmed", "version"),
            ],
        },
        "project": {"type": "str"},
        "path": {"type": "str"},
    }
    # Each release is unconfirmed while its door is asked, and a door that this held shut would never be opened again.
    STAGES = {"release": ("candidate", "live", "watch", "ongoing"), "unconfirmed": ("watch", "ongoing")}

    def __init__(self, secrets: t.Mapping[str, str]) -> None:
        super().__init__(secrets)
        self._connection: t.Any = None
        self._told: t.Optional[t.Mapping[str, t.Any]] = None

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

    def info(self) -> t.Mapping[str, t.Any]:
        """What the engine says of itself (GET /info)."""
        if self._told is None:
            self._told = self.client().info()
        return self._told

    def fact_version(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        """Version of the engine that is running, not of the client; of the installed one where none runs."""
        if unit()[0]:
            return Observation(self.client().version()["Version"], "GET /version of the engine")
        return Observation(parse_version(output_of(["dockerd", "--version"], package="docker.io")), "dockerd --version; the engine is stopped")

    def fact_compose_version(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        """Version of the Compose plugin."""
        version = output_of(["docker", "compose", "version", "--short"], package="docker-compose").strip()
        return Observation(version, "docker compose version")

    def fact_daemon(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        """{"active", "enabled", "answers"} of docker.service and the engine; one that is active and silent is an error."""
        active, enabled = unit()
        answers = active and bool(self.info()["ID"])
        return Observation({"active": active, "enabled": enabled, "answers": answers}, "docker.service and GET /info of the engine")

    def fact_config(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        """{"applied", "live_restore", "logs_rotated"}: what daemon.json asks for, and whether the engine that runs has read it.

        Logs count as rotated where the driver writes no file of its own too, such as `none`: those grow on no disk. What containers that
        run have instead is what fact log_max_size tells.

        A stopped engine will read it when it starts; that it is stopped is what fact daemon tells.
        """
        options, why, info = self._settings()
        if options is None:
            return Observation({"applied": False, "live_restore": False, "logs_rotated": False}, "there is no %s" % DAEMON)
        value = {
            "applied": not why,
            "live_restore": bool(options.get("live-restore")) and info.get("LiveRestoreEnabled", True) is True,
            "logs_rotated": _max_size(options) is not None and info.get("LoggingDriver", log_driver(options)) == log_driver(options),
        }
        place = "GET /info of the engine" if info else "the engine is stopped"
        return Observation(value, "%s; %s%s" % (DAEMON, place, "".join("; " + one for one in why)))

    def fact_log_max_size(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        """Bytes at which Docker rotates a container's log, the most of new ones, as the engine has read it, and of those that run; 0: it never does.

        A container keeps what held when it was made, and may have settings of its own. One whose driver writes no file here (none, journald,
        a server elsewhere) does not count: Docker has nothing to rotate, and it fills no disk by itself.
        """
        options, why, info = self._settings()
        size = _max_size(options or {})
        if why:
            raise ProbeError("the engine has not read %s: %s" % (DAEMON, "; ".join(why)), "systemctl restart docker")
        evidence = "log driver %s in %s" % (log_driver(options or {}), DAEMON)
        if not size:
            evidence += "; Docker rotates no files of such a driver" if size == 0 else ", without log-opts.max-size"
        found = self._log_sizes() if info else {}
        endless = sorted(name for name, one in found.items() if one is None)
        most = max([size or 0, *(one or 0 for one in found.values())])
        if endless:
            evidence += "; never rotated, in containers that run: %s%s" % (", ".join(endless[:_NAMED]), ", ..." if endless[_NAMED:] else "")
        elif size and most > size:
            evidence += "; most in the container %s" % max(found, key=lambda name: found[name] or 0)
        return Observation(0 if endless or not size else most, evidence)

    def _log_sizes(self) -> dict[str, t.Optional[int]]:
        """Each container that runs, and what `log_max_size` says of its own settings."""
        found = {}
        for container in self.client().containers.list(ignore_removed=True):
            config = (container.attrs.get("HostConfig") or {}).get("LogConfig") or {}
            found[str(container.name)] = _max_size({"log-driver": config.get("Type"), "log-opts": config.get("Config")})
        return found

    def _settings(self) -> tuple[t.Optional[dict[str, t.Any]], list[str], t.Mapping[str, t.Any]]:
        """(options of daemon.json or None without one, why the engine does not follow them, what it says of itself or {} where it is stopped)."""
        found = _daemon()
        info = self.info() if unit()[0] else {}
        if found is None or not info:
            return (found[0] if found else None), [], info
        options, changed_at = found
        try:
            return options, unapplied(options, info, changed_at=changed_at, started_at=_started()), info
        except DaemonError as error:
            raise ProbeError(str(error)) from None

    def fact_address_pools(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        """CIDRs that the engine takes new networks from; none are Docker's own."""
        pools = self.info().get("DefaultAddressPools") or []
        return Observation(sorted(pool["Base"] for pool in pools), "GET /info of the engine")

    def fact_runtimes(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        """Names of the runtimes that the engine can start containers with."""
        info = self.info()
        return Observation(sorted(info.get("Runtimes") or {}), "GET /info of the engine; %s by default" % info.get("DefaultRuntime"))

    def fact_storage(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        """The storage driver of the engine."""
        info = self.info()
        return Observation(info["Driver"], "GET /info of the engine; %s" % info.get("DockerRootDir"))

    def fact_snap(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        """Where the Docker of Ubuntu's snap has left its traces."""
        found = sorted(path for pattern in SNAP for path in glob.glob(pattern))
        return Observation(found, "looked for %s" % ", ".join(SNAP))

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

    def fact_unconfirmed(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        """Name of the release that serves in the directory `path` without having been confirmed at door live; "" where none does.

        Without the link `confirmed` every release counts as confirmed, as it does for the deployment.
        """
        path = arguments.get("path")
        if not path:
            raise ProbeError("fact unconfirmed needs `path`, the directory of the project's releases")
        serving, confirmed = (_link(os.path.join(path, name)) for name in ("current", "confirmed"))
        evidence = "link %s/current against link confirmed" % path
        return Observation("" if confirmed in ("", serving) else os.path.basename(serving), evidence)

    def _containers(self, arguments: t.Mapping[str, t.Any]) -> list[tuple[str, t.Mapping[str, t.Any]]]:
        """(service, State of `docker inspect`) of each container of the project, one-off containers left out."""
        if not arguments.get("project"):
            raise ProbeError("fact %s needs `project`" % arguments["fact"])
        labels = [_LABEL % ("project", arguments["project"]), _LABEL % ("oneoff", "False")]
        containers = self.client().containers.list(all=True, filters={"label": labels})
        return [(container.labels[_SERVICE], container.attrs["State"]) for container in containers]


def _link(path: str) -> str:
    """Where the link at `path` leads, "" where there is none."""
    try:
        return os.path.normpath(os.readlink(path))
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise ProbeError("cannot read link %s: %s" % (path, error.strerror)) from None


def _library() -> t.Any:
    try:
        import docker
    except ImportError as error:
        raise ProbeError("library missing: %s" % error, "apt-get install python3-docker") from None
    return docker


def _daemon() -> t.Optional[tuple[dict[str, t.Any], float]]:
    """(options, time of the last change) of daemon.json, None where there is none."""
    try:
        # Not the time of its content alone: a file that was moved here is new to the engine, however old it is.
        changed_at = os.stat(DAEMON).st_ctime
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ProbeError("%s cannot be read: %s" % (DAEMON, error.strerror)) from None
    try:
        return parse_options(contents(DAEMON, _LARGEST).decode(errors="replace")), changed_at
    except DaemonError as error:
        raise ProbeError(str(error), "dockerd --validate --config-file %s" % DAEMON) from None


def _max_size(options: t.Mapping[str, t.Any]) -> t.Optional[int]:
    try:
        return log_max_size(options)
    except DaemonError as error:
        raise ProbeError(str(error)) from None


def _started() -> t.Optional[int]:
    return parse_started(output_of(["systemctl", "show", "-p", "ExecMainStartTimestamp", "--timestamp=unix", "docker.service"]))


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


def parse_version(text: str) -> str:
    """Version of the engine, of `dockerd --version`."""
    found = re.match(r"Docker version ([^\s,]+)", text)
    if not found:
        raise ProbeError("dockerd does not say which version it is")
    return found.group(1)


def parse_unit(text: str) -> tuple[bool, bool]:
    """(active, enabled) of `systemctl show -p ActiveState -p UnitFileState`."""
    fields = dict(line.partition("=")[::2] for line in text.splitlines())
    if "ActiveState" not in fields:
        raise ProbeError("systemctl does not say what state the unit is in")
    return fields.get("ActiveState") == "active", fields.get("UnitFileState") == "enabled"
