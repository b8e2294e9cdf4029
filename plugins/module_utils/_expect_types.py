# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The types that an expectation compares as: how each is read, and how people are shown it. Pure: no I/O, no clock."""

from __future__ import annotations

import datetime
import math
import re
import typing as t
from decimal import Decimal
from fractions import Fraction

__all__ = ["BOUNDS", "TYPES", "ExpectationError", "as_seconds", "brief", "exactly", "plain", "shown", "stated", "written"]


class ExpectationError(ValueError):
    """The expectation, or the observation it is held against, cannot be compared.

    :ivar key: the key of the expectation that is at fault, "" where it is the whole or the observation.
    """

    def __init__(self, message: str, key: str = "") -> None:
        super().__init__(message)
        self.key = key


# Powers of 1024 for every spelling: Redis, PostgreSQL and the kernel count so, and it never lets less through
# than a vendor's powers of 1000 would. What hardware falls short of it is what `tolerance` is for.
_UNITS = {"B": 0, "KB": 1, "MB": 2, "GB": 3, "TB": 4, "PB": 5}
_SIZE = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*([KMGTP]?)(i?)B?", re.IGNORECASE)
_VERSION = re.compile(r"v?([0-9]{1,18}(?:\.[0-9]{1,18})*)(?![0-9]|\.[0-9])")
# What follows the numbers of a version: its revision, if any, and then the word of a pre-release. A letter alone is one where
# a number follows at once (3.13.0a1), since OpenSSL's 1.1.1w is a release.
_EARLINESS = {
    **dict.fromkeys(("dev", "devel", "unstable", "snapshot", "nightly", "canary"), 0),
    **dict.fromkeys(("a", "alpha"), 1),
    **dict.fromkeys(("milestone",), 2),
    **dict.fromkeys(("b", "beta"), 3),
    **dict.fromkeys(("pre", "preview"), 4),
    **dict.fromkeys(("c", "cr", "rc"), 5),
}
_RELEASED = (9, 0)
_PRE_RELEASE = re.compile(
    r"(?:[-._~ 0-9]{0,20}?[-._~ ]?(%s)[-._]?([0-9]{0,18})(?![0-9a-z])|([abc])([0-9]{1,18})(?![0-9a-z]))"
    % "|".join(sorted((word for word in _EARLINESS if word[1:]), key=len, reverse=True)),
    re.IGNORECASE,
)
_PERCENTAGE = re.compile(r"([0-9]{1,3}(?:\.[0-9]{1,15})?)\s*%")
_DURATION = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,15})?)\s*([a-z]+)")
_DATE = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})"
    r"(?:[T ]([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:\.([0-9]{1,9}))?)?\s?(Z|UTC|([+-])([0-9]{2}):?([0-5][0-9])?)?)?"
)

# Months and years are no durations: they are not all of one length. A lone m is a minute to some and a month to others.
_SPANS = {
    "ms": ("millisecond", Fraction(1, 1000)),
    "s": ("second", Fraction(1)),
    "min": ("minute", Fraction(60)),
    "h": ("hour", Fraction(3600)),
    "d": ("day", Fraction(86400)),
    "w": ("week", Fraction(604800)),
}
_SPAN_OF = {word: short for short, (long, _seconds) in _SPANS.items() for word in (short, long, long + "s")}

_YEARS = (1970, 2199)
_DEEPEST = 20


def brief(value: t.Any) -> str:
    """`value` as an error shows it: what a host sent may be long."""
    try:
        shown = repr(value)
    except (ValueError, RecursionError):
        return "a value too large to show"
    return shown if len(shown) <= 80 else shown[:77] + "..."


def _number(value: t.Any) -> float:
    # float() reads 1_000 and the digits of every script too, which no tool means as a number.
    odd = isinstance(value, str) and ("_" in value or not value.isascii())
    if odd or isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise ExpectationError("%s is not a number" % brief(value))
    try:
        number = float(value)
    except (ValueError, OverflowError):
        raise ExpectationError("%s is not a number" % brief(value)) from None
    if not math.isfinite(number):
        raise ExpectationError("%s is not a finite number" % brief(value))
    return number


def _positive(number: float, value: t.Any, kind: str) -> float:
    """`number`, where it is none of the -1 by which programs say "no limit"."""
    if number < 0:
        raise ExpectationError("%s is below 0, which no %s is" % (brief(value), kind))
    return number


def _size(value: t.Any) -> float:
    """Bytes of "2GB", "512MiB" or a plain number of bytes."""
    if not isinstance(value, str):
        return _positive(_number(value), value, "size")
    match = _SIZE.fullmatch(value.strip())
    if not match:
        raise ExpectationError("%s is not a size such as 2GB or 512MiB" % brief(value))
    return _number(float(match.group(1)) * 1024.0 ** _UNITS[match.group(2).upper() + "B"])


