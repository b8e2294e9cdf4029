# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the files of sshd must say; whom that would shut out; the way back from it."""

from __future__ import annotations

import os
import subprocess

import pytest

from ansible_collections.gonogo.preflight.plugins.module_utils import _revert, _sshd_host
from ansible_collections.gonogo.preflight.plugins.module_utils._ssh_login import Accepted, Connection
from ansible_collections.gonogo.preflight.plugins.module_utils._sshd import MAIN, SshdError, parse_effective, walk
from ansible_collections.gonogo.preflight.plugins.module_utils._sshd_plan import (
    DROP_IN,
    accepted_algorithms,
    beaten,
    included,
    listeners,
    of_one_port,
    rendered,
    shut_out,
    simulated,
    socket_text,
)

LOGIN = Connection("192.0.2.5", 51515, "192.0.2.1", 22, "ops", 1000.0)
BY_KEY = Accepted("publickey", "SHA256:x")
PLAIN = {
    "listenaddress": ["[::]:22", "0.0.0.0:22"],
    "permitrootlogin": ["no"],
    "pubkeyauthentication": ["yes"],
    "passwordauthentication": ["no"],
    "kbdinteractiveauthentication": ["no"],
}


# The drop-in


def test_settings_are_said_in_general_and_those_of_a_login_once_more_for_everybody():
    text = rendered({"Port": [22, 2222], "PasswordAuthentication": False, "PermitRootLogin": "no", "Ciphers": "a,b", "AllowUsers": ["ops", "ada"]})
    assert text.splitlines()[1:] == [
        "Port 22",
        "Port 2222",
        "PasswordAuthentication no",
        "PermitRootLogin no",
        "Ciphers a,b",
        "AllowUsers ops",
        "AllowUsers ada",
        "Match all",
        "    PasswordAuthentication no",
        "    PermitRootLogin no",
    ]
    assert text.startswith("# Written by gonogo.preflight")


def test_nothing_is_said_for_everybody_where_nothing_can_be():
    assert "Match" not in rendered({"Port": 22})


@pytest.mark.parametrize(
    "settings",
    [
        {"Match": "all"},
        {"Include": "/etc/ssh/x"},
        {"Pass word": "no"},
        {"PermitRootLogin": "no\nPasswordAuthentication yes"},
        {"PermitRootLogin": ""},
        {"AllowUsers": ["ops", ""]},
        {"Banner": "a\0b"},
        {"": "x"},
    ],
)
def test_what_is_no_line_of_its_own_is_refused(settings):
    with pytest.raises(SshdError):
        rendered(settings)


SUPPORTED = {
    "kex": ["curve25519-sha256", "diffie-hellman-group1-sha1"],
    "cipher": ["aes256-gcm@openssh.com", "aes256-ctr"],
    "mac": ["hmac-sha2-256-etm@openssh.com"],
    "hostkey": ["ssh-ed25519"],
    "userkey": ["ssh-ed25519"],
}
ALLOWED = [
    "kex mlkem768x25519-sha256",
    "kex curve25519-sha256",
    "cipher aes256-ctr",
    "cipher aes256-gcm@openssh.com",
    "mac hmac-sha2-256-etm@openssh.com",
    "hostkey ssh-ed25519",
    "userkey ssh-ed25519",
]


def test_algorithms_that_this_sshd_lacks_are_left_out_and_the_order_stays():
    assert accepted_algorithms(ALLOWED, SUPPORTED) == {
        "KexAlgorithms": "curve25519-sha256",
        "Ciphers": "aes256-ctr,aes256-gcm@openssh.com",
        "MACs": "hmac-sha2-256-etm@openssh.com",
        "HostKeyAlgorithms": "ssh-ed25519",
        "PubkeyAcceptedAlgorithms": "ssh-ed25519",
    }


