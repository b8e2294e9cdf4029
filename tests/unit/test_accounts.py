# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Accounts, sudo and keys of a host: read, compared with its people, and never changed so that a run locks itself out."""

from __future__ import annotations

import os
import stat

import pytest

from ansible_collections.gonogo.preflight.plugins.module_utils import _accounts_host, _sshd_files
from ansible_collections.gonogo.preflight.plugins.module_utils._accounts import (
    AccountsError,
    Grant,
    parse_accounts,
    parse_sources,
    parse_sudoers,
    rights,
    speaks_of,
)
from ansible_collections.gonogo.preflight.plugins.module_utils._accounts_host import read_state
from ansible_collections.gonogo.preflight.plugins.module_utils._accounts_plan import SUDOERS, State, plan, refuse_lockout, sudoers_text
from ansible_collections.gonogo.preflight.plugins.module_utils._authorized_keys import parse_key
from ansible_collections.gonogo.preflight.plugins.module_utils._people import people_of
from ansible_collections.gonogo.preflight.plugins.module_utils._probes import _accounts as probe
from ansible_collections.gonogo.preflight.plugins.module_utils._probes._base import ProbeError
from ansible_collections.gonogo.preflight.plugins.module_utils._ssh_login import Accepted

PASSWD = """root:x:0:0:root:/root:/bin/bash
daemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin
ops:x:1000:1000::/home/ops:/bin/bash
ada:x:1001:1001:Ada Lovelace:/home/ada:/bin/bash
grace:x:1002:1002::/home/grace:/bin/bash
nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin
"""
SHADOW = """root:*:20000:0:99999:7:::
daemon:*:20000:0:99999:7:::
ops:!:20000:0:99999:7:::
ada:$y$j9T$abc$def:20000:0:99999:7:::
grace::20000:0:99999:7::20001:
nobody:*:20000:0:99999:7:::
"""
GROUP = """root:x:0:
daemon:x:1:
sudo:x:27:ops,gone
docker:x:998:grace
ops:x:1000:
ada:x:1001:
grace:x:1002:
systemd-journal:x:101:
gonogo-people:x:997:grace
nogroup:x:65534:
"""
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPyGAuYVnKZ/Ib0vdqxLo8Z1v+pJatceVNFNa0WJ/zsj ada@laptop"
FINGERPRINT = "SHA256:MJRmTaWN1m+M7cr0/CVI7Gtsn4Icn+XtMLjl4E7NitU"
OTHER = (
    "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBCYnzMMNhcddTQ52ZO/"
    "lvo0yFXB7pvGKbCZ7StELFTYAQaK/riU7ejj4gSY3I5sCLvFTm3NjMB9Uj1ecRe58qy8= other"
)
DRIFT = 'from="192.0.2.13",restrict %s gonogo-drift' % KEY.rpartition(" ")[0]
RESTART = "/usr/bin/systemctl --no-pager restart nginx"
GROUPS = {"all": ["app1"]}
OPS = {"name": "ops", "role": "admin", "keys": [KEY]}


def accounts(passwd=PASSWD, shadow=SHADOW, group=GROUP):
    return parse_accounts(passwd, shadow, group)


def people(*users):
    return people_of(list(users), host="app1", groups=GROUPS, operator_commands=[RESTART])


# The files


def test_accounts_are_read_with_their_groups_and_passwords():
    found = accounts()
    assert {name: one.password for name, one in found.accounts.items() if one.uid in (0, 1000, 1001, 1002)} == {
        "root": "none",
        "ops": "none",
        "ada": "usable",
        "grace": "empty",
    }
    assert found.groups_of("grace") == ["docker", "gonogo-people"]
    assert found.in_group("sudo") == ["ops"], "an account that is not there any more is nobody"
    assert found.in_group("ada") == ["ada"], "a group that is theirs in passwd"
    assert found.in_group("wheel") == []
    assert found.with_uid(0) == ["root"]
    assert (found.accounts["ops"].expires, found.accounts["grace"].expires) == (None, 20001 * 86400.0)


def test_a_password_in_passwd_itself_counts():
    found = accounts(passwd=PASSWD.replace("ops:x:", "ops::").replace("ada:x:", "ada:$6$x$y:"), shadow=SHADOW.replace("ada:$y$j9T$abc$def", "ada:!"))
    assert (found.accounts["ops"].password, found.accounts["ada"].password) == ("empty", "usable")


@pytest.mark.parametrize(
    "files",
    [
        {"passwd": ""},
        {"passwd": PASSWD.replace("root", "toor", 1)},
        {"passwd": PASSWD + "+::::::\n"},
        {"passwd": PASSWD + "eve:x:1003\n"},
        {"passwd": PASSWD.replace(":1001:1001:", ":one:1001:")},
        {"shadow": ""},
        {"shadow": "<html>"},
        {"shadow": SHADOW.replace("20001", "soon")},
        {"group": "\0\0\0"},
        {"group": GROUP.replace(":27:", "::")},
    ],
)
def test_files_that_nobody_could_log_in_by_are_an_error(files):
    with pytest.raises(AccountsError):
        accounts(**files)


