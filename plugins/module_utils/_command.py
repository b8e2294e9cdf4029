# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run one command with a limit, from a probe's own process.

Ansible's run_command has no limit and needs an AnsibleModule, which a probe does not have.
"""

from __future__ import annotations

import os
import pwd
import select
import signal
import time
import typing as t

__all__ = ["CommandHungError", "CommandTooLongError", "run"]

_LARGEST = 64 * 1024 * 1024


class CommandHungError(Exception):
    """The command gave no answer within its limit and was killed."""


class CommandTooLongError(Exception):
    """The command said more than is read of any command and was killed."""


def run(
    path: str,
    arguments: t.Sequence[str],
    *,
    environment: t.Mapping[str, str],
    limit: float,
    user: str = "",
    given: bytes = b"",
) -> tuple[int, bytes, bytes]:
    """(exit status, standard output, standard error) of the program at `path`; a signal's number is negative.

    :arg user: account to run as, where this process is root.
    :arg given: its standard input, as much as a pipe holds at once (4 KiB).
    :raises CommandHungError: after `limit` seconds.
    :raises CommandTooLongError: after 64 MiB.
    """
    if len(given) > select.PIPE_BUF:
        raise ValueError("more is given to %s than a pipe holds" % path)
    out, out_writer = os.pipe()
    err, err_writer = os.pipe()
    source = _source(given)
    pid = os.fork()
    if pid == 0:
        _become(path, arguments, environment, user, (source, out_writer, err_writer))
    os.close(source)
    os.close(out_writer)
    os.close(err_writer)
    try:
        read = _read((out, err), time.monotonic() + limit)
    except (CommandHungError, CommandTooLongError):
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        raise
    finally:
        os.close(out)
        os.close(err)
    _pid, status = os.waitpid(pid, 0)
    return -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status), read[out], read[err]


def _source(given: bytes) -> int:
    """A descriptor from which `given` is read, and then its end."""
    if not given:
        return os.open(os.devnull, os.O_RDONLY)
    reader, writer = os.pipe()
    os.write(writer, given)
    os.close(writer)
    return reader


def _become(path: str, arguments: t.Sequence[str], environment: t.Mapping[str, str], user: str, descriptors: tuple[int, int, int]) -> t.NoReturn:
    """In the child: turn into the program; never returns into the parent's code."""
    try:
        for standard, descriptor in enumerate(descriptors):
            os.dup2(descriptor, standard)
        if user and os.geteuid() == 0:
            account = pwd.getpwnam(user)
            os.setgroups([])
            os.setgid(account.pw_gid)
            os.setuid(account.pw_uid)
        os.execve(path, list(arguments), dict(environment))
    finally:
        os._exit(126)


def _read(descriptors: t.Sequence[int], deadline: float) -> dict[int, bytes]:
    """What comes from each descriptor until its end."""
    found: dict[int, list[bytes]] = {descriptor: [] for descriptor in descriptors}
    left = list(descriptors)
    room = _LARGEST
    while left:
        readable, _writable, _errors = select.select(left, [], [], max(0.0, deadline - time.monotonic()))
        if not readable or time.monotonic() > deadline:
            raise CommandHungError
        for descriptor in readable:
            chunk = os.read(descriptor, 65536)
            found[descriptor].append(chunk)
            room -= len(chunk)
            if room < 0:
                raise CommandTooLongError
            if not chunk:
                left.remove(descriptor)
    return {descriptor: b"".join(chunks) for descriptor, chunks in found.items()}
