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
TEXTS = dict.fromkeys(("title", "observed", "expected", "reason", "remedy"), "")
ROW = {"item": "a", "subject": "db1", "vantage": "db1", "area": "redis", "door": "start", "status": "pass", "outcome": "pass", **TEXTS}


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
    for name in ("SERVICE_RESULT", "MONITOR_SERVICE_RESULT", "MONITOR_INVOCATION_ID", "INVOCATION_ID", "JOURNAL_STREAM"):
        monkeypatch.delenv(name, raising=False)
    # A clock that never tells one second twice, which would give two runs of this process one name.
    clock = itertools.count(1_800_000_000, 10)
    monkeypatch.setattr(runner.time, "time", lambda: float(next(clock)))
    control = runner.Control(
        environment="prod",
        inventory="prod",
        project=str(tmp_path / "project"),
        collection="0.1.0",
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
        ({"changes.json": {"changes": [], "unreachable": {}}}, 250, "provisioning in check mode did not come to its end"),
        ({"changes.json": ["nonsense"]}, 0, "provisioning in check mode did not come to its end"),
    ],
)
def test_a_dry_run_that_did_not_look_everywhere_is_not_green(lab: Lab, provision: dict[str, t.Any], status: int, said: str) -> None:
    runner.run(lab.control)
    lab.leaves("provision", provision, status)
    assert runner.run(lab.control) == 2
    assert said in " ".join(lab.last["reasons"])
    assert lab.metric("green") == "0" and lab.metric("changes") == "NaN"


def _fails(lab: Lab, name: str, output: str) -> None:
    """`name` ends before it has written a report."""
    for file in (lab.root / name).iterdir():
        file.unlink()
    lab.leaves(name, {}, 2, output)


def test_a_wrong_vault_password_is_said_once_in_ansibles_words(lab: Lab, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("provision", "verify"):
        _fails(lab, name, "[WARNING]: noise\n[ERROR]: Decryption failed (no vault secrets were found that could decrypt).\n")
    assert runner.run(lab.control) == 2
    said = capsys.readouterr().out
    assert "did not come to its end: [ERROR]: Decryption failed" in said.splitlines()[0] and said.count("Decryption failed") == 1


MISTAKES = """\
TASK [Validate] ****
[ERROR]: Task failed: 2 mistakes; no host was touched:
- policy/prod/waivers.yml:2: item a: the waiver ended on 2026-01-01
- prod/hosts.yml:4: something else
Origin: /x/verify.yml:8:7
- not a mistake
"""


def test_every_mistake_that_stops_the_verification_is_said(lab: Lab, capsys: pytest.CaptureFixture[str]) -> None:
    _fails(lab, "verify", MISTAKES)
    assert runner.run(lab.control) == 2
    assert lab.last["reasons"] == [
        "nothing was verified: policy/prod/waivers.yml:2: item a: the waiver ended on 2026-01-01",
        "nothing was verified: prod/hosts.yml:4: something else",
    ]


@pytest.mark.parametrize("more", ["", " on db1" * 60], ids=["short", "long"])
def test_the_one_mistake_that_stops_the_verification_is_the_first_line_and_no_row_hides_it(lab: Lab, capsys: pytest.CaptureFixture[str], more: str) -> None:
    short = "policy/prod/waivers.yml:2: item a: the waiver ended on 2026-01-01"
    mistake = short + more
    rows = [dict(ROW, subject=host, status="missing", outcome="missing", reason="gave no answer in this run") for host in ("db1", "db2")]
    lab.leaves(
        "verify",
        {"results.json": {"verdict": "NO-GO", "problems": [mistake], "results": rows}},
        2,
        MISTAKES.replace("- prod/hosts.yml:4: something else\n", "").replace(short, mistake),
    )
    assert runner.run(lab.control) == 2
    first, *others = capsys.readouterr().out.splitlines()
    assert first.startswith("prod: INCOMPLETE, not known to be green: nothing was verified") and short in first
    assert all(line.startswith(("  kept in ", "  held against project ")) for line in others), others


def test_the_project_that_the_fleet_is_held_against_is_named(lab: Lab, capsys: pytest.CaptureFixture[str]) -> None:
    runner.run(lab.control)
    assert "  held against project one, brought 20" in capsys.readouterr().out
    assert 'gonogo_drift_project_info{fingerprint="one",collection="0.1.0"} 1' in pathlib.Path(lab.control.metrics).read_text()
    assert float(lab.metric("project_timestamp_seconds")) == pytest.approx((lab.root / "project").lstat().st_mtime, abs=0.01)
    (lab.root / "projects" / "two").mkdir()
    (lab.root / "project").unlink()
    (lab.root / "project").symlink_to("projects/two")
    runner.status(lab.control)
    assert "since then project two was brought" in capsys.readouterr().out


def test_a_project_that_was_taken_away_leaves_no_green_behind(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    runner.run(lab.control)
    (lab.root / "project").unlink()
    with pytest.raises(FileNotFoundError):
        runner.run(lab.control)
    monkeypatch.setenv("SERVICE_RESULT", "exit-code")
    runner.settle(lab.control)
    assert lab.last["state"] == "incomplete" and lab.metric("green") == "0"


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


@pytest.mark.parametrize("variable", ["SERVICE_RESULT", "MONITOR_SERVICE_RESULT"])
@pytest.mark.parametrize("where", ["_look", "_keep", "_measure"])
@pytest.mark.parametrize(("result", "said"), [("timeout", "after the limit of 1800 s"), ("signal", "killed by a signal"), ("", "the control host went down")])
def test_a_run_that_dies_after_a_green_one_is_settled(lab: Lab, monkeypatch: pytest.MonkeyPatch, variable: str, where: str, result: str, said: str) -> None:
    runner.run(lab.control)
    _run_dies(lab, monkeypatch, runner, where)
    monkeypatch.setenv(variable, result)
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
    lab.leaves("verify", {"results.json": {"verdict": "NO-GO", "problems": [], "results": [dict(ROW, status="fail", outcome="fail")]}}, 2)
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
    lab.leaves("verify", {"results.json": {"verdict": "NO-GO", "problems": [], "results": [dict(ROW, status="fail", outcome="fail")]}}, 2)
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
