# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a drift run found, held against the last green one; and as metrics for node_exporter. Pure."""

from __future__ import annotations

import math
import typing as t

from ..module_utils._verdict import OUTCOMES, PEOPLE, THROUGH
from ._changes import UPDATE

__all__ = ["DRIFTED", "GREEN", "INCOMPLETE", "died", "metrics", "summary", "was_asked"]

GREEN, DRIFTED, INCOMPLETE = "green", "drifted", "incomplete"
STATES = (GREEN, DRIFTED, INCOMPLETE)
KINDS = ("file", "firewall rule", "package", "unit", UPDATE)
"""The kinds that have a metric also when there is nothing of them, so that an alert can hold one against another."""

_UNKNOWN = float("nan")

Data = t.Mapping[str, t.Any]
Summary = t.Dict[str, t.Any]


def summary(
    began: Data,
    now: float,
    *,
    changes: t.Sequence[Data],
    changes_known: bool,
    results: t.Optional[Data],
    reasons: t.Sequence[str],
    green: Data,
) -> Summary:
    """The summary of a run that came to its end.

    :arg began: run, environment, inventory, started and where it is kept, as noted when it began.
    :arg changes: what provisioning would change, as far as it is known.
    :arg results: results.json of the verification, None where there is none.
    :arg reasons: why something is not known, a sentence each.
    :arg green: the summary of the last green run, {} where there is none.
    """
    rows = list(results["results"]) if results and was_asked(results) else []
    silent = sorted({str(row["subject"]) for row in rows if _is_silent(row)})
    reasons = [*reasons, *("%s gave no answer" % host for host in silent if not any(reason.startswith(host) for reason in reasons))]
    problems = list(results.get("problems", [])) if results else []
    if not rows and not reasons and not problems:
        reasons = ["nothing was asked"]
    verdict = str(results["verdict"]) if results else ""
    state = INCOMPLETE if reasons or not changes_known or not rows else GREEN if verdict == "GO" and not changes else DRIFTED
    return {
        **_ended(began, now, state, reasons, green),
        "verdict": verdict,
        "problems": problems,
        "counts": {name: sum(row["outcome"] == name for row in rows) for name in OUTCOMES} if rows else {},
        "changes": list(changes),
        "changes_known": changes_known,
        "turned": [_turned(row, green) for row in rows if _has_turned(row, green)],
        "outcomes": {key(row): row["outcome"] for row in rows},
    }


def died(began: Data, now: float, reason: str, green: Data) -> Summary:
    """The summary of a run that did not come to its end."""
    ended = _ended(began, now, INCOMPLETE, [reason], green)
    return {**ended, "verdict": "", "problems": [], "counts": {}, "changes": [], "changes_known": False, "turned": [], "outcomes": {}}


def _ended(began: Data, now: float, state: str, reasons: t.Sequence[str], green: Data) -> Summary:
    since = {"since": green.get("run", ""), "since_ended": green.get("ended", 0.0)}
    return {**began, "ended": now, "state": state, "reasons": list(reasons), **since}


def was_asked(results: Data) -> bool:
    """Whether any host was asked anything; what stopped the verification before that is told instead of a row for each answer that is missing."""
    return any(row["status"] != "missing" for row in results["results"] if row["vantage"] != PEOPLE)


def _is_silent(row: Data) -> bool:
    return bool(row["outcome"] == "missing" and row["vantage"] != PEOPLE)


def key(row: Data) -> str:
    return "%s on %s, door %s" % (row["item"], row["subject"], row["door"])


def _has_turned(row: Data, green: Data) -> bool:
    """Another outcome than in the last green run, for the worse; before the first green run, whatever holds the gate shut."""
    if not green:
        return row["outcome"] not in THROUGH
    return bool(row["outcome"] not in ("pass", green.get("outcomes", {}).get(key(row))))


def _turned(row: Data, green: Data) -> Summary:
    kept = {name: row[name] for name in ("item", "subject", "vantage", "area", "status", "title", "observed", "expected", "reason", "remedy")}
    return {**kept, "was": green.get("outcomes", {}).get(key(row), "not asked"), "is": row["outcome"]}


def metrics(last: Data, *, running_since: t.Optional[float], green: Data, project: Data) -> str:
    """The text that node_exporter reads: the last run that ended, and whether another is going on.

    What the last run could not find out is NaN, which is neither 0 nor equal to anything.
    """
    ended = bool(last)
    kinds = sorted({*KINDS, *(one["kind"] for one in last.get("changes", []))})
    known = bool(last.get("changes_known"))
    counts = last.get("counts") or {}
    families: list[tuple[str, str, list[tuple[str, float]]]] = [
        ("green", "1 when the last run found nothing amiss, else 0.", [("", float(last.get("state") == GREEN))]),
        ("state", "1 for the state that the last run ended in.", [(_labels(state=name), float(last.get("state") == name)) for name in STATES]),
        ("verdict_go", "1 when the verdict of the last run was GO, else 0.", [("", float(last.get("verdict") == "GO"))]),
        ("changes", "Things that provisioning would change.", [("", float(len(last["changes"])) if known else _UNKNOWN)]),
        ("changes_by_kind", "Things that provisioning would change, by kind.", [(_labels(kind=kind), _of_kind(last, kind)) for kind in kinds]),
        ("items", "Items of the checklist by outcome.", [(_labels(outcome=name), float(counts.get(name, _UNKNOWN))) for name in OUTCOMES]),
        ("last_run_timestamp_seconds", "When the last run ended.", [("", last["ended"] if ended else 0.0)]),
        ("last_run_duration_seconds", "How long the last run took.", [("", last["ended"] - last["started"] if ended else _UNKNOWN)]),
        ("last_green_timestamp_seconds", "When the last green run ended, 0 when there was none.", [("", green.get("ended", 0.0))]),
        ("project_timestamp_seconds", "Since when the control host has the project that it holds the fleet against.", [("", project["since"])]),
        ("project_info", "Which project that is.", [(_labels(fingerprint=project["fingerprint"], collection=project["collection"]), 1.0)]),
        ("running_since_timestamp_seconds", "When the run that is going on began, 0 when none is.", [("", running_since or 0.0)]),
    ]
    lines = []
    for name, meaning, samples in families:
        if samples:
            lines += ["# HELP gonogo_drift_%s %s" % (name, meaning), "# TYPE gonogo_drift_%s gauge" % name]
            lines += ["gonogo_drift_%s%s %s" % (name, labels, _number(value)) for labels, value in samples]
    return "\n".join(lines) + "\n"


def _of_kind(last: Data, kind: str) -> float:
    return float(sum(one["kind"] == kind for one in last["changes"])) if last.get("changes_known") else _UNKNOWN


def _labels(**values: str) -> str:
    return "{%s}" % ",".join('%s="%s"' % one for one in values.items())


def _number(value: float) -> str:
    return "NaN" if math.isnan(value) else "%.3f" % value if value % 1 else "%d" % value
