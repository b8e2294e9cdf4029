"""The firewall never locks anybody out: refused beforehand, and taken back by itself where it happens all the same."""

from __future__ import annotations

import json
import subprocess
import time
import typing as t

import pytest

from tests.support import ROOT, Played, play

from .conftest import DATA, await_, lab, on

ROLE = "tests/lab/playbooks/ufw.yml"
SSH_PORT = 22012
REVERT_AFTER = 12
# An exposure that leaves the machine that runs Ansible outside.
WRONG = {"preflight_exposure": {"ssh": {"port": 22, "from": "192.0.2.0/24"}}}
UNGUARDED = {**WRONG, "ufw_require_ssh": False, "ufw_revert_after": REVERT_AFTER}


def apply(variables: t.Optional[dict[str, t.Any]] = None) -> Played:
    return play(ROLE, "-e", json.dumps(variables or {}))


def firewall() -> str:
    """UFW's rules, its files and the kernel's."""
    files = "cat /etc/default/ufw /etc/ufw/*.rules /etc/ufw/ufw.conf"
    return on(DATA, "sh", "-c", "ufw show added; iptables -S; ip6tables -S; %s" % files)


def ssh(*command: str, seconds: int = 2) -> subprocess.Popen[str]:
    """A new ssh connection to lab-data, shared with nobody."""
    options = {"UserKnownHostsFile": '"%s"' % (ROOT / ".lab/known_hosts"), "BatchMode": "yes", "ConnectTimeout": seconds, "ControlPath": "none"}
    flags = [word for option in options.items() for word in ("-o", "%s=%s" % option)]
    login = ["ssh", "-F", "none", "-i", str(ROOT / ".lab/id_ed25519"), "-p", str(SSH_PORT), *flags, "ops@127.0.0.1", *command]
    return subprocess.Popen(login, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)


def gets_in() -> bool:
    return ssh("true").wait(timeout=30) == 0


@pytest.fixture(scope="module")
def declared() -> str:
    """The firewall of the lab's own exposure."""
    lab("up", timeout=1200)
    assert apply().code == 0
    return firewall()


@pytest.fixture(autouse=True)
def _declared(declared: str) -> t.Iterator[None]:
    yield
    await_(gets_in, seconds=60)
    if firewall() != declared:
        assert apply().code == 0


def test_an_exposure_that_locks_this_run_out_is_refused_before_anything_is_touched(declared: str) -> None:
    done = apply(WRONG)
    assert done.code != 0
    assert "these rules lock this run out" in done.output
    assert "to port 22, which is open to 192.0.2.0/24" in done.output
    assert firewall() == declared


def test_a_wrong_rule_set_is_taken_back_and_the_run_says_so(declared: str) -> None:
    done = apply(UNGUARDED)
    assert done.code != 0
    assert "The previous rules are back and the host is reachable" in done.output
    assert gets_in()
    assert firewall() == declared


WRONG_RULES: tuple[dict[str, t.Any], ...] = (
    {"rules": [{"name": "ssh", "port": 22, "source": "192.0.2.0/24"}]},
    {"rules": []},
    {"rules": [{"name": "ssh", "port": 2222, "source": "any"}]},
    {"rules": [{"name": "ssh", "port": 22, "protocol": "udp", "source": "any"}]},
    {"rules": [{"name": "ssh", "port": 22, "source": "127.0.0.1/32"}]},
    {"rules": [{"name": "ssh", "port": 22, "source": "2001:db8::/32"}]},
    {"rules": [{"name": "web", "port": port, "source": "any"} for port in (80, 443)], "logging": "high"},
    {"rules": [{"name": "ssh", "port": 22, "source": "192.0.2.1/32"}], "container_networks": ["10.0.0.0/8"]},
    {"rules": [{"name": "ssh", "port": 22, "source": "192.0.2.0/24"}], "sysctl": {"net.ipv4.conf.all.accept_redirects": 0}},
)


def module(options: t.Mapping[str, t.Any]) -> None:
    """The module on lab-data, after which the controller is gone."""
    command = ["ansible", "-i", "inventories/lab", DATA, "--become", "-m", "gonogo.preflight.ufw_exposure", "-a", json.dumps(dict(options))]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=120)


def locked_out_and_back(wrong: t.Mapping[str, t.Any], before: str) -> bool:
    """Apply `wrong`; whether it locked out for a while, and everything is as before."""
    module({**wrong, "require_ssh": False, "revert_after": REVERT_AFTER})
    shut = not gets_in()
    await_(gets_in, seconds=REVERT_AFTER + 15)
    await_(lambda: firewall() == before, seconds=15)
    return shut


@pytest.mark.long
def test_ssh_comes_back_by_itself_when_the_run_is_gone(declared: str) -> None:
    began = time.monotonic()
    assert locked_out_and_back(WRONG_RULES[0], declared), "the rules do not lock out, so this test shows nothing"
    assert time.monotonic() - began < REVERT_AFTER + 30


@pytest.mark.long
def test_ssh_comes_back_twenty_times_of_twenty(declared: str) -> None:
    shut = [locked_out_and_back(WRONG_RULES[number % len(WRONG_RULES)], declared) for number in range(20)]
    assert shut == [True] * 20, shut


@pytest.mark.long
def test_a_bare_firewall_that_locks_out_goes_back_to_none() -> None:
    on(DATA, "sh", "-c", "ufw --force reset; rm -f /etc/ufw/*.rules.2*; ufw --force disable")
    assert apply(UNGUARDED).code != 0
    assert gets_in()
    assert "Status: inactive" in on(DATA, "ufw", "status")


@pytest.mark.long
def test_enabling_the_firewall_keeps_the_connections_that_are_open() -> None:
    on(DATA, "ufw", "--force", "disable")
    session = ssh("cat", seconds=10)
    assert session.stdin is not None
    assert session.stdout is not None
    print("before", file=session.stdin, flush=True)
    assert session.stdout.readline() == "before\n"
    assert apply().code == 0
    print("after", file=session.stdin, flush=True)
    assert session.stdout.readline() == "after\n"
    session.stdin.close()
    assert session.wait(timeout=10) == 0


@pytest.mark.long
def test_what_is_not_declared_is_closed_and_what_was_flushed_is_back(declared: str) -> None:
    on(DATA, "sh", "-c", "ufw allow 8080/tcp; ufw route allow to 10.1.1.1 port 80 proto tcp; iptables -F DOCKER-USER")
    on(DATA, "sh", "-c", "ip6tables -I ufw6-user-input -p tcp --dport 77 -j ACCEPT; sed -i s/IPV6=yes/IPV6=no/ /etc/default/ufw")
    done = apply()
    assert (done.code, done.changed()) == (0, 1), done.output
    assert firewall() == declared
    assert apply().changed() == 0


@pytest.mark.long
def test_a_change_that_a_killed_run_left_unconfirmed_is_confirmed_by_the_next(declared: str) -> None:
    on(DATA, "ufw", "allow", "8080/tcp")
    rules = [{"name": "ssh", "port": 22, "source": "any"}]
    module({"rules": rules, "container_networks": ["172.28.0.0/16"], "revert_after": REVERT_AFTER})
    assert apply().code == 0
    time.sleep(REVERT_AFTER + 3)
    assert firewall() == declared
