# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""UFW: whether it is active now and at boot, its default, its rules, its logging, and the kernel settings that it sets."""

from __future__ import annotations

import glob
import ipaddress
import os
import re
import typing as t

from .._ufw import SYSCTL, SysctlError, bypasses, logged, parse_added, sysctl_file, sysctl_path
from .._ufw_host import FirewallError, Host, live_sysctls
from ._base import Observation, Probe, ProbeError, finished, output_of
from ._os_kernel import Rules, matches, parse_sysctl, planned

__all__ = ["UfwProbe", "added_rules", "allowed_from", "overridden", "parse_rules", "parse_sysctls", "parse_verbose"]

_CONFIGURATION = "/etc/ufw/ufw.conf"
# As sysctl.d(5) has them: of two files of one name, the one in the first directory counts.
_SYSCTL_D = ("/etc/sysctl.d", "/run/sysctl.d", "/usr/local/lib/sysctl.d", "/usr/lib/sysctl.d")

# "22/tcp", "22/tcp (OpenSSH)", "80,443/tcp", "8000:8100/tcp", "53", "Anywhere"; then the action, the source, a comment.
_RULE = re.compile(
    r"(?P<target>(?:Anywhere|[0-9]+(?::[0-9]+)?(?:,[0-9]+(?::[0-9]+)?)*)(?:/\w+)?)(?: \((?!v6\))[^()]*\))?\s+"
    r"(?P<action>ALLOW|LIMIT|DENY|REJECT) IN\s+(?P<source>\S+)\s*(?:\s#.*)?"
)
# "allow 22/tcp", "deny from 203.0.113.5", "allow from 10.0.0.0/8 to any port 5432 proto tcp".
_ADDED = re.compile(
    r"(?P<action>allow|limit|deny|reject) (?:log |log-all )?"
    r"(?:(?P<short>[0-9][0-9:,]*(?:/\w+)?)|(?:from (?P<source>\S+))?(?: ?to any(?: port (?P<port>[0-9][0-9:,]*))?)?(?: proto (?P<protocol>\w+))?)"
)


