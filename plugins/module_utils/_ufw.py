# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What UFW must be told so that a host has exactly the declared ports open. Pure; reading and doing is in _ufw_host."""

from __future__ import annotations

import ipaddress
import re
import typing as t
from dataclasses import dataclass

from ._exposure import ANY, Rule

__all__ = ["AFTER", "DEFAULTS", "FAMILIES", "Plan", "State", "describe", "parse_added", "plan"]

FAMILIES = (4, 6)
DEFAULTS = "/etc/default/ufw"
AFTER = {4: "/etc/ufw/after.rules", 6: "/etc/ufw/after6.rules"}

_SETTINGS = {"IPV6": "yes", "DEFAULT_INPUT_POLICY": '"DROP"', "DEFAULT_OUTPUT_POLICY": '"ACCEPT"'}
_INPUT = {4: "ufw-user-input", 6: "ufw6-user-input"}
_BEFORE = {4: "ufw-before-input", 6: "ufw6-before-input"}
_BEGIN, _END = "# BEGIN gonogo.preflight: ports that Docker publishes", "# END gonogo.preflight"
_BLOCK = re.compile(r"\n?%s\n.*?%s\n" % (re.escape(_BEGIN), re.escape(_END)), re.DOTALL)


@dataclass(frozen=True)
class State:
    """A host's firewall as it is.

    :ivar files: text of the files that the plan may change, "" for one that is absent.
    :ivar added: UFW's own rules, in the words of its command line.
    :ivar enabled: whether UFW comes up at boot.
    :ivar live: the kernel's filter table for each IP family that it has, in the words of `iptables -S`.
    """

    files: t.Mapping[str, str]
    added: t.Sequence[str]
    enabled: bool
    live: t.Mapping[int, t.Sequence[str]]


@dataclass(frozen=True)
class Plan:
    """What mends the difference: files to write, then arguments for `ufw`; nothing of it where there is no difference.

    :ivar reasons: one line for each difference found.
    :ivar added: UFW's own rules afterwards.
    """

    files: t.Mapping[str, str]
    commands: t.Sequence[t.Sequence[str]]
    reasons: t.Sequence[str]
    added: t.Sequence[str]


def plan(state: State, rules: t.Sequence[Rule], container_networks: t.Sequence[str]) -> Plan:
    """The way from `state` to exactly `rules`: allow first, then take away what is not declared.

    Rules that deny are left alone: an operator who blocks an attacker stays right.
    """
    files = {path: text for path, text in _files(rules, container_networks, state.files).items() if text != state.files.get(path)}
    declared = _declared(rules)
    missing = [rule for rule in declared if rule not in state.added]
    surplus = [rule for rule in state.added if _opens(rule) and rule not in declared]
    reasons = ["%s differs" % path for path in files]
    reasons += ["missing: %s" % rule for rule in missing]
    reasons += ["not declared: %s" % rule for rule in surplus]
    if not state.enabled:
        reasons.append("ufw is disabled")
    reasons = reasons or _unlike(state.live, rules, container_networks)
    if not reasons:
        return Plan({}, (), (), state.added)
    commands = [rule.split() for rule in declared]
    commands += [_deletion(rule) for rule in surplus]
    commands.append(["reload"] if state.enabled else ["--force", "enable"])
    added = [rule for rule in state.added if rule not in surplus]
    return Plan(files, commands, reasons, [*added, *missing])


def parse_added(text: str) -> list[str]:
    """The rules of `ufw show added`, without their comments."""
    rules = [line[len("ufw ") :] for line in text.splitlines() if line.startswith("ufw ")]
    return [re.sub(r" comment '.*'$", "", rule) for rule in rules]


def describe(added: t.Iterable[str], files: t.Mapping[str, str], enabled: bool) -> str:
    """What --diff shows of a state."""
    lines = ["ufw %s" % ("enabled" if enabled else "disabled"), *sorted("ufw %s" % rule for rule in added)]
    settings = [line for line in files.get(DEFAULTS, "").splitlines() if line.split("=")[0] in _SETTINGS]
    blocks = [path + block.group() for path in AFTER.values() for block in _BLOCK.finditer(files.get(path, ""))]
    return "\n".join([*settings, *lines, *blocks, ""])


