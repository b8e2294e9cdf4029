# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which questions a checklist asks, and the verdict over their answers. Pure: no I/O; time is an argument."""

from __future__ import annotations

import time
import typing as t
from dataclasses import dataclass, field, replace

__all__ = ["BUILT_IN", "DEPLOYMENT", "OUTCOMES", "PEOPLE", "THROUGH", "Attestation", "Question", "Row", "Verdict", "Waiver", "day", "decide"]

MAX_AGE = 3600.0
"""Seconds after which an answer is stale even within its own run."""

_SKEW = 60.0
"""Seconds by which an answer may seem to come from the future: it is stamped on the controller, whose clock may step."""


PEOPLE = "people"
"""The vantage of a question that a person answers, by an attestation."""

DEPLOYMENT = "deployment"
"""The subject of what a person is asked once, and not of each host."""

BUILT_IN = "built in"
"""The source of what a run asks of itself, whatever the checklist says."""

THROUGH = ("pass", "warned", "waived", "not_applicable")
"""The outcomes that do not hold a gate shut."""

OUTCOMES = (*THROUGH, "fail", "error", "missing")
"""Every outcome, the frequent ones of a good run first."""

_DAY = 86400.0


@dataclass(frozen=True)
class Question:
    """One item asked of one subject.

    :ivar vantage: inventory name of the host that looks, "controller", PEOPLE, or "" where nobody can.
    :ivar digest: fingerprint of what is asked; an answer to another question does not count.
    :ivar source: where the expectation comes from.
    :ivar relaxed: the checklist's expectation in words, where the inventory's is weaker.
    :ivar provenance: every (source, expectation in words), from the catalogue's to the one that holds.
    :ivar not_applicable: why reviewed data asks nobody, or "".
    :ivar needs: the probe that would answer it and that there is not yet, or "".
    :ivar version: the version that an answer of people has to be about, "" where nobody knows which that is; None where it is about no release.
    """

    item: str
    subject: str
    vantage: str
    door: str
    severity: str
    title: str
    area: str
    expected: str
    source: str
    digest: str
    remedy: str = ""
    relaxed: str = ""
    why: str = ""
    asks: str = ""
    provenance: tuple[tuple[str, str], ...] = ()
    not_applicable: str = ""
    needs: str = ""
    version: t.Optional[str] = None

    @property
    def asks_somebody(self) -> bool:
        """A probe can look, and somebody wants to know."""
        return bool(self.vantage) and self.vantage != PEOPLE and not self.needs and not self.not_applicable


@dataclass(frozen=True)
class Waiver:
    """An excuse from reviewed data: `kind` is "waiver" (the real result stays in sight) or "not_applicable".

    :ivar subjects: inventory names; empty means every subject.
    :ivar expires: seconds since the epoch, or None where it does not expire (not_applicable).
    :ivar origin: file and line.
    """

    kind: str
    item: str
    reason: str
    owner: str
    subjects: tuple[str, ...] = ()
    expires: t.Optional[float] = None
    origin: str = ""

    def covers(self, question: Question, now: float) -> bool:
        if self.item != question.item or (self.subjects and question.subject not in self.subjects):
            return False
        return self.expires is None or now < self.expires


@dataclass(frozen=True)
class Attestation:
    """A person's dated answer, from reviewed data.

    :ivar at: when the day of the answer began, seconds since the epoch.
    :ivar expires: when the last day on which it holds is over.
    :ivar subjects: inventory names; empty for an item that is asked once.
    :ivar origin: file and line.
    :ivar version: the version that it is about, "" where it is about no release.
    """

    item: str
    by: str
    at: float
    expires: float
    evidence: str
    subjects: tuple[str, ...] = ()
    origin: str = ""
    version: str = ""

    def answers(self, question: Question) -> bool:
        return self.item == question.item and question.subject in (self.subjects or (DEPLOYMENT,))


@dataclass(frozen=True)
class Row:
    """The outcome of one question.

    :ivar status: pass, fail, error or missing: what the system answered.
    :ivar outcome: the status, or waived, not_applicable or warned: what the gate makes of it.
    :ivar through: the question does not hold the gate shut.
    :ivar by: who answers for it: owner of an excuse, or the person who attested.
    :ivar until: when the excuse or the attestation ends, 0 where nothing does.
    :ivar origin: file and line of the excuse or the attestation.
    """

    question: Question
    status: str
    outcome: str
    through: bool
    observed: str = ""
    evidence: str = ""
    remedy: str = ""
    reason: str = ""
    seconds: float = 0.0
    at: float = 0.0
    by: str = ""
    until: float = 0.0
    origin: str = ""


