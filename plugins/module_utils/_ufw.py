# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What UFW must be told so that a host has exactly the declared ports open. Pure; reading and doing is in _ufw_host."""

from __future__ import annotations

import ipaddress
import re
import shlex
import typing as t
from dataclasses import dataclass, field

from ._exposure import ANY, Rule

__all__ = [
    "AFTER",
    "DEFAULTS",
    "FAMILIES",
    "IPTABLES",
    "LEVELS",
    "SYSCTL",
    "Plan",
    "State",
    "SysctlError",
    "Wanted",
    "bypasses",
    "describe",
    "logged",
    "of_loopback",
    "parse_added",
    "plan",
    "reached",
    "sysctl_file",
    "sysctl_path",
]

FAMILIES = (4, 6)
IPTABLES = {4: "iptables", 6: "ip6tables"}
DEFAULTS = "/etc/default/ufw"
AFTER = {4: "/etc/ufw/after.rules", 6: "/etc/ufw/after6.rules"}
SYSCTL = "/etc/ufw/sysctl.conf"
LEVELS = ("off", "low", "medium", "high", "full")

_SETTINGS = {
    "IPV6": "yes",
    "DEFAULT_INPUT_POLICY": '"DROP"',
    "DEFAULT_OUTPUT_POLICY": '"ACCEPT"',
    "DEFAULT_FORWARD_POLICY": '"DROP"',
    "MANAGE_BUILTINS": "no",
    "IPT_SYSCTL": SYSCTL,
}
_PREFIX = {4: "ufw-", 6: "ufw6-"}
# UFW's chains that the kernel's own call, in this order.
_CALLED = ("before-logging", "before", "after", "after-logging", "reject", "track")
_BEGIN, _END = "# BEGIN gonogo.preflight: ports that Docker publishes", "# END gonogo.preflight"
_BLOCK = re.compile(r"\n?%s\n.*?%s\n" % (re.escape(_BEGIN), re.escape(_END)), re.DOTALL)
_SYSCTL_HEADING = """\
# Written by gonogo.preflight (role ufw). UFW sets these whenever it starts, over what /etc/sysctl.d says; what is not here is
# left to /etc/sysctl.d. Forwarding is never switched off: Docker needs it.
"""
_FORWARDING = re.compile(r"net/ipv[46]/(ip_forward|conf/(all|default)/forwarding)")

# What UFW itself lets in for every host, whatever its rules are: DHCP and the two multicast groups (/etc/ufw/before*.rules).
_STOCK = {
    "-A ufw-before-input -p udp -m udp --sport 67 --dport 68 -j ACCEPT",
    "-A ufw-before-input -d 224.0.0.251/32 -p udp -m udp --dport 5353 -j ACCEPT",
    "-A ufw-before-input -d 239.255.255.250/32 -p udp -m udp --dport 1900 -j ACCEPT",
    "-A ufw6-before-input -s fe80::/10 -d fe80::/10 -p udp -m udp --sport 547 --dport 546 -j ACCEPT",
    "-A ufw6-before-input -d ff02::fb/128 -p udp -m udp --dport 5353 -j ACCEPT",
    "-A ufw6-before-input -d ff02::f/128 -p udp -m udp --dport 1900 -j ACCEPT",
}

# A packet that opens a connection has none of these; it is NEW or UNTRACKED, and has the state DNAT too where a rule sent it here.
_OLD = frozenset(("ESTABLISHED", "INVALID", "RELATED"))
# A comment may say anything, `-i lo` too.
_COMMENT = re.compile(r' --comment (?:"(?:[^"\\]|\\.)*"|\S+)')

Live = t.Mapping[int, t.Sequence[str]]


class SysctlError(ValueError):
    """A kernel setting that /etc/ufw/sysctl.conf must not have; the message names it."""


