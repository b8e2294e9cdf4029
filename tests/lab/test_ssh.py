"""SSH lets in keys alone, by modern algorithms, on one port; and whatever somebody asks for, never locks anybody out."""

from __future__ import annotations

import json
import re
import secrets
import time
import typing as t

import pytest

from tests.support import play

from .conftest import RELOAD_SSH, await_, killed, lab, on, outage
from .probing import observations
from .watching import INVENTORY, WATCH, apply, failing, gets_in, module, result, ssh

pytestmark = pytest.mark.long

ROLE = "/etc/ssh/sshd_config.d/00-gonogo.conf"
SSH = {"ssh.keys_only", "ssh.root_login", "ssh.algorithms", "ssh.auth_tries", "ssh.login_grace", "ssh.x11"}
REVERT_AFTER = 8


def configuration() -> str:
    """Every file of sshd, and of its socket."""
    return on(
        WATCH,
        "sh",
        "-c",
        "for file in $(find /etc/ssh /etc/systemd/system/ssh.socket.d -name '*conf*' | sort); do echo \"$file\"; cat $file; done",
        check=False,
    )


def asked(*facts: dict[str, t.Any]) -> list[t.Any]:
    """What the probe sees on the host, or its error."""
    return [answer.get("value", answer.get("error")) for answer in observations(WATCH, "sshd", *facts)]


@pytest.fixture(scope="module")
def bare() -> None:
    lab("reset", WATCH, timeout=1200)


@pytest.fixture(scope="module")
def secured(bare: None) -> str:
    """The configuration that the role has made, on a bare host."""
    done = apply("ssh")
    assert (done.code, done.changed()) == (0, 1), done.output
    return configuration()


@pytest.fixture
def declared(secured: str) -> t.Iterator[str]:
    """The host as the role has made it, before and after."""
    yield secured
    await_(gets_in, seconds=60)
    if configuration() != secured:
        assert apply("ssh").code == 0
        assert configuration() == secured


def test_a_bare_host_fails_item_by_item_and_a_dry_run_says_why(bare: None) -> None:
    before = configuration()
    assert failing() >= SSH
    seen = apply("ssh", "--check", "--diff")
    assert (seen.code, seen.changed()) == (0, 1), seen.output
    assert "+PasswordAuthentication no" in seen.output and "+MACs hmac-sha2-512-etm@openssh.com" in seen.output
    assert configuration() == before


def test_a_run_that_logs_in_with_a_password_is_refused(bare: None) -> None:
    password = secrets.token_urlsafe(24)
    script = "useradd --create-home --shell /bin/bash typist && chpasswd && echo 'typist ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/typist"
    on(WATCH, "sh", "-c", script, given="typist:%s\n" % password)
    before = configuration()
    try:
        settings = {"PasswordAuthentication": False, "KbdInteractiveAuthentication": False}
        done = module("sshd_settings", {"settings": settings}, "-e", json.dumps({"ansible_user": "typist", "ansible_password": password}))
        assert done.returncode != 0
        assert "it logged in as typist by password, and only keys would get in" in done.stdout, done.stdout + done.stderr
        assert password not in done.stdout + done.stderr
        assert configuration() == before
    finally:
        on(WATCH, "sh", "-c", "rm /etc/sudoers.d/typist; pkill -KILL -u typist; userdel --remove --force typist", check=False)


def test_after_the_role_every_item_passes_and_a_second_run_changes_nothing(secured: str) -> None:
    assert not failing() & (SSH | {"fw.ssh.only22"})
    again = play("playbooks/provision.yml", "--tags", "ssh", inventory=INVENTORY)
    assert (again.code, again.changed()) == (0, 0), again.output
    assert apply("ssh", "--check", "--diff").changed() == 0
    assert configuration() == secured


def test_without_package_sources_there_is_nothing_to_change(declared: str) -> None:
    with outage(WATCH):
        again = apply("ssh")
    assert (again.code, again.changed()) == (0, 0), again.output


def test_a_match_block_of_another_file_lets_no_password_in(declared: str) -> None:
    block = "Match User ops\\n  PasswordAuthentication yes\\n  PermitRootLogin yes\\nMatch Address 10.0.0.0/8\\n  PasswordAuthentication yes\\n"
    on(WATCH, "sh", "-c", "printf '%s' >/etc/ssh/sshd_config.d/99-hand.conf; " % block + RELOAD_SSH)
    try:
        assert asked({"fact": "methods"}, {"fact": "setting", "name": "permitrootlogin", "user": "root"}) == [["publickey"], "no"]
        assert apply("ssh").changed() == 0
    finally:
        on(WATCH, "sh", "-c", "rm /etc/ssh/sshd_config.d/99-hand.conf; systemctl reload ssh")