@pytest.mark.parametrize(
    ("text", "others"),
    [
        ("passwd: files systemd\ngroup: files ldap\n", []),
        ("# x\npasswd:\t\tcompat # ldap\n", []),
        ("passwd: files [NOTFOUND=return] sss\n", ["sss"]),
        ("passwd: ldap files\n", ["ldap"]),
    ],
)
def test_other_sources_of_accounts_are_named(text, others):
    assert parse_sources(text) == others


@pytest.mark.parametrize("text", ["", "group: files\n", "<html>", "\0"])
def test_no_source_of_accounts_is_an_error(text):
    with pytest.raises(AccountsError):
        parse_sources(text)


# sudo


@pytest.mark.parametrize("name", ["cvtsudoers-1.9.16p2-debian13-aliases", "cvtsudoers-1.9.15p5-ubuntu24.04-aliases"])
def test_grants_of_sudo(captured, name):
    found = parse_sudoers(captured(name))
    assert Grant(("username", "ada"), ("ALL",)) in found and Grant(("username", "grace"), ("ALL",)) in found
    assert Grant(("username", "bob"), (RESTART, "/usr/bin/journalctl", "/usr/bin/tee /etc/a:b")) in found, "what is forbidden is not allowed"
    assert Grant(("userid", "1003"), ("ALL",)) in found and Grant(("usergid", "27"), ("/bin/ls",)) in found
    assert Grant(("username", "ALL"), ("/bin/true",)) in found
    assert [one.who for one in found].count(("username", "eve")) == 1, "an exception is no grant"


def test_the_grants_of_a_bare_host(captured):
    assert parse_sudoers(captured("cvtsudoers-1.9.16p2-debian13-default")) == [Grant(("username", "root"), ("ALL",)), Grant(("usergroup", "sudo"), ("ALL",))]
    assert rights(parse_sudoers(captured("cvtsudoers-1.9.16p2-debian13-default")), accounts()) == {"ops": ["ALL"]}


@pytest.mark.parametrize("text", ["", "\n", "null", "[]", "{", '{"User_Specs": [{}]}', '{"User_Specs": [{"User_List": 1}]}', "sudo: no sudoers", "\0"])
def test_what_is_no_answer_of_cvtsudoers_is_an_error(text):
    with pytest.raises(AccountsError):
        parse_sudoers(text)


def test_rights_are_those_of_accounts():
    grants = [
        Grant(("username", "ALL"), ("/bin/true",)),
        Grant(("username", "unknown"), ("ALL",)),
        Grant(("userid", "1001"), ("/bin/a",)),
        Grant(("userid", "0"), ("ALL",)),
        Grant(("usergid", "998"), ("/bin/b",)),
        Grant(("netgroup", "admins"), ("/bin/c",)),
        Grant(("usergroup", "sudo"), ("ALL", "/bin/d")),
        Grant(("usergroup", "nobody-is-in-it"), ("ALL",)),
    ]
    assert rights(grants, accounts()) == {
        "everybody": ["/bin/true"],
        "ada": ["/bin/a"],
        "grace": ["/bin/b"],
        "netgroup admins": ["/bin/c"],
        "ops": ["ALL", "/bin/d"],
    }


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("", set()),
        ('{"User_Specs": [{"User_List": [{"username": "ops"}], "Cmnd_Specs": []}]}', {"ops"}),
        ('{"User_Specs": [{"User_List": [{"username": "ops"}, {"usergroup": "sudo"}]}]}', None),
        ('{"User_Specs": [{"User_List": [{"username": "ALL"}]}]}', None),
        ('{"User_Specs": [{"User_List": [{"username": "ops", "negated": true}]}]}', None),
        ('{"Defaults": [], "User_Specs": [{"User_List": [{"username": "ops"}]}]}', None),
    ],
)
def test_whom_a_file_of_sudo_speaks_of(text, names):
    assert speaks_of(text) == names


def test_a_file_of_sudo_that_nobody_understands_is_an_error():
    with pytest.raises(AccountsError):
        speaks_of("{")


def test_rights_are_written_with_exactly_their_arguments():
    ada, grace = {"name": "ada", "role": "operator", "keys": [KEY]}, {"name": "grace", "role": "admin", "keys": [OTHER], "sudo_asks": True}
    found = people_of([OPS, ada, grace], host="app1", groups=GROUPS, operator_commands=[RESTART, "/usr/bin/uptime", "/usr/bin/x a=b:c,d"])
    assert sudoers_text(found).splitlines()[1:] == [
        "ops ALL=(ALL:ALL) NOPASSWD: ALL",
        'ada ALL=(root) NOPASSWD: %s, /usr/bin/uptime "", /usr/bin/x a\\=b\\:c\\,d' % RESTART,
        "grace ALL=(ALL:ALL) PASSWD: ALL",
    ]
    assert sudoers_text(people(dict(OPS, name="root"))) == ""


# The difference


def state(**changes):
    found = {
        "accounts": accounts(),
        "keys": {"ops": [KEY]},
        "sudoers": sudoers_text(people(OPS)),
        "foreign": {},
        "included": True,
        "homes": {},
        "shells": {"/bin/bash"},
        "uid_min": 1000,
        "now": 20000 * 86400.0,
    }
    return State(**{**found, **changes})


ALONE = accounts(passwd=PASSWD.replace("grace:x:1002:1002::/home/grace:/bin/bash\n", ""), group=GROUP.replace(":grace", ":").replace("ops,gone", ""))


