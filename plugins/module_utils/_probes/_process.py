# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Processes, from /proc: how many run, as whom, which of them holds a port, and whether that belongs to the stack."""

from __future__ import annotations

import os
import pwd
import re
import typing as t
from dataclasses import dataclass

from ._base import PLACE, Observation, Probe, ProbeError
from ._docker import DockerProbe, unit
from ._files import compiled

__all__ = ["Process", "ProcessProbe", "foreign", "parse_listeners", "parse_status"]

_PROC = "/proc"
_COMM_LENGTH = 15  # TASK_COMM_LEN of the kernel, without the end
_LISTEN = "0A"
_MOST_PORTS = 64
# The program of the engine that accepts connections to published ports, for containers of every project.
_PROXY = "docker-proxy"
_PROJECT = "com.docker.compose.project"


@dataclass(frozen=True)
class Process:
    """A running process.

    :ivar command: its arguments; not for evidence, since arguments may hold secrets.
    """

    pid: int
    name: str
    user: int
    command: tuple[str, ...]


class ProcessProbe(Probe):
    SEES = PLACE
    ARGUMENTS = {
        "fact": {"type": "str", "required": True, "choices": ["count", "foreign", "listening", "user"]},
        "name": {"type": "str"},
        "pattern": {"type": "str"},
        "port": {"type": "int"},
        "ports": {"type": "list", "elements": "int"},
        "programs": {"type": "list", "elements": "str"},
        "project": {"type": "str"},
    }

    def fact_count(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        """How many processes run that are called `name`, or whose command line `pattern` is found in."""
        found, words = _chosen(arguments, "count")
        return Observation(len(found), "processes %s: %s" % (words, _pids(found)))

    def fact_user(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        """The accounts that such processes run as (effective user), a sorted list; raises ProbeError when none runs."""
        found, words = _chosen(arguments, "user")
        if not found:
            raise ProbeError("no process %s runs" % words)
        return Observation(sorted({_account(process.user) for process in found}), "processes %s: %s" % (words, _pids(found)))

    def fact_listening(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        """Name of the program that accepts connections on TCP `port`, several joined by commas; "" when nothing listens there."""
        port = arguments.get("port")
        if not port or not 1 <= port <= 65535:
            raise ProbeError("fact listening needs `port`, from 1 to 65535")
        names = _listeners(port)
        if not names:
            return Observation("", "nothing listens on TCP port %d" % port)
        return Observation(", ".join(sorted(names)), "/proc/net/tcp and the open sockets of all processes")

    def fact_foreign(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        """Those of TCP `ports` that something holds which is neither one of `programs` nor a container of Compose project `project`, a list."""
        ports = list(dict.fromkeys(arguments.get("ports") or ()))
        if not 0 < len(ports) <= _MOST_PORTS or not all(1 <= port <= 65535 for port in ports):
            raise ProbeError("fact foreign needs `ports`, from 1 to 65535, up to %d" % _MOST_PORTS)
        held = {port: _listeners(port) for port in ports}
        found = foreign(held, self._published(), arguments.get("programs") or (), arguments.get("project") or "")
        seen = "; ".join("%d: %s" % (port, ", ".join(sorted(names))) for port, names in held.items() if names)
        return Observation(found, seen or "nothing listens on any of them")

    def _published(self) -> list[tuple[int, str, str]]:
        """(port of the host, name, Compose project or "") of each port that a container publishes; none without an engine."""
        if not unit()[0]:
            return []
        found = []
        for container in DockerProbe(self.secrets).client().containers.list(ignore_removed=True):
            published = (container.attrs["NetworkSettings"]["Ports"] or {}).values()
            ports = [binding["HostPort"] for bindings in published for binding in bindings or ()]
            found += [(int(port), container.name, container.labels.get(_PROJECT, "")) for port in ports if port]
        return found


def _listeners(port: int) -> set[str]:
    """Names of the programs that accept connections on the TCP port; raises ProbeError where one cannot be seen."""
    tables = [_read("net/tcp"), _read("net/tcp6", missing="")]
    inodes = set().union(*(parse_listeners(table, port) for table in tables if table))
    names, unseen = _holders(inodes) if inodes else (set(), False)
    if unseen:
        raise ProbeError("something listens on TCP port %d, and which process cannot be seen (as root it can)" % port)
    return names


def foreign(held: t.Mapping[int, t.Collection[str]], published: t.Sequence[tuple[int, str, str]], programs: t.Collection[str], project: str) -> list[str]:
    """The ports of `held` (port to the programs that listen on it) that are taken by others, a sentence each.

    :arg published: (port, container, Compose project) of what containers publish, which need not have a listener of its own.
    :raises ProbeError: for a port that the engine holds, and no running container publishes.
    """
    found = []
    for port, names in held.items():
        containers = [(name, owner) for taken, name, owner in published if taken == port]
        if _PROXY in names and not containers:
            raise ProbeError("%s holds port %d, and the engine names no container for it" % (_PROXY, port), "systemctl restart docker")
        others = sorted(set(names) - {_PROXY, *programs}) + ["container %s" % name for name, owner in containers if not project or owner != project]
        found += ["%d (%s)" % (port, ", ".join(others))] if others else []
    return found


def _chosen(arguments: t.Mapping[str, t.Any], fact: str) -> tuple[list[Process], str]:
    """(the processes that are asked about, in words which these are)."""
    name, pattern = arguments.get("name"), arguments.get("pattern")
    if bool(name) == bool(pattern):
        raise ProbeError("fact %s needs either `name` or `pattern`" % fact)
    if name:
        return [process for process in _running() if _called(process, str(name))], "called %s" % name
    expression = compiled(pattern)
    return [process for process in _running() if process.command and expression.search(" ".join(process.command))], "whose command line matches"


def _called(process: Process, name: str) -> bool:
    """The kernel keeps 15 characters of a name; a longer one is that of the program."""
    if len(name) <= _COMM_LENGTH:
        return process.name == name
    return process.name == name[:_COMM_LENGTH] and bool(process.command) and os.path.basename(process.command[0].split(":")[0]) == name


def _running() -> list[Process]:
    """Every process but this one, those it comes from, and those that have ended and are not yet reaped."""
    pids = [int(name) for name in os.listdir(_PROC) if name.isdigit()]
    if 1 not in pids:
        raise ProbeError("/proc does not show the processes of others (mounted with hidepid)")
    found, own, parents = [], {os.getpid()}, {}
    for pid in pids:
        try:
            name, state, parents[pid], user = parse_status(_read("%d/status" % pid))
            command = tuple(part for part in _read("%d/cmdline" % pid).split("\0") if part)
        except (FileNotFoundError, ProcessLookupError):
            continue
        if state not in ("Z", "X"):
            found.append(Process(pid, name, user, command))
    ancestor = os.getpid()
    while ancestor in parents and parents[ancestor] not in own:
        ancestor = parents[ancestor]
        # The first process is a service manager, or in a container the very program that is asked about.
        own |= {ancestor} - {1}
        if ancestor <= 1:
            break
    return [process for process in found if process.pid not in own]


def parse_status(text: str) -> tuple[str, str, int, int]:
    """(name, state, parent, effective user) of /proc/PID/status (proc_pid_status(5))."""
    fields = dict(re.findall(r"^(Name|State|PPid|Uid):\t(.*)$", text, re.MULTILINE))
    try:
        # A line feed or a backslash in a name is written as an escape.
        name = re.sub(r"\\([0-7]{3}|n|\\)", _unescaped, fields["Name"])
        return name, fields["State"][:1], int(fields["PPid"]), int(fields["Uid"].split()[1])
    except (KeyError, IndexError, ValueError):
        raise ProbeError("/proc/PID/status lacks its name, state, parent or user") from None


def _unescaped(match: re.Match[str]) -> str:
    escape = match.group(1)
    return {"n": "\n", "\\": "\\"}.get(escape) or chr(int(escape, 8))


def parse_listeners(text: str, port: int) -> set[int]:
    """The inodes of the sockets that listen on `port` in /proc/net/tcp or tcp6 (proc_pid_net(5))."""
    heading, *lines = text.splitlines() or [""]
    if "local_address" not in heading:
        raise ProbeError("/proc/net/tcp has no heading")
    found = set()
    for line in lines:
        fields = line.split()
        try:
            if fields[3] == _LISTEN and int(fields[1].rpartition(":")[2], 16) == port:
                found.add(int(fields[9]))
        except (IndexError, ValueError):
            raise ProbeError("/proc/net/tcp has the line %r" % line[:80]) from None
    return found


def _holders(inodes: t.Collection[int]) -> tuple[set[str], bool]:
    """(names of the processes that hold the sockets, whether one of the sockets is held by none that can be seen)."""
    links = {"socket:[%d]" % inode for inode in inodes}
    names, held = set(), set()
    for pid in (name for name in os.listdir(_PROC) if name.isdigit()):
        try:
            descriptors = os.listdir(os.path.join(_PROC, pid, "fd"))
        except OSError:
            continue
        for descriptor in descriptors:
            try:
                link = os.readlink(os.path.join(_PROC, pid, "fd", descriptor))
                if link in links:
                    names.add(parse_status(_read("%s/status" % pid))[0])
                    held.add(link)
            except OSError:
                continue
    return names, bool(links - held)


def _account(user: int) -> str:
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return str(user)


def _pids(found: t.Sequence[Process]) -> str:
    shown = ", ".join("%s (%d)" % (process.name, process.pid) for process in found[:5])
    return "none" if not found else shown + (", and %d more" % (len(found) - 5) if len(found) > 5 else "")


def _read(name: str, *, missing: t.Optional[str] = None) -> str:
    """Text of a file of /proc; FileNotFoundError and ProcessLookupError are the caller's, for a process that has ended."""
    try:
        with open(os.path.join(_PROC, name), encoding="utf-8", errors="replace") as file:
            return file.read()
    except FileNotFoundError:
        if missing is not None:
            return missing
        raise
    except ProcessLookupError:
        raise
    except OSError as error:
        raise ProbeError("cannot read /proc/%s: %s" % (name, error.strerror)) from None