@dataclass(frozen=True)
class State:
    """A host's firewall as it is.

    :ivar files: text of the files that the plan may change, "" for one that is absent.
    :ivar added: UFW's own rules, in the words of its command line.
    :ivar enabled: whether UFW is switched on, now and whenever its service starts.
    :ivar live: the kernel's filter table for each IP family that it has, in the words of `iptables -S`.
    :ivar service: whether its service starts at boot.
    :ivar logging: UFW's level of logging, "" where its file has none.
    :ivar sysctls: kernel setting (a path below /proc/sys) to its live value, of those that were asked about and exist.
    """

    files: t.Mapping[str, str]
    added: t.Sequence[str]
    enabled: bool
    live: Live
    service: bool = True
    logging: str = ""
    sysctls: t.Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Wanted:
    """What a host's firewall is to be.

    :ivar logging: UFW's level of logging; "" leaves it as it is.
    :ivar sysctls: all of /etc/ufw/sysctl.conf, path below /proc/sys to value; None leaves the file as it is.
    """

    rules: t.Sequence[Rule]
    container_networks: t.Sequence[str] = ()
    logging: str = ""
    sysctls: t.Optional[t.Mapping[str, str]] = None


@dataclass(frozen=True)
class Plan:
    """What mends the difference: files to write, then commands; nothing of it where there is no difference.

    :ivar reasons: one line for each difference found.
    :ivar added: UFW's own rules afterwards.
    """

    files: t.Mapping[str, str]
    commands: t.Sequence[t.Sequence[str]]
    reasons: t.Sequence[str]
    added: t.Sequence[str]


def plan(state: State, wanted: Wanted) -> Plan:
    """The way from `state` to exactly `wanted`: allow first, then take away what is not declared.

    Rules that deny are left alone, since an operator who blocks an attacker stays right; but one that closes a declared port
    to everybody contradicts the declaration.
    """
    files = {path: text for path, text in _files(wanted, state.files).items() if text != state.files.get(path)}
    declared = _declared(wanted.rules)
    missing = [words for words in declared if words not in state.added]
    surplus = [words for words in state.added if _opens(words) and words not in declared]
    closing = [words for words in state.added if _closes(words, wanted.rules)]
    # Behind the rule that allows, it closes nothing; while UFW is off, the kernel cannot tell.
    closing = closing if not state.enabled or _closed(state.live, wanted.rules) else []
    reasons = ["%s differs" % path for path in files]
    reasons += ["%s: declared open to %s, allowed by no rule of UFW" % (declared[words], _whom(words)) for words in missing]
    reasons += ["%s: allowed by UFW's rule `%s`, declared nowhere" % (_target(words), words) for words in surplus]
    reasons += ["%s: declared open, closed to everybody by UFW's rule `%s`" % (_target(words), words) for words in closing]
    reasons += _settings(state, wanted)
    past = [(family, line) for family, lines in state.live.items() for line in bypasses(lines, family) if line.startswith("-A INPUT ")]
    reasons += [_let_in(family, line) for family, line in past]
    reasons = reasons or _unlike(state.live, wanted)
    if not reasons:
        return Plan({}, (), (), state.added)
    # UFW adds rules to the running kernel only where its chains are: not where IPv6 was switched off in its file, or all was removed.
    lost = any("-N %suser-input" % _PREFIX[family] not in lines for family, lines in state.live.items())
    commands = [["ufw", "reload"]] if state.enabled and lost else []
    commands += [["ufw", *words.split()] for words in declared]
    commands += [["ufw", *_deletion(words)] for words in [*surplus, *closing]]
    commands += [["ufw", "logging", wanted.logging]] if wanted.logging not in ("", state.logging) else []
    commands += [[IPTABLES[family], "-D", *shlex.split(line)[1:]] for family, line in past]
    commands.append(["ufw", "reload"] if state.enabled else ["ufw", "--force", "enable"])
    for family, lines in state.live.items():
        commands += [[IPTABLES[family], *words] for words in _calls_again(lines, family)]
        commands += [[IPTABLES[family], "-I", "FORWARD", "-j", "DOCKER-USER"]] if _unasked(lines) else []
    commands += [] if state.service else [["systemctl", "enable", "ufw.service"]]
    kept = [words for words in state.added if words not in surplus and words not in closing]
    return Plan(files, commands, reasons, [*kept, *missing])