@pytest.mark.parametrize(
    ("allowed", "said"),
    [
        ([one for one in ALLOWED if not one.startswith("mac")], "leaves no mac that the sshd of this host has; it has hmac-sha2-256-etm@openssh.com"),
        (["curve25519-sha256"], "'curve25519-sha256'; an algorithm is one of kex, cipher"),
        (["kex curve25519-sha256\nPermitRootLogin yes"], "an algorithm is one of"),
        ([], "leaves no kex"),
    ],
)
def test_algorithms_that_cannot_be_used_are_refused(allowed, said):
    with pytest.raises(SshdError) as raised:
        accepted_algorithms(allowed, SUPPORTED)
    assert said in str(raised.value)


# The other files


class Files(dict):
    def read(self, path):
        return self[path]

    def search(self, pattern):
        return [path for path in self if os.path.dirname(path) == os.path.dirname(pattern) and "*" in pattern or path == pattern]

    @property
    def lines(self):
        return walk(MAIN, self.read, self.search)


USUAL = "Include /etc/ssh/sshd_config.d/*.conf\nUsePAM yes\n"


@pytest.mark.parametrize(
    ("main", "expected"),
    [
        (USUAL, True),
        ("Include sshd_config.d/*.conf\n", True),
        ("include = /etc/ssh/sshd_config.d/00-*.conf\n", True),
        ("Include /etc/ssh/sshd_config.d/50-*.conf\n", False),
        ("Match User bob\nInclude /etc/ssh/sshd_config.d/*.conf\n", False),
        ("#Include /etc/ssh/sshd_config.d/*.conf\n", False),
        ("", False),
    ],
)
def test_the_drop_in_is_read_where_the_main_file_includes_its_directory(main, expected):
    assert included(Files({MAIN: main}).lines) is expected


def test_an_include_of_another_file_does_not_count():
    files = Files({MAIN: "Include /etc/ssh/other\n", "/etc/ssh/other": "Include /etc/ssh/sshd_config.d/*.conf\n"})
    assert not included(files.lines)


def test_other_ports_become_comments():
    other = "/etc/ssh/sshd_config.d/port.conf"
    files = Files({MAIN: USUAL + "Port 2222\nListenAddress 192.0.2.1\nListenAddress [2001:db8::1]:23\nListenAddress 192.0.2.1:22\n"})
    files.update({DROP_IN: "Port 22\n", other: "# one\n  port=22\nX11Forwarding no"})
    changed = of_one_port(files.lines, files, ["22"])
    assert changed == {
        MAIN: USUAL
        + "# gonogo.preflight: Port 2222\nListenAddress 192.0.2.1\n# gonogo.preflight: ListenAddress [2001:db8::1]:23\nListenAddress 192.0.2.1:22\n",
        other: "# one\n# gonogo.preflight:   port=22\nX11Forwarding no\n",
    }
    files.update(changed)
    assert of_one_port(files.lines, files, ["22"]) == {}


def test_copies_include_each_other_and_the_new_drop_in():
    files = Files({MAIN: "# x\n" + USUAL, "/etc/ssh/sshd_config.d/50-cloud-init.conf": "PasswordAuthentication yes\n", DROP_IN: "Port 22\n"})
    copies = simulated(MAIN, files.read, files.search, "/tmp/copy")
    assert copies == {
        "/tmp/copy0": (MAIN, "# x\nInclude /tmp/copy1 /tmp/copy2\nUsePAM yes\n"),
        "/tmp/copy1": (DROP_IN, "Port 22\n"),
        "/tmp/copy2": ("/etc/ssh/sshd_config.d/50-cloud-init.conf", "PasswordAuthentication yes\n"),
    }
    assert next(iter(copies)) == "/tmp/copy0"


def test_an_include_that_finds_nothing_is_left_out():
    assert simulated(MAIN, Files({MAIN: USUAL}).read, lambda pattern: [], "/tmp/copy") == {"/tmp/copy0": (MAIN, "#\nUsePAM yes\n")}


def test_what_beats_the_drop_in_is_found():
    own = {"port": ["22"], "passwordauthentication": ["no"], "acceptenv": ["LANG"], "x11forwarding": ["no"]}
    whole = {"port": ["22", "2222"], "passwordauthentication": ["yes"], "acceptenv": ["LANG", "LC_*"], "x11forwarding": ["no"], "usedns": ["no"]}
    assert beaten(own, whole, own) == ["passwordauthentication", "port"]
    assert beaten(own, {**own, "acceptenv": []}, own) == ["acceptenv"]


