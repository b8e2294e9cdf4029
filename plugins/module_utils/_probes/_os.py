# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Operating system: release, pending updates, time zone, time synchronisation, swap."""

from __future__ import annotations

import os
import re
import time
import typing as t

from ._base import Observation, Probe, ProbeError, output_of

__all__ = [
    "OsProbe",
    "fetched_at",
    "parse_fstab",
    "parse_installed",
    "parse_newest",
    "parse_pending",
    "parse_release",
    "parse_swaps",
    "parse_tracking",
    "zone_of",
]

_LISTS = "/var/lib/apt/lists"
_STAMP = "/var/lib/apt/periodic/update-success-stamp"
_LISTS_MAX_AGE_DAYS = 2
_CLOCK_STEP_DAYS = 0.01
_REBOOT = "/run/reboot-required"
_LOCALTIME = "/etc/localtime"

# Leap status of chronyc(1) tracking; around a leap second the clock is as synchronised as before.
# 127.127.1.1: chronyd operates in local mode (chronyc(1), tracking).
_OWN_CLOCK = "7F7F0101"
_SYNCHRONISED = ("Normal", "Insert second", "Delete second")

_SUMMARY = re.compile(
    r"^(?P<upgraded>\d+) upgraded, (?P<new>\d+) newly installed, (?:(?P<downgraded>\d+) downgraded, )?"
    r"\d+ to remove and (?P<kept>\d+) not upgraded\.$",
    re.MULTILINE,
)


