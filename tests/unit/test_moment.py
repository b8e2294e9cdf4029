# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Moments and spans of time as people read them."""

from __future__ import annotations

import pytest

from ansible_collections.gonogo.preflight.plugins.plugin_utils._moment import clock, days_left, elapsed, stamp


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(-5, "0 s"), (0, "0 s"), (59.9, "59 s"), (60, "1 min 00 s"), (3599, "59 min 59 s"), (3600, "1 h 00 min"), (90061, "25 h 01 min")],
)
def test_elapsed(seconds, words):
    assert elapsed(seconds) == words


@pytest.mark.parametrize(("seconds", "words"), [(-1, "0:00"), (0.9, "0:00"), (192, "3:12"), (4500, "75:00")])
def test_clock(seconds, words):
    assert clock(seconds) == words


@pytest.mark.parametrize(("left", "days"), [(1, 1), (86400, 1), (86401, 2), (0, 0), (-1, 0), (-86401, -1)])
def test_days_left(left, days):
    assert days_left(1_800_000_000 + left, 1_800_000_000) == days


def test_stamp():
    assert stamp(1_800_000_000.9) == "2027-01-15T08:00:00Z"
