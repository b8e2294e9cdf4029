# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings of the kernel: sysctl and transparent huge pages, as they are now and as the next boot makes them; a reboot that is due."""

from __future__ import annotations

import fnmatch
import glob
import os
import re
import typing as t

from ._base import Observation, ProbeError, finished, output_of, read_text

__all__ = [
    "as_path",
    "due_reboot",
    "huge_pages",
    "is_pattern",
    "matches",
    "matching",
    "newer_kernel",
    "parse_boot_huge_pages",
    "parse_huge_pages",
    "parse_kernels",
    "parse_sysctl",
    "parse_tmpfiles",
    "planned",
    "running_package",
    "setting",
    "settings",
]

Rules = t.Sequence[tuple[str, t.Optional[str]]]
"""Assignments of sysctl.d in the order in which they hold: (path below /proc/sys, or a pattern of such; None leaves it out of patterns)."""

_SYS = "/proc/sys"
_SYSCTL = "/usr/lib/systemd/systemd-sysctl"
_UFW = ("/etc/ufw/ufw.conf", "/etc/default/ufw", "/etc/ufw/sysctl.conf")
_HUGE_PAGES = "/sys/kernel/mm/transparent_hugepage/enabled"
_REBOOT = "/run/reboot-required"
# Ubuntu's crash reports: at every boot outside of containers, apport.service sets this (apport --start), after systemd-sysctl and whatever
# sysctl.d says.
_APPORT = ("fs/suid_dumpable", "2")
_APPORT_WANTED, _APPORT_MASK = "/etc/systemd/system/*.wants/apport.service", "/etc/systemd/system/apport.service"
_CONTAINER = "/run/systemd/container"


def settings() -> Observation:
    """Every setting of sysctl.d, a list: "name=value" where it is so now and after a boot; what differs says how."""
    rules = _rules()
    names = dict.fromkeys(name for name, value in rules if value is not None)
    found = [one for name in names for one in _stated(name, rules)]
    evidence = "%d settings of sysctl.d, in /proc/sys and in their files" % len(names)
    if _apport():
        evidence += "; apport.service, which is enabled, sets %s=%s at every boot" % (_dotted(_APPORT[0]), _APPORT[1])
    return Observation(sorted(set(found)), evidence)


def setting(name: str) -> Observation:
    """The value of one setting, a text; with both values where the next boot changes it, or is not known to keep it."""
    path = as_path(name)
    live, later = _live(path), planned(path, _rules())
    source = "%s/%s and sysctl.d" % (_SYS, path) + (", apport.service" if path == _APPORT[0] and _apport() else "")
    if live is None:
        raise ProbeError("this kernel has no setting %s" % name)
    if later is None:
        return Observation("%s now, and no file keeps it" % live, source)
    return Observation(live if live == later else "%s now, %s after a boot" % (live, later), source)


def _stated(name: str, rules: Rules) -> list[str]:
    """What is said of one name of sysctl.d."""
    paths = matching(name, _SYS)
    if not paths and is_pattern(name) and name.startswith("net/") and not os.path.isdir(os.path.join(_SYS, *name.split("/")[:2])):
        # Without IPv6, nothing is left open that its settings would close.
        return ["%s=%s" % (_dotted(name), [value for one, value in rules if one == name and value is not None][-1])]
    if not paths:
        return [] if is_pattern(name) else ["%s (not in this kernel)" % _dotted(name)]
    values = {path: (_live(path), planned(path, rules)) for path in paths}
    if is_pattern(name):
        # Interfaces come and go with containers.
        values = {path: value for path, value in values.items() if value[0] is not None}
    unlike = {path: value for path, value in values.items() if value[0] != value[1]}
    if unlike:
        return ["%s=%s (%s)" % (_dotted(path), live, "kept by no file" if later is None else later + " after a boot") for path, (live, later) in unlike.items()]
    lives = {live for live, _later in values.values()}
    if len(lives) == 1:
        return ["%s=%s" % (_dotted(name), *lives)]
    # Where one that the pattern names has another value, even on purpose, there is no value of the pattern.
    return ["%s=%s" % (_dotted(path), live) for path, (live, _later) in values.items()]


def matching(path: str, root: str) -> list[str]:
    """Paths below `root` that a path or a pattern names, those that are there."""
    if not is_pattern(path):
        return [path] if os.path.exists(os.path.join(root, path)) else []
    return sorted(os.path.relpath(one, root) for one in glob.glob(os.path.join(glob.escape(root), path)))


def _live(path: str) -> t.Optional[str]:
    """The value in /proc/sys, its columns joined by one space; None where the kernel has no such setting."""
    try:
        with open(os.path.join(_SYS, path), encoding="utf-8", errors="replace") as file:
            return " ".join(file.read().split())
    except FileNotFoundError:
        return None
    except OSError as error:
        # Some may only be written, such as those that flush a cache.
        raise ProbeError("cannot read %s/%s: %s" % (_SYS, path, error.strerror)) from None


