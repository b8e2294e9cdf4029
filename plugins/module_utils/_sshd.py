# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the OpenSSH server is told to do: the lines of its files, and what comes of them (sshd_config(5)). Pure."""

from __future__ import annotations

import fnmatch
import ipaddress
import re
import shlex
import typing as t
from dataclasses import dataclass

__all__ = [
    "MAIN",
    "Account",
    "Effective",
    "Line",
    "SshdError",
    "anybody",
    "expand",
    "parse_arguments",
    "parse_effective",
    "parse_listening_ports",
    "parse_socket_ports",
    "specification",
    "walk",
]

MAIN = "/etc/ssh/sshd_config"
_DIRECTORY = "/etc/ssh/"
_TRIED = 1024
_DEEPEST = 16  # SERVCONF_MAX_DEPTH of OpenSSH

Effective = t.Mapping[str, t.Sequence[str]]
"""Each keyword of `sshd -T`, in small letters, and its values in the order of their lines."""


class SshdError(Exception):
    """sshd cannot be asked or changed; the message says what was tried and what came back.

    :ivar remedy: the command that mends it, or "".
    """

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.remedy = remedy


@dataclass(frozen=True)
class Line:
    """A line of the configuration that says something.

    :ivar keyword: in small letters.
    :ivar block: the criteria of the Match block that it stands in, "" outside of any.
    """

    path: str
    number: int
    keyword: str
    value: str
    block: str

    @property
    def place(self) -> str:
        return "%s:%d" % (self.path, self.number)


@dataclass(frozen=True)
class Account:
    """An account of the host, and the names of its groups."""

    name: str
    groups: t.Collection[str]


def parse_effective(text: str) -> dict[str, list[str]]:
    """The answer of `sshd -T`; raises SshdError for anything else."""
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        keyword, _space, value = line.partition(" ")
        found.setdefault(keyword, []).append(value.strip())
    if not {"port", "passwordauthentication", "kexalgorithms"} <= set(found):
        raise SshdError("sshd -T does not say what sshd does")
    return found


def parse_arguments(text: str) -> list[str]:
    """The options of a running sshd beyond `-D`, from its title ("sshd: /usr/sbin/sshd -D [listener] 0 of 10-100 startups").

    Raises SshdError for another title: of an sshd that does not listen, or of no sshd.
    """
    match = re.match(r"sshd: (?P<command>\S.*) \[listener\]", text.replace("\0", " "))
    if not match:
        raise SshdError("the process that sshd's pid file names is no sshd that listens")
    options: list[str] = []
    for word in match["command"].split()[1:]:
        # The title does not say where an argument ends; the value of -o may be several words ("-o AuthorizedKeysCommand /usr/bin/keys %u").
        if len(options) > 1 and options[-2] == "-o" and not word.startswith("-"):
            options[-1] += " " + word
        elif word != "-D":
            options.append(word)
    return options


def parse_listening_ports(text: str) -> set[int]:
    """The ports of the lines of `ss -Hltnp` (ss(8)) that sshd holds and that others can reach.

    On the loopback addresses sshd also listens for what clients forward (X11, ssh -R), by the same name.
    """
    ports = set()
    for line in text.splitlines():
        fields = line.split(maxsplit=5)
        if len(fields) < 5 or fields[0] != "LISTEN":
            raise SshdError("ss answered %r" % line[:80])
        address, _colon, port = fields[3].rpartition(":")
        if '"sshd"' in fields[-1] and not address.startswith(("127.", "[::1]")):
            ports.add(int(port))
    return ports


def parse_socket_ports(text: str) -> set[int]:
    """The ports of `systemctl show -p ActiveState -p Listen` of a socket unit; none unless it is active."""
    if "ActiveState=" not in text:
        raise SshdError("systemctl does not say what state ssh.socket is in")
    if not re.search(r"^ActiveState=active$", text, re.MULTILINE):
        return set()
    return {int(port) for port in re.findall(r"^Listen=\S*?:?(\d+) \(Stream\)$", text, re.MULTILINE)}


def expand(arguments: str, search: t.Callable[[str], t.Sequence[str]]) -> list[str]:
    """The files that an Include reads, in its order; `search` finds those of a pattern, as glob(3) does."""
    patterns = [word if word.startswith("/") else _DIRECTORY + word for word in _words(arguments)]
    return [path for pattern in patterns for path in sorted(search(pattern))]


def walk(path: str, read: t.Callable[[str], str], search: t.Callable[[str], t.Sequence[str]]) -> list[Line]:
    """Every line that sshd reads, in the order in which it reads them, with the Include lines themselves before what they bring."""
    return list(_walk(path, read, search, "", 0))


