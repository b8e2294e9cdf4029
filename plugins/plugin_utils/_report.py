# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The reports of a run: results.json for programs, checklist.md for people, from what the run has on disk."""

from __future__ import annotations

import re
import time
import typing as t
from dataclasses import asdict, dataclass

from ..module_utils._verdict import Attestation, Row, Verdict, Waiver, day, decide
from ._provisioning import provisioning
from ._run import Run, write_json, write_text

if t.TYPE_CHECKING:
    from ..module_utils._verdict import Question
    from ._context import Project

__all__ = ["Report", "fold", "plain_line", "remember"]

_BOXES = {"pass": "x", "waived": "x", "warned": "x", "not_applicable": "-"}
_DEPLOYED = ("started", "unchanged")
_LONGEST = 400
_Kept = t.TypeVar("_Kept", Waiver, Attestation)


def remember(run: Run, project: Project, asked: t.Sequence[Question], problems: t.Sequence[str]) -> None:
    """Keep what a report needs to be written without the inventory, also when the run dies before its end."""
    context = {
        "environment": project.environment,
        "checklist": project.policy.checklist,
        "waivers": [asdict(waiver) for waiver in project.policy.waivers],
        "attestations": [asdict(attestation) for attestation in project.attestations.given],
        "problems": list(problems),
    }
    run.put_questions(asked, context)


@dataclass(frozen=True)
class Report:
    """Everything the reports and the board show.

    :ivar doors: the verdict of each door that was to be passed, in order.
    :ivar deployments: the last event of each host on which a release was started.
    :ivar taken: an action took the verdict of every door, and it was GO; without it nothing is GO.
    """

    run: Run
    context: t.Mapping[str, t.Any]
    doors: tuple[Verdict, ...]
    deployments: tuple[t.Mapping[str, t.Any], ...]
    taken: bool
    now: float

    @classmethod
    def of(cls, run: Run, doors: t.Sequence[str], now: float) -> Report:
        """The report of `run`, which is to pass `doors`; a door behind one that is NO-GO is not judged."""
        asked, context = run.questions()
        built_in, outcomes = provisioning(run)
        answers = [*outcomes, *run.answers()]
        waivers, attestations = _kept(Waiver, context.get("waivers", [])), _kept(Attestation, context.get("attestations", []))
        problems = list(context.get("problems", []))
        if not asked:
            problems.append("the checklist was not read in this run: nothing was asked")
        verdicts: list[Verdict] = []
        for door in doors:
            verdict = decide(
                door,
                [*built_in, *asked],
                answers,
                waivers=waivers,
                attestations=attestations,
                problems=problems,
                started=run.started,
                now=now,
            )
            verdicts.append(verdict)
            if not verdict.go:
                break
        taken = {event.get("door") for event in run.events("gate.") if event.get("go") is True}
        return cls(run, context, tuple(verdicts), tuple(run.events("release.")), set(doors) <= taken, now)

    @property
    def go(self) -> bool:
        deployed = all(event.get("outcome") in _DEPLOYED for event in self.deployments)
        return bool(self.doors) and self.taken and deployed and all(verdict.go for verdict in self.doors)

    @property
    def word(self) -> str:
        return "GO" if self.go else "NO-GO"

    @property
    def rows(self) -> list[Row]:
        return [row for verdict in self.doors for row in verdict.rows]

    @property
    def problems(self) -> list[str]:
        found = dict.fromkeys(problem for verdict in self.doors for problem in verdict.problems)
        if not self.taken and all(verdict.go for verdict in self.doors):
            found["the run ended before its gate said GO"] = None
        return list(found)

    @property
    def blocking(self) -> list[Row]:
        return [row for row in self.rows if not row.through]

    def counts(self) -> dict[str, int]:
        """How many rows have each outcome, the frequent ones of a good run first."""
        order = ("pass", "warned", "waived", "not_applicable", "fail", "error", "missing")
        return {name: sum(row.outcome == name for row in self.rows) for name in order}

    def write(self) -> tuple[str, str]:
        """Write results.json and checklist.md; returns their paths."""
        results, checklist = self.run.path("results.json"), self.run.path("checklist.md")
        write_json(results, self._document())
        write_text(checklist, self._markdown())
        self.run.link_latest()
        return results, checklist

    def _document(self) -> dict[str, t.Any]:
        return {
            "run": self.run.id,
            "verdict": self.word,
            "environment": self.context.get("environment", ""),
            "checklist": self.context.get("checklist", ""),
            "started": _stamp(self.run.started),
            "written": _stamp(self.now),
            "doors": {verdict.door: verdict.word for verdict in self.doors},
            "problems": self.problems,
            "counts": self.counts(),
            "deployments": [dict(event) for event in self.deployments],
            "results": [_result(row) for row in self.rows],
        }

    def _markdown(self) -> str:
        lines = [
            "# %s: %s, checklist %s" % (self.word, self.context.get("environment", "?"), self.context.get("checklist", "?")),
            "",
            "Run %s, started %s, written %s." % (self.run.id, _stamp(self.run.started), _stamp(self.now)),
            ", ".join("%s %d" % (name.replace("_", " "), count) for name, count in self.counts().items() if count) + ".",
            "",
        ]
        lines += ["- **%s**" % _escaped(problem) for problem in self.problems]
        lines += ["- **%s: %s**" % (event["host"], _escaped(event["message"])) for event in self.deployments if event.get("message")]
        area = None
        for row in sorted(self.rows, key=lambda one: (one.question.area != "run", one.question.door == "live", one.question.area)):
            if row.question.area != area:
                area = row.question.area
                lines += ["", "## %s" % area.replace("_", " ").capitalize(), ""]
            lines += _entry(row)
        return "\n".join(lines) + "\n"