def test_the_socket_listens_where_sshd_would(captured):
    effective = parse_effective(captured("sshd-10.0p2-debian13-effective"))
    assert listeners(effective) == ["[::]:22", "0.0.0.0:22"]
    assert socket_text(effective).splitlines()[1:] == [
        "[Socket]",
        "ListenStream=",
        "ListenStream=[::]:22",
        "ListenStream=0.0.0.0:22",
        "BindIPv6Only=ipv6-only",
    ]


# Whom it would shut out


@pytest.mark.parametrize(
    ("planned", "options", "said"),
    [
        ({}, {}, ""),
        ({}, {"by": None, "has_key": True}, ""),
        ({"passwordauthentication": ["yes"]}, {"by": Accepted("password", "")}, ""),
        ({"passwordauthentication": ["yes"]}, {"by": None, "has_key": False, "has_password": True}, ""),
        ({}, {"by": Accepted("password", ""), "has_key": True}, "logged in as ops by password, and only keys would get in"),
        ({}, {"by": Accepted("keyboard-interactive/pam", "")}, "by keyboard-interactive/pam"),
        ({}, {"by": None, "has_key": True, "has_password": True}, "was given a password"),
        ({}, {"by": None, "has_key": False}, "ops has no authorized key"),
        # Its key came from a program that is asked no more, or by a certificate that still counts.
        ({"authorizedkeyscommand": ["none"]}, {"by": BY_KEY, "has_key": False}, "ops has no authorized key"),
        ({"authorizedkeyscommand": ["/usr/bin/sss_ssh_authorizedkeys %u"]}, {"by": BY_KEY, "has_key": False}, ""),
        ({"trustedusercakeys": ["/etc/ssh/ca.pub"]}, {"by": BY_KEY, "has_key": False}, ""),
        ({"pubkeyauthentication": ["no"]}, {}, "keys would not be accepted"),
        ({"pubkeyauthentication": ["no"], "passwordauthentication": ["yes"]}, {"by": None, "has_key": True}, "keys would not be accepted"),
        ({"listenaddress": ["0.0.0.0:2222", "[::]:2222"]}, {}, "connected to 192.0.2.1 port 22, and sshd would listen on 0.0.0.0:2222, [::]:2222 alone"),
        ({"listenaddress": ["192.0.2.1:22"]}, {}, ""),
        ({"listenaddress": ["192.0.2.2:22"]}, {}, "would listen on 192.0.2.2:22 alone"),
        ({"listenaddress": ["[::]:22"]}, {}, "would listen on [::]:22 alone"),
        ({"listenaddress": []}, {}, "would listen on"),
        ({"allowusers": ["nobody"]}, {}, "logs in as ops, and AllowUsers would be nobody"),
        ({"allowusers": ["nobody", "o*"]}, {}, ""),
        ({"allowusers": ["o*", "!ops"]}, {}, "AllowUsers would be o* !ops"),
        ({"allowusers": ["ops@192.0.2.*"]}, {}, ""),
        ({"denyusers": ["ops"]}, {}, "DenyUsers would be ops"),
        ({"denyusers": ["eve"]}, {}, ""),
        ({"allowgroups": ["sudo"]}, {"groups": ["ops"]}, "AllowGroups would be sudo"),
        ({"allowgroups": ["sudo", "ops"]}, {"groups": ["ops"]}, ""),
        ({"denygroups": ["op*"]}, {"groups": ["ops"]}, "DenyGroups would be op*"),
    ],
)
def test_a_login_that_would_not_get_in_again(planned, options, said):
    settings = {"by": BY_KEY, "has_key": True, "has_password": False, "groups": ["ops"], **options}
    found = shut_out(LOGIN, {**PLAIN, **planned}, **settings)
    assert said in found and bool(said) is bool(found)