def parse_added(text: str) -> list[str]:
    """The rules of `ufw show added`, without their comments."""
    rules = [line[len("ufw ") :] for line in text.splitlines() if line.startswith("ufw ")]
    return [re.sub(r" comment '.*'$", "", rule) for rule in rules]


def describe(state: State) -> str:
    """What --diff shows of a state."""
    lines = ["ufw %s%s" % ("enabled" if state.enabled else "disabled", "" if state.service else ", not started at boot")]
    lines += ["ufw logging %s" % state.logging] if state.logging else []
    lines += sorted("ufw %s" % rule for rule in state.added)
    settings = [line for line in state.files.get(DEFAULTS, "").splitlines() if line.split("=")[0] in _SETTINGS]
    sysctls = [line for line in state.files.get(SYSCTL, "").splitlines() if line and not line.startswith("#")]
    blocks = [path + block.group() for path in AFTER.values() for block in _BLOCK.finditer(state.files.get(path, ""))]
    return "\n".join([*settings, *sysctls, *lines, *blocks, ""])


def sysctl_path(name: str) -> str:
    """The path below /proc/sys of a kernel setting; sysctl(8) has names with dots or with slashes."""
    separator = re.search(r"[./]", name)
    return name.translate(str.maketrans("./", "/.")) if separator and separator.group() == "." else name


def sysctl_file(settings: t.Mapping[str, t.Any]) -> dict[str, str]:
    """{path below /proc/sys: value} of settings as people write them; raises SysctlError for one that takes containers off the network."""
    found = {}
    for name, value in settings.items():
        path, text = sysctl_path(str(name)), str(int(value) if isinstance(value, bool) else value).strip()
        if not re.fullmatch(r"[a-z0-9_-]+(/[A-Za-z0-9_.:@-]+)+", path) or "\n" in text or not text:
            raise SysctlError("%r: %r is no kernel setting such as net.ipv4.conf.all.accept_redirects: 0" % (name, value))
        if _FORWARDING.fullmatch(path) and text == "0":
            raise SysctlError("%s: 0 takes Docker's containers off the network; leave it out" % name)
        found[path] = text
    return found


def logged(lines: t.Sequence[str], family: int) -> str:
    """The level of logging that the kernel's rules have, by what UFW makes of each level."""
    prefix = "-A " + _PREFIX[family]
    logs = [line for line in lines if line.startswith(prefix) and " -j LOG " in line]
    audit = [line for line in logs if line.startswith(prefix + "before-logging-input ")]
    if not any(line.startswith(prefix + "after-logging-input ") for line in logs):
        return "off"
    if not audit:
        return "low"
    if "--ctstate NEW" in audit[0]:
        return "medium"
    return "high" if "--limit " in audit[0] else "full"


def reached(lines: t.Sequence[str], chain: str) -> list[str]:
    """The rules (-A) that a packet may meet that comes into `chain`."""
    found, seen, left = [], {chain}, [chain]
    while left:
        one = left.pop(0)
        for line in lines:
            if line.startswith("-A %s " % one):
                found.append(line)
                target = re.search(r" -[jg] (\S+)", line)
                if target and target.group(1) not in seen:
                    seen.add(target.group(1))
                    left.append(target.group(1))
    return found


def bypasses(lines: t.Sequence[str], family: int) -> list[str]:
    """The kernel's rules that let connections in and are neither UFW's rules nor its stock: by iptables, or in /etc/ufw/before*.rules."""
    of_rules = re.compile(r"-A %s(user|track|skip-to-policy)-" % _PREFIX[family])
    return [line for line in reached(lines, "INPUT") if _lets_in(line) and line not in _STOCK and not of_rules.match(line)]


