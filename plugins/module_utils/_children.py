# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run functions in forked children that can be killed, and read what they stream back.

A probe may hang in a client library whose own timeouts do not hold (a stopped server, dropped packets, an NVML call
in uninterruptible sleep), or take the interpreter down with it. The parent therefore never runs a probe and never
waits on one: it reads pipes until a deadline, then kills.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import select
import signal
import time
import typing as t

__all__ = ["Child", "ready"]

_PR_SET_PDEATHSIG = 1  # prctl(2)
_LINE_LIMIT = 1024 * 1024
_OPEN_FILES = 8192


class Child:
    """One forked process that runs `work(send)`; `send` streams JSON-able messages to the parent.

    :param work: called in the child; must be ready to be killed at any point.
    """

    def __init__(self, work: t.Callable[[t.Callable[[t.Any], None]], None]) -> None:
        reader, writer = os.pipe()
        self._parent = os.getpid()
        self.pid = os.fork()
        if self.pid == 0:
            os.close(reader)
            self._live(work, writer)
        os.close(writer)
        self.fd = reader
        self._buffer = b""
        self.finished = False

    def _live(self, work: t.Callable[[t.Callable[[t.Any], None]], None], writer: int) -> t.NoReturn:
        """The child's whole life; never returns into the parent's code."""
        status = 1
        try:
            os.setsid()
            ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != self._parent:
                os._exit(1)
            # A child that keeps the module's stdout holds the task open, and what it prints there would be read
            # as the module's own answer.
            null = os.open(os.devnull, os.O_RDWR)
            for standard in (0, 1, 2):
                os.dup2(null, standard)
            signal.signal(signal.SIGPIPE, signal.SIG_DFL)
            _allow_open_files()

            def send(message: t.Any) -> None:
                data = json.dumps(message, ensure_ascii=True).encode() + b"\n"
                while data:
                    data = data[os.write(writer, data) :]

            work(send)
            status = 0
        finally:
            os._exit(status)

    def read(self) -> list[t.Any]:
        """The messages that have arrived; sets `finished` at the end of the stream. Never blocks after `ready`."""
        chunk = os.read(self.fd, 65536)
        if not chunk:
            self.finished = True
            return []
        self._buffer += chunk
        *lines, self._buffer = self._buffer.split(b"\n")
        if len(self._buffer) > _LINE_LIMIT:
            raise ValueError("the probe sent more than %d bytes for one item" % _LINE_LIMIT)
        return [json.loads(line) for line in lines]

    def cpu_seconds(self) -> float:
        """Processor time the child itself has used so far, in seconds; 0.0 when it is gone."""
        try:
            with open("/proc/%d/stat" % self.pid, encoding="ascii", errors="replace") as stat:
                fields = stat.read().rpartition(")")[2].split()
        except OSError:
            return 0.0
        return (int(fields[11]) + int(fields[12])) / float(os.sysconf("SC_CLK_TCK"))

    def close(self, grace: float = 2.0) -> t.Optional[int]:
        """Kill the child's process group, reap it and return its wait status.

        Returns None when the kernel did not let go of it within `grace` seconds (uninterruptible sleep).
        """
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            _signal(self.pid)
        os.close(self.fd)
        deadline = time.monotonic() + grace
        while True:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                return status
            if time.monotonic() > deadline:
                return None
            time.sleep(0.005)


def _signal(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def _allow_open_files() -> None:
    """A port scan holds more sockets than the usual soft limit of 1024."""
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _OPEN_FILES if hard == resource.RLIM_INFINITY else min(_OPEN_FILES, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def ready(children: t.Sequence[Child], seconds: float) -> list[Child]:
    """Those of `children` that have something to read, waiting at most `seconds`."""
    by_fd = {child.fd: child for child in children}
    readable, _writable, _errors = select.select(list(by_fd), [], [], max(0.0, seconds))
    return [by_fd[fd] for fd in readable]
