# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run has found, from what it has on disk, and the files that tell it: for people, for programs, for CI."""

from __future__ import annotations

import typing as t
from dataclasses import asdict, dataclass, replace

from ..module_utils._questions import ONGOING
from ..module_utils._verdict import OUTCOMES, PEOPLE, Attestation, Row, Verdict, Waiver, day, decide
from ._findings import Finding, findings, unreachable
from ._fingerprints import answers_of
from ._junit import junit
from ._markdown import checklist_page
from ._moment import stamp
from ._page import page
from ._provisioning import provisioning
from ._run import Run, write_json, write_text
from ._yaml import shown

if t.TYPE_CHECKING:
    from ..module_utils._verdict import Question
    from ._context import Project

__all__ = ["Report", "remember"]

_REFUSED = "not asked: the run was refused"
_DEPLOYED = ("started", "unchanged")
_Kept = t.TypeVar("_Kept", Waiver, Attestation)


def remember(run: Run, project: Project, asked: t.Sequence[Question], problems: t.Sequence[str], *, refused: bool = False) -> None:
    """Keep what a report needs to be written without the inventory, also when the run dies before its end.

    :param refused: the problems end the run before any host is asked.
    """
    context = {
        "environment": project.environment,
        "checklist": project.policy.checklist,
        "policy": shown(project.policy.directory),
        "inventory": project.inventory,
        "waivers": [asdict(waiver) for waiver in project.policy.waivers],
        "attestations": [asdict(attestation) for attestation in project.attestations.given],
        "problems": list(problems),
        "refused": refused,
        "disagreements": list(project.disagreements),
    }
    run.put_questions(asked, context)


