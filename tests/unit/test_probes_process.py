# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The process and command probes on real processes."""

from __future__ import annotations

import contextlib
import os
import pathlib
import pwd
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import types

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.gonogo.preflight.plugins.module_utils._probes import _base, _command, _process
from ansible_collections.gonogo.preflight.plugins.module_utils._probes._base import ProbeError

MARK = "gonogo-%d" % os.getpid()
OWN = "g%d" % os.getpid()  # no other run of these tests has a process of this name


def look(kind, fact, *, limit=15.0, **arguments):
    probe = kind({})
    probe.limit = limit
    return probe.observe({"fact": fact, **arguments})


def process(fact, **arguments):
    return look(_process.ProcessProbe, fact, **arguments).value


def command(fact, *argv, **more):
    return look(_command.CommandProbe, fact, argv=list(argv), **more)


def error(kind, fact, **arguments):
    with pytest.raises(ProbeError) as raised:
        look(kind, fact, **arguments)
    return str(raised.value)


@contextlib.contextmanager
def running(*argv, **options):
    with subprocess.Popen(argv, stdout=subprocess.PIPE, **options) as started:
        try:
            yield started
        finally:
            started.kill()


def name_of(pid):
    return pathlib.Path("/proc/%s/comm" % pid).read_text().strip()


def await_program(pid, name):
    """Until the process is that program: the kernel sets its name first, and its arguments after that."""
    end = time.monotonic() + 30
    while name_of(pid) != name or not pathlib.Path("/proc/%s/cmdline" % pid).read_text():
        assert time.monotonic() < end
        time.sleep(0.01)


@contextlib.contextmanager
def sleeping(path, *, named="sleep", **options):
    """A process of a program called `named`, once it is that program."""
    program = path / named
    if not program.exists():
        shutil.copy(shutil.which("sleep"), program)
    with running(str(program), "300", **options) as started:
        await_program(started.pid, named[:15])
        yield started


@pytest.mark.parametrize("named", [OWN + "-worker", OWN + "-worker-of-a-long-name"], ids=["short", "long"])
def test_count_by_name(tmp_path, named):
    assert process("count", name=named) == 0
    with sleeping(tmp_path, named=named), sleeping(tmp_path, named=named) as second:
        seen = look(_process.ProcessProbe, "count", name=named)
        assert seen.value == 2
        assert seen.evidence.startswith("processes called %s: %s (" % (named, named[:15]))
        assert process("count", name=named[:5]) == 0
        second.kill()
        # Ended and not yet reaped.
        os.waitid(os.P_PID, second.pid, os.WEXITED | os.WNOWAIT)
        assert process("count", name=named) == 1
    assert process("count", name=named) == 0


def test_names_alike_in_what_the_kernel_keeps_are_told_apart(tmp_path):
    with sleeping(tmp_path, named=OWN + "-of-a-long-name-a"):
        assert process("count", name=OWN + "-of-a-long-name-a") == 1
        assert process("count", name=OWN + "-of-a-long-name-b") == 0


def test_count_by_command_line(tmp_path):
    source = "import time; print('up', flush=True); time.sleep(300)"
    assert process("count", pattern=MARK) == 0
    with running(sys.executable, "-c", source, MARK) as started:
        started.stdout.readline()
        seen = look(_process.ProcessProbe, "count", pattern="-c .* %s$" % MARK)
        assert seen.value == 1 and MARK not in seen.evidence and "(%d)" % started.pid in seen.evidence


def test_the_probe_and_what_started_it_are_not_counted():
    own = pathlib.Path("/proc/self/cmdline").read_text().replace("\0", " ").strip()
    assert process("count", pattern="^%s$" % re.escape(own)) == 0


def test_user(tmp_path):
    with sleeping(tmp_path, named=OWN):
        assert process("user", name=OWN) == [pwd.getpwuid(os.geteuid()).pw_name]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes somebody else")
def test_users_of_several_processes(tmp_path):
    tmp_path.chmod(0o755)
    nobody = pwd.getpwnam("nobody").pw_uid
    with sleeping(tmp_path, named=OWN), running("/bin/sleep", "300.%d" % os.getpid(), user=nobody) as other:
        await_program(other.pid, "sleep")
        assert process("user", pattern=r"%s 300|^/bin/sleep 300\.%d$" % (OWN, os.getpid())) == ["nobody", "root"]


