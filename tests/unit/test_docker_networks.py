# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Networks of containers that the firewall would cut off: found before it is changed, and named with their mend."""

from __future__ import annotations

import json

import pytest

from ansible_collections.gonogo.preflight.plugins.module_utils._docker_networks import COMMAND, Network, NetworksError, cut_off, parse_networks
from ansible_collections.gonogo.preflight.plugins.module_utils._ufw_host import FirewallError, refuse_cut_off

POOL = ["172.28.0.0/16"]


def network(name, *subnets, containers=()):
    """As `docker network inspect` has one."""
    config = [{"Subnet": subnet, "Gateway": "192.0.2.1"} for subnet in subnets]
    return {"Name": name, "IPAM": {"Config": config}, "Containers": {"id-" + one: {"Name": one} for one in containers}}


def test_networks():
    text = json.dumps([network("shop", "10.99.0.0/24", "fd00:99::/64", containers=["web", "api"]), {"Name": "a", "IPAM": {"Config": None}, "Containers": None}])
    assert parse_networks(text) == [Network("a", (), ()), Network("shop", ("10.99.0.0/24", "fd00:99::/64"), ("api", "web"))]


def test_an_engine_without_a_bridge_has_none():
    assert parse_networks("\n") == []


@pytest.mark.parametrize("text", ["{}x", "[1]", "[{}]", "null", '[{"Name": "a", "IPAM": {"Config": [{"Subnet": "x"}]}, "Containers": {}}]'])
def test_what_describes_no_networks_is_an_error(text):
    with pytest.raises(NetworksError, match="docker network inspect answered"):
        parse_networks(text)


@pytest.mark.parametrize(
    ("subnet", "let_out", "cut"),
    [
        ("172.28.3.0/24", POOL, False),
        ("172.28.0.0/16", POOL, False),
        ("172.28.0.0/15", POOL, True),
        ("172.17.0.0/16", POOL, True),
        ("172.17.0.0/16", [*POOL, "172.16.0.0/12"], False),
        ("fd00:99::/64", POOL, True),
        ("fd00:99::/64", [*POOL, "fd00::/8"], False),
        ("172.17.0.0/16", [], True),
    ],
)
def test_what_is_not_let_out(subnet, let_out, cut):
    one = Network("shop", (subnet,), ())
    assert cut_off([one], let_out) == ([(one, subnet)] if cut else [])


class Machine:
    """An engine with these networks; remembers what was asked."""

    def __init__(self, *answers, active=True):
        self.answers, self.active, self.asked = list(answers), active, []

    def __call__(self, command):
        self.asked.append(command)
        if command[0] == "systemctl":
            return (0 if self.active else 3), "", ""
        return self.answers.pop(0)


def refused(machine):
    with pytest.raises(FirewallError) as raised:
        refuse_cut_off(POOL, machine)
    return str(raised.value)


def test_containers_that_would_lose_their_connections_are_named_with_network_and_variable():
    text = json.dumps([network("bridge", "172.17.0.0/16", containers=["old"]), network("shop", "10.99.0.0/24", containers=["api", "web"])])
    said = refused(Machine((0, text, "")))
    assert said.startswith("nothing was changed")
    assert "network bridge (172.17.0.0/16) with old; network shop (10.99.0.0/24) with api, web. Add these subnets to ufw_container_networks" in said
    assert "172.28.0.0/16 alone" in said


@pytest.mark.parametrize("one", [network("shop", "10.99.0.0/24"), network("shop", "172.28.4.0/24", containers=["web"])], ids=["no containers", "let out"])
def test_a_network_that_loses_nothing_is_no_reason(one):
    refuse_cut_off(POOL, Machine((0, json.dumps([one]), "")))


def test_a_stopped_engine_is_not_asked_since_that_would_start_it():
    machine = Machine(active=False)
    refuse_cut_off(POOL, machine)
    assert COMMAND not in machine.asked


def test_a_network_that_goes_between_the_two_commands_is_asked_about_again():
    refuse_cut_off(POOL, Machine((1, "[]", "No such network: abc"), (0, "[]", "")))


@pytest.mark.parametrize("answer", [(124, "", ""), (1, "", "Cannot connect"), (0, "[{}]", "")])
def test_an_engine_that_does_not_answer_keeps_the_firewall_as_it_is(answer):
    said = refused(Machine(answer, answer))
    assert "nothing was changed" in said and "systemctl restart docker" in said


def test_an_engine_without_a_client_is_told_by_the_package_that_lacks():
    answer = (127, "", "sh: 1: docker: not found")
    assert "apt-get install docker-cli" in refused(Machine(answer, answer))
