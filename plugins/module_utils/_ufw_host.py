# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read a host's firewall, change it, and put it back by a timer unless a new connection proves that it lets one in."""

from __future__ import annotations

import os
import re

from ._revert import Run, Way, replace
from ._ssh_login import ssh_connection
from ._ufw import AFTER, DEFAULTS, FAMILIES, Plan, State, parse_added

__all__ = ["FirewallError", "UNIT", "Host", "Guard", "ssh_connection"]

UNIT = "gonogo-ufw-revert"
STORE = "/var/lib/gonogo/ufw"

_UFW_CONF = "/etc/ufw/ufw.conf"
_IPTABLES = {4: "iptables", 6: "ip6tables"}

# While nothing is sure, ssh comes first: the firewall is down until the rules of before are back in place, and stays down
# where they do not load.
_REVERT = """ufw --force disable
rm -rf /etc/ufw && cp -a before/ufw /etc/ufw && cp -a before/default /etc/default/ufw
grep -q DOCKER-USER /etc/ufw/after.rules || for program in iptables ip6tables; do $program -F DOCKER-USER; done
[ ! -e before/active ] || ufw --force enable || ufw --force disable
"""


class FirewallError(Exception):
    """The firewall cannot be read or changed; the message says what was tried and what came back."""


class Host:
    """The firewall of this host; `run` runs a command in the C locale and returns (status, output, errors)."""

    def __init__(self, run: Run) -> None:
        self._run = run

    @staticmethod
    def installed() -> bool:
        return os.path.exists(_UFW_CONF)

    def read(self) -> State:
        """Raises FirewallError, also where UFW is not installed."""
        if not self.installed():
            raise FirewallError("it is not installed; install it with: apt-get install ufw")
        files = {path: _text(path) for path in (DEFAULTS, *AFTER.values())}
        live = {}
        for family in FAMILIES:
            if family == 4 or os.path.exists("/proc/net/if_inet6"):
                live[family] = self._do(_IPTABLES[family], "-S").splitlines()
        enabled = re.search(r"^ENABLED=yes\s*$", _text(_UFW_CONF), re.MULTILINE) is not None
        return State(files, parse_added(self._do("ufw", "show", "added")), enabled, live)

    def apply(self, plan: Plan) -> None:
        for path, text in plan.files.items():
            replace(path, text)
        for command in plan.commands:
            self._do("ufw", *command)

    def _do(self, *command: str) -> str:
        status, output, errors = self._run(command)
        if status != 0:
            raise FirewallError("`%s` ended with %d: %s" % (" ".join(command), status, (errors or output).strip()))
        return output


class Guard(Way):
    """The timer that puts the firewall back."""

    def __init__(self, run: Run) -> None:
        keeps = {"/etc/ufw": "ufw", DEFAULTS: "default"}
        super().__init__(run, unit=UNIT, store=STORE, keeps=keeps, script=_REVERT, error=FirewallError)


def _text(path: str) -> str:
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except FileNotFoundError:
        return ""