def of_loopback(line: str) -> bool:
    """Whether the rule is about packets of the host to itself alone; `! -i lo` is all others."""
    interface = re.search(r"(! )?-i lo ", _COMMENT.sub("", line))
    return interface is not None and not interface.group(1)


def _lets_in(line: str) -> bool:
    """Whether the rule accepts a TCP or UDP packet that opens a connection from outside."""
    bare = _COMMENT.sub("", line)
    protocol = re.search(r"(! )?-p (\S+)", bare)
    return (
        bare.endswith(" -j ACCEPT")
        and not of_loopback(bare)
        and all(_has_new(states.split(","), bool(negated)) for negated, states in re.findall(r"(! )?--(?:ct)?state (\S+)", bare))
        and not (protocol and not protocol.group(1) and protocol.group(2) not in ("tcp", "udp", "all"))
    )


def _has_new(states: t.Collection[str], negated: bool) -> bool:
    """Whether a packet that opens a connection may have one of the states of iptables-extensions(8), or, `negated`, none of them."""
    return "NEW" not in states if negated else not _OLD.issuperset(states)


def _declared(rules: t.Iterable[Rule]) -> dict[str, str]:
    """{rule in the words of `ufw show added`: its port}. A port that Docker publishes is among them: over IPv6 its proxy, a
    process of the host, takes the connection."""
    words = {}
    for rule in rules:
        target = "%d/%s" % (rule.port, rule.protocol)
        if rule.source == ANY:
            words["allow %s" % target] = target
        elif not ipaddress.ip_network(rule.source).is_loopback:
            words["allow from %s to any port %d proto %s" % (_address(rule.source), rule.port, rule.protocol)] = target
    return words


def _address(cidr: str) -> str:
    """UFW and its listings have one address without the length of its prefix."""
    network = ipaddress.ip_network(cidr)
    return str(network.network_address) if network.num_addresses == 1 else cidr


def _whom(words: str) -> str:
    return words.split()[2] if words.startswith("allow from ") else ANY


def _target(words: str) -> str:
    """The port that a rule of UFW is about, as 80/tcp; "any port" where it names none."""
    port = re.search(r" to \S+ port (\S+)", words)
    protocol = re.search(r" proto (\S+)", words)
    if port:
        return port.group(1) + ("/" + protocol.group(1) if protocol else "")
    short = re.fullmatch(r"\w+ (?:log |log-all )?([0-9][0-9:,]*(?:/\w+)?)", words)
    return short.group(1) if short else "any port"


def _opens(words: str) -> bool:
    verb, *more = words.replace("route ", "", 1).split()
    return verb in ("allow", "limit") and more[:1] != ["out"]


def _closes(words: str, rules: t.Iterable[Rule]) -> bool:
    """Whether it denies everybody a declared port: `deny 80`, `reject 80:90/tcp`."""
    short = re.fullmatch(r"(?:deny|reject) (?:log |log-all )?([0-9][0-9:,]*)(?:/(tcp|udp))?", words)
    return short is not None and any(short.group(2) in (None, rule.protocol) and _spans(short.group(1), rule.port) for rule in rules)


def _spans(ports: str, port: int) -> bool:
    """Whether "80", "80,443" or "8000:8100" has the port."""
    spans = [part.partition(":") for part in ports.split(",")]
    return any(int(first) <= port <= int(last or first) for first, _colon, last in spans)


def _deletion(words: str) -> list[str]:
    rule = shlex.split(words)
    return ["route", "delete", *rule[1:]] if rule[0] == "route" else ["--force", "delete", *rule]


