# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""preflight_exposure becomes the rules of one host, and a mistake in it is named."""

from __future__ import annotations

import pytest

from ansible_collections.gonogo.preflight.plugins.module_utils._exposure import (
    ExposureError,
    Rule,
    admits,
    bridge_address,
    rules_for,
    within,
)

GROUPS = {"all": ["app1", "db1"], "app": ["app1"], "db": ["db1"], "gpu": []}
ADDRESSES = {"app1": "192.0.2.11", "db1": "192.0.2.12"}
POOL = "172.28.0.0/16"


def rules(exposure, host="db1", groups=None, addresses=None):
    address_of = (ADDRESSES if addresses is None else addresses).get
    return rules_for(exposure, host=host, groups=groups or GROUPS, address_of=address_of, container_pool=POOL)


def sources(exposure, **where):
    return [rule.source for rule in rules(exposure, **where)]


def test_a_rule_has_the_defaults_of_its_entry():
    assert rules({"ssh": {"port": 22, "from": "any"}}) == [Rule("ssh", 22, "tcp", "any", "host")]


def test_ssh_comes_first():
    exposure = {"http": {"port": 80, "from": "any"}, "ssh": {"port": 22, "from": "any"}, "ntp": {"port": 123, "from": "any"}}
    assert [rule.name for rule in rules(exposure)] == ["ssh", "http", "ntp"]


def test_a_host_outside_of_the_group_has_no_rule():
    assert rules({"http": {"port": 80, "from": "any", "hosts": "app"}}) == []


def test_a_group_becomes_the_address_of_each_host():
    assert sources({"pg": {"port": 5432, "from": "app", "hosts": "db"}}) == ["192.0.2.11/32"]


def test_an_empty_group_opens_nothing():
    assert sources({"pg": {"port": 5432, "from": "gpu", "hosts": "db"}}) == []


def test_one_host_that_carries_every_group_admits_its_containers_and_its_loopback():
    groups = {"all": ["one"], "app": ["one"], "db": ["one"]}
    found = sources({"pg": {"port": 5432, "from": "app", "hosts": "db"}}, host="one", groups=groups, addresses={"one": "192.0.2.1"})
    assert found == ["192.0.2.1/32", "127.0.0.1/32", POOL]


def test_two_entries_that_say_the_same_are_one_rule():
    assert len(rules({"ssh": {"port": 22, "from": "any"}, "admin": {"port": 22, "from": "any"}})) == 1


@pytest.mark.parametrize(("source", "cidr"), [("198.51.100.7", "198.51.100.7/32"), ("2001:db8::/32", "2001:db8::/32"), ("2001:db8::1", "2001:db8::1/128")])
def test_an_address_is_a_cidr(source, cidr):
    assert sources({"ssh": {"port": 22, "from": source}}) == [cidr]


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("22", "x is '22'"),
        ({"from": "any"}, "x has no 'port'"),
        ({"port": 22}, "x has no 'from'"),
        ({"port": 0, "from": "any"}, "x has port 0"),
        ({"port": True, "from": "any"}, "x has port True"),
        ({"port": "22", "from": "any"}, "x has port '22'"),
        ({"port": 22, "from": "any", "protcol": "tcp"}, "unknown key 'protcol'"),
        ({"port": 22, "from": "any", "protocol": "icmp"}, "protocol 'icmp'; it is one of tcp, udp"),
        ({"port": 22, "from": "any", "publisher": "podman"}, "publisher 'podman'; it is one of host, docker"),
        ({"port": 22, "from": "any", "hosts": "web"}, "has hosts 'web', which is no group"),
        ({"port": 22, "from": "apps"}, "from 'apps', which is not any, a group of the inventory, or a CIDR"),
        ({"port": 22, "from": "192.0.2.1/24"}, "has host bits set"),
    ],
)
def test_a_mistake_is_named(entry, message):
    with pytest.raises(ExposureError, match="preflight_exposure: x") as error:
        rules({"x": entry})
    assert message in str(error.value)


def test_a_mistake_in_another_hosts_entry_is_named_too():
    with pytest.raises(ExposureError, match="from 'apps'"):
        rules({"http": {"port": 80, "from": "apps", "hosts": "app"}}, host="db1")


def test_a_source_without_an_address_is_named():
    with pytest.raises(ExposureError, match="host app1 of it has no preflight_address"):
        rules({"pg": {"port": 5432, "from": "app", "hosts": "db"}}, addresses={})


def test_an_exposure_that_is_no_dictionary_is_refused():
    with pytest.raises(ExposureError, match="it is a dictionary"):
        rules(["ssh"])


@pytest.mark.parametrize(
    ("source", "port", "publisher", "admitted"),
    [
        ("any", 22, "host", True),
        ("192.0.2.0/24", 22, "host", True),
        ("198.51.100.0/24", 22, "host", False),
        ("2001:db8::/32", 22, "host", False),
        ("any", 2222, "host", False),
        ("any", 22, "docker", False),
    ],
)
def test_ssh_is_admitted_by_its_port_and_its_source(source, port, publisher, admitted):
    assert admits([Rule("ssh", port, "tcp", source, publisher)], address="192.0.2.5", port=22) is admitted


def test_the_default_bridge_has_the_first_network_of_the_pool():
    assert bridge_address(POOL) == "172.28.0.1/24"


@pytest.mark.parametrize("pool", ["172.28.0.0/25", "172.28.0.1/16", "fd00::/8", "docker"])
def test_a_pool_that_cannot_hold_a_bridge_is_named(pool):
    with pytest.raises(ExposureError, match="docker_address_pool is '%s'" % pool):
        bridge_address(pool)


def test_addresses_within_a_network_are_found_and_names_are_not():
    addresses = ["172.28.3.4", "172.28.0.0/24", "192.0.2.1", "172.28.3.4", "app1.example.com", "fd00::1", None, 172]
    assert within(POOL, addresses) == ["172.28.0.0/24", "172.28.3.4"]
    assert within("no network", addresses) == []
