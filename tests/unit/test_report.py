# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reports and board: they tell the verdict of what is on disk, everything found, and nothing that a host could make of them."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import json
import os
import pathlib
import re
import shlex
import time
from xml.etree import ElementTree

import pytest

from ansible_collections.gonogo.preflight.plugins.module_utils._verdict import PEOPLE, Question
from ansible_collections.gonogo.preflight.plugins.plugin_utils._board import Line, board, no_verdict
from ansible_collections.gonogo.preflight.plugins.plugin_utils._findings import findings, plain_line
from ansible_collections.gonogo.preflight.plugins.plugin_utils._report import Report
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
    provenance=(("catalogue", "yes"),),
)
CORES = dataclasses.replace(
    AOF, item="infra.cpu.cores", area="hardware", title="Enough cores", expected="at least 2", relaxed="at least 24", remedy="more cores"
)
HEALTH = dataclasses.replace(AOF, item="app.health", area="application", title="Healthy", vantage="app1", door="live", expected="healthy")
CONTEXT = {"environment": "lab", "checklist": "demo", "inventory": "lab", "policy": "policy/lab", "waivers": [], "attestations": [], "problems": []}


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
        results, junit, checklist, page = (pathlib.Path(path) for path in self.report(*doors).write())
        assert (junit.name, page.name) == ("junit.xml", "report.html")
        return json.loads(results.read_text()), checklist.read_text()

    def junit(self, *doors):
        return ElementTree.fromstring(pathlib.Path(self.report(*doors).write()[1]).read_text())

    def page(self, *doors):
        return pathlib.Path(self.report(*doors).write()[-1]).read_text()

    def shown(self, *doors):
        report = self.report(*doors)
        return [line.text for line in board(report, report.write())]


@pytest.fixture
def story(tmp_path):
    return Story(tmp_path / "reports")


# The verdict


def test_what_is_asked_beside_the_doors_is_shown_and_holds_nothing_shut(story):
    late = dataclasses.replace(AOF, item="backup.restored", door="ongoing", title="Restored lately")
    done = story.asked(AOF, late).answered(answer(AOF), answer(late, "fail", "40 days")).gated("start").report("start")
    assert (done.word, [(row.question.item, row.outcome) for row in done.rows]) == ("GO", [("redis.aof", "pass"), ("backup.restored", "warned")])
    results, checklist = story.written("start")
    assert [one["door"] for one in results["results"]] == ["start", "ongoing"]
    assert "40 days" in checklist
    assert "backup.restored" in story.page("start")


def test_what_this_run_did_not_ask_beside_the_doors_is_left_to_the_runs_that_do(story):
    late = dataclasses.replace(AOF, item="backup.restored", door="ongoing")
    done = story.asked(AOF, late).answered(answer(AOF)).gated("start").report("start")
    assert [row.question.item for row in done.rows] == ["redis.aof"]


def test_a_report_tells_where_the_checklists_disagree(story):
    told = "pg.version: expectation: at least 15 in checklist sports, at least 16 in checklist odds; at least 16 holds"
    results, checklist = story.asked(AOF, disagreements=[told]).answered(answer(AOF)).gated("start").written("start")
    assert results["disagreements"] == [told]
    assert "- pg.version: expectation" in checklist.replace("\\", "")
    assert told in story.page("start")


def test_a_run_that_was_refused_is_mended_where_it_was_wrong_and_not_on_its_hosts(story):
    people = dataclasses.replace(AOF, item="org.signed", subject="all", vantage=PEOPLE, remedy="sign it")
    story.asked(AOF, people, problems=["inventory: data1 has no preflight_address"], refused=True)
    shown = "\n".join(story.shown())
    assert "inventory: data1 has no preflight_address" in shown and "sign it" in shown
    assert "redis.aof" not in shown and "ansible.builtin.ping" not in shown
    results, _checklist = story.written()
    told = {one["item"]: (one["status"], one["reason"]) for one in results["results"]}
    assert results["verdict"] == "NO-GO"
    assert told["redis.aof"] == ("missing", "not asked: the run was refused")
    assert told["org.signed"] == ("missing", "nobody has answered it")
    assert "ansible.builtin.ping" not in story.page()


