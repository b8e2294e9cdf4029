# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the files of sshd must say so that it does what is asked for, and whom that would shut out. Pure; doing is in _sshd_host."""

from __future__ import annotations

import fnmatch
import re
import typing as t

from ._ssh_login import Accepted, Connection
from ._sshd import MAIN, Effective, Line, SshdError, expand

__all__ = [
    "DROP_IN",
    "SOCKET_DROP_IN",
    "KINDS",
    "accepted_algorithms",
    "beaten",
    "included",
    "listeners",
    "of_one_port",
    "rendered",
    "shut_out",
    "simulated",
    "socket_text",
]

DROP_IN = "/etc/ssh/sshd_config.d/00-gonogo.conf"
SOCKET_DROP_IN = "/etc/systemd/system/ssh.socket.d/gonogo.conf"

KINDS = {
    "kex": "KexAlgorithms",
    "cipher": "Ciphers",
    "mac": "MACs",
    "hostkey": "HostKeyAlgorithms",
    "userkey": "PubkeyAcceptedAlgorithms",
}

_HEAD = "# Written by gonogo.preflight, role ssh: what is changed here is changed back.\n"

# Of what a Match block may change (sshd_config(5), Match), what decides who gets in and how. Said once more for everybody, it
# beats the blocks that come later: of several blocks that are met, the first one counts.
_FOR_EVERYBODY = (
    "AuthorizedKeysCommand",
    "AuthorizedKeysFile",
    "GSSAPIAuthentication",
    "HostbasedAuthentication",
    "KbdInteractiveAuthentication",
    "KerberosAuthentication",
    "MaxAuthTries",
    "PasswordAuthentication",
    "PermitEmptyPasswords",
    "PermitRootLogin",
    "PubkeyAcceptedAlgorithms",
    "PubkeyAuthentication",
    "X11Forwarding",
)

# Each line of these adds to those before it.
_ADDING = ("acceptenv", "allowgroups", "allowusers", "denygroups", "denyusers", "hostkey", "listenaddress", "setenv", "subsystem")

_EVERY_ADDRESS = {4: "0.0.0.0", 6: "::"}


def rendered(settings: t.Mapping[str, t.Any]) -> str:
    """The drop-in that says `settings`: keywords, each with a value or with a list of which each makes a line.

    :raises SshdError: for what is no keyword, or would be more than one line.
    """
    lines = []
    for keyword, value in settings.items():
        if not re.fullmatch(r"[A-Za-z0-9]+", keyword) or keyword.lower() in ("match", "include"):
            raise SshdError("%r is no setting that a line of sshd_config can have" % keyword)
        for one in value if isinstance(value, (list, tuple)) else [value]:
            text = {True: "yes", False: "no"}[one] if isinstance(one, bool) else str(one).strip()
            if not text or not text.isprintable():
                raise SshdError("%s is %r, which is no value that a line of sshd_config can have" % (keyword, one))
            lines.append("%s %s" % (keyword, text))
    known = {word.lower() for word in _FOR_EVERYBODY}
    repeated = ["    " + line for line in lines if line.split()[0].lower() in known]
    return _HEAD + "\n".join([*lines, "Match all", *repeated] if repeated else lines) + "\n"


def accepted_algorithms(allowed: t.Sequence[str], supported: t.Mapping[str, t.Collection[str]]) -> dict[str, str]:
    """The setting of each kind, for algorithms such as "kex curve25519-sha256": those that this sshd has, in the order of `allowed`.

    :arg supported: the algorithms of each kind that this sshd has.
    :raises SshdError: for an unknown kind, and for a kind of which none is left.
    """
    found: dict[str, list[str]] = {kind: [] for kind in KINDS}
    for one in allowed:
        kind, _space, name = one.partition(" ")
        if kind not in KINDS or not re.fullmatch(r"[a-z0-9@.-]+", name):
            raise SshdError("ssh_algorithms has %r; an algorithm is one of %s, a space and its name" % (one, ", ".join(KINDS)))
        if name in supported.get(kind, ()):
            found[kind].append(name)
    none = [kind for kind, names in found.items() if not names]
    if none:
        raise SshdError("ssh_algorithms leaves no %s that the sshd of this host has; it has %s" % (none[0], ", ".join(sorted(supported.get(none[0], ())))))
    return {KINDS[kind]: ",".join(names) for kind, names in found.items()}


def included(lines: t.Sequence[Line]) -> bool:
    """Whether the main file includes the directory of the drop-in, outside of every Match block."""
    ways = [line for line in lines if line.path == MAIN and line.keyword == "include" and not line.block]
    return any(fnmatch.fnmatchcase(DROP_IN, pattern) for line in ways for pattern in expand(line.value, lambda pattern: [pattern]))


def of_one_port(lines: t.Sequence[Line], texts: t.Mapping[str, str], ports: t.Sequence[str]) -> dict[str, str]:
    """New texts of the files that say other ports than `ports`, with these lines as comments: ports add up, whoever comes first."""
    found: dict[str, list[str]] = {}
    for line in lines:
        if line.path == DROP_IN or not _says_another_port(line, ports):
            continue
        text = found.setdefault(line.path, texts[line.path].splitlines())
        if not text[line.number - 1].startswith("#"):
            text[line.number - 1] = "# gonogo.preflight: " + text[line.number - 1]
    return {path: "\n".join(text) + "\n" for path, text in found.items()}