def _rules() -> list[tuple[str, t.Optional[str]]]:
    """Those of sysctl.d (sysctl.d(5)), and after them those of UFW and of apport, which set their own when they start."""
    found = parse_sysctl(output_of([_SYSCTL, "--cat-config"]))
    switch, defaults, own = _UFW
    if re.search(r"^ENABLED=[\"']?yes", read_text(switch, missing=""), re.MULTILINE):
        named = re.search(r"^IPT_SYSCTL=[\"']?([^\"'\n]*)", read_text(defaults, missing=""), re.MULTILINE)
        found += parse_sysctl(read_text(named.group(1) if named else own, missing=""))
    return [*found, _APPORT] if _apport() else found


def _apport() -> bool:
    """Whether the next boot starts apport.service; what a removed package leaves behind starts nothing."""
    wanted = any(os.path.exists(path) for path in glob.glob(_APPORT_WANTED))
    return wanted and os.path.realpath(_APPORT_MASK) != os.devnull and not os.path.exists(_CONTAINER)


def parse_sysctl(text: str) -> list[tuple[str, t.Optional[str]]]:
    """The assignments of sysctl.d(5), as a path below /proc/sys each; raises ProbeError for a line that is none."""
    found: list[tuple[str, t.Optional[str]]] = []
    for line in (line.strip() for line in text.splitlines()):
        if not line or line[0] in "#;":
            continue
        name, equals, value = line.partition("=")
        # "-" before an assignment: an error is let pass; before a name alone: patterns leave it out.
        bare = name.strip().lstrip("-").strip()
        if not re.fullmatch(r"[\w./*?\[\]:@+-]+", bare) or not (equals or line.startswith("-")):
            raise ProbeError("sysctl.d has the line %r" % line[:80])
        found.append((as_path(bare), plain(value) if equals else None))
    return found


def plain(value: str) -> str:
    """A value as the kernel tells it: Debian's kernel.sysrq is 0x01b6, which is told as 438."""
    return str(int(value, 16)) if re.fullmatch(r"\s*0[xX][0-9a-fA-F]+\s*", value) else " ".join(value.split())


def as_path(name: str) -> str:
    """The path below /proc/sys of a name of sysctl.d(5): its first separator, a dot or a slash, is the one that separates."""
    first = re.search(r"[./]", name)
    return name.translate({ord("."): "/", ord("/"): "."}) if first and first.group() == "." else name


def _dotted(path: str) -> str:
    return path.translate({ord("."): "/", ord("/"): "."})


def is_pattern(name: str) -> bool:
    return any(letter in name for letter in "*?[")


def planned(path: str, rules: Rules) -> t.Optional[str]:
    """What a boot sets; None where nothing does. A name that is written out goes before any pattern, whatever their order.

    Of two lines for one name or pattern the later one counts; one that says the same again stays where it was first (systemd-sysctl).
    """
    options: dict[str, t.Optional[str]] = {}
    for name, value in rules:
        if name not in options or options[name] != value:
            options.pop(name, None)
            options[name] = value
    if path in options:
        return options[path]
    return next((value for name, value in reversed(list(options.items())) if value is not None and matches(path, name)), None)


def matches(path: str, pattern: str) -> bool:
    """Whether a pattern of sysctl.d(5), whose stars stop at separators, names the path."""
    parts, own = path.split("/"), pattern.split("/")
    return len(parts) == len(own) and all(map(fnmatch.fnmatchcase, parts, own))


def huge_pages() -> Observation:
    """When the kernel backs memory by huge pages (always, madvise, never), a text; with both values where the next boot changes it."""
    if not os.path.exists(os.path.dirname(_HUGE_PAGES)):
        if not os.path.isdir("/sys/kernel/mm"):
            raise ProbeError("/sys/kernel/mm is not there")
        return Observation("never", "this kernel has no transparent huge pages")
    live = parse_huge_pages(read_text(_HUGE_PAGES))
    later, source = _huge_pages_at_boot()
    if later is None:
        return Observation("%s now, and nothing is known to keep it" % live, "%s, tmpfiles.d" % _HUGE_PAGES)
    return Observation(live if live == later else "%s now, %s after a boot" % (live, later), "%s, %s" % (_HUGE_PAGES, source))


def _huge_pages_at_boot() -> tuple[t.Optional[str], str]:
    """(what the next boot sets, or None where that cannot be seen; where it says so)."""
    value = parse_tmpfiles(output_of(["systemd-tmpfiles", "--cat-config"]), _HUGE_PAGES)
    if value:
        return value, "tmpfiles.d"
    release = os.uname().release
    configuration = "/boot/config-%s" % release
    return parse_boot_huge_pages(read_text("/proc/cmdline"), read_text(configuration, missing="")), "/proc/cmdline, %s" % configuration


