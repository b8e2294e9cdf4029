# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compare what a probe observed with what an item expects. Pure: no I/O, no clock.

An expectation is a mapping of one operator to its operand, with two optional modifiers::

    {"at_least": "24.0", "as": "version"}
    {"at_least": "512GB", "as": "size", "tolerance": "7%"}
"""

from __future__ import annotations

import math
import re
import typing as t

__all__ = ["Expectation", "ExpectationError", "OPERATORS", "TYPES", "check", "judge", "plain", "seen", "text", "weaker"]

Expectation = t.Mapping[str, t.Any]
"""One operator with its operand, `as` (a key of TYPES) and `tolerance` (a percentage)."""


class ExpectationError(ValueError):
    """The expectation, or the observation it is held against, cannot be compared."""


# Powers of 1024 for every spelling: Redis, PostgreSQL and the kernel count so, and it never lets less through
# than a vendor's powers of 1000 would. What hardware falls short of it is what `tolerance` is for.
_UNITS = {"B": 0, "KB": 1, "MB": 2, "GB": 3, "TB": 4, "PB": 5}
_SIZE = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*([KMGTP]?)(i?)B?", re.IGNORECASE)
_VERSION = re.compile(r"v?([0-9]{1,18}(?:\.[0-9]{1,18})*)(?![0-9]|\.[0-9])")
_PERCENT = re.compile(r"([0-9]{1,2}(?:\.[0-9]+)?)\s*%")


def _brief(value: t.Any) -> str:
    """`value` as an error shows it: what a host sent may be long."""
    shown = repr(value)
    return shown if len(shown) <= 80 else shown[:77] + "..."


def _number(value: t.Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise ExpectationError("%s is not a number" % _brief(value))
    try:
        number = float(value)
    except (ValueError, OverflowError):
        raise ExpectationError("%s is not a number" % _brief(value)) from None
    if not math.isfinite(number):
        raise ExpectationError("%s is not a finite number" % _brief(value))
    return number


def _size(value: t.Any) -> float:
    """Bytes of "2GB", "512MiB" or a plain number of bytes."""
    if not isinstance(value, str):
        return _number(value)
    match = _SIZE.fullmatch(value.strip())
    if not match:
        raise ExpectationError("%s is not a size such as 2GB or 512MiB" % _brief(value))
    return _number(float(match.group(1)) * 1024.0 ** _UNITS[match.group(2).upper() + "B"])


def _version(value: t.Any) -> tuple[int, ...]:
    """The leading numbers of a version: "26.1.5+dfsg1" is (26, 1, 5); zeros at the end do not count."""
    if isinstance(value, float):
        raise ExpectationError("%s is a number, not a version: put it in quotes, or 24.10 is read as 24.1" % _brief(value))
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        raise ExpectationError("%s is not a version" % _brief(value))
    match = _VERSION.match(value.strip() if isinstance(value, str) else "%d" % value)
    if not match:
        raise ExpectationError("%s is not a version such as 24.0" % _brief(value))
    parts = [int(part) for part in match.group(1).split(".")]
    while len(parts) > 1 and parts[-1] == 0:
        parts.pop()
    return tuple(parts)


def _text(value: t.Any) -> str:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise ExpectationError("%s is not text" % _brief(value))
    return str(value)


def _exact(value: t.Any) -> t.Any:
    return value


TYPES: t.Mapping[str, t.Callable[[t.Any], t.Any]] = {
    "exact": _exact,
    "number": _number,
    "size": _size,
    "text": _text,
    "version": _version,
}

_ORDERED = ("number", "size", "version")


def _same(left: t.Any, right: t.Any) -> bool:
    """Equality that keeps True apart from 1, at every depth."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(_same(left[key], right[key]) for key in left)
    if isinstance(left, (list, tuple)) and isinstance(right, (list, tuple)):
        return len(left) == len(right) and all(_same(a, b) for a, b in zip(left, right))
    return bool(left == right)


def _equals(observed: t.Any, operand: t.Any, convert_: t.Callable[[t.Any], t.Any]) -> bool:
    return _same(convert_(observed), convert_(operand))


def _one_of(observed: t.Any, operand: t.Any, convert_: t.Callable[[t.Any], t.Any]) -> bool:
    return any(_same(convert_(observed), convert_(one)) for one in operand)


def _at_least(observed: t.Any, operand: t.Any, convert_: t.Callable[[t.Any], t.Any]) -> bool:
    return bool(convert_(observed) >= convert_(operand))


