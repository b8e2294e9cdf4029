# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reports and board: they tell the verdict of what is on disk, everything found, and nothing that a host could make of them."""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
import re
import time

import pytest

from ansible_collections.gonogo.preflight.plugins.module_utils._verdict import Question
from ansible_collections.gonogo.preflight.plugins.plugin_utils._board import board, no_verdict
from ansible_collections.gonogo.preflight.plugins.plugin_utils._report import Report, fold, plain_line
from ansible_collections.gonogo.preflight.plugins.plugin_utils._run import Provision, Run

AOF = Question(
    item="redis.aof",
    subject="data1",
    vantage="data1",
    door="start",
    severity="block",
    title="Redis keeps its data",
    area="redis",
    expected="yes",
    source="catalogue",
    digest="abc",
    remedy="redis-cli CONFIG SET appendonly yes",
)
CORES = dataclasses.replace(
    AOF, item="infra.cpu.cores", area="hardware", title="Enough cores", expected="at least 2", relaxed="at least 24", remedy="more cores"
)
HEALTH = dataclasses.replace(AOF, item="app.health", area="application", title="Healthy", vantage="app1", door="live", expected="healthy")
CONTEXT = {"environment": "lab", "checklist": "demo", "waivers": [], "problems": []}


def answer(question, status="pass", observed="yes", **more):
    base = {"item": question.item, "subject": question.subject, "vantage": question.vantage, "digest": question.digest}
    return {**base, "status": status, "observed": observed, "evidence": "CONFIG GET", "seconds": 0.1, "at": time.time(), **more}


class Story:
    """A run, told step by step."""

    def __init__(self, reports):
        self.run = Run(str(reports), os.getpid())

    def asked(self, *questions, **context):
        self.run.put_questions(questions, {**CONTEXT, **context})
        return self

    def answered(self, *answers):
        self.run.put_answers("data1", "start", "host", answers)
        return self

    def gated(self, *doors, go=True):
        for door in doors:
            self.run.put_event("gate." + door, {"door": door, "go": go})
        return self

    def released(self, outcome, message=""):
        self.run.put_event("release.app1", {"host": "app1", "release": "1.2", "outcome": outcome, "message": message})
        return self

    def report(self, *doors):
        return Report.of(self.run, doors or ("start",), time.time())

    def written(self, *doors):
        results, checklist = self.report(*doors).write()
        return json.loads(pathlib.Path(results).read_text()), pathlib.Path(checklist).read_text()

    def shown(self, *doors):
        report = self.report(*doors)
        return board(report, report.write())


@pytest.fixture
def story(tmp_path):
    return Story(tmp_path / "reports")


# The verdict


def test_go_takes_answers_and_a_gate_that_said_so(story):
    story.asked(AOF).answered(answer(AOF))
    report = story.report()
    assert (report.go, report.problems) == (False, ["the run ended before its gate said GO"])
    assert not story.gated("start", go=False).report().go
    report = story.gated("start").report()
    assert (report.go, report.word, report.problems) == (True, "GO", [])


@pytest.mark.parametrize(
    ("outcome", "go"), [("started", True), ("unchanged", True), ("starting", False), ("rolled back", False), ("unreadable", False), (None, False)]
)
def test_a_release_that_did_not_start_is_no_go(story, outcome, go):
    assert story.asked(AOF).answered(answer(AOF)).gated("start").released(outcome).report().go is go


def test_a_run_without_questions_is_no_go(story):
    report = story.gated("start").report()
    assert (report.go, report.problems[0]) == (False, "the checklist was not read in this run: nothing was asked")
    story.run.put_provision(Provision("data1", "finished"))
    assert not story.report().go


def test_a_run_without_doors_is_no_go(story):
    assert not Report.of(story.asked(AOF).answered(answer(AOF)).gated("start").run, (), time.time()).go


def test_a_door_behind_one_that_is_shut_is_not_judged(story):
    story.asked(AOF, HEALTH).answered(answer(AOF, "fail", "no"), answer(HEALTH)).gated("start", "live")
    assert [(verdict.door, verdict.go) for verdict in story.report("start", "live").doors] == [("start", False)]
    story.answered(answer(AOF), answer(HEALTH))
    assert [(verdict.door, verdict.go) for verdict in story.report("start", "live").doors] == [("start", True), ("live", True)]


def test_a_host_that_did_not_finish_provisioning_is_no_go(story):
    story.asked(AOF).answered(answer(AOF)).gated("start").run.put_provision(Provision("data1", "failed", "Start Redis", "no such unit"))
    (row,) = story.report().blocking
    assert (row.question.item, row.observed) == ("run.provisioned", "stopped at task: Start Redis")


def test_a_problem_of_the_run_is_no_go(story):
    report = story.asked(AOF, problems=["data2: missing from group cache"]).answered(answer(AOF)).gated("start").report()
    assert (report.go, report.problems) == (False, ["data2: missing from group cache"])


