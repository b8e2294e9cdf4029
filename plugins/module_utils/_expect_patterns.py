# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Regular expressions that tell nothing apart: found in everything, or in nothing, as far as that can be told. Pure."""

from __future__ import annotations

import functools
import importlib
import re
import typing as t

from ._expect_types import ExpectationError, brief

__all__ = ["LONGEST", "check_pattern", "found_in"]

LONGEST = 4096
"""How many characters of an observation a pattern is looked for in: many patterns take the square of that, or more."""

# Of unlike lengths and without a character in common: what is found in all of them is found in anything.
_UNRELATED = ("7", "no", "\u00fc/\u00a7", "FATAL!", "<a href=#>")

# The parser of `re` itself, which has moved in Python 3.11 and is not documented.
try:
    _parser: t.Any = importlib.import_module("re._parser")
except ImportError:  # pragma: no cover
    _parser = importlib.import_module("sre_parse")


def found_in(pattern: str, text: str) -> bool:
    """Whether `pattern` is found anywhere in `text`; raises ExpectationError for a text that is too long to look through."""
    if len(text) > LONGEST:
        raise ExpectationError("%d characters were observed, and a pattern is looked for in at most %d" % (len(text), LONGEST))
    return re.search(pattern, text) is not None


@functools.lru_cache(maxsize=512)
def check_pattern(pattern: str) -> None:
    """Raise ExpectationError for what is no regular expression, or is found in everything, or in nothing."""
    try:
        compiled = re.compile(pattern)
        tree = _parser.parse(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        raise ExpectationError("%s is no regular expression: %s" % (brief(pattern), error)) from None
    if compiled.search(""):
        raise ExpectationError("%r matches empty text, so it would let everything through" % pattern)
    # What a pattern excludes (`[^x]`, `(?!.*error)`) it has to name.
    if all(map(compiled.search, (*_UNRELATED, *re.findall(r"\w{1,20}|[^\w\s]", pattern)))):
        raise ExpectationError("%r matches whatever is there, so it would let everything through; for anything at all say `empty: false`" % pattern)
    if not compiled.flags & re.MULTILINE and _walk(tree, _START) is None:
        raise ExpectationError("%r is found in no text, so it lets nothing through" % pattern)


class _State(t.NamedTuple):
    """What is certain of a place in a pattern: whether a character lies before it, and what may still follow."""

    moved: bool
    left: int


# What may follow: anything, the line feed that `$` may stand before, nothing.
_ANYTHING, _LINE_FEED, _NOTHING = 2, 1, 0
_START = _State(moved=False, left=_ANYTHING)
_CHARACTERS = ("LITERAL", "NOT_LITERAL", "ANY", "IN")
_REPEATS = ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT")
_OPPOSITES = ({"CATEGORY_DIGIT", "CATEGORY_NOT_DIGIT"}, {"CATEGORY_SPACE", "CATEGORY_NOT_SPACE"}, {"CATEGORY_WORD", "CATEGORY_NOT_WORD"})


def _walk(tree: t.Iterable[t.Any], state: _State) -> t.Optional[_State]:
    """What is certain after a sequence of parts, None where nothing gets through it."""
    for operation, value in tree:
        after = _step(str(operation), value, state)
        if after is None:
            return None
        state = after
    return state


def _step(operation: str, value: t.Any, state: _State) -> t.Optional[_State]:
    if operation in _CHARACTERS:
        return _past(operation, value, state)
    if operation == "AT":
        return _at(str(value), state)
    if operation == "SUBPATTERN":
        # Of a group with flags of its own nothing is certain.
        return _START if value[1] & re.MULTILINE else _walk(value[-1], state)
    if operation == "ATOMIC_GROUP":
        return _walk(value, state)
    if operation == "BRANCH":
        ways = [way for way in (_walk(branch, state) for branch in value[1]) if way is not None]
        return _State(all(way.moved for way in ways), max(way.left for way in ways)) if ways else None
    if operation in _REPEATS:
        return _repeated(value, state)
    if operation == "ASSERT" and value[0] > 0:
        return None if _walk(value[1], state) is None else state
    if operation == "FAILURE" or (operation == "ASSERT_NOT" and not len(value[1])):
        return None
    # References, conditions and the other assertions: nothing is certain of them.
    return state


def _past(operation: str, value: t.Any, state: _State) -> t.Optional[_State]:
    """After one character, of which there may be none."""
    if operation == "IN" and str(value[0][0]) == "NEGATE":
        named = {str(one) for kind, one in value[1:] if str(kind) == "CATEGORY"}
        if any(both <= named for both in _OPPOSITES):
            return None
    if state.left == _NOTHING or (state.left == _LINE_FEED and operation == "LITERAL" and value != ord("\n")):
        return None
    return _State(moved=True, left=_ANYTHING if state.left == _ANYTHING else _NOTHING)


def _at(place: str, state: _State) -> t.Optional[_State]:
    if place in ("AT_BEGINNING", "AT_BEGINNING_STRING"):
        return None if state.moved else state
    left = {"AT_END": _LINE_FEED, "AT_END_STRING": _NOTHING}.get(place, _ANYTHING)
    return state._replace(left=min(left, state.left))


def _repeated(value: t.Any, state: _State) -> t.Optional[_State]:
    least, _most, body = value
    if not least:
        return state
    once = _walk(body, state)
    return once if once is None or least == 1 else _walk(body, once)
