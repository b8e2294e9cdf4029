# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The operators of an expectation: which expectations there are, and what meets them. Pure: no I/O, no clock."""

from __future__ import annotations

import datetime
import re
import typing as t

from ._expect_patterns import check_pattern, found_in
from ._expect_types import BOUNDS, TYPES, ExpectationError, as_seconds, brief, plain, written
from ._nearest import nearest

__all__ = ["OPERATORS", "TYPE_OF", "Expectation", "Span", "check", "judge", "parts", "same", "span", "tolerance"]

Expectation = t.Mapping[str, t.Any]
"""One operator with its operand, `as` (a key of TYPES) and `tolerance` (a percentage)."""

_TOLERANCE = re.compile(r"([0-9]{1,2}(?:\.[0-9]+)?)\s*%")
_DECADE = 3652 * 86400.0
_DEEPEST = 10


def same(left: t.Any, right: t.Any) -> bool:
    """Equality that keeps True apart from 1, at every depth."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(same(left[key], right[key]) for key in left)
    if isinstance(left, (list, tuple)) and isinstance(right, (list, tuple)):
        return len(left) == len(right) and all(same(a, b) for a, b in zip(left, right))
    return bool(left == right)


def _equals(observed: t.Any, operand: t.Any, convert_: t.Callable[[t.Any], t.Any]) -> bool:
    return same(convert_(observed), convert_(operand))


def _one_of(observed: t.Any, operand: t.Any, convert_: t.Callable[[t.Any], t.Any]) -> bool:
    return any(same(convert_(observed), convert_(one)) for one in operand)


def _at_least(observed: t.Any, operand: t.Any, convert_: t.Callable[[t.Any], t.Any]) -> bool:
    return bool(convert_(observed) >= convert_(operand))


def _at_most(observed: t.Any, operand: t.Any, convert_: t.Callable[[t.Any], t.Any]) -> bool:
    return bool(convert_(observed) <= convert_(operand))


def _above(observed: t.Any, operand: t.Any, convert_: t.Callable[[t.Any], t.Any]) -> bool:
    return bool(convert_(observed) > convert_(operand))


def _below(observed: t.Any, operand: t.Any, convert_: t.Callable[[t.Any], t.Any]) -> bool:
    return bool(convert_(observed) < convert_(operand))


def _between(observed: t.Any, operand: t.Any, convert_: t.Callable[[t.Any], t.Any]) -> bool:
    low, high = operand
    return bool(convert_(low) <= convert_(observed) <= convert_(high))


def _within(observed: t.Any, operand: t.Any, convert_: t.Callable[[t.Any], t.Any]) -> bool:
    """What lies ahead is below 0 and never recent: a clock is wrong, or the date is."""
    return bool(0 <= as_seconds(observed) <= convert_(operand))


def _before(observed: t.Any, operand: t.Any, convert_: t.Callable[[t.Any], t.Any]) -> bool:
    return bool(convert_(observed) < convert_(operand))


def _contains(observed: t.Any, operand: t.Any, convert_: t.Callable[[t.Any], t.Any]) -> bool:
    if not isinstance(observed, (list, tuple)):
        raise ExpectationError("%s is not a list" % brief(observed))
    has = [convert_(one) for one in observed]
    return all(any(same(one, convert_(wanted)) for one in has) for wanted in operand)


def _only(observed: t.Any, operand: t.Any, convert_: t.Callable[[t.Any], t.Any]) -> bool:
    if not isinstance(observed, (list, tuple)):
        raise ExpectationError("%s is not a list" % brief(observed))
    allowed = [convert_(one) for one in operand]
    return all(any(same(convert_(one), other) for other in allowed) for one in observed)


def _matches(observed: t.Any, operand: t.Any, convert_: t.Callable[[t.Any], t.Any]) -> bool:
    return found_in(operand, TYPES["text"](observed))


def _empty(observed: t.Any, operand: t.Any, convert_: t.Callable[[t.Any], t.Any]) -> bool:
    if not isinstance(observed, (list, tuple, dict, str)):
        raise ExpectationError("%s is neither a list nor text" % brief(observed))
    return (len(observed) == 0) is operand


def _all_of(observed: t.Any, operand: t.Any, convert_: t.Callable[[t.Any], t.Any]) -> bool:
    # Each is judged, so that one that cannot be compared is never hidden behind one that is not met.
    met = [judge(observed, one) for one in operand]
    return all(met)


OPERATORS: t.Mapping[str, t.Callable[[t.Any, t.Any, t.Callable[[t.Any], t.Any]], bool]] = {
    "equals": _equals,
    "one_of": _one_of,
    "at_least": _at_least,
    "at_most": _at_most,
    "above": _above,
    "below": _below,
    "between": _between,
    "within": _within,
    "before": _before,
    "contains": _contains,
    "only": _only,
    "matches": _matches,
    "empty": _empty,
    "all_of": _all_of,
}

_EXAMPLES = {
    "equals": "UTC",
    "one_of": "[debian 13, ubuntu 24.04]",
    "at_least": "24",
    "at_most": "90",
    "above": "80",
    "below": "15",
    "between": "[10, 90]",
    "within": "26h",
    "before": "2027-01-31T12:00Z",
    "contains": "[any]",
    "only": "[kex curve25519-sha256]",
    "matches": "^TLSv1",
    "empty": "true",
    "all_of": "[{at_least: 15}, {at_most: 20}]",
}

TYPE_OF = {"at_least": "number", "at_most": "number", "above": "number", "below": "number", "between": "number", "within": "duration", "before": "date"}
"""The type of the operators that need an order, where `as` does not say another."""

_ONLY_TYPE = ("within", "before")
_MEND = {"at_least": "raise it", "at_most": "lower it", "above": "raise it", "below": "lower it", "between": "narrow it", "within": "lower it"}


def parts(expectation: Expectation) -> tuple[str, t.Any, str]:
    """The operator, its operand and the type it compares as; raises ExpectationError."""
    if not isinstance(expectation, dict):
        raise ExpectationError("an expectation is a mapping such as {at_least: 4}, not %s" % brief(expectation))
    unknown = sorted(set(map(str, expectation)) - set(OPERATORS) - {"as", "tolerance"})
    if unknown:
        raise ExpectationError("unknown operator %r; %s" % (unknown[0], nearest(unknown[0], (*OPERATORS, "as", "tolerance"))), unknown[0])
    operators = [name for name in OPERATORS if name in expectation]
    if len(operators) != 1:
        strict = {"above", "below"} & set(operators) and set(operators) <= {"at_least", "at_most", "above", "below"}
        hint = "; say between: [low, high]" if set(operators) == {"at_least", "at_most"} else "; list them under all_of" if strict else ""
        found = "not %s%s" % (" and ".join(operators), hint)
        raise ExpectationError("an expectation has exactly one operator%s" % (", " + found if operators else " of " + ", ".join(OPERATORS)))
    operator = operators[0]
    kind = expectation.get("as", TYPE_OF.get(operator, "exact"))
    if not isinstance(kind, str) or kind not in TYPES:
        raise ExpectationError("`as` is %s; %s" % (brief(kind), nearest(kind, TYPES)), "as")
    return operator, expectation[operator], kind


def check(expectation: Expectation) -> None:
    """Raise ExpectationError when `expectation` could never be compared, or would let everything or nothing through.

    That several contradict each other is not looked at: those of several systems may, and then a host is told so.
    """
    operator, operand, kind = parts(expectation)
    if operand is None:
        raise ExpectationError("`%s` has no value; it takes one such as `%s: %s`" % (operator, operator, _EXAMPLES[operator]), operator)
    if "as" in expectation and operator in ("matches", "empty", "all_of"):
        raise ExpectationError("`as` does not go with `%s`" % operator, "as")
    kinds = [TYPE_OF[operator]] if operator in _ONLY_TYPE else list(BOUNDS) if operator in TYPE_OF else list(TYPES)
    if kind not in kinds:
        raise ExpectationError("`%s` compares as %s%s, not as %s" % (operator, "one of " if kinds[1:] else "", ", ".join(kinds), kind), "as")
    try:
        _check_operand(operator, operand, kind)
    except ExpectationError as error:
        raise ExpectationError(str(error), operator) from None
    tolerance(expectation, operator, kind)


def _check_operand(operator: str, operand: t.Any, kind: str) -> None:
    if operator == "all_of":
        _check_all(operand)
        return
    _check_data(operand, kind)
    if operator == "matches":
        _check_pattern(operand)
    elif operator == "empty":
        if not isinstance(operand, bool):
            raise ExpectationError("`empty` takes true or false, not %s" % brief(operand))
    elif operator in ("one_of", "contains", "only"):
        if not isinstance(operand, list) or not operand or None in operand:
            raise ExpectationError("`%s` needs a list with at least one value, and no null in it, not %s" % (operator, brief(operand)))
        for one in operand:
            written(kind, one)
    elif operator == "equals":
        written(kind, operand)
    else:
        _check_order(operator, operand, kind)


def _check_all(operand: t.Any) -> None:
    if not isinstance(operand, list) or len(operand) < 2:
        raise ExpectationError("`all_of` needs a list of at least two expectations, not %s" % brief(operand))
    for one in operand:
        if isinstance(one, dict) and "all_of" in one:
            raise ExpectationError("`all_of` stands in `all_of`; write one list")
        check(one)


def _check_data(operand: t.Any, kind: str, depth: int = 0) -> None:
    """A date, a set or a NaN of YAML equals nothing that a probe can observe; where a date is compared, YAML's is one."""
    if depth > _DEEPEST:
        raise ExpectationError("is nested more than %d levels deep" % _DEEPEST)
    if isinstance(operand, dict):
        for one in (*operand, *operand.values()):
            _check_data(one, kind, depth + 1)
    elif isinstance(operand, list):
        for one in operand:
            _check_data(one, kind, depth + 1)
    elif isinstance(operand, float):
        TYPES["number"](operand)
    elif operand is not None and not isinstance(operand, (str, int)) and not (kind == "date" and isinstance(operand, datetime.date)):
        raise ExpectationError("%s is a %s, not text; put it in quotes" % (operand, type(operand).__name__))


