"""The people of a host are those who are declared, with exactly their keys and rights; who leaves is gone, and no run goes with them."""

from __future__ import annotations

import json
import pathlib
import subprocess
import typing as t

import pytest

from tests.support import ROOT, play

from .conftest import killed_when, lab, on, outage
from .probing import error, value
from .watching import INVENTORY, WATCH, apply, failing, gets_in, ssh

pytestmark = pytest.mark.long

ITEMS = {"accounts.declared", "accounts.sudo", "accounts.docker", "accounts.uid0", "accounts.passwords", "docker.user.group"}
OPERATOR_COMMANDS = ["/usr/bin/systemctl --no-pager is-active ssh", "/usr/bin/id"]


def lab_key() -> str:
    return (ROOT / ".lab/id_ed25519.pub").read_text().strip()


def ops(**changes: t.Any) -> dict[str, t.Any]:
    return {"name": "ops", "role": "admin", "keys": [lab_key()], **changes}


def deploy() -> dict[str, t.Any]:
    return {"name": "deploy", "role": "deploy", "keys": [lab_key()]}


def access() -> str:
    """Everything that decides who gets in and what they may do."""
    return on(WATCH, "sh", "-c", "cat /etc/passwd /etc/shadow /etc/group; for file in /etc/sudoers.d/* /home/*/.ssh/*; do echo $file; cat $file; done")


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A key of somebody's own."""
    path = tmp_path_factory.mktemp("keys") / "ada"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "ada@laptop", "-f", str(path)], check=True)
    return path


@pytest.fixture(scope="module")
def bare() -> None:
    lab("reset", WATCH, timeout=1200)


@pytest.fixture(scope="module")
def peopled(bare: None) -> str:
    """A host with the people of the lab's inventory."""
    done = apply("accounts")
    assert done.code == 0, done.output
    return access()


@pytest.fixture
def declared(peopled: str) -> t.Iterator[str]:
    yield peopled
    if access() != peopled:
        assert apply("accounts").code == 0


def test_on_a_bare_host_nobody_may_deploy_and_a_dry_run_says_who_would(bare: None) -> None:
    before = access()
    assert "docker.user.group" in failing()
    seen = apply("accounts", "--check", "--diff")
    assert seen.code == 0 and seen.changed() > 0, seen.output
    assert "+ops ALL=(ALL:ALL) NOPASSWD: ALL" in seen.output
    assert "The keys of deploy would be written" in seen.output
    assert access() == before


def test_after_the_role_every_item_passes_and_a_second_run_changes_nothing(peopled: str) -> None:
    assert not failing() & ITEMS
    again = play("playbooks/provision.yml", "--tags", "accounts", inventory=INVENTORY)
    assert (again.code, again.changed()) == (0, 0), again.output
    assert apply("accounts", "--check", "--diff").changed() == 0
    assert access() == peopled
    assert "/etc/sudoers.d/ops" not in peopled, "the role's own file says all of ops"
    assert gets_in() and gets_in("deploy")


def test_what_no_role_may_mend_fails_its_item_alone(declared: str, key: pathlib.Path) -> None:
    usual = failing()
    other = key.with_suffix(".pub").read_text().strip()
    for item, script, mend in (
        ("accounts.declared", "install -d -m 700 /root/.ssh; echo '%s' >/root/.ssh/authorized_keys" % other, "rm /root/.ssh/authorized_keys"),
        ("accounts.docker", "usermod --append --groups docker games", "gpasswd --delete games docker"),
        ("accounts.docker", "usermod --append --groups disk games", "gpasswd --delete games disk"),
    ):
        on(WATCH, "sh", "-c", script)
        assert failing() - usual == {item}, script
        on(WATCH, "sh", "-c", mend)
    assert failing() == usual