def test_what_is_as_declared_needs_nothing():
    todo = plan(state(accounts=ALONE), people(OPS))
    assert (todo.reasons, todo.groups, todo.sudoers, todo.users, todo.authorized, todo.surplus, todo.gone) == ([], [], None, [], [], [], [])


def test_nobody_declared_on_a_host_where_nobody_was_made_needs_nothing():
    assert plan(state(accounts=ALONE, sudoers="", keys={}), []).reasons == []


def test_a_new_person_gets_account_keys_rights_and_the_mark_of_who_made_it():
    todo = plan(state(accounts=ALONE, shells={"/bin/bash", "/bin/sh"}), people(OPS, {"name": "deploy", "role": "deploy", "keys": [OTHER], "shell": "/bin/sh"}))
    assert todo.users == [{"name": "deploy", "comment": "", "shell": "/bin/sh", "groups": ["docker", "gonogo-people"], "new": True}]
    assert todo.authorized == [{"user": "deploy", "key": OTHER + "\n", "new": True}]
    assert todo.reasons == ["account deploy is missing", "authorized keys of deploy differ"]
    assert todo.sudoers is None and todo.groups == []
    bare = accounts(passwd=PASSWD, group=GROUP.replace("docker:x:998:grace\n", "").replace("gonogo-people:x:997:grace\n", ""))
    todo = plan(state(accounts=bare), people(OPS, {"name": "deploy", "role": "deploy"}))
    assert todo.groups == ["docker", "gonogo-people"]


def test_an_account_that_others_made_is_taken_over_without_the_mark():
    bare = parse_accounts(PASSWD, SHADOW, GROUP.replace("997:grace", "997:").replace("998:grace", "998:"))
    todo = plan(state(accounts=bare, sudoers="", keys={}), people(OPS))
    assert todo.users == [{"name": "ops", "comment": "", "shell": "/bin/bash", "groups": [], "new": False}], "group sudo is no declared one"
    assert todo.sudoers == sudoers_text(people(OPS))
    assert todo.authorized == [{"user": "ops", "key": KEY + "\n", "new": False}]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"shell": "/bin/sh"}, "account ada: shell /bin/bash instead of /bin/sh"),
        ({"comment": "Countess"}, "account ada: comment differs"),
        ({"groups": ["systemd-journal"]}, "account ada: groups none instead of systemd-journal"),
        ({"role": "deploy"}, "account ada: groups none instead of docker"),
    ],
)
def test_what_differs_of_an_account_is_named(changes, reason):
    ada = {"name": "ada", "keys": [OTHER], **changes}
    todo = plan(state(accounts=ALONE, shells={"/bin/bash", "/bin/sh"}, keys={"ops": [KEY], "ada": [OTHER]}), people(OPS, ada))
    assert todo.reasons == [reason]


def test_an_account_that_has_expired_is_revived():
    late = state(keys={"ops": [KEY], "grace": [OTHER]}, now=20002 * 86400.0, accounts=accounts(group=GROUP.replace("ops,gone", "")))
    assert plan(late, people(OPS, {"name": "grace", "role": "deploy", "keys": [OTHER]})).reasons == ["account grace: has expired"]


@pytest.mark.parametrize("lines", [[], [KEY, OTHER], [KEY, "nonsense"], [KEY.replace("laptop", "desk")], ["no-pty " + KEY], [KEY, KEY]])
def test_keys_are_exactly_the_declared_ones(lines):
    todo = plan(state(accounts=ALONE, keys={"ops": lines}), people(OPS))
    assert todo.reasons == ["authorized keys of ops differ"]
    assert todo.authorized == [{"user": "ops", "key": KEY + "\n", "new": False}]


def test_the_key_of_the_control_host_stays_and_no_other_one_that_looks_like_it():
    assert plan(state(accounts=ALONE, keys={"ops": [KEY, DRIFT]}), people(OPS), "192.0.2.13").reasons == []
    for control in ("", "192.0.2.99"):
        assert plan(state(accounts=ALONE, keys={"ops": [KEY, DRIFT]}), people(OPS), control).reasons == ["authorized keys of ops differ"]
    for line in (DRIFT.replace(",restrict", ""), DRIFT.replace("gonogo-drift", "drift"), DRIFT.replace('from="192.0.2.13",', "")):
        assert plan(state(accounts=ALONE, keys={"ops": [KEY, line]}), people(OPS), "192.0.2.13").reasons == ["authorized keys of ops differ"]
    kept = plan(state(accounts=ALONE, keys={"ops": [DRIFT]}), people(OPS), "192.0.2.13").authorized
    assert kept == [{"user": "ops", "key": "%s\n%s\n" % (KEY, DRIFT), "new": False}]


CLOUD_INIT = """no-port-forwarding,command="echo 'Please login as the user \\"debian\\" rather than the user \\"root\\".';echo;sleep 10;exit 142" """ + KEY


