# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A drift run is green only when everything is known and nothing is amiss; it is told against the last green one."""

from __future__ import annotations

import re
import typing as t

import pytest

from ansible_collections.gonogo.preflight.plugins.plugin_utils._drift import died, metrics, summary
from ansible_collections.gonogo.preflight.plugins.plugin_utils._drift_text import text

BEGAN = {"run": "r2", "environment": "prod", "inventory": "prod", "invocation": "", "started": 1000.0, "kept": "/var/lib/gonogo-drift/runs/r2"}
FILE = {"host": "db1", "role": "redis", "task": "t", "kind": "file", "name": "/etc/redis/gonogo.conf", "detail": "would be written", "follows": False}
LINE = re.compile(r'gonogo_drift_[a-z_]+(\{[a-z]+="[a-z0-9_. ]+"(,[a-z]+="[a-z0-9_. ]+")*\})? (NaN|[0-9]+(\.[0-9]+)?)')
PROJECT = {"fingerprint": "0123abcd", "collection": "0.1.0", "since": 900.0}


def row(outcome: str = "pass", item: str = "redis.aof", subject: str = "db1") -> dict[str, t.Any]:
    texts = {"title": "Redis keeps its data", "observed": "no", "expected": "yes", "reason": "", "remedy": "redis-cli CONFIG SET appendonly yes"}
    status = outcome if outcome in ("pass", "fail", "error", "missing") else "fail"
    return {"item": item, "subject": subject, "vantage": subject, "area": "redis", "door": "start", "status": status, "outcome": outcome, **texts}


def results(*rows: dict[str, t.Any], verdict: str = "GO") -> dict[str, t.Any]:
    return {"verdict": verdict, "problems": [], "results": list(rows)}


def ended(
    *rows: dict[str, t.Any],
    verdict: str = "GO",
    changes: t.Sequence[dict[str, t.Any]] = (),
    known: bool = True,
    reasons: t.Sequence[str] = (),
    green: t.Optional[dict[str, t.Any]] = None,
) -> dict[str, t.Any]:
    found = results(*rows, verdict=verdict)
    return summary(BEGAN, 1060.0, changes=changes, changes_known=known, results=found, reasons=reasons, green=green or {})


def lines_of(found: dict[str, t.Any]) -> list[str]:
    return [line for _needs, line in text(found)]


def values(found: dict[str, t.Any], **more: t.Any) -> dict[str, float]:
    lines = [line for line in metrics(found, **{"running_since": None, "green": {}, "project": PROJECT, **more}).splitlines() if not line.startswith("#")]
    assert all(LINE.fullmatch(line) for line in lines), lines
    return {line.rpartition(" ")[0][len("gonogo_drift_") :]: float(line.rpartition(" ")[2]) for line in lines}


GREEN = ended(row())


def test_green_is_go_with_nothing_to_change() -> None:
    assert GREEN["state"] == "green"
    assert "GREEN" in text(GREEN)[0][1] and not any(needs for needs, _line in text(GREEN))


@pytest.mark.parametrize(
    ("found", "state"),
    [
        (ended(row(), changes=[FILE]), "drifted"),
        (ended(row("fail"), verdict="NO-GO"), "drifted"),
        (ended(row(), verdict="NO-GO"), "drifted"),
        (ended(row(), known=False), "incomplete"),
        (ended(row(), reasons=["db1 is unreachable"]), "incomplete"),
        (ended(row(), row("missing", subject="db2"), verdict="NO-GO"), "incomplete"),
        (ended(verdict="GO"), "incomplete"),
        (summary(BEGAN, 1060.0, changes=[], changes_known=True, results=None, reasons=[], green={}), "incomplete"),
        (died(BEGAN, 1060.0, "the run died", GREEN), "incomplete"),
    ],
)
def test_anything_else_is_not_green(found: dict[str, t.Any], state: str) -> None:
    assert found["state"] == state
    assert values(found)["green"] == 0 and values(found)['state{state="%s"}' % state] == 1
    assert text(found)[0][0], "the first line needs a person"


def test_what_is_not_known_has_no_number() -> None:
    found = summary(BEGAN, 1060.0, changes=[], changes_known=False, results=None, reasons=["one", "another"], green=GREEN)
    told = "prod: INCOMPLETE, not known to be green: what would be changed is not known, what the items answer is not known; the last green"
    assert lines_of(found)[0].startswith(told) and lines_of(found)[1:3] == ["  not known: one", "  not known: another"]


def test_a_host_without_an_answer_is_named() -> None:
    found = ended(row(), row("missing", subject="db2"), verdict="NO-GO")
    assert "not known to be green: db2 gave no answer;" in text(found)[0][1]


def test_a_person_who_has_not_answered_is_no_silent_host() -> None:
    asked = {**row("missing", "people.backup", "deployment"), "vantage": "people", "reason": "nobody has answered it"}
    found = ended(row(), asked, verdict="NO-GO", green=ended(row()))
    assert found["state"] == "drifted" and not found["reasons"]
    assert "  item: people.backup, on deployment: was not asked, is missing: nobody has answered it" in lines_of(found)