def test_waivers_come_from_what_the_gate_kept(story):
    waiver = {"kind": "waiver", "item": "redis.aof", "reason": "moving", "owner": "ann", "subjects": ["data1"], "expires": time.time() + 60}
    report = story.asked(AOF, waivers=[waiver]).answered(answer(AOF, "fail", "no")).gated("start").report()
    assert (report.go, report.rows[0].outcome, report.rows[0].reason) == (True, "waived", "moving (ann)")


# results.json


def test_results_for_programs(story):
    story.asked(AOF, CORES).answered(answer(AOF, "fail", "no"), answer(CORES, observed="4")).gated("start", go=False)
    results, _checklist = story.written()
    assert (results["run"], results["verdict"], results["environment"], results["checklist"]) == (story.run.id, "NO-GO", "lab", "demo")
    assert (results["doors"], results["problems"], results["deployments"]) == ({"start": "NO-GO"}, [], [])
    assert results["counts"] == {"pass": 1, "warned": 0, "waived": 0, "not_applicable": 0, "fail": 1, "error": 0, "missing": 0}
    failed, passed = results["results"]
    stamp = failed.pop("at")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", stamp)
    assert failed == {
        "item": "redis.aof",
        "subject": "data1",
        "vantage": "data1",
        "door": "start",
        "severity": "block",
        "title": "Redis keeps its data",
        "status": "fail",
        "outcome": "fail",
        "observed": "no",
        "expected": "yes",
        "source": "catalogue",
        "relaxed": "",
        "evidence": "CONFIG GET",
        "reason": "",
        "remedy": "redis-cli CONFIG SET appendonly yes",
        "by": "",
        "until": "",
        "seconds": 0.1,
    }
    assert (passed["status"], passed["relaxed"], passed["remedy"]) == ("pass", "at least 24", "")


def test_results_keep_the_whole_text_of_a_host(story):
    long = "x" * 5000 + "\n<b>\x1b[2J"
    results, _checklist = story.asked(AOF).answered(answer(AOF, "fail", long)).written()
    assert results["results"][0]["observed"] == long


def test_an_unanswered_question_is_in_the_results(story):
    results, checklist = story.asked(AOF).written()
    assert (results["results"][0]["status"], results["results"][0]["at"]) == ("missing", "")
    assert "**missing** `redis.aof`" in checklist


def test_reports_are_the_owners_alone_and_the_latest_is_linked(story, tmp_path):
    story.asked(AOF).written()
    for name in ("results.json", "checklist.md"):
        assert os.stat(tmp_path / "reports" / "latest" / name).st_mode & 0o777 == 0o600


# checklist.md


def test_every_box_is_ticked_or_not_with_what_was_found(story):
    waived = dataclasses.replace(AOF, item="redis.policy")
    absent = dataclasses.replace(AOF, item="infra.gpu.model", subject="group gpu", vantage="")
    waivers = [
        {"kind": "waiver", "item": "redis.policy", "reason": "moving", "owner": "ann", "subjects": ["data1"], "expires": time.time() + 60},
        {"kind": "not_applicable", "item": "infra.gpu.model", "reason": "no GPU", "owner": "ann", "subjects": [], "expires": None},
    ]
    warned = dataclasses.replace(AOF, item="redis.slow", severity="warn")
    story.asked(AOF, waived, absent, CORES, HEALTH, warned, waivers=waivers)
    story.answered(answer(AOF, "fail", "no"), answer(waived, "fail", "noeviction"), answer(CORES, observed="4"), answer(warned, "fail", "2 s"))
    _results, checklist = story.written()
    for line in (
        "# NO-GO: lab, checklist demo",
        "pass 1, warned 1, waived 1, not applicable 1, fail 1.",
        "## Redis",
        "## Hardware",
        "- [ ] **fail** `redis.aof` Redis keeps its data, on data1",
        "  - mend: redis-cli CONFIG SET appendonly yes",
        "- [x] **waived** `redis.policy` Redis keeps its data, on data1",
        r"  - moving (ann)",
        "- [x] **warned** `redis.slow` Redis keeps its data, on data1",
        "- [-] **not applicable** `infra.gpu.model` Redis keeps its data, on group gpu",
        "  - not applicable: no GPU (ann)",
        "- [x] `infra.cpu.cores` Enough cores, on data1",
    ):
        assert line in checklist.splitlines()
    assert "  - found no; expected yes at 20" in checklist
    assert "  - found 4; expected at least 2 (relaxed in the inventory; the checklist asks at least 24) at 20" in checklist


def test_who_looked_from_elsewhere_is_named(story):
    story.asked(AOF, HEALTH).answered(answer(AOF), answer(HEALTH, observed="healthy")).gated("start", "live")
    assert "found healthy; expected healthy from app1 at 20" in story.written("start", "live")[1]


HOSTILE = [
    "<script>alert(1)</script>",
    "[click](https://evil.example)",
    "![x](https://evil.example/x.png)",
    "**GO** and `code` and __bold__",
    "\n\n# GO: lab\n- [x] everything\n",
    "| a | b |",
    "&lt;b&gt;",
    "~~gone~~",
    "\x1b[2J\x1b[1;1H GO",
    "\x00\x07\r over",
    "\u202e OG",
    "half \ud800 a character",
    "x" * 100_000,
]