def test_a_program_that_brings_keys_is_asked_no_more(declared: str) -> None:
    brings = "AuthorizedKeysCommand /usr/bin/true\\nAuthorizedKeysCommandUser nobody\\n"
    try:
        on(WATCH, "sh", "-euc", "printf '%s' >/etc/ssh/sshd_config.d/60-cloud.conf; sed -i /AuthorizedKeysCommand/d %s; systemctl reload ssh" % (brings, ROLE))
        assert "authorizedkeyscommand /usr/bin/true" in str(result("accounts.declared")["observed"])
        done = apply("ssh")
        assert (done.code, done.changed()) == (0, 1), done.output
        assert "authorizedkeyscommand" not in str(result("accounts.declared")["observed"])
    finally:
        on(WATCH, "sh", "-c", "rm /etc/ssh/sshd_config.d/60-cloud.conf; systemctl reload ssh")


def test_a_line_that_comes_first_is_named_and_nothing_is_changed(declared: str) -> None:
    on(WATCH, "sh", "-c", "echo 'LoginGraceTime 0' >/etc/ssh/sshd_config.d/00-earlier.conf; " + RELOAD_SSH)
    try:
        before = configuration()
        assert asked({"fact": "setting", "name": "logingracetime"}) == ["0"]
        done = apply("ssh")
        assert done.code != 0
        said = " ".join(done.output.split())
        assert "logingracetime would stay 0 instead of 60; /etc/ssh/sshd_config.d/00-earlier.conf:1 says so, and comes first" in said
        assert configuration() == before
    finally:
        on(WATCH, "sh", "-c", "rm /etc/ssh/sshd_config.d/00-earlier.conf; systemctl reload ssh")


def test_a_configuration_that_is_not_included_is_named(declared: str) -> None:
    on(WATCH, "sed", "-i", "s/^Include/#Include/", "/etc/ssh/sshd_config")
    try:
        done = apply("ssh")
        assert done.code != 0
        assert "put the line `Include /etc/ssh/sshd_config.d/*.conf` at its top" in " ".join(done.output.split())
    finally:
        on(WATCH, "sh", "-c", "sed -i 's/^#Include/Include/' /etc/ssh/sshd_config; systemctl reload ssh")


def test_a_configuration_that_sshd_has_not_read_is_no_pass_and_is_read(declared: str) -> None:
    on(WATCH, "sh", "-c", "sed -i 's/X11Forwarding no/X11Forwarding yes/' %s; " % ROLE + RELOAD_SSH)
    on(WATCH, "sh", "-c", "sed -i 's/X11Forwarding yes/X11Forwarding no/' " + ROLE)
    (said,) = asked({"fact": "setting", "name": "x11forwarding"})
    assert "sshd has not read" in said
    seen = apply("ssh", "--check")
    assert (seen.code, seen.changed()) == (0, 1), seen.output
    assert apply("ssh").changed() == 1
    assert asked({"fact": "setting", "name": "x11forwarding"}) == ["no"]


def test_settings_that_lock_this_run_out_are_refused_before_anything_is_touched(declared: str) -> None:
    for settings, said in (
        ({"AllowUsers": ["nobody"]}, "it logs in as ops, and AllowUsers would be nobody"),
        ({"DenyGroups": "ops"}, "it logs in as ops, and DenyGroups would be ops"),
        ({"ListenAddress": "192.0.2.1"}, "would listen on 192.0.2.1:22 alone"),
        ({"PubkeyAuthentication": False}, "keys would not be accepted any more"),
    ):
        done = apply("ssh", ssh_settings=settings)
        assert done.code != 0
        assert "these settings lock this run out" in done.output and said in " ".join(done.output.split()), done.output
        assert configuration() == declared


def test_settings_that_sshd_refuses_are_shown_in_its_words(declared: str) -> None:
    done = apply("ssh", ssh_settings={"MaxSesions": 3})
    assert done.code != 0
    assert "%s: line" % ROLE in " ".join(done.output.split()) and "MaxSesions" in done.output, done.output
    assert configuration() == declared


