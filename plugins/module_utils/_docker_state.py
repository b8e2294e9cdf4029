# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Docker is on a host, and what it does: all that the role needs to know, in one look that changes nothing."""

from __future__ import annotations

import glob
import json
import os
import typing as t

from ._docker_daemon import DAEMON, SNAP, DaemonError, parse_options, parse_started, unapplied
from ._openpgp import KeyFileError, fingerprints

__all__ = ["StateError", "compose_version", "look", "parse_packages", "parse_units"]

Run = t.Callable[[t.Sequence[str]], tuple[int, str, str]]
"""Runs a command without a shell, in the C locale; (exit status, standard output, standard error)."""

TIMER = "gonogo-docker-prune.timer"
MEMORY = "/var/lib/gonogo-docker-prune/unused.json"
# A package of which dpkg knows, and that it need not finish.
_WHOLE = ("installed", "not-installed", "config-files", "triggers-pending", "triggers-awaited")


class StateError(Exception):
    """The host does not tell what the role has to know; the message says what was found."""


def look(run: Run, *, packages: t.Sequence[str], key: str) -> dict[str, t.Any]:
    """The state of Docker on this host, as the module docker_state returns it.

    :arg packages: those of which is told whether they are installed.
    :arg key: path of the key file of the package source.
    """
    found, broken = parse_packages(_said(run, ["dpkg-query", "--show", "--showformat", "${Package}\t${db:Status-Status}\n"]))
    docker, timer = parse_units(_said(run, ["systemctl", "show", "-p", "Id,ActiveState,UnitFileState", "docker.service", TIMER]))
    info = _info(run) if docker["active"] else None
    return {
        "packages": sorted(set(packages) & found),
        "broken": sorted(broken),
        "snap": sorted(path for pattern in SNAP for path in glob.glob(pattern)),
        "active": docker["active"],
        "enabled": docker["enabled"],
        # A key `failed` would fail the task.
        "given_up": docker["failed"],
        "answers": info is not None,
        "version": str((info or {}).get("ServerVersion", "")),
        "compose_version": compose_version(info or {}),
        "running": int((info or {}).get("ContainersRunning") or 0),
        "live_restore": bool((info or {}).get("LiveRestoreEnabled")),
        "daemon": _text(DAEMON),
        "unapplied": _unapplied(run, info) if info else [],
        "timer": {"active": timer["active"], "enabled": timer["enabled"]},
        "pruned": os.path.exists(MEMORY),
        "fingerprints": _fingerprints(_text(key)),
    }


def _said(run: Run, command: t.Sequence[str]) -> str:
    status, out, err = run(command)
    if status:
        raise StateError("`%s` ended with status %d: %s" % (" ".join(command[:2]), status, (err or out).strip()[-200:]))
    return out


def parse_packages(text: str) -> tuple[set[str], set[str]]:
    """(installed packages, those that dpkg has not finished) of lines "name<tab>status"; raises StateError."""
    lines = [line.split("\t") for line in text.splitlines() if line]
    if not lines or any(len(line) != 2 for line in lines):
        raise StateError("dpkg-query does not say which packages are installed")
    return {name for name, status in lines if status == "installed"}, {name for name, status in lines if status not in _WHOLE}


def parse_units(text: str) -> list[dict[str, bool]]:
    """{"active", "failed", "enabled"} of each unit, in the order asked, of `systemctl show`; raises StateError."""
    found = []
    for block in text.strip().split("\n\n"):
        fields = dict(line.partition("=")[::2] for line in block.splitlines())
        if "ActiveState" not in fields:
            raise StateError("systemctl does not say what state the units are in")
        state = fields["ActiveState"]
        found.append({"active": state == "active", "failed": state == "failed", "enabled": fields.get("UnitFileState") == "enabled"})
    return found


def _info(run: Run) -> t.Optional[dict[str, t.Any]]:
    """What the engine says of itself; None where it gives no answer."""
    status, out, _err = run(["timeout", "20", "docker", "info", "--format", "json"])
    try:
        info = json.loads(out)
    except ValueError:
        return None
    return info if status == 0 and isinstance(info, dict) and info.get("ServerVersion") else None


def compose_version(info: t.Mapping[str, t.Any]) -> str:
    """Version of the Compose plugin, of what `docker info` says of its client; "0" where there is none."""
    plugins = (info.get("ClientInfo") or {}).get("Plugins") or []
    versions = [str(plugin.get("Version") or "").lstrip("v") for plugin in plugins if plugin.get("Name") == "compose"]
    return versions[0] if versions and versions[0] else "0"


def _unapplied(run: Run, info: t.Mapping[str, t.Any]) -> list[str]:
    started = parse_started(_said(run, ["systemctl", "show", "-p", "ExecMainStartTimestamp", "--timestamp=unix", "docker.service"]))
    try:
        return unapplied(parse_options(_text(DAEMON) or "{}"), info, changed_at=_changed_at(DAEMON), started_at=started)
    except DaemonError:
        # The role is about to write the file anew.
        return []


def _fingerprints(text: str) -> list[str]:
    """Fingerprints of the keys that apt trusts the package source by; of a file that cannot be read none is known."""
    try:
        return fingerprints(text)
    except KeyFileError:
        return []


def _text(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except FileNotFoundError:
        return ""


def _changed_at(path: str) -> float:
    try:
        return os.stat(path).st_ctime
    except FileNotFoundError:
        return 0.0
