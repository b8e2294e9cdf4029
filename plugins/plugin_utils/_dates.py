# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Dates as people write them into the policy; a day is a day in UTC."""

from __future__ import annotations

import datetime

from ._yaml import InputError, Mapping

__all__ = ["date_of", "end_of_day", "start_of_day"]

_DAY = 86400.0


def date_of(path: str, entry: Mapping, key: str, *, item: str) -> datetime.date:
    """The date under `key`; raises InputError for anything else, a moment included."""
    day = entry.get(key)
    if not isinstance(day, datetime.date) or isinstance(day, datetime.datetime):
        raise InputError(path, entry.lines.get(key, entry.line), "`%s` is %r, not a date such as 2027-01-31" % (key, day), item=item)
    return day


def start_of_day(day: datetime.date) -> float:
    """Seconds since the epoch."""
    return datetime.datetime(day.year, day.month, day.day, tzinfo=datetime.timezone.utc).timestamp()


def end_of_day(day: datetime.date) -> float:
    """Seconds since the epoch when the next day begins."""
    return start_of_day(day) + _DAY
