# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What /etc/docker/daemon.json asks for, and whether the engine that runs does it. Pure: no I/O, no clock."""

from __future__ import annotations

import json
import re
import typing as t

__all__ = ["DAEMON", "SNAP", "DaemonError", "differing", "log_driver", "log_max_size", "parse_options", "parse_started", "unapplied"]

DAEMON = "/etc/docker/daemon.json"
# What the snap leaves where it is installed: its mount, its unit, its file.
SNAP = ("/snap/docker", "/etc/systemd/system/snap.docker.dockerd.service", "/var/lib/snapd/snaps/docker_*.snap")

Options = t.Mapping[str, t.Any]
Info = t.Mapping[str, t.Any]

_SIZE = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*([kmgtp]?)i?b?", re.IGNORECASE)
_FILES = ("json-file", "local")
_LOCAL_SIZE = 20 * 10**6  # of driver local: https://docs.docker.com/engine/logging/drivers/local/
_STARTED = re.compile(r"^ExecMainStartTimestamp=@([0-9]+)$", re.MULTILINE)


class DaemonError(ValueError):
    """daemon.json, or what is said of the engine, cannot be read; the message says what was found."""


def parse_options(text: str) -> dict[str, t.Any]:
    """The options of daemon.json; raises DaemonError."""
    try:
        options = json.loads(text)
    except ValueError as error:
        raise DaemonError("%s is not valid JSON: %s" % (DAEMON, error)) from None
    if not isinstance(options, dict):
        raise DaemonError("%s holds no object" % DAEMON)
    return options


def parse_started(text: str) -> t.Optional[int]:
    """When the engine's process began, of `systemctl show -p ExecMainStartTimestamp --timestamp=unix`; None: it never did."""
    found = _STARTED.search(text)
    if found:
        return int(found.group(1))
    if "ExecMainStartTimestamp=" in text:
        return None
    raise DaemonError("systemctl does not say when docker.service began")


def log_driver(options: Options) -> str:
    """The log driver of new containers, Docker's own default where none is named."""
    return str(options.get("log-driver") or "json-file")


def log_max_size(options: Options) -> t.Optional[int]:
    """Bytes at which the log file of a container is rotated; 0 for a driver that writes none, None for one that never rotates.

    Raises DaemonError for a size that Docker would not read either.
    """
    driver = log_driver(options)
    if driver not in _FILES:
        return 0
    given = str((options.get("log-opts") or {}).get("max-size", ""))
    if not given:
        return _LOCAL_SIZE if driver == "local" else None
    if given.startswith("-"):
        return None
    size = _SIZE.fullmatch(given)
    if not size:
        raise DaemonError("log-opts.max-size is %r, which is no size" % given[:80])
    # Docker reads this one in powers of 1000 (go-units, FromHumanSize).
    return int(float(size.group(1)) * 1000 ** " kmgtp".index(size.group(2).lower() or " "))


def _pools(options: Options) -> list[tuple[str, int]]:
    return sorted((str(pool.get("base")), int(pool.get("size") or 0)) for pool in options.get("default-address-pools") or [])


def _live_pools(info: Info) -> list[tuple[str, int]]:
    return sorted((str(pool.get("Base")), int(pool.get("Size") or 0)) for pool in info.get("DefaultAddressPools") or [])


def _runtimes(options: Options) -> list[str]:
    return sorted(options.get("runtimes") or {})


_COMPARED: t.Mapping[str, tuple[t.Callable[[Options], t.Any], t.Callable[[Info], t.Any]]] = {
    "live-restore": (lambda options: bool(options["live-restore"]), lambda info: bool(info.get("LiveRestoreEnabled"))),
    "log-driver": (lambda options: options["log-driver"], lambda info: info.get("LoggingDriver")),
    "default-address-pools": (_pools, _live_pools),
    "default-runtime": (lambda options: options["default-runtime"], lambda info: info.get("DefaultRuntime")),
    "storage-driver": (lambda options: options["storage-driver"], lambda info: info.get("Driver")),
    "data-root": (lambda options: options["data-root"].rstrip("/"), lambda info: str(info.get("DockerRootDir")).rstrip("/")),
    "debug": (lambda options: bool(options["debug"]), lambda info: bool(info.get("Debug"))),
}


def differing(options: Options, info: Info) -> list[str]:
    """Options of daemon.json, as far as `docker info` tells of them, that the engine does not follow: one phrase each."""
    found = []
    for name, (wanted, live) in _COMPARED.items():
        if name in options and wanted(options) != live(info):
            found.append("%s is %s in the file, %s in the engine" % (name, _said(wanted(options)), _said(live(info))))
    missing = [name for name in _runtimes(options) if name not in (info.get("Runtimes") or {})]
    if missing:
        found.append("the engine does not have the runtimes %s" % ", ".join(missing))
    return found


def _said(value: t.Any) -> str:
    return json.dumps(value)


def unapplied(options: Options, info: Info, *, changed_at: float, started_at: t.Optional[int]) -> list[str]:
    """Why the engine does not do what daemon.json says, one phrase each; none where it does.

    :arg changed_at: when the file was last changed; what `docker info` does not tell of was read if the engine began later.
    """
    found = differing(options, info)
    # Whole seconds are all that systemd tells.
    if started_at is not None and int(changed_at) > started_at:
        found.append("the file was changed after the engine began")
    return found