def _files(wanted: Wanted, now: t.Mapping[str, str]) -> dict[str, str]:
    defaults = now.get(DEFAULTS, "")
    for key, value in _SETTINGS.items():
        line = "%s=%s" % (key, value)
        defaults, found = re.subn(r"^%s=.*$" % key, line, defaults, flags=re.MULTILINE)
        defaults += "" if found else line + "\n"
    files = {DEFAULTS: defaults}
    for family, path in AFTER.items():
        kept = _BLOCK.sub("", now.get(path, ""))
        body = ["*filter", ":DOCKER-USER - [0:0]", *_docker_user(wanted, family), "COMMIT"]
        files[path] = "%s\n%s\n" % (kept, "\n".join([_BEGIN, *body, _END]))
    if wanted.sysctls is not None:
        files[SYSCTL] = _SYSCTL_HEADING + "".join("%s=%s\n" % pair for pair in wanted.sysctls.items())
    return files


def _settings(state: State, wanted: Wanted) -> list[str]:
    """What differs and is neither a file nor a rule."""
    reasons = [] if state.enabled else ["ufw is disabled"]
    reasons += [] if state.service else ["ufw.service does not start at boot"]
    if wanted.logging not in ("", state.logging):
        reasons.append("logging is %s, not %s" % (state.logging or "not set", wanted.logging))
    for path, value in (wanted.sysctls or {}).items():
        now = state.sysctls.get(path, value)
        if now.split() != value.split():
            reasons.append("%s is %s, not %s" % (path.translate(str.maketrans("./", "/.")), now, value))
    return reasons


def _docker_user(wanted: Wanted, family: int) -> list[str]:
    """The chain that Docker asks before its own rules let a packet through to a container, as `iptables -S` prints it.

    There the packet has its destination already changed to the container's; the published port is only known to the
    connection tracker (https://docs.docker.com/engine/network/packet-filtering-firewalls/).
    """
    chain = ["-A DOCKER-USER -m conntrack --ctstate RELATED,ESTABLISHED -j RETURN"]
    chain += ["-A DOCKER-USER -s %s -j RETURN" % cidr for cidr in wanted.container_networks if _family(cidr) == family]
    for rule in wanted.rules:
        if rule.publisher == "docker" and (rule.source == ANY or _family(rule.source) == family):
            match = "-p %s -m conntrack --ctstate DNAT --ctorigdstport %d --ctdir ORIGINAL" % (rule.protocol, rule.port)
            chain.append("-A DOCKER-USER %s%s -j RETURN" % (_from(rule.source), match))
    return [*chain, "-A DOCKER-USER -j DROP"]


def _unlike(live: Live, wanted: Wanted) -> list[str]:
    """Where the kernel's rules are not those of the files: a run that was killed, or a hand with iptables."""
    reasons = []
    for family, lines in live.items():
        user, family_name = "-A %suser-input " % _PREFIX[family], "IPv%d" % family
        opened = [line for line in lines if line.startswith(user) and line.endswith(("-j ACCEPT", "-limit-accept"))]
        accepting = _accepting(wanted.rules, family)
        chain = [line for line in lines if line.startswith("-A DOCKER-USER ")]
        # Docker up to 27 adds this line at the end of the chain, where it is never reached.
        if chain[-1:] == ["-A DOCKER-USER -j RETURN"]:
            chain.pop()
        docker_user = _docker_user(wanted, family)
        guard = ["-P INPUT DROP", "-P FORWARD DROP", *(line for lines in _calls(family) for line in lines)]
        lacking = [line for line in [*guard, *accepting, *docker_user] if line not in lines]
        reasons += ["%s: the kernel lacks `%s`" % (family_name, line) for line in lacking]
        surplus = [line for line in opened if line not in accepting] + [line for line in chain if line not in docker_user]
        reasons += [_let_in(family, line) for line in surplus]
        if not lacking and not surplus and chain != docker_user:
            reasons.append("%s: the rules of DOCKER-USER are in another order" % family_name)
        if _unasked(lines):
            reasons.append("%s: Docker's rules let packets through before DOCKER-USER is asked" % family_name)
        if wanted.logging and logged(lines, family) != wanted.logging:
            reasons.append("%s: the kernel's rules log %s, not %s" % (family_name, logged(lines, family), wanted.logging))
    return reasons + _closed(live, wanted.rules)