def test_an_account_without_a_name_is_its_number():
    assert _process._account(54321) == "54321"


def test_the_users_of_nothing_are_an_error():
    assert error(_process.ProcessProbe, "user", name=MARK) == "no process called %s runs" % MARK


@pytest.mark.parametrize("fact", ["count", "user"])
@pytest.mark.parametrize("arguments", [{}, {"name": "a", "pattern": "a"}, {"name": "", "pattern": ""}])
def test_either_name_or_pattern(fact, arguments):
    assert error(_process.ProcessProbe, fact, **arguments) == "fact %s needs either `name` or `pattern`" % fact


def test_a_pattern_that_is_none_is_an_error():
    assert "is not a regular expression" in error(_process.ProcessProbe, "count", pattern="(")


def test_a_proc_that_hides_others_is_no_count_of_zero(tmp_path, monkeypatch):
    (tmp_path / "4242").mkdir()
    monkeypatch.setattr(_process, "_PROC", str(tmp_path))
    assert "does not show the processes of others" in error(_process.ProcessProbe, "count", name="a")


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_who_listens(address):
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as server:
        try:
            server.bind((address, 0))
        except OSError:
            pytest.skip("no such address here")
        port = server.getsockname()[1]
        assert process("listening", port=port) == "", "bound and not listening"
        server.listen()
        assert process("listening", port=port) == name_of("self")
    seen = look(_process.ProcessProbe, "listening", port=port)
    assert (seen.value, seen.evidence) == ("", "nothing listens on TCP port %d" % port)