class OsProbe(Probe):
    ARGUMENTS = {
        "fact": {"type": "str", "required": True, "choices": ["clock", "pending", "release", "swap", "timezone"]},
    }

    def fact_release(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        """Distribution and release as in "ubuntu 24.04"."""
        return Observation(parse_release(_read("/etc/os-release")), "/etc/os-release")

    def fact_timezone(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        """Name of the time zone, "UTC" for each of its names."""
        return Observation(zone_of(_LOCALTIME), _LOCALTIME)

    def fact_clock(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        """What chrony does with the clock: "synchronised", "own clock" (local stratum, no source), "not synchronised"."""
        leap, reference = parse_tracking(output_of(["chronyc", "-n", "-c", "tracking"], package="chrony"))
        state = "own clock" if reference == _OWN_CLOCK else "synchronised"
        evidence = "chronyc tracking: leap status %s, reference %s" % (leap, reference)
        return Observation(state if leap in _SYNCHRONISED else "not synchronised", evidence)

    def fact_swap(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        """Swap areas in use and those that the next boot would bring back, a list."""
        used = parse_swaps(_read("/proc/swaps"))
        planned = ["%s (fstab)" % area for area in parse_fstab(_read("/etc/fstab", missing=""))]
        return Observation(used + planned, "/proc/swaps and /etc/fstab")

    def fact_pending(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        """Packages that `apt full-upgrade` would install, and "reboot" when one is due, a list.

        Ubuntu's phased updates are not among them: apt itself leaves them out.
        """
        _refuse_old_lists()
        found: list[str] = []
        evidence = "apt-cache policy has nothing newer"
        if not _nothing_newer():
            found, kept_back = parse_pending(_apt("apt-get", "-s", "full-upgrade"))
            evidence = "apt-get -s full-upgrade (%d kept back)" % kept_back
        if os.path.exists(_REBOOT):
            found.append("reboot")
        return Observation(found, "%s, %s" % (evidence, _REBOOT))


def _apt(*words: str) -> str:
    # As nobody, apt reads its package cache and cannot rewrite it: a check writes nothing. Sources that nobody may
    # not read are left out with a warning.
    return output_of([*words, "-q", "-o", "Debug::NoLocking=1"], user="nobody", refuse="Unable to read")


def _nothing_newer() -> bool:
    """Whether it is certain that `full-upgrade` has nothing to do, which it takes a second itself to find out.

    It has nothing to do where no package is half installed, each is the very version that apt would choose, and none lacks
    what it depends on. That is looked up in dpkg's list alone: without package lists, apt has nothing else to read.
    """
    names = parse_installed(output_of(["dpkg-query", "-W", "-f", "${db:Status-Abbrev} ${binary:Package}\n"]))
    if not names or not parse_newest(_apt("apt-cache", "policy", *names), len(names)):
        return False
    nowhere = ["-o", "Dir::State::lists=/var/empty/", "-o", "Dir::Cache::pkgcache=", "-o", "Dir::Cache::srcpkgcache="]
    try:
        _apt("apt-get", "check", *nowhere)
    except ProbeError:
        return False
    return True


def _refuse_old_lists() -> None:
    """Lists of last month say that nothing is pending."""
    fetched = fetched_at(_LISTS, _STAMP)
    age = (time.time() - fetched) / 86400
    if not -_CLOCK_STEP_DAYS < age <= _LISTS_MAX_AGE_DAYS:
        message = "apt last fetched package lists %.1f days ago (at most %d), as far as can be seen" % (age, _LISTS_MAX_AGE_DAYS)
        raise ProbeError(message, "apt-get update")


def fetched_at(lists: str, stamp: str) -> float:
    """When apt last fetched package lists with success, seconds since the epoch; raises ProbeError when it has none.

    apt itself leaves no trace of an update that brought nothing new: the files keep the server's times, the directory
    changes when a list is replaced, and `partial` changes when an update fails too. What tells is the stamp of the hook
    APT::Update::Post-Invoke-Success (Ubuntu's update-notifier-common, and the os role); without it, the directory.
    """
    try:
        if not any(entry.name.endswith("Release") for entry in os.scandir(lists)):
            raise ProbeError("apt has no package lists", "apt-get update")
        times = [os.stat(path).st_mtime for path in (lists, stamp) if os.path.exists(path)]
    except OSError as error:
        raise ProbeError("cannot read apt's package lists: %s" % error, "apt-get update") from None
    return max(times)


def parse_release(text: str) -> str:
    """The ID and VERSION_ID of os-release(5), as in "debian 13"."""
    fields = dict(re.findall(r"^([A-Z_]+)=[\"']?([^\"'\n]*)[\"']?$", text, re.MULTILINE))
    if not fields.get("ID") or not fields.get("VERSION_ID"):
        raise ProbeError("/etc/os-release has no ID or VERSION_ID")
    return "%s %s" % (fields["ID"], fields["VERSION_ID"])


def zone_of(path: str) -> str:
    """The time zone that the link at `path` names (localtime(5)); without a link there it is UTC."""
    if not os.path.lexists(path):
        return "UTC"
    _directory, known, zone = os.path.realpath(path).rpartition("/zoneinfo/")
    if not known or not os.path.exists(path):
        raise ProbeError("%s does not lead to a zone of /usr/share/zoneinfo" % path, "timedatectl set-timezone UTC")
    return "UTC" if zone.rpartition("/")[2] in ("UTC", "UCT", "Universal", "Zulu") else zone


def parse_tracking(text: str) -> tuple[str, str]:
    """(leap status, reference) of `chronyc -c tracking`: the last and the second field (chronyc(1))."""
    fields = text.strip().split(",")
    if len(fields) < 14:
        raise ProbeError("chronyc answered %r" % text.strip()[:80])
    return fields[-1], fields[1] or fields[0]


def parse_swaps(text: str) -> list[str]:
    """The areas of /proc/swaps: all lines but the heading; raises ProbeError without one."""
    heading, *lines = text.splitlines() or [""]
    if not heading.startswith("Filename"):
        raise ProbeError("/proc/swaps has no heading")
    return [line.split()[0] for line in lines if line.strip()]


def parse_fstab(text: str) -> list[str]:
    """The swap areas of fstab(5)."""
    lines = [line.split() for line in text.splitlines() if not line.lstrip().startswith("#")]
    return [fields[0] for fields in lines if len(fields) > 2 and fields[2] == "swap"]


def parse_installed(text: str) -> list[str]:
    """The installed packages of `dpkg-query -W` with status and name; none where one is neither installed nor removed (dpkg-query(1))."""
    names = []
    for line in text.splitlines():
        state, name = line[:3], line[4:]
        if state[1:2] in ("n", "c"):
            continue
        if state[1:] != "i " or not name:
            return []
        names.append(name)
    return names


def parse_newest(text: str, packages: int) -> bool:
    """Whether `apt-cache policy` has an entry for each of that many packages, and would choose what is installed for all of them."""
    pairs = re.findall(r"^\S+:\n  Installed: (\S+)\n  Candidate: (\S+)$", text, re.MULTILINE)
    return len(pairs) == packages and all(installed == candidate for installed, candidate in pairs)


def parse_pending(text: str) -> tuple[list[str], int]:
    """(packages that `apt-get -s` would install, how many it keeps back because they are held or phased).

    Raises ProbeError when its summary is missing or counts others than it lists.
    """
    packages = re.findall(r"^Inst (\S+)", text, re.MULTILINE)
    summary = _SUMMARY.search(text)
    if not summary:
        raise ProbeError("apt-get -s ended without its summary")
    if len(packages) != int(summary["upgraded"]) + int(summary["new"]) + int(summary["downgraded"] or 0):
        raise ProbeError("apt-get -s lists %d packages, and its summary says: %s" % (len(packages), summary.group(0)))
    return packages, int(summary["kept"])


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
