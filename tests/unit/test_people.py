# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The list accounts_users: one host's people, and a sentence about every mistake that somebody can make in it."""

from __future__ import annotations

import json

import pytest

from ansible_collections.gonogo.preflight.plugins.module_utils._people import PeopleError, people_of, person_from

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPyGAuYVnKZ/Ib0vdqxLo8Z1v+pJatceVNFNa0WJ/zsj ada@laptop"
GROUPS = {"all": ["app1", "db1"], "app": ["app1"], "db": ["db1"]}
ADA = {"name": "ada", "role": "admin", "keys": [KEY], "comment": "Ada Lovelace"}
RESTART = "/usr/bin/systemctl --no-pager restart nginx"


def people(*users, host="app1", commands=(RESTART,)):
    return people_of(list(users), host=host, groups=GROUPS, operator_commands=list(commands))


def refused(*users, commands=(RESTART,)):
    with pytest.raises(PeopleError) as raised:
        people(*users, commands=commands)
    return str(raised.value)


def test_root_may_be_declared_without_keys_and_is_then_nobodys_admin():
    root = {"name": "root", "role": "admin", "keys": []}
    (_ada, found) = people(ADA, root)
    assert (found.name, found.keys, found.present) == ("root", (), True)
    assert "nobody with role admin on app1" in refused(root)


def test_a_role_says_what_somebody_may_do():
    grace = {"name": "grace", "role": "operator", "keys": [KEY], "groups": ["systemd-journal"]}
    deploy = {"name": "deploy", "role": "deploy", "hosts": "app"}
    eve = {"name": "eve", "keys": [KEY], "shell": "/bin/sh"}
    found = {one.name: one for one in people(ADA, grace, deploy, eve)}
    assert list(found) == ["ada", "grace", "deploy", "eve"]
    assert (found["ada"].commands, found["ada"].groups, found["ada"].comment) == (("ALL",), (), "Ada Lovelace")
    assert (found["grace"].commands, found["grace"].groups) == ((RESTART,), ("systemd-journal",))
    assert (found["deploy"].commands, found["deploy"].groups, found["deploy"].keys) == ((), ("docker",), ())
    assert (found["eve"].commands, found["eve"].shell) == ((), "/bin/sh")
    assert [one.name for one in people(ADA, deploy, host="db1")] == ["ada"]


def test_a_person_travels_as_plain_data():
    for person in people(ADA, {"name": "gone", "state": "absent"}):
        assert person_from(json.loads(json.dumps(person.data()))) == person


def test_a_person_may_be_declared_for_two_groups_of_hosts():
    elsewhere = {"name": "grace", "hosts": "db", "keys": [KEY]}
    assert [one.role for one in people(ADA, {"name": "grace", "hosts": "app", "role": "deploy"}, elsewhere)] == ["admin", "deploy"]