class UfwProbe(Probe):
    ARGUMENTS = {
        "fact": {"type": "str", "required": True, "choices": ["logging", "port", "state", "sysctl"]},
        "port": {"type": "int"},
        "protocol": {"type": "str", "default": "tcp", "choices": ["tcp", "udp"]},
    }

    def __init__(self, secrets: t.Mapping[str, str]) -> None:
        super().__init__(secrets)
        self._status = ""
        self._live: dict[int, list[str]] = {}

    def status(self) -> str:
        if not self._status:
            self._status = output_of(["ufw", "status", "verbose"], package="ufw")
        return self._status

    def live(self) -> dict[int, list[str]]:
        """The kernel's filter rules for each IP family."""
        if not self._live:
            try:
                self._live = Host(finished).live()
            except FirewallError as error:
                raise ProbeError(str(error)) from None
        return self._live

    def fact_state(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        """{"active", "boot", "incoming", "bypassed"}: running now, enabled at boot (both its switches), default policy, and rules
        of the kernel that let connections in past it."""
        active, incoming = parse_verbose(self.status())
        unit = output_of(["systemctl", "is-enabled", "ufw.service"], accept=(0, 1, 4)).strip()
        switch = re.search(r"^ENABLED=yes\s*$", _read(_CONFIGURATION), re.MULTILINE) is not None
        past = []
        for family, lines in self.live().items() if active else ():
            policy = [line for line in lines if line == "-P INPUT ACCEPT"]
            past += ["IPv%d: %s" % (family, line) for line in [*policy, *bypasses(lines, family)]]
        value = {"active": active, "boot": switch and unit == "enabled", "incoming": incoming, "bypassed": past}
        return Observation(value, "ufw status verbose, /etc/ufw/ufw.conf, ufw.service, iptables -S and ip6tables -S")

    def fact_port(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        """Where `port` is allowed from, a list: "any", or CIDRs. While UFW is inactive, what its rules say all the same."""
        if not arguments.get("port"):
            raise ProbeError("fact port needs `port`")
        if parse_verbose(self.status())[0]:
            rules, where = parse_rules(self.status()), "ufw status"
        else:
            rules, where = added_rules(output_of(["ufw", "show", "added"], package="ufw")), "ufw is inactive; ufw show added"
        sources = allowed_from(rules, arguments["port"], arguments["protocol"])
        return Observation(sources, "%s, rules for %d/%s" % (where, arguments["port"], arguments["protocol"]))

    def fact_logging(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        """The level of logging; where file and kernel differ, a text with both."""
        match = re.search(r"^LOGLEVEL=(\w+)\s*$", _read(_CONFIGURATION), re.MULTILINE)
        level = match.group(1) if match else "not set"
        if not parse_verbose(self.status())[0]:
            return Observation(level, "%s; ufw is inactive" % _CONFIGURATION)
        levels = {"IPv%d" % family: logged(lines, family) for family, lines in self.live().items()}
        unlike = ["%s in the kernel's %s rules" % (found, family) for family, found in levels.items() if found != level]
        return Observation("; ".join(["%s in %s" % (level, _CONFIGURATION), *unlike]) if unlike else level, "%s, iptables -S and ip6tables -S" % _CONFIGURATION)

    def fact_sysctl(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        """What is wrong with the kernel settings that UFW sets whenever it starts, a list of texts: one that stops Docker's
        forwarding, one that is not live, one that /etc/sysctl.d has otherwise."""
        settings = parse_sysctls(_read(SYSCTL))
        others = _sysctl_d()
        evidence = "%s, /proc/sys, %d lines in sysctl.d" % (SYSCTL, sum(map(len, others.values())))
        return Observation(overridden(settings, live_sysctls(settings), others), evidence)


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


def added_rules(text: str) -> list[tuple[str, str, str]]:
    """The same of `ufw show added`. A rule that names an application instead of a port is an error: its ports are not there."""
    if not text.startswith("Added user rules"):
        raise ProbeError("ufw show added has no heading")
    rules = []
    for words in parse_added(text):
        match = _ADDED.fullmatch(words)
        if match:
            protocol = "/" + match["protocol"] if match["protocol"] else ""
            target = match["short"] or (match["port"] or "Anywhere") + protocol
            rules.append((target, match["action"].upper(), match["source"] or "any"))
        elif not re.match(r"route |\w+ (in |out |from |to )", words) or " app " in words:
            raise ProbeError("ufw is inactive, and which ports its rule `%s` is about cannot be told" % words)
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


def parse_sysctls(text: str) -> dict[str, str]:
    """{path below /proc/sys, or a pattern of such: value} of a file of sysctl(8)."""
    found = {}
    for line in text.splitlines():
        name, equals, value = line.partition("=")
        name = name.strip().removeprefix("-").strip()
        if not line.lstrip().startswith(("#", ";")) and equals and name:
            found[sysctl_path(name)] = value.strip()
    return found


def overridden(settings: t.Mapping[str, str], live: t.Mapping[str, str], others: t.Mapping[str, Rules]) -> list[str]:
    """What is wrong with `settings` of UFW, one text each; a pattern is reported too, because what it overrides cannot be told.

    :arg others: the lines of each file of sysctl.d, in the order in which they hold.
    """
    rules = [rule for lines in others.values() for rule in lines]
    found = []
    for path, value in settings.items():
        name = path.translate(str.maketrans("./", "/."))
        try:
            sysctl_file({path: value})
        except SysctlError as error:
            found.append(str(error).replace(path, name))
        if path in live and live[path].split() != value.split():
            found.append("%s: %s in %s, %s live" % (name, value, SYSCTL, live[path]))
        other = planned(path, rules)
        if other is not None and other.split() != value.split():
            source = [file for file, lines in others.items() if any(one == other and (own == path or matches(path, own)) for own, one in lines)][-1]
            found.append("%s: %s in %s, which overrides %s in %s" % (name, value, SYSCTL, other, source))
    return found


def _sysctl_d() -> dict[str, Rules]:
    """{file: its lines} of sysctl.d(5), in the order in which they hold."""
    files: dict[str, str] = {}
    for directory in _SYSCTL_D:
        for file in glob.glob(os.path.join(directory, "*.conf")):
            files.setdefault(os.path.basename(file), file)
    # A link that leads nowhere, such as the one to a removed /etc/sysctl.conf, is skipped by the kernel's own tool too.
    return {files[name]: parse_sysctl(_read(files[name])) for name in sorted(files) if os.path.exists(files[name])}


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError as error:
        raise ProbeError("cannot read %s: %s" % (path, error.strerror)) from None


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
