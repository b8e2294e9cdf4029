# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What UFW is told, out of captured listings of a real host."""

from __future__ import annotations

import pathlib
from dataclasses import replace

import pytest

from ansible_collections.gonogo.preflight.plugins.module_utils._exposure import Rule
from ansible_collections.gonogo.preflight.plugins.module_utils._ufw import AFTER, DEFAULTS, State, describe, parse_added, plan

CAPTURED = pathlib.Path(__file__).parent / "captured"
POOL = ["172.28.0.0/16"]
RULES = [
    Rule("ssh", 22, "tcp", "any", "host"),
    Rule("http", 80, "tcp", "any", "docker"),
    Rule("postgresql", 5432, "tcp", "192.0.2.11/32", "host"),
    Rule("postgresql", 5432, "tcp", "127.0.0.1/32", "host"),
]
DECLARED = ["allow 22/tcp", "allow 80/tcp", "allow from 192.0.2.11 to any port 5432 proto tcp"]
LIVE = {
    4: [
        "-P INPUT DROP",
        "-A INPUT -j ufw-before-input",
        "-A DOCKER-USER -m conntrack --ctstate RELATED,ESTABLISHED -j RETURN",
        "-A DOCKER-USER -s 172.28.0.0/16 -j RETURN",
        "-A DOCKER-USER -p tcp -m conntrack --ctstate DNAT --ctorigdstport 80 --ctdir ORIGINAL -j RETURN",
        "-A DOCKER-USER -j DROP",
        "-A DOCKER-USER -j RETURN",
        "-A ufw-user-input -p tcp -m tcp --dport 22 -j ACCEPT",
        "-A ufw-user-input -p tcp -m tcp --dport 80 -j ACCEPT",
        "-A ufw-user-input -s 192.0.2.11/32 -p tcp -m tcp --dport 5432 -j ACCEPT",
    ],
    6: [
        "-P INPUT DROP",
        "-A INPUT -j ufw6-before-input",
        "-A DOCKER-USER -m conntrack --ctstate RELATED,ESTABLISHED -j RETURN",
        "-A DOCKER-USER -p tcp -m conntrack --ctstate DNAT --ctorigdstport 80 --ctdir ORIGINAL -j RETURN",
        "-A DOCKER-USER -j DROP",
        "-A ufw6-user-input -p tcp -m tcp --dport 22 -j ACCEPT",
        "-A ufw6-user-input -p tcp -m tcp --dport 80 -j ACCEPT",
    ],
}
STOCK = {DEFAULTS: 'IPV6=no\nDEFAULT_INPUT_POLICY="ACCEPT"\n', AFTER[4]: "*filter\nCOMMIT\n", AFTER[6]: "*filter\nCOMMIT\n"}


def todo(state):
    return plan(state, RULES, POOL)


@pytest.fixture
def converged():
    return State({**STOCK, **todo(State(STOCK, [], False, {})).files}, DECLARED, True, LIVE)


def without(live, family, line):
    return {**live, family: [one for one in live[family] if one != line]}


def test_a_bare_host_allows_ssh_first_and_is_enabled_last():
    assert todo(State(STOCK, [], False, {})).commands == [rule.split() for rule in DECLARED] + [["--force", "enable"]]


def test_a_bare_host_gets_the_safe_defaults():
    defaults = todo(State(STOCK, [], False, {})).files[DEFAULTS]
    assert defaults == 'IPV6=yes\nDEFAULT_INPUT_POLICY="DROP"\nDEFAULT_OUTPUT_POLICY="ACCEPT"\n'


def test_a_converged_host_is_left_alone(converged):
    assert todo(converged).reasons == ()


def test_the_block_of_docker_is_replaced_and_not_repeated(converged):
    closed = plan(converged, RULES[:1], POOL).files[AFTER[4]]
    assert closed.count("BEGIN gonogo.preflight") == 1
    assert "--ctorigdstport 80" not in closed
    assert closed.startswith(STOCK[AFTER[4]])


@pytest.mark.parametrize(
    ("surplus", "deletion"),
    [
        ("allow 8080/tcp", ["--force", "delete", "allow", "8080/tcp"]),
        ("limit 2222/tcp", ["--force", "delete", "limit", "2222/tcp"]),
        ("route allow to 10.1.1.1 port 80 proto tcp", ["route", "delete", "allow", "to", "10.1.1.1", "port", "80", "proto", "tcp"]),
    ],
)
def test_what_is_not_declared_is_taken_away(converged, surplus, deletion):
    found = todo(replace(converged, added=[*DECLARED, surplus]))
    assert deletion in found.commands
    assert found.commands[-1] == ["reload"]
    assert found.reasons == ["not declared: " + surplus]
    assert found.added == DECLARED


def test_an_operator_who_blocks_an_attacker_stays_right(converged):
    assert todo(replace(converged, added=[*DECLARED, "deny from 203.0.113.5"])).reasons == ()


@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize("line", ["-P INPUT DROP", "-A DOCKER-USER -j DROP"])
def test_a_kernel_that_lost_a_rule_is_reloaded(converged, family, line):
    found = todo(replace(converged, live=without(LIVE, family, line)))
    assert found.reasons == ["the kernel's IPv%d rules are not those declared" % family]
    assert found.commands[-1] == ["reload"]


def test_a_port_that_was_opened_behind_ufw_is_found(converged):
    opened = {**LIVE, 4: [*LIVE[4], "-A ufw-user-input -p tcp -m tcp --dport 77 -j ACCEPT"]}
    assert todo(replace(converged, live=opened)).reasons == ["the kernel's IPv4 rules are not those declared"]


def test_a_published_port_admits_its_declared_source_only():
    rules = [Rule("http", 80, "tcp", "198.51.100.0/24", "docker")]
    after = plan(State(STOCK, [], False, {}), rules, POOL).files
    assert "-A DOCKER-USER -s 198.51.100.0/24 -p tcp -m conntrack --ctstate DNAT --ctorigdstport 80" in after[AFTER[4]]
    assert "--ctorigdstport" not in after[AFTER[6]]


def test_the_rules_of_ufw_are_read_without_comments():
    rules = parse_added((CAPTURED / "ufw-0.36.2-debian13-show-added.txt").read_text())
    assert rules[0] == "allow 22/tcp"
    assert "allow 80/tcp" in rules
    assert "route allow to 10.1.1.1 port 80 proto tcp" in rules


def test_a_firewall_without_rules_has_none():
    assert parse_added((CAPTURED / "ufw-0.36.2-debian13-show-added-none.txt").read_text()) == []


def test_the_description_shows_rules_and_defaults(converged):
    text = describe(converged.added, converged.files, True)
    assert 'DEFAULT_INPUT_POLICY="DROP"\n' in text
    assert "ufw enabled\nufw allow 22/tcp\n" in text
    assert "-A DOCKER-USER -j DROP" in text
