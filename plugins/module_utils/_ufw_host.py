# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read a host's firewall, change it, and put it back by a timer unless a new connection proves that it lets one in."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import typing as t

from ._ufw import AFTER, DEFAULTS, FAMILIES, IPTABLES, SYSCTL, Plan, State, parse_added

__all__ = ["FirewallError", "UNIT", "Host", "Guard", "live_sysctls", "ssh_connection"]

UNIT = "gonogo-ufw-revert"
STORE = "/var/lib/gonogo/ufw"
AT_BOOT = "/etc/systemd/system/gonogo-ufw-revert-at-boot.service"

_UFW_CONF = "/etc/ufw/ufw.conf"
_PROC_SYS = "/proc/sys"

# `mv` decides the race between this timer and the confirmation: one of the two finds the mark. While nothing is sure, ssh
# comes first: the firewall is down until the rules of before are back in place, and stays down where they do not load.
_REVERT = """#!/bin/sh
# Written by gonogo.preflight: puts back the firewall that was there before a change that nobody confirmed.
cd {store} && mv armed reverted || exit 0
ufw --force disable
rm -rf /etc/ufw && cp -a before/ufw /etc/ufw && cp -a before/default /etc/default/ufw
grep -q DOCKER-USER /etc/ufw/after.rules || for program in iptables ip6tables; do $program -F DOCKER-USER; done
[ ! -e before/openings ] || sh before/openings
[ ! -e before/active ] || ufw --force enable || ufw --force disable
"""

# A boot loses the timer, and UFW then comes up with the rules that nobody confirmed.
_UNIT_AT_BOOT = """\
[Unit]
Description=Put back the firewall of before a change that nobody confirmed
ConditionPathExists={store}/armed
After=ufw.service

[Service]
Type=oneshot
ExecStart=/bin/sh {store}/revert

[Install]
WantedBy=multi-user.target
"""

Run = t.Callable[[t.Sequence[str]], t.Tuple[int, str, str]]


class FirewallError(Exception):
    """The firewall cannot be read or changed; the message says what was tried and what came back."""


def ssh_connection(pid: int) -> tuple[str, int] | None:
    """(address of the client, port of the server) of the ssh connection that process `pid` runs over, None if over none.

    sudo takes SSH_CONNECTION (ssh(1)) from its command's environment, so it is looked for in the parents of `pid` too.
    """
    while pid > 1:
        try:
            with open("/proc/%d/environ" % pid, "rb") as file:
                found = re.search(rb"(?:^|\0)SSH_CONNECTION=(\S+) \d+ \S+ (\d+)(?:\0|$)", file.read())
            with open("/proc/%d/stat" % pid, "rb") as file:
                parent = int(file.read().rpartition(b")")[2].split()[1])
        except OSError:
            return None
        if found:
            return found.group(1).decode().partition("%")[0], int(found.group(2))
        pid = parent
    return None


class Host:
    """The firewall of this host; `run` runs a command in the C locale and returns (status, output, errors)."""

    def __init__(self, run: Run) -> None:
        self._run = run

    @staticmethod
    def installed() -> bool:
        return os.path.exists(_UFW_CONF)

    def read(self, sysctls: t.Iterable[str] = ()) -> State:
        """The firewall, and the kernel settings at these paths; raises FirewallError, also where UFW is not installed."""
        if not self.installed():
            raise FirewallError("it is not installed; install it with: apt-get install ufw")
        switch = _text(_UFW_CONF)
        level = re.search(r"^LOGLEVEL=(\w+)\s*$", switch, re.MULTILINE)
        return State(
            files={path: _text(path) for path in (DEFAULTS, *AFTER.values(), SYSCTL)},
            added=parse_added(self._do("ufw", "show", "added")),
            enabled=re.search(r"^ENABLED=yes\s*$", switch, re.MULTILINE) is not None,
            live=self.live(),
            service=self._run(["systemctl", "is-enabled", "--quiet", "ufw.service"])[0] == 0,
            logging=level.group(1) if level else "",
            sysctls=live_sysctls(sysctls),
        )

    def live(self, *table: str) -> dict[int, list[str]]:
        """The kernel's rules (`iptables -S`) for each IP family that it has; those of the filter table unless `-t` names another one."""
        families = [family for family in FAMILIES if family == 4 or os.path.exists("/proc/net/if_inet6")]
        return {family: self._do(IPTABLES[family], *table, "-S").splitlines() for family in families}

    def apply(self, plan: Plan) -> None:
        for path, text in plan.files.items():
            _replace(path, text)
        for command in plan.commands:
            self._do(*command)

    def _do(self, *command: str) -> str:
        status, output, errors = self._run(command)
        if status != 0:
            raise FirewallError("`%s` ended with %d: %s" % (" ".join(command), status, (errors or output).strip()))
        return output