@pytest.mark.parametrize(("permit", "shut"), [("no", True), ("forced-commands-only", True), ("without-password", False), ("yes", False)])
def test_root_gets_in_where_root_may(permit, shut):
    login = Connection("2001:db8::5", 51515, "2001:db8::1", 22, "root", 1000.0)
    assert bool(shut_out(login, {**PLAIN, "permitrootlogin": [permit]}, by=BY_KEY, has_key=True, has_password=False, groups=["root"])) is shut


# The way back


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A directory that stands for /etc, with a systemctl that only writes down what it is told."""
    for name in ("MAIN", "_DIRECTORY", "_SOCKET_DIRECTORY"):
        monkeypatch.setattr(_sshd_host, name, str(tmp_path) + getattr(_sshd_host, name))
    monkeypatch.setattr(_sshd_host, "STORE", str(tmp_path / "store"))
    (tmp_path / "units").mkdir()
    monkeypatch.setattr(_revert, "_UNITS", str(tmp_path / "units"))
    os.makedirs(_sshd_host._DIRECTORY)
    (tmp_path / "bin").mkdir()
    for name in ("systemctl", "systemd-run"):
        (tmp_path / "bin" / name).write_text('#!/bin/sh\necho "%s $*" >>%s/told\n[ "$1" != is-active ] || exit 3\n' % (name, tmp_path))
        (tmp_path / "bin" / name).chmod(0o755)

    def run(command):
        path = "%s:%s" % (tmp_path / "bin", os.environ["PATH"])
        done = subprocess.run(list(command), env={"PATH": path}, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout, done.stderr

    return tmp_path, run


@pytest.mark.parametrize("by_socket", [False, True])
def test_the_files_of_before_are_put_back_and_sshd_reads_them(machine, by_socket):
    root, run = machine
    with open(_sshd_host.MAIN, "w") as file:
        file.write("before\n")
    kept = os.path.join(_sshd_host._DIRECTORY, "50-cloud-init.conf")
    with open(kept, "w") as file:
        file.write("before\n")
    os.chmod(kept, 0o600)
    guard = _sshd_host.Guard(run)
    guard.arm(30, active=by_socket)
    added = os.path.join(_sshd_host._DIRECTORY, "00-gonogo.conf")
    os.makedirs(_sshd_host._SOCKET_DIRECTORY)
    for path in (_sshd_host.MAIN, kept, added, os.path.join(_sshd_host._SOCKET_DIRECTORY, "gonogo.conf")):
        with open(path, "w") as file:
            file.write("after\n")
    guard.revert()
    with open(_sshd_host.MAIN) as main, open(kept) as other:
        assert (main.read(), other.read()) == ("before\n", "before\n")
    assert oct(os.stat(kept).st_mode & 0o777) == "0o600"
    assert not os.path.exists(added) and not os.path.exists(_sshd_host._SOCKET_DIRECTORY)
    told = (root / "told").read_text()
    assert told.index("daemon-reload") < told.index("systemctl restart ssh.service")
    assert ("systemctl restart ssh.socket" in told) is by_socket


def test_a_confirmed_change_stays(machine):
    root, run = machine
    with open(_sshd_host.MAIN, "w") as file:
        file.write("before\n")
    guard = _sshd_host.Guard(run)
    guard.arm(30, active=False)
    with open(_sshd_host.MAIN, "w") as file:
        file.write("after\n")
    assert guard.confirm()
    guard.revert()
    with open(_sshd_host.MAIN) as file:
        assert file.read() == "after\n"
    assert "restart" not in (root / "told").read_text()


def test_nothing_is_changed_where_the_files_cannot_be_kept(machine):
    _root, run = machine
    with pytest.raises(SshdError, match="nothing was changed"):
        _sshd_host.Guard(run).arm(30, active=False)


@pytest.fixture
def guard(machine):
    _root, run = machine
    with open(_sshd_host.MAIN, "w") as file:
        file.write("before\n")
    return _sshd_host.Guard(run)


def program(root, name, text):
    (root / "bin" / name).write_text('#!/bin/sh\necho "%s $*" >>%s/told\n%s\n' % (name, root, text))
    (root / "bin" / name).chmod(0o755)


def login_from(address):
    return Connection(address, 51515, "192.0.2.1", 22, "ops", 1000.0)


def test_who_was_shut_out_meanwhile_is_unbanned_once_sshd_is_back(machine, guard):
    root, _run = machine
    program(root, "fail2ban-client", "cat; exit 0")
    guard.arm(30, active=False, notes=_sshd_host.clients(login_from("192.0.2.9")))
    guard.revert()
    told = (root / "told").read_text()
    assert told.count("fail2ban-client") == 1
    assert told.index("systemctl restart ssh.service") < told.index("fail2ban-client unban 192.0.2.9\n")


def test_the_clients_of_a_second_change_are_unbanned_too(machine, guard):
    root, _run = machine
    program(root, "fail2ban-client", "exit 0")
    guard.arm(30, active=False, notes=_sshd_host.clients(login_from("192.0.2.9")))
    program(root, "systemctl", "exit 0")
    for address in ("2001:db8::9", "192.0.2.9", "2001:db8::9"):
        guard.arm(30, active=False, notes=_sshd_host.clients(login_from(address)))
    guard.arm(30, active=False, notes=_sshd_host.clients(None))
    guard.revert()
    told = [line for line in (root / "told").read_text().splitlines() if "unban" in line]
    assert told == ["fail2ban-client unban 192.0.2.9", "fail2ban-client unban 2001:db8::9"]


@pytest.mark.parametrize(("active", "times"), [("exit 3", 1), ("exit 0", 5)])
def test_a_fail2ban_that_starts_is_asked_again_and_one_that_is_off_is_not(machine, guard, active, times):
    root, _run = machine
    guard.arm(30, active=False, notes=_sshd_host.clients(login_from("192.0.2.9")))
    program(root, "systemctl", active)
    program(root, "sleep", "exit 0")
    program(root, "fail2ban-client", "exit 255")
    guard.revert()
    assert (root / "told").read_text().count("fail2ban-client unban 192.0.2.9\n") == times


@pytest.mark.parametrize(("login", "kept"), [(None, {}), (login_from("--all"), {}), (login_from("UNKNOWN"), {}), (login_from("::1"), {"clients": "::1\n"})])
def test_what_is_no_address_is_not_unbanned(login, kept):
    assert _sshd_host.clients(login) == kept


def test_a_boot_in_between_takes_a_change_of_sshd_back_too(machine, guard):
    root, _run = machine
    guard.arm(30, active=False)
    unit = (root / "units/gonogo-ssh-revert-at-boot.service").read_text()
    assert "ConditionPathExists=%s/store/armed\n" % root in unit
    assert "ExecStart=/bin/sh %s/store/revert\n" % root in unit
    assert "After=ssh.service ssh.socket fail2ban.service\n" in unit
    told = (root / "told").read_text()
    assert told.index("systemctl enable gonogo-ssh-revert-at-boot.service") < told.index("systemd-run")
    with open(_sshd_host.MAIN, "w") as file:
        file.write("after\n")
    assert subprocess.run(["/bin/sh", str(root / "store/revert")], env={"PATH": "%s/bin:/usr/bin:/bin" % root}, check=False).returncode == 0
    with open(_sshd_host.MAIN) as file:
        assert file.read() == "before\n"


UNITS = """Id=ssh.service
ActiveState=active
UnitFileState=enabled

Id=ssh.socket
Listen=[::]:22 (Stream)
ActiveState=inactive
UnitFileState=disabled
"""


def test_the_units_are_told_apart():
    assert _sshd_host._units(UNITS) == {"ssh.service": {"active", "enabled"}, "ssh.socket": {"inactive", "disabled"}}


@pytest.mark.parametrize("text", ["", "Failed to connect to bus\n", "Id=ssh.socket\nActiveState=active\n"])
def test_units_that_systemd_does_not_describe_are_an_error(text):
    with pytest.raises(SshdError):
        _sshd_host._units(text)