@dataclass(frozen=True)
class Report:
    """Everything the reports and the board show.

    :ivar doors: the verdict of each door that was to be passed, in order.
    :ivar ongoing: what was asked beside the doors, where this run asked it; none of it holds anything shut.
    :ivar deployments: the last event of each host on which a release was started.
    :ivar taken: an action took the verdict of every door, and it was GO; without it nothing is GO.
    """

    run: Run
    context: t.Mapping[str, t.Any]
    doors: tuple[Verdict, ...]
    ongoing: tuple[Row, ...]
    deployments: tuple[t.Mapping[str, t.Any], ...]
    taken: bool
    now: float

    @classmethod
    def of(cls, run: Run, doors: t.Sequence[str], now: float) -> Report:
        """The report of `run`, which is to pass `doors`; a door behind one that is NO-GO is not judged."""
        asked, context = run.questions()
        built_in, outcomes = provisioning(run)
        waivers, attestations = _kept(Waiver, context.get("waivers", [])), _kept(Attestation, context.get("attestations", []))
        answers = [*outcomes, *answers_of(run, asked, waivers, now)]
        problems = list(context.get("problems", []))
        if not asked:
            problems.append("the checklist was not read in this run: nothing was asked")

        def decided(door: str) -> Verdict:
            told: dict[str, t.Any] = {"waivers": waivers, "attestations": attestations, "problems": problems, "started": run.started, "now": now}
            verdict = decide(door, [*built_in, *asked], answers, **told)
            return replace(verdict, rows=tuple(map(_unasked, verdict.rows))) if context.get("refused") else verdict

        verdicts: list[Verdict] = []
        for door in doors:
            verdict = decided(door)
            verdicts.append(verdict)
            if not verdict.go:
                break
        taken = {event.get("door") for event in run.events("gate.") if event.get("go") is True}
        ongoing = tuple(map(_beside_the_doors, decided(ONGOING).rows)) if _was_asked(ONGOING, asked, answers) else ()
        return cls(run, context, tuple(verdicts), ongoing, tuple(run.events("release.")), set(doors) <= taken, now)

    @property
    def go(self) -> bool:
        deployed = all(event.get("outcome") in _DEPLOYED for event in self.deployments)
        return bool(self.doors) and self.taken and deployed and all(verdict.go for verdict in self.doors)

    @property
    def word(self) -> str:
        return "GO" if self.go else "NO-GO"

    @property
    def rows(self) -> list[Row]:
        return [*(row for verdict in self.doors for row in verdict.rows), *self.ongoing]

    @property
    def problems(self) -> list[str]:
        found = dict.fromkeys(problem for verdict in self.doors for problem in verdict.problems)
        if not self.taken and all(verdict.go for verdict in self.doors):
            found["the run ended before its gate said GO"] = None
        return list(found)

    @property
    def blocking(self) -> list[Row]:
        return [row for row in self.rows if not row.through]

    @property
    def findings(self) -> list[Finding]:
        """What holds a door shut, and what mends it; where the run was refused, that is its problems and what people have to answer."""
        return findings([row for row in self.blocking if not _was_refused(row)], self.mend)

    def mend(self, row: Row) -> str:
        """The command or the sentence that mends `row`."""
        if _was_refused(row) or (row.through and row.outcome not in ("warned", "waived")):
            return ""
        host = row.question.vantage
        if not host:
            return "add a host to %s, or list the item under not_applicable in %s/waivers.yml" % (row.question.subject, self.context.get("policy", "policy"))
        if unreachable(row) or (row.status == "missing" and host != PEOPLE):
            return "ansible %s -i %s -m ansible.builtin.ping" % (host, self.context.get("inventory", "INVENTORY"))
        return row.remedy

    def counts(self) -> dict[str, int]:
        """How many rows have each outcome, the frequent ones of a good run first."""
        return {name: sum(row.outcome == name for row in self.rows) for name in OUTCOMES}

    def write(self) -> tuple[str, ...]:
        """Write results.json, junit.xml, checklist.md and report.html; returns their paths, the one for people last."""
        write_json(self.run.path("results.json"), self._document())
        texts = {"junit.xml": junit, "checklist.md": checklist_page, "report.html": page}
        for name, told in texts.items():
            write_text(self.run.path(name), told(self))
        self.run.link_latest()
        return tuple(self.run.path(name) for name in ("results.json", *texts))

    def _document(self) -> dict[str, t.Any]:
        return {
            "run": self.run.id,
            "verdict": self.word,
            "environment": self.context.get("environment", ""),
            "checklist": self.context.get("checklist", ""),
            "started": stamp(self.run.started),
            "written": stamp(self.now),
            "doors": {verdict.door: verdict.word for verdict in self.doors},
            "problems": self.problems,
            "disagreements": list(self.context.get("disagreements", [])),
            "counts": self.counts(),
            "deployments": [dict(event) for event in self.deployments],
            "results": [self._result(row) for row in self.rows],
        }

    def _result(self, row: Row) -> dict[str, t.Any]:
        question = row.question
        return {
            "item": question.item,
            "subject": question.subject,
            "vantage": question.vantage,
            "door": question.door,
            "severity": question.severity,
            "area": question.area,
            "title": question.title,
            "status": row.status,
            "outcome": row.outcome,
            "observed": row.observed,
            "expected": question.expected,
            "source": question.source,
            "relaxed": question.relaxed,
            "provenance": [{"source": source, "expected": expected} for source, expected in question.provenance],
            "evidence": row.evidence,
            "reason": row.reason,
            "remedy": "" if row.status == "pass" else self.mend(row),
            "by": row.by,
            "until": day(row.until - 1) if row.until else "",
            "seconds": row.seconds,
            "at": stamp(row.at) if row.at else "",
        }


def _was_asked(door: str, asked: t.Sequence[Question], answers: t.Sequence[t.Mapping[str, t.Any]]) -> bool:
    keys = {(question.item, question.subject) for question in asked if question.door == door}
    return any((answer.get("item"), answer.get("subject")) in keys for answer in answers)


def _unasked(row: Row) -> Row:
    """A row that a host owes, in a run that was refused: nothing is wrong with the host."""
    owed = row.outcome == "missing" and row.question.vantage not in ("", PEOPLE)
    return replace(row, reason=_REFUSED) if owed else row


def _was_refused(row: Row) -> bool:
    """Whether `_unasked` made the row; a host that answers with the same words is no missing one."""
    return row.status == "missing" and row.reason == _REFUSED


def _beside_the_doors(row: Row) -> Row:
    """A row of no door: what it found is shown, and holds nothing shut."""
    return row if row.through else replace(row, outcome="warned", through=True)


def _kept(cls: type[_Kept], entries: t.Iterable[t.Mapping[str, t.Any]]) -> list[_Kept]:
    """Excuses or attestations as `remember` wrote them."""
    return [cls(**dict(one, subjects=tuple(one["subjects"]))) for one in entries]