def _check_pattern(operand: t.Any) -> None:
    if not isinstance(operand, str) or not operand:
        raise ExpectationError("`matches` needs a regular expression, not %s" % brief(operand))
    check_pattern(operand)


def _check_order(operator: str, operand: t.Any, kind: str) -> None:
    """An operator that needs an order leaves something out, and something in."""
    said = "`%s: %s`" % (operator, _as_typed(operand))
    if operator == "between" and (not isinstance(operand, list) or len(operand) != 2 or None in operand):
        raise ExpectationError("`between` needs a list of two values, the lower and the upper end, not %s" % brief(operand))
    for one in operand if operator == "between" else [operand]:
        written(kind, one)
    found = span(operator, operand, kind)
    if operator == "between" and found.low > found.high:
        raise ExpectationError("%s lets nothing through; the lower end comes first: %s" % (said, _as_typed(operand[::-1])))
    # A pre-release of version 0 is all that lies below it.
    least = TYPES[kind]("0") if kind == "version" else BOUNDS[kind][0]
    if least is not None and found.low < least:
        found = found._replace(low=least, low_open=False)
    if found.empty or (operator == "within" and not found.high):
        raise ExpectationError("%s lets nothing through; %s" % (said, "lower it" if operator == "above" else "raise it"))
    for_ever = kind == "duration" and found.high is not None and found.high >= _DECADE
    to_the_end = for_ever or (found.high == BOUNDS[kind][1] and not found.high_open)
    if found.low == least and not found.low_open and to_the_end:
        raise ExpectationError("%s would let everything through; %s%s" % (said, _MEND[operator], ", below ten years" if for_ever else ""))


