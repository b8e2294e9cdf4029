# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What systemd gives services and logins: open files, a journal, swap; and services that still run what an update replaced."""

from __future__ import annotations

import contextlib
import glob
import os
import re
import typing as t

from ._base import Observation, ProbeError, output_of, read_text

__all__ = [
    "journal",
    "journal_limit",
    "open_files",
    "outdated",
    "parse_configuration",
    "parse_deleted",
    "parse_hard_limit",
    "parse_limits",
    "parse_properties",
    "parse_size",
    "swap_units",
    "unit_of",
]

_INFINITE = 2**30
_DEFAULT_SOFT = 1024
_CAP_SYS_RESOURCE = 1 << 24
_LIMITS = ("/etc/security/limits.conf", "/etc/security/limits.d")
_PROC = "/proc"
_JOURNAL = ("/var/log/journal", "/run/log/journal")
# journald.conf(5): a tenth of the file system, and never more than this.
_LARGEST_DEFAULT = 4 * 2**30
# In the order in which they hold (systemd.unit(5)). In the last one are the swap partitions that systemd-gpt-auto-generator(8) finds by
# itself, where fstab has no swap.
_UNITS = (
    "/etc/systemd/system",
    "/run/systemd/system",
    "/run/systemd/generator",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/run/systemd/generator.late",
)
_OWN_UNITS = _UNITS[:2]

# Open files


def open_files() -> Observation:
    """How many files a service or a login may open without asking for more, a number: the least of now and after a boot, and of every login.

    Whether an account is of use, and who is in a group, is not looked at: whoever has a line of limits.conf of their own counts.
    """
    properties = parse_properties(output_of(["systemctl", "show", "-p", "DefaultLimitNOFILE", "-p", "DefaultLimitNOFILESoft"]))
    now = _number(properties.get("DefaultLimitNOFILESoft", ""), "DefaultLimitNOFILESoft")
    written = parse_configuration(_configuration("system.conf"), "Manager").get("DefaultLimitNOFILE", "")
    later = _number(written.partition(":")[0], "DefaultLimitNOFILE") if written else _DEFAULT_SOFT
    ceiling = _ceiling()
    texts = [read_text(path, missing="") for path in (_LIMITS[0], *sorted(glob.glob(os.path.join(_LIMITS[1], "*.conf"))))]
    logins, caps = parse_limits("\n".join(texts)), parse_limits("\n".join(texts), kind="hard")
    # Without a line of their own, logins have what the service they come through has; pam_limits(8) lowers either to their hard limit.
    found = {"services": now, "services after a boot": later, **{name: logins.get(name, now) for name in ("logins", "logins of root")}}
    # A line of one user or group goes before those of all; whoever has only a hard limit of their own keeps the soft one of all.
    found.update((name, logins.get(name, found["logins"])) for name in (*logins, *caps) if name not in found)
    capped = {name: caps[name] for name in caps if caps[name] < found[name]}
    found = {name: min(value, capped.get(name, value), ceiling) for name, value in found.items()}
    evidence = ["%s %d%s" % (name, value, " (hard nofile of %s or %s)" % _LIMITS if name in capped else "") for name, value in found.items()]
    return Observation(min(found.values()), ", ".join(evidence))


def _ceiling() -> int:
    """What the first process may give at most: without CAP_SYS_RESOURCE, as in a container, no more than it has itself."""
    capabilities = re.search(r"^CapEff:\s*([0-9a-f]+)$", read_text("/proc/1/status"), re.MULTILINE)
    if not capabilities:
        raise ProbeError("/proc/1/status has no CapEff")
    if int(capabilities.group(1), 16) & _CAP_SYS_RESOURCE:
        return _INFINITE
    return parse_hard_limit(read_text("/proc/1/limits"))


def parse_hard_limit(text: str) -> int:
    """The hard limit of open files in /proc/PID/limits."""
    match = re.search(r"^Max open files\s+\S+\s+(\d+|unlimited)\s", text, re.MULTILINE)
    if not match:
        raise ProbeError("/proc/PID/limits does not say how many files may be open")
    return _number(match.group(1), "Max open files")