@pytest.mark.parametrize("text", HOSTILE)
def test_text_from_a_host_stays_text(story, text):
    story.asked(AOF).answered(answer(AOF, "error", text, error=text, remedy=text, evidence=text)).released("failed", text)
    quiet = Story(story.run.reports + "-quiet").asked(AOF).answered(answer(AOF, "error", "x", error="x", remedy="x", evidence="x")).released("failed", "x")
    _results, checklist = story.written()
    _results, plain = quiet.written()
    # As many lines as with harmless text, and nothing in them that is active Markdown, HTML, or a terminal's command.
    assert len(checklist.splitlines()) == len(plain.splitlines())
    assert re.sub(r"\\.", "", checklist).count("[") == plain.count("[")
    for active in ("<", "|", "~", "&", "](", "!["):
        assert active not in re.sub(r"\\.", "", checklist)
    assert re.sub(r"\\.", "", checklist).count("`") == plain.count("`")
    lines = story.shown()
    assert len(lines) == len(quiet.shown())
    for line in lines + checklist.splitlines():
        assert line.isprintable(), line
        assert len(line) < 1000


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a\n b\t c", "a b c"),
        ("\x1b[31mred", "\N{REPLACEMENT CHARACTER}[31mred"),
        ("", ""),
        ("é ✓", "é ✓"),
        ("x" * 401, "x" * 396 + " ..."),
        ("x" * 400, "x" * 400),
    ],
)
def test_plain_line(text, line):
    assert plain_line(text) == line


# The board


def test_the_board_of_a_go(story):
    lines = story.asked(AOF, CORES).answered(answer(AOF), answer(CORES, observed="4")).gated("start").released("started").shown()
    assert "  GO   lab, checklist demo" in lines
    assert any(line.startswith("  2 answers: 2 pass") for line in lines)
    assert any(line.startswith("  hardware") and "1/1  [x]" in line and line.endswith("1 relaxed in the inventory") for line in lines)
    assert "  release 1.2 is serving on app1" in lines
    assert lines[-2].endswith("results.json")
    assert lines[-1].endswith("checklist.md")


def test_the_board_names_item_value_and_command_of_what_blocks(story):
    lines = story.asked(AOF).answered(answer(AOF, "fail", "no")).gated("start", go=False).shown()
    for line in (
        "  NO-GO   lab, checklist demo",
        "  [FAIL] redis.aof  on data1",
        "        found     no",
        "        expected  yes",
        "        mend      redis-cli CONFIG SET appendonly yes",
        "  Nothing was deployed.",
    ):
        assert line in lines


def test_the_board_says_why_there_is_no_answer(story):
    lines = story.asked(AOF).shown()
    assert "  [MISSING] redis.aof  on data1" in lines
    assert "        because   data1 gave no answer in this run: unreachable, left out, or not asked" in lines


def test_the_board_names_problems_of_the_run(story):
    assert "  [!] two inventories" in story.asked(AOF, problems=["two inventories"]).answered(answer(AOF)).shown()


def test_a_run_that_deploys_nothing_says_so(story):
    assert "  Nothing was deployed." in story.asked(AOF).answered(answer(AOF)).gated("start").shown()


def on(question, *subjects):
    return [dataclasses.replace(question, subject=subject, vantage=subject, remedy="mend " + subject) for subject in subjects]


def test_equal_failures_of_many_hosts_are_one_entry_with_every_command(story):
    asked = on(AOF, "data1", "data2", "data3")
    story.asked(*asked).answered(*(answer(one, "fail", "no" if one.subject != "data3" else "other") for one in asked))
    lines = story.shown()
    assert "  [FAIL] redis.aof  on data1, data2" in lines
    assert "  [FAIL] redis.aof  on data3" in lines
    assert [line.split("mend", 1)[1].strip() for line in lines if line.startswith("        mend")] == ["mend data1", "mend data2", "mend data3"]


def test_one_reason_for_many_missing_answers_is_one_entry(story):
    many = [dataclasses.replace(AOF, item="item.%02d" % number) for number in range(30)]
    lines = story.asked(*many).shown()
    assert "  [MISSING] 30 items  on data1" in lines
    shown = " ".join(lines)
    assert all(question.item in shown for question in many)


def test_folding_keeps_every_row_once(story):
    asked = [*on(AOF, "data1", "data2"), *on(CORES, "data1", "data2")]
    answers = [answer(asked[0], "fail", "no"), answer(asked[1], "error", "", error="x"), answer(asked[2], "fail", "no")]
    rows = story.asked(*asked).answered(*answers).report().blocking
    assert sorted(id(row) for group in fold(rows) for row in group) == sorted(map(id, rows))


def test_no_verdict_is_no_go():
    text = "\n".join(no_verdict("the run ended before the checklist was read"))
    assert "NO VERDICT   the run ended before the checklist was read" in text
    assert "not a GO" in text