def test_nobody_declared_is_nobody():
    assert people() == []
    assert [one.present for one in people({"name": "gone", "state": "absent"})] == [False]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"name": "Ada"}, "entry 1 has name 'Ada'; it is up to 32 small letters"),
        ({"name": "ada.lovelace"}, "entry 1 has name 'ada.lovelace'"),
        ({"name": "-ada"}, "begins with a letter"),
        ({"name": "a" * 33}, "up to 32"),
        ({"name": "ada\nmallory ALL=(ALL) ALL"}, "entry 1 has name"),
        ({"name": "1ada"}, "entry 1 has name"),
        ({"name": 7}, "entry 1 has name 7"),
        ({"name": None}, "entry 1 has name None"),
        ({"rolle": "admin"}, "ada has the unknown key 'rolle'; the keys are name, state, role"),
        ({"role": "boss"}, "ada has role 'boss'; it is one of login, admin, operator, deploy"),
        ({"state": "gone"}, "ada has state 'gone'; it is one of present, absent"),
        ({"hosts": "web"}, "ada has hosts 'web', which is no group of the inventory"),
        ({"hosts": ["app"]}, "ada has hosts ['app']"),
        ({"keys": []}, "ada has no key, and could not log in"),
        ({"keys": KEY}, "ada has keys that are no list"),
        ({"keys": [KEY, "ssh-rsa AAAA"]}, "ada has key 2, which has damaged data"),
        ({"keys": ["-----BEGIN OPENSSH PRIVATE KEY-----"]}, "ada has key 1, which is a private key"),
        ({"keys": [KEY, KEY.replace("laptop", "desk")]}, "ada has key 2 twice"),
        ({"keys": [None]}, "ada has key 1, which is not one line"),
        ({"groups": ["docker"]}, "ada has the group docker, whose members are as good as root"),
        ({"groups": ["sudo"]}, "rights come with a role"),
        ({"groups": ["a b"]}, "ada has the group 'a b'"),
        ({"groups": "sudo"}, "ada has groups 'sudo'; it is a list"),
        ({"comment": "Ada: admin"}, "without a colon"),
        ({"comment": "Ada\nroot"}, "ada has comment"),
        ({"shell": "bash"}, "ada has shell 'bash'; it is the path"),
        ({"shell": "/bin/bash\n"}, "ada has shell"),
        ({"sudo_asks": "yes"}, "ada has sudo_asks 'yes'; it is true or false"),
        ({"role": "deploy"}, "nobody with role admin on app1"),
        ({"name": "root", "role": "login"}, "root has role admin, and no groups"),
        ({"name": "root", "groups": ["systemd-journal"]}, "root has role admin, and no groups"),
        ({"name": "root", "state": "absent"}, "root cannot be absent"),
    ],
)
def test_a_mistake_is_named_with_its_person_and_what_is_right(changes, said):
    message = refused({**ADA, **changes})
    assert said in message
    assert message.startswith("accounts_users")
    assert "PRIVATE" not in message


@pytest.mark.parametrize(
    ("users", "said"), [({"ada": {}}, "it is a list of people"), (["ada"], "entry 1 is 'ada'"), ([None], "entry 1 is None"), ("ada", "it is a list")]
)
def test_what_is_no_list_of_people_is_refused(users, said):
    with pytest.raises(PeopleError) as raised:
        people_of(users, host="app1", groups=GROUPS)
    assert said in str(raised.value)


def test_a_person_who_is_there_twice_is_refused():
    assert "ada is there twice for app1" in refused(ADA, dict(ADA, hosts="app"))


def test_a_mistake_in_an_entry_for_other_hosts_is_named_too():
    assert "grace has role 'boss'" in refused(ADA, {"name": "grace", "role": "boss", "hosts": "db", "keys": [KEY]})


def test_an_operator_without_commands_is_refused():
    assert "accounts_operator_commands is empty" in refused(ADA, {"name": "grace", "role": "operator", "keys": [KEY]}, commands=())


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("ALL", "begins with /"),
        ("systemctl restart nginx", "begins with /"),
        ("/usr/bin/systemctl --no-pager restart *", "* would stand for spaces"),
        ("/usr/bin/tail /var/log/[a-z]*", "written in full"),
        ("/usr/bin/id, /bin/sh -c id", "written in full"),
        ("/usr/bin/tail /var/log/syslog\nmallory ALL=(ALL) ALL", "written in full"),
        ("/bin/bash", "a shell of root"),
        ("/usr/bin/vim /etc/hosts", "a shell of root"),
        ("/usr/bin/python3.12 -c pass", "a shell of root"),
        ("/usr/bin/systemctl status nginx", "opens a pager"),
        ("/usr/bin/journalctl --unit nginx", "add --no-pager"),
        ("!/usr/bin/id", "begins with /"),
        (7, "accounts_operator_commands has 7"),
    ],
)
def test_a_command_that_is_more_than_it_looks_is_refused(command, said):
    message = refused(ADA, commands=[command])
    assert said in message and message.startswith("accounts_operator_commands")


@pytest.mark.parametrize(
    "command", [RESTART, "/usr/bin/uptime", "/usr/bin/docker compose --project-name app ps", "/usr/bin/tail --lines=50 /var/log/nginx/error.log"]
)
def test_commands_with_their_arguments_are_taken(command):
    assert people(ADA, {"name": "grace", "role": "operator", "keys": [KEY]}, commands=[command])[1].commands == (command,)


def test_commands_are_a_list():
    with pytest.raises(PeopleError, match="it is a list such as"):
        people_of([ADA], host="app1", groups=GROUPS, operator_commands="/usr/bin/uptime")