def test_what_cloud_init_leaves_to_root_goes_where_root_is_declared_without_keys(declared: str, key: pathlib.Path) -> None:
    command = """command="echo 'Please login as the user \\"debian\\" rather than the user \\"root\\".';echo;sleep 10;exit 142\""""
    line = "no-port-forwarding,no-agent-forwarding,no-X11-forwarding,%s %s" % (command, key.with_suffix(".pub").read_text())
    on(WATCH, "sh", "-c", "install -d -m 700 /root/.ssh; cat >/root/.ssh/authorized_keys", given=line)
    try:
        assert "accounts.declared" in failing()
        users = [ops(), deploy(), {"name": "root", "role": "admin", "keys": []}]
        done = apply("accounts", accounts_users=users)
        assert (done.code, done.changed()) == (0, 1), done.output
        assert on(WATCH, "cat", "/root/.ssh/authorized_keys") == ""
        assert apply("accounts", accounts_users=users).changed() == 0
        assert "accounts.declared" not in failing()
    finally:
        on(WATCH, "rm", "-f", "/root/.ssh/authorized_keys")


def test_everything_at_once_is_asked_of_the_host(declared: str) -> None:
    people = {"people": [], "control": ""}
    found = value(WATCH, "accounts", fact="surplus", declared=people)
    assert [one.partition(" SHA256")[0] for one in found] == [
        "key of deploy: ssh-ed25519",
        "key of ops: ssh-ed25519",
        "sudo of ops: ALL",
        "deploy in group docker",
    ]
    assert "nobody is declared" in error(WATCH, "accounts", fact="missing", declared=people)
    assert value(WATCH, "accounts", fact="password_logins") == []


def test_who_leaves_is_gone_with_processes_keys_jobs_and_rights(declared: str, key: pathlib.Path) -> None:
    public = key.with_suffix(".pub").read_text().strip()
    ada = {"name": "ada", "role": "admin", "comment": "Ada Lovelace", "keys": [public]}
    done = apply("accounts", accounts_users=[ops(), deploy(), ada])
    assert done.code == 0, done.output
    assert gets_in("ada", str(key))
    session = ssh("sudo -n true && echo root && exec sleep 600", user="ada", key=str(key), seconds=10)
    assert session.stdout is not None and session.stdout.readline() == "root\n"
    script = "nohup sleep 600 >/dev/null 2>&1 & echo '* * * * * true' | crontab - 2>/dev/null; echo mine >~/file"
    on(WATCH, "su", "ada", "-c", script, check=False)
    seen = apply("accounts", "--check")
    assert seen.code == 0 and seen.changed() > 0, seen.output
    assert "ada" in on(WATCH, "id", "ada")
    done = apply("accounts")
    assert done.code == 0, done.output
    assert session.wait(timeout=10) != 0
    assert (
        on(WATCH, "sh", "-c", "id ada 2>&1; pgrep -U 1002; ls /var/spool/cron/crontabs; grep -r ada /etc/sudoers.d /etc/group", check=False)
        .split("\n")[0]
        .endswith("no such user")
    )
    assert "ada" not in on(WATCH, "sh", "-c", "cat /etc/passwd /etc/shadow /etc/group /etc/sudoers.d/zz-gonogo; ls /var/spool/cron/crontabs")
    assert on(WATCH, "pgrep", "--full", "sleep 600", check=False) == ""
    assert on(WATCH, "stat", "--format", "%U %G %a", "/home/ada").split() == ["root", "root", "700"]
    assert on(WATCH, "cat", "/home/ada/file") == "mine\n"
    assert "authorized_keys" not in on(WATCH, "ls", "-A", "/home/ada/.ssh", check=False)
    assert not gets_in("ada", str(key))
    assert apply("accounts").changed() == 0
    on(WATCH, "rm", "-r", "/home/ada")


def test_who_comes_back_gets_in_again_and_has_the_home_of_before(declared: str, key: pathlib.Path) -> None:
    ada = {"name": "ada", "keys": [key.with_suffix(".pub").read_text().strip()]}
    assert apply("accounts", accounts_users=[ops(), deploy(), ada]).code == 0
    on(WATCH, "su", "ada", "-c", "echo mine >~/file")
    assert apply("accounts").code == 0
    assert on(WATCH, "stat", "--format", "%U", "/home/ada").strip() == "root"
    seen = apply("accounts", "--check", accounts_users=[ops(), deploy(), ada])
    assert seen.code == 0 and seen.changed() > 0, seen.output
    done = apply("accounts", accounts_users=[ops(), deploy(), ada])
    assert done.code == 0, done.output
    assert on(WATCH, "stat", "--format", "%U %G", "/home/ada", "/home/ada/.ssh").split() == ["ada"] * 4
    assert gets_in("ada", str(key))
    assert apply("accounts", accounts_users=[ops(), deploy(), ada]).changed() == 0
    # The same by hand, with the account there.
    on(WATCH, "chown", "root:root", "/home/ada", "/home/ada/.ssh")
    assert not gets_in("ada", str(key))
    assert apply("accounts", "--check", accounts_users=[ops(), deploy(), ada]).changed() > 0
    assert apply("accounts", accounts_users=[ops(), deploy(), ada]).code == 0
    assert gets_in("ada", str(key))
    assert apply("accounts", accounts_remove_home=True).code == 0