def test_items_are_held_against_the_last_green_run() -> None:
    green = ended(row("fail", "a"), row("pass", "b"), row("warned", "c"), row("waived", "d"), verdict="GO")
    now = ended(row("fail", "a"), row("fail", "b"), row("warned", "c"), row("pass", "d"), row("error", "e"), verdict="NO-GO", green=green)
    assert [(one["item"], one["was"], one["is"]) for one in now["turned"]] == [("b", "pass", "fail"), ("e", "not asked", "error")]


def test_the_journal_names_things_items_and_what_mends_them() -> None:
    changes = [FILE, {**FILE, "kind": "unit", "name": "redis-server", "detail": "is not started"}, {**FILE, "host": "db2"}]
    lines = lines_of(ended(row("fail"), verdict="NO-GO", changes=changes, green=GREEN))
    assert lines[0] == "prod: DRIFTED: 3 things would be changed, 1 items turned, verdict NO-GO; the last green run ended 1970-01-01T00:17:40Z (1 min 00 s)"
    assert "  file: /etc/redis/gonogo.conf, on db1, db2: would be written" in lines
    assert "  item: redis.aof, on db1: was pass, is fail: found no, expected yes" in lines
    assert "        mend: redis-cli CONFIG SET appendonly yes" in lines
    assert "  mend, in your project: ansible-playbook gonogo.preflight.provision -i prod --tags redis --limit db1,db2" in lines


def test_one_item_of_many_hosts_is_one_line_and_one_mend() -> None:
    rows = [{**row("fail", subject="db%d" % number), "remedy": "ansible-playbook p.yml --limit db%d" % number} for number in range(1, 21)]
    lines = lines_of(ended(*rows, verdict="NO-GO", green=GREEN))
    (item,) = [line for line in lines if "redis.aof" in line]
    assert item.startswith("  item: redis.aof, on db1, db2, ") and "and 12 more: was pass or not asked, is fail: found no, expected yes" in item
    assert sum("mend: " in line for line in lines) == 1


def test_what_needs_a_person_comes_first_and_a_long_list_is_cut_but_kept() -> None:
    rows = [row("warned", "w"), *(row("fail", "item%02d" % number) for number in range(30))]
    found = ended(*rows, verdict="NO-GO", changes=[{**FILE, "name": "/f%d" % number} for number in range(25)], green=GREEN)
    lines = lines_of(found)
    assert "  ... and 5 more like these, in /var/lib/gonogo-drift/runs/r2/summary.txt" in lines
    assert "  ... and 11 more like these, in /var/lib/gonogo-drift/runs/r2/summary.txt" in lines, "10 items that fail, and the warned one"
    assert len(lines) < 70 and not any("item: w" in line for line in lines)
    whole = [line for _needs, line in text(found, whole=True)]
    assert sum(line.startswith("  item: ") for line in whole) == 31 and whole.index(next(line for line in whole if "item: w" in line)) > 50


def test_updates_are_told_apart_from_what_hands_broke() -> None:
    updates = [{**FILE, "role": "os", "kind": "update", "name": "lib%d" % number, "detail": "from 1 is pending"} for number in range(40)]
    found = ended(row(), changes=[*updates, *({**one, "host": "db2"} for one in updates), {**FILE, "kind": "package"}], green=GREEN)
    lines = lines_of(found)
    assert "1 things would be changed, 80 updates are pending" in lines[0]
    (line,) = [line for line in lines if line.startswith("  update: ")]
    assert line.startswith("  update: lib0 from 1 is pending, ") and line.endswith("and 32 more, on db1, db2")
    measured = values(found)
    assert measured["changes"] == 81 and measured['changes_by_kind{kind="update"}'] == 80 and measured['changes_by_kind{kind="package"}'] == 1
    assert measured['changes_by_kind{kind="unit"}'] == 0


def test_what_a_host_sent_cannot_act_on_the_journal() -> None:
    hostile = {**row("fail"), "observed": "\x1b[2Jno\n<0>forged line"}
    for _needs, line in text(ended(hostile, verdict="NO-GO")):
        assert line.isprintable()


def test_metrics_tell_what_is_known_and_nothing_more() -> None:
    drifted = values(ended(row(), row("fail", "b"), verdict="NO-GO", changes=[FILE], green=GREEN), green=GREEN)
    assert drifted["changes"] == 1 and drifted['changes_by_kind{kind="file"}'] == 1
    assert drifted['items{outcome="pass"}'] == 1 and drifted['items{outcome="fail"}'] == 1
    assert drifted["last_run_timestamp_seconds"] == 1060 and drifted["last_run_duration_seconds"] == 60
    assert drifted["last_green_timestamp_seconds"] == GREEN["ended"] and drifted["running_since_timestamp_seconds"] == 0
    unknown = values(died(BEGAN, 1060.0, "it hung", {}))
    assert unknown["changes"] != unknown["changes"] and unknown['items{outcome="pass"}'] != unknown['items{outcome="pass"}'], "NaN"


def test_metrics_before_the_first_run_are_not_green() -> None:
    before = values({}, running_since=990.0)
    assert before["green"] == 0 and before["verdict_go"] == 0 and before["last_run_timestamp_seconds"] == 0
    assert before["running_since_timestamp_seconds"] == 990
