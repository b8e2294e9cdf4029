# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Operating system: release, updates, time zone, clock, swap; settings of the kernel, of systemd and of unattended updates."""

from __future__ import annotations

import os
import re
import time
import typing as t

from . import _os_kernel, _os_systemd, _os_unattended
from ._base import Observation, Probe, ProbeError, output_of
from ._base import read_text as _read

__all__ = [
    "OsProbe",
    "Tracking",
    "fetched_at",
    "parse_enabled",
    "parse_fstab",
    "parse_held",
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
# Debian's unit, which has the other name as an alias while it is enabled, and that of other distributions.
_CHRONY = ("chrony.service", "chronyd.service")
_LOCALTIME = "/etc/localtime"

# Leap status of chronyc(1) tracking; around a leap second the clock is as synchronised as before.
# 127.127.1.1: chronyd operates in local mode (chronyc(1), tracking).
_OWN_CLOCK = "7F7F0101"
_SYNCHRONISED = ("Normal", "Insert second", "Delete second")
# chronyd goes on saying so when no server has answered for days. By default it asks at least every 1024 s.
_STALE = 3 * 3600.0
_STALE_INTERVALS = 4

_SUMMARY = re.compile(
    r"^(?P<upgraded>\d+) upgraded, (?P<new>\d+) newly installed, (?:(?P<downgraded>\d+) downgraded, )?"
    r"\d+ to remove and (?P<kept>\d+) not upgraded\.$",
    re.MULTILINE,
)


class Tracking(t.NamedTuple):
    """What chronyd knows of the clock.

    :ivar updated: when a source last corrected it, seconds since the epoch.
    :ivar interval: seconds between the last two corrections.
    :ivar offset: seconds that the clock is off, as chronyd reckons.
    :ivar bound: seconds that it is off at most.
    """

    leap: str
    reference: str
    updated: float
    interval: float
    offset: float
    bound: float


class OsProbe(Probe):
    ARGUMENTS = {
        "fact": {
            "type": "str",
            "required": True,
            "choices": [
                "clock",
                "clock_offset",
                "journal",
                "journal_limit",
                "kernel",
                "open_files",
                "outdated",
                "pending",
                "reboot",
                "release",
                "setting",
                "settings",
                "swap",
                "thp",
                "timezone",
                "unattended",
                "unattended_blacklist",
                "unattended_reboot",
            ],
        },
        "name": {"type": "str"},
        "blacklist": {"type": "list", "elements": "str", "default": []},
        "held": {"type": "list", "elements": "str", "default": []},
    }

    def fact_release(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        """Distribution and release as in "ubuntu 24.04"."""
        return Observation(parse_release(_read("/etc/os-release")), "/etc/os-release")

    def fact_timezone(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        """Name of the time zone, "UTC" for each of its names."""
        return Observation(zone_of(_LOCALTIME), _LOCALTIME)

    def fact_clock(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        """What chrony does with the clock: "synchronised", "own clock" (local stratum, no source), "not synchronised".

        Where the next boot ends that: "synchronised, and not started at boot", and the same of its own clock.
        """
        found = _tracking()
        age = time.time() - found.updated
        state = "own clock" if found.reference == _OWN_CLOCK else "synchronised"
        if found.leap not in _SYNCHRONISED or age > max(_STALE, _STALE_INTERVALS * found.interval):
            state = "not synchronised"
        evidence = "chronyc tracking: leap status %s, reference %s, last corrected %.0f s ago" % (found.leap, found.reference, age)
        enabled = parse_enabled(output_of(["systemctl", "show", "-p", "UnitFileState", *_CHRONY]))
        if state != "not synchronised" and "enabled" not in enabled:
            state += ", and not started at boot"
        return Observation(state, "%s; %s" % (evidence, ", ".join("%s %s" % pair for pair in zip(_CHRONY, (one or "not installed" for one in enabled)))))

    def fact_clock_offset(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        """Seconds that the clock is off, by chronyd's own reckoning. Whether that is synchronised is what fact clock says."""
        found = _tracking()
        evidence = "chronyc tracking: leap status %s, reference %s, off by %.6f s at most" % (found.leap, found.reference, found.bound)
        return Observation(round(abs(found.offset), 6), evidence)

    def fact_swap(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        """Swap areas in use and those that the next boot would bring back, a list."""
        found = parse_swaps(_read("/proc/swaps"))
        found += ["%s (fstab)" % area for area in parse_fstab(_read("/etc/fstab", missing=""))]
        found += ["%s (systemd)" % unit for unit in _os_systemd.swap_units()]
        return Observation(found, "/proc/swaps, /etc/fstab and the swap units of systemd")

    def fact_pending(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        """Packages that `apt full-upgrade` would install, a list, and those that it would if nobody had held them.

        Left out is what is declared to be left to a person: names that begin as one of `blacklist` says, what has to wait for these, and
        holds on `held`. What the host's own files except counts, since whoever may write there could hide every update. Ubuntu's phased updates are not among
        them, and neither are those of a subscription that the host does not have (ESM): apt-get itself leaves them out.
        """
        _refuse_old_lists()
        if _nothing_newer():
            return Observation([], "apt-cache policy has nothing newer")
        found, kept_back = parse_pending(_apt("apt-get", "-s", "full-upgrade"))
        held = _held_back(arguments.get("held") or []) if kept_back else []
        patterns = [one for one in arguments.get("blacklist") or [] if one]
        if _os_unattended.every_package(patterns):
            said = "os_upgrade_blacklist leaves every package alone: %s" % ", ".join(patterns)[:80]
            raise ProbeError(said, "name there what a person updates, and nothing else")
        alone = _os_unattended.left_alone(list(dict.fromkeys([*found, *held])), patterns)
        alone += _waiting_for(alone, found) if set(alone) & set(found) else []
        found += [name for name in held if name not in found]
        undeclared = [name for name in held if name not in alone]
        told = "; left to the operator by os_upgrade_blacklist: %s" % ", ".join(alone) if alone else ""
        told += "; held, which is not declared: %s" % ", ".join(undeclared) if undeclared else ""
        return Observation([name for name in found if name not in alone], "apt-get -s full-upgrade (%d kept back)%s" % (kept_back, told))

    def fact_reboot(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        """Why a reboot is due, a list."""
        return _os_kernel.due_reboot()

    def fact_outdated(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        """Services that run what an update has replaced, a list."""
        return _os_systemd.outdated()

    def fact_kernel(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        """Release of the running kernel."""
        return Observation(os.uname().release, "uname -r")

    def fact_settings(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        """Settings of sysctl.d as they are now and after a boot, a list of "name=value"."""
        return _os_kernel.settings()

    def fact_setting(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        """The value of the kernel's setting `name`, now and after a boot, a text."""
        name = arguments.get("name") or ""
        if not re.fullmatch(r"[\w-]+([./][\w@:-]+)+", name):
            raise ProbeError("fact setting needs `name`, such as vm.overcommit_memory")
        return _os_kernel.setting(name)

    def fact_thp(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        """When memory is backed by transparent huge pages, now and after a boot, a text."""
        return _os_kernel.huge_pages()

    def fact_open_files(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        """How many files a service or a login may open, a number."""
        return _os_systemd.open_files()

    def fact_journal(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        """Where the journal is kept, now and after a boot, a text."""
        return _os_systemd.journal()

    def fact_journal_limit(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        """Bytes that the journal may take at most."""
        return _os_systemd.journal_limit()

    def fact_unattended(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        """What keeps security updates from being installed every day, a list."""
        return _os_unattended.unattended(arguments.get("blacklist") or [])

    def fact_unattended_reboot(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        """When unattended-upgrades reboots, a text."""
        return _os_unattended.reboot_policy()

    def fact_unattended_blacklist(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        """What unattended-upgrades leaves alone, a list."""
        return _os_unattended.blacklist()


def _tracking() -> Tracking:
    return parse_tracking(output_of(["chronyc", "-n", "-c", "tracking"], package="chrony"))


def _apt(*words: str) -> str:
    # As nobody, apt reads its package cache and cannot rewrite it: a check writes nothing. Sources that nobody may
    # not read are left out with a warning.
    return output_of([*words, "-q", "-o", "Debug::NoLocking=1"], user="nobody", refuse="Unable to read")


def _waiting_for(alone: t.Sequence[str], found: t.Sequence[str]) -> list[str]:
    """Those `found` that apt does not install either where these packages stay as they are."""
    versions = output_of(["dpkg-query", "-W", "-f", "${binary:Package}=${Version}\n", *alone], accept=(0, 1)).split()
    installed, _kept_back = parse_pending(_apt("apt-get", "-s", "full-upgrade", *versions))
    return [name for name in found if name not in alone and name not in installed]


def _held_back(declared: t.Sequence[str]) -> list[str]:
    """Packages with an update that a hold keeps back, and whose hold is not `declared`."""
    own = {_bare(name) for name in declared}
    held = [name for name in parse_held(output_of(["dpkg-query", "-W", "-f", "${db:Status-Abbrev} ${Package}\n"])) if name not in own]
    if not held:
        return []
    return [name for name in parse_pending(_apt("apt-get", "-s", "--ignore-hold", "full-upgrade"))[0] if _bare(name) in held]


def _bare(name: str) -> str:
    """The name of a package without its architecture."""
    return name.partition(":")[0]


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


def parse_tracking(text: str) -> Tracking:
    """What `chronyc -c tracking` says (chronyc(1)). The clock is off by offset + root dispersion + half of the root delay at most."""
    fields = text.strip().split(",")
    try:
        updated, offset, delay, dispersion, interval = (float(fields[place]) for place in (3, 4, 10, 11, 12))
        return Tracking(fields[13], fields[1] or fields[0], updated, interval, offset, abs(offset) + dispersion + delay / 2)
    except (IndexError, ValueError):
        raise ProbeError("chronyc answered %r" % text.strip()[:80]) from None


def parse_enabled(text: str) -> list[str]:
    """The UnitFileState of each unit of `systemctl show`, in their order: enabled, disabled, masked ..., "" for a unit that is not there."""
    found = re.findall(r"^UnitFileState=([a-z-]*)$", text, re.MULTILINE)
    if not found:
        raise ProbeError("systemctl does not say whether the unit is enabled")
    return found


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


def parse_held(text: str) -> list[str]:
    """The packages on hold of `dpkg-query -W` with status and name; raises ProbeError where it lists none at all."""
    lines = [line.split() for line in text.splitlines() if line.strip()]
    if not lines or not all(len(fields) == 2 and re.fullmatch("[uihrp][ncHUFWti]R?", fields[0]) for fields in lines):
        raise ProbeError("dpkg-query does not say which packages are on hold")
    return [name for state, name in lines if state.startswith("h")]


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
