# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The network of the lab hosts, and their way out of the machine."""

from __future__ import annotations

from pathlib import Path

import machine
from engine import Engine
from shell import run

NAME = "gonogo-lab"
SUBNET = "172.30.77.0/24"
GATEWAY = "172.30.77.1"
BRIDGE = "gonogo-lab0"

# The lab's own engine leaves the firewall alone (see engine.py); this is all that its hosts need.
RULES = (
    ("nat", "POSTROUTING", ("--source", SUBNET, "!", "--out-interface", BRIDGE, "--jump", "MASQUERADE")),
    ("filter", "FORWARD", ("--in-interface", BRIDGE, "--jump", "ACCEPT")),
    ("filter", "FORWARD", ("--out-interface", BRIDGE, "--match", "conntrack", "--ctstate", "ESTABLISHED,RELATED", "--jump", "ACCEPT")),
)


def ensure(engine: Engine) -> None:
    if engine.try_docker("network", "inspect", NAME).returncode != 0:
        options = {"com.docker.network.driver.mtu": machine.outgoing_mtu(), "com.docker.network.bridge.name": BRIDGE}
        flags = [part for key, value in options.items() for part in ("--opt", f"{key}={value}")]
        engine.docker("network", "create", "--subnet", SUBNET, "--gateway", GATEWAY, *flags, NAME)
    if engine.own:
        for table, chain, rule in RULES:
            if not _stands(table, chain, rule):
                run([*_iptables(table), "--insert", chain, *rule])


def remove(engine: Engine) -> None:
    if engine.try_docker("network", "inspect", NAME).returncode == 0:
        engine.docker("network", "rm", NAME)


def close() -> None:
    """Take away what the lab's own engine leaves on the machine once it is stopped."""
    for table, chain, rule in RULES:
        while _stands(table, chain, rule):
            run([*_iptables(table), "--delete", chain, *rule])
    if Path(f"/sys/class/net/{BRIDGE}").exists():
        run([*machine.as_root(), "ip", "link", "delete", BRIDGE])


def _stands(table: str, chain: str, rule: tuple[str, ...]) -> bool:
    return run([*_iptables(table), "--check", chain, *rule], check=False).returncode == 0


def _iptables(table: str) -> list[str]:
    return [*machine.as_root(), "iptables", "--wait", "--table", table]