def _kept(cls: type[_Kept], entries: t.Iterable[t.Mapping[str, t.Any]]) -> list[_Kept]:
    """Excuses or attestations as `remember` wrote them."""
    return [cls(**dict(one, subjects=tuple(one["subjects"]))) for one in entries]


def fold(rows: t.Sequence[Row]) -> list[list[Row]]:
    """`rows` in groups that a person reads as one: the same finding of one item on many hosts, or one reason for which
    many items have no answer.
    """
    groups: dict[tuple[str, ...], list[Row]] = {}
    for row in rows:
        finding = (row.question.item, row.observed, row.question.expected)
        groups.setdefault(finding if row.status == "fail" else (row.status, row.reason), []).append(row)
    return list(groups.values())


def _result(row: Row) -> dict[str, t.Any]:
    question = row.question
    return {
        "item": question.item,
        "subject": question.subject,
        "vantage": question.vantage,
        "door": question.door,
        "severity": question.severity,
        "title": question.title,
        "status": row.status,
        "outcome": row.outcome,
        "observed": row.observed,
        "expected": question.expected,
        "source": question.source,
        "relaxed": question.relaxed,
        "evidence": row.evidence,
        "reason": row.reason,
        "remedy": "" if row.status == "pass" else row.remedy,
        "by": row.by,
        "until": day(row.until - 1) if row.until else "",
        "seconds": row.seconds,
        "at": _stamp(row.at) if row.at else "",
    }


def _entry(row: Row) -> list[str]:
    """One box: ticked, crossed out as not applicable, or empty, with what was found below it."""
    question = row.question
    box = _BOXES.get(row.outcome, " ")
    word = "" if row.outcome == "pass" else " **%s**" % row.outcome.replace("_", " ")
    lines = ["- [%s]%s `%s` %s, on %s" % (box, word, question.item, _escaped(question.title), question.subject)]
    if row.outcome == "not_applicable":
        return [*lines, "  - not applicable: %s" % _escaped(row.reason)]
    details = "found %s; expected %s" % (_escaped(row.observed) or "nothing", _escaped(question.expected))
    if question.relaxed:
        details += " (relaxed in the inventory; the checklist asks %s)" % _escaped(question.relaxed)
    when = " at %s" % _stamp(row.at) if row.at else ""
    looked = " from %s" % question.vantage if question.vantage not in ("", question.subject) else ""
    lines.append("  - %s%s%s%s" % (details, looked, when, "; %s" % _escaped(row.evidence) if row.evidence else ""))
    if row.reason:
        lines.append("  - %s" % _escaped(row.reason))
    if row.remedy and row.status != "pass":
        lines.append("  - mend: %s" % _escaped(row.remedy))
    return lines


def _stamp(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def _escaped(text: str) -> str:
    """Text from hosts, on one line and unable to act as Markdown or HTML."""
    return re.sub(r"([\\`*_{}\[\]<>|~&#!])", r"\\\1", plain_line(text))


def plain_line(text: str) -> str:
    """Text from hosts as one line of at most 400 characters, without what a terminal would obey (escape sequences)."""
    line = "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in " ".join(str(text).split()))
    return line if len(line) <= _LONGEST else line[: _LONGEST - 4] + " ..."
