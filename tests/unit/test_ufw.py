# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What UFW is told, out of captured listings of a real host."""

from __future__ import annotations

import pathlib
from dataclasses import replace

import pytest

from ansible_collections.gonogo.preflight.plugins.module_utils._exposure import Rule
from ansible_collections.gonogo.preflight.plugins.module_utils._ufw import (
    AFTER,
    DEFAULTS,
    SYSCTL,
    State,
    SysctlError,
    Wanted,
    bypasses,
    describe,
    logged,
    parse_added,
    plan,
    reached,
    sysctl_file,
    sysctl_path,
)

CAPTURED = pathlib.Path(__file__).parent / "captured"
POOL = ["172.28.0.0/16"]
RULES = [
    Rule("ssh", 22, "tcp", "any", "host"),
    Rule("http", 80, "tcp", "any", "docker"),
    Rule("postgresql", 5432, "tcp", "192.0.2.11/32", "host"),
    Rule("postgresql", 5432, "tcp", "127.0.0.1/32", "host"),
]
DECLARED = ["allow 22/tcp", "allow 80/tcp", "allow from 192.0.2.11 to any port 5432 proto tcp"]


def calls(prefix):
    chains = ("before-logging", "before", "after", "after-logging", "reject", "track")
    return ["-A %s -j %s-%s-%s" % (builtin, prefix, chain, builtin.lower()) for builtin in ("INPUT", "FORWARD", "OUTPUT") for chain in chains]


LIVE = {
    4: [
        "-P INPUT DROP",
        "-P FORWARD DROP",
        "-N ufw-before-logging-input",
        "-N ufw-user-input",
        *calls("ufw"),
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
        "-P FORWARD DROP",
        "-N ufw6-user-input",
        *calls("ufw6"),
        "-A DOCKER-USER -m conntrack --ctstate RELATED,ESTABLISHED -j RETURN",
        "-A DOCKER-USER -p tcp -m conntrack --ctstate DNAT --ctorigdstport 80 --ctdir ORIGINAL -j RETURN",
        "-A DOCKER-USER -j DROP",
        "-A ufw6-user-input -p tcp -m tcp --dport 22 -j ACCEPT",
        "-A ufw6-user-input -p tcp -m tcp --dport 80 -j ACCEPT",
    ],
}
STOCK = {DEFAULTS: 'IPV6=no\nDEFAULT_INPUT_POLICY="ACCEPT"\n', AFTER[4]: "*filter\nCOMMIT\n", AFTER[6]: "*filter\nCOMMIT\n"}


WANTED = Wanted(RULES, POOL)


def todo(state, wanted=WANTED):
    return plan(state, wanted)


@pytest.fixture
def converged():
    return State({**STOCK, **todo(State(STOCK, [], False, {})).files}, DECLARED, True, LIVE)


def without(live, family, line):
    return {**live, family: [one for one in live[family] if one != line]}


def test_a_bare_host_allows_ssh_first_and_is_enabled_last():
    assert todo(State(STOCK, [], False, {})).commands == [["ufw", *rule.split()] for rule in DECLARED] + [["ufw", "--force", "enable"]]


def test_a_bare_host_gets_the_safe_defaults():
    defaults = todo(State(STOCK, [], False, {})).files[DEFAULTS]
    assert defaults == (
        'IPV6=yes\nDEFAULT_INPUT_POLICY="DROP"\nDEFAULT_OUTPUT_POLICY="ACCEPT"\nDEFAULT_FORWARD_POLICY="DROP"\n'
        "MANAGE_BUILTINS=no\nIPT_SYSCTL=/etc/ufw/sysctl.conf\n"
    )


def test_a_converged_host_is_left_alone(converged):
    assert todo(converged).reasons == ()


def test_the_block_of_docker_is_replaced_and_not_repeated(converged):
    closed = todo(converged, Wanted(RULES[:1], POOL)).files[AFTER[4]]
    assert closed.count("BEGIN gonogo.preflight") == 1
    assert "--ctorigdstport 80" not in closed
    assert closed.startswith(STOCK[AFTER[4]])


