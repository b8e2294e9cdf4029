# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hardware: processor cores, memory, disks and the network link, from /proc and /sys."""

from __future__ import annotations

import os
import re
import typing as t

from ._base import Observation, Probe, ProbeError

__all__ = ["HardwareProbe", "parse_default_interface", "parse_meminfo", "parse_mount"]

_PARTITION = re.compile(r"p\d+$|(?<=[a-z])\d+$")


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
        """What the file system of `path` lies on: nvme, ssd, hdd, or the file system's type where it has no device."""
        path = _existing(arguments["path"])
        source, kind = parse_mount(_read("/proc/self/mountinfo"), os.stat(path).st_dev)
        if not source.startswith("/dev/"):
            return Observation(kind, "%s is on %s, which has no block device" % (path, kind))
        name = os.path.basename(os.path.realpath(source))
        disk = _PARTITION.sub("", name)
        slaves = "/sys/class/block/%s/slaves" % name
        while os.path.isdir(slaves) and os.listdir(slaves):
            disk = _PARTITION.sub("", sorted(os.listdir(slaves))[0])
            slaves = "/sys/class/block/%s/slaves" % disk
        if disk.startswith("nvme"):
            return Observation("nvme", "%s is on %s" % (path, disk))
        rotational = _read("/sys/class/block/%s/queue/rotational" % disk).strip()
        return Observation("hdd" if rotational == "1" else "ssd", "%s is on %s" % (path, disk))

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


def parse_mount(text: str, device: int) -> tuple[str, str]:
    """(source, file system type) of the mount with this st_dev in /proc/self/mountinfo (proc(5))."""
    wanted = "%d:%d" % (os.major(device), os.minor(device))
    for line in text.splitlines():
        before, _dash, after = line.partition(" - ")
        if before.split()[2] == wanted:
            kind, source = after.split()[:2]
            return source, kind
    raise ProbeError("no mount has device %s" % wanted)


def parse_default_interface(text: str) -> str:
    """The interface of the default route in /proc/net/route: destination and mask are zero."""
    for line in text.splitlines()[1:]:
        fields = line.split()
        if len(fields) > 7 and fields[1] == "00000000" and fields[7] == "00000000":
            return fields[0]
    raise ProbeError("the host has no default route")


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
