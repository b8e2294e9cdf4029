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


def greeted(source: str) -> bool:
    """Whether sshd of lab-app greets lab-data when it comes from the address `source`."""
    return on(DATA, "python3", "-c", GREETED, source).strip() == "True"


def guess(source: str, times: int) -> None:
    """Failed logins on lab-app, from `source`; one that a ban interrupts would wait for minutes."""
    options = "-o BatchMode=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o ConnectTimeout=3"
    login = "timeout 10 ssh -b %s %s mallory@%s true" % (source, options, VICTIM)
    on(DATA, "sh", "-c", "for i in $(seq %d); do %s; done" % (times, login), check=False)


def banned() -> list[str]:
    return on(APP, "fail2ban-client", "get", "sshd", "banip").split()


@pytest.fixture(scope="module", autouse=True)
def _provisioned() -> None:
    lab("up", timeout=1200)
    done = play("playbooks/provision.yml", "--tags", "ufw,fail2ban")
    assert done.code == 0, done.output


@pytest.fixture(autouse=True)
def _attacker() -> t.Iterator[None]:
    on(DATA, "ip", "address", "replace", ATTACKER + "/24", "dev", "eth0")
    yield
    on(APP, "fail2ban-client", "set", "sshd", "unbanip", ATTACKER)
    on(DATA, "ip", "address", "delete", ATTACKER + "/24", "dev", "eth0")


def test_an_address_that_guesses_is_shut_out_until_it_is_unbanned() -> None:
    assert greeted(ATTACKER)
    guess(ATTACKER, 6)
    await_(lambda: ATTACKER in banned(), seconds=20)
    await_(lambda: not greeted(ATTACKER), seconds=5)
    assert greeted(NEIGHBOUR), "the ban of one address shut another one out"
    on(APP, "fail2ban-client", "set", "sshd", "unbanip", ATTACKER)
    await_(lambda: greeted(ATTACKER), seconds=5)


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
    assert "Jail list:\tsshd" in on(APP, "fail2ban-client", "status")