@dataclass(frozen=True)
class Verdict:
    """GO only when there is something to ask, nothing is wrong with the run, and every row is through."""

    door: str
    rows: tuple[Row, ...] = ()
    problems: tuple[str, ...] = field(default=())

    @property
    def go(self) -> bool:
        return bool(self.rows) and not self.problems and all(row.through for row in self.rows)

    @property
    def word(self) -> str:
        return "GO" if self.go else "NO-GO"

    @property
    def blocking(self) -> tuple[Row, ...]:
        return tuple(row for row in self.rows if not row.through)


Answer = t.Mapping[str, t.Any]


def decide(
    door: str,
    questions: t.Sequence[Question],
    answers: t.Sequence[Answer],
    *,
    waivers: t.Sequence[Waiver] = (),
    attestations: t.Sequence[Attestation] = (),
    problems: t.Sequence[str] = (),
    started: float,
    now: float,
) -> Verdict:
    """The verdict of `door` over `questions`, which come from data and not from the hosts that answered.

    :param answers: mappings of item, subject, vantage, digest, status, observed, evidence, error, remedy, seconds, at.
    :param problems: what is wrong with the run as a whole; any of them is NO-GO.
    :param started: when this run began, seconds since the epoch; an older answer is not of this run.
    """
    asked = [question for question in questions if question.door == door]
    by_key: dict[tuple[str, str], list[Answer]] = {}
    for answer in answers:
        by_key.setdefault((str(answer.get("item")), str(answer.get("subject"))), []).append(answer)
    rows = tuple(
        Row(question, "missing", "not_applicable", True, reason=question.not_applicable)
        if question.not_applicable
        else _attested(question, waivers, attestations, now)
        if question.vantage == PEOPLE
        else _row(question, by_key.get((question.item, question.subject), []), waivers, started=started, now=now)
        for question in asked
    )
    found = list(problems)
    if not any(row.outcome != "not_applicable" and row.question.source != BUILT_IN for row in rows):
        found.append("nothing that applies is asked at door %s: an empty checklist is never a GO" % door)
    return Verdict(door=door, rows=rows, problems=tuple(found))


def _attested(question: Question, waivers: t.Sequence[Waiver], attestations: t.Sequence[Attestation], now: float) -> Row:
    """What a person has answered; only reviewed data counts here, and nothing that any host sent."""
    excuse = _excuse(question, waivers, now)
    if excuse is not None and excuse.kind == "not_applicable":
        return _not_applicable(question, excuse)
    given = [one for one in attestations if one.answers(question)]
    reason = _why_unattested(question, given, now)
    if reason:
        return Row(question, "missing", "missing", False, remedy=question.remedy, reason=reason)
    (answer,) = given
    observed = "answered by %s on %s%s" % (answer.by, day(answer.at), " about %s" % answer.version if answer.version else "")
    return Row(question, "pass", "pass", True, observed, answer.evidence, at=answer.at, by=answer.by, until=answer.expires, origin=answer.origin)


def _why_unattested(question: Question, given: t.Sequence[Attestation], now: float) -> str:
    if not given:
        return "nobody has answered it"
    if len(given) > 1:
        return "it is answered %d times" % len(given)
    answer = given[0]
    if not now < answer.expires:
        return "the answer of %s of %s held until %s" % (answer.by, day(answer.at), day(answer.expires - 1))
    # Dates have no time zone: a day begins up to 14 hours earlier elsewhere.
    if not answer.at <= now + _DAY:
        return "the answer of %s is dated %s, which is to come" % (answer.by, day(answer.at))
    return "" if question.version is None else _why_not_about(question.version, answer)


def _why_not_about(version: str, answer: Attestation) -> str:
    """Why `answer` is not about the release of this `version`, or ""."""
    if not version:
        return "the answer of %s is about version %s, and the inventory does not name one version for all hosts (deploy_version)" % (answer.by, answer.version)
    if answer.version != version:
        return "the answer of %s is about version %s, and %s is deployed" % (answer.by, answer.version or "nobody knows which", version)
    return ""