def test_without_package_sources_who_leaves_is_taken_away_and_what_is_missing_is_named(declared: str, key: pathlib.Path) -> None:
    ada = {"name": "ada", "keys": [key.with_suffix(".pub").read_text().strip()]}
    assert apply("accounts", accounts_users=[ops(), deploy(), ada]).code == 0
    with outage(WATCH):
        done = play("playbooks/provision.yml", "--tags", "accounts", "-e", '{"accounts_remove_home": true}', inventory=INVENTORY)
        assert done.code == 0, done.output
        assert "ada" not in access()
        assert apply("accounts").changed() == 0
        on(WATCH, "dpkg", "--remove", "--force-depends", "procps")
        done = apply("accounts")
        said = " ".join(done.output.split())
        assert done.code != 0 and "procps could not be installed, and what runs was left alone" in said and "os_apt_mirror" in said, done.output
        assert access() == declared
    done = apply("accounts")
    assert (done.code, done.changed()) == (0, 1), done.output


def test_the_home_of_who_leaves_goes_where_that_is_wanted(declared: str, key: pathlib.Path) -> None:
    ada = {"name": "ada", "keys": [key.with_suffix(".pub").read_text().strip()]}
    assert apply("accounts", accounts_users=[ops(), deploy(), ada]).code == 0
    assert apply("accounts", accounts_remove_home=True).code == 0
    assert on(WATCH, "ls", "/home").split() == ["deploy", "ops"]


def test_an_account_that_somebody_else_made_is_named_left_alone_and_taken_away_when_declared_absent(declared: str, key: pathlib.Path) -> None:
    public = key.with_suffix(".pub").read_text().strip()
    script = "useradd --create-home eve && install -d -o eve -m 700 /home/eve/.ssh && echo '%s' >/home/eve/.ssh/authorized_keys" % public
    on(WATCH, "sh", "-c", script)
    usual = {"accounts.declared"}
    assert failing() & ITEMS == usual
    assert apply("accounts").changed() == 0
    assert "eve" in on(WATCH, "id", "eve")
    done = apply("accounts", accounts_users=[ops(), deploy(), {"name": "eve", "state": "absent"}], accounts_remove_home=True)
    assert done.code == 0, done.output
    assert "eve" not in access()
    assert not failing() & ITEMS


def test_an_account_of_the_system_is_never_taken_away(declared: str) -> None:
    done = apply("accounts", accounts_users=[ops(), deploy(), {"name": "www-data", "state": "absent"}])
    assert done.code != 0
    assert "nothing takes an account of the system away" in " ".join(done.output.split())
    assert access() == declared


def test_an_operator_may_do_what_is_listed_and_nothing_else(declared: str, key: pathlib.Path) -> None:
    grace = {"name": "grace", "role": "operator", "keys": [key.with_suffix(".pub").read_text().strip()]}
    done = apply("accounts", accounts_users=[ops(), deploy(), grace], accounts_operator_commands=OPERATOR_COMMANDS)
    assert done.code == 0, done.output

    def may(command: str) -> bool:
        return ssh("sudo -n %s" % command, user="grace", key=str(key), seconds=10).wait(timeout=30) == 0

    assert may("/usr/bin/systemctl --no-pager is-active ssh") and may("/usr/bin/id")
    for command in (
        "/usr/bin/id root",
        "/usr/bin/systemctl --no-pager is-active ssh cron",
        "/usr/bin/systemctl --no-pager restart ssh",
        "-s",
        "/bin/sh -c true",
    ):
        assert not may(command), command
    assert apply("accounts", accounts_users=[ops(), deploy(), grace], accounts_operator_commands=OPERATOR_COMMANDS).changed() == 0


