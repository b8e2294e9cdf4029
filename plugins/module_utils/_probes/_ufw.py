# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""UFW: whether it is active now and at boot, its default, and its rules."""

from __future__ import annotations

import ipaddress
import re
import typing as t

from ._base import Observation, Probe, ProbeError, output_of

__all__ = ["UfwProbe", "allowed_from", "parse_rules", "parse_verbose"]

_CONFIGURATION = "/etc/ufw/ufw.conf"

# "22/tcp", "22/tcp (OpenSSH)", "80,443/tcp", "8000:8100/tcp", "53", "Anywhere"; then the action, the source, a comment.
_RULE = re.compile(
    r"(?P<target>(?:Anywhere|[0-9]+(?::[0-9]+)?(?:,[0-9]+(?::[0-9]+)?)*)(?:/\w+)?)(?: \((?!v6\))[^()]*\))?\s+"
    r"(?P<action>ALLOW|LIMIT|DENY|REJECT) IN\s+(?P<source>\S+)\s*(?:\s#.*)?"
)


class UfwProbe(Probe):
    ARGUMENTS = {
        "fact": {"type": "str", "required": True, "choices": ["port", "state"]},
        "port": {"type": "int"},
        "protocol": {"type": "str", "default": "tcp", "choices": ["tcp", "udp"]},
    }

    def __init__(self, secrets: t.Mapping[str, str]) -> None:
        super().__init__(secrets)
        self._status = ""

    def status(self) -> str:
        if not self._status:
            self._status = output_of(["ufw", "status", "verbose"], package="ufw")
        return self._status

    def fact_state(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        """{"active", "boot", "incoming"}: running now, enabled at boot (both its switches), default policy."""
        active, incoming = parse_verbose(self.status())
        unit = output_of(["systemctl", "is-enabled", "ufw.service"], accept=(0, 1, 4)).strip()
        try:
            with open(_CONFIGURATION, encoding="utf-8") as file:
                switch = re.search(r"^ENABLED=yes\s*$", file.read(), re.MULTILINE) is not None
        except OSError as error:
            raise ProbeError("cannot read %s: %s" % (_CONFIGURATION, error.strerror)) from None
        value = {"active": active, "boot": switch and unit == "enabled", "incoming": incoming}
        return Observation(value, "ufw status verbose, /etc/ufw/ufw.conf, ufw.service")

    def fact_port(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        """Where `port` is allowed from, a list: "any", or CIDRs."""
        if not arguments.get("port"):
            raise ProbeError("fact port needs `port`")
        if not parse_verbose(self.status())[0]:
            raise ProbeError("ufw is inactive: its rules allow and block nothing")
        sources = allowed_from(parse_rules(self.status()), arguments["port"], arguments["protocol"])
        return Observation(sources, "ufw status, rules for %d/%s" % (arguments["port"], arguments["protocol"]))


def parse_verbose(text: str) -> tuple[bool, str]:
    """(active, default policy of incoming connections or "") of `ufw status verbose`."""
    status = re.search(r"^Status: (\w+)", text, re.MULTILINE)
    if not status:
        raise ProbeError("ufw status does not say whether it is active")
    incoming = re.search(r"^Default: (\w+) \(incoming\)", text, re.MULTILINE)
    return status.group(1) == "active", incoming.group(1) if incoming else ""


def parse_rules(text: str) -> list[tuple[str, str, str]]:
    """(target, action, source) of the rules for incoming connections of `ufw status verbose`, in their order.

    Rules for one interface, one address of the host or one port of the client are left out, and so are IPv6 twins.
    """
    rules = []
    for line in text.splitlines():
        match = _RULE.fullmatch(line)
        if match and (match["source"] == "Anywhere" or _is_network(match["source"])):
            rules.append((match["target"], match["action"], "any" if match["source"] == "Anywhere" else match["source"]))
    return rules


def allowed_from(rules: t.Sequence[tuple[str, str, str]], port: int, protocol: str) -> list[str]:
    """Where `port` is allowed from: "any", or CIDRs. The first rule that matches decides, as in ufw itself."""
    found: list[str] = []
    for target, action, source in rules:
        if not _covers(target, port, protocol):
            continue
        if action in ("ALLOW", "LIMIT"):
            found.append(source)
        if source == "any":
            break
    return list(dict.fromkeys(found))


def _covers(target: str, port: int, protocol: str) -> bool:
    """Whether "22/tcp", "80,443/tcp", "8000:8100/tcp", "53" or "Anywhere" is about this port."""
    ports, _slash, only = target.partition("/")
    if only not in ("", protocol):
        return False
    if ports == "Anywhere":
        return True
    spans = [part.partition(":") for part in ports.split(",")]
    return any(int(first) <= port <= int(last or first) for first, _colon, last in spans)


def _is_network(text: str) -> bool:
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        return False
    return True
