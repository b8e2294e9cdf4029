# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compare what a probe observed with what an item expects. Pure: no I/O, no clock.

An expectation is a mapping of one operator to its operand, with two optional modifiers::

    {"at_least": "24.0", "as": "version"}
    {"at_least": "512GB", "as": "size", "tolerance": "7%"}
    {"between": ["10ms", "2s"], "as": "duration"}
    {"within": "26h"}
    {"before": "2027-01-31T12:00Z"}
"""

from __future__ import annotations

import typing as t

from . import _expect_rules
from ._expect_conflicts import contradict, implied, merged, span_of
from ._expect_rules import OPERATORS, TYPE_OF, Expectation, judge, parts, same
from ._expect_types import TYPES, ExpectationError, exactly, plain, shown, stated

__all__ = ["Expectation", "ExpectationError", "OPERATORS", "TYPES", "check", "judge", "plain", "seen", "strictest", "text", "weaker"]

_PHRASES = {
    "equals": "",
    "one_of": "one of ",
    "at_least": "at least ",
    "at_most": "at most ",
    "above": "above ",
    "below": "below ",
    "within": "within ",
    "before": "before ",
    "contains": "contains ",
    "only": "only ",
    "matches": "matches ",
}


def check(expectation: Expectation) -> None:
    """Raise ExpectationError when `expectation` could never be compared, or would let everything or nothing through."""
    _expect_rules.check(expectation)
    if "all_of" in expectation and contradict(expectation["all_of"]):
        listed = ", ".join(text(one) for one in expectation["all_of"])
        raise ExpectationError("`all_of` lets nothing through, since nothing meets all of: %s" % listed, "all_of")


def weaker(candidate: Expectation, reference: Expectation) -> bool:
    """True when `candidate` may let through what `reference` would not; both are expectations that `check` accepts.

    False is a promise, for every observation; what cannot be ordered counts as weaker, so that it is shown.
    """
    operator, operand, kind = parts(candidate)
    other_operator, other_operand, other_kind = parts(reference)
    if other_operator == "all_of":
        return any(weaker(candidate, one) for one in other_operand)
    if operator == "all_of":
        together = merged(operand, other_kind) if other_operator in TYPE_OF else None
        return all(weaker(one, reference) for one in operand) and not (together and together.inside(span_of(reference)))
    if operator in ("equals", "one_of"):
        values = operand if operator == "one_of" else [operand]
        return not all(implied(one, kind, reference) for one in values)
    if operator in TYPE_OF:
        return kind != other_kind or not _inside(candidate, reference)
    if operator == "contains" and other_operator == "empty":
        return bool(other_operand)
    if (operator, kind) != (other_operator, other_kind):
        return True
    if operator == "contains":
        return any(not OPERATORS["one_of"](one, operand, TYPES[kind]) for one in other_operand)
    if operator == "only":
        return any(not OPERATORS["one_of"](one, other_operand, TYPES[kind]) for one in operand)
    return not same(operand, other_operand)


def _inside(candidate: Expectation, reference: Expectation) -> bool:
    """Whether all that one ordered operator lets through meets another expectation of the same type."""
    inner, operator, kind = span_of(candidate), parts(reference)[0], parts(reference)[2]
    if operator in ("equals", "one_of"):
        values = reference[operator] if operator == "one_of" else [reference[operator]]
        return inner.low == inner.high and any(inner.low == TYPES[kind](one) for one in values)
    return operator in TYPE_OF and inner.inside(span_of(reference))


def strictest(expectations: t.Sequence[tuple[str, Expectation]]) -> int:
    """The index of the (source, expectation) that is at least as strict as every other one, the first of equals.

    Raises ExpectationError, with two sources, when there is none, and with its source for one that `check` refuses.
    """
    if not expectations:
        raise ExpectationError("there is no expectation to choose from")
    for source, expectation in expectations:
        try:
            check(expectation)
        except ExpectationError as error:
            raise ExpectationError("%s: %s" % (source, error), error.key) from None
    best = 0
    for index, (_source, expectation) in enumerate(expectations):
        if not weaker(expectation, expectations[best][1]) and weaker(expectations[best][1], expectation):
            best = index
    chosen = expectations[best]
    for other in expectations:
        if weaker(chosen[1], other[1]):
            said = " and ".join("%s expects %s" % (source, text(expectation)) for source, expectation in (chosen, other))
            raise ExpectationError("%s, and neither of the two is the stricter one; agree on one" % said)
    return best


def text(expectation: Expectation) -> str:
    """The expectation in words, for reports: "at least 24.0", "one of debian 13, ubuntu 24.04", "within 26 hours"."""
    operator, operand, kind = parts(expectation)
    if operator == "empty":
        return "none" if operand else "at least one"
    if operator == "all_of":
        return " and ".join(map(text, operand))
    if operator == "between":
        return "between %s and %s" % (stated(kind, operand[0]), stated(kind, operand[1]))
    values = [stated(kind, one) for one in operand] if operator in ("one_of", "contains", "only") else [stated(kind, operand)]
    return _PHRASES[operator] + ", ".join(values) + (" (within %s)" % expectation["tolerance"] if "tolerance" in expectation else "")


def seen(observed: t.Any, expectation: Expectation) -> str:
    """The observation in words, for reports: bytes as a size where a size is expected, seconds as hours where a duration is.

    They are rounded, unless what is left would be judged otherwise: then they are exact.
    """
    try:
        operator, operand, kind = parts(expectation)
        if operator == "all_of":
            kind = parts(operand[0])[2]
        words = shown(kind, observed)
        return words if _met(words, expectation) is _met(observed, expectation) else exactly(kind, observed)
    except ExpectationError:
        return plain(observed)


def _met(observed: t.Any, expectation: Expectation) -> t.Optional[bool]:
    try:
        return judge(observed, expectation)
    except ExpectationError:
        return None
