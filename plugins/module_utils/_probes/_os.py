# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Operating system: release, pending updates, time zone, time synchronisation, swap."""

from __future__ import annotations

import os
import re
import time
import typing as t

from ._base import Observation, Probe, ProbeError, output_of

__all__ = ["OsProbe", "parse_pending", "parse_release", "parse_swaps", "parse_tracking"]

_LISTS = "/var/lib/apt/lists"
_LISTS_MAX_AGE_DAYS = 2
_REBOOT = "/run/reboot-required"


class OsProbe(Probe):
    ARGUMENTS = {
        "fact": {"type": "str", "required": True, "choices": ["pending", "release", "swap", "timezone", "time_synchronised"]},
    }

    def fact_release(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        """Distribution and release as in "ubuntu 24.04"."""
        return Observation(parse_release(_read("/etc/os-release")), "/etc/os-release")

    def fact_timezone(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        """Name of the time zone, "UTC" for each of its names."""
        target = os.path.realpath("/etc/localtime") if os.path.exists("/etc/localtime") else ""
        zone = target.rpartition("/zoneinfo/")[2]
        if not zone:
            raise ProbeError("/etc/localtime is not a zone of /usr/share/zoneinfo", "timedatectl set-timezone UTC")
        return Observation("UTC" if zone in ("Etc/UTC", "Etc/UCT", "UCT", "Etc/Zulu", "Zulu") else zone, "/etc/localtime")

    def fact_time_synchronised(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        """True while chrony follows a source, or serves its own clock as the reference of a closed network."""
        leap, reference = parse_tracking(output_of(["chronyc", "-n", "-c", "tracking"], package="chrony"))
        return Observation(leap == "Normal", "chronyc tracking: leap status %s, reference %s" % (leap, reference))

    def fact_swap(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        """Swap areas in use and those that the next boot would bring back, a list."""
        found = parse_swaps(_read("/proc/swaps"))
        for line in _read("/etc/fstab", missing="").splitlines():
            fields = line.split()
            if len(fields) > 2 and not line.lstrip().startswith("#") and fields[2] == "swap":
                found.append("%s (fstab)" % fields[0])
        return Observation(found, "/proc/swaps and /etc/fstab")

    def fact_pending(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        """Packages that `apt full-upgrade` would install, and "reboot" when one is due, a list.

        Ubuntu's phased updates are not among them: apt itself leaves them out.
        """
        self._refuse_old_lists()
        # As nobody, apt reads its package cache and cannot rewrite it: a check writes nothing.
        simulated = output_of(["apt-get", "-s", "-qq", "-o", "Debug::NoLocking=1", "full-upgrade"], user="nobody")
        found = parse_pending(simulated)
        if os.path.exists(_REBOOT):
            found.append("reboot")
        return Observation(found, "apt-get -s full-upgrade and %s" % _REBOOT)

    @staticmethod
    def _refuse_old_lists() -> None:
        """Lists of last month say that nothing is pending."""
        remedy = "apt-get update"
        try:
            times = [entry.stat().st_mtime for entry in os.scandir(_LISTS) if entry.name.endswith(("Packages", "Release"))]
            stamps = [entry.stat().st_mtime for entry in os.scandir("%s/partial" % _LISTS)]
            times.append(os.stat("%s/partial" % _LISTS).st_mtime if times else 0.0)
            times.extend(stamps)
        except OSError as error:
            raise ProbeError("cannot read apt's package lists: %s" % error, remedy) from None
        newest = max(times) if len(times) > 1 else 0.0
        if not newest:
            raise ProbeError("apt has no package lists", remedy)
        age = (time.time() - newest) / 86400
        if age > _LISTS_MAX_AGE_DAYS:
            raise ProbeError("apt's package lists are %.1f days old (at most %d)" % (age, _LISTS_MAX_AGE_DAYS), remedy)


def parse_release(text: str) -> str:
    """"debian 13" of os-release(5)."""
    fields = dict(re.findall(r'^([A-Z_]+)="?([^"\n]*)"?$', text, re.MULTILINE))
    if not fields.get("ID") or not fields.get("VERSION_ID"):
        raise ProbeError("/etc/os-release has no ID or VERSION_ID")
    return "%s %s" % (fields["ID"], fields["VERSION_ID"])


def parse_tracking(text: str) -> tuple[str, str]:
    """(leap status, reference) of `chronyc -c tracking`: the last and the second field (chronyc(1))."""
    fields = text.strip().split(",")
    if len(fields) < 14:
        raise ProbeError("chronyc answered %r" % text.strip()[:80])
    return fields[-1], fields[1] or fields[0]


def parse_swaps(text: str) -> list[str]:
    """The areas of /proc/swaps: all lines but the heading."""
    return [line.split()[0] for line in text.splitlines()[1:] if line.strip()]


def parse_pending(text: str) -> list[str]:
    """The packages of the "Inst" lines of `apt-get -s`."""
    return [line.split()[1] for line in text.splitlines() if line.startswith("Inst ")]


def _read(path: str, *, missing: t.Optional[str] = None) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except FileNotFoundError:
        if missing is not None:
            return missing
        raise ProbeError("%s does not exist" % path) from None
    except OSError as error:
        raise ProbeError("cannot read %s: %s" % (path, error.strerror)) from None