@pytest.mark.parametrize("lines", [[CLOUD_INIT], [KEY], ["nonsense"]])
def test_root_declared_without_keys_loses_what_it_has(lines):
    root = {"name": "root", "role": "admin", "keys": []}
    todo = plan(state(accounts=ALONE, keys={"ops": [KEY], "root": lines}), people(OPS, root))
    assert todo.authorized == [{"user": "root", "key": "", "new": False}]
    assert todo.reasons == ["authorized keys of root differ"]
    assert (todo.users, todo.homes, todo.sudoers) == ([], [], None)
    assert plan(state(accounts=ALONE, keys={"ops": [KEY], "root": []}), people(OPS, root)).reasons == []
    # Who logs in as root by that key goes on doing so.
    assert "from root, by which it logged in" in locked_out([OPS, root], login="root", keys={"ops": [KEY], "root": [KEY]})


def test_a_home_that_is_not_its_owners_is_given_back():
    homes = {"/home/ops": 0, "/home/ops/.ssh": 1002}
    todo = plan(state(accounts=ALONE, homes={"ops": homes}), people(OPS))
    assert todo.homes == [{"path": path, "user": "ops", "gid": 1000, "new": False} for path in homes]
    assert todo.reasons == ["/home/ops does not belong to ops", "/home/ops/.ssh does not belong to ops"]
    assert todo.users == [] and todo.authorized == []
    own = plan(state(accounts=ALONE, homes={"ops": {"/home/ops": 1000, "/home/ops/.ssh": 0}}), people(OPS))
    assert [one["path"] for one in own.homes] == ["/home/ops/.ssh"]
    assert plan(state(accounts=ALONE, homes={"ops": dict.fromkeys(homes, 1000)}), people(OPS)).reasons == []


def test_who_comes_back_gets_the_home_that_was_kept():
    todo = plan(state(accounts=ALONE, homes={"eve": {"/home/eve": 0, "/home/eve/.ssh": 4711}}), people(OPS, {"name": "eve", "keys": [OTHER]}))
    assert todo.homes == [{"path": path, "user": "eve", "gid": None, "new": True} for path in ("/home/eve", "/home/eve/.ssh")]


def test_a_home_that_belongs_to_somebody_else_is_taken_from_nobody():
    with pytest.raises(AccountsError, match="ops has the home /home/ops, which belongs to ada"):
        plan(state(accounts=ALONE, homes={"ops": {"/home/ops": 1001, "/home/ops/.ssh": 1001}}), people(OPS))
    # The number of who went was given to somebody else; the home is its owner's all the same.
    todo = plan(state(accounts=ALONE, homes={"ops": {"/home/ops": 1000, "/home/ops/.ssh": 1001}}), people(OPS))
    assert [one["path"] for one in todo.homes] == ["/home/ops/.ssh"]


def test_other_files_of_sudo_go_where_they_speak_of_declared_people_alone():
    foreign = {"/etc/sudoers.d/ops": {"ops"}, "/etc/sudoers.d/two": {"ops", "eve"}, "/etc/sudoers.d/group": None, "/etc/sudoers.d/none": set()}
    todo = plan(state(accounts=ALONE, foreign=foreign), people(OPS))
    assert todo.surplus == ["/etc/sudoers.d/ops"]
    assert todo.reasons == ["/etc/sudoers.d/ops speaks of declared people"]


def test_rights_that_nobody_has_any_more_go_with_their_file():
    assert plan(state(accounts=ALONE), []).sudoers == ""


def test_who_was_made_and_is_not_declared_goes():
    todo = plan(state(), people(OPS))
    assert todo.gone == [{"name": "grace", "uid": 1002, "home": "/home/grace"}]
    assert "account grace is to go" in todo.reasons


def test_who_is_declared_absent_goes_whoever_made_it():
    absent = [{"name": name, "state": "absent"} for name in ("ada", "grace", "unknown")]
    assert [one["name"] for one in plan(state(), people(OPS, *absent)).gone] == ["ada", "grace"]


@pytest.mark.parametrize("name", ["daemon", "nobody"])
def test_an_account_of_the_system_never_goes(name):
    with pytest.raises(AccountsError, match="no person's"):
        plan(state(), people(OPS, {"name": name, "state": "absent"}))
    marked = accounts(group=GROUP.replace("997:grace", "997:" + name))
    with pytest.raises(AccountsError, match="nothing takes an account of the system away"):
        plan(state(accounts=marked), people(OPS))


@pytest.mark.parametrize(
    ("changes", "ada", "said"),
    [
        ({"included": False}, {}, "put `@includedir /etc/sudoers.d` at its end"),
        ({"shells": set()}, {}, "shell /bin/bash, which this host does not have"),
        ({}, {"groups": ["systemd-jurnal"]}, "ada has the group systemd-jurnal, which this host does not have"),
        ({"accounts": accounts(passwd=PASSWD.replace("ada:x:1001:", "ada:x:0:"))}, {}, "ada has uid 0 on this host"),
    ],
)
def test_where_there_is_no_way_nothing_is_planned(changes, ada, said):
    with pytest.raises(AccountsError) as raised:
        plan(state(**changes), people(OPS, {"name": "ada", "keys": [OTHER], **ada}))
    assert said in str(raised.value)


# The lock-out guard

BY_KEY = Accepted("publickey", FINGERPRINT)


def guarded(users, login="ops", by=BY_KEY, **changes):
    found = state(**changes)
    declared = people(*users)
    refuse_lockout(found, declared, plan(found, declared), login, by)