def _says_another_port(line: Line, ports: t.Sequence[str]) -> bool:
    if line.keyword == "port":
        return True
    if line.keyword != "listenaddress":
        return False
    address = line.value.split()[0] if line.value else ""
    match = re.fullmatch(r"\[.*\]:(\d+)|[^:]*:(\d+)", address)
    return match is not None and (match.group(1) or match.group(2)) not in ports


def simulated(path: str, read: t.Callable[[str], str], search: t.Callable[[str], t.Sequence[str]], place: str) -> dict[str, tuple[str, str]]:
    """Copies of `path` and of what it includes, that include each other: (what it is a copy of, text) by name, that of `path` first.

    :arg place: what their names begin with.
    """
    copies: dict[str, tuple[str, str]] = {}

    def copy(source: str) -> str:
        name = "%s%d" % (place, len(copies))
        copies[name] = (source, "")
        lines = []
        for line in read(source).splitlines():
            match = re.match(r"\s*include(?:\s*=\s*|\s+)(.*)", line, re.IGNORECASE)
            names = [copy(one) for one in expand(match.group(1), search)] if match else []
            lines.append(("Include " + " ".join(names) if names else "#") if match else line)
        copies[name] = (source, "\n".join(lines) + "\n")
        return name

    copy(path)
    return copies


def beaten(wanted: Effective, planned: Effective, keywords: t.Collection[str]) -> list[str]:
    """Those of `keywords` (in small letters) of which `planned` says something else than `wanted`."""
    found = []
    for keyword in sorted(keywords):
        mine, theirs = list(wanted.get(keyword, [])), list(planned.get(keyword, []))
        if not set(mine) <= set(theirs) if keyword in _ADDING else mine != theirs:
            found.append(keyword)
    return found


def listeners(effective: Effective) -> list[str]:
    """What sshd listens on, as in "0.0.0.0:22" and "[::]:22", in its order."""
    return [value.split()[0] for value in effective.get("listenaddress", [])]


def socket_text(effective: Effective) -> str:
    """The drop-in by which ssh.socket listens where sshd would: with socket activation, sshd ignores what its files say of it."""
    streams = "".join("ListenStream=%s\n" % one for one in listeners(effective))
    return _HEAD + "[Socket]\nListenStream=\n%sBindIPv6Only=ipv6-only\n" % streams


def shut_out(
    login: Connection,
    planned: Effective,
    *,
    by: t.Optional[Accepted],
    has_key: bool,
    has_password: bool,
    groups: t.Collection[str],
) -> str:
    """Why `planned` would not let `login` in again, or "".

    :arg by: what it was let in for, None where nobody knows.
    :arg has_key: whether its account has an authorized key.
    :arg has_password: whether Ansible was given a password to log in with.
    """
    if not any(_heard(login, one) for one in listeners(planned)):
        return "it is connected to %s port %d, and sshd would listen on %s alone" % (login.server, login.port, ", ".join(listeners(planned)))
    return _refused(login, planned, groups) or _without_key(login, planned, by, has_key, has_password)


def _heard(login: Connection, listener: str) -> bool:
    address, _colon, port = listener.rpartition(":")
    return port == str(login.port) and address.strip("[]") in (login.server, _EVERY_ADDRESS[6 if ":" in login.server else 4])


def _refused(login: Connection, planned: Effective, groups: t.Collection[str]) -> str:
    root = planned.get("permitrootlogin", [""])[0]
    if login.user == "root" and root in ("no", "forced-commands-only"):
        return "it logs in as root, and PermitRootLogin would be %s" % root
    for keyword, names in (("users", [login.user]), ("groups", list(groups))):
        allowed, denied = (_plain(planned.get(word + keyword, [])) for word in ("allow", "deny"))
        if allowed is not None and allowed and not _any(names, allowed):
            return "it logs in as %s, and Allow%s would be %s" % (login.user, keyword.capitalize(), " ".join(allowed))
        if denied is not None and _any(names, denied):
            return "it logs in as %s, and Deny%s would be %s" % (login.user, keyword.capitalize(), " ".join(denied))
    return ""


def _plain(values: t.Sequence[str]) -> t.Optional[list[str]]:
    """The patterns, None where one is of an address too (USER@HOST): whether that one is met, only sshd knows."""
    words = [word for value in values for word in value.split()]
    return None if any("@" in word for word in words) else words


def _any(names: t.Sequence[str], patterns: t.Sequence[str]) -> bool:
    positive = [one for one in patterns if not one.startswith("!")]
    negative = [one[1:] for one in patterns if one.startswith("!")]
    if any(fnmatch.fnmatchcase(name, one) for name in names for one in negative):
        return False
    return any(fnmatch.fnmatchcase(name, one) for name in names for one in positive)


def _without_key(login: Connection, planned: Effective, by: t.Optional[Accepted], has_key: bool, has_password: bool) -> str:
    if planned.get("pubkeyauthentication") == ["no"] and (by is None or by.by_key):
        return "it logs in as %s by key, and keys would not be accepted any more" % login.user
    if any(planned.get(keyword) != ["no"] for keyword in ("passwordauthentication", "kbdinteractiveauthentication")):
        return ""
    if by is not None and not by.by_key:
        return "it logged in as %s by %s, and only keys would get in" % (login.user, by.method)
    if by is None and has_password:
        return "Ansible was given a password to log in as %s with, and only keys would get in" % login.user
    elsewhere = any(planned.get(keyword, ["none"]) != ["none"] for keyword in ("authorizedkeyscommand", "trustedusercakeys"))
    if not has_key and (by is None or not elsewhere):
        return "%s has no authorized key on this host, and only keys would get in" % login.user
    return ""