def test_a_listener_whose_process_is_not_seen_is_an_error(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setattr(_process.os, "listdir", lambda _path: [])
        assert "which process cannot be seen" in error(_process.ProcessProbe, "listening", port=server.getsockname()[1])


@pytest.mark.parametrize("port", [None, 0, 70000])
def test_who_listens_needs_a_port(port):
    assert "needs `port`" in error(_process.ProcessProbe, "listening", port=port)


PUBLISHED = [(8000, "app-api-1", "app"), (8080, "other-web-1", "other"), (9000, "by-hand", "")]


@pytest.mark.parametrize(
    ("held", "found"),
    [
        ({}, []),
        ({5432: []}, []),
        ({5432: ["postgres"]}, []),
        ({5432: ["java"]}, ["5432 (java)"]),
        ({8000: ["docker-proxy"]}, []),
        ({8000: []}, []),  # without the proxy of the engine, only its rules lead there
        ({8080: ["docker-proxy"]}, ["8080 (container other-web-1)"]),
        ({8080: []}, ["8080 (container other-web-1)"]),
        ({9000: ["docker-proxy"]}, ["9000 (container by-hand)"]),
        ({8000: ["docker-proxy", "python3"], 8080: ["docker-proxy"]}, ["8000 (python3)", "8080 (container other-web-1)"]),
    ],
)
def test_ports_that_belong_to_others(held, found):
    assert _process.foreign(held, PUBLISHED, ["postgres", "nginx"], "app") == found


def test_without_a_project_every_container_is_of_others():
    assert _process.foreign({9000: ["docker-proxy"]}, PUBLISHED, [], "") == ["9000 (container by-hand)"]


def test_a_port_of_the_engine_without_a_container_is_an_error():
    with pytest.raises(ProbeError, match="docker-proxy holds port 7000, and the engine names no container for it"):
        _process.foreign({7000: ["docker-proxy"]}, PUBLISHED, [], "app")


def test_ports_that_are_free_or_held_by_a_program_of_the_stack(monkeypatch):
    monkeypatch.setattr(_process.ProcessProbe, "_published", lambda _self: [])
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert process("foreign", ports=[port]) == ["%d (%s)" % (port, name_of("self"))]
        assert process("foreign", ports=[port], programs=[name_of("self")]) == []
    seen = look(_process.ProcessProbe, "foreign", ports=[port])
    assert (seen.value, seen.evidence) == ([], "nothing listens on any of them")


def test_what_containers_publish(monkeypatch):
    class Containers:
        def list(self, *, ignore_removed):
            def container(name, ports, **labels):
                return types.SimpleNamespace(name=name, labels=labels, attrs={"NetworkSettings": {"Ports": ports}})

            yield container("app-api-1", {"8000/tcp": [{"HostIp": "127.0.0.1", "HostPort": "8000"}], "9000/tcp": None}, **{"com.docker.compose.project": "app"})
            yield container("by-hand", {"80/tcp": [{"HostIp": "0.0.0.0", "HostPort": "8080"}, {"HostIp": "::", "HostPort": "8080"}]})
            yield container("alone", None)

    monkeypatch.setattr(_process, "unit", lambda: (True, True))
    monkeypatch.setattr(_process.DockerProbe, "client", lambda _self: types.SimpleNamespace(containers=Containers()))
    assert _process.ProcessProbe({})._published() == [(8000, "app-api-1", "app"), (8080, "by-hand", ""), (8080, "by-hand", "")]
    monkeypatch.setattr(_process, "unit", lambda: (False, False))
    assert _process.ProcessProbe({})._published() == []


@pytest.mark.parametrize("ports", [None, [], [0], [70000], list(range(1, 100))])
def test_ports_are_needed(ports):
    assert "fact foreign needs `ports`" in error(_process.ProcessProbe, "foreign", ports=ports)


STATUS = "Name:\tng\\\\inx\\nx\nUmask:\t0022\nState:\tS (sleeping)\nPid:\t7\nPPid:\t1\nUid:\t0\t33\t0\t0\n"


def test_status():
    assert _process.parse_status(STATUS) == ("ng\\inx\nx", "S", 1, 33)


@pytest.mark.parametrize("text", ["", "Name:\ta\n", STATUS.replace("Uid:\t0\t33", "Uid:\tx\ty"), STATUS.replace("PPid", "Other")])
def test_half_a_status_is_an_error(text):
    with pytest.raises(ProbeError):
        _process.parse_status(text)


@given(st.one_of(st.text(), st.text(alphabet="Name:StatePidU\t0123\n\\", max_size=80)))
def test_a_status_is_read_or_an_error(text):
    with contextlib.suppress(ProbeError):
        _process.parse_status(text)


HEADING = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"


@given(st.one_of(st.text(), st.text(alphabet="0AF:16 \n", max_size=80)).map(lambda text: HEADING + text))
def test_a_table_of_sockets_is_read_or_an_error(text):
    with contextlib.suppress(ProbeError):
        _process.parse_listeners(text, 80)


@pytest.mark.parametrize("text", ["", "garbage", HEADING + "0: nonsense\n", HEADING + "0: 0100007F:xx 0:0 0A 0 0 0 0 0 1\n"])
def test_a_table_of_sockets_that_is_none_is_an_error(text):
    with pytest.raises(ProbeError):
        _process.parse_listeners(text, 80)


# Commands


@pytest.fixture
def script(tmp_path):
    def install(text):
        path = tmp_path / "program"
        path.write_text("#!/bin/sh\n" + text)
        path.chmod(0o755)
        return str(path)

    return install


@pytest.mark.parametrize("status", [0, 1, 3, 127, 255])
def test_status_of_a_command(script, status):
    assert command("status", script("exit %d" % status)).value == status


def test_output_is_the_first_line(script):
    seen = command("output", script("echo ' 1.4.2 '; echo more"))
    assert seen.value == "1.4.2" and seen.evidence.startswith("first line of `/")
    assert command("output", "true").value == ""


def test_lines_that_are_not_blank_are_counted(script):
    assert command("lines", script("printf 'a\\n\\n  \\nb\\nc'")).value == 3
    assert command("lines", "true").value == 0


@pytest.mark.parametrize("fact", ["output", "lines"])
def test_a_command_that_fails_has_no_output(script, fact):
    path = script("echo fine; echo 'password=hunter22' >&2; exit 2")
    assert error(_command.CommandProbe, fact, argv=[path]) == "`%s` ended with status 2" % path
    assert command(fact, path, accept=[0, 2]).value in ("fine", 1)


def test_no_shell_reads_the_arguments():
    assert command("output", "echo", "$HOME; exit 3 `id` *").value == "$HOME; exit 3 `id` *"
    assert command("output", "/bin/echo", "a  b").value == "a  b"


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        ([], "`argv` is a list of words"),
        ([""], "`argv` is a list of words"),
        (["echo", "a\0b"], "`argv` is a list of words"),
        (["./run"], "neither the name of a program nor an absolute path"),
        (["sh", "-c", "true"], "is a shell"),
        (["/bin/bash", "-c", "true"], "is a shell"),
        (["no-such-program"], "no-such-program is not installed"),
        (["/nonexistent/program"], "/nonexistent/program is not installed"),
    ],
)
@pytest.mark.parametrize("fact", ["status", "output", "lines"])
def test_what_is_no_command_is_an_error(fact, argv, said):
    assert said in error(_command.CommandProbe, fact, argv=argv)


