# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The directory of a run: only what this run wrote counts, whole, and nobody else reads it."""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
import signal
import stat
import subprocess
import sys
import time

import pytest

from ansible_collections.gonogo.preflight.plugins.module_utils._verdict import Question
from ansible_collections.gonogo.preflight.plugins.plugin_utils._provisioning import provisioning
from ansible_collections.gonogo.preflight.plugins.plugin_utils._run import Provision, Run, reports_directory, write_json, write_text

ANSWER = {"item": "redis.aof", "subject": "data1", "status": "pass", "observed": "yes"}
QUESTION = Question("redis.aof", "data1", "data1", "start", "block", "Redis keeps its data", "redis", "yes", "catalogue", "abc")


@pytest.fixture
def run(tmp_path):
    return Run(str(tmp_path / "reports"), os.getpid())


def spoil(run, name, content):
    """Put a file into the run as nobody would write it."""
    path = pathlib.Path(run.path(*name.split("/")))
    path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())


def modes(directory):
    return {path.name: stat.S_IMODE(path.lstat().st_mode) for path in pathlib.Path(directory).rglob("*") if not path.is_symlink()}


# Which run it is


def test_a_run_is_named_for_its_process_and_the_time_that_began(run, tmp_path):
    assert run.id == Run(str(tmp_path), os.getpid()).id
    assert run.id.endswith("-%d" % os.getpid())
    assert run.id.startswith(time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(run.started)))
    assert time.time() - 3600 < run.started <= time.time()


def test_a_process_that_began_now_is_a_run_that_began_now(tmp_path):
    before = time.time()
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        started = Run(str(tmp_path), process.pid).started
        process.communicate(b"\n")
    assert before - 2 < started < time.time() + 2


def test_reports_lie_beside_the_configuration(tmp_path, monkeypatch):
    assert reports_directory("/project/ansible.cfg") == "/project/reports"
    monkeypatch.chdir(tmp_path)
    assert reports_directory(None) == str(tmp_path / "reports")


# What is written


def test_only_the_owner_reads_a_run(run, tmp_path):
    before = os.umask(0)
    try:
        run.put_answers("data1", "start", "host", [ANSWER])
        run.put_questions([QUESTION], {})
        run.put_provision(Provision("data1", "finished"))
        run.put_event("gate.start", {"door": "start"})
    finally:
        os.umask(before)
    found = modes(tmp_path)
    assert {name for name, mode in found.items() if mode == 0o700} == {"reports", run.id, "spool", "provision", "events"}
    assert {name for name, mode in found.items() if mode == 0o600} == {
        "data1.start.host.json",
        "questions.json",
        "data1.json",
        "gate.start.json",
    }
    assert len(found) == 9


