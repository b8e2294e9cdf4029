# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""fail2ban: the jails that run, asked of the server itself (an active unit with a dead jail bans nobody)."""

from __future__ import annotations

import ast
import ipaddress
import os
import re
import shutil
import typing as t
from dataclasses import dataclass

from .._ignored_networks import Network, is_too_wide, networks
from ._base import Observation, Probe, ProbeError, output_of

__all__ = [
    "Fail2banProbe",
    "Limits",
    "lenient",
    "parse_actions",
    "parse_answers",
    "parse_dump",
    "parse_elements",
    "parse_ignored",
    "parse_jail",
    "parse_jails",
    "parse_seconds",
    "programs_of",
]

_SEARCH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

# The program that each of fail2ban's stock ban actions calls; without it the server answers "1" and bans nobody.
_PROGRAMS = {"nftables": "nft", "iptables": "iptables", "ufw": "ufw", "firewallcmd": "firewall-cmd"}
# Where the stock action nftables keeps what it bans, a set for each jail and family.
_TABLE = ["nft", "list", "table", "inet", "f2b-table"]
_PROMPT = "fail2ban> "
_ASKED = ("status %s", "get %s actions", "get %s ignoreip", "get %s maxretry", "get %s findtime", "get %s bantime")
_UNITS = {"": 1, "s": 1, "sec": 1, "m": 60, "min": 60, "h": 3600, "hour": 3600, "d": 86400, "day": 86400, "w": 604800, "week": 604800}


@dataclass(frozen=True)
class Limits:
    """Whom a jail bans, and after what; None stands for what cannot be told.

    :ivar ignored: networks that it never bans; names of hosts are not among them.
    """

    ignored: frozenset[Network]
    maxretry: t.Optional[int]
    findtime: t.Optional[int]
    bantime: t.Optional[int]