def test_an_sshd_that_does_not_come_back_is_put_back_at_once(declared: str) -> None:
    began = time.monotonic()
    done = apply("ssh", ssh_settings={"ListenAddress": "192.0.2.1"}, ssh_require_login=False)
    assert done.code != 0
    assert "The previous configuration is back" in " ".join(done.output.split()), done.output
    assert gets_in() and time.monotonic() - began < 60
    assert configuration() == declared


def test_a_login_that_is_shut_out_is_let_in_again_and_the_run_says_so(declared: str) -> None:
    done = apply("ssh", ssh_settings={"AllowUsers": ["nobody"]}, ssh_require_login=False, ssh_revert_after=20)
    assert done.code != 0
    assert "The previous settings are back and the host is reachable" in " ".join(done.output.split()), done.output
    assert gets_in()
    assert configuration() == declared


WRONG: tuple[dict[str, t.Any], ...] = (
    {"AllowUsers": ["nobody"]},
    {"DenyUsers": ["ops"]},
    {"AllowGroups": ["nogroup"]},
    {"PubkeyAuthentication": False},
    {"Port": 2222},
    {"ListenAddress": "127.0.0.1"},
    {"ListenAddress": "192.0.2.1"},
    {"AuthorizedKeysFile": "/nowhere"},
    {"PubkeyAcceptedAlgorithms": "rsa-sha2-512"},
    {"MaxStartups": 1, "AllowUsers": "nobody"},
)


def locked_out_and_back(settings: t.Mapping[str, t.Any], before: str) -> bool:
    """Apply `settings` with a controller that is gone afterwards; whether they locked out for a while, and everything is as before."""
    module("sshd_settings", {"settings": {"Port": 22, **settings}, "require_login": False, "revert_after": REVERT_AFTER})
    shut = not gets_in()
    await_(gets_in, seconds=REVERT_AFTER + 15)
    await_(lambda: configuration() == before, seconds=10)
    return shut


def test_ssh_comes_back_by_itself_when_the_run_is_gone(declared: str) -> None:
    assert locked_out_and_back({"AllowUsers": ["nobody"]}, declared), "these settings do not lock out, so this test shows nothing"


def test_ssh_comes_back_twenty_times_of_twenty(declared: str) -> None:
    shut = [locked_out_and_back(WRONG[number % len(WRONG)], declared) for number in range(20)]
    # An address that the host does not have is put back by the module itself.
    assert shut.count(True) >= 16, shut


def test_a_change_that_a_killed_run_left_unconfirmed_is_confirmed_by_the_next(declared: str) -> None:
    on(WATCH, "sh", "-c", "rm %s; " % ROLE + RELOAD_SSH)
    assert module("sshd_settings", {"settings": {"Port": 22}, "revert_after": REVERT_AFTER}).returncode == 0
    assert apply("ssh").code == 0
    time.sleep(REVERT_AFTER + 3)
    assert configuration() == declared


def test_a_boot_before_the_confirmation_takes_the_change_back(declared: str) -> None:
    module("sshd_settings", {"settings": {"Port": 22, "AllowUsers": ["nobody"]}, "require_login": False, "revert_after": 900})
    assert not gets_in(), "these settings do not lock out, so this test shows nothing"
    assert configuration() != declared
    lab("restart", WATCH, timeout=300)
    await_(gets_in, seconds=60)
    await_(lambda: configuration() == declared, seconds=10)
    assert apply("ssh").changed() == 0


@pytest.mark.parametrize(
    ("task", "seconds"),
    [("Let only keys in", 0.2), ("Let only keys in", 0.6), ("Let only keys in", 1.2), ("Open a new connection through the new settings", 0.1)],
)
def test_a_run_killed_in_the_middle_is_taken_up_by_the_next(declared: str, task: str, seconds: float) -> None:
    on(WATCH, "sh", "-c", "rm %s; " % ROLE + RELOAD_SSH)
    variables = json.dumps({"access_role": "ssh", "ssh_revert_after": 20})
    killed(["tests/lab/playbooks/access.yml", "-e", variables], task=task, seconds=seconds, inventory=INVENTORY)
    await_(gets_in, seconds=30)
    assert apply("ssh").code == 0
    assert configuration() == declared
    time.sleep(25)
    assert gets_in()
    assert configuration() == declared, "the timer of the killed run has taken back what the next one confirmed"
    assert apply("ssh", "--check").changed() == 0


COUNTED = 20