def test_a_run_does_not_take_its_own_login_away(declared: str, key: pathlib.Path) -> None:
    public = key.with_suffix(".pub").read_text().strip()
    ada = {"name": "ada", "role": "admin", "keys": [public]}
    for users, said in (
        ([ada, ops(keys=[public])], "takes the key SHA256:"),
        ([ada, ops(role="operator")], "role operator may not do everything"),
        ([ada, {"name": "ops", "state": "absent"}], "takes the account ops away"),
        ([ada], "takes sudo from ops"),
        ([ada, ops(sudo_asks=True)], "has sudo ask for the password of ops"),
    ):
        done = apply("accounts", accounts_users=users, accounts_operator_commands=OPERATOR_COMMANDS)
        assert done.code != 0
        assert "accounts_users locks this run out" in done.output and said in " ".join(done.output.split()), done.output
        assert access() == declared


def test_a_mistake_is_named_before_any_host_is_touched(declared: str, tmp_path: pathlib.Path) -> None:
    users = tmp_path / "users.json"
    users.write_text('{"accounts_users": [{"name": "Ada", "keys": ["ssh-rsa AAAA"]}]}')
    done = play("playbooks/provision.yml", "--tags", "accounts", "-e", "@%s" % users, inventory=INVENTORY)
    assert done.code != 0
    assert "no host was touched" in done.output and "entry 1 has name 'Ada'" in done.output, done.output


def test_a_run_that_was_killed_is_finished_by_the_next_one(declared: str, key: pathlib.Path) -> None:
    """Killed as soon as the rights of a new account are written, and as soon as one that goes has expired."""
    users = [ops(), deploy(), {"name": "ada", "role": "admin", "keys": [key.with_suffix(".pub").read_text().strip()]}]

    def command(**variables: t.Any) -> list[str]:
        given = json.dumps({"access_role": "accounts", **variables})
        return ["ansible-playbook", "tests/lab/playbooks/access.yml", "-i", INVENTORY, "-e", given]

    killed_when(command(accounts_users=users), lambda: on(WATCH, "grep", "-s", "^ada ", "/etc/sudoers.d/zz-gonogo", check=False))
    assert not gets_in("ada", str(key)), "the run had come to its end"
    assert apply("accounts", accounts_users=users).code == 0
    assert gets_in("ada", str(key))
    assert apply("accounts", accounts_users=users).changed() == 0

    killed_when(command(accounts_remove_home=True), lambda: on(WATCH, "sh", "-c", "getent shadow ada | cut -d: -f8").strip())
    assert "ada" in on(WATCH, "id", "ada"), "the run had come to its end"
    assert not gets_in("ada", str(key))
    assert apply("accounts", accounts_remove_home=True).code == 0
    assert access() == declared
    assert apply("accounts").changed() == 0


def test_a_run_that_is_killed_once_the_account_is_gone_leaves_its_home_to_nobody(declared: str, key: pathlib.Path) -> None:
    ada = {"name": "ada", "role": "admin", "keys": [key.with_suffix(".pub").read_text().strip()]}
    assert apply("accounts", accounts_users=[ops(), deploy(), ada]).code == 0
    given = json.dumps({"access_role": "accounts", "accounts_remove_home": False})
    command = ["ansible-playbook", "tests/lab/playbooks/access.yml", "-i", INVENTORY, "-e", given]
    try:
        killed_when(command, lambda: not on(WATCH, "getent", "passwd", "ada", check=False).strip())
        assert on(WATCH, "stat", "--format", "%U %G %a", "/home/ada").strip() == "root root 700"
        assert apply("accounts").code == 0
        assert access() == declared
        assert apply("accounts").changed() == 0
    finally:
        on(WATCH, "rm", "-rf", "/home/ada")


def test_an_interrupted_removal_is_finished_by_the_next_run(declared: str, key: pathlib.Path) -> None:
    ada = {"name": "ada", "role": "admin", "keys": [key.with_suffix(".pub").read_text().strip()]}
    assert apply("accounts", accounts_users=[ops(), deploy(), ada]).code == 0
    on(WATCH, "sh", "-c", "rm /home/ada/.ssh/authorized_keys; usermod --expiredate 1 --lock ada")
    assert apply("accounts", accounts_remove_home=True).code == 0
    assert "ada" not in access()
    assert access() == declared
