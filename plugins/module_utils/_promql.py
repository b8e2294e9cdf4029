# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an expression of PromQL compares with which number, as Prometheus prints the expressions of its rules. Pure.

Read is what https://prometheus.io/docs/prometheus/latest/querying/basics/ and operators/ say of literals, ranges and binary
operators; what is compared is never looked into.
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass
from decimal import Decimal, DecimalException

__all__ = ["Comparison", "NoComparisonError", "comparison", "ranges"]

_TOKEN = re.compile(
    r"""(?P<space>\s+|\#[^\n]*)
      | (?P<text>"(?:[^"\\\n]|\\.)*" | '(?:[^'\\\n]|\\.)*' | `[^`]*`)
      | (?P<number>(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?(?![A-Za-z0-9_.]))
      | (?P<word>[A-Za-z_:][A-Za-z0-9_:.]*|[0-9][A-Za-z0-9_.]*)
      | (?P<operator>==|!=|>=|<=|=~|!~|[-+*/%^<>=@,])
      | (?P<open>[(\[{])
      | (?P<close>[)\]}])""",
    re.VERBOSE,
)
_CLOSES = {"(": ")", "[": "]", "{": "}"}
_TURNED = {">": "<", ">=": "<=", "<": ">", "<=": ">=", "==": "==", "!=": "!="}
_SETS = ("and", "or", "unless")
_ARITHMETIC = (("+", "-"), ("*", "/", "%"))
_RANGE = re.compile(r"((?:[0-9]+(?:ms|[smhdwy]))+)")
_SPAN = re.compile(r"([0-9]+)(ms|[smhdwy])")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0, "y": 31536000.0}
_DEEPEST, _LONGEST, _LARGEST = 50, 50, 100


class NoComparisonError(ValueError):
    """The expression does not compare one thing with one number; the message says, after its subject, what it does instead."""


@dataclass(frozen=True)
class Comparison:
    """`operator` has what is compared on its left and `number` on its right, whichever way round they were written."""

    operator: str
    number: Decimal


@dataclass(frozen=True)
class _Token:
    """A token, or a bracket with what stands in it."""

    kind: str
    text: str
    inside: tuple[_Token, ...] = ()


_Tokens = t.Sequence[_Token]


def comparison(expression: str) -> Comparison:
    """The one comparison that the whole of `expression` is; raises NoComparisonError.

    A comparison within what is compared, such as in `count(up == 0) > 2`, is a part of that.
    """
    tokens = _unwrapped(_read(expression))
    if any(token.kind == "word" and token.text.lower() in _SETS for token in tokens):
        raise NoComparisonError("joins several conditions")
    places = [place for place, token in enumerate(tokens) if token.kind == "operator" and token.text in _TURNED]
    if len(places) != 1:
        raise NoComparisonError("compares %d times" % len(places) if places else "compares nothing")
    (place,) = places
    left, operator, right = tokens[:place], tokens[place].text, tokens[place + 1 :]
    if right and right[0].kind == "word" and right[0].text.lower() == "bool":
        raise NoComparisonError("compares with `bool`, which has an answer, and so fires, whatever comes of it")
    if not left or not right:
        raise NoComparisonError("compares with nothing")
    numbers = [_constant(side) for side in (left, right)]
    if (numbers[0] is None) == (numbers[1] is None):
        raise NoComparisonError("compares with no number" if numbers[0] is None else "compares two numbers")
    if numbers[1] is not None:
        return Comparison(operator, numbers[1])
    return Comparison(_TURNED[operator], t.cast(Decimal, numbers[0]))


def ranges(expression: str) -> list[float]:
    """The length in seconds of each range `[5m]`, and of the outer one of each subquery `[1h:5m]`, in `expression`; raises NoComparisonError."""
    found = []
    left = list(_read(expression))
    while left:
        token = left.pop(0)
        if token.text == "[" and token.inside:
            found.append(_seconds(token.inside[0].text.partition(":")[0]))
        left = [*token.inside, *left]
    return found


def _seconds(text: str) -> float:
    if not _RANGE.fullmatch(text):
        raise NoComparisonError("has a range that cannot be read: %s" % text)
    return sum(int(number) * _SECONDS[unit] for number, unit in _SPAN.findall(text))


def _read(expression: str) -> tuple[_Token, ...]:
    """The tokens of `expression`, brackets with what stands in them; raises NoComparisonError."""
    stack: list[tuple[str, list[_Token]]] = [("", [])]
    place = 0
    while place < len(expression):
        match = _TOKEN.match(expression, place)
        if match is None or len(stack) > _DEEPEST:
            raise NoComparisonError("cannot be read from %r on" % expression[place : place + 20])
        place = match.end()
        kind, text = str(match.lastgroup), match.group()
        if kind == "open":
            stack.append((text, []))
        elif kind == "close":
            opened, inside = stack.pop()
            if _CLOSES.get(opened) != text:
                raise NoComparisonError("has brackets that do not match")
            stack[-1][1].append(_Token("bracket", opened, tuple(inside)))
        elif kind != "space":
            stack[-1][1].append(_Token(kind, text))
    if len(stack) != 1:
        raise NoComparisonError("has brackets that do not match")
    return tuple(stack[0][1])


def _unwrapped(tokens: _Tokens) -> _Tokens:
    while len(tokens) == 1 and tokens[0].text == "(":
        tokens = tokens[0].inside
    return tokens


def _constant(tokens: _Tokens) -> t.Optional[Decimal]:
    """The value of arithmetic with numbers alone, such as `6 * 3600`; None for anything else."""
    tokens = _unwrapped(tokens)
    if len(tokens) > _LONGEST:
        return None
    if len(tokens) == 1:
        number = Decimal(tokens[0].text) if tokens[0].kind == "number" else None
        return None if number is None or abs(number.adjusted()) > _LARGEST else number
    for operators in _ARITHMETIC:
        # The last operator of the weakest kind is applied last. One that follows another, or nothing, is a sign.
        for place in range(len(tokens) - 1, 0, -1):
            if tokens[place].text in operators and tokens[place].kind == "operator" and tokens[place - 1].kind != "operator":
                return _applied(_constant(tokens[:place]), tokens[place].text, _constant(tokens[place + 1 :]))
    if len(tokens) > 1 and tokens[0].kind == "operator" and tokens[0].text in ("-", "+"):
        value = _constant(tokens[1:])
        return None if value is None else -value if tokens[0].text == "-" else value
    return None


def _applied(left: t.Optional[Decimal], operator: str, right: t.Optional[Decimal]) -> t.Optional[Decimal]:
    if left is None or right is None:
        return None
    try:
        return {"+": left.__add__, "-": left.__sub__, "*": left.__mul__, "/": left.__truediv__, "%": left.__mod__}[operator](right)
    except DecimalException:
        return None
