# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judge what no host can say of itself alone: which other subjects of the item have the same value. Pure: no I/O, no clock.

A fingerprint is a mapping of item, subject, token, key and label. The token names the answer it belongs to; labels of the
same key are equal where the values are. Subjects of which it says the same under shared_by may have one value: they are parts of
the same thing. What is not one fingerprint for one answer is none, and who has none is no pass, neither for itself nor for those
that had to be compared with it.
"""

from __future__ import annotations

import typing as t

from . import _expect
from ._verdict import Question

__all__ = ["TO_COMPARE", "Fingerprint", "compared", "well_formed"]

TO_COMPARE = "to compare"
"""Status of an answer that is not judged yet. A verdict knows no such status, so that nothing passes where nobody compared."""

Answer = t.Mapping[str, t.Any]
Fingerprint = t.Mapping[str, t.Any]
_Key = tuple[str, str]

_FIELDS = ("item", "subject", "token", "key", "label")


def well_formed(fingerprint: Fingerprint) -> bool:
    named = all(isinstance(fingerprint.get(name), str) and fingerprint[name] for name in _FIELDS)
    return named and isinstance(fingerprint.get("shared_by", ""), str)


def compared(
    answers: t.Sequence[Answer],
    questions: t.Sequence[Question],
    fingerprints: t.Sequence[Fingerprint],
    *,
    excused: t.Container[_Key] = (),
) -> list[Answer]:
    """`answers`, with those that are TO_COMPARE judged: what they observed is the list of the other subjects with the same value.

    :param questions: everything that is asked; it says with whom an answer has to be compared.
    :param excused: (item, subject) of those that the item does not apply to, and whose fingerprint nobody needs.
    """
    if not any(answer.get("status") == TO_COMPARE for answer in answers):
        return list(answers)
    given = _given(answers, questions, fingerprints)
    return [_judged(answer, questions, given, excused) if answer.get("status") == TO_COMPARE else answer for answer in answers]


def _given(answers: t.Sequence[Answer], questions: t.Sequence[Question], fingerprints: t.Sequence[Fingerprint]) -> dict[_Key, Fingerprint]:
    """The fingerprint of each (item, subject) that gave exactly one, with its only answer, to the question that is asked."""
    by_key: dict[_Key, list[Answer]] = {}
    for answer in answers:
        by_key.setdefault((str(answer.get("item")), str(answer.get("subject"))), []).append(answer)
    found: dict[_Key, Fingerprint] = {}
    for question in questions:
        mine = by_key.get((question.item, question.subject), [])
        if len(mine) != 1 or mine[0].get("status") != TO_COMPARE or mine[0].get("digest") != question.digest:
            continue
        wanted = (question.item, question.subject, mine[0].get("token"))
        held = [one for one in fingerprints if (one.get("item"), one.get("subject"), one.get("token")) == wanted]
        if len(held) == 1 and well_formed(held[0]):
            found[question.item, question.subject] = held[0]
    return found


def _judged(answer: Answer, questions: t.Sequence[Question], given: t.Mapping[_Key, Fingerprint], excused: t.Container[_Key]) -> Answer:
    item, subject, expect = str(answer.get("item")), str(answer.get("subject")), answer.get("expect")
    told = {name: value for name, value in answer.items() if name not in ("expect", "token")}
    mine = given.get((item, subject))
    if mine is None or not isinstance(expect, dict):
        return dict(told, status="error", error="its fingerprint is not there, or there is more than one")
    others = [one.subject for one in questions if one.item == item and one.subject != subject and one.asks_somebody]
    held = {other: given[item, other] for other in others if (item, other) in given}
    lacking = [other for other in others if other not in held and (item, other) not in excused]
    parts = [other for other, one in held.items() if mine.get("shared_by") and one.get("shared_by") == mine["shared_by"]]
    same = [other for other, one in held.items() if (one["key"], one["label"]) == (mine["key"], mine["label"]) and other not in parts]
    also = "; the same on %s" % ", ".join(same) if same else ""
    if lacking:
        return dict(told, status="error", error="not compared with %s: no fingerprint%s" % (", ".join(lacking), also))
    apart = [other for other, one in held.items() if one["key"] != mine["key"]]
    if apart:
        return dict(told, status="error", error="not compared with %s: fingerprinted with another key%s" % (", ".join(apart), also))
    told["evidence"] = "%s; %s" % (answer.get("evidence", ""), _compared([one for one in held if one not in parts], parts, str(mine.get("shared_by"))))
    try:
        told["observed"] = _expect.seen(same, expect)
        told["status"] = "pass" if _expect.judge(same, expect) else "fail"
    except _expect.ExpectationError as error:
        told.update(status="error", error=str(error))
    return told


def _compared(others: t.Sequence[str], parts: t.Sequence[str], shared_by: str) -> str:
    """With whom a value was compared, in words."""
    told = "compared with %s" % (", ".join(others) or ("no other" if parts else "no other, since none is asked"))
    return told + ("; %s may have the same, as a part of %s" % (", ".join(parts), shared_by) if parts else "")