def test_a_run_that_was_refused_still_says_where_nobody_can_look(story):
    nobody = dataclasses.replace(AOF, subject="group cache", vantage="")
    story.asked(nobody, problems=["inventory: data1 has no preflight_address"], refused=True)
    assert "no host can look at it" in "\n".join(story.shown())


def test_a_host_hides_no_finding_with_the_words_of_a_refused_run(story):
    said = "not asked: the run was refused"
    story.asked(AOF).answered({**answer(AOF, "error"), "error": said})
    (finding,) = story.report().findings
    assert finding.reasons == [said] and story.report().mend(finding.first) == AOF.remedy


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
    assert "           because   no such unit" in story.shown()


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
        "area": "redis",
        "title": "Redis keeps its data",
        "status": "fail",
        "outcome": "fail",
        "observed": "no",
        "expected": "yes",
        "source": "catalogue",
        "relaxed": "",
        "provenance": [{"source": "catalogue", "expected": "yes"}],
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
    for name in ("results.json", "junit.xml", "checklist.md", "report.html"):
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
    calm = re.sub(r"\S", "x", " ".join(text.split()))
    quiet = Story(story.run.reports + "-quiet").asked(AOF).answered(answer(AOF, "error", calm, error=calm, remedy=calm, evidence=calm)).released("failed", calm)
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
    # Nothing of it is an element of the page or of the XML, nor in the middle of the script's data.
    tags = re.compile(r"<[/!a-zA-Z][^>]*>")
    assert [tag.partition(" ")[0] for tag in tags.findall(story.page())] == [tag.partition(" ")[0] for tag in tags.findall(quiet.page())]
    assert len(list(story.junit().iter())) == len(list(quiet.junit().iter()))


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
    assert " GO        lab, checklist demo" in lines
    assert any(re.fullmatch(r" +2 answers in \d+.*: 2 pass", line) for line in lines)
    assert any(line.startswith(" hardware") and "1/1    x" in line and line.endswith("1 relaxed in the inventory") for line in lines)
    assert "           release 1.2 is serving on app1" in lines
    assert [line.rpartition("/")[2] for line in lines[-4:]] == ["results.json", "junit.xml", "checklist.md", "report.html"]


def test_the_board_names_item_value_and_command_of_what_blocks(story):
    lines = story.asked(AOF).answered(answer(AOF, "fail", "no")).gated("start", go=False).shown()
    for line in (
        " NO-GO     lab, checklist demo",
        " FAIL      redis.aof on data1",
        "           found     no",
        "           expected  yes",
        "           mend      redis-cli CONFIG SET appendonly yes",
        "           Nothing was deployed.",
    ):
        assert line in lines


def test_the_board_says_why_there_is_no_answer(story):
    lines = story.asked(AOF).shown()
    assert " MISSING   redis.aof on data1" in lines
    assert "because gave no answer in this run: unreachable, left out, or not asked" in " ".join(" ".join(lines).split())
    assert "           mend      ansible data1 -i lab -m ansible.builtin.ping" in lines


def test_the_board_names_problems_of_the_run(story):
    assert " [!]       two inventories" in story.asked(AOF, problems=["two inventories"]).answered(answer(AOF)).shown()


def test_a_run_that_deploys_nothing_says_so(story):
    assert "           Nothing was deployed." in story.asked(AOF).answered(answer(AOF)).gated("start").shown()


def on(question, *subjects):
    return [dataclasses.replace(question, subject=subject, vantage=subject, remedy="mend " + subject) for subject in subjects]


def test_equal_failures_of_many_hosts_are_one_entry_with_every_command(story):
    asked = on(AOF, "data1", "data2", "data3")
    story.asked(*asked).answered(*(answer(one, "fail", "no" if one.subject != "data3" else "other") for one in asked))
    lines = story.shown()
    assert [line for line in lines if line.startswith(" FAIL")] == [" FAIL      redis.aof on data1, data2, data3"]
    assert [line.strip() for line in lines if " found " in line] == ["found     no on data1, data2", "found     other on data3"]
    assert [line.split("mend", 1)[1].strip() for line in lines if line.startswith("           mend")] == ["mend data1", "mend data2", "mend data3"]


