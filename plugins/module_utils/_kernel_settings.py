# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Live settings of the kernel, below /proc/sys and /sys, held to what they should be."""

from __future__ import annotations

import os
import re
import typing as t
from dataclasses import dataclass

from ._probes._os_kernel import as_path, is_pattern, matching, plain

__all__ = ["Setting", "change", "differing"]

_ROOTS = {"sysctl": "/proc/sys", "sysfs": "/sys"}


@dataclass(frozen=True)
class Setting:
    """One setting that is not what it should be.

    :ivar live: its value, None where this kernel has no such setting.
    :ivar refused: why it cannot be set, or "": in a container, much of the kernel is read-only.
    """

    path: str
    live: t.Optional[str]
    value: str
    refused: str = ""


def differing(wanted: t.Mapping[str, t.Mapping[str, str]], roots: t.Optional[t.Mapping[str, str]] = None) -> list[Setting]:
    """What of `wanted` ("sysctl": names and patterns of sysctl.d(5), "sysfs": paths below /sys, to their values) differs now."""
    roots = _ROOTS if roots is None else roots
    found = []
    for kind, settings in wanted.items():
        written_out = {as_path(name) for name in settings if not is_pattern(name)}
        for name, value in settings.items():
            paths = matching(as_path(name), roots[kind]) if kind == "sysctl" else [name]
            # As in sysctl.d(5), a name that is written out goes before any pattern.
            paths = [path for path in paths if path not in written_out] if is_pattern(name) else paths
            # A pattern that nothing matches asks for nothing.
            for path in paths or ([] if is_pattern(name) else [as_path(name) if kind == "sysctl" else name]):
                setting = _seen(os.path.join(roots[kind], path), plain(str(value)))
                found += [setting] if setting.live != setting.value else []
    return found


def _seen(path: str, value: str) -> Setting:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            live = chosen(file.read())
    except FileNotFoundError:
        return Setting(path, None, value, "this kernel does not have it")
    except OSError as error:
        return Setting(path, "", value, error.strerror or str(error))
    return Setting(path, live, value, "" if os.access(path, os.W_OK) else "read-only here")


def chosen(text: str) -> str:
    """The value of a setting, its columns joined by one space; of a list of choices, the one in brackets."""
    among = re.fullmatch(r"(?:\S+ )*\[(\S+)\](?: \S+)*", text.strip())
    return among.group(1) if among else " ".join(text.split())


def change(settings: t.Sequence[Setting]) -> list[Setting]:
    """Set what can be set; returns what could not, with the reason."""
    failed = []
    for setting in settings:
        reason = setting.refused
        if not reason:
            try:
                with open(setting.path, "w", encoding="utf-8") as file:
                    file.write(setting.value + "\n")
                now = _seen(setting.path, setting.value)
                reason = "" if now.live in (setting.value, None) else "it stays %s" % now.live
            except FileNotFoundError:
                # An interface that went away meanwhile, with the container that it belonged to.
                continue
            except OSError as error:
                reason = error.strerror or str(error)
        failed += [Setting(setting.path, setting.live, setting.value, reason)] if reason else []
    return failed