def _at_most(observed: t.Any, operand: t.Any, convert_: t.Callable[[t.Any], t.Any]) -> bool:
    return bool(convert_(observed) <= convert_(operand))


def _contains(observed: t.Any, operand: t.Any, convert_: t.Callable[[t.Any], t.Any]) -> bool:
    if not isinstance(observed, (list, tuple)):
        raise ExpectationError("%s is not a list" % _brief(observed))
    seen = [convert_(one) for one in observed]
    return all(any(_same(one, convert_(wanted)) for one in seen) for wanted in operand)


def _matches(observed: t.Any, operand: t.Any, convert_: t.Callable[[t.Any], t.Any]) -> bool:
    return re.search(operand, _text(observed)) is not None


def _empty(observed: t.Any, operand: t.Any, convert_: t.Callable[[t.Any], t.Any]) -> bool:
    if not isinstance(observed, (list, tuple, dict, str)):
        raise ExpectationError("%s is neither a list nor text" % _brief(observed))
    return (len(observed) == 0) is operand


OPERATORS: t.Mapping[str, t.Callable[[t.Any, t.Any, t.Callable[[t.Any], t.Any]], bool]] = {
    "equals": _equals,
    "one_of": _one_of,
    "at_least": _at_least,
    "at_most": _at_most,
    "contains": _contains,
    "matches": _matches,
    "empty": _empty,
}

_PHRASES = {
    "equals": "",
    "one_of": "one of ",
    "at_least": "at least ",
    "at_most": "at most ",
    "contains": "contains ",
    "matches": "matches ",
}


def _parts(expectation: Expectation) -> tuple[str, t.Any, str]:
    """The operator, its operand and the type it compares as; raises ExpectationError."""
    if not isinstance(expectation, dict):
        raise ExpectationError("an expectation is a mapping such as {at_least: 4}, not %s" % _brief(expectation))
    unknown = sorted(set(map(str, expectation)) - set(OPERATORS) - {"as", "tolerance"})
    if unknown:
        raise ExpectationError("unknown operator %r; known: %s" % (unknown[0], ", ".join(OPERATORS)))
    operators = [name for name in OPERATORS if name in expectation]
    if len(operators) != 1:
        raise ExpectationError("an expectation has exactly one operator of %s" % ", ".join(OPERATORS))
    operator = operators[0]
    kind = expectation.get("as", "number" if operator in ("at_least", "at_most") else "exact")
    if not isinstance(kind, str) or kind not in TYPES:
        raise ExpectationError("`as: %s` is none of %s" % (kind, ", ".join(TYPES)))
    return operator, expectation[operator], kind


def check(expectation: Expectation) -> None:
    """Raise ExpectationError when `expectation` could never be compared or would let everything through."""
    operator, operand, kind = _parts(expectation)
    if operand is None:
        raise ExpectationError("`%s` has no value" % operator)
    _check_data(operand)
    if operator in ("matches", "empty"):
        if "as" in expectation:
            raise ExpectationError("`as` does not go with `%s`" % operator)
        checked = _check_pattern if operator == "matches" else _check_flag
        checked(operand)
    elif operator in ("one_of", "contains"):
        if not isinstance(operand, list) or not operand or None in operand:
            raise ExpectationError("`%s` needs a list with at least one value, and no null in it, not %s" % (operator, _brief(operand)))
        for one in operand:
            TYPES[kind](one)
    else:
        if operator != "equals" and kind not in _ORDERED:
            raise ExpectationError("`%s` compares as one of %s, not as %s" % (operator, ", ".join(_ORDERED), kind))
        least = TYPES[kind](operand)
        if operator == "at_least" and kind in ("size", "version") and least in (0.0, (0,)):
            raise ExpectationError("`at_least: %s` would let everything through" % (operand,))
    _tolerance(expectation, operator, kind)


def _check_data(operand: t.Any) -> None:
    """A date, a set or a NaN of YAML equals nothing that a probe can observe."""
    if isinstance(operand, dict):
        _check_data([*operand, *operand.values()])
    elif isinstance(operand, list):
        for one in operand:
            _check_data(one)
    elif isinstance(operand, float):
        _number(operand)
    elif operand is not None and not isinstance(operand, (str, int)):
        raise ExpectationError("%s is a %s, not text; put it in quotes" % (operand, type(operand).__name__))


