# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What sshd is told to do: read in its order, asked of sshd itself, and never believed of an sshd that has not read it."""

from __future__ import annotations

import glob
import os
import socket
from concurrent.futures import ThreadPoolExecutor

import pytest

from ansible_collections.gonogo.preflight.plugins.module_utils import _sshd_files, _sshd_host
from ansible_collections.gonogo.preflight.plugins.module_utils._probes import _sshd as probe
from ansible_collections.gonogo.preflight.plugins.module_utils._probes._base import ProbeError
from ansible_collections.gonogo.preflight.plugins.module_utils._sshd import (
    Account,
    SshdError,
    anybody,
    parse_arguments,
    parse_effective,
    parse_listening_ports,
    parse_socket_ports,
    specification,
    walk,
)
from ansible_collections.gonogo.preflight.plugins.module_utils._sshd_files import Server

TITLE = "sshd: /usr/sbin/sshd -D%s [listener] 0 of 10-100 startups\0"
ACCOUNTS = [Account("root", {"root"}), Account("ada", {"ada", "sudo"}), Account("bob", {"bob", "sftp"})]


# What sshd -T says


@pytest.mark.parametrize("name", ["sshd-10.0p2-debian13-effective", "sshd-9.6p1-ubuntu24.04-effective", "sshd-10.0p2-debian13-hardened"])
def test_every_setting_is_read(captured, name):
    effective = parse_effective(captured(name))
    assert effective["port"] == ["22"]
    assert effective["hostkey"][0].startswith("/etc/ssh/ssh_host_")
    assert effective["subsystem"] == ["sftp /usr/lib/openssh/sftp-server"]


@pytest.mark.parametrize("text", ["", "\n", "Missing privilege separation directory: /run/sshd\n", "port 22\n", "\0\0", "<html>"])
def test_what_is_no_answer_of_sshd_is_an_error(text):
    with pytest.raises(SshdError):
        parse_effective(text)


@pytest.mark.parametrize(
    ("title", "options"),
    [
        (TITLE % "", []),
        (TITLE % " -p 2222", ["-p", "2222"]),
        (TITLE % " -o PasswordAuthentication=yes", ["-o", "PasswordAuthentication=yes"]),
        (
            TITLE % " -o AuthorizedKeysCommand /usr/share/ec2-instance-connect/eic_run_authorized_keys %u %f -o AuthorizedKeysCommandUser eic -4",
            ["-o", "AuthorizedKeysCommand /usr/share/ec2-instance-connect/eic_run_authorized_keys %u %f", "-o", "AuthorizedKeysCommandUser eic", "-4"],
        ),
        ("sshd: /usr/sbin/sshd -D [listener] 3 of 10-100 startups", []),
    ],
)
def test_the_options_of_a_running_sshd(title, options):
    assert parse_arguments(title) == options


@pytest.mark.parametrize("title", ["", "nginx: master process\0", "sshd: ops@pts/0\0", "sshd: ops [priv]\0", "/usr/sbin/sshd\0-D\0"])
def test_what_is_no_listening_sshd_is_an_error(title):
    with pytest.raises(SshdError, match="no sshd that listens"):
        parse_arguments(title)


def test_what_ss_does_not_say_in_its_columns_is_an_error():
    with pytest.raises(SshdError, match="ss answered"):
        parse_listening_ports("Cannot open netlink socket: Protocol not supported\n")


def test_a_socket_unit_that_systemd_does_not_describe_is_an_error():
    with pytest.raises(SshdError, match="ssh.socket"):
        parse_socket_ports("Failed to connect to bus: Connection refused\n")


# Its files


def read_of(files):
    return lambda path: files[path]


def search_of(files):
    def search(pattern):
        directory = os.path.dirname(pattern)
        return [path for path in files if os.path.dirname(path) == directory]

    return search


def lines_of(files):
    return [(line.place, line.keyword, line.value, line.block) for line in walk("/etc/ssh/sshd_config", read_of(files), search_of(files))]


def test_the_lines_come_in_the_order_in_which_sshd_reads_them():
    files = {
        "/etc/ssh/sshd_config": "# Port 1\nInclude sshd_config.d/*.conf\n\nPort=22\n  X11Forwarding\tno # off\n",
        "/etc/ssh/sshd_config.d/50-cloud-init.conf": "PasswordAuthentication yes",
        "/etc/ssh/sshd_config.d/00-first.conf": "PasswordAuthentication no\n",
    }
    assert lines_of(files) == [
        ("/etc/ssh/sshd_config:2", "include", "sshd_config.d/*.conf", ""),
        ("/etc/ssh/sshd_config.d/00-first.conf:1", "passwordauthentication", "no", ""),
        ("/etc/ssh/sshd_config.d/50-cloud-init.conf:1", "passwordauthentication", "yes", ""),
        ("/etc/ssh/sshd_config:4", "port", "22", ""),
        ("/etc/ssh/sshd_config:5", "x11forwarding", "no # off", ""),
    ]


