# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ask the OpenSSH server of this host what it is told to do, and whether it has read what its files say. Changes nothing."""

from __future__ import annotations

import glob
import grp
import os
import pwd
import typing as t

from ._sshd import MAIN, Account, Effective, Line, SshdError, anybody, expand, parse_arguments, parse_effective, specification, walk

__all__ = ["Server", "text_of"]

_PROC = "/proc"
_LARGEST = 1024 * 1024

Ask = t.Callable[[t.Sequence[str]], str]
"""Runs a command and returns its output; raises what its caller expects."""


class Server:
    """The sshd of this host; what was asked once is kept."""

    def __init__(self, ask: Ask, main: str = MAIN) -> None:
        self._ask = ask
        self._main = main
        self._answers: dict[str, Effective] = {}
        self._lines: t.Optional[list[Line]] = None
        self._by_files: t.Optional[Effective] = None
        self._options: t.Optional[list[str]] = None

    def lines(self) -> list[Line]:
        """Every line of its files, in the order in which it reads them."""
        if self._lines is None:
            self._lines = walk(self._main, text_of, glob.glob)
        return self._lines

    def effective(self, connection: str = "") -> Effective:
        """What `sshd -T` says of a connection, or of anybody's, with the options that sshd was started with."""
        connection = connection or anybody()
        if connection not in self._answers:
            plain = not self.options() and connection == anybody()
            self._answers[connection] = self._files_say() if plain else parse_effective(self._ask(["sshd", "-T", *self.options(), "-C", connection]))
        return self._answers[connection]

    def connections(self, user: str = "") -> dict[str, str]:
        """Connections that differ in what is said of them: for each a name, "" for anybody's, and how `-C` has it.

        :arg user: only connections of this account.
        """
        found = {"": anybody(user)}
        accounts: list[Account] = []
        for line in self.lines():
            if line.keyword != "match":
                continue
            accounts = accounts or _accounts()
            known = specification(line.value, accounts, user)
            if known is not None:
                found["Match %s, %s" % (line.value, line.place)] = known
        return found

    def unread(self) -> str:
        """A file or directory of its configuration that has changed since sshd read it, or "".

        sshd writes its pid file whenever it has read its files, at the start and after SIGHUP (sshd(8)). A file's time of change
        (ctime) is the kernel's, and moves with every change of content, mode, owner or name.

        :raises SshdError: where no sshd listens that says when it read them.
        """
        self.options()
        try:
            read = os.stat(self._pid_file()).st_mtime_ns
            changed = [path for path in self._sources() if os.stat(path).st_ctime_ns > read]
        except OSError as error:
            raise SshdError("cannot read sshd's files: %s" % error) from None
        return changed[0] if changed else ""

    def require_read(self) -> None:
        """Raise SshdError where the running sshd has not read a file since it was changed."""
        newer = self.unread()
        if newer:
            raise SshdError("sshd has not read %s since it was changed, so that it does something else than it says" % newer, "systemctl restart ssh")

    def options(self) -> list[str]:
        """Options of the running sshd beyond `-D`, which beat its files; raises SshdError where no sshd listens."""
        if self._options is None:
            pid = text_of(self._pid_file()).strip()
            try:
                self._options = parse_arguments(text_of(os.path.join(_PROC, pid if pid.isdigit() else "0", "cmdline")))
            except SshdError as error:
                raise SshdError("%s (%s)" % (error, self._pid_file()), "systemctl restart ssh") from None
            if "-f" in self._options:
                mend = "remove -f from SSHD_OPTS in /etc/default/ssh, and systemctl restart ssh"
                raise SshdError("sshd runs with another configuration: %s" % " ".join(self._options), mend)
        return self._options

    def _files_say(self) -> Effective:
        if self._by_files is None:
            self._by_files = parse_effective(self._ask(["sshd", "-T", "-C", anybody()]))
        return self._by_files

    def _pid_file(self) -> str:
        path = self._files_say().get("pidfile", ["none"])[0]
        if not os.path.exists(path):
            raise SshdError("no sshd runs that says when it read its configuration (pid file %s)" % path, "systemctl restart ssh")
        return path

    def _sources(self) -> list[str]:
        """The files that it reads, and the directories that an Include looks into."""
        found = {self._main: None}
        for line in self.lines():
            found[line.path] = None
            if line.keyword == "include":
                for pattern in expand(line.value, lambda pattern: [pattern]):
                    if os.path.isdir(os.path.dirname(pattern)):
                        found[os.path.dirname(pattern)] = None
        return list(found)


def text_of(path: str) -> str:
    """Text of a file; raises SshdError where it cannot be read."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read(_LARGEST)
    except OSError as error:
        raise SshdError("cannot read %s: %s" % (path, error.strerror)) from None


def _accounts() -> list[Account]:
    members: dict[str, set[str]] = {}
    groups = {group.gr_gid: group.gr_name for group in grp.getgrall()}
    for group in grp.getgrall():
        for name in group.gr_mem:
            members.setdefault(name, set()).add(group.gr_name)
    return [Account(one.pw_name, members.get(one.pw_name, set()) | {groups.get(one.pw_gid, "")} - {""}) for one in pwd.getpwall()]