def locked_out(*arguments, **options):
    with pytest.raises(AccountsError) as raised:
        guarded(*arguments, **options)
    assert str(raised.value).startswith("nothing was changed: accounts_users locks this run out. It ")
    return str(raised.value)


def test_a_run_that_keeps_what_it_needs_goes_on():
    guarded([OPS])
    guarded([OPS], keys={"ops": [KEY, OTHER]})
    guarded([OPS], by=None, keys={"ops": []})
    guarded([OPS], login="ada")
    guarded([dict(OPS, keys=[OTHER])], by=Accepted("password", ""))
    guarded([dict(OPS, keys=[OTHER])], by=Accepted("publickey", "SHA256:ofacertificate"))


def test_its_account_stays():
    assert "takes the account grace away" in locked_out([OPS], login="grace")
    assert "takes the account ops away" in locked_out([dict(OPS, name="ada"), {"name": "ops", "state": "absent"}])


def test_its_key_stays():
    assert "takes the key %s from ops, by which it logged in" % FINGERPRINT in locked_out([dict(OPS, keys=[OTHER])])
    assert "nobody knows whether" in locked_out([OPS], by=None, keys={"ops": [KEY, OTHER]})
    assert "from root" in locked_out([OPS, dict(OPS, name="root", keys=[OTHER])], login="root", keys={"ops": [KEY], "root": [KEY]})


def test_its_sudo_stays():
    ada = {"name": "ada", "role": "admin", "keys": [OTHER]}
    assert "role operator may not do everything" in locked_out([ada, dict(OPS, role="operator")])
    assert "role login may not do everything" in locked_out([ada, dict(OPS, role="login")])
    assert "takes sudo from ops" in locked_out([ada])
    assert "has sudo ask for the password of ops" in locked_out([dict(OPS, sudo_asks=True)])
    guarded([dict(ada, sudo_asks=True, keys=[KEY])], login="ada", keys={})


def test_its_shell_stays():
    assert "the shell /usr/sbin/nologin" in locked_out([dict(OPS, shell="/usr/sbin/nologin")], shells={"/usr/sbin/nologin"})


# The host


@pytest.fixture
def etc(tmp_path, monkeypatch):
    monkeypatch.setattr(_accounts_host, "_ETC", str(tmp_path))
    monkeypatch.setattr(_accounts_host, "_HOMES", str(tmp_path / "home"))
    for name, text in {
        "passwd": PASSWD.replace("/home/", "%s/home/" % tmp_path),
        "shadow": SHADOW,
        "group": GROUP,
        "nsswitch.conf": "passwd: files\n",
        "sudoers": "root ALL=(ALL:ALL) ALL\n@includedir /etc/sudoers.d\n",
        "login.defs": "# x\nUID_MIN\t\t 1000\n",
    }.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "sudoers.d").mkdir()
    (tmp_path / "home/ops/.ssh").mkdir(parents=True)
    (tmp_path / "home/ops/.ssh/authorized_keys").write_text("# mine\n%s\n" % KEY)
    return tmp_path


OF_OPS = '{"User_Specs": [{"User_List": [{"username": "ops"}], "Cmnd_Specs": [{"Commands": [{"command": "ALL"}]}]}]}'


def test_the_state_of_a_host(etc):
    (etc / "sudoers.d/README").write_text("#\n# only words\n\n")
    (etc / "sudoers.d/ops").write_text("ops ALL=(ALL) NOPASSWD: ALL\n")
    (etc / "sudoers.d/ops.bak").write_text("sudo reads no name with a dot\n")
    (etc / "sudoers.d/id").write_text("#1000 ALL=(ALL) ALL\n")
    asked = []

    def ask(command):
        asked.append(command[-1])
        return OF_OPS

    found = read_state(people(OPS, {"name": "new", "keys": [OTHER], "shell": "/bin/no-such"}), ask)
    assert found.keys == {"ops": [KEY]}
    assert asked == ["/etc/sudoers.d/id", "/etc/sudoers.d/ops"]
    assert found.foreign["/etc/sudoers.d/ops"] == {"ops"}
    assert (found.included, found.sudoers, found.uid_min, found.shells) == (True, "", 1000, {"/bin/bash"})


def test_whose_the_homes_are_is_seen(etc):
    mine = os.getuid()
    (etc / "home/kept").mkdir()
    for path in ("ops", "ops/.ssh"):
        (etc / "home" / path).chmod(0o700)
    (etc / "home/kept/.ssh").symlink_to(etc)
    (etc / "home/grace").symlink_to(etc)
    (etc / "passwd").write_text((etc / "passwd").read_text() + "far:x:1010:1010::/srv/far:/bin/sh\n")
    users = [{"name": name, "keys": [OTHER]} for name in ("kept", "grace", "ada", "far")] + [dict(OPS, name="root")]
    found = read_state(people(OPS, *users), lambda command: OF_OPS).homes
    ops = {str(etc / "home/ops"): mine, str(etc / "home/ops/.ssh"): mine}
    assert found == {"ops": ops, "kept": {str(etc / "home/kept"): mine}, "grace": {}, "ada": {}, "far": {}}


