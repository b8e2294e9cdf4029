# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Moments and spans of time as reports show them."""

from __future__ import annotations

import math
import time

__all__ = ["SOON", "clock", "days_left", "elapsed", "stamp"]

_DAY = 86400.0

SOON = 14
"""With so many days left an excuse or an answer is announced."""


def stamp(seconds: float) -> str:
    """Seconds since the epoch as 2027-01-31T23:59:00Z."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def days_left(until: float, now: float) -> int:
    """Whole and begun days from `now` to `until`: 1 on the last day."""
    return math.ceil((until - now) / _DAY)


def clock(seconds: float) -> str:
    """3:12 or 75:00, minutes and seconds."""
    return "%d:%02d" % divmod(max(0, int(seconds)), 60)


def elapsed(seconds: float) -> str:
    """42 s, 3 min 12 s, 1 h 05 min."""
    whole = max(0, int(seconds))
    if whole < 60:
        return "%d s" % whole
    return "%d min %02d s" % divmod(whole, 60) if whole < 3600 else "%d h %02d min" % (whole // 3600, whole % 3600 // 60)