def _version(value: t.Any) -> tuple[tuple[int, ...], tuple[int, int]]:
    """The leading numbers of a version, and how near its release it is: "26.1.5+dfsg1" is (26, 1, 5) and released.

    Zeros at the end of the numbers do not count. A pre-release ("16beta1", "24.0-rc1") is below its release and above what came before.
    """
    if isinstance(value, float):
        raise ExpectationError("%s is a number, not a version: put it in quotes, or 24.10 is read as 24.1" % brief(value))
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        raise ExpectationError("%s is not a version" % brief(value))
    said = value.strip() if isinstance(value, str) else "%d" % value if abs(value) < 10**18 else ""
    match = _VERSION.match(said)
    if not match:
        raise ExpectationError("%s is not a version such as 24.0" % brief(value))
    parts = [int(part) for part in match.group(1).split(".")]
    while len(parts) > 1 and parts[-1] == 0:
        parts.pop()
    early = _PRE_RELEASE.match(said, match.end())
    if early is None:
        return tuple(parts), _RELEASED
    word = (early.group(1) or early.group(3)).lower()
    return tuple(parts), (_EARLINESS[word], int(early.group(2) or early.group(4) or 0))


def _text(value: t.Any) -> str:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise ExpectationError("%s is not text" % brief(value))
    try:
        return str(value)
    except ValueError:
        raise ExpectationError("%s is not text" % brief(value)) from None


def _exact(value: t.Any) -> t.Any:
    return value


def as_seconds(value: t.Any) -> float:
    """Seconds of "10ms", "2s", "15min", "24h", "7d", "2w" (or the word: "24 hours") or of a plain number, which may be below 0."""
    if not isinstance(value, str):
        return _number(value)
    match = _DURATION.fullmatch(value.strip())
    try:
        # As a fraction, so that 10ms is the very number that a probe calls 0.01.
        return float(Fraction(match.group(1)) * _SPANS[_SPAN_OF[match.group(2)]][1]) if match else _number(value)
    except (KeyError, ExpectationError):
        raise ExpectationError("%s is not a duration such as 10ms, 2s, 15min, 24h or 7d" % brief(value)) from None


def _duration(value: t.Any) -> float:
    return _positive(as_seconds(value), value, "duration")


def _percentage(value: t.Any) -> float:
    """Percent of "0.1%" or of a number that is in percent already."""
    match = _PERCENTAGE.fullmatch(value.strip()) if isinstance(value, str) else None
    try:
        number = float(match.group(1)) if match else _number(value)
    except ExpectationError:
        raise ExpectationError("%s is not a percentage such as 0.1%%" % brief(value)) from None
    if not 0 <= number <= 100:
        raise ExpectationError("%s is not a percentage from 0%% to 100%%" % brief(value))
    return number


def _date(value: t.Any) -> datetime.datetime:
    """The moment, in UTC and to the microsecond, of an ISO 8601 date or date and time; a date alone is the start of that day."""
    if isinstance(value, (datetime.date, datetime.datetime)):
        value = value.isoformat()
    match = _DATE.fullmatch(value.strip()) if isinstance(value, str) else None
    if not match:
        raise ExpectationError("%s is not a date such as 2027-01-31 or 2027-01-31T23:59Z" % brief(value))
    year, month, day, hour, minute, second, fraction, offset, sign, hours, minutes = match.groups()
    if hour and not offset:
        raise ExpectationError("%s is a time of no time zone; say it in UTC, such as 2027-01-31T23:59Z" % brief(value))
    away = datetime.timedelta(hours=int(hours or 0), minutes=int(minutes or 0))
    try:
        zone = datetime.timezone(-away if sign == "-" else away)
        whole = [int(part or 0) for part in (year, month, day, hour, minute, second, (fraction or "")[:6].ljust(6, "0"))]
        return datetime.datetime(*whole, tzinfo=zone).astimezone(datetime.timezone.utc)  # type: ignore[arg-type,misc]
    except (ValueError, OverflowError):
        raise ExpectationError("%s is no day and time of the calendar" % brief(value)) from None


TYPES: t.Mapping[str, t.Callable[[t.Any], t.Any]] = {
    "exact": _exact,
    "number": _number,
    "size": _size,
    "text": _text,
    "version": _version,
    "duration": _duration,
    "percentage": _percentage,
    "date": _date,
}
"""Each type, and what makes a value of it; raises ExpectationError."""

