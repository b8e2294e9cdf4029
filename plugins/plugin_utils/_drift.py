# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a drift run found, held against the last green one; as text for the journal, as metrics for node_exporter. Pure."""

from __future__ import annotations

import math
import typing as t

from ._findings import plain_line
from ._moment import elapsed, stamp

__all__ = ["GREEN", "died", "metrics", "summary", "text"]

GREEN, DRIFTED, INCOMPLETE = "green", "drifted", "incomplete"
STATES = (GREEN, DRIFTED, INCOMPLETE)
OUTCOMES = ("pass", "warned", "waived", "not_applicable", "fail", "error", "missing")
_THROUGH = ("pass", "warned", "waived", "not_applicable")
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
    rows = list(results["results"]) if results else []
    reasons = [*reasons, *(["nothing was asked"] if results and not rows else [])]
    silent = sorted({str(row["subject"]) for row in rows if row["outcome"] == "missing"})
    reasons += ["%s gave no answer" % host for host in silent if not any(reason.startswith(host) for reason in reasons)]
    verdict = str(results["verdict"]) if results else ""
    state = INCOMPLETE if reasons or not changes_known or not results else GREEN if verdict == "GO" and not changes else DRIFTED
    return {
        **_ended(began, now, state, reasons, green),
        "verdict": verdict,
        "problems": list(results.get("problems", [])) if results else [],
        "counts": {name: sum(row["outcome"] == name for row in rows) for name in OUTCOMES} if results else {},
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


def key(row: Data) -> str:
    return "%s on %s, door %s" % (row["item"], row["subject"], row["door"])


def _has_turned(row: Data, green: Data) -> bool:
    """Another outcome than in the last green run, for the worse; before the first green run, whatever holds the gate shut."""
    if not green:
        return row["outcome"] not in _THROUGH
    return bool(row["outcome"] not in ("pass", green.get("outcomes", {}).get(key(row))))


def _turned(row: Data, green: Data) -> Summary:
    kept = {name: row[name] for name in ("item", "subject", "title", "observed", "expected", "reason", "remedy")}
    return {**kept, "was": green.get("outcomes", {}).get(key(row), "not asked"), "is": row["outcome"]}


def text(found: Data) -> list[tuple[bool, str]]:
    """(whether it needs a person, line) for the journal and the terminal."""
    bad = found["state"] != GREEN
    lines = [(bad, _headline(found))]
    lines += [(True, "  not known: %s" % reason) for reason in found["reasons"]]
    lines += [(True, "  problem: %s" % problem) for problem in found["problems"]]
    lines += [(True, "  %s: %s, on %s: %s" % (one["kind"], one["name"], one["host"], one["detail"])) for one in found["changes"]]
    for one in found["turned"]:
        needs = one["is"] not in _THROUGH
        lines.append((needs, "  item: %s, on %s: was %s, is %s: %s" % (one["item"], one["subject"], one["was"], one["is"], _finding(one))))
        if needs and one["remedy"]:
            lines.append((needs, "        mend: %s" % one["remedy"]))
    lines += [(True, "  mend, in your project: %s" % command) for command in _commands(found)]
    lines.append((False, "  kept in %s" % found["kept"]))
    # What hosts sent is on one line, and nothing that a terminal would obey.
    return [(needs, line[: len(line) - len(line.lstrip())] + plain_line(line)) for needs, line in lines]


def _headline(found: Data) -> str:
    took = elapsed(found["ended"] - found["started"])
    last = "the last green run ended %s" % stamp(found["since_ended"]) if found["since"] else "no run was green yet"
    if found["state"] == GREEN:
        count = sum(found["counts"].values())
        return "%s: GREEN: verdict GO, %d answers, provisioning would change nothing (%s)" % (found["environment"], count, took)
    failing = sum(one["is"] not in _THROUGH for one in found["turned"])
    what = "%s things would be changed, %d items turned" % (len(found["changes"]) if found["changes_known"] else "an unknown number of", failing)
    if found["state"] == DRIFTED:
        return "%s: DRIFTED: %s, verdict %s; %s (%s)" % (found["environment"], what, found["verdict"], last, took)
    return "%s: INCOMPLETE, not known to be green: %s; %s (%s)" % (found["environment"], what, last, took)


def _finding(one: Data) -> str:
    return str(one["reason"] or "found %s, expected %s" % (one["observed"] or "nothing", one["expected"]))


def _commands(found: Data) -> list[str]:
    """What mends the things: a command for each set of hosts, with all roles that these need."""
    roles: dict[str, list[str]] = {}
    for one in found["changes"]:
        if one["role"]:
            roles.setdefault(one["host"], []).append(one["role"])
    hosts: dict[str, list[str]] = {}
    for host, names in roles.items():
        hosts.setdefault(",".join(dict.fromkeys(names)), []).append(host)
    command = "ansible-playbook gonogo.preflight.provision -i %s --tags %s --limit %s"
    return [command % (found["inventory"], tags, ",".join(names)) for tags, names in hosts.items()]


def metrics(last: Data, *, running_since: t.Optional[float], green: Data) -> str:
    """The text that node_exporter reads: the last run that ended, and whether another is going on.

    What the last run could not find out is NaN, which is neither 0 nor equal to anything.
    """
    ended = bool(last)
    kinds = sorted({one["kind"] for one in last.get("changes", [])})
    known = bool(last.get("changes_known"))
    counts = last.get("counts") or {}
    families: list[tuple[str, str, list[tuple[str, float]]]] = [
        ("green", "1 when the last run found nothing amiss, else 0.", [("", float(last.get("state") == GREEN))]),
        ("state", "1 for the state that the last run ended in.", [(_label("state", name), float(last.get("state") == name)) for name in STATES]),
        ("verdict_go", "1 when the verdict of the last run was GO, else 0.", [("", float(last.get("verdict") == "GO"))]),
        ("changes", "Things that provisioning would change.", [("", float(len(last["changes"])) if known else _UNKNOWN)]),
        ("changes_by_kind", "Things that provisioning would change, by kind.", [(_label("kind", kind), _of_kind(last, kind)) for kind in kinds]),
        ("items", "Items of the checklist by outcome.", [(_label("outcome", name), float(counts.get(name, _UNKNOWN))) for name in OUTCOMES]),
        ("last_run_timestamp_seconds", "When the last run ended.", [("", last["ended"] if ended else 0.0)]),
        ("last_run_duration_seconds", "How long the last run took.", [("", last["ended"] - last["started"] if ended else _UNKNOWN)]),
        ("last_green_timestamp_seconds", "When the last green run ended, 0 when there was none.", [("", green.get("ended", 0.0))]),
        ("running_since_timestamp_seconds", "When the run that is going on began, 0 when none is.", [("", running_since or 0.0)]),
    ]
    lines = []
    for name, meaning, samples in families:
        if samples:
            lines += ["# HELP gonogo_drift_%s %s" % (name, meaning), "# TYPE gonogo_drift_%s gauge" % name]
            lines += ["gonogo_drift_%s%s %s" % (name, labels, _number(value)) for labels, value in samples]
    return "\n".join(lines) + "\n"


def _of_kind(last: Data, kind: str) -> float:
    return float(sum(one["kind"] == kind for one in last["changes"]))


def _label(name: str, value: str) -> str:
    return '{%s="%s"}' % (name, value)


def _number(value: float) -> str:
    return "NaN" if math.isnan(value) else "%.3f" % value if value % 1 else "%d" % value