@pytest.fixture
def guarded_by_fail2ban(declared: str) -> t.Iterator[None]:
    """fail2ban on, for which the machine that runs Ansible is a stranger."""
    # What the tests before this one were refused is not counted any more.
    time.sleep(COUNTED)
    try:
        done = apply("fail2ban", fail2ban_ignore=[], fail2ban_nginx_jails=[], fail2ban_max_retries=3, fail2ban_find_seconds=COUNTED)
        assert done.code == 0, done.output
        yield
    finally:
        on(WATCH, "sh", "-c", "fail2ban-client unban --all; systemctl disable --now fail2ban; rm -f /etc/fail2ban/jail.d/gonogo.local", check=False)


def test_a_login_that_is_shut_out_and_banned_for_it_is_let_in_again(guarded_by_fail2ban: None, declared: str) -> None:
    done = apply("ssh", ssh_settings={"AllowUsers": ["nobody"]}, ssh_require_login=False, ssh_revert_after=30)
    jail = on(WATCH, "fail2ban-client", "status", "sshd")
    assert re.search(r"Total banned:\s+[1-9]", jail), "nobody was banned, so this test shows nothing: " + jail
    assert done.code != 0
    assert "The previous settings are back and the host is reachable" in " ".join(done.output.split()), done.output
    assert gets_in()
    assert configuration() == declared
    assert on(WATCH, "fail2ban-client", "get", "sshd", "banip").split() == []


def test_established_connections_stay(declared: str) -> None:
    session = ssh("cat", seconds=10)
    assert session.stdin is not None
    assert session.stdout is not None
    print("before", file=session.stdin, flush=True)
    assert session.stdout.readline() == "before\n"
    on(WATCH, "sh", "-c", "rm %s; " % ROLE + RELOAD_SSH)
    assert apply("ssh").changed() == 1
    print("after", file=session.stdin, flush=True)
    assert session.stdout.readline() == "after\n"
    session.stdin.close()
    assert session.wait(timeout=10) == 0


@pytest.fixture
def by_socket(declared: str) -> t.Iterator[None]:
    """sshd started by ssh.socket for what comes in, as Ubuntu 24.04 has it of itself; nothing of the role's is there of the socket."""
    own = on(WATCH, "systemctl", "is-active", "ssh.socket", check=False).strip() == "active"
    on(
        WATCH,
        "sh",
        "-c",
        "systemctl disable --now ssh.service; rm -rf /etc/systemd/system/ssh.socket.d; systemctl daemon-reload; "
        "systemctl enable ssh.socket; systemctl restart ssh.socket",
    )
    try:
        await_(gets_in, seconds=20)
        yield
    finally:
        if not own:
            on(
                WATCH,
                "sh",
                "-c",
                "systemctl disable --now ssh.socket; rm -rf /etc/systemd/system/ssh.socket.d; systemctl daemon-reload; systemctl enable --now ssh.service",
            )


def test_where_a_socket_holds_the_ports_it_gets_the_same_ones(by_socket: None) -> None:
    done = apply("ssh")
    assert (done.code, done.changed()) == (0, 1), done.output
    assert apply("ssh").changed() == 0
    on(
        WATCH,
        "sh",
        "-c",
        "printf '[Socket]\\nListenStream=2222\\n' >/etc/systemd/system/ssh.socket.d/zz-hand.conf; systemctl daemon-reload; "
        "systemctl stop ssh.service; systemctl restart ssh.socket",
    )
    await_(gets_in, seconds=20)
    assert asked({"fact": "ports"}) == [[22, 2222]]
    on(WATCH, "rm", "/etc/systemd/system/ssh.socket.d/zz-hand.conf")
    on(WATCH, "systemctl", "daemon-reload")
    assert apply("ssh").changed() == 1
    assert asked({"fact": "ports"}, {"fact": "methods"}) == [[22], ["publickey"]]


def test_where_a_socket_holds_the_ports_a_wrong_one_is_taken_back(by_socket: None) -> None:
    assert apply("ssh").code == 0
    before = configuration()
    assert locked_out_and_back({"Port": 2222}, before), "this setting does not lock out, so this test shows nothing"
    assert asked({"fact": "ports"}) == [[22]]


def test_it_holds_after_a_reboot(declared: str) -> None:
    lab("restart", WATCH, timeout=300)
    assert not failing() & (SSH | {"fw.ssh.only22"})
    assert apply("ssh").changed() == 0