@pytest.mark.parametrize(("mode", "left_alone"), [(0o755, True), (0o711, True), (0o700, False), (0o750, False)])
def test_a_directory_of_roots_that_the_account_may_look_into_stays_roots(etc, monkeypatch, mode, left_alone):
    lstat = os.lstat
    monkeypatch.setattr(_accounts_host.os, "lstat", lambda path: os.stat_result((*lstat(path)[:4], 0, *lstat(path)[5:])))
    home = etc / "home/ops"
    for path in (home, home / ".ssh", etc / "home/new"):
        path.mkdir(exist_ok=True)
        path.chmod(mode)
    new = {"name": "new", "keys": [OTHER]}
    # A home that waits for its account is given to it, whatever its mode.
    kept = {"new": {str(etc / "home/new"): 0}}
    assert read_state(people(OPS, new), lambda command: OF_OPS).homes == {"ops": {} if left_alone else {str(home): 0, str(home / ".ssh"): 0}, **kept}


def test_a_file_of_sudo_that_others_may_write_is_written_anew(etc):
    own = etc / "sudoers.d" / os.path.basename(SUDOERS)
    own.write_text(sudoers_text(people(OPS)))
    own.chmod(0o440)
    assert read_state(people(OPS), lambda command: OF_OPS).sudoers == sudoers_text(people(OPS))
    own.chmod(0o666)
    assert "differs" in " ".join(plan(read_state(people(OPS), lambda command: OF_OPS), people(OPS)).reasons)


def test_files_that_are_not_there_are_named(etc):
    (etc / "sudoers").unlink()
    with pytest.raises(AccountsError, match="sudo is not installed"):
        read_state(people(OPS), lambda command: OF_OPS)
    (etc / "shadow").unlink()
    with pytest.raises(AccountsError, match="/etc/shadow"):
        read_state(people(OPS), lambda command: OF_OPS)


# The probe


class Sshd:
    """What sshd says; `answers` by connection, "" for anybody's."""

    def __init__(self):
        self.read = True
        self.answers = {"": {"authorizedkeysfile": [".ssh/authorized_keys"], "passwordauthentication": ["no"], "kbdinteractiveauthentication": ["no"]}}

    def require_read(self):
        if not self.read:
            raise _sshd_files.SshdError("sshd has not read /etc/ssh/sshd_config", "systemctl restart ssh")

    def connections(self, user=""):
        return {name: name for name in self.answers}

    def effective(self, how=""):
        return self.answers[how]


@pytest.fixture
def host(etc, monkeypatch, captured):
    """The host above; its sshd, and what cvtsudoers says of it. There is no Docker."""
    monkeypatch.setattr(probe, "_SOCKET", str(etc / "docker.sock"))
    sshd = Sshd()
    monkeypatch.setattr(probe, "Server", lambda ask: sshd)
    sshd.sudoers = captured("cvtsudoers-1.9.16p2-debian13-default")
    monkeypatch.setattr(probe, "output_of", lambda command, **options: sshd.sudoers)
    return sshd


def declared(*users, control=""):
    return {"people": [one.data() for one in people(*users)], "control": control}


def value(fact, *users, control="", **arguments):
    return probe.AccountsProbe({}).observe({"fact": fact, "declared": declared(*users, control=control), "group": "docker", **arguments}).value


def error(fact, **arguments):
    with pytest.raises(ProbeError) as raised:
        probe.AccountsProbe({}).observe({"fact": fact, "group": "docker", **arguments})
    return str(raised.value)


def test_accounts_with_number_0_and_with_empty_passwords(host):
    assert value("uid0") == ["root"]
    assert value("empty_passwords") == ["grace"]


def test_declared_keys_are_known(host):
    assert value("keys", OPS) == []


def test_undeclared_keys_are_named_by_fingerprint(host, etc):
    file = etc / "home/ops/.ssh/authorized_keys"
    file.write_text("%s\n%s\nssh-ed25519 secret words\n" % (KEY, OTHER))
    assert value("keys", OPS) == ["ops: a line that is no key", "ops: ecdsa-sha2-nistp256 %s" % parse_key(OTHER).fingerprint]
    assert value("keys")[-1] == "ops: ssh-ed25519 " + FINGERPRINT, "who is not declared has no declared key"
    file.write_text(KEY.replace("laptop", "desk"))
    assert value("keys", OPS) == ["ops: ssh-ed25519 " + FINGERPRINT], "the whole line is declared"


def test_the_key_that_cloud_init_leaves_to_root_is_named(host, etc):
    (etc / "passwd").write_text((etc / "passwd").read_text().replace(":/root:", ":%s/root:" % etc))
    (etc / "root/.ssh").mkdir(parents=True)
    (etc / "root/.ssh/authorized_keys").write_text(CLOUD_INIT + "\n")
    root = {"name": "root", "role": "admin", "keys": []}
    assert value("keys", OPS, root) == ["root: ssh-ed25519 " + FINGERPRINT]
    (etc / "root/.ssh/authorized_keys").write_text("")
    assert value("keys", OPS, root) == []


def test_a_key_with_more_rights_than_declared_is_undeclared(host, etc):
    limited = dict(OPS, keys=['restrict,command="/usr/bin/uptime" ' + KEY])
    assert value("keys", limited) == ["ops: ssh-ed25519 " + FINGERPRINT]