def test_a_match_block_ends_with_its_file_or_with_the_next_one():
    files = {
        "/etc/ssh/sshd_config": "Include /etc/ssh/a/*.conf\nMaxAuthTries 3\nMatch User bob\nInclude /etc/ssh/b/*.conf\nMatch all\nMaxAuthTries 9\n",
        "/etc/ssh/a/a.conf": "Match Group sftp\nX11Forwarding no\n",
        "/etc/ssh/b/b.conf": "X11Forwarding yes\n",
    }
    assert [(keyword, block) for _place, keyword, _value, block in lines_of(files) if keyword != "include"] == [
        ("match", "Group sftp"),
        ("x11forwarding", "Group sftp"),
        ("maxauthtries", ""),
        ("match", "User bob"),
        ("x11forwarding", "User bob"),
        ("match", "all"),
        ("maxauthtries", "all"),
    ]


def test_files_that_include_themselves_are_an_error():
    files = {"/etc/ssh/sshd_config": "Include /etc/ssh/*\n"}
    with pytest.raises(SshdError, match="too deeply"):
        lines_of(files)


# Whom a Match block means


def connection(**changes):
    plain = dict(word.split("=") for word in anybody().split(","))
    return ",".join("%s=%s" % one for one in {**plain, **changes}.items())


@pytest.mark.parametrize(
    ("criteria", "user", "found"),
    [
        ("all", "", connection()),
        ("ALL", "ada", connection(user="ada")),
        ("User bob", "", connection(user="bob")),
        ("user=bob", "", connection(user="bob")),
        ("User b*,!bo?", "", connection(user="bx")),
        ("User *,!root", "", connection(user="ada")),
        ("User carol", "", connection(user="carol")),
        ("User !bob", "", None),
        ("User bob", "ada", None),
        ("User a*", "ada", connection(user="ada")),
        ("User root", "root", connection(user="root")),
        ("Group sudo", "", connection(user="ada")),
        ("Group sudo,sftp", "bob", connection(user="bob")),
        ("Group nobody-is-in-it", "", None),
        ("Group sudo", "bob", None),
        ("Group sftp User b*", "", connection(user="bob")),
        ("Group sftp User ada", "", None),
        ("Address 10.0.0.0/8", "", connection(addr="10.0.0.1")),
        ("Address 10.1.2.3", "bob", connection(user="bob", addr="10.1.2.3")),
        ("Address !10.0.0.1,10.0.0.0/8", "", connection(addr="10.0.0.2")),
        ("Address 192.168.*", "", connection(addr="192.168.1")),
        ("Address 2001:db8::/32", "", connection(addr="2001:db8::1")),
        ("Host *.example.com", "", connection(host="x.example.com")),
        ('Host "*.example.com" User bob # home', "", connection(user="bob", host="x.example.com")),
        ("LocalPort 2222 LocalAddress 192.0.2.9", "", connection(lport="2222", laddr="192.0.2.9")),
    ],
)
def test_a_connection_that_a_match_block_means(criteria, user, found):
    made = specification(criteria, ACCOUNTS, user)
    assert (made and dict(word.split("=") for word in made.split(","))) == (found and dict(word.split("=") for word in found.split(",")))


@pytest.mark.parametrize(
    "criteria", ["", "User", "Exec /bin/true", "Version OpenSSH*", "Invalid-User", "User bob Final", "Address 10.0.0.0/8,!10.0.0.0/8", "Address 10.*,!10.1.*"]
)
def test_a_match_block_that_cannot_be_asked_about_is_an_error(criteria):
    with pytest.raises(SshdError):
        specification(criteria, ACCOUNTS)


# The server