@pytest.mark.parametrize("fact", ["status", "output", "lines"])
def test_a_command_that_a_signal_ends_or_that_cannot_start_is_an_error(script, tmp_path, fact):
    assert "was ended by signal %d" % signal.SIGSEGV in error(_command.CommandProbe, fact, argv=[script("kill -SEGV $$")])
    (tmp_path / "broken").write_text("#!/nonexistent/interpreter\n")
    (tmp_path / "broken").chmod(0o755)
    assert "could not be started" in error(_command.CommandProbe, fact, argv=[str(tmp_path / "broken")])


def test_a_command_that_hangs_or_says_too_much_is_an_error(script):
    assert error(_command.CommandProbe, "status", argv=["sleep", "60"], limit=0.5) == "`sleep 60` gave no answer within 0.4 s"
    assert "gave no answer within" in error(_command.CommandProbe, "lines", argv=[script("while :; do echo y; done")], limit=0.5)


@pytest.mark.parametrize(("limit", "ended"), [(60.0, 59.0), (15.0, 14.0), (5.0, 4.0), (1.0, 0.8), (0.01, 0.1), (-3.0, 0.1)])
def test_a_command_has_the_time_of_its_item_less_what_it_takes_to_say_so(monkeypatch, limit, ended):
    given = []

    def hangs(*_arguments, limit, **_more):
        given.append(limit)
        raise _base.CommandHungError

    monkeypatch.setattr(_base, "run", hangs)
    monkeypatch.setattr(_base, "_COMMAND_LIMIT", 0.01)
    with pytest.raises(ProbeError) as raised:
        look(_command.CommandProbe, "status", argv=["true"], limit=limit)
    assert given == [pytest.approx(ended)]
    assert str(raised.value) == "`true` gave no answer within %.3g s" % ended
    assert "`limit` gives an item up to 60 s" in raised.value.remedy


def test_more_output_than_is_read_is_an_error(monkeypatch):
    monkeypatch.setitem(_base.run.__globals__, "_LARGEST", 100000)
    assert "said more than a probe reads" in error(_command.CommandProbe, "lines", argv=["yes"])
    assert command("lines", "seq", "100").value == 100


WORD = "Zebra7Quartz9Lamp"


@pytest.mark.parametrize(
    "argv",
    [
        ["true", "--password", WORD],
        ["true", "--password=%s" % WORD],
        ["true", "-p", WORD],
        ["true", "PGPASSWORD=%s" % WORD],
        ["true", "postgresql://app:%s@db/app" % WORD],
        ["true", "-H", "Authorization: Bearer %s" % WORD],
        ["true", "--user", "app:%s" % WORD],
    ],
)
def test_a_secret_among_the_arguments_is_in_no_evidence_and_no_error(argv, script):
    seen = command("output", *argv).evidence
    assert WORD not in seen and "***" in seen
    assert WORD not in error(_command.CommandProbe, "output", argv=["false", *argv[1:]])
    said = error(_command.CommandProbe, "status", argv=[script("sleep 60"), *argv[1:]], limit=0.3)
    assert "gave no answer" in said and WORD not in said


@pytest.mark.parametrize("argv", [["restic", "snapshots", "--json"], ["docker", "compose", "version"], ["cat", "/etc/hostname"], ["df", "--output=size", "/"]])
def test_other_arguments_are_shown(argv):
    assert _command.masked(argv) == " ".join(argv)


@pytest.mark.parametrize("line", ["postgresql://app:%s@db/app" % WORD, "password=%s" % WORD, "-----BEGIN PRIVATE KEY-----"])
def test_output_that_looks_secret_is_not_shown(tmp_path, line):
    (tmp_path / "said").write_text(line)
    said = error(_command.CommandProbe, "output", argv=["cat", str(tmp_path / "said")])
    assert "looks like a secret" in said and WORD not in said


def test_a_line_without_end_is_an_error():
    assert "more than 1000 characters" in error(_command.CommandProbe, "output", argv=["printf", "%02000d", "7"])


@given(st.lists(st.text(), min_size=1))
def test_any_arguments_can_be_masked(argv):
    assert _command.masked(argv).startswith(argv[0])
