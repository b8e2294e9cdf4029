# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a path lies on: its mount, the block devices of that, the disks below them, and whether they are encrypted."""

from __future__ import annotations

import os
import re
import typing as t

from ._base import ProbeError, read_text

__all__ = ["Mount", "devices_of", "disks_of", "encrypted", "kind_of", "parse_mount"]

# uuid of a device-mapper volume: <subsystem>-<type>-... of cryptsetup; CRYPT-VERITY and CRYPT-INTEGRITY do not encrypt.
_ENCRYPTING = re.compile(r"CRYPT-(LUKS1|LUKS2|PLAIN|LOOPAES|TCRYPT|BITLK|FVAULT2|SUBDEV)-")


class Mount(t.NamedTuple):
    """A mounted file system.

    :ivar source: the device, or what the type has instead of one: a dataset of ZFS, "overlay", "tmpfs".
    :ivar number: major:minor of the device; the major number is 0 where the type has none of its own.
    :ivar options: of the file system itself, joined by commas.
    """

    source: str
    kind: str
    number: str = ""
    options: str = ""


def parse_mount(text: str, path: str) -> Mount:
    """The mount that holds `path`, from /proc/self/mountinfo (proc_pid_mountinfo(5)).

    By path and not by device number, which btrfs gives each subvolume anew.
    """
    found: dict[str, Mount] = {}
    for line in text.splitlines():
        before, _dash, after = line.partition(" - ")
        fields, rest = before.split(" "), after.split(" ")
        if len(fields) < 6 or len(rest) < 2:
            raise ProbeError("/proc/self/mountinfo has the line %r" % line[:80])
        # Of two mounts on one directory the later covers the earlier.
        found[_plain(fields[4])] = Mount(_plain(rest[1]), rest[0], fields[2], _plain(rest[2]) if len(rest) > 2 else "")
    holders = [point for point in found if (path + "/").startswith(point.rstrip("/") + "/")]
    if not holders:
        raise ProbeError("no mount holds %s" % path)
    return found[max(holders, key=len)]


def _plain(text: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match.group(1), 8)), text)


def devices_of(mount: Mount, mounts: str, sys: str) -> list[str]:
    """The block devices that `mount` lies on, as /sys/class/block names them; none where its type has no device.

    :arg mounts: /proc/self/mountinfo, in which the writable layer of an overlay is looked up.
    :arg sys: the directory /sys.
    """
    if mount.kind == "overlay":
        # In a container, the layer is a path of the machine and means nothing here.
        upper = re.search(r"(?:^|,)upperdir=([^,]+)", mount.options)
        if not upper or not os.path.isdir(upper.group(1)):
            return []
        below = parse_mount(mounts, os.path.realpath(upper.group(1)))
        return devices_of(below, mounts, sys) if below.kind != "overlay" else []
    if not mount.source.startswith("/dev/"):
        return []
    # Where the device has no node (/dev/root, or in a container), its number names it.
    numbered = os.path.join(sys, "dev", "block", mount.number)
    device = os.path.realpath(mount.source)
    name = os.path.basename(device if os.path.exists(device) or not os.path.exists(numbered) else os.path.realpath(numbered))
    return _members(name, os.path.join(sys, "fs", "btrfs")) if mount.kind == "btrfs" else [name]


def _members(name: str, pools: str) -> list[str]:
    """The devices of the btrfs that `name` is one of."""
    for pool in sorted(os.listdir(pools)) if os.path.isdir(pools) else []:
        members = os.path.join(pools, pool, "devices")
        if os.path.isdir(members) and name in os.listdir(members):
            return sorted(os.listdir(members))
    return [name]


def _below(name: str, block: str) -> list[str]:
    """The devices directly below `name`: the members of a volume, the disk of a partition; none below a disk."""
    slaves = os.path.join(block, name, "slaves")
    members = sorted(os.listdir(slaves)) if os.path.isdir(slaves) else []
    if members or not os.path.exists(os.path.join(block, name, "partition")):
        return members
    # The directory of a partition lies in that of its disk.
    return [os.path.basename(os.path.dirname(os.path.realpath(os.path.join(block, name))))]


def disks_of(name: str, block: str) -> list[str]:
    """The disks below block device `name` (a partition, LVM, RAID or encrypted volume) in `block`, as in /sys/class/block."""
    below = _below(name, block)
    return list(dict.fromkeys(disk for one in below for disk in disks_of(one, block))) if below else [name]


def encrypted(name: str, block: str) -> bool:
    """Whether all that is written to block device `name` goes through dm-crypt on its way to the disks."""
    if _ENCRYPTING.match(read_text(os.path.join(block, name, "dm", "uuid"), missing="")):
        return True
    below = _below(name, block)
    return bool(below) and all(encrypted(one, block) for one in below)


def kind_of(disk: str, block: str) -> str:
    """nvme, ssd or hdd."""
    if disk.startswith("nvme"):
        return "nvme"
    return "hdd" if read_text(os.path.join(block, disk, "queue", "rotational")).strip() == "1" else "ssd"