class Host:
    """A directory that stands for /etc/ssh, /run and /proc, and an sshd that answers with captured texts."""

    def __init__(self, root, captured):
        self.root, self.captured = root, captured
        self.main = root / "sshd_config"
        self.included = root / "sshd_config.d"
        self.included.mkdir()
        self.main.write_text("Include %s/*.conf\nUsePAM yes\n" % self.included)
        self.asked = []
        self.answers = {}
        self.otherwise = "sshd-10.0p2-debian13-hardened"
        self.start()

    def start(self, options=""):
        (self.root / "proc/4711").mkdir(parents=True, exist_ok=True)
        (self.root / "proc/4711/cmdline").write_text(TITLE % options)
        (self.root / "sshd.pid").write_text("4711\n")
        read = 1 + max(os.stat(path).st_ctime_ns for path in [self.main, self.included, *glob.glob(str(self.included / "*"))])
        os.utime(self.root / "sshd.pid", ns=(read, read))
        # What is changed next is later than that on a kernel too whose files have the time of its last tick.
        clock = self.root / "clock"
        clock.touch()
        while clock.stat().st_ctime_ns <= read:
            clock.touch()

    def ask(self, command):
        self.asked.append(command)
        name = next((name for words, name in self.answers.items() if words in " ".join(command)), self.otherwise)
        return self.captured(name).replace("/run/sshd.pid", str(self.root / "sshd.pid"))

    @property
    def server(self):
        return Server(self.ask, main=str(self.main))


@pytest.fixture
def host(tmp_path, captured, monkeypatch):
    monkeypatch.setattr(_sshd_files, "_PROC", str(tmp_path / "proc"))
    monkeypatch.setattr(_sshd_files, "_accounts", lambda: ACCOUNTS)
    made = Host(tmp_path, captured)
    monkeypatch.setattr(probe, "Server", lambda _ask: made.server)
    return made


def value(**arguments):
    return probe.SshdProbe({}).observe(arguments).value


def error(**arguments):
    with pytest.raises(ProbeError) as raised:
        probe.SshdProbe({}).observe(arguments)
    return raised.value


def test_sshd_that_has_read_its_files_has_nothing_unread(host):
    assert host.server.unread() == ""


@pytest.mark.parametrize("change", ["main", "dropped in", "taken away"])
def test_a_change_that_sshd_has_not_read_is_named(host, change):
    dropped = host.included / "50-cloud-init.conf"
    dropped.write_text("PasswordAuthentication yes\n")
    host.start()
    os.utime(host.root / "sshd.pid", ns=(1, 1)) if change == "main" else dropped.unlink()
    if change == "dropped in":
        dropped.write_text("PasswordAuthentication no\n")
    assert host.server.unread() in (str(host.main), str(host.included), str(dropped))


def test_a_file_that_claims_to_be_old_is_not_believed(host):
    dropped = host.included / "50-cloud-init.conf"
    dropped.write_text("PasswordAuthentication no\n")
    host.start()
    with dropped.open("a") as file:
        file.write("X11Forwarding yes\n")
    os.utime(dropped, ns=(1, 1))
    assert host.server.unread() == str(dropped)


@pytest.mark.parametrize("content", ["", "4712\n", "nonsense\n", "../1\n"])
def test_without_the_process_of_the_pid_file_nothing_is_known(host, content):
    (host.root / "sshd.pid").write_text(content)
    with pytest.raises(SshdError):
        host.server.unread()


def test_without_a_pid_file_nothing_is_known(host):
    (host.root / "sshd.pid").unlink()
    raised = error(fact="methods")
    assert "says when it read its configuration" in str(raised)
    assert raised.remedy == "systemctl restart ssh"


def test_options_of_the_command_line_are_asked_with(host):
    host.start(" -o PasswordAuthentication=yes")
    host.server.effective()
    assert host.asked[-1][:4] == ["sshd", "-T", "-o", "PasswordAuthentication=yes"]


def test_another_configuration_file_is_an_error(host):
    host.start(" -f /etc/ssh/other")
    with pytest.raises(SshdError, match="-f /etc/ssh/other"):
        host.server.effective()


def test_what_was_asked_once_is_kept(host):
    server = host.server
    assert server.effective() is server.effective()
    assert len(host.asked) == 1


# The facts


def test_ways_to_log_in(host):
    assert value(fact="methods") == ["publickey"]
    host.otherwise = "sshd-10.0p2-debian13-effective"
    assert value(fact="methods") == ["password", "publickey"]


def test_a_match_block_that_accepts_passwords_is_named(host):
    host.main.write_text(host.main.read_text() + "Match User bob\n  PasswordAuthentication yes\n")
    host.start()
    host.answers = {"user=bob": "sshd-10.0p2-debian13-effective"}
    assert value(fact="methods") == ["password (Match User bob, %s:3)" % host.main, "publickey"]


def test_a_match_block_that_cannot_be_asked_about_is_no_pass(host):
    host.main.write_text(host.main.read_text() + "Match Version OpenSSH*\n  PasswordAuthentication yes\n")
    host.start()
    assert "cannot be asked of sshd" in str(error(fact="methods"))