def parse_huge_pages(text: str) -> str:
    """The value in brackets of "always [madvise] never"."""
    match = re.search(r"\[(always|madvise|never)\]", text)
    if not match:
        raise ProbeError("%s has %r" % (_HUGE_PAGES, text.strip()[:80]))
    return match.group(1)


def parse_tmpfiles(text: str, path: str) -> t.Optional[str]:
    """What tmpfiles.d(5) writes to `path`; of several lines the first, None without one."""
    for line in text.splitlines():
        fields = line.split(None, 6)
        if len(fields) == 7 and re.fullmatch(r"w[-!+=~^$]*", fields[0]) and fields[1].strip("\"'") == path:
            return fields[6].strip().strip("\"'")
    return None


def parse_boot_huge_pages(command_line: str, configuration: str) -> t.Optional[str]:
    """What the kernel begins with, by its command line, or else as it was built; None where neither says."""
    asked = re.findall(r"(?:^|\s)transparent_hugepage=(always|madvise|never)(?=\s|$)", command_line)
    built = re.search(r"^CONFIG_TRANSPARENT_HUGEPAGE_(ALWAYS|MADVISE|NEVER)=y$", configuration, re.MULTILINE)
    return asked[-1] if asked else built.group(1).lower() if built else None


def due_reboot() -> Observation:
    """Why the host should be rebooted, a list: packages said so, or a newer kernel is installed than the one that runs."""
    found = []
    if os.path.exists(_REBOOT):
        packages = sorted(set(read_text(_REBOOT + ".pkgs", missing="").split()))
        found.append("%s%s" % (_REBOOT, " (%s)" % ", ".join(packages) if packages else ""))
    release = os.uname().release
    status, out, err = finished(["dpkg-query", "-W", "-f", "${db:Status-Abbrev} ${Package} ${Version}\\n", "linux-image-*"])
    if status not in (0, 1) or (status == 1 and "no packages found" not in err):
        raise ProbeError("`dpkg-query -W` ended with status %d" % status)
    kernels = parse_kernels(out)
    package = running_package(read_text("/proc/version_signature", missing="") or read_text("/proc/version"))
    newer = newer_kernel(release, package, kernels)
    if newer:
        found.append("kernel %s runs, %s is installed" % (package or release, newer))
    seen = "%d kernels installed, %s runs" % (len(kernels), release) if kernels else "no kernel is installed by a package, %s runs" % release
    return Observation(found, "%s, %s" % (_REBOOT, seen))


def parse_kernels(text: str) -> dict[str, str]:
    """{release: version of its package} of the installed kernels, from `dpkg-query -W` with status, name and version."""
    found = {}
    for line in text.splitlines():
        state, fields = line[:3], line[3:].split()
        if not fields or not fields[0].startswith("linux-image-"):
            raise ProbeError("dpkg-query has the line %r" % line[:80])
        release = re.fullmatch(r"linux-image-(?:unsigned-)?(\d\S*?)(?:-unsigned)?", fields[0])
        if state[1:2] == "i" and release and len(fields) == 2 and not re.search(r"-dbg(sym)?$", fields[0]):
            found[release.group(1)] = fields[1]
    return found


def running_package(text: str) -> str:
    """Version of the package that the running kernel is of, by /proc/version_signature (Ubuntu) or /proc/version (Debian); "" for others."""
    match = re.match(r"Ubuntu (\S+?)-[a-z][\w-]* ", text) or re.search(r" Debian (\d\S*) \(", text)
    return match.group(1) if match else ""


_RELEASE = re.compile(r"(\d[\d.]*(?:[+~]\w+)*(?:-\d+)?)-([A-Za-z].*)")


def newer_kernel(release: str, package: str, kernels: t.Mapping[str, str]) -> str:
    """What a reboot would start instead of the kernel `release`: the newest of its flavour, or another package of the same release.

    "" where that is what runs already, or no kernel of the flavour is installed: in a container, the kernel is the machine's.
    """
    running = _RELEASE.fullmatch(release)
    if not running:
        return ""
    same = [one for one in map(_RELEASE.fullmatch, kernels) if one and one.group(2) == running.group(2)]
    newest = max(same, key=lambda one: _numbers(one.group(1)), default=None)
    if newest is None:
        return ""
    if _numbers(newest.group(1)) > _numbers(running.group(1)):
        return newest.group(0)
    installed = kernels.get(release, "")
    return installed if package and installed and installed != package else ""


def _numbers(text: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", text)]
