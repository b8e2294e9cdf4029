# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab hosts: containers with a booted systemd and a real sshd, on a network of their own."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import machine
import network
from engine import Engine
from shell import CHECKOUT, STATE, LabError, run, say, wait_for

LABEL = "gonogo.lab.checkout"

KEY = STATE / "id_ed25519"
KNOWN_HOSTS = STATE / "known_hosts"
NO_SWAPS = STATE / "swaps"


@dataclass(frozen=True)
class Host:
    """One lab host.

    :ivar published: port of the machine's loopback to port of the host.
    :ivar on_demand: is started only where it is asked for by name.
    """

    name: str
    address: str
    ssh_port: int
    published: dict[int, int] = field(default_factory=dict)
    on_demand: bool = False

    @property
    def ports(self) -> dict[int, int]:
        return {self.ssh_port: 22, **self.published}

    @property
    def ssh_endpoint(self) -> tuple[str, int]:
        return "127.0.0.1", self.ssh_port

    @property
    def volumes(self) -> dict[str, str]:
        # Keeps the overlay file system of the engine inside the host off the one of the engine outside.
        return {f"{self.name}-docker": "/var/lib/docker", f"{self.name}-containerd": "/var/lib/containerd"}


HOSTS = {
    host.name: host
    for host in (
        Host("lab-app", "172.30.77.11", 22011, {22080: 80}),
        Host("lab-data", "172.30.77.12", 22012),
        Host("lab-watch", "172.30.77.13", 22013, on_demand=True),
    )
}


def named(names: Sequence[str]) -> list[Host]:
    """The hosts of these names; without names, those that the lab always has."""
    if not names:
        return [host for host in HOSTS.values() if not host.on_demand]
    unknown = [name for name in names if name not in HOSTS]
    if unknown:
        raise LabError(f"No lab host is called {', '.join(unknown)}. The lab hosts are: {', '.join(HOSTS)}.")
    return [HOSTS[name] for name in names]


def state(engine: Engine, host: Host) -> str:
    """What Docker says of the host's container ("running", "paused", "exited", ...), or "absent"."""
    asked = engine.try_docker("container", "inspect", "--format", "{{.State.Status}}", host.name)
    return asked.stdout.strip() if asked.returncode == 0 else "absent"


def clear_names(engine: Engine, hosts: Sequence[Host]) -> None:
    """A container of a host's name that another checkout made is left alone, unless that checkout is gone."""
    for host in hosts:
        asked = engine.try_docker("container", "inspect", "--format", "{{json .Config.Labels}}", host.name)
        owner = (json.loads(asked.stdout) or {}).get(LABEL) if asked.returncode == 0 else str(CHECKOUT)
        if owner == str(CHECKOUT):
            continue
        if not owner or not _is_gone(owner):
            whose = f"the checkout {owner}: run `make clean` there first" if owner else "somebody else: remove or rename it"
            raise LabError(f"A container called {host.name} exists and belongs to {whose}.")
        say(f"{host.name}: removing the one of the checkout {owner}, which is gone")
        remove(engine, host)


def _is_gone(directory: str) -> bool:
    """Nothing is there; a directory that cannot be looked at is not gone."""
    try:
        os.stat(directory)
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return False


def require_ports(engine: Engine, hosts: Sequence[Host]) -> None:
    for host in hosts:
        if state(engine, host) not in ("running", "paused"):
            for port in host.ports:
                machine.require_free_port(port)


def bring_up(engine: Engine, image: str, hosts: Sequence[Host], *, fresh: bool = False) -> None:
    """Create the hosts that are absent (with `fresh`: all of them anew), start those that stopped; await them all."""
    _make_key()
    network.ensure(engine)
    states = {host.name: "absent" if fresh else state(engine, host) for host in hosts}
    created = [host for host in hosts if states[host.name] in ("absent", "created", "dead")]
    for host in created:
        remove(engine, host)
    for host in hosts:
        if host in created:
            say(f"{host.name}: creating a bare host from {image}")
            _create(engine, host, image)
            continue
        made_from = engine.docker("container", "inspect", "--format", "{{.Config.Image}}", host.name)
        if made_from != image:
            say(f"{host.name}: stays as it is, made from {made_from}; `up --fresh` recreates it from {image}")
        if states[host.name] != "running":
            say(f"{host.name}: was {states[host.name]}, starting it")
            engine.docker("unpause" if states[host.name] == "paused" else "start", host.name)
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda host: await_boot(engine, host, bare=host in created), hosts))
    write_known_hosts(engine)
    for host in hosts:
        _prove_ssh(host)
        say(f"{host.name}: ready, {host.address}, ssh on 127.0.0.1:{host.ssh_endpoint[1]}")