def day(seconds: float) -> str:
    """The date (UTC) of `seconds` since the epoch: 2027-01-31."""
    return time.strftime("%Y-%m-%d", time.gmtime(seconds))


def _excuse(question: Question, waivers: t.Sequence[Waiver], now: float) -> t.Optional[Waiver]:
    return next((waiver for waiver in waivers if waiver.covers(question, now)), None)


def _not_applicable(question: Question, excuse: Waiver) -> Row:
    reason = "%s (%s)" % (excuse.reason, excuse.owner)
    return Row(question, "missing", "not_applicable", True, reason=reason, by=excuse.owner, origin=excuse.origin)


def _row(question: Question, answers: t.Sequence[Answer], waivers: t.Sequence[Waiver], *, started: float, now: float) -> Row:
    excuse = _excuse(question, waivers, now)
    if excuse is not None and excuse.kind == "not_applicable":
        return _not_applicable(question, excuse)
    # Nobody can look, so nothing that claims to have looked counts. It can be waived as what a probe cannot see can.
    unprobed: tuple[str, Answer, str] = ("error", {"at": now}, "no probe yet: needs %s" % question.needs)
    status, answer, reason = unprobed if question.needs else _status(question, answers, started=started, now=now)
    row = Row(
        question,
        status,
        status,
        status == "pass",
        observed=str(answer.get("observed", "")),
        evidence=str(answer.get("evidence", "")),
        remedy=question.remedy,
        reason=reason,
        seconds=_seconds(answer.get("seconds")),
        at=float(answer.get("at", 0.0)),
    )
    # A waiver excuses what the system answered, not an answer that does not count.
    if answer and excuse is not None:
        why = "%s (%s)" % (excuse.reason, excuse.owner)
        row = replace(row, by=excuse.owner, until=excuse.expires or 0.0, origin=excuse.origin)
        if status == "pass":
            return replace(row, reason="waived without need: " + why)
        return replace(row, outcome="waived", through=True, reason=why)
    if status == "fail" and question.severity == "warn":
        return replace(row, outcome="warned", through=True)
    return row


def _status(question: Question, answers: t.Sequence[Answer], *, started: float, now: float) -> tuple[str, Answer, str]:
    """(status, the answer that counts or {}, why): anything but one fresh answer to this very question is no pass."""
    if not answers:
        return "missing", {}, _why_missing(question)
    if len(answers) > 1:
        return "error", {}, "answered %d times in one run" % len(answers)
    answer = answers[0]
    if answer.get("digest") != question.digest:
        return "error", {}, "the answer belongs to another question: item or threshold changed while the run went on"
    if answer.get("vantage") != question.vantage:
        return "error", {}, "answered from %s instead of %s" % (answer.get("vantage"), question.vantage)
    at = answer.get("at")
    if not isinstance(at, (int, float)) or isinstance(at, bool):
        return "error", {}, "the answer carries no time"
    # Said so that a time that is no number (NaN compares as false with everything) is no fresh one.
    if not (started - _SKEW <= at <= now + _SKEW and now - at <= MAX_AGE):
        return "error", {}, "the answer is not of this run, or older than %d minutes" % (MAX_AGE / 60)
    status = answer.get("status")
    if status == "error":
        return "error", answer, _why_unseen(answer)
    if status not in ("pass", "fail"):
        return "error", {}, "unknown status %r" % (status,)
    return str(status), answer, ""


def _why_unseen(answer: Answer) -> str:
    """Why a probe could not look. What it suggests came from a host: it is quoted, and is never the command that a report tells to type."""
    suggested = answer.get("remedy")
    return str(answer.get("error") or "the probe could not look") + (" (the probe suggests: %s)" % suggested if suggested else "")


def _seconds(value: t.Any) -> float:
    """How long the look took, as far as the answer says so; nothing is decided by it."""
    usable = isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < MAX_AGE
    return float(value) if usable else 0.0


def _why_missing(question: Question) -> str:
    if not question.vantage:
        return "no host can look at it for this item"
    if question.vantage == question.subject:
        return "gave no answer in this run: unreachable, left out, or not asked"
    return "%s, which looks at it, gave no answer in this run" % question.vantage
