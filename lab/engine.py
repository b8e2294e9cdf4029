# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The outer Docker Engine: the machine's own where it is usable, else one that belongs to the lab."""

from __future__ import annotations

import contextlib
import os
import shlex
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import machine
from shell import LabError, find_program, run, say, wait_for

DEFAULT_SOCKET = Path("/var/run/docker.sock")
RUN = Path("/run/gonogo-lab")
DATA = Path("/var/lib/gonogo-lab")
OWN_SOCKET = RUN / "docker.sock"
PIDFILE = RUN / "docker.pid"
LOG = DATA / "dockerd.log"


@dataclass(frozen=True)
class Engine:
    """A Docker Engine that answers, and the command that reaches it."""

    socket: Path
    prefix: tuple[str, ...]

    @property
    def own(self) -> bool:
        return self.socket == OWN_SOCKET

    @property
    def command(self) -> list[str]:
        # The client of the engine's own package: a much newer one elsewhere on PATH may refuse an old engine.
        client = "/usr/bin/docker" if Path("/usr/bin/docker").exists() else find_program("docker") or "docker"
        return [*self.prefix, client, "--host", f"unix://{self.socket}"]

    def docker(self, *arguments: str, stdin: str | None = None) -> str:
        return run([*self.command, *arguments], stdin=stdin).stdout.strip()

    def try_docker(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return run([*self.command, *arguments], check=False)


def find() -> Engine | None:
    """A running engine that can carry the lab: systemd in the hosts needs cgroup v2."""
    prefixes: list[tuple[str, ...]] = [()]
    if os.geteuid() != 0 and find_program("sudo"):
        prefixes.append(("sudo", "-n"))
    for socket in (OWN_SOCKET, DEFAULT_SOCKET):
        for prefix in prefixes if socket.exists() else ():
            engine = Engine(socket, prefix)
            asked = engine.try_docker("info", "--format", "{{.CgroupVersion}} {{.OSType}} {{.SecurityOptions}}")
            answer = asked.stdout.strip()
            if asked.returncode == 0 and answer.startswith("2 linux") and "rootless" not in answer:
                return engine
    return None


def ensure() -> Engine:
    """The engine of the lab, installed and started where none is running."""
    machine.require("dockerd")
    engine = find()
    if engine is None:
        engine = _start_own()
    say(f"Docker Engine {engine.docker('version', '--format', '{{.Server.Version}}')} at {engine.socket}")
    return engine


def stop_own() -> None:
    dockerd = [pid for pid, command in _processes() if _is_own(command) and Path(command[0]).name == "dockerd"]
    if dockerd:
        run([*machine.as_root(), "kill", *map(str, dockerd)])
        wait_for("The end of the lab's Docker Engine", lambda: not _remains(), seconds=60, evidence=_log_tail)
    _end_remains()


def remove_own_data() -> None:
    run([*machine.as_root(), "rm", "-rf", str(RUN), str(DATA)])


def _start_own() -> Engine:
    machine.require_disk(DATA)
    root = machine.as_root()
    _end_remains()
    say("Starting a Docker Engine of the lab's own (no usable one answers on this machine)")
    run([*root, "mkdir", "-p", str(RUN), str(DATA)])
    launcher = subprocess.Popen(
        [*root, "unshare", "--mount", "sh", "-c", _start_script()],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd="/",
        start_new_session=True,
    )

    def answers() -> bool:
        if launcher.poll() is not None:
            raise LabError(f"Docker Engine does not start on this machine. Its last words:\n{_log_tail()}")
        return find() is not None

    wait_for("The lab's Docker Engine", answers, seconds=60, evidence=_log_tail)
    engine = find()
    if engine is None:
        raise LabError(f"The lab's Docker Engine stopped answering. Its last words:\n{_log_tail()}")
    return engine


def _start_script() -> str:
    """Shell script that becomes dockerd, in a mount namespace where cgroup v2 is the only hierarchy.

    A mount over /run/containerd hides the machine's containerd, which would start containers outside this namespace.
    """
    dockerd = [
        find_program("dockerd") or "dockerd",
        *("--config-file", str(DATA / "daemon.json")),
        *("--host", f"unix://{OWN_SOCKET}", "--group", str(os.getgid())),
        *("--data-root", str(DATA / "docker"), "--exec-root", str(RUN / "exec"), "--pidfile", str(PIDFILE)),
        *("--exec-opt", "native.cgroupdriver=cgroupfs", "--bridge", "none", "--log-level", "warn"),
        # An engine that starts empties the firewall chains of any other engine on the machine.
        *("--iptables=false", "--ip6tables=false"),
    ]
    return f"""
set -e
exec >>{LOG} 2>&1
mount --make-rprivate /
if [ ! -e /sys/fs/cgroup/cgroup.controllers ]; then
  if [ -d /sys/fs/cgroup/unified ]; then mount --bind /sys/fs/cgroup/unified /sys/fs/cgroup
  else mount -t cgroup2 cgroup2 /sys/fs/cgroup; fi
fi
if [ -d /run/containerd ]; then mount -t tmpfs tmpfs /run/containerd; fi
echo '{{}}' >{DATA}/daemon.json
export PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin"
exec {shlex.join(dockerd)}
"""


def _end_remains() -> None:
    """End what an engine that was killed left running: its containers would hold the addresses of the next ones."""
    remains = _remains()
    if remains:
        say(f"The lab's Docker Engine does not answer; ending what is left of it ({len(remains)} processes)")
        inside = {pid for pid, _command in _processes() if _parent(pid) in remains}
        run([*machine.as_root(), "kill", "-KILL", *map(str, remains | inside)], check=False)
        wait_for("The end of the old engine", lambda: not _remains(), seconds=30)
    if RUN.exists():
        run([*machine.as_root(), "rm", "-rf", str(RUN)])


def _remains() -> set[int]:
    return {pid for pid, command in _processes() if _is_own(command)}


def _processes() -> Iterator[tuple[int, list[str]]]:
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                command = (entry / "cmdline").read_text(errors="replace").split("\0")
                if command[0]:
                    yield int(entry.name), command


def _is_own(command: list[str]) -> bool:
    program = Path(command[0]).name
    return program.startswith(("dockerd", "containerd")) and any(word.startswith(f"{RUN}/") for word in command)


def _parent(pid: int) -> int | None:
    with contextlib.suppress(OSError):
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    return None


def _log_tail() -> str:
    return run([*machine.as_root(), "tail", "-n", "15", str(LOG)], check=False).stdout