def parse_limits(text: str, *, kind: str = "soft") -> dict[str, int]:
    """{"logins", "logins of root", "logins of deploy", "logins of @docker" ...} of limits.conf(5): the limits of open files, soft or hard, of
    everybody for whom it has any. What is for all is not for root, and a line of one user or group (or a range of them) beats it.
    """
    found = {}
    for line in text.splitlines():
        fields = line.partition("#")[0].split()
        if len(fields) == 4 and fields[1].lower() in (kind, "-") and fields[2].lower() == "nofile":
            found["logins" if fields[0] == "*" else "logins of %s" % fields[0]] = _number(fields[3], "nofile")
    return found


def _number(text: str, name: str) -> int:
    if text in ("infinity", "unlimited", "-1"):
        return _INFINITE
    if not text.isdigit():
        raise ProbeError("%s is %r" % (name, text[:80]))
    return int(text)


# Journal


def journal() -> Observation:
    """Where the journal is kept: "persistent", "volatile", or "none"; with both where the next boot changes it."""
    machine = read_text("/etc/machine-id").strip()
    # What it wrote before may lie there still: until systemd 256 a journal in /run outlives the change to a persistent one.
    opened = _opened_by_journald()
    kept, fleeting = (os.path.join(place, machine, "system.journal") in opened for place in _JOURNAL)
    # Both are open for the moment in which what was written to the one goes to the other.
    live = "persistent" if kept and not fleeting else "volatile" if fleeting else "none"
    later = parse_configuration(_configuration("journald.conf"), "Journal").get("Storage", "auto") or "auto"
    if later == "auto":
        later = "persistent" if os.path.isdir(_JOURNAL[0]) else "volatile"
    evidence = "what systemd-journald has open in %s, journald.conf" % " and ".join(_JOURNAL)
    return Observation(live if live == later else "%s now, %s after a boot" % (live, later), evidence)


def _opened_by_journald() -> set[str]:
    process = parse_properties(output_of(["systemctl", "show", "-p", "MainPID", "systemd-journald.service"])).get("MainPID", "0")
    if not process.isdigit() or process == "0":
        raise ProbeError("systemd-journald does not run", "systemctl start systemd-journald")
    directory = os.path.join(_PROC, process, "fd")
    found = set()
    try:
        for name in os.listdir(directory):
            # One that was closed meanwhile is not open.
            with contextlib.suppress(FileNotFoundError):
                found.add(os.readlink(os.path.join(directory, name)))
    except OSError as error:
        raise ProbeError("cannot see what systemd-journald has open: %s" % (error.strerror or error)) from None
    return found


