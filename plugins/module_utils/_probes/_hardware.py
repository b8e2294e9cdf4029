# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hardware: processor cores, memory, disks and the network link, from /proc and /sys."""

from __future__ import annotations

import os
import re
import typing as t

from ._base import Observation, Probe, ProbeError

__all__ = ["HardwareProbe", "disks_of", "kind_of", "parse_default_interface", "parse_meminfo", "parse_mount"]

_BLOCK = "/sys/class/block"


class HardwareProbe(Probe):
    ARGUMENTS = {
        "fact": {
            "type": "str",
            "required": True,
            "choices": ["cpu_cores", "disk_bytes", "disk_kind", "link_mbits", "memory_bytes"],
        },
        "path": {"type": "str", "default": "/"},
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
        """Size in bytes of the file system that holds `path`."""
        path = _existing(arguments["path"])
        size = os.statvfs(path)
        return Observation(size.f_frsize * size.f_blocks, "file system of %s" % path)

    def fact_disk_kind(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        """What the file system of `path` lies on: nvme, ssd, hdd, several of them ("hdd and nvme"), or its type without a device."""
        path = _existing(arguments["path"])
        source, kind = parse_mount(_read("/proc/self/mountinfo"), os.path.realpath(path))
        if not source.startswith("/dev/"):
            return Observation(kind, "%s is on %s, which has no block device" % (path, kind))
        disks = disks_of(os.path.basename(os.path.realpath(source)), _BLOCK)
        kinds = sorted({kind_of(disk, _BLOCK) for disk in disks})
        return Observation(" and ".join(kinds), "%s is on %s" % (path, ", ".join(disks)))

    def fact_link_mbits(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        """Link speed in Mbit/s of the interface that holds the default route."""
        interface = parse_default_interface(_read("/proc/net/route"))
        speed = _read("/sys/class/net/%s/speed" % interface).strip()
        if not speed.isdigit():
            raise ProbeError("%s does not report a link speed (%s)" % (interface, speed or "empty"))
        return Observation(int(speed), "link speed of %s" % interface)


def parse_meminfo(text: str) -> int:
    """MemTotal of /proc/meminfo in bytes (proc(5): the unit is kB)."""
    match = re.search(r"^MemTotal:\s+(\d+) kB", text, re.MULTILINE)
    if not match:
        raise ProbeError("/proc/meminfo has no MemTotal")
    return int(match.group(1)) * 1024


def parse_mount(text: str, path: str) -> tuple[str, str]:
    """(source, file system type) of the mount that holds `path`, from /proc/self/mountinfo (proc_pid_mountinfo(5)).

    By path and not by device number, which btrfs gives each subvolume anew.
    """
    found: dict[str, tuple[str, str]] = {}
    for line in text.splitlines():
        before, _dash, after = line.partition(" - ")
        fields, rest = before.split(" "), after.split(" ")
        if len(fields) < 6 or len(rest) < 2:
            raise ProbeError("/proc/self/mountinfo has the line %r" % line[:80])
        point = re.sub(r"\\([0-7]{3})", lambda match: chr(int(match.group(1), 8)), fields[4])
        # Of two mounts on one directory the later covers the earlier.
        found[point] = (rest[1], rest[0])
    holders = [point for point in found if (path + "/").startswith(point.rstrip("/") + "/")]
    if not holders:
        raise ProbeError("no mount holds %s" % path)
    return found[max(holders, key=len)]


def disks_of(name: str, block: str) -> list[str]:
    """The disks below block device `name` (a partition, LVM, RAID or encrypted volume) in `block`, as in /sys/class/block."""
    below = os.path.join(block, name, "slaves")
    slaves = sorted(os.listdir(below)) if os.path.isdir(below) else []
    if slaves:
        return list(dict.fromkeys(disk for slave in slaves for disk in disks_of(slave, block)))
    if os.path.exists(os.path.join(block, name, "partition")):
        # The directory of a partition lies in that of its disk.
        return [os.path.basename(os.path.dirname(os.path.realpath(os.path.join(block, name))))]
    return [name]


def kind_of(disk: str, block: str) -> str:
    """nvme, ssd or hdd."""
    if disk.startswith("nvme"):
        return "nvme"
    return "hdd" if _read(os.path.join(block, disk, "queue", "rotational")).strip() == "1" else "ssd"


def parse_default_interface(text: str) -> str:
    """The interface of the default route in /proc/net/route: destination and mask are zero; the lowest metric wins."""
    rows = [line.split() for line in text.splitlines()[1:]]
    routes = [(int(row[6]), row[0]) for row in rows if len(row) > 7 and row[1] == row[7] == "00000000"]
    if not routes:
        raise ProbeError("the host has no IPv4 default route")
    return min(routes)[1]


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError as error:
        raise ProbeError("cannot read %s: %s" % (path, error.strerror)) from None


def _existing(path: str) -> str:
    """The nearest directory of `path` that exists: Docker's directory is not there before Docker is."""
    while not os.path.exists(path):
        path = os.path.dirname(path) or "/"
    return path