def test_keys_in_other_files_that_sshd_reads_are_seen(host, etc):
    (etc / "home/ops/.ssh/authorized_keys2").write_text(OTHER)
    assert value("keys", OPS) == []
    host.answers["Match User ops"] = {**host.answers[""], "authorizedkeysfile": [".ssh/authorized_keys2"]}
    assert value("keys", OPS) == ["ops: ecdsa-sha2-nistp256 %s" % parse_key(OTHER).fingerprint]


def test_programs_and_authorities_that_sshd_asks_for_keys_are_seen(host):
    host.answers[""].update({"authorizedkeyscommand": ["/usr/bin/sss_ssh_authorizedkeys"], "trustedusercakeys": ["/etc/ssh/ca.pub"]})
    assert value("keys", OPS) == ["everybody: authorizedkeyscommand /usr/bin/sss_ssh_authorizedkeys", "everybody: trustedusercakeys /etc/ssh/ca.pub"]


def test_the_key_of_the_control_host_is_known(host, etc):
    with (etc / "home/ops/.ssh/authorized_keys").open("a") as file:
        file.write(DRIFT + "\n")
    assert value("keys", OPS, control="192.0.2.13") == []
    asked = {"fact": "keys", "group": "docker", "declared": declared(OPS, control="192.0.2.13")}
    assert probe.AccountsProbe({}).observe(asked).evidence.endswith("; taken for the control host's: %s of ops" % FINGERPRINT)
    assert value("keys", OPS, control="192.0.2.14") == ["ops: ssh-ed25519 " + FINGERPRINT]


def test_keys_are_not_told_of_an_sshd_that_has_not_read_its_files(host):
    host.read = False
    assert "has not read" in error("keys", declared=declared(OPS))


def test_a_file_of_keys_that_is_none_is_an_error(host, etc):
    (etc / "home/grace/.ssh").mkdir(parents=True)
    os.mkfifo(etc / "home/grace/.ssh/authorized_keys")
    assert stat.S_ISFIFO(os.stat(etc / "home/grace/.ssh/authorized_keys").st_mode)
    assert "is no file" in error("keys", declared=declared(OPS))


def test_rights_beyond_the_declared_ones(host):
    assert value("sudo", OPS) == []
    assert value("sudo") == ["ops: ALL"]
    ada = {"name": "ada", "role": "admin", "keys": [KEY]}
    assert value("sudo", ada, dict(OPS, role="operator")) == ["ops: ALL"]
    host.sudoers = OF_OPS.replace('"command": "ALL"', '"command": "%s"' % RESTART)
    assert value("sudo", ada, dict(OPS, role="operator")) == []
    assert value("sudo", ada, dict(OPS, role="login")) == ["ops: " + RESTART]
    host.sudoers = OF_OPS.replace('"command": "ALL"', '"command": "/usr/bin/systemctl"')
    assert value("sudo", ada, dict(OPS, role="operator")) == ["ops: /usr/bin/systemctl *"], "without arguments, sudo takes any"


def test_a_command_without_arguments_is_the_one_that_was_declared(host):
    host.sudoers = OF_OPS.replace('"command": "ALL"', '"command": "/usr/bin/uptime \\"\\""')
    ada = {"name": "ada", "role": "admin", "keys": [KEY]}
    found = people_of([ada, dict(OPS, role="operator")], host="app1", groups=GROUPS, operator_commands=["/usr/bin/uptime"])
    asked = {"fact": "sudo", "group": "docker", "declared": {"people": [one.data() for one in found], "control": ""}}
    assert probe.AccountsProbe({}).observe(asked).value == []


def test_sudo_that_cannot_be_asked_is_an_error(host):
    host.sudoers = "sudoers:1: syntax error"
    assert "nobody understands" in error("sudo", declared=declared(OPS))


def test_members_of_a_group(host):
    grace = {"name": "grace", "role": "deploy"}
    assert value("strangers", OPS) == ["grace"]
    assert value("strangers", OPS, grace) == []
    assert value("missing", OPS, grace) == []
    assert value("missing", OPS, grace, {"name": "deploy", "role": "deploy"}) == ["deploy"]
    assert value("strangers", OPS, group="no-such-group") == []


def test_where_nobody_is_declared_to_deploy_nobody_is_found_to(host):
    assert error("missing", declared=declared(OPS)) == "nobody is declared to be in group docker"


def test_who_is_as_good_as_root_by_a_group(host, etc):
    (etc / "group").write_text(GROUP + "disk:x:6:ops,ada,root\nlxd:x:105:grace\nshadow:x:42:\nalso-docker:x:998:ada\nusers:x:100:ada\n")
    (etc / "passwd").write_text((etc / "passwd").read_text() + "eve:x:1003:42::/home/eve:/bin/sh\n")
    found = ["ada in group disk", "ops in group disk", "ada in group docker", "grace in group docker", "grace in group lxd", "eve in group shadow"]
    assert value("privileged") == found
    grace = {"name": "grace", "role": "deploy"}
    # Ops may do everything by sudo, without being asked; who deploys is declared to use Docker and nothing else.
    found = ["ada in group disk", "ada in group docker", "grace in group lxd", "eve in group shadow"]
    assert value("privileged", OPS, grace) == found
    assert value("privileged", dict(OPS, sudo_asks=True), grace) == ["ada in group disk", "ops in group disk", *found[1:]]
    assert value("privileged", OPS, grace, dict(OPS, name="ada", role="login", keys=[OTHER])) == found, "who may log in may do no more"
    (etc / "group").write_text(GROUP.replace("998:grace", "998:ops"))
    assert value("privileged", OPS) == ["ops in group docker"], "group docker has its own role"
    assert value("privileged", dict(OPS, state="absent")) == ["ops in group docker"]


