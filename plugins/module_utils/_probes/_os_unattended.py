# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Updates without a hand: whether unattended-upgrades installs security updates, what it leaves alone, and when it reboots."""

from __future__ import annotations

import os
import re
import typing as t

from ._base import Observation, ProbeError, output_of
from ._os_systemd import parse_properties

__all__ = ["blacklist", "every_package", "left_alone", "obstacles", "parse_apt_config", "reboot_policy", "unattended", "what_obstructs"]

Configuration = t.Mapping[str, t.Sequence[str]]
"""Options of apt.conf(5) in lower case, in which apt does not tell them apart, to their values: those of lists are several."""

# Packages with security updates that a host cannot go without; as beginnings, since their names have numbers in them.
# fmt: off
_BASE = (
    "apt", "bash", "libc6", "libssl3", "libssl3t64", "libsystemd0", "linux-generic", "linux-image-6.8.0-1-generic", "linux-image-6.12.1-amd64",
    "linux-image-amd64", "linux-image-arm64", "linux-image-generic", "openssh-server", "openssl", "sudo", "systemd",
)
# fmt: on

_PROGRAM = "/usr/bin/unattended-upgrade"
_TIMERS = ("apt-daily.timer", "apt-daily-upgrade.timer")
_ASKED = ("APT::Architecture", "APT::Periodic", "Unattended-Upgrade")


def unattended(declared: t.Sequence[str] = ()) -> Observation:
    """What keeps security updates from being installed every day, a list; empty where nothing does.

    :arg declared: entries of the blacklist that may leave out a package which no host goes without.
    """
    found = [] if os.path.exists(_PROGRAM) else ["unattended-upgrades is not installed"]
    found += obstacles(_configuration(), declared)
    for timer in _TIMERS:
        properties = parse_properties(output_of(["systemctl", "show", "-p", "ActiveState", "-p", "UnitFileState", timer]))
        found += what_obstructs(timer, properties)
    return Observation(found, "apt-config dump, %s" % ", ".join(_TIMERS))


def reboot_policy() -> Observation:
    """When unattended-upgrades reboots: "never", "always 02:00", or "idle 02:00", which is only when nobody is logged in."""
    options = _configuration()
    if not _true(_last(options, "Unattended-Upgrade::Automatic-Reboot", "false")):
        return Observation("never", "apt-config dump")
    who = "always" if _true(_last(options, "Unattended-Upgrade::Automatic-Reboot-WithUsers", "true")) else "idle"
    return Observation("%s %s" % (who, _last(options, "Unattended-Upgrade::Automatic-Reboot-Time", "now")), "apt-config dump")


def blacklist() -> Observation:
    """The regular expressions for the beginnings of names that unattended-upgrades leaves alone, a list."""
    values = _configuration().get("unattended-upgrade::package-blacklist", ())
    return Observation([value for value in values if value], "apt-config dump")


def what_obstructs(timer: str, properties: t.Mapping[str, str]) -> list[str]:
    """What `systemctl show` says against a timer."""
    active, enabled = properties.get("ActiveState"), properties.get("UnitFileState")
    return ["%s is %s and %s" % (timer, active, enabled or "not installed")] if (active, enabled) != ("active", "enabled") else []


def obstacles(options: Configuration, declared: t.Sequence[str] = ()) -> list[str]:
    """What the options say against daily security updates; an entry of the blacklist that is `declared` is one only with others that name everything."""
    found = []
    if not _number(_last(options, "APT::Periodic::Enable", "1")):
        found.append("APT::Periodic::Enable is 0")
    for name in ("Update-Package-Lists", "Unattended-Upgrade"):
        value = _last(options, "APT::Periodic::" + name, "0")
        if not _daily(value):
            found.append("APT::Periodic::%s is %s" % (name, value))
    origins = [value for name in ("allowed-origins", "origins-pattern") for value in options.get("unattended-upgrade::" + name, ())]
    if not any("security" in origin.lower() for origin in origins):
        found.append("no origin of security updates is allowed (Unattended-Upgrade::Allowed-Origins, Origins-Pattern)")
    patterns = _patterns(options)
    if every_package(patterns):
        return [*found, "Unattended-Upgrade::Package-Blacklist names every package"]
    for pattern in dict.fromkeys(patterns):
        names = left_alone(_BASE, [pattern])
        if names and pattern not in declared:
            found.append("Unattended-Upgrade::Package-Blacklist has %r, which leaves out %s and is not declared" % (pattern[:80], ", ".join(names)))
    return found


def left_alone(packages: t.Sequence[str], patterns: t.Sequence[str]) -> list[str]:
    """Those of the packages whose names begin as one of the regular expressions says; raises ProbeError for one that is none."""
    try:
        return [name for name in packages if any(re.match(pattern, name) for pattern in patterns)]
    except re.error as error:
        raise ProbeError("the packages that are left alone have what is no regular expression: %s" % error) from None


def every_package(patterns: t.Sequence[str]) -> bool:
    """Whether the regular expressions leave alone whatever a host cannot go without."""
    return len(left_alone(_BASE, patterns)) == len(_BASE)


def _patterns(options: Configuration) -> list[str]:
    found = []
    for value in options.get("unattended-upgrade::package-blacklist", ()):
        try:
            re.compile(value)
        except re.error:
            raise ProbeError("Unattended-Upgrade::Package-Blacklist has %r, which is no regular expression" % value[:80]) from None
        found += [value] if value else []
    return found


def _daily(value: str) -> bool:
    """Whether a period of apt.systemd.daily is set, and a day at most: days, or "always", or a number with a unit."""
    match = re.fullmatch(r"(\d+)([smhd]?)", value)
    if not match:
        return value == "always"
    return 0 < int(match.group(1)) * {"s": 1, "m": 60, "h": 3600}.get(match.group(2), 86400) <= 86400


def _number(value: str) -> int:
    return int(value) if value.isdigit() else 0


def _true(value: str) -> bool:
    # apt-pkg's StringToBool.
    return value.lower() in ("yes", "true", "with", "on", "enable", "1")


def _last(options: Configuration, name: str, default: str) -> str:
    values = [value for value in options.get(name.lower(), ()) if value]
    return values[-1] if values else default


def _configuration() -> dict[str, list[str]]:
    return parse_apt_config(output_of(["apt-config", "dump", *_ASKED]))


def parse_apt_config(text: str) -> dict[str, list[str]]:
    """The options of `apt-config dump`; raises ProbeError for what it cannot have said."""
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        match = re.fullmatch(r"([^\s\"]+?)(?:::)? \"(.*)\";", line)
        if not match:
            raise ProbeError("apt-config answered %r" % line[:80])
        found.setdefault(match.group(1).lower(), []).append(match.group(2))
    if "apt::architecture" not in found:
        raise ProbeError("apt-config does not say what the architecture is")
    return found
