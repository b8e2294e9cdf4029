# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Compose file as Compose itself understands it: settings, defaults and profiles filled in. Nothing is run, and the engine is not asked."""

from __future__ import annotations

import ipaddress
import json
import os
import re
import typing as t

from ._base import PLACE, Observation, Probe, ProbeError, finished
from ._compose_rights import rights
from ._files import looked_at

__all__ = ["ComposeProbe", "Faults", "jobs", "parse_config", "privileged", "undeclared", "unhealthy", "unlimited", "unpinned", "unrestarted"]

Service = t.Mapping[str, t.Any]
Services = t.Mapping[str, Service]
Document = t.Mapping[str, t.Any]
Faults = dict[str, str]
"""Name of a service to what is wrong with it."""

_PINNED = re.compile(r"([^@\s]+@)?sha256:[0-9a-f]{64}")
_RESTARTED = ("always", "unless-stopped")
# Conditions of deploy.restart_policy that Compose makes `always` and `unless-stopped` of.
_CONDITIONS = ("any", "always", "unless-stopped")
_RESOURCES = ("memory", "cpu")
_NOWHERE = "unix:///nonexistent/docker.sock"


class ComposeProbe(Probe):
    SEES = PLACE
    ARGUMENTS = {
        "fact": {
            "type": "str",
            "required": True,
            "choices": ["privileged", "services", "undeclared_ports", "unhealthy", "unlimited", "unpinned", "unrestarted"],
        },
        "file": {"type": "path", "required": True},
        "resources": {"type": "list", "elements": "str", "default": list(_RESOURCES)},
        "declared": {"type": "list", "elements": "dict", "default": []},
    }

    def __init__(self, secrets: t.Mapping[str, str]) -> None:
        super().__init__(secrets)
        self._documents: dict[str, Document] = {}

    def document(self, path: str) -> Document:
        """The Compose file, rendered by Compose; raises ProbeError where there is none, or nothing in it."""
        if not path.startswith("/"):
            raise ProbeError("`file` is %r; it is an absolute path" % path)
        looked_at(path)
        # Compose reads .env beside the file itself; through the link `current` the evidence would name no release.
        path = os.path.realpath(path)
        if path not in self._documents:
            self._documents[path] = _rendered(path)
        return self._documents[path]

    def fact_services(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        """Names of the services, those of every profile among them."""
        document = self.document(arguments["file"])
        return Observation(sorted(document["services"]), _place(arguments))

    def fact_unhealthy(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        """Services without a health check; jobs, which others wait for the end of, need none."""
        return self._faults(arguments, unhealthy)

    def fact_unrestarted(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        """Services that do not come back after a crash and a reboot; jobs need not."""
        return self._faults(arguments, unrestarted)

    def fact_unpinned(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        """Services whose image is not named by its digest."""
        return self._faults(arguments, unpinned)

    def fact_privileged(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        """Services that are as good as root on the host: privileged, in its namespaces, unconfined, or with its devices, sockets or own directories."""
        return self._faults(arguments, privileged)

    def fact_unlimited(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        """Services without a limit of each of `resources`."""
        resources = arguments.get("resources") or []
        if not resources or not set(resources) <= set(_RESOURCES):
            raise ProbeError("`resources` is %s; it lists %s" % (", ".join(resources) or "empty", " or ".join(_RESOURCES)))
        return self._faults(arguments, lambda document: unlimited(document, resources))

    def fact_undeclared_ports(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        """Services that publish a port elsewhere than on the loopback, and no rule of `declared` lets Docker publish it."""
        return self._faults(arguments, lambda document: undeclared(document, arguments.get("declared") or []))

    def _faults(self, arguments: t.Mapping[str, t.Any], look: t.Callable[[Document], Faults]) -> Observation:
        document = self.document(arguments["file"])
        found = look(document)
        said = ["%s: %s" % fault for fault in sorted(found.items())] or ["%d services" % len(document["services"])]
        return Observation(sorted(found), "%s: %s" % (_place(arguments), "; ".join(said)))


def _place(arguments: t.Mapping[str, t.Any]) -> str:
    return os.path.realpath(str(arguments["file"]))


def _rendered(path: str) -> Document:
    directory = os.path.dirname(path)
    command = ["docker", "compose", "--project-directory", directory, "--file", path, "--profile", "*", "config", "--format", "json"]
    # Nothing but the files decides: neither variables of the probe's environment, nor an engine, which is out of reach at this address.
    environment = {"HOME": "/nonexistent", "DOCKER_HOST": _NOWHERE}
    status, out, err = finished(command, package="docker-compose", environment=environment, shown="docker compose config of %s" % path)
    if status:
        if "is not a docker command" in err or "unknown command" in err or "unknown flag" in err or "unknown shorthand flag" in err:
            raise ProbeError("docker has no Compose plugin", "ansible-playbook gonogo.preflight.provision --tags docker")
        # What Compose says may quote a line of an environment file.
        raise ProbeError("Compose cannot read %s" % path, "docker compose --project-directory %s --file %s config --quiet" % (directory, path))
    return parse_config(out, path)


def parse_config(text: str, path: str = "the Compose file") -> Document:
    """What `docker compose config --format json` says, with at least one service; raises ProbeError."""
    try:
        document = json.loads(text)
    except ValueError:
        raise ProbeError("Compose says nothing that can be read of %s" % path) from None
    services = document.get("services") if isinstance(document, dict) else None
    if not isinstance(services, dict) or not all(isinstance(one, dict) for one in services.values()):
        raise ProbeError("Compose names no services of %s" % path)
    if not services:
        raise ProbeError("%s has no service" % path)
    return t.cast(Document, document)


def jobs(services: Services) -> set[str]:
    """Services that end by themselves: another one waits for their success."""
    waited = (one.get("depends_on") or {} for one in services.values())
    return {name for waits in waited for name, how in waits.items() if (how or {}).get("condition") == "service_completed_successfully"}


def _lasting(document: Document) -> Services:
    ending = jobs(document["services"])
    return {name: one for name, one in document["services"].items() if name not in ending}


def unhealthy(document: Document) -> Faults:
    """Services without a health check in the file; one that only an image has is gone with the next image."""
    found: Faults = {}
    for name, one in _lasting(document).items():
        check = one.get("healthcheck") or {}
        tested = check.get("test") or []
        if check.get("disable") or tested[:1] == ["NONE"]:
            found[name] = "its health check is switched off"
        elif not tested:
            found[name] = "no health check"
    return found


def unrestarted(document: Document) -> Faults:
    """Services whose restart policy is neither `always` nor `unless-stopped`; `on-failure` does not survive a reboot."""
    found: Faults = {}
    for name, one in _lasting(document).items():
        policy = ((one.get("deploy") or {}).get("restart_policy") or {}).get("condition") or ""
        restart = one.get("restart") or ""
        if not (restart in _RESTARTED or (not restart and policy in _CONDITIONS)):
            found[name] = "restart is %s" % (restart or policy or "not set")
    return found


def unpinned(document: Document) -> Faults:
    """Services whose image has no digest, or is built from sources."""
    found: Faults = {}
    for name, one in document["services"].items():
        image = one.get("image") or ""
        if one.get("build"):
            found[name] = "is built on the host"
        elif not _PINNED.fullmatch(image):
            found[name] = "image %s" % image if image else "no image"
    return found


def privileged(document: Document) -> Faults:
    """Services with privileges, namespaces, devices or mounts by which whoever is in the container has the host."""
    found = {name: rights(document, one) for name, one in document["services"].items()}
    return {name: ", ".join(why) for name, why in found.items() if why}


def unlimited(document: Document, resources: t.Sequence[str]) -> Faults:
    """Services that may take all of one of `resources` ("memory", "cpu")."""
    found: Faults = {}
    for name, one in document["services"].items():
        limits = ((one.get("deploy") or {}).get("resources") or {}).get("limits") or {}
        set_ = {
            "memory": _positive(one.get("mem_limit")) or _positive(limits.get("memory")),
            "cpu": _positive(one.get("cpus")) or _positive(one.get("cpu_quota")) or _positive(limits.get("cpus")),
        }
        missing = [resource for resource in resources if not set_[resource]]
        if missing:
            found[name] = "no limit of %s" % " and ".join(missing)
    return found


def _positive(value: t.Any) -> bool:
    """Compose writes sizes as text of bytes; 0 and -1 are no limit."""
    try:
        return float(value) > 0
    except (TypeError, ValueError):
        return False


def undeclared(document: Document, declared: t.Sequence[t.Mapping[str, t.Any]]) -> Faults:
    """Services with a published port that others than the host itself reach, and that `declared` does not have.

    :arg declared: rules as the filter exposure_rules returns them; those of `publisher: docker` count.
    """
    allowed = {(str(rule.get("port")), rule.get("protocol", "tcp")) for rule in declared if rule.get("publisher") == "docker"}
    found: Faults = {}
    for name, one in document["services"].items():
        wrong = [port for port in map(_published, one.get("ports") or []) if port and (port[1], port[2]) not in allowed]
        if wrong:
            found[name] = "publishes %s" % ", ".join("%s:%s/%s" % (host, port or "any", protocol) for host, port, protocol in wrong)
    return found


def _published(port: t.Mapping[str, t.Any]) -> t.Optional[tuple[str, str, str]]:
    """(address, port, protocol) that a port is published at, None where only the host reaches it."""
    address = str(port.get("host_ip") or "0.0.0.0")  # noqa: S104 - what Docker makes of an address that is left out
    try:
        if ipaddress.ip_address(address.strip("[]")).is_loopback:
            return None
    except ValueError:
        pass
    return address, str(port.get("published") or ""), str(port.get("protocol") or "tcp")