PROVISION = "ansible-playbook gonogo.preflight.provision -i inventories/production --tags redis --limit "


def test_one_command_mends_many_hosts_and_can_be_copied(story):
    hosts = ["data%02d.example.com" % number for number in range(20)]
    asked = [dataclasses.replace(one, remedy=PROVISION + one.subject) for one in on(AOF, *hosts)]
    lines = story.asked(*asked).answered(*(answer(one, "fail", "no") for one in asked)).shown()
    (start,) = (number for number, line in enumerate(lines) if line.startswith("           mend"))
    end = next(number for number in range(start, len(lines)) if not lines[number].endswith("\\"))
    typed = "\n".join([lines[start].replace("mend", "", 1), *lines[start + 1 : end + 1]])
    words = shlex.split(typed.replace("\\\n", ""))
    assert words[:-1] == (PROVISION + "x").split()[:-1]
    assert [host.strip() for host in words[-1].split(",")] == hosts
    assert all(len(line) <= 80 for line in lines[:-4])


def test_the_command_for_few_hosts_is_as_short_as_typed(story):
    asked = [dataclasses.replace(one, remedy=PROVISION + one.subject) for one in on(AOF, "data1", "data2")]
    (finding,) = story.asked(*asked).answered(*(answer(one, "fail", "no") for one in asked)).report().findings
    assert finding.mends == (PROVISION + "data1,data2",)


def test_a_host_that_is_gone_is_one_entry_before_all_others(story):
    gone = [dataclasses.replace(one, subject="data2", vantage="data2", remedy="redis") for one in (AOF, CORES)]
    errors = [answer(one, "error", "", error="unreachable: %d" % number) for number, one in enumerate(gone)]
    found = story.asked(AOF, *gone).answered(answer(AOF, "fail", "no"), *errors).report().findings
    assert [(one.first.outcome, one.items) for one in found] == [("error", ["redis.aof", "infra.cpu.cores"]), ("fail", ["redis.aof"])]
    assert found[0].mends == ("ansible data2 -i lab -m ansible.builtin.ping",)


def test_the_board_ends_before_it_scrolls_away(story):
    asked = [dataclasses.replace(AOF, item="item.%02d" % number) for number in range(60)]
    lines = story.asked(*asked).answered(*(answer(one, "fail", "no") for one in asked)).shown()
    assert sum(line.startswith(" FAIL") for line in lines) == 20
    assert " ... and 40 more findings, in the report below" in lines


def test_what_ends_soon_is_announced(story):
    now = time.time()
    waiver = {"kind": "waiver", "item": "redis.aof", "reason": "moving", "owner": "ann", "subjects": ["data1"]}
    for days, announced in ((13.5, True), (20, False)):
        story.asked(AOF, waivers=[{**waiver, "expires": now + days * 86400}]).answered(answer(AOF, "fail", "no"))
        assert any(line.startswith(" SOON") and "waiver of ann for redis.aof on data1 ends in" in line for line in story.shown()) is announced


def test_the_verdict_is_what_remains_on_the_screen(story):
    report = story.asked(AOF).answered(answer(AOF, "fail", "no")).report()
    lines = board(report, ["a", "b"])
    assert [line.text for line in lines[-2:]] == [" a", " b"]
    assert Line(" NO-GO     lab, checklist demo", "bad") in lines[-7:]
    assert next(line for line in lines if "mend" in line.text).tone == "mend"


def test_one_reason_for_many_missing_answers_is_one_entry(story):
    many = [dataclasses.replace(AOF, item="item.%02d" % number) for number in range(30)]
    lines = story.asked(*many).shown()
    assert " MISSING   30 items on data1" in lines
    assert "item.11 and 18 more" in " ".join(" ".join(lines).split())
    assert all(question.item in story.page() for question in many)


def test_folding_keeps_every_row_once(story):
    asked = [*on(AOF, "data1", "data2"), *on(CORES, "data1", "data2")]
    answers = [answer(asked[0], "fail", "no"), answer(asked[1], "error", "", error="x"), answer(asked[2], "fail", "no")]
    rows = story.asked(*asked).answered(*answers).report().blocking
    assert sorted(id(row) for finding in findings(rows) for row in finding.rows) == sorted(map(id, rows))