def _walk(path: str, read: t.Callable[[str], str], search: t.Callable[[str], t.Sequence[str]], block: str, depth: int) -> t.Iterator[Line]:
    if depth > _DEEPEST:
        raise SshdError("%s: Include is nested too deeply" % path)
    for number, text in enumerate(read(path).splitlines(), 1):
        match = re.match(r"\s*([A-Za-z0-9]+)(?:\s*=\s*|\s+)(.*)", text)
        if not match:
            continue
        keyword, value = match.group(1).lower(), match.group(2).strip()
        if keyword == "match":
            block = value
        yield Line(path, number, keyword, value, block)
        if keyword == "include":
            # A Match block of an included file ends with that file.
            for one in expand(value, search):
                yield from _walk(one, read, search, block, depth + 1)


def _words(text: str) -> list[str]:
    try:
        return shlex.split(text, comments=True)
    except ValueError:
        return text.split()


_KEYS = {"host": "host", "address": "addr", "localaddress": "laddr", "localport": "lport", "rdomain": "rdomain"}
# sshd wants each of them as soon as one Match block asks for it; the addresses are nobody's (RFC 5737).
_ANYBODY = {"user": "nobody", "host": "host.invalid", "addr": "192.0.2.1", "laddr": "192.0.2.2", "lport": "22"}


def anybody(user: str = "") -> str:
    """A connection (`sshd -T -C`) that no Match block means, but one that means everybody, or everybody who is `user`."""
    return _written({**_ANYBODY, **({"user": user} if user else {})})


def specification(criteria: str, accounts: t.Sequence[Account], user: str = "") -> t.Optional[str]:
    """A connection (`sshd -T -C`) that meets the criteria of a Match block; None where no account of the host, or not `user`, can.

    :raises SshdError: for criteria that no made-up connection can be told to meet.
    """
    words = [part for word in _words(criteria) for part in word.split("=", 1)]
    if [word.lower() for word in words] == ["all"]:
        return anybody(user)
    if len(words) % 2 or not words:
        raise SshdError("nobody can tell whom `Match %s` means" % criteria)
    wanted = {words[i].lower(): words[i + 1].split(",") for i in range(0, len(words), 2)}
    unknown = [name for name in wanted if name not in (*_KEYS, "user", "group")]
    if unknown:
        raise SshdError("whether `Match %s` applies cannot be asked of sshd" % criteria)
    made = {_KEYS[name]: _meeting(patterns, name) for name, patterns in wanted.items() if name in _KEYS}
    made["user"] = _account(wanted, accounts, user)
    if None in made.values():
        return None
    return _written({**_ANYBODY, **{key: value for key, value in made.items() if value is not None}})


def _written(connection: t.Mapping[str, str]) -> str:
    return ",".join("%s=%s" % one for one in connection.items())


def _account(wanted: t.Mapping[str, t.Sequence[str]], accounts: t.Sequence[Account], user: str) -> t.Optional[str]:
    """An account that meets the patterns for User and Group."""
    if "user" not in wanted and "group" not in wanted:
        return user or _ANYBODY["user"]
    known = [one for one in accounts if not user or one.name == user] or ([Account(user, ())] if user else [])
    for account in known:
        if _meets(wanted.get("user", ["*"]), [account.name]) and _meets(wanted.get("group", ["*"]), account.groups or ["*"]):
            return account.name
    # Nobody has this name yet; who gets it is meant all the same.
    return _meeting(wanted["user"], "user") if "group" not in wanted and not user else None


def _meets(patterns: t.Sequence[str], names: t.Collection[str]) -> bool:
    if any(fnmatch.fnmatchcase(name, one[1:]) for one in patterns if one.startswith("!") for name in names):
        return False
    return any(fnmatch.fnmatchcase(name, one) for one in patterns if not one.startswith("!") for name in names)


def _meeting(patterns: t.Sequence[str], name: str) -> t.Optional[str]:
    """A value that the patterns let through, None where they let none."""
    for pattern in patterns:
        if not pattern.startswith("!"):
            found = _address(pattern, patterns) if name in ("address", "localaddress") else re.sub(r"[*?]", "x", pattern)
            if name in ("address", "localaddress") or _meets(patterns, [found]):
                return found
    return None


def _address(pattern: str, patterns: t.Sequence[str]) -> str:
    """An address that the CIDR or pattern means, and that none of the negated ones does."""
    left_out = [_network(one[1:]) for one in patterns if one.startswith("!")]
    network = _network(pattern)
    if network is None or None in left_out:
        if left_out:
            raise SshdError("whether `Match Address %s` applies cannot be asked of sshd" % ",".join(patterns))
        return re.sub(r"[*?]", "1", pattern)
    tried = [network[i] for i in range(min(_TRIED, network.num_addresses))]
    for address in [*tried[1:], tried[0]]:
        if not any(one and one.version == address.version and address in one for one in left_out):
            return str(address)
    raise SshdError("whether `Match Address %s` applies cannot be asked of sshd" % ",".join(patterns))


def _network(pattern: str) -> t.Union[ipaddress.IPv4Network, ipaddress.IPv6Network, None]:
    try:
        return ipaddress.ip_network(pattern, strict=False)
    except ValueError:
        return None