def _declared(rules: t.Iterable[Rule]) -> list[str]:
    """The rules in the words of `ufw show added`. A port that Docker publishes is among them: over IPv6 its proxy, a
    process of the host, takes the connection."""
    words = []
    for rule in rules:
        target = "%d proto %s" % (rule.port, rule.protocol)
        if rule.source == ANY:
            words.append("allow %d/%s" % (rule.port, rule.protocol))
        elif not ipaddress.ip_network(rule.source).is_loopback:
            words.append("allow from %s to any port %s" % (_address(rule.source), target))
    return list(dict.fromkeys(words))


def _address(cidr: str) -> str:
    """UFW and its listings have one address without the length of its prefix."""
    network = ipaddress.ip_network(cidr)
    return str(network.network_address) if network.num_addresses == 1 else cidr


def _opens(rule: str) -> bool:
    return rule.replace("route ", "", 1).split()[0] in ("allow", "limit")


def _deletion(rule: str) -> list[str]:
    words = rule.split()
    return ["route", "delete", *words[1:]] if words[0] == "route" else ["--force", "delete", *words]


def _files(rules: t.Sequence[Rule], container_networks: t.Sequence[str], now: t.Mapping[str, str]) -> dict[str, str]:
    defaults = now.get(DEFAULTS, "")
    for key, value in _SETTINGS.items():
        line = "%s=%s" % (key, value)
        defaults, found = re.subn(r"^%s=.*$" % key, line, defaults, flags=re.MULTILINE)
        defaults += "" if found else line + "\n"
    files = {DEFAULTS: defaults}
    for family, path in AFTER.items():
        kept = _BLOCK.sub("", now.get(path, ""))
        body = ["*filter", ":DOCKER-USER - [0:0]", *_docker_user(rules, container_networks, family), "COMMIT"]
        files[path] = "%s\n%s\n" % (kept, "\n".join([_BEGIN, *body, _END]))
    return files


def _docker_user(rules: t.Iterable[Rule], container_networks: t.Iterable[str], family: int) -> list[str]:
    """The chain that Docker asks before its own rules let a packet through to a container, as `iptables -S` prints it.

    There the packet has its destination already changed to the container's; the published port is only known to the
    connection tracker (https://docs.docker.com/engine/network/packet-filtering-firewalls/).
    """
    chain = ["-A DOCKER-USER -m conntrack --ctstate RELATED,ESTABLISHED -j RETURN"]
    chain += ["-A DOCKER-USER -s %s -j RETURN" % cidr for cidr in container_networks if _family(cidr) == family]
    for rule in rules:
        if rule.publisher == "docker" and (rule.source == ANY or _family(rule.source) == family):
            match = "-p %s -m conntrack --ctstate DNAT --ctorigdstport %d --ctdir ORIGINAL" % (rule.protocol, rule.port)
            chain.append("-A DOCKER-USER %s%s -j RETURN" % (_from(rule.source), match))
    return [*chain, "-A DOCKER-USER -j DROP"]


def _unlike(live: t.Mapping[int, t.Sequence[str]], rules: t.Sequence[Rule], container_networks: t.Sequence[str]) -> list[str]:
    """Where the kernel's rules are not those of the files: a run that was killed, or a hand with iptables."""
    reasons = []
    for family, lines in live.items():
        opened = {line for line in lines if line.startswith("-A %s " % _INPUT[family]) and line.endswith("-j ACCEPT")}
        chain = [line for line in lines if line.startswith("-A DOCKER-USER ")]
        # Docker up to 27 adds this line at the end of the chain, where it is never reached.
        if chain[-1:] == ["-A DOCKER-USER -j RETURN"]:
            chain.pop()
        guarded = {"-P INPUT DROP", "-A INPUT -j %s" % _BEFORE[family]} <= set(lines)
        if not guarded or opened != _accepting(rules, family) or chain != _docker_user(rules, container_networks, family):
            reasons.append("the kernel's IPv%d rules are not those declared" % family)
    return reasons


def _accepting(rules: t.Iterable[Rule], family: int) -> set[str]:
    lines = set()
    for rule in rules:
        if rule.source == ANY or (_family(rule.source) == family and not ipaddress.ip_network(rule.source).is_loopback):
            protocol = "-p %s -m %s --dport %d" % (rule.protocol, rule.protocol, rule.port)
            lines.add("-A %s %s%s -j ACCEPT" % (_INPUT[family], _from(rule.source), protocol))
    return lines


def _from(source: str) -> str:
    return "" if source == ANY else "-s %s " % source


def _family(cidr: str) -> int:
    return ipaddress.ip_network(cidr).version
