# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""UFW: whether it is active now and at boot, its default, and its rules."""

from __future__ import annotations

import re
import typing as t

from ._base import Observation, Probe, ProbeError, output_of

__all__ = ["UfwProbe", "parse_rules", "parse_verbose"]


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
            with open("/etc/ufw/ufw.conf", encoding="utf-8") as file:
                switch = re.search(r"^ENABLED=yes\s*$", file.read(), re.MULTILINE) is not None
        except OSError as error:
            raise ProbeError("cannot read /etc/ufw/ufw.conf: %s" % error.strerror) from None
        value = {"active": active, "boot": switch and unit == "enabled", "incoming": incoming}
        return Observation(value, "ufw status verbose, /etc/ufw/ufw.conf, ufw.service")

    def fact_port(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        """Where `port` is allowed from, a list: "any", or CIDRs."""
        if not arguments.get("port"):
            raise ProbeError("fact port needs `port`")
        if not parse_verbose(self.status())[0]:
            raise ProbeError("ufw is inactive: its rules allow and block nothing", "ufw --force enable")
        wanted = "%d/%s" % (arguments["port"], arguments["protocol"])
        sources = [source for target, source in parse_rules(self.status()) if target in (wanted, str(arguments["port"]))]
        return Observation(sources, "ufw status, rules for %s" % wanted)


def parse_verbose(text: str) -> tuple[bool, str]:
    """(active, default policy of incoming connections or "") of `ufw status verbose`."""
    status = re.search(r"^Status: (\w+)", text, re.MULTILINE)
    if not status:
        raise ProbeError("ufw status does not say whether it is active")
    incoming = re.search(r"^Default: (\w+) \(incoming\)", text, re.MULTILINE)
    return status.group(1) == "active", incoming.group(1) if incoming else ""


def parse_rules(text: str) -> list[tuple[str, str]]:
    """(port/protocol, source) of the ALLOW IN and LIMIT IN rules for every address; IPv6 twins are left out."""
    rules = []
    for line in text.splitlines():
        match = re.match(r"(\d+(?:/\w+)?)\s+(?:ALLOW|LIMIT) IN\s+(\S+)", line)
        if match:
            rules.append((match.group(1), "any" if match.group(2) == "Anywhere" else match.group(2)))
    return rules