class Guard:
    """The timer that puts the firewall back; it outlives this process, the connection and the controller."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._mark = os.path.join(STORE, "armed")
        self._script = os.path.join(STORE, "revert")

    def pending(self) -> bool:
        """Whether a change waits for its confirmation."""
        return os.path.exists(self._mark) and self._run(["systemctl", "is-active", "--quiet", UNIT + ".timer"])[0] == 0

    def arm(self, seconds: int, *, active: bool, openings: t.Sequence[t.Sequence[str]] = ()) -> None:
        """Keep the firewall of now, which is `active` or not, and put it back in `seconds`, or at the next boot.

        While a change is pending, the firewall to go back to stays the one before that change.

        :arg openings: commands that bring back rules of the kernel which UFW does not know and the change removes.
        """
        if not self.pending():
            self._keep(active, openings)
        self._run(["systemctl", "stop", UNIT + ".timer"])
        self._run(["systemctl", "reset-failed", UNIT + ".service", UNIT + ".timer"])
        timer = ["--on-active=%d" % seconds, "--timer-property=AccuracySec=1s", "--unit=" + UNIT, "--collect"]
        status, output, errors = self._run(["systemd-run", *timer, "/bin/sh", self._script])
        if status != 0:
            raise FirewallError("nothing was changed, systemd-run cannot arm the way back: %s" % (errors or output).strip())

    def confirm(self) -> bool:
        """Keep the new firewall. False when the timer was first and the old one is back."""
        try:
            os.rename(self._mark, os.path.join(STORE, "confirmed"))
        except FileNotFoundError:
            return False
        self._run(["systemctl", "stop", UNIT + ".timer"])
        return True

    def revert(self) -> None:
        """Put the old firewall back now."""
        self._run(["/bin/sh", self._script])
        self._run(["systemctl", "stop", UNIT + ".timer"])

    def _keep(self, active: bool, openings: t.Sequence[t.Sequence[str]]) -> None:
        before = os.path.join(STORE, "before")
        shutil.rmtree(before, ignore_errors=True)
        os.makedirs(before, mode=0o700)
        os.chmod(STORE, 0o700)
        # cp, because shutil.copytree keeps no owners.
        for source, copy in (("/etc/ufw", "ufw"), (DEFAULTS, "default")):
            status, _output, errors = self._run(["cp", "-a", source, os.path.join(before, copy)])
            if status != 0:
                raise FirewallError("nothing was changed, %s cannot be kept: %s" % (source, errors.strip()))
        if active:
            _replace(os.path.join(before, "active"), "")
        if openings:
            _replace(os.path.join(before, "openings"), "".join(shlex.join(command) + "\n" for command in openings))
        _replace(self._script, _REVERT.format(store=STORE))
        unit = _UNIT_AT_BOOT.format(store=STORE)
        if _text(AT_BOOT) != unit:
            _replace(AT_BOOT, unit)
            os.chmod(AT_BOOT, 0o644)
            status, _output, errors = self._run(["systemctl", "enable", os.path.basename(AT_BOOT)])
            if status != 0:
                os.unlink(AT_BOOT)
                raise FirewallError("nothing was changed, %s cannot be enabled: %s" % (os.path.basename(AT_BOOT), errors.strip()))
        _replace(self._mark, "")


def live_sysctls(paths: t.Iterable[str]) -> dict[str, str]:
    """{path below /proc/sys: value} of the kernel settings among `paths` that this kernel has."""
    found = {path: os.path.join(_PROC_SYS, path) for path in paths}
    return {path: _text(file).strip() for path, file in found.items() if os.path.exists(file)}


def _text(path: str) -> str:
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except FileNotFoundError:
        return ""


def _replace(path: str, text: str) -> None:
    """Write `path` so that a reader finds the old text or the new one; its mode stays, 0600 for a new file."""
    fresh = path + ".gonogo"
    with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    if os.path.exists(path):
        shutil.copymode(path, fresh)
    os.replace(fresh, path)