@pytest.mark.parametrize(
    ("surplus", "deletion", "port"),
    [
        ("allow 8080/tcp", ["--force", "delete", "allow", "8080/tcp"], "8080/tcp"),
        ("allow 25", ["--force", "delete", "allow", "25"], "25"),
        ("limit 2222/tcp", ["--force", "delete", "limit", "2222/tcp"], "2222/tcp"),
        ("allow 'Nginx Full'", ["--force", "delete", "allow", "Nginx Full"], "any port"),
        ("allow from 2001:db8::1", ["--force", "delete", "allow", "from", "2001:db8::1"], "any port"),
        ("allow from 2001:db8::1 port 53", ["--force", "delete", "allow", "from", "2001:db8::1", "port", "53"], "any port"),
        ("route allow to 10.1.1.1 port 80 proto tcp", ["route", "delete", "allow", "to", "10.1.1.1", "port", "80", "proto", "tcp"], "80/tcp"),
    ],
)
def test_what_is_not_declared_is_taken_away(converged, surplus, deletion, port):
    found = todo(replace(converged, added=[*DECLARED, surplus]))
    assert ["ufw", *deletion] in found.commands
    assert found.commands[-1] == ["ufw", "reload"]
    assert found.reasons == ["%s: allowed by UFW's rule `%s`, declared nowhere" % (port, surplus)]
    assert found.added == DECLARED


def test_a_rule_that_is_missing_is_named_by_its_port(converged):
    found = todo(replace(converged, added=DECLARED[:1]))
    assert found.reasons == [
        "80/tcp: declared open to any, allowed by no rule of UFW",
        "5432/tcp: declared open to 192.0.2.11, allowed by no rule of UFW",
    ]


@pytest.mark.parametrize("rule", ["deny from 203.0.113.5", "deny 25", "reject from 203.0.113.0/24 to any port 80 proto tcp", "allow out 53/udp"])
def test_a_rule_that_opens_nothing_and_closes_no_declared_port_to_everybody_stays(converged, rule):
    assert todo(replace(converged, added=[*DECLARED, rule])).reasons == ()


DENIES = [
    ("deny 80", "-A ufw-user-input -p tcp -m tcp --dport 80 -j DROP"),
    ("reject 80:90/tcp", "-A ufw-user-input -p tcp -m tcp --dport 80:90 -j REJECT --reject-with tcp-reset"),
    ("deny 25,80/tcp", "-A ufw-user-input -p tcp -m multiport --dports 25,80 -j DROP"),
]


@pytest.mark.parametrize(("rule", "line"), DENIES)
def test_a_rule_that_closes_a_declared_port_to_everybody_is_taken_away(converged, rule, line):
    first = LIVE[4].index("-A ufw-user-input -p tcp -m tcp --dport 22 -j ACCEPT")
    before = {**LIVE, 4: [*LIVE[4][:first], line, *LIVE[4][first:]]}
    found = todo(replace(converged, added=[*DECLARED, rule], live=before))
    target = rule.split()[1]
    assert found.reasons == ["%s: declared open, closed to everybody by UFW's rule `%s`" % (target, rule)]
    assert ["ufw", "--force", "delete", *rule.split()] in found.commands
    assert found.added == DECLARED


@pytest.mark.parametrize(("rule", "line"), DENIES)
def test_behind_the_rule_that_allows_it_closes_nothing(converged, rule, line):
    assert todo(replace(converged, added=[*DECLARED, rule], live={**LIVE, 4: [*LIVE[4], line]})).reasons == ()
    assert todo(replace(converged, added=[*DECLARED, rule], live={**LIVE, 4: [line.replace("tcp", "udp"), *LIVE[4]]})).reasons == ()