def journal_limit() -> Observation:
    """Bytes that the journal may take at most; raises ProbeError where journald has not read its settings since they changed."""
    text = _configuration("journald.conf")
    began = _moment(parse_properties(output_of(["systemctl", "show", "--timestamp=unix", "-p", "ExecMainStartTimestamp", "systemd-journald.service"])))
    changed = [path for path in re.findall(r"^# (/\S+)$", text, re.MULTILINE) if os.path.isfile(path)]
    for path in dict.fromkeys([*changed, *map(os.path.dirname, changed), "/etc/systemd/journald.conf.d"]):
        # Whole seconds are all that systemd tells.
        if os.path.exists(path) and os.stat(path).st_mtime > began + 1:
            raise ProbeError("systemd-journald has run since before %s changed" % path, "systemctl restart systemd-journald")
    written = parse_configuration(text, "Journal").get("SystemMaxUse", "")
    if written:
        return Observation(parse_size(written), "SystemMaxUse of journald.conf")
    place = next(path for path in (*_JOURNAL[:1], "/var/log", "/") if os.path.isdir(path))
    size = os.statvfs(place)
    return Observation(min(size.f_frsize * size.f_blocks // 10, _LARGEST_DEFAULT), "a tenth of the file system of %s, 4 GiB at most" % place)


def _moment(properties: t.Mapping[str, str]) -> int:
    match = re.fullmatch(r"@(\d+)", properties.get("ExecMainStartTimestamp", ""))
    if not match:
        raise ProbeError("systemd does not say when systemd-journald began", "systemctl start systemd-journald")
    return int(match.group(1))


def parse_size(text: str) -> int:
    """Bytes of a size as journald.conf(5) writes it: 1G is 2^30."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([KMGTPE]?)(?:i?B)?", text.strip())
    if not match:
        raise ProbeError("journald.conf has the size %r" % text[:80])
    return int(float(match.group(1)) * 1024 ** " KMGTPE".index(match.group(2) or " "))


# Swap


def swap_units() -> list[str]:
    """Units that bring swap up at boot and are not made of fstab, by name. A swap.target that is masked brings none of its own up."""
    paths = [path for place in _UNITS for kind in ("wants", "requires") for path in glob.glob(os.path.join(place, "*." + kind, "*.swap"))]
    if _masked("swap.target"):
        paths = [path for path in paths if not os.path.basename(os.path.dirname(path)).startswith("swap.target.")]
    wanted = set(map(os.path.basename, paths))
    return sorted(name for name in wanted if not _masked(name) and "SourcePath=/etc/fstab" not in _unit_text(name))


def _masked(name: str) -> bool:
    return any(os.path.realpath(os.path.join(place, name)) == os.devnull for place in _OWN_UNITS)


def _unit_text(name: str) -> str:
    return next((read_text(os.path.join(place, name)) for place in _UNITS if os.path.isfile(os.path.join(place, name))), "")


# Services of before an update


def outdated() -> Observation:
    """Services that still run a program or library which an update has replaced, a sorted list; those in containers are not looked at."""
    try:
        own = os.readlink("/proc/1/ns/mnt")
    except OSError as error:
        raise ProbeError("cannot look at the processes of others: %s" % error.strerror) from None
    found: dict[str, set[str]] = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            if os.readlink("/proc/%s/ns/mnt" % pid) != own:
                continue
            gone = parse_deleted(read_text("/proc/%s/maps" % pid))
            unit = unit_of(read_text("/proc/%s/cgroup" % pid)) if gone else ""
        except (OSError, ProbeError):
            # It ended meanwhile.
            continue
        if unit:
            found.setdefault(unit, set()).update(gone)
    evidence = "; ".join("%s: %s" % (unit, ", ".join(sorted(gone)[:3])) for unit, gone in sorted(found.items())[:5])
    return Observation(sorted(found), evidence or "/proc/*/maps")


def parse_deleted(text: str) -> list[str]:
    """Programs and libraries in /proc/PID/maps that are no longer where they were, by name."""
    paths = re.findall(r"^\S+ ..x. \S+ \S+ \d+ +(/(?:usr|lib|opt|bin|sbin)\S*) \(deleted\)$", text, re.MULTILINE)
    return sorted({os.path.basename(path) for path in paths})


def unit_of(text: str) -> str:
    """The system service of /proc/PID/cgroup, "" for what belongs to none: a login, or the kernel."""
    match = re.search(r"^\d+:[^:]*:.*?/(?:system\.slice/(?:[^/]+\.slice/)?([^/\n]+\.service)|(init\.scope))", text, re.MULTILINE)
    return (match.group(1) or match.group(2)) if match else ""


# What systemd says


def _configuration(name: str) -> str:
    """A file of /etc/systemd with its drop-ins, in the order in which they hold (systemd-analyze(1), cat-config)."""
    return output_of(["systemd-analyze", "cat-config", "systemd/" + name])


def parse_configuration(text: str, section: str) -> dict[str, str]:
    """The settings of a section of systemd's configuration files; an empty value takes back what was set before it."""
    found: dict[str, str] = {}
    current = ""
    for line in (line.strip() for line in text.splitlines()):
        if not line or line[0] in "#;":
            continue
        heading = re.fullmatch(r"\[(\w+)\]", line)
        name, equals, value = line.partition("=")
        if heading:
            current = heading.group(1)
        elif not equals or not current:
            raise ProbeError("the configuration of systemd has the line %r" % line[:80])
        elif current == section:
            found[name.strip()] = value.strip()
    return found


def parse_properties(text: str) -> dict[str, str]:
    """{name: value} of `systemctl show`."""
    found = dict(line.partition("=")[::2] for line in text.splitlines() if "=" in line)
    if not found:
        raise ProbeError("systemctl answered %r" % text.strip()[:80])
    return found
