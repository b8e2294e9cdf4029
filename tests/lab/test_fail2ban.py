"""A ban is a ban: an address that guesses passwords gets no answer any more, and an unban lets it in again."""

from __future__ import annotations

import typing as t

import pytest

from tests.support import play

from .conftest import APP, DATA, await_, lab, on

VICTIM = "172.30.77.11"
ATTACKER = "172.30.77.99"
NEIGHBOUR = "172.30.77.12"

GREETED = (
    """
import socket, sys
try:
    with socket.create_connection(("%s", 22), timeout=3, source_address=(sys.argv[1], 0)) as connection:
        print(connection.recv(4) == b"SSH-")
except OSError:
    print(False)
"""
    % VICTIM
)


ANSWER = (
    """
import http.client, sys
connection = http.client.HTTPConnection("%s", 80, timeout=3, source_address=(sys.argv[1], 0))
try:
    connection.request("GET", sys.argv[2])
    print(connection.getresponse().status)
except OSError:
    print("none")
"""
    % VICTIM
)
HEALTH, HOLE = "/api/v1/health", "/wp-login.php"


def answer(source: str, path: str) -> str:
    """The status that nginx of lab-app answers lab-data with, when it asks from the address `source`; "none" without an answer."""
    return on(DATA, "python3", "-c", ANSWER, source, path).strip()


def greeted(source: str) -> bool:
    """Whether sshd of lab-app greets lab-data when it comes from the address `source`."""
    return on(DATA, "python3", "-c", GREETED, source).strip() == "True"


def guess(source: str, times: int) -> None:
    """Failed logins on lab-app, from `source`; one that a ban interrupts would wait for minutes."""
    options = "-o BatchMode=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o ConnectTimeout=3"
    login = "timeout 10 ssh -b %s %s mallory@%s true" % (source, options, VICTIM)
    on(DATA, "sh", "-c", "for i in $(seq %d); do %s; done" % (times, login), check=False)


def banned(jail: str = "sshd") -> list[str]:
    return on(APP, "fail2ban-client", "get", jail, "banip").split()


@pytest.fixture(scope="module", autouse=True)
def _provisioned() -> None:
    lab("up", timeout=1200)
    done = play("playbooks/provision.yml", "--tags", "ufw,fail2ban")
    assert done.code == 0, done.output


@pytest.fixture(autouse=True)
def _attacker() -> t.Iterator[None]:
    on(DATA, "ip", "address", "replace", ATTACKER + "/24", "dev", "eth0")
    yield
    on(APP, "fail2ban-client", "unban", ATTACKER)
    on(DATA, "ip", "address", "delete", ATTACKER + "/24", "dev", "eth0")


def test_an_address_that_guesses_is_shut_out_until_it_is_unbanned() -> None:
    assert greeted(ATTACKER)
    guess(ATTACKER, 6)
    await_(lambda: ATTACKER in banned(), seconds=20)
    await_(lambda: not greeted(ATTACKER), seconds=5)
    assert greeted(NEIGHBOUR), "the ban of one address shut another one out"
    on(APP, "fail2ban-client", "set", "sshd", "unbanip", ATTACKER)
    await_(lambda: greeted(ATTACKER), seconds=5)


@pytest.mark.long
def test_an_address_that_looks_for_holes_loses_the_web_and_keeps_ssh(served: None) -> None:
    assert answer(ATTACKER, HEALTH) == "200"
    # More than the five that are let pass; a ban may come before the last one.
    seen = [answer(ATTACKER, HOLE) for _time in range(7)]
    assert seen[:5] == ["404"] * 5, "the filter counts what is not found (404), so this test shows nothing"
    await_(lambda: ATTACKER in banned("nginx-botsearch"), seconds=20)
    await_(lambda: answer(ATTACKER, HEALTH) == "none", seconds=5)
    assert greeted(ATTACKER), "a ban from the web shut ssh"
    assert answer(NEIGHBOUR, HEALTH) == "200", "the ban of one address shut another one out"
    assert ATTACKER not in banned("sshd")
    on(APP, "fail2ban-client", "set", "nginx-botsearch", "unbanip", ATTACKER)
    await_(lambda: answer(ATTACKER, HEALTH) == "200", seconds=5)


@pytest.mark.long
def test_a_neighbour_that_looks_for_holes_is_never_banned(served: None) -> None:
    assert [answer(NEIGHBOUR, HOLE) for _time in range(8)] == ["404"] * 8
    assert answer(NEIGHBOUR, HEALTH) == "200"
    assert NEIGHBOUR not in banned("nginx-botsearch")


def test_a_ban_outlives_a_reload_of_the_firewall() -> None:
    on(APP, "fail2ban-client", "set", "sshd", "banip", ATTACKER)
    await_(lambda: not greeted(ATTACKER), seconds=5)
    on(APP, "ufw", "reload")
    assert not greeted(ATTACKER)


def test_the_other_hosts_are_never_banned() -> None:
    guess(NEIGHBOUR, 8)
    assert greeted(NEIGHBOUR)
    assert NEIGHBOUR not in banned()


def test_a_dead_jail_is_brought_back() -> None:
    on(APP, "fail2ban-client", "stop", "sshd")
    done = play("playbooks/provision.yml", "--tags", "fail2ban")
    assert (done.code, done.changed()) == (0, 1), done.output
    jails = on(APP, "fail2ban-client", "status").partition("Jail list:")[2]
    assert "sshd" in [name.strip() for name in jails.split(",")]


@pytest.mark.long
def test_the_first_jail_of_a_host_knows_whom_it_never_bans() -> None:
    """The package starts fail2ban as it is installed: from its first start on it must have the settings of the role."""
    on(DATA, "sh", "-c", "apt-get -qq purge -y fail2ban >/dev/null; rm -rf /etc/fail2ban /var/lib/fail2ban /var/log/fail2ban.log")
    done = play("playbooks/provision.yml", "--tags", "fail2ban", "--limit", "lab-data")
    assert done.code == 0, done.output
    log = on(DATA, "cat", "/var/log/fail2ban.log")
    assert log.count("Starting Fail2ban") == 1, log
    assert "172.30.77.11" in on(DATA, "fail2ban-client", "get", "sshd", "ignoreip")