@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize("line", ["-P INPUT DROP", "-A DOCKER-USER -j DROP"])
def test_a_kernel_that_lost_a_rule_is_reloaded(converged, family, line):
    found = todo(replace(converged, live=without(LIVE, family, line)))
    assert found.reasons == ["IPv%d: the kernel lacks `%s`" % (family, line)]
    assert found.commands[-1] == ["ufw", "reload"]


@pytest.mark.parametrize(
    ("family", "line"),
    [
        (4, "-A ufw-user-input -p tcp -m tcp --dport 77 -j ACCEPT"),
        (6, "-A ufw6-user-input -p tcp -m tcp --dport 77 -j ACCEPT"),
        (4, "-A ufw-user-input -p tcp -m tcp --dport 77 -j ufw-user-limit-accept"),
        (6, "-A DOCKER-USER -i eth0 -j RETURN"),
    ],
)
def test_what_was_opened_behind_ufw_is_found(converged, family, line):
    found = todo(replace(converged, live={**LIVE, family: [*LIVE[family], line]}))
    assert found.reasons == ["IPv%d: the kernel has `%s`, declared nowhere" % (family, line)]
    assert found.commands[-1] == ["ufw", "reload"]


def test_docker_user_that_drops_before_it_lets_through_is_reloaded(converged):
    lines = [line for line in LIVE[4] if line != "-A DOCKER-USER -j RETURN"]
    lines.insert(lines.index(next(line for line in lines if "ctorigdstport" in line)), lines.pop(lines.index("-A DOCKER-USER -j DROP")))
    assert todo(replace(converged, live={**LIVE, 4: lines})).reasons == ["IPv4: the rules of DOCKER-USER are in another order"]


DOCKER = ["-N DOCKER", "-A FORWARD -j DOCKER-USER", "-A FORWARD -o docker0 -j DOCKER", "-A FORWARD -i docker0 ! -o docker0 -j ACCEPT"]


# As Docker 26 leaves them where it is restarted.
ISOLATED = [
    "-N DOCKER",
    "-A FORWARD -j DOCKER-ISOLATION-STAGE-1",
    *DOCKER[1:],
    "-A DOCKER-ISOLATION-STAGE-1 -i docker0 ! -o docker0 -j DOCKER-ISOLATION-STAGE-2",
    "-A DOCKER-ISOLATION-STAGE-1 -j RETURN",
    "-A DOCKER-ISOLATION-STAGE-2 -o docker0 -j DROP",
    "-A DOCKER-ISOLATION-STAGE-2 -j RETURN",
]


@pytest.mark.parametrize(
    ("forward", "asked"),
    [
        (DOCKER, True),
        (ISOLATED, True),
        ([*ISOLATED, "-A DOCKER-ISOLATION-STAGE-2 -o docker0 -j ACCEPT"], False),
        (["-N DOCKER", "-A FORWARD -j DOCKER-USER", "-A FORWARD -j DOCKER-FORWARD"], True),
        (["-N DOCKER", "-A FORWARD -j ufw-before-forward", "-A FORWARD -j DOCKER-USER", "-A FORWARD -j DOCKER-FORWARD"], True),
        (["-A FORWARD -j ufw-before-forward"], True),
        (DOCKER[:1] + DOCKER[2:], False),
        ([*DOCKER[:1], *DOCKER[2:], DOCKER[1]], False),
        (["-N DOCKER", "-A FORWARD -d 172.28.0.2/32 -j ACCEPT", *DOCKER[1:]], False),
    ],
)
def test_docker_asks_docker_user_first(converged, forward, asked):
    found = todo(replace(converged, live={**LIVE, 4: [*LIVE[4], *forward]}))
    if asked:
        assert found.reasons == ()
    else:
        assert found.reasons == ["IPv4: Docker's rules let packets through before DOCKER-USER is asked"]
        assert found.commands[-1] == ["iptables", "-I", "FORWARD", "-j", "DOCKER-USER"]