def test_the_role_takes_declared_people_out_of_the_groups_that_are_named():
    group = GROUP + "disk:x:6:grace\n"
    todo = plan(state(accounts=accounts(group=group)), people(OPS, {"name": "grace", "role": "deploy"}))
    assert [user["groups"] for user in todo.users if user["name"] == "grace"] == [["docker", "gonogo-people"]]


@pytest.mark.parametrize(
    ("gid", "role", "asks", "refused"),
    [
        (6, "login", False, "disk"),
        (6, "admin", True, "disk"),
        (6, "admin", False, ""),
        (998, "admin", False, "docker"),
        (998, "deploy", False, ""),
        (27, "login", False, ""),
        (1001, "login", False, ""),
    ],
)
def test_an_own_group_that_is_as_good_as_root_is_refused_by_name(gid, role, asks, refused):
    found = accounts(passwd=PASSWD.replace("ada:x:1001:1001:", "ada:x:1001:%d:" % gid), group=GROUP + "disk:x:6:\n")
    ada = {"name": "ada", "role": role, "keys": [OTHER], "sudo_asks": asks}
    if refused:
        with pytest.raises(AccountsError, match="ada has %s as its own group, .* usermod --gid GROUP ada" % refused):
            plan(state(accounts=found), people(OPS, ada))
    else:
        assert plan(state(accounts=found), people(OPS, ada)).reasons


def of_socket(mode, uid, gid, listed=False):
    return lambda: (os.stat_result((stat.S_IFSOCK | mode, 0, 0, 1, uid, gid, 0, 0, 0, 0)), listed)


@pytest.mark.parametrize(
    ("mode", "uid", "gid", "listed", "found"),
    [
        (0o660, 0, 998, False, []),
        (0o600, 0, 1001, False, []),
        (0o660, 0, 0, False, []),
        (0o666, 0, 998, False, ["everybody by the mode of SOCKET"]),
        (0o662, 0, 998, False, ["everybody by the mode of SOCKET"]),
        (0o664, 0, 998, False, []),
        (0o660, 0, 1001, False, ["ada in group ada, which SOCKET belongs to"]),
        (0o660, 0, 4711, False, []),
        (0o660, 1001, 998, False, ["ada owns SOCKET"]),
        (0o660, 4711, 998, False, ["4711 owns SOCKET"]),
        (0o660, 0, 998, True, ["whoever the access list of SOCKET names (getfacl)"]),
    ],
)
def test_who_gets_to_docker_by_its_socket(host, monkeypatch, mode, uid, gid, listed, found):
    monkeypatch.setattr(probe, "_socket", of_socket(mode, uid, gid, listed))
    grace = {"name": "grace", "role": "deploy"}
    found = [one.replace("SOCKET", probe._SOCKET) for one in found]
    assert value("privileged", OPS, grace) == found
    assert [one for one in value("surplus", OPS, grace) if "docker" in one] == found


def test_the_socket_itself_is_looked_at(host, etc):
    (etc / "docker.sock").touch()
    (etc / "docker.sock").chmod(0o606)
    assert "everybody by the mode of %s/docker.sock" % etc in value("privileged", OPS)
    (etc / "docker.sock").unlink()
    (etc / "docker.sock").symlink_to("docker.sock")
    assert "cannot look at" in error("privileged", declared=declared(OPS))


def test_all_of_it_at_once(host, etc):
    (etc / "passwd").write_text((etc / "passwd").read_text() + "toor:x:0:0::/root:/bin/sh\n")
    (etc / "home/ops/.ssh/authorized_keys").write_text(OTHER)
    found = value("surplus", dict(OPS, name="ada", role="admin"))
    assert found == [
        "key of ops: ecdsa-sha2-nistp256 %s" % parse_key(OTHER).fingerprint,
        "sudo of ops: ALL",
        "grace in group docker",
        "toor has uid 0",
    ]
    assert value("surplus", dict(OPS, keys=[OTHER]), {"name": "grace", "role": "deploy"}) == ["toor has uid 0"]


def test_who_gets_in_by_password(host):
    assert value("password_logins") == []
    host.answers[""]["passwordauthentication"] = ["yes"]
    assert value("password_logins") == ["ada"], "an empty password is none that sshd takes"
    host.answers[""]["permitemptypasswords"] = ["yes"]
    assert value("password_logins") == ["ada", "grace"]


def test_accounts_that_come_from_elsewhere_are_an_error(host, etc):
    (etc / "nsswitch.conf").write_text("passwd: files sss\n")
    for fact in ("uid0", "keys", "sudo", "strangers", "empty_passwords", "surplus"):
        assert "accounts come from sss too" in error(fact, declared=declared(OPS))


@pytest.mark.parametrize("data", [{}, {"people": []}, {"people": [{}], "control": ""}, {"people": "ops", "control": ""}, None])
def test_what_is_no_declaration_is_an_error(host, data):
    assert "declared_access" in error("keys", declared=data)
