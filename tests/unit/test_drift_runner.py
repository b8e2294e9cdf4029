# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The program of the drift timer, with a stand-in for ansible-playbook: whatever happens to it, it never leaves green behind."""

from __future__ import annotations

import dataclasses
import fcntl
import itertools
import json
import os
import pathlib
import stat
import typing as t

import pytest

from ansible_collections.gonogo.preflight.plugins.plugin_utils import _drift_runner as runner

# Writes what each playbook is told to leave in its report, and ends with the status it is told.
STAND_IN = """#!/bin/sh
set -eu
name=${1##*.}
echo "$*" >>"$DIRECTORY/calls"
reports=$(dirname "$ANSIBLE_CONFIG")/reports/20260101T000000Z-1
mkdir -p "$reports"
[ ! -d "$DIRECTORY/$name" ] || cp -r "$DIRECTORY/$name/." "$reports"
cat "$DIRECTORY/$name.output" 2>/dev/null || true
exit "$(cat "$DIRECTORY/$name.status" 2>/dev/null || echo 0)"
"""
ROW = {"item": "a", "subject": "db1", "door": "start", "outcome": "pass", "title": "", "observed": "", "expected": "", "reason": "", "remedy": ""}


@dataclasses.dataclass
class Lab:
    root: pathlib.Path
    control: runner.Control

    def leaves(self, name: str, files: dict[str, t.Any], status: int = 0, output: str = "") -> None:
        for path, document in files.items():
            file = self.root / name / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(json.dumps(document))
        (self.root / (name + ".status")).write_text(str(status))
        (self.root / (name + ".output")).write_text(output)

    @property
    def last(self) -> dict[str, t.Any]:
        return self.control.last("last")

    def metric(self, name: str) -> str:
        lines = pathlib.Path(self.control.metrics).read_text().splitlines()
        return next(line.split()[1] for line in lines if line.startswith("gonogo_drift_%s " % name))