def test_a_file_is_whole_or_not_there(tmp_path, monkeypatch):
    path = tmp_path / "x.json"
    write_json(str(path), {"a": 1})

    def full(_descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_json(str(path), {"a": 2})
    assert json.loads(path.read_text()) == {"a": 1}
    assert os.listdir(tmp_path) == ["x.json"]


def test_what_cannot_be_json_leaves_the_old_file(tmp_path):
    path = tmp_path / "x.json"
    write_json(str(path), {"a": 1})
    with pytest.raises(TypeError):
        write_json(str(path), {"a": object()})
    assert json.loads(path.read_text()) == {"a": 1}


def test_a_writer_that_is_killed_leaves_no_half_file(tmp_path):
    """Readers see one of the whole files at every moment, and so do those who come after the kill."""
    path = tmp_path / "x.json"
    write_json(str(path), {"a": 0})
    writer = os.fork()
    if writer == 0:
        number = 0
        while True:
            number += 1
            write_json(str(path), {"a": number, "padding": "x" * 100_000})
    try:
        seen = set()
        end = time.monotonic() + 60
        while len(seen) < 10 and time.monotonic() < end:
            seen.add(json.loads(path.read_text())["a"])
    finally:
        os.kill(writer, signal.SIGKILL)
        os.waitpid(writer, 0)
    assert len(seen) >= 2
    assert json.loads(path.read_text())["a"] >= max(seen)


def test_half_a_character_is_written_all_the_same(tmp_path):
    write_text(str(tmp_path / "x.md"), "found \ud800 here")
    assert (tmp_path / "x.md").read_text() == "found \\ud800 here"


def test_latest_names_the_last_run_and_survives_a_leftover(run, tmp_path):
    run.path("results.json")
    for _time in range(2):
        (tmp_path / "reports" / (".latest-" + run.id)).symlink_to("nowhere")
        run.link_latest()
        assert os.readlink(tmp_path / "reports" / "latest") == run.id


# What is read


def test_answers_of_several_hosts_doors_and_vantages(run):
    run.put_answers("data1", "start", "host", [ANSWER])
    run.put_answers("data1", "live", "host", [dict(ANSWER, item="a")])
    run.put_answers("data1", "start", "outside", [dict(ANSWER, item="b"), dict(ANSWER, item="c")])
    run.put_answers("app1", "start", "host", [])
    assert sorted(answer["item"] for answer in run.answers()) == ["a", "b", "c", "redis.aof"]


def test_a_host_that_is_asked_again_has_its_last_answers(run):
    run.put_answers("data1", "start", "host", [dict(ANSWER, status="fail")])
    run.put_answers("data1", "start", "host", [ANSWER])
    assert run.answers() == [ANSWER]


@pytest.mark.parametrize("host", ["10.0.0.1", "2001:db8::1", "a/b", "../../etc", "..", "host with spaces", "ä"])
def test_a_host_may_be_called_anything(run, host, tmp_path):
    run.put_answers(host, "start", "host", [dict(ANSWER, subject=host)])
    run.put_provision(Provision(host, "begun"))
    run.put_event("release." + host, {"host": host, "outcome": "started"})
    assert [answer["subject"] for answer in run.answers()] == [host]
    assert run.provisions() == [Provision(host, "begun")]
    assert [(event["host"], event["name"]) for event in run.events("release.")] == [(host, "release." + host)]
    assert os.listdir(tmp_path) == ["reports"]


def test_nothing_written_is_nothing_read(run):
    assert (run.exists, run.answers(), run.questions(), run.provisions(), run.events("")) == (False, [], ([], {}), [], [])


FOREIGN = {"run": "20200101T000000Z-1", "answers": [ANSWER]}
UNREADABLE = [b"", b"{", b"\xff", b"[]", b"null", b"5", b'"x"', b"[" * 100_000, b'{"run": ']


@pytest.mark.parametrize("content", [FOREIGN, {"answers": [ANSWER]}, *UNREADABLE])
def test_an_answer_of_another_run_or_none_that_can_be_read_is_no_answer(run, content):
    run.put_answers("app1", "start", "host", [ANSWER])
    spoil(run, "spool/data1.start.host.json", content)
    assert run.answers() == [ANSWER]


@pytest.mark.parametrize("answers", [None, 5, "x", {}, [None, 5, "x", [ANSWER]]])
def test_answers_that_are_no_list_of_mappings_are_no_answers(run, answers):
    spoil(run, "spool/data1.start.host.json", {"run": run.id, "answers": answers})
    assert run.answers() == []


def test_answers_can_be_dropped_and_given_anew(run):
    run.put_answers("app1", "start", "host", [ANSWER])
    run.forget_answers()
    assert run.answers() == []
    run.forget_answers()
    run.put_answers("app1", "start", "host", [ANSWER])
    assert run.answers() == [ANSWER]


def test_a_file_that_is_still_being_written_is_no_answer(run):
    spoil(run, "spool/.writing-abc", {"run": run.id, "answers": [ANSWER]})
    spoil(run, "spool/data1.start.host.json.bak", {"run": run.id, "answers": [ANSWER]})
    assert run.answers() == []


def test_questions_come_back_as_they_were(run):
    asked = [QUESTION, dataclasses.replace(QUESTION, subject="data2", relaxed="yes")]
    run.put_questions(asked, {"environment": "lab"})
    assert run.questions() == (asked, {"environment": "lab"})


@pytest.mark.parametrize(
    "content", [*UNREADABLE, {}, {"questions": [], "context": 5}, {"questions": [{"item": "x"}], "context": {}}, {"questions": 5, "context": {}}]
)
def test_questions_that_cannot_be_read_are_none(run, content):
    spoil(run, "questions.json", content)
    assert run.questions() == ([], {})


@pytest.mark.parametrize("content", [*UNREADABLE, {}, {"host": "data1", "stage": "finished"}])
def test_a_provision_record_that_cannot_be_read_is_no_finished_host(run, content):
    spoil(run, "provision/data1.json", content)
    assert run.provisions() == [Provision("data1", "unreadable")]


@pytest.mark.parametrize("content", UNREADABLE)
def test_an_event_that_cannot_be_read_is_no_success(run, content):
    spoil(run, "events/release.app1.json", content)
    (event,) = run.events("release.")
    assert (event["host"], event["outcome"], event["name"]) == ("app1", "unreadable", "release.app1")


def test_events_come_in_their_order(run, monkeypatch):
    for moment, name in [(3.0, "gate.live"), (1.0, "gate.start"), (2.0, "release.app1")]:
        monkeypatch.setattr(time, "time", lambda moment=moment: moment)
        run.put_event(name, {"door": name})
    assert [event["name"] for event in run.events("")] == ["gate.start", "release.app1", "gate.live"]
    assert [event["name"] for event in run.events("gate.")] == ["gate.start", "gate.live"]


# The built-in item run.provisioned


@pytest.mark.parametrize(
    ("record", "status", "observed"),
    [
        (Provision("data1", "finished"), "pass", "finished"),
        (Provision("data1", "begun"), "fail", "stopped at task: unknown"),
        (Provision("data1", "failed", "redis : Start Redis", "no such unit"), "fail", "stopped at task: redis : Start Redis"),
        (Provision("data1", "unreadable"), "fail", "stopped at task: unknown"),
    ],
)
def test_a_host_whose_provisioning_began_must_have_finished(run, record, status, observed):
    run.put_provision(record)
    (question,), (answer,) = provisioning(run)
    assert (question.item, question.subject, question.door, question.severity) == ("run.provisioned", "data1", "start", "block")
    assert (answer["status"], answer["observed"], answer["evidence"]) == (status, observed, record.message)
    assert (answer["item"], answer["subject"], answer["vantage"], answer["digest"]) == (question.item, question.subject, question.vantage, question.digest)


def test_a_host_that_this_run_did_not_provision_is_not_asked(run):
    assert provisioning(run) == ([], [])