def await_boot(engine: Engine, host: Host, *, bare: bool = False) -> None:
    """Wait until systemd has started everything and sshd greets; a bare host must have no failed unit."""
    verdict = ""

    def booted() -> bool:
        nonlocal verdict
        verdict = engine.try_docker("exec", host.name, "systemctl", "is-system-running", "--wait").stdout.strip()
        return verdict in ("running", "degraded")

    wait_for(f"systemd on {host.name}", booted, seconds=120, evidence=lambda: _evidence(engine, host))
    if bare:
        _authorize(engine, host)
    if verdict == "degraded":
        failed = engine.try_docker("exec", host.name, "systemctl", "--failed", "--plain", "--no-legend").stdout.strip()
        if bare:
            raise LabError(f"{host.name} booted with failed units:\n{failed}")
        say(f"{host.name}: systemd is degraded: {failed}")
    wait_for(f"sshd on {host.name}", lambda: _greets(host), seconds=30, evidence=lambda: _evidence(engine, host))


def remove(engine: Engine, host: Host) -> None:
    engine.try_docker("rm", "--force", "--volumes", host.name)
    for volume in host.volumes:
        engine.try_docker("volume", "rm", "--force", volume)


def stop(engine: Engine, hosts: Sequence[Host]) -> None:
    running = [host.name for host in hosts if state(engine, host) in ("running", "paused")]
    for name in running:
        engine.try_docker("unpause", name)
    if running:
        engine.docker("stop", "-t", "30", *running)


def write_known_hosts(engine: Engine) -> None:
    """The host keys of every running host, asked of the engine and not of the network."""
    lines = []
    for host in HOSTS.values():
        if state(engine, host) == "running":
            keys = engine.docker("exec", host.name, "sh", "-c", "cat /etc/ssh/ssh_host_*_key.pub")
            address, port = host.ssh_endpoint
            # Also by the names under which the other hosts reach it: through a bastion, or from a control host.
            lines += [f"[{address}]:{port},{host.address},{host.name} {' '.join(key.split()[:2])}" for key in keys.splitlines()]
    fresh = KNOWN_HOSTS.with_suffix(".new")
    fresh.write_text("".join(f"{line}\n" for line in lines))
    fresh.replace(KNOWN_HOSTS)


def _create(engine: Engine, host: Host, image: str) -> None:
    # The machine's swap is not the host's: the host sees, and can touch, none.
    NO_SWAPS.write_text("Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n")
    volumes = {**host.volumes, str(NO_SWAPS): "/proc/swaps:ro"}
    engine.docker(
        "run",
        "--detach",
        *("--name", host.name, "--hostname", host.name, "--label", f"{LABEL}={CHECKOUT}"),
        *("--network", network.NAME, "--ip", host.address),
        # Not --privileged, which fails where the machine itself lacks a capability. With SYS_TIME, the first change of
        # the time zone in a host would move the clock of the whole machine.
        *("--cap-add", "ALL", "--cap-drop", "SYS_RESOURCE", "--cap-drop", "SYS_TIME"),
        *("--security-opt", "seccomp=unconfined", "--security-opt", "apparmor=unconfined"),
        # Docker inside the host sets sysctls of its interfaces, so /proc/sys must be writable.
        *("--security-opt", "systempaths=unconfined"),
        *("--cgroupns", "private", "--stop-signal", "SIGRTMIN+3", "--shm-size", "1g"),
        *("--tmpfs", "/run:exec", "--tmpfs", "/run/lock", "--tmpfs", "/tmp:exec"),
        *(part for source, target in volumes.items() for part in ("--volume", f"{source}:{target}")),
        *(part for port, inside in host.ports.items() for part in ("--publish", f"127.0.0.1:{port}:{inside}")),
        image,
        *("/bin/sh", "-c", "mount -o remount,rw /sys/fs/cgroup; exec /lib/systemd/systemd"),
    )


def _authorize(engine: Engine, host: Host) -> None:
    install = "umask 077; cat >/home/ops/.ssh/authorized_keys; chown ops:ops /home/ops/.ssh/authorized_keys"
    engine.docker("exec", "--interactive", host.name, "sh", "-c", install, stdin=KEY.with_suffix(".pub").read_text())


def _prove_ssh(host: Host) -> None:
    """Log in the way Ansible does, host key checking included."""
    address, port = host.ssh_endpoint
    options = [
        f'UserKnownHostsFile="{KNOWN_HOSTS}"',
        "StrictHostKeyChecking=yes",
        "BatchMode=yes",
        "IdentitiesOnly=yes",
    ]
    login = ["ssh", "-F", "none", "-i", str(KEY), "-p", str(port), *(p for option in options for p in ("-o", option))]
    run([*login, f"ops@{address}", "sudo", "-n", "true"])


def _make_key() -> None:
    if not KEY.exists():
        run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "gonogo-lab", "-f", str(KEY)])


def _greets(host: Host) -> bool:
    try:
        with socket.create_connection(host.ssh_endpoint, timeout=2) as connection:
            return connection.recv(4) == b"SSH-"
    except OSError:
        return False


def _evidence(engine: Engine, host: Host) -> str:
    status = engine.try_docker("exec", host.name, "systemctl", "--failed", "--plain", "--no-legend")
    logs = engine.try_docker("logs", "--tail", "15", host.name)
    return f"container: {state(engine, host)}\nfailed units: {status.stdout or status.stderr}\n{logs.stdout}{logs.stderr}"