@pytest.fixture
def lab(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Lab:
    for name in ("projects/one", "bin", "metrics"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "project").symlink_to("projects/one")
    (tmp_path / "ansible.cfg").write_text("")
    program = tmp_path / "bin" / "ansible-playbook"
    program.write_text(STAND_IN.replace("$DIRECTORY", str(tmp_path)))
    program.chmod(0o755)
    for name in ("SERVICE_RESULT", "INVOCATION_ID", "JOURNAL_STREAM"):
        monkeypatch.delenv(name, raising=False)
    # A clock that never tells one second twice, which would give two runs of this process one name.
    clock = itertools.count(1_800_000_000, 10)
    monkeypatch.setattr(runner.time, "time", lambda: float(next(clock)))
    control = runner.Control(
        environment="prod",
        inventory="prod",
        project=str(tmp_path / "project"),
        configuration=str(tmp_path / "ansible.cfg"),
        state=str(tmp_path / "state"),
        metrics=str(tmp_path / "metrics" / "gonogo_drift.prom"),
        programs=str(tmp_path / "bin"),
        keep=2,
        limit=1800,
    )
    made = Lab(tmp_path, control)
    made.leaves("provision", {"changes.json": {"changes": [], "unreachable": {}}})
    made.leaves("verify", {"results.json": {"verdict": "GO", "problems": [], "results": [ROW]}})
    return made


def test_a_green_run_is_kept_told_and_measured(lab: Lab, capsys: pytest.CaptureFixture[str]) -> None:
    assert runner.run(lab.control) == 0
    assert lab.last["state"] == "green" == lab.control.last("green")["state"]
    assert "prod: GREEN" in capsys.readouterr().out
    assert lab.metric("green") == "1" and lab.metric("running_since_timestamp_seconds") == "0"
    assert stat.S_IMODE(os.stat(lab.control.metrics).st_mode) == 0o644
    assert os.listdir(lab.root / "metrics") == ["gonogo_drift.prom"], "no temporary file is left"
    calls = (lab.root / "calls").read_text().splitlines()
    assert calls == ["gonogo.preflight.provision -i prod --check", "gonogo.preflight.verify -i prod"]
    assert not lab.control.running()


def test_what_would_be_changed_is_drift(lab: Lab) -> None:
    runner.run(lab.control)
    thing = {"host": "db1", "role": "redis", "task": "t", "kind": "file", "name": "/etc/x", "detail": "would be written", "follows": False}
    lab.leaves("provision", {"changes.json": {"changes": [thing], "unreachable": {}}})
    assert runner.run(lab.control) == 1
    assert lab.last["state"] == "drifted" and lab.last["changes"] == [thing] and lab.last["since"] == lab.control.last("green")["run"]
    assert lab.metric("green") == "0" and lab.metric("changes") == "1"


@pytest.mark.parametrize(
    ("provision", "status", "said"),
    [
        ({"changes.json": {"changes": [], "unreachable": {"db1": "timed out"}}}, 4, "db1 is unreachable: timed out"),
        (
            {"changes.json": {"changes": [], "unreachable": {}}, "provision/db1.json": {"host": "db1", "state": "failed", "task": "Install", "message": "no"}},
            2,
            "db1: check mode stopped at task 'Install': no",
        ),
        ({"changes.json": {"changes": [], "unreachable": {}}}, 250, "provision in check mode ended with status 250"),
        ({"changes.json": ["nonsense"]}, 0, "provision in check mode ended with status 0"),
    ],
)
def test_a_dry_run_that_did_not_look_everywhere_is_not_green(lab: Lab, provision: dict[str, t.Any], status: int, said: str) -> None:
    runner.run(lab.control)
    lab.leaves("provision", provision, status)
    assert runner.run(lab.control) == 2
    assert said in " ".join(lab.last["reasons"])
    assert lab.metric("green") == "0" and lab.metric("changes") == "NaN"


def test_a_wrong_vault_password_is_said_in_ansibles_words(lab: Lab, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("provision", "verify"):
        for file in (lab.root / name).iterdir():
            file.unlink()
        lab.leaves(name, {}, 1, "[WARNING]: noise\n[ERROR]: Decryption failed (no vault secrets were found that could decrypt).\n")
    assert runner.run(lab.control) == 2
    said = capsys.readouterr().out
    assert "not known: provision in check mode ended with status 1: [ERROR]: Decryption failed" in said
    assert "not known: the verification ended with status 1 and no report: [ERROR]: Decryption failed" in said


def test_a_second_run_says_so_and_leaves_the_metrics(lab: Lab, capsys: pytest.CaptureFixture[str]) -> None:
    runner.run(lab.control)
    before = os.stat(lab.control.metrics)
    with open(lab.control.path("lock")) as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert runner.run(lab.control) == 0
        assert runner.settle(lab.control) == 0
    assert "another drift run is going on" in capsys.readouterr().out
    after = os.stat(lab.control.metrics)
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)


def _run_dies(lab: Lab, monkeypatch: pytest.MonkeyPatch, place: t.Any, where: str) -> None:
    def dies(*_arguments: t.Any, **_options: t.Any) -> t.NoReturn:
        raise KeyboardInterrupt

    with monkeypatch.context() as broken:
        broken.setattr(place, where, dies)
        with pytest.raises(KeyboardInterrupt):
            runner.run(lab.control)


@pytest.mark.parametrize("where", ["_look", "_keep", "_measure"])
@pytest.mark.parametrize(("result", "said"), [("timeout", "after the limit of 1800 s"), ("signal", "killed by a signal"), ("", "the control host went down")])
def test_a_run_that_dies_after_a_green_one_is_settled(lab: Lab, monkeypatch: pytest.MonkeyPatch, where: str, result: str, said: str) -> None:
    runner.run(lab.control)
    _run_dies(lab, monkeypatch, runner, where)
    monkeypatch.setenv("SERVICE_RESULT", result)
    assert runner.settle(lab.control) == 0
    assert lab.last["state"] == "incomplete" and said in lab.last["reasons"][0]
    assert lab.metric("green") == "0" and lab.metric("last_green_timestamp_seconds") != "0"
    assert not lab.control.running()


def test_a_run_that_died_after_its_summary_is_ended_as_it_said(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    _run_dies(lab, monkeypatch, runner.os, "unlink")
    assert lab.control.running()
    runner.settle(lab.control)
    assert lab.last["state"] == "green" and not lab.control.running()


def test_a_death_that_nobody_settled_is_found_by_the_next_run(lab: Lab, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    _run_dies(lab, monkeypatch, runner, "_look")
    assert lab.metric("green") == "0" and lab.metric("running_since_timestamp_seconds") != "0"
    assert runner.run(lab.control) == 0
    assert "nothing was left of it when the next run began" in capsys.readouterr().out


def test_a_run_that_ended_is_not_settled_again(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INVOCATION_ID", "i1")
    lab.leaves("verify", {"results.json": {"verdict": "NO-GO", "problems": [], "results": [dict(ROW, outcome="fail")]}}, 2)
    assert runner.run(lab.control) == 1
    monkeypatch.setenv("SERVICE_RESULT", "exit-code")
    runner.settle(lab.control)
    assert lab.last["state"] == "drifted"
    monkeypatch.setenv("INVOCATION_ID", "i2")
    runner.settle(lab.control)
    assert lab.last["state"] == "incomplete", "another invocation ended without having begun"


def test_only_the_last_runs_and_the_last_green_one_are_kept(lab: Lab) -> None:
    runner.run(lab.control)
    green = lab.last["run"]
    lab.leaves("verify", {"results.json": {"verdict": "NO-GO", "problems": [], "results": [dict(ROW, outcome="fail")]}}, 2)
    for _number in range(4):
        runner.run(lab.control)
    kept = sorted(os.listdir(lab.control.path("runs")))
    assert len(kept) == 3 and kept[0] == green and kept[-1] == lab.last["run"]


def test_projects_that_were_replaced_are_removed(lab: Lab) -> None:
    old = lab.root / "projects" / "old"
    old.mkdir()
    os.utime(old, (1, 1))
    runner.run(lab.control)
    assert os.listdir(lab.root / "projects") == ["one"]


def test_prove_names_who_was_not_reached(lab: Lab, capsys: pytest.CaptureFixture[str]) -> None:
    os.makedirs(lab.control.state)
    assert runner.prove(lab.control) == 0
    lab.leaves("provision", {"changes.json": {"changes": [], "unreachable": {"db1": "Permission denied (publickey)."}}}, 4)
    assert runner.prove(lab.control) == 2
    assert "not reached: db1 is unreachable: Permission denied (publickey)." in capsys.readouterr().out
    assert not lab.last, "it is no run"


def test_status_says_what_the_last_run_said(lab: Lab, capsys: pytest.CaptureFixture[str]) -> None:
    assert runner.status(lab.control) == 2
    assert "no run has ended yet" in capsys.readouterr().out
    runner.run(lab.control)
    assert runner.status(lab.control) == 0
    assert "prod: GREEN" in capsys.readouterr().out
