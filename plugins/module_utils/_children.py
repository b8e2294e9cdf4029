# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run functions in forked children that can be killed, and read what they stream back.

A probe may hang in a client library whose own timeouts do not hold (a stopped server, dropped packets, an NVML call
in uninterruptible sleep), or take the interpreter down with it. The parent therefore never runs a probe and never
waits on one: it reads pipes until a deadline, then kills.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import json
import math
import os
import resource
import select
import signal
import sys
import time
import typing as t

__all__ = ["Child", "die_with_parent", "ready"]

_PR_SET_PDEATHSIG = 1  # prctl(2)
_LINE_LIMIT = 1024 * 1024
_OPEN_FILES = 8192
_POLL = 0.005

Send = t.Callable[[t.Any], None]


class Child:
    """One forked process that runs `work(send)`; `send` streams JSON-able messages to the parent.

    :param work: called in the child; must be ready to be killed at any point.
    :ivar finished: the stream has ended.
    :ivar stuck: the kernel did not let go of the process when it was killed (uninterruptible sleep).
    """

    def __init__(self, work: t.Callable[[Send], None]) -> None:
        reader, writer = os.pipe()
        self._parent = os.getpid()
        try:
            self.pid = os.fork()
        except OSError:
            os.close(reader)
            os.close(writer)
            raise
        if self.pid == 0:
            os.close(reader)
            self._live(work, writer)
        os.close(writer)
        self.fd = reader
        self._buffer = b""
        self._closed = False
        self.finished = False
        self.stuck = False

    def _live(self, work: t.Callable[[Send], None], writer: int) -> t.NoReturn:
        """The child's whole life; never returns into the parent's code."""
        status = 1
        try:
            os.setsid()
            die_with_parent()
            if os.getppid() != self._parent:
                os._exit(1)
            # Where the parent has closed a standard stream, the pipe may have taken its number.
            writer = fcntl.fcntl(writer, fcntl.F_DUPFD_CLOEXEC, 3)
            # A child that keeps the module's stdout holds the task open, and what it prints there would be read
            # as the module's own answer.
            null = os.open(os.devnull, os.O_RDWR)
            for standard in (0, 1, 2):
                os.dup2(null, standard)
            sys.stdout = sys.stderr = os.fdopen(null, "w", encoding="utf-8")
            signal.signal(signal.SIGPIPE, signal.SIG_DFL)
            _set_limits()

            def send(message: t.Any) -> None:
                data = json.dumps(message, ensure_ascii=True, allow_nan=False).encode() + b"\n"
                while data:
                    data = data[os.write(writer, data) :]

            work(send)
            status = 0
        finally:
            os._exit(status)

    def read(self) -> list[t.Any]:
        """The messages that have arrived; sets `finished` at the end of the stream. Never blocks after `ready`.

        Raises ValueError when what arrived is no message, or longer than 1 MiB.
        """
        chunk = os.read(self.fd, 65536)
        if not chunk:
            self.finished = True
            return []
        self._buffer += chunk
        *lines, self._buffer = self._buffer.split(b"\n")
        if len(self._buffer) > _LINE_LIMIT:
            raise ValueError("more than %d bytes for one item" % _LINE_LIMIT)
        try:
            return [json.loads(line) for line in lines]
        except RecursionError:
            raise ValueError("data nested too deeply") from None

    def busy_seconds(self) -> float:
        """Processor time that the child itself has used or queued for so far, in seconds; 0.0 when it is gone.

        /proc/PID/schedstat has both in nanoseconds (Documentation/scheduler/sched-stats.rst of the kernel); a kernel
        without it tells the time used alone.
        """
        try:
            with open("/proc/%d/schedstat" % self.pid, encoding="ascii") as schedstat:
                used, queued, _slices = schedstat.read().split()
            return (int(used) + int(queued)) / 1e9
        except (OSError, ValueError):
            pass
        try:
            with open("/proc/%d/stat" % self.pid, encoding="ascii", errors="replace") as stat:
                fields = stat.read().rpartition(")")[2].split()
        except OSError:
            return 0.0
        return (int(fields[11]) + int(fields[12])) / float(os.sysconf("SC_CLK_TCK"))

    def close(self, grace: float = 2.0) -> t.Optional[int]:
        """Kill the child's process group, reap it and return its wait status.

        Returns None when that is not known: somebody else reaped the child, it was closed before, or it is `stuck`
        since the kernel did not let go of it within `grace` seconds.
        """
        if self._closed:
            return None
        self._closed = True
        os.close(self.fd)
        # Between fork and setsid the child has no group of its own yet.
        for kill in (os.killpg, os.kill):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                kill(self.pid, signal.SIGKILL)
        deadline = time.monotonic() + grace
        while True:
            try:
                pid, status = os.waitpid(self.pid, os.WNOHANG)
            except ChildProcessError:
                return None
            if pid:
                return status
            if time.monotonic() > deadline:
                self.stuck = True
                return None
            time.sleep(_POLL)


def die_with_parent() -> None:
    """Have the kernel kill this process when its parent ends; to be said again after a change of user, which clears it."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _set_limits() -> None:
    """No core file of a probe that crashes, since a check writes nothing; and enough sockets for a port scan."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _OPEN_FILES if hard == resource.RLIM_INFINITY else min(_OPEN_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def ready(children: t.Sequence[Child], seconds: float) -> list[Child]:
    """Those of `children` that have something to read, waiting at most `seconds`."""
    poll = select.poll()
    for child in children:
        poll.register(child.fd, select.POLLIN)
    # poll(2) counts in whole milliseconds: rounding up keeps a wait for the last fraction from spinning.
    speaking = {fd for fd, _event in poll.poll(math.ceil(max(0.0, seconds) * 1000))}
    return [child for child in children if child.fd in speaking]