BOUNDS: t.Mapping[str, tuple[t.Any, t.Any]] = {
    "number": (None, None),
    "size": (0.0, None),
    "version": (((0,), (0, 0)), None),
    "duration": (0.0, None),
    "percentage": (0.0, 100.0),
    "date": (None, None),
}
"""The types that have an order, with the least and the greatest value there is."""


def written(kind: str, value: t.Any) -> t.Any:
    """`value`, which a person wrote, as `kind`; says which type it may be of where it is not of this one."""
    try:
        found = TYPES[kind](value)
    except ExpectationError as error:
        raise ExpectationError("%s%s" % (error, _meant(value) if kind == "number" else "")) from None
    if kind == "percentage" and not (isinstance(value, str) and "%" in value):
        raise ExpectationError("%s may be a fraction or a percentage; write it with its sign: %s%%" % (brief(value), str(value).strip()))
    if kind == "date" and not _YEARS[0] <= found.year <= _YEARS[1]:
        raise ExpectationError("%s is a date before %d or after %d, which tells nothing apart" % (brief(value), *_YEARS))
    return found


def _meant(value: t.Any) -> str:
    if isinstance(value, str):
        for kind in ("percentage", "duration", "size", "date", "version"):
            try:
                TYPES[kind](value)
            except ExpectationError:
                continue
            if kind != "version" or _VERSION.fullmatch(value.strip()):
                return "; for a %s add `as: %s`" % (kind, kind)
    return ""


def plain(value: t.Any, deepest: int = _DEEPEST) -> str:
    """A value as a person would write it: lists with commas, mappings as "key: value", true/false, no quotes."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (dict, list, tuple)) and value and not deepest:
        return "..."
    if isinstance(value, dict):
        return ", ".join("%s: %s" % (key, plain(one, deepest - 1)) for key, one in value.items()) or "none"
    if isinstance(value, (list, tuple)):
        return ", ".join(plain(one, deepest - 1) for one in value) or "none"
    try:
        return str(value)
    except ValueError:
        return brief(value)


def stated(kind: str, value: t.Any) -> str:
    """What a person wrote as `kind`, with its unit in words and nothing rounded: "26 hours" of 26h."""
    if kind == "percentage":
        return "%s%%" % str(value).replace("%", "").strip()
    if kind == "date":
        return _iso(_date(value))
    if kind != "duration":
        return plain(value)
    match = _DURATION.fullmatch(str(value).strip())
    return _with_unit(match.group(1), _SPAN_OF[match.group(2)]) if match else _with_unit(str(value).strip(), "s")


def shown(kind: str, value: t.Any) -> str:
    """What was observed, read as `kind`, rounded to what a person takes in: "25.3 hours"; raises ExpectationError."""
    if kind == "date":
        return _iso(_date(value))
    if kind not in ("size", "duration", "percentage"):
        return plain(value)
    number = as_seconds(value) if kind == "duration" else TYPES[kind](value)
    if kind == "percentage":
        return "%s%%" % _rounded(number, 4)
    if kind == "duration":
        unit = next((name for name, below in (("s", 0), ("ms", 1), ("s", 120), ("min", 7200), ("h", 259200)) if number < below or not number), "d")
        return _with_unit(_rounded(float(Fraction(number) / _SPANS[unit][1]), 3), unit) if number >= 0 else exactly(kind, value)
    largest = max((name for name, power in _UNITS.items() if number >= 1024.0**power), key=_UNITS.__getitem__, default="B")
    return "%s%s" % (("%.1f" % (number / 1024.0 ** _UNITS[largest])).replace(".0", ""), largest)


def exactly(kind: str, value: t.Any) -> str:
    """What was observed as `kind` with every digit, in bytes, seconds or percent; raises ExpectationError."""
    unit = {"size": "B", "duration": " s", "percentage": "%"}.get(kind)
    if unit is None:
        return plain(value)
    number = as_seconds(value) if kind == "duration" else TYPES[kind](value)
    return _digits(number) + unit


def _rounded(number: float, digits: int) -> str:
    return "%.0f" % number if number >= 10.0 ** (digits - 1) else _digits(float("%.*g" % (digits, number)))


def _digits(number: float) -> str:
    if number == int(number):
        return "%d" % number
    return format(Decimal(repr(number)), "f") if abs(number) > 1e-12 else repr(number)


def _with_unit(figure: str, unit: str) -> str:
    if unit in ("ms", "s", "min"):
        return "%s %s" % (figure, unit)
    return "%s %s%s" % (figure, _SPANS[unit][0], "" if figure == "1" else "s")


def _iso(moment: datetime.datetime) -> str:
    """2027-01-31T23:59:00Z, or the date alone of the start of a day."""
    return moment.isoformat().replace("T00:00:00+00:00", "").replace("+00:00", "Z")