def _check_flag(operand: t.Any) -> None:
    if not isinstance(operand, bool):
        raise ExpectationError("`empty` takes true or false, not %s" % _brief(operand))


def _check_pattern(operand: t.Any) -> None:
    if not isinstance(operand, str) or not operand:
        raise ExpectationError("`matches` needs a regular expression, not %s" % _brief(operand))
    try:
        pattern = re.compile(operand)
    except (re.error, OverflowError, RecursionError) as error:
        raise ExpectationError("%s is no regular expression: %s" % (_brief(operand), error)) from None
    if pattern.search(""):
        raise ExpectationError("%r matches empty text, so it would let everything through" % operand)


def _tolerance(expectation: Expectation, operator: str, kind: str) -> float:
    """The fraction that an `at_least` may be missed by: "7%" is 0.07."""
    if "tolerance" not in expectation:
        return 0.0
    if operator != "at_least" or kind not in ("number", "size"):
        raise ExpectationError("`tolerance` goes with `at_least` on numbers and sizes only")
    match = _PERCENT.fullmatch(str(expectation["tolerance"]).strip())
    if not match or float(match.group(1)) > 20:
        raise ExpectationError("`tolerance` is a percentage up to 20%%, not %s" % _brief(expectation["tolerance"]))
    if TYPES[kind](expectation[operator]) <= 0:
        raise ExpectationError("`tolerance` goes with a value above 0")
    return float(match.group(1)) / 100


def judge(observed: t.Any, expectation: Expectation) -> bool:
    """True when `observed` meets `expectation`.

    Raises ExpectationError when the two cannot be compared, which is never a pass: an observation that is
    missing (None) or of another type, or an expectation that `check` refuses.
    """
    check(expectation)
    if observed is None:
        raise ExpectationError("nothing was observed")
    operator, operand, kind = _parts(expectation)
    slack = _tolerance(expectation, operator, kind)
    if slack:
        return bool(TYPES[kind](observed) >= TYPES[kind](operand) * (1 - slack))
    return OPERATORS[operator](observed, operand, TYPES[kind])


def weaker(candidate: Expectation, reference: Expectation) -> bool:
    """True when `candidate` may let through what `reference` would not; both are expectations that `check` accepts.

    What cannot be ordered (another operator, another type, another text) counts as weaker, so that it is shown.
    """
    operator, operand, kind = _parts(candidate)
    other_operator, other_operand, other_kind = _parts(reference)
    if (operator, kind) != (other_operator, other_kind):
        return True
    as_kind = TYPES[kind]
    if operator == "at_least":
        if kind == "version":
            return bool(_version(operand) < _version(other_operand))
        slack, other_slack = _tolerance(candidate, operator, kind), _tolerance(reference, operator, kind)
        return bool(as_kind(operand) * (1 - slack) < as_kind(other_operand) * (1 - other_slack))
    if operator == "at_most":
        return bool(as_kind(operand) > as_kind(other_operand))
    if operator == "one_of":
        return any(not _one_of(one, other_operand, as_kind) for one in operand)
    if operator == "contains":
        return any(not _one_of(one, operand, as_kind) for one in other_operand)
    return not _equals(operand, other_operand, as_kind)


def text(expectation: Expectation) -> str:
    """The expectation in words, for reports: "at least 24.0", "one of debian 13, ubuntu 24.04"."""
    operator, operand, _kind = _parts(expectation)
    if operator == "empty":
        return "none" if operand else "at least one"
    words = _PHRASES[operator] + plain(operand)
    return words + (" (within %s)" % expectation["tolerance"] if "tolerance" in expectation else "")


def seen(observed: t.Any, expectation: Expectation) -> str:
    """The observation in words, for reports: bytes as a size where a size is expected."""
    if expectation.get("as") != "size":
        return plain(observed)
    try:
        number = _size(observed)
    except ExpectationError:
        return plain(observed)
    unit = max((name for name, power in _UNITS.items() if number >= 1024.0**power), key=_UNITS.__getitem__, default="B")
    return "%s%s" % (("%.1f" % (number / 1024.0 ** _UNITS[unit])).replace(".0", ""), unit)


def plain(value: t.Any) -> str:
    """A value as a person would write it: lists with commas, mappings as "key: value", true/false, no quotes."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return ", ".join("%s: %s" % (key, plain(one)) for key, one in value.items()) or "none"
    if isinstance(value, (list, tuple)):
        return ", ".join(plain(one) for one in value) or "none"
    return str(value)