def test_chains_that_the_kernel_no_longer_calls_are_called_again_in_their_order(converged):
    """`iptables -F` leaves UFW's chains there, which `ufw reload` takes for a firewall that is whole."""
    gone = "-A INPUT -j ufw-before-input"
    found = todo(replace(converged, live=without(LIVE, 4, gone)))
    assert found.reasons == ["IPv4: the kernel lacks `%s`" % gone]
    names = [one[4] for one in found.commands if one[:2] == ["iptables", "-A"]]
    assert names == [
        "ufw-before-logging-input",
        "ufw-before-input",
        "ufw-after-input",
        "ufw-after-logging-input",
        "ufw-reject-input",
        "ufw-track-input",
    ]
    removed = [one for one in found.commands if one[:2] == ["iptables", "-D"]]
    assert [one[4] for one in removed] == [name for name in names if name != "ufw-before-input"]
    assert found.commands.index(["iptables", "-A", "INPUT", "-j", "ufw-track-input"]) < found.commands.index(removed[0])
    # Where its chains are gone too, UFW makes all of it.
    found = todo(replace(converged, live=without(LIVE, 6, "-A INPUT -j ufw6-before-input")))
    assert [one for one in found.commands if one[0] == "ip6tables"] == []


def test_chains_that_are_gone_are_made_before_rules_are_added_to_them(converged):
    found = todo(replace(converged, live=without(LIVE, 6, "-N ufw6-user-input"), files=STOCK))
    assert found.commands[0] == ["ufw", "reload"]
    assert found.commands[1] == ["ufw", "allow", "22/tcp"]
    assert todo(replace(converged, files=STOCK)).commands[0] == ["ufw", "allow", "22/tcp"]


@pytest.mark.parametrize("family", [4, 6])
def test_a_rule_past_ufw_is_taken_out_of_the_chain_input(converged, family):
    line = '-A INPUT -p tcp -m tcp --dport 99 -m comment --comment "for a moment" -j ACCEPT'
    found = todo(replace(converged, live={**LIVE, family: [*LIVE[family], line]}))
    assert found.reasons == ["IPv%d: the kernel has `%s`, declared nowhere" % (family, line)]
    program = "iptables" if family == 4 else "ip6tables"
    (removal,) = [one for one in found.commands if one[0] == program]
    assert removal[1:] == ["-D", "INPUT", "-p", "tcp", "-m", "tcp", "--dport", "99", "-m", "comment", "--comment", "for a moment", "-j", "ACCEPT"]
    assert found.commands[-1] == ["ufw", "reload"]


def test_a_rule_for_all_but_the_loopback_is_taken_out_of_the_chain_input(converged):
    found = todo(replace(converged, live={**LIVE, 4: [*LIVE[4], "-A INPUT ! -i lo -j ACCEPT"]}))
    assert ["iptables", "-D", "INPUT", "!", "-i", "lo", "-j", "ACCEPT"] in found.commands


@pytest.mark.parametrize(
    "lines",
    [
        ["-A INPUT -p udp -j ACCEPT"],
        ["-A INPUT -j ACCEPT"],
        ["-A INPUT ! -p icmp -j ACCEPT"],
        ["-A INPUT -p tcp -m conntrack --ctstate NEW,ESTABLISHED -j ACCEPT"],
        ["-A INPUT ! -i lo -j ACCEPT"],
        ["-A INPUT ! -i lo -p tcp -m tcp --dport 99 -j ACCEPT"],
        ["-A INPUT -m conntrack ! --ctstate INVALID -j ACCEPT"],
        ["-A INPUT -m conntrack ! --ctstate RELATED,ESTABLISHED -j ACCEPT"],
        ["-A INPUT -m state ! --state ESTABLISHED -j ACCEPT"],
        ["-A INPUT -m conntrack ! --ctstate DNAT -j ACCEPT"],
        ["-A INPUT -m conntrack --ctstate DNAT -j ACCEPT"],
        ["-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED,DNAT -j ACCEPT"],
        ["-A INPUT -m state --state UNTRACKED -j ACCEPT"],
        ["-A INPUT -m conntrack --ctstate NEW -m conntrack ! --ctstate INVALID -j ACCEPT"],
        ['-A INPUT -m comment --comment "not -i lo , nor --state ESTABLISHED" -j ACCEPT'],
        ["-A INPUT -j OTHER", "-A OTHER -s 10.0.0.0/8 -p tcp -m tcp --dport 99 -j ACCEPT"],
        ["-A INPUT -j ufw-before-input", "-A ufw-before-input -p tcp -m tcp --dport 99 -j ACCEPT"],
        ["-A INPUT -g OTHER", "-A OTHER -j THIRD", "-A THIRD -i eth0 -j ACCEPT", "-A THIRD -j OTHER"],
    ],
)
def test_what_lets_connections_in_past_ufw(lines):
    assert bypasses(lines, 4) == [line for line in lines if line.endswith("ACCEPT")]