def _as_typed(operand: t.Any) -> str:
    return "[%s]" % plain(operand) if isinstance(operand, list) else plain(operand)


def tolerance(expectation: Expectation, operator: str, kind: str) -> float:
    """The fraction that an `at_least` may be missed by: "7%" is 0.07."""
    if "tolerance" not in expectation:
        return 0.0
    if operator != "at_least" or kind not in ("number", "size"):
        raise ExpectationError("`tolerance` goes with `at_least` on numbers and sizes only", "tolerance")
    match = _TOLERANCE.fullmatch(str(expectation["tolerance"]).strip())
    if not match or float(match.group(1)) > 20:
        raise ExpectationError("`tolerance` is a percentage up to 20%%, not %s" % brief(expectation["tolerance"]), "tolerance")
    if TYPES[kind](expectation[operator]) <= 0:
        raise ExpectationError("`tolerance` goes with a value above 0", "tolerance")
    return float(match.group(1)) / 100


class Span(t.NamedTuple):
    """The values that an operator lets through, from `low` to `high`; None is no end, and an end that is open is left out itself."""

    low: t.Any
    high: t.Any
    low_open: bool = False
    high_open: bool = False

    @property
    def empty(self) -> bool:
        if self.low is None or self.high is None:
            return False
        return bool(self.low > self.high or (self.low == self.high and (self.low_open or self.high_open)))

    def inside(self, outer: Span) -> bool:
        """Whether `outer` has every value of this one."""
        if outer.low is not None and (self.low is None or (self.low, self.low_open) < (outer.low, outer.low_open)):
            return False
        return outer.high is None or (self.high is not None and (self.high, outer.high_open) <= (outer.high, self.high_open))

    def both(self, other: Span) -> Span:
        """The values of this one that `other` has too."""
        low, low_open = max(((one.low, one.low_open) for one in (self, other) if one.low is not None), default=(None, False))
        high, closed = min(((one.high, not one.high_open) for one in (self, other) if one.high is not None), default=(None, True))
        return Span(low, high, low_open, not closed)


def span(operator: str, operand: t.Any, kind: str, slack: float = 0.0) -> Span:
    """What an operator that needs an order lets through; `slack` is the tolerance."""
    low, high = BOUNDS[kind]
    if operator == "between":
        return Span(TYPES[kind](operand[0]), TYPES[kind](operand[1]))
    end = TYPES[kind](operand)
    if operator in ("at_least", "above"):
        return Span(end * (1 - slack) if slack else end, high, low_open=operator == "above")
    return Span(low, end, high_open=operator in ("below", "before"))


def judge(observed: t.Any, expectation: Expectation) -> bool:
    """True when `observed`, which is data as JSON has it, meets `expectation`.

    Raises ExpectationError when the two cannot be compared, which is never a pass: an observation that is
    missing (None) or of another type, or an expectation that `check` refuses.
    """
    check(expectation)
    if observed is None:
        raise ExpectationError("nothing was observed")
    operator, operand, kind = parts(expectation)
    slack = tolerance(expectation, operator, kind)
    if slack:
        return bool(TYPES[kind](observed) >= span(operator, operand, kind, slack).low)
    return OPERATORS[operator](observed, operand, TYPES[kind])