def test_no_verdict_is_no_go():
    text = "\n".join(line.text for line in no_verdict("the run ended before the checklist was read"))
    assert "NO VERDICT   the run ended before the checklist was read" in text
    assert "not a GO" in text


# junit.xml


def cases(root):
    """Name of each case to the tag of what it tells, "" for green."""
    return {case.get("name"): "".join(told.tag for told in case) for case in root.iter("testcase")}


def test_junit_shows_nothing_as_green_or_skipped_that_holds_the_gate_shut(story):
    error, missing, warned = (dataclasses.replace(AOF, item="redis." + name) for name in ("error", "missing", "warned"))
    warned = dataclasses.replace(warned, severity="warn")
    story.asked(AOF, CORES, error, missing, warned)
    story.answered(answer(AOF, "fail", "no"), answer(CORES), answer(error, "error", "", error="no route"), answer(warned, "fail", "2 s"))
    root = story.gated("start", go=False).junit()
    assert cases(root) == {
        "GO": "failure",
        "redis.aof [data1]": "failure",
        "infra.cpu.cores [data1]": "",
        "redis.error [data1]": "error",
        "redis.missing [data1]": "error",
        "redis.warned [data1]": "skipped",
    }
    assert [root.get(name) for name in ("tests", "failures", "errors", "skipped")] == ["6", "2", "2", "1"]
    failure = root.find(".//testcase[@name='redis.aof [data1]']/failure")
    assert failure.get("message") == "found no, expected yes"
    assert "mend: redis-cli CONFIG SET appendonly yes" in failure.text


def test_junit_is_green_exactly_when_the_verdict_is_go(story):
    assert cases(story.asked(AOF).answered(answer(AOF)).junit())["GO"] == "failure"
    assert cases(story.gated("start").junit()) == {"GO": "", "redis.aof [data1]": ""}
    (failure,) = story.asked(AOF, problems=["two inventories"]).junit().iter("failure")
    assert failure.get("message") == "two inventories; 0 of 1 answers hold it shut"


def test_what_is_excused_is_skipped_with_its_reason_and_real_result(story):
    waiver = {"kind": "waiver", "item": "redis.aof", "reason": "moving", "owner": "ann", "subjects": ["data1"], "expires": time.time() + 60}
    (skipped,) = story.asked(AOF, waivers=[waiver]).answered(answer(AOF, "fail", "no")).gated("start").junit().iter("skipped")
    assert (skipped.get("type"), skipped.get("message")) == ("waived", "moving (ann)")
    assert "found: no" in skipped.text


# report.html


def test_the_page_loads_nothing_and_runs_nothing_but_its_own_script(story):
    page = story.asked(AOF).answered(answer(AOF, "fail", "no")).page()
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]+)"', page).group(1)
    assert policy.startswith("default-src 'none'; ")
    for name in ("style", "script"):
        (source,) = re.findall(r"<%s>(.*?)</%s>" % (name, name), page, re.S)
        digest = base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()
        assert "%s-src 'sha256-%s'" % (name, digest) in policy
    assert not re.search(r"""(src|href)=["'](?!data:|#)""", page)


def test_every_result_is_in_the_page(story):
    page = story.asked(AOF, CORES).answered(answer(AOF, "fail", "no"), answer(CORES, observed="4")).page()
    details = json.loads(re.search(r'<script type="application/json" id="details">(.*?)</script>', page, re.S).group(1))
    told = [{name: details["texts"][number] for name, number in zip(details["names"], cell)} for cell in details["cells"]]
    assert [(one["item"], one["on"], one["outcome"], one["found"], one["expected"]) for one in told] == [
        ("redis.aof", "data1", "fail", "no", "yes"),
        ("infra.cpu.cores", "data1", "pass", "4", "at least 2"),
    ]
    assert told[0]["mend"] == "redis-cli CONFIG SET appendonly yes"
    assert told[0]["provenance"] == "catalogue: yes"