@pytest.mark.parametrize(
    "line",
    [
        "-A INPUT -i lo -j ACCEPT",
        "-A INPUT -p icmp -j ACCEPT",
        "-A INPUT -p esp -j ACCEPT",
        "-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
        "-A INPUT -m state --state ESTABLISHED -j ACCEPT",
        "-A INPUT -m conntrack --ctstate INVALID -j ACCEPT",
        "-A INPUT -m conntrack ! --ctstate NEW -j ACCEPT",
        "-A INPUT -m conntrack ! --ctstate NEW -m conntrack ! --ctstate INVALID -j ACCEPT",
        "-A INPUT -i lo -m conntrack ! --ctstate INVALID -j ACCEPT",
        "-A INPUT -s 203.0.113.5/32 -j DROP",
        "-A OUTPUT -j ACCEPT",
        "-A OTHER -j ACCEPT",
    ],
)
def test_what_lets_no_new_connection_in(line):
    assert bypasses([line], 4) == []


@pytest.mark.parametrize(("family", "name"), [(4, "iptables-1.8.11-debian13-ufw"), (6, "ip6tables-1.8.11-debian13-ufw")])
def test_the_rules_of_ufw_itself_are_no_way_past_it(family, name):
    lines = (CAPTURED / (name + ".txt")).read_text().splitlines()
    assert any("--dport 5353 -j ACCEPT" in line for line in lines)
    assert bypasses(lines, family) == []


@pytest.mark.parametrize("level", ["off", "low", "medium", "high", "full"])
def test_the_level_of_logging_is_told_by_the_rules_of_the_kernel(level):
    lines = (CAPTURED / ("iptables-1.8.11-debian13-logging-%s.txt" % level)).read_text().splitlines()
    assert logged(lines, 4) == level
    # The last lines of IPv6 are the same, under names of their own.
    assert logged([line.replace("ufw-", "ufw6-") for line in lines], 6) == level


def test_chains_that_call_each_other_end():
    assert reached(["-A A -j B", "-A B -j A", "-A C -j A"], "A") == ["-A A -j B", "-A B -j A"]


# Logging, the service, kernel settings


def test_another_level_of_logging_is_set(converged):
    wanted = Wanted(RULES, POOL, "low")
    found = todo(replace(converged, logging="off"), wanted)
    assert found.reasons == ["logging is off, not low"]
    assert ["ufw", "logging", "low"] in found.commands
    found = todo(replace(converged, logging="low"), wanted)
    assert found.reasons == ["IPv4: the kernel's rules log off, not low", "IPv6: the kernel's rules log off, not low"]
    assert found.commands[-1] == ["ufw", "reload"]


def test_a_service_that_does_not_start_at_boot_is_enabled(converged):
    found = todo(replace(converged, service=False))
    assert (found.reasons, found.commands[-1]) == (["ufw.service does not start at boot"], ["systemctl", "enable", "ufw.service"])


SETTINGS = {"net/ipv4/conf/all/accept_redirects": "0", "net/ipv4/tcp_rmem": "4096 131072 6291456"}


