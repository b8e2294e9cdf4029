# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ssh connection that this process runs over: from where, as whom, and what sshd let it in for."""

from __future__ import annotations

import os
import pwd
import re
import typing as t
from dataclasses import dataclass, replace

from ._revert import Run

__all__ = ["Accepted", "Connection", "accepted", "connection", "parse_accepted", "ssh_connection"]

_PROC = "/proc"
_PUBLIC_KEY = "publickey"

# What sshd says when somebody gets in (auth.c, auth_log); sshd-session says it from OpenSSH 9.8 on.
_ACCEPTED = r"^Accepted (?P<method>\S+) for (?P<user>\S+) from %s port %d ssh2(?:: \S+ (?P<fingerprint>SHA256:\S+))?"
_PROGRAMS = ("sshd", "sshd-session")

# sshd says it before it starts the process of the login; a clock that was set meanwhile moves one of the two.
_BEFORE, _AFTER = 600, 60


@dataclass(frozen=True)
class Connection:
    """An ssh connection, from the side of the host.

    :ivar client: address of the client, without a zone.
    :ivar server: address of the host, as sshd sees it.
    :ivar user: the account that logged in.
    :ivar since: when the login succeeded, in seconds since the epoch, as far as its processes tell.
    """

    client: str
    client_port: int
    server: str
    port: int
    user: str
    since: float


@dataclass(frozen=True)
class Accepted:
    """What sshd let somebody in for.

    :ivar method: in sshd's words, such as "publickey" or "password".
    :ivar fingerprint: of the key, as in "SHA256:...", or "".
    """

    method: str
    fingerprint: str

    @property
    def by_key(self) -> bool:
        return self.method == _PUBLIC_KEY


def connection(pid: int) -> t.Optional[Connection]:
    """The ssh connection that process `pid` runs over, None if over none.

    sudo takes SSH_CONNECTION (ssh(1)) from its command's environment, so it is looked for in the parents of `pid` too. The
    outermost process that has it is the shell that sshd started, as the user who logged in.
    """
    found: t.Optional[Connection] = None
    while pid > 1:
        try:
            with open("%s/%d/environ" % (_PROC, pid), "rb") as file:
                match = re.search(rb"(?:^|\0)SSH_CONNECTION=(\S+) (\d+) (\S+) (\d+)(?:\0|$)", file.read())
            with open("%s/%d/stat" % (_PROC, pid), "rb") as file:
                fields = file.read().rpartition(b")")[2].split()
            owner = os.stat("%s/%d" % (_PROC, pid)).st_uid
        except OSError:
            break
        began = _booted() + int(fields[19]) / os.sysconf("SC_CLK_TCK")
        if match:
            client, client_port, server, port = (word.decode().partition("%")[0] for word in match.groups())
            found = Connection(client, int(client_port), server, int(port), _name(owner), began)
        elif found:
            # The sshd of the connection, which may be older than this shell by hours.
            return replace(found, since=began)
        pid = int(fields[1])
    return found


def ssh_connection(pid: int) -> t.Optional[tuple[str, int]]:
    """(address of the client, port of the server) of the ssh connection that process `pid` runs over, None if over none."""
    found = connection(pid)
    return (found.client, found.port) if found else None


def accepted(login: Connection, run: Run) -> t.Optional[Accepted]:
    """What sshd let `login` in for, from the journal; None where the journal does not tell."""
    words = [word for program in _PROGRAMS for word in ("--identifier", program)]
    window = ["--since=@%d" % (login.since - _BEFORE), "--until=@%d" % (login.since + _AFTER)]
    status, output, _errors = run(["journalctl", "--quiet", "--no-pager", "--output=cat", *words, *window])
    return parse_accepted(output, login) if status == 0 else None


def parse_accepted(text: str, login: Connection) -> t.Optional[Accepted]:
    """The last line of sshd that says how `login` got in; None without one."""
    found = None
    for line in text.splitlines():
        match = re.match(_ACCEPTED % (re.escape(login.client), login.client_port), line)
        if match and match["user"] == login.user:
            found = Accepted(match["method"], match["fingerprint"] or "")
    return found


def _booted() -> int:
    """When the kernel booted, in seconds since the epoch (proc_stat(5))."""
    with open(os.path.join(_PROC, "stat"), encoding="ascii") as file:
        match = re.search(r"^btime (\d+)$", file.read(), re.MULTILINE)
    return int(match.group(1)) if match else 0


def _name(user: int) -> str:
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return str(user)