def _calls(family: int) -> list[list[str]]:
    """The rules by which each of the kernel's own chains calls UFW's."""
    builtin = ("INPUT", "OUTPUT", "FORWARD")
    return [["-A %s -j %s%s-%s" % (chain, _PREFIX[family], called, chain.lower()) for called in _CALLED] for chain in builtin]


def _calls_again(lines: t.Sequence[str], family: int) -> list[list[str]]:
    """What makes the kernel's chains call UFW's again, in their order; UFW itself does so only where its chains are gone too."""
    if "-N %sbefore-logging-input" % _PREFIX[family] not in lines:
        return []
    words = []
    for calls in _calls(family):
        found = [line for line in calls if line in lines]
        if found != calls:
            # First all of them anew, behind, then the ones of before: nothing is let in or shut out in between.
            words += [line.split() for line in calls] + [["-D", *line.split()[1:]] for line in found]
    return words


def _let_in(family: int, line: str) -> str:
    return "IPv%d: the kernel has `%s`, declared nowhere" % (family, line)


def _unasked(lines: t.Sequence[str]) -> bool:
    """Whether Docker's rules are there, and one of them that accepts comes before DOCKER-USER."""
    if "-N DOCKER" not in lines:
        return False
    for line in lines:
        jump = re.match(r"-A FORWARD (?:.* )?-j (DOCKER\S*|ACCEPT)", line)
        if line == "-A FORWARD -j DOCKER-USER":
            return False
        if jump and _accepts(lines, jump.group(1)):
            return True
    return True


def _accepts(lines: t.Sequence[str], target: str) -> bool:
    """Whether a rule that jumps to `target` can accept a packet: Docker's chains of isolation only drop, and it puts them first."""
    if target == "ACCEPT":
        return True
    jumps = {jump for line in lines if line.startswith("-A %s " % target) for jump in re.findall(r" -j (\S+)", line)}
    return any(_accepts(lines, jump) for jump in jumps - {target})


def _closed(live: Live, rules: t.Sequence[Rule]) -> list[str]:
    """A sentence for each rule of the kernel that closes a declared port to everybody before it is opened."""
    reasons = []
    for family, lines in live.items():
        accepting = _accepting(rules, family)
        denied: list[str] = []
        for line in lines:
            if not line.startswith("-A %suser-input " % _PREFIX[family]):
                continue
            if re.search(r"-j (DROP|REJECT)", line) and " -s " not in line and " -i " not in line and " -d " not in line:
                denied.append(line)
            elif line in accepting:
                port, protocol = accepting[line]
                reasons += ["IPv%d: `%s` closes a declared port, %d/%s" % (family, one, port, protocol) for one in denied if _denies(one, port, protocol)]
    return list(dict.fromkeys(reasons))


def _denies(line: str, port: int, protocol: str) -> bool:
    ports = re.search(r" --dports? (\S+)", line)
    only = re.search(r" -p (\S+)", line)
    return (not only or only.group(1) == protocol) and (not ports or _spans(ports.group(1), port))


def _accepting(rules: t.Iterable[Rule], family: int) -> dict[str, tuple[int, str]]:
    """{rule of the kernel: (port, protocol) that it opens}."""
    lines = {}
    for rule in rules:
        if rule.source == ANY or (_family(rule.source) == family and not ipaddress.ip_network(rule.source).is_loopback):
            protocol = "-p %s -m %s --dport %d" % (rule.protocol, rule.protocol, rule.port)
            lines["-A %suser-input %s%s -j ACCEPT" % (_PREFIX[family], _from(rule.source), protocol)] = (rule.port, rule.protocol)
    return lines


def _from(source: str) -> str:
    return "" if source == ANY else "-s %s " % source


def _family(cidr: str) -> int:
    return ipaddress.ip_network(cidr).version