def test_the_file_of_kernel_settings_has_these_alone(converged):
    wanted = Wanted(RULES, POOL, sysctls=SETTINGS)
    found = todo(converged, wanted)
    assert found.reasons == ["/etc/ufw/sysctl.conf differs"]
    assert found.files[SYSCTL].endswith("\nnet/ipv4/conf/all/accept_redirects=0\nnet/ipv4/tcp_rmem=4096 131072 6291456\n")
    written = replace(converged, files={**converged.files, **found.files})
    assert todo(replace(written, sysctls={"net/ipv4/tcp_rmem": "4096\t131072\t6291456"}), wanted).reasons == ()
    found = todo(replace(written, sysctls={"net/ipv4/conf/all/accept_redirects": "1"}), wanted)
    assert (found.reasons, found.commands[-1]) == (["net.ipv4.conf.all.accept_redirects is 1, not 0"], ["ufw", "reload"])


def test_with_none_the_file_has_none(converged):
    stock = replace(converged, files={**converged.files, SYSCTL: "net/ipv4/conf/all/accept_redirects=0\n"})
    found = todo(stock, Wanted(RULES, POOL, sysctls={}))
    assert found.reasons == ["/etc/ufw/sysctl.conf differs"]
    assert {line[:1] for line in found.files[SYSCTL].splitlines()} == {"#"}
    assert todo(replace(stock, files={**stock.files, **found.files}), Wanted(RULES, POOL, sysctls={})).reasons == ()


def test_without_them_the_file_is_left_alone(converged):
    assert SYSCTL not in todo(State({**STOCK, SYSCTL: "net/ipv4/ip_forward=0\n"}, [], False, {})).files


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("net.ipv4.ip_forward", "net/ipv4/ip_forward"),
        ("net/ipv4/ip_forward", "net/ipv4/ip_forward"),
        ("net.ipv4.conf.eth0/100.rp_filter", "net/ipv4/conf/eth0.100/rp_filter"),
        ("net/ipv4/conf/eth0.100/rp_filter", "net/ipv4/conf/eth0.100/rp_filter"),
    ],
)
def test_the_path_of_a_kernel_setting(name, path):
    assert sysctl_path(name) == path


def test_kernel_settings_as_people_write_them():
    assert sysctl_file({"net.ipv4.ip_forward": True, "net/ipv4/tcp_syncookies": 1}) == {"net/ipv4/ip_forward": "1", "net/ipv4/tcp_syncookies": "1"}


@pytest.mark.parametrize(
    "name",
    ["net.ipv4.ip_forward", "net/ipv4/ip_forward", "net.ipv4.conf.all.forwarding", "net.ipv4.conf.default.forwarding", "net.ipv6.conf.all.forwarding"],
)
@pytest.mark.parametrize("value", [0, "0", False, " 0"])
def test_forwarding_is_never_switched_off(name, value):
    with pytest.raises(SysctlError, match="0 takes Docker's containers off the network; leave it out"):
        sysctl_file({name: value})


@pytest.mark.parametrize(("name", "value"), [("ip_forward", 1), ("", 1), ("net.ipv4.a", ""), ("net.ipv4.a", "1\nb=2"), ("net ipv4", 1), ("net.ipv4.$(x)", 1)])
def test_what_is_no_kernel_setting_is_refused(name, value):
    with pytest.raises(SysctlError, match="is no kernel setting"):
        sysctl_file({name: value})


def test_a_published_port_admits_its_declared_source_only():
    rules = [Rule("http", 80, "tcp", "198.51.100.0/24", "docker")]
    after = todo(State(STOCK, [], False, {}), Wanted(rules, POOL)).files
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
    text = describe(replace(converged, logging="low"))
    assert 'DEFAULT_INPUT_POLICY="DROP"\n' in text
    assert "ufw enabled\nufw logging low\nufw allow 22/tcp\n" in text
    assert "-A DOCKER-USER -j DROP" in text
