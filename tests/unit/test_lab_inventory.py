# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""lab/ makes the hosts that inventories/lab names."""

from __future__ import annotations

import importlib
import pathlib

import pytest
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]


@pytest.fixture
def made(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "lab"))
    return importlib.import_module("hosts").HOSTS


@pytest.fixture
def inventory():
    groups = yaml.safe_load((ROOT / "inventories/lab/hosts.yml").read_text())["all"]["children"]
    hosts = {}
    for group in groups.values():
        for name, settings in group["hosts"].items():
            hosts.setdefault(name, {}).update(settings or {})
    return hosts


def test_every_host_of_the_inventory_is_made_with_its_address_and_port(made, inventory):
    assert {name: (host["preflight_address"], host["ansible_port"]) for name, host in inventory.items()} == {
        host.name: (host.address, host.ssh_port) for host in made.values() if not host.on_demand
    }


def test_no_two_hosts_share_a_port_or_an_address(made):
    ports = [port for host in made.values() for port in host.ports]
    addresses = [host.address for host in made.values()]
    assert len(set(ports)) == len(ports)
    assert len(set(addresses)) == len(addresses)
