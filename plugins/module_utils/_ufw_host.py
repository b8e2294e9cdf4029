# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read a host's firewall, change it, and put it back by a timer unless a new connection proves that it lets one in."""

from __future__ import annotations

import os
import re
import shlex
import typing as t

from ._docker_networks import COMMAND, NetworksError, cut_off, parse_networks
from ._revert import Run, Way, replace
from ._ssh_login import ssh_connection
from ._ufw import AFTER, DEFAULTS, FAMILIES, IPTABLES, SYSCTL, Plan, State, parse_added

__all__ = ["FirewallError", "UNIT", "Host", "Guard", "live_sysctls", "openings", "refuse_cut_off", "ssh_connection"]

UNIT = "gonogo-ufw-revert"
STORE = "/var/lib/gonogo/ufw"

_UFW_CONF = "/etc/ufw/ufw.conf"
_PROC_SYS = "/proc/sys"

# While nothing is sure, ssh comes first: the firewall is down until the rules of before are back in place, and stays down
# where they do not load.
_REVERT = """ufw --force disable
rm -rf /etc/ufw && cp -a before/ufw /etc/ufw && cp -a before/default /etc/default/ufw
grep -q DOCKER-USER /etc/ufw/after.rules || for program in iptables ip6tables; do $program -F DOCKER-USER; done
[ ! -e before/openings ] || sh before/openings
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
            replace(path, text)
        for command in plan.commands:
            self._do(*command)

    def _do(self, *command: str) -> str:
        status, output, errors = self._run(command)
        if status != 0:
            raise FirewallError("`%s` ended with %d: %s" % (" ".join(command), status, (errors or output).strip()))
        return output


class Guard(Way):
    """The timer that puts the firewall back."""

    def __init__(self, run: Run) -> None:
        keeps = {"/etc/ufw": "ufw", DEFAULTS: "default"}
        super().__init__(run, unit=UNIT, store=STORE, keeps=keeps, script=_REVERT, after=["ufw.service"], error=FirewallError)


def openings(commands: t.Iterable[t.Sequence[str]]) -> dict[str, str]:
    """What Guard.arm notes of `commands` that bring back rules of the kernel which UFW does not know and a change removes."""
    text = "".join(shlex.join(command) + "\n" for command in commands)
    return {"openings": text} if text else {}


def refuse_cut_off(let_out: t.Sequence[str], run: Run) -> None:
    """Raise FirewallError where DOCKER-USER would drop what running containers on networks outside of `let_out` send."""
    # docker.socket starts an engine that is stopped for whoever asks it.
    if run(["systemctl", "is-active", "--quiet", "docker.service"])[0] != 0:
        return
    # A network may go between the two commands that this is.
    status, out, err = run(COMMAND)
    if status != 0:
        status, out, err = run(COMMAND)
    if status == 127:
        message = "nothing was changed: Docker runs, and without its client the networks of its containers cannot be told; apt-get install docker-cli"
        raise FirewallError(message + " (docker.io on Ubuntu)")
    try:
        if status != 0:
            raise NetworksError("`docker network inspect` ended with %d: %s" % (status, (err or out).strip()[-200:]))
        found = [(network, subnet) for network, subnet in cut_off(parse_networks(out), let_out) if network.containers]
    except NetworksError as error:
        message = "nothing was changed: Docker runs, and which networks its containers are on cannot be told; systemctl restart docker. %s"
        raise FirewallError(message % error) from None
    if found:
        message = (
            "nothing was changed: containers would lose every connection that they open, since DOCKER-USER lets out %s alone "
            "(ufw_container_networks): %s. Add these subnets to ufw_container_networks, or stop the containers until the role docker has moved "
            "Docker's networks into docker_address_pool (a network that Compose or somebody made moves when it is removed and made again)."
        )
        networks = ["network %s (%s) with %s" % (network.name, subnet, ", ".join(network.containers)) for network, subnet in found]
        raise FirewallError(message % (", ".join(let_out) or "nothing", "; ".join(networks)))


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