class Fail2banProbe(Probe):
    ARGUMENTS = {
        "fact": {"type": "str", "required": True, "choices": ["jail", "jails"]},
        "jail": {"type": "str"},
        "jails": {"type": "list", "elements": "str"},
        "max_retries": {"type": "int"},
    }

    def fact_jail(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        """{"running": whether the server runs the jail, "can_ban": whether its action's program is installed}."""
        jail = arguments.get("jail")
        if not jail:
            raise ProbeError("fact jail needs `jail`")
        try:
            actions = parse_actions(output_of(["fail2ban-client", "get", jail, "actions"], package="fail2ban"))
        except ProbeError:
            # No server, or no such jail.
            jails = parse_jails(output_of(["fail2ban-client", "status"], package="fail2ban"))
            if jail in jails:
                raise
            return Observation({"running": False, "can_ban": False}, "jails running: %s" % (", ".join(jails) or "none"))
        programs = programs_of(actions)
        missing = [program for program in programs if not shutil.which(program, path=_SEARCH)]
        evidence = "ban action %s" % (", ".join(actions) or "none")
        if missing:
            evidence += ", whose program %s is not installed" % ", ".join(missing)
        return Observation({"running": True, "can_ban": bool(programs) and not missing}, evidence)

    def fact_jails(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        """What keeps one of `jails` from banning, now or after the next boot, a list of texts that begin with the jail's name.

        A jail has to run, watch a log that is there, and have a ban action whose program is installed; what it has banned has
        to be in the kernel's table, which whoever flushes the kernel's rules empties. It has to ban after `max_retries` failures at
        most, whoever it is, and its files have to say what the server does.
        """
        jails = arguments.get("jails")
        if not jails or not all(re.fullmatch(r"[\w.-]+", jail) for jail in jails):
            raise ProbeError("fact jails needs `jails`, a list of names such as sshd")
        questions = ["status", *(question % jail for jail in jails for question in _ASKED)]
        answers = parse_answers(output_of(["fail2ban-client", "-i"], package="fail2ban", given="\n".join([*questions, "exit", ""])), len(questions))
        running = parse_jails(answers[0])
        configured = parse_dump(output_of(["fail2ban-client", "-d"], package="fail2ban"))
        found, banned = [], 0
        for number, jail in enumerate(jails):
            status, actions, *limits = answers[1 + number * len(_ASKED) : 1 + (number + 1) * len(_ASKED)]
            if jail not in running:
                found.append("%s: the server does not run it (it runs %s)" % (jail, ", ".join(running) or "none"))
                continue
            files, journal, addresses = parse_jail(status)
            banned += len(addresses)
            texts = [*_deaf(files, journal), *_powerless(parse_actions(actions), addresses)]
            texts += lenient(_limits(limits), configured.get(jail), arguments.get("max_retries"))
            found += ["%s: %s" % (jail, text) for text in texts]
        if output_of(["systemctl", "is-enabled", "fail2ban.service"], accept=(0, 1, 4)).strip() != "enabled":
            found.append("%s: fail2ban.service does not start at boot" % ", ".join(jails))
        return Observation(found, "asked about %s; %d addresses are banned" % (", ".join(jails), banned))


def _deaf(files: t.Sequence[str], journal: bool) -> list[str]:
    if not files and not journal:
        return ["it watches no log"]
    return ["its log %s is not there" % file for file in files if not os.path.exists(file)]


def _powerless(actions: t.Sequence[str], addresses: t.Collection[str]) -> list[str]:
    """Why what the jail bans is not shut out."""
    if not actions:
        return ["it has no ban action"]
    missing = [program for program in programs_of(actions) if not shutil.which(program, path=_SEARCH)]
    if missing:
        return ["the program of its ban action %s is not installed: %s" % (", ".join(actions), ", ".join(missing))]
    if not addresses or not any(action.startswith("nftables") for action in actions):
        return []
    held = parse_elements(output_of(_TABLE, accept=(0, 1)))
    lost = [address for address in addresses if ipaddress.ip_network(address) not in held]
    return ["%s banned and not shut out by the kernel; flushed by somebody?" % (", ".join(lost) + (" is" if len(lost) == 1 else " are"))] if lost else []


def _limits(answers: t.Sequence[str]) -> Limits:
    """Of the answers to the last four of _ASKED."""
    ignored, *numbers = answers
    return Limits(_ignored(parse_ignored(ignored)), *map(_number, numbers))


def _number(answer: str) -> int:
    if not re.fullmatch(r"-?\d+", answer.strip()):
        raise ProbeError("fail2ban-client answers %r where a number is asked for" % answer.strip()[:80])
    return int(answer)


def lenient(now: Limits, later: t.Optional[Limits], most: t.Optional[int]) -> list[str]:
    """Why a jail that runs bans nobody, or not everybody who guesses; `later` is what its files say, None where they do not start it.

    :arg most: failures after which it has to ban; None asks for no number.
    """
    if later is None:
        return ["no file starts it, so that it is gone after the next start of fail2ban"]
    found = []
    for network in sorted(now.ignored | later.ignored, key=str):
        if is_too_wide(network) or network not in later.ignored:
            why = "" if network in later.ignored else ", which is in none of its files"
            found.append("it never bans %s%s" % (network, why))
    for name, unit in (("maxretry", ""), ("findtime", " s"), ("bantime", " s")):
        live, written = getattr(now, name), getattr(later, name)
        if written is not None and live != written:
            found.append("%s is %d%s in the server, %d%s in its files" % (name, live, unit, written, unit))
        elif name == "maxretry" and most is not None and live > most:
            found.append("it bans after %d failures, later than after %d" % (live, most))
    return found


def _ignored(words: t.Iterable[str]) -> frozenset[Network]:
    return frozenset(network for _word, network in networks(words))


def parse_ignored(text: str) -> list[str]:
    """What `fail2ban-client get JAIL ignoreip` lists."""
    if text.startswith("No IP address/network is ignored"):
        return []
    found = re.findall(r"^[|`]- (\S+)$", text, re.MULTILINE)
    if not found or not text.startswith("These IP addresses/networks are ignored:"):
        raise ProbeError("fail2ban-client does not say whom the jail never bans")
    return found


def parse_dump(text: str) -> dict[str, Limits]:
    """{jail that the next start of the server runs: what its files say} of `fail2ban-client -d`."""
    started: list[str] = []
    settings: dict[str, dict[str, t.Any]] = {}
    # Of the server itself; they are there without a jail too.
    if not re.search(r"^\['set', 'loglevel', ", text, re.MULTILINE):
        raise ProbeError("fail2ban-client -d does not say what its files say", "fail2ban-client -t")
    for line in text.splitlines():
        # Others are long: filters and actions.
        if not re.match(r"\['start', |\['set', '[^']+', '(addignoreip|maxretry|findtime|bantime)', ", line):
            continue
        try:
            verb, jail, *rest = map(str, ast.literal_eval(line))
        except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
            raise ProbeError("fail2ban-client -d has the line %r" % line[:80]) from None
        if verb == "start":
            started.append(jail)
        else:
            one = settings.setdefault(jail, {"addignoreip": []})
            one[rest[0]] = [*one["addignoreip"], *rest[1:]] if rest[0] == "addignoreip" else "".join(rest[1:2])
    return {jail: _written(settings.get(jail, {})) for jail in started}


def _written(settings: t.Mapping[str, t.Any]) -> Limits:
    numbers = [parse_seconds(settings.get(name, "")) for name in ("maxretry", "findtime", "bantime")]
    return Limits(_ignored(settings.get("addignoreip", ())), *numbers)


def parse_seconds(text: str) -> t.Optional[int]:
    """Seconds of a time as jail.conf(5) has it, such as 600, 10m or "1h 30m"; None for one in months or years, or that is none."""
    if re.fullmatch(r"-\d+", text):
        return int(text)
    parts = re.findall(r"(\d+)\s*([a-z]*)", text)
    if not parts or re.sub(r"\d+\s*[a-z]*|\s", "", text) or any(unit not in _UNITS for _number, unit in parts):
        return None
    return sum(int(number) * _UNITS[unit] for number, unit in parts)


def parse_answers(text: str, expected: int) -> list[str]:
    """The answers of `fail2ban-client -i` to so many questions. A client without a server has none."""
    answers = text.split(_PROMPT)[1 : expected + 1]
    if len(answers) < expected or not answers[0].strip():
        raise ProbeError("the server of fail2ban does not answer", "systemctl restart fail2ban")
    return answers


def parse_jail(text: str) -> tuple[list[str], bool, list[str]]:
    """(log files, whether it reads the journal, banned addresses) of `fail2ban-client status JAIL`."""
    banned = re.search(r"Banned IP list:[ \t]*(.*)", text)
    if not banned:
        raise ProbeError("fail2ban-client status JAIL has no list of banned addresses")
    files = re.search(r"File list:[ \t]*(.*)", text)
    journal = re.search(r"Journal matches:[ \t]*(\S)", text)
    return files.group(1).split() if files else [], journal is not None, banned.group(1).split()


def parse_elements(text: str) -> set[t.Union[ipaddress.IPv4Network, ipaddress.IPv6Network]]:
    """The addresses of the sets of `nft list table`."""
    found = set()
    for elements in re.findall(r"elements = \{(.*?)\}", text, re.DOTALL):
        for word in re.findall(r"[0-9a-fA-F.:/]+", elements):
            try:
                found.add(ipaddress.ip_network(word))
            except ValueError:
                continue
    return found


def parse_jails(text: str) -> list[str]:
    """The jail list of `fail2ban-client status`."""
    match = re.search(r"Jail list:[ \t]*(.*)", text)
    if not match:
        raise ProbeError("fail2ban-client status has no jail list")
    return [jail.strip() for jail in match.group(1).split(",") if jail.strip()]


def parse_actions(text: str) -> list[str]:
    """The action names of `fail2ban-client get JAIL actions`: the line below the heading; none where it says so."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if len(lines) == 2 and lines[0].endswith("has the following actions:"):
        return [name.strip() for name in lines[1].split(",")]
    if len(lines) == 1 and lines[0].startswith("No actions for jail"):
        return []
    raise ProbeError("fail2ban-client does not say which actions the jail has")


def programs_of(actions: t.Sequence[str]) -> list[str]:
    """The programs that the ban actions among `actions` call; the others only tell somebody.

    Raises ProbeError when it knows none of them: whether they ban cannot be told.
    """
    found = [program for action in actions for prefix, program in _PROGRAMS.items() if action.startswith(prefix)]
    if actions and not found:
        raise ProbeError("the program of ban action %s is not known" % ", ".join(actions))
    return found
