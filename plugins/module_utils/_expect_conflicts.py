# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Expectations that nothing can meet together. Pure: no I/O, no clock."""

from __future__ import annotations

import functools
import itertools
import typing as t

from ._expect_rules import TYPE_OF, Expectation, Span, judge, parts, span, tolerance
from ._expect_types import TYPES, ExpectationError

__all__ = ["contradict", "implied", "merged", "span_of"]

_EMPTY, _TEXT, _NUMBER, _LIST, _MAPPING = "nothing in it", "text", "number", "list", "mapping"
_EVERY_SHAPE = frozenset((_EMPTY, _TEXT, _NUMBER, _LIST, _MAPPING, "True", "False"))
_SHAPES: t.Mapping[str, t.FrozenSet[str]] = {
    **dict.fromkeys((*TYPE_OF, "matches"), frozenset((_TEXT, _NUMBER))),
    "contains": frozenset((_LIST,)),
    "only": frozenset((_LIST, _EMPTY)),
}
"""What an observation may be that meets this operator; of the others it depends on the operand."""


def span_of(expectation: Expectation) -> Span:
    """What an expectation lets through whose operator needs an order."""
    operator, operand, kind = parts(expectation)
    return span(operator, operand, kind, tolerance(expectation, operator, kind))


def merged(expectations: t.Sequence[Expectation], kind: str) -> t.Optional[Span]:
    """What those of `expectations` that need the order of `kind` let through together; None where there is none of them."""
    spans = [span_of(one) for one in expectations if parts(one)[0] in TYPE_OF and parts(one)[2] == kind]
    return functools.reduce(Span.both, spans) if spans else None


def implied(value: t.Any, kind: str, expectation: Expectation) -> t.Optional[bool]:
    """Whether what equals `value` as `kind` meets `expectation`; None where some of it may, and some may not.

    It is enough to judge `value` where the two look at the same.
    """
    operator, _operand, other_kind = parts(expectation)
    if kind == "exact":
        # What equals 24 may be 24.0, and as text or as a version these two differ.
        if _has_number(value) and (operator == "matches" or other_kind in ("text", "version")):
            return None
    elif not (kind == other_kind or (kind == "text" and operator == "matches")):
        return None
    try:
        return judge(value, expectation)
    except ExpectationError:
        return False


def contradict(expectations: t.Sequence[Expectation]) -> bool:
    """Whether nothing can meet all of `expectations`, each of which is accepted alone. False is no promise that something does."""
    if not frozenset.intersection(*map(_shapes, expectations)):
        return True
    if any(found.empty for found in (merged(expectations, kind) for kind in TYPES) if found is not None):
        return True
    return any(_no_value_left(one, [other for other in expectations if other is not one]) for one in expectations)


def _no_value_left(expectation: Expectation, others: t.Sequence[Expectation]) -> bool:
    """Whether each of the values that `expectation` allows is refused by another one."""
    operator, operand, kind = parts(expectation)
    if operator not in ("equals", "one_of"):
        return False
    values = operand if operator == "one_of" else [operand]
    return all(any(implied(value, kind, other) is False for other in others) for value in values)


def _shapes(expectation: Expectation) -> t.FrozenSet[str]:
    operator, operand, kind = parts(expectation)
    if operator == "empty":
        return frozenset((_EMPTY,)) if operand else frozenset((_LIST, _MAPPING, _TEXT))
    if operator in ("equals", "one_of"):
        values = operand if operator == "one_of" else [operand]
        return frozenset(itertools.chain.from_iterable(_shapes_of(value, kind) for value in values))
    return _SHAPES.get(operator, _EVERY_SHAPE)


def _shapes_of(value: t.Any, kind: str) -> t.FrozenSet[str]:
    """What an observation may be that equals `value`."""
    if kind != "exact":
        return frozenset((_TEXT, _NUMBER, *((_EMPTY,) if value == "" else ())))
    if isinstance(value, (str, list, dict)):
        return frozenset((_EMPTY,)) if not value else frozenset((_TEXT if isinstance(value, str) else _LIST if isinstance(value, list) else _MAPPING,))
    return frozenset((_NUMBER,)) if not isinstance(value, bool) else frozenset((str(value),))


def _has_number(value: t.Any) -> bool:
    if isinstance(value, dict):
        return any(map(_has_number, value.values()))
    if isinstance(value, list):
        return any(map(_has_number, value))
    return isinstance(value, (int, float)) and not isinstance(value, bool)