@pytest.mark.parametrize(
    ("name", "user", "seen"),
    [
        ("permitrootlogin", "root", "no"),
        ("LoginGraceTime", "", "30"),
        ("maxauthtries", "", "4"),
        ("x11forwarding", "ada", "no"),
        ("acceptenv", "", "LANG LC_*"),
    ],
)
def test_settings(host, name, user, seen):
    assert str(value(fact="setting", name=name, user=user)).startswith(seen)


def test_a_setting_that_a_match_block_changes_has_every_value(host):
    host.main.write_text(host.main.read_text() + "Match Address 10.0.0.0/8\n  X11Forwarding yes\nMatch User bob\n X11Forwarding yes\n")
    host.start()
    host.answers = {"addr=10.0.0.1": "sshd-10.0p2-debian13-effective"}
    assert value(fact="setting", name="x11forwarding") == ["no", "yes (Match Address 10.0.0.0/8, %s:3)" % host.main]
    # Of bob's block, root's connections know nothing.
    host.answers = {"user=bob": "sshd-10.0p2-debian13-effective"}
    assert value(fact="setting", name="x11forwarding", user="root") == "no"


def test_a_setting_that_there_is_not_is_an_error(host):
    assert str(error(fact="setting", name="nonsense")) == "sshd knows no setting nonsense"
    assert str(error(fact="setting")) == "fact setting needs `name`"


def test_algorithms_are_named_by_kind(host):
    seen = value(fact="algorithms")
    assert {"kex curve25519-sha256", "cipher aes256-gcm@openssh.com", "mac hmac-sha2-512-etm@openssh.com", "hostkey ssh-ed25519"} <= set(seen)
    assert "mac hmac-sha1" not in seen
    host.otherwise = "sshd-10.0p2-debian13-effective"
    assert {"mac hmac-sha1", "userkey ecdsa-sha2-nistp256"} <= set(value(fact="algorithms"))


def test_a_kind_of_algorithms_that_is_not_named_is_an_error(captured):
    effective = parse_effective(captured("sshd-10.0p2-debian13-hardened"))
    for keyword in ("kexalgorithms", "ciphers", "macs", "hostkeyalgorithms", "pubkeyacceptedalgorithms"):
        with pytest.raises(ProbeError, match=keyword):
            probe.algorithms({name: values for name, values in effective.items() if name != keyword})


def test_key_exchange_by_gssapi_counts_where_it_is_on(captured):
    effective = dict(parse_effective(captured("sshd-10.0p2-debian13-hardened")), gssapikeyexchange=["yes"])
    assert "kex gss-group14-sha1-" in probe.algorithms(effective)


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"passwordauthentication": ["yes"], "permitemptypasswords": ["yes"]}, ["publickey", "password", "empty passwords"]),
        ({"kbdinteractiveauthentication": ["yes"]}, ["publickey", "keyboard-interactive"]),
        ({"hostbasedauthentication": ["yes"], "gssapiauthentication": ["yes"]}, ["publickey", "hostbased", "gssapi-with-mic"]),
        ({"pubkeyauthentication": ["no"]}, []),
    ],
)
def test_every_way_to_log_in_is_seen(captured, changes, found):
    assert probe.methods({**parse_effective(captured("sshd-10.0p2-debian13-hardened")), **changes}) == found


def test_a_way_to_log_in_that_sshd_does_not_mention_is_an_error(captured):
    effective = parse_effective(captured("sshd-10.0p2-debian13-hardened"))
    with pytest.raises(ProbeError, match="kbdinteractiveauthentication"):
        probe.methods({name: values for name, values in effective.items() if name != "kbdinteractiveauthentication"})


def test_a_configuration_that_was_not_read_is_no_observation(host):
    os.utime(host.root / "sshd.pid", ns=(1, 1))
    for fact in ({"fact": "methods"}, {"fact": "algorithms"}, {"fact": "setting", "name": "maxauthtries"}):
        raised = error(**fact)
        assert "sshd has not read" in str(raised)
        assert raised.remedy == "systemctl restart ssh"


@pytest.mark.parametrize(("greeting", "greets"), [(b"SSH-2.0-OpenSSH_9.6\r\n", True), (b"HTTP/1.1 400\r\n", False), (b"", False)])
def test_who_answers_as_an_ssh_server_is_one(greeting, greets):
    with socket.create_server(("127.0.0.1", 0)) as server, ThreadPoolExecutor(1) as pool:
        port = server.getsockname()[1]

        def answer():
            connection, _address = server.accept()
            with connection:
                connection.sendall(greeting)

        answered = pool.submit(answer)
        assert _sshd_host.greets("0.0.0.0:%d" % port) is greets
        answered.result()


def test_nobody_greets_where_nothing_listens():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        assert not _sshd_host.greets("127.0.0.1:%d" % port)
        assert not _sshd_host.greets("[::]:%d" % port)
