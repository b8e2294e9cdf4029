# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hardware: processor cores, memory, disks and the network link, from /proc and /sys."""

from __future__ import annotations

import os
import re
import typing as t

from ._base import Observation, Probe, ProbeError, output_of
from ._base import read_text as _read
from ._storage import Mount, devices_of, disks_of, encrypted, kind_of, parse_mount

__all__ = ["HardwareProbe", "parse_default_interface", "parse_default_interface6", "parse_meminfo", "parse_zfs_encryption"]

_SYS = "/sys"
_MOST_PATHS = 32
_LOWEST = 3

# RTF_REJECT of ipv6_route(5): the "default route" of a host without one.
_REJECT = 0x0200


class HardwareProbe(Probe):
    ARGUMENTS = {
        "fact": {
            "type": "str",
            "required": True,
            "choices": ["cpu_cores", "disk_bytes", "disk_free", "disk_kind", "link_mbits", "memory_bytes", "unencrypted"],
        },
        "path": {"type": "str", "default": "/"},
        "paths": {"type": "list", "elements": "str"},
    }

    def fact_cpu_cores(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        """Logical processors that are online, a number."""
        count = os.cpu_count()
        if not count:
            raise ProbeError("the kernel does not say how many processors are online")
        return Observation(count, "processors online")

    def fact_memory_bytes(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        """MemTotal in bytes; the firmware's share is missing from it, so expect it with a tolerance."""
        return Observation(parse_meminfo(_read("/proc/meminfo")), "/proc/meminfo MemTotal")

    def fact_disk_bytes(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        """Size in bytes of the file system that holds the path, of several the smallest; those that are not there count where none is."""
        paths = _paths(arguments)
        there = [path for path in paths if os.path.exists(path)]
        seen = _smallest(there or paths, lambda stat: stat.f_frsize * stat.f_blocks)
        gone = [path for path in paths if there and path not in there]
        return Observation(seen.value, seen.evidence + ("; not there: %s" % ", ".join(gone) if gone else ""))

    def fact_disk_free(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        """Bytes that whoever is not root can still write to the file system of the path, of several the fewest."""
        return _smallest(_paths(arguments), lambda stat: stat.f_frsize * stat.f_bavail)

    def fact_disk_kind(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        """What the file systems of the paths lie on: nvme, ssd, hdd, several of them ("hdd and nvme"), or a type without a device."""
        kinds, seen = set(), []
        mounts = _read("/proc/self/mountinfo")
        block = os.path.join(_SYS, "class", "block")
        for path, mount in _mounts(arguments, mounts):
            disks = [disk for name in devices_of(mount, mounts, _SYS) for disk in disks_of(name, block)]
            kinds |= {kind_of(disk, block) for disk in disks} or {mount.kind}
            seen.append("%s is on %s" % (path, ", ".join(dict.fromkeys(disks)) or "%s, which has no block device" % mount.kind))
        return Observation(" and ".join(sorted(kinds)), "; ".join(seen))

    def fact_unencrypted(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        """Those of the paths whose file system is not known to be encrypted (dm-crypt, or ZFS with encryption), a list."""
        found, seen = [], []
        mounts = _read("/proc/self/mountinfo")
        block = os.path.join(_SYS, "class", "block")
        for path, mount in _mounts(arguments, mounts):
            devices = devices_of(mount, mounts, _SYS)
            if not (_zfs_encrypts(mount.source) if mount.kind == "zfs" else bool(devices) and all(encrypted(name, block) for name in devices)):
                found.append(path)
            seen.append("%s is on %s" % (path, ", ".join(devices) or "%s (%s)" % (mount.kind, mount.source)))
        return Observation(found, "; ".join(seen))

    def fact_link_mbits(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        """Link speed in Mbit/s of the interface that holds the default route; of a bond or bridge, as the kernel adds it up."""
        try:
            interface = parse_default_interface(_read("/proc/net/route"))
        except ProbeError:
            if not os.path.exists("/proc/net/ipv6_route"):
                raise
            interface = parse_default_interface6(_read("/proc/net/ipv6_route"))
        speed, said = _speed(interface)
        if speed is None:
            remedy = "a virtual interface has none: measure the line (iperf3 to a neighbour), and waive infra.net.bandwidth with what it gave as the reason"
            raise ProbeError("%s does not report a link speed (%s)" % (interface, said), remedy)
        return Observation(speed, "link speed of %s" % said)


def _paths(arguments: t.Mapping[str, t.Any]) -> list[str]:
    paths = list(dict.fromkeys(arguments.get("paths") or [arguments.get("path") or "/"]))
    if len(paths) > _MOST_PATHS or not all(isinstance(path, str) and path.startswith("/") for path in paths):
        raise ProbeError("fact %s needs absolute paths, up to %d" % (arguments["fact"], _MOST_PATHS))
    return paths


def _mounts(arguments: t.Mapping[str, t.Any], mounts: str) -> list[tuple[str, Mount]]:
    return [(path, parse_mount(mounts, os.path.realpath(_existing(path)))) for path in _paths(arguments)]


def _smallest(asked: t.Sequence[str], figure: t.Callable[[os.statvfs_result], int]) -> Observation:
    """The least figure of the file systems of the paths, each of which is asked once, whatever the number of paths on it.

    They are not added up: what one has does not help the other, and subvolumes of one pool would count several times.
    """
    paths: dict[int, list[str]] = {}
    found: dict[int, int] = {}
    for path in asked:
        there = _existing(path)
        try:
            device = _device(there)
            if device not in found:
                found[device] = figure(os.statvfs(there))
        except OSError as error:
            raise ProbeError("cannot ask the file system of %s: %s" % (path, error.strerror)) from None
        paths.setdefault(device, []).append(path)
    least = min(found, key=lambda device: found[device])
    return Observation(found[least], "file system of %s%s" % (", ".join(paths[least]), ", of %d the least" % len(found) if len(found) > 1 else ""))


def _device(path: str) -> int:
    return os.stat(path).st_dev


def _zfs_encrypts(dataset: str) -> bool:
    return parse_zfs_encryption(output_of(["zfs", "get", "-H", "-o", "value", "encryption", dataset], package="zfsutils-linux"))


def parse_zfs_encryption(text: str) -> bool:
    """Whether the value of ZFS' property `encryption` is a cipher (zfsprops(7)); "-" is a pool without the feature."""
    value = text.strip()
    if not re.fullmatch(r"off|-|on|aes-(128|192|256)-(ccm|gcm)", value):
        raise ProbeError("zfs answered %r for the property encryption" % value[:80])
    return value not in ("off", "-")


def _speed(interface: str, depth: int = 0) -> tuple[t.Optional[int], str]:
    """(Mbit/s or None, which interface said so and what). One that reports none is as fast as the slowest below it."""
    directory = os.path.join(_SYS, "class", "net", interface)
    try:
        said = _read(os.path.join(directory, "speed")).strip()
    except ProbeError as error:
        # An interface that is down, and many virtual ones, refuse to be read.
        said = str(error)
    if said.isdigit() and int(said):
        return int(said), interface
    lower = sorted(name[len("lower_") :] for name in os.listdir(directory) if name.startswith("lower_")) if os.path.isdir(directory) else []
    speeds = [_speed(name, depth + 1) for name in lower] if depth < _LOWEST else []
    if not speeds or any(speed is None for speed, _said in speeds):
        return None, said or "empty"
    return min((speed, name) for speed, name in speeds if speed is not None)


def parse_meminfo(text: str) -> int:
    """MemTotal of /proc/meminfo in bytes (proc(5): the unit is kB)."""
    match = re.search(r"^MemTotal:\s+(\d+) kB", text, re.MULTILINE)
    if not match:
        raise ProbeError("/proc/meminfo has no MemTotal")
    return int(match.group(1)) * 1024


def parse_default_interface(text: str) -> str:
    """The interface of the default route in /proc/net/route: destination and mask are zero; the lowest metric wins."""
    rows = [line.split() for line in text.splitlines()[1:]]
    routes = [(int(row[6]), row[0]) for row in rows if len(row) > 7 and row[1] == row[7] == "00000000"]
    if not routes:
        raise ProbeError("the host has no IPv4 default route")
    return min(routes)[1]


def parse_default_interface6(text: str) -> str:
    """The same of /proc/net/ipv6_route: destination and its length are zero, and the route is none that rejects."""
    routes = []
    for row in (line.split() for line in text.splitlines()):
        if len(row) == 10 and row[0] == "0" * 32 and row[1] == "00" and not int(row[8], 16) & _REJECT:
            routes.append((int(row[5], 16), row[9]))
    if not routes:
        raise ProbeError("the host has no default route, neither of IPv4 nor of IPv6")
    return min(routes)[1]


def _existing(path: str) -> str:
    """The nearest directory of `path` that exists: Docker's directory is not there before Docker is."""
    while not os.path.exists(path):
        path = os.path.dirname(path) or "/"
    return path
