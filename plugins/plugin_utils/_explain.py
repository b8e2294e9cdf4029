# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a checklist asks and why, in lines for a terminal: the list of its items, and everything about one of them."""

from __future__ import annotations

import textwrap
import typing as t

from ..module_utils import _expect
from ..module_utils._questions import DOORS, ONGOING, Item
from ..module_utils._verdict import PEOPLE, Question

__all__ = ["explanation", "listing"]

_WIDTH = 100
_DOOR_WORDS = {"start": "before anything starts", "live": "of the release that serves", ONGOING: "on a schedule; holds no door shut"}


def listing(items: t.Sequence[Item], asked: t.Sequence[Question]) -> list[str]:
    """A line for each item, by area: its id, what is expected, of how many it is asked, and who answers."""
    lines: list[str] = []
    wide = max((len(item.id) for item in items), default=0)
    for area in dict.fromkeys(item.area for item in items):
        lines += ["", area.replace("_", " ").capitalize()]
        for item in (one for one in items if one.area == area):
            lines.append("  %s  %-9s %s" % (item.id.ljust(wide), _answered_by(item), _short(item, [one for one in asked if one.item == item.id])))
    counts = {word: sum(_answered_by(item) == word for item in items) for word in ("probe", "people", "no probe", "not asked")}
    return [*lines, "", "%d items: %s" % (len(items), ", ".join("%d %s" % (count, word) for word, count in counts.items() if count))]


def _answered_by(item: Item) -> str:
    if item.not_applicable:
        return "not asked"
    return "no probe" if item.needs else "people" if item.attest else "probe"


def _short(item: Item, rows: t.Sequence[Question]) -> str:
    """What is expected, which may differ by host, and of whom."""
    expected = " / ".join(dict.fromkeys(one.expected for one in rows)) or item.expected
    subjects = [one.subject for one in rows]
    of = ", ".join(subjects) if len(subjects) <= 3 else "%d hosts" % len(subjects)
    return "%s%s%s" % (expected, " (warn)" if item.severity == "warn" else "", "   [%s]" % of if of and not item.attest else "")


def explanation(item: Item, asked: t.Sequence[Question]) -> list[str]:
    """Everything about one item: why, what holds and where it comes from, who sets it, how it is probed, how to mend it."""
    rows = [one for one in asked if one.item == item.id]
    facts: list[tuple[str, str]] = [
        ("why", item.why),
        ("asks", item.asks),
        ("stage", "%s: asked %s" % (item.stage, _DOOR_WORDS[DOORS[item.stage]])),
        ("severity", "block" if item.severity == "block" else "warn: a failure is shown and let through; no answer is not"),
        *_expected(rows, item),
        ("not asked", item.not_applicable),
        ("set by", _set_by(item)),
        *_way(item),
        *(("mend", words) for words in dict.fromkeys(one.remedy for one in rows if one.remedy)),
    ]
    lines = ["%s: %s" % (item.id, item.title)]
    for name, words in facts:
        if words:
            lines += textwrap.wrap(words, _WIDTH, initial_indent="  %-10s" % name, subsequent_indent=" " * 12, break_on_hyphens=False, break_long_words=False)
    return lines


def _expected(rows: t.Sequence[Question], item: Item) -> t.Iterator[tuple[str, str]]:
    """What is expected and where it comes from; a line for each set of hosts of which the same is expected."""
    alike: dict[tuple[str, tuple[tuple[str, str], ...]], list[str]] = {}
    for row in rows:
        alike.setdefault((row.expected, row.provenance), []).append(row.subject)
    for (expected, provenance), subjects in alike.items():
        yield "expected", "%s   [%s]" % (expected, ", ".join(subjects))
        yield "from", " -> ".join("%s: %s" % one for one in provenance)
    if not rows:
        yield "expected", item.expected


def _set_by(item: Item) -> str:
    if item.fixed_by:
        return "role %s%s" % (item.fixed_by, ", variable %s" % item.variable if item.variable else "")
    return "no role yet" if item.cls == "provision" else ""


def _way(item: Item) -> list[tuple[str, str]]:
    """How an answer comes about."""
    if item.attest:
        return [("question", item.attest.question), ("evidence", item.attest.evidence), ("answered", "by %s, in the policy's attestations.yml" % PEOPLE)]
    if item.needs:
        return [("probe", "none yet: needs %s" % item.needs)]
    looks = "" if item.looks_from == "host" else ", looking from %s" % item.looks_from
    return [("probe", "%s with %s%s; within %g s" % (item.probe, _expect.plain(item.arguments), looks, item.limit))]
