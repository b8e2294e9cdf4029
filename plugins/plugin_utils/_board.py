# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The board that ends a run in the terminal: the verdict, what blocks it, and what mends that."""

from __future__ import annotations

import textwrap
import typing as t

from ..module_utils._verdict import Row
from ._report import Report, fold, plain_line
from ._yaml import shown

__all__ = ["board", "no_verdict"]

_WIDTH = 100
_RULE = "=" * _WIDTH
_THIN = "-" * _WIDTH


def board(report: Report, paths: tuple[str, ...]) -> list[str]:
    """The lines of the board."""
    counts = ", ".join("%d %s" % (count, name.replace("_", " ")) for name, count in report.counts().items() if count)
    elapsed = max(0, int(report.now - report.run.started))
    lines = [
        _RULE,
        "  %s   %s, checklist %s" % (report.word, report.context.get("environment", "?"), report.context.get("checklist", "?")),
        "  %d answers: %s   (%d s)" % (len(report.rows), counts or "none", elapsed),
        _RULE,
    ]
    lines += _areas(report)
    for problem in report.problems:
        lines += ["  [!] %s" % plain_line(problem)]
    for rows in fold(report.blocking):
        lines += _blocking(rows)
    for event in report.deployments:
        lines.append("  %s" % _deployment(event))
    if not report.deployments:
        lines.append("  Nothing was deployed.")
    lines.append(_THIN)
    lines += ["  %s" % shown(path) for path in paths]
    return lines


def _areas(report: Report) -> list[str]:
    """One line an area: how many of its boxes are ticked."""
    lines = []
    for area in dict.fromkeys(row.question.area for row in report.rows):
        rows = [row for row in report.rows if row.question.area == area]
        through = sum(row.through for row in rows)
        boxes = "".join("x" if row.through else "!" for row in rows)
        relaxed = sum(bool(row.question.relaxed) for row in rows)
        note = "   %d relaxed in the inventory" % relaxed if relaxed else ""
        lines.append("  %-12s %2d/%-2d [%s]%s" % (area.replace("_", " "), through, len(rows), boxes, note))
    return [*lines, ""]


def _blocking(rows: list[Row]) -> list[str]:
    """One finding: what and where, found and expected, and the command that mends it."""
    first = rows[0]
    items = list(dict.fromkeys(row.question.item for row in rows))
    hosts = ", ".join(dict.fromkeys(row.question.subject for row in rows))
    lines = ["  [%s] %s  on %s" % (first.outcome.upper(), items[0] if len(items) == 1 else "%d items" % len(items), hosts)]
    if len(items) == 1:
        lines.append(_detail("", first.question.title))
    else:
        lines += [_detail("items" if not number else " ", part) for number, part in enumerate(_wrapped(items))]
    if first.observed:
        lines.append(_detail("found", first.observed))
    if first.reason:
        lines.append(_detail("because", first.reason))
    if len(items) == 1:
        lines.append(_detail("expected", first.question.expected))
    if first.status != "missing":
        lines += [_detail("mend", remedy) for remedy in dict.fromkeys(row.remedy for row in rows) if remedy]
    return [*lines, ""]


def _detail(label: str, text: str) -> str:
    line = plain_line(text)
    return "        %s" % line if not label else "        %-9s %s" % (label, line)


def _wrapped(words: list[str]) -> list[str]:
    return textwrap.wrap(", ".join(words), _WIDTH - 18, break_on_hyphens=False)


def _deployment(event: t.Mapping[str, t.Any]) -> str:
    words = {
        "started": "release %s is serving on %s",
        "unchanged": "release %s was serving on %s already; nothing changed",
        "starting": "release %s was being started on %s when the run ended",
    }
    if str(event["outcome"]) in words:
        return words[str(event["outcome"])] % (event["release"], event["host"])
    return "%s: %s" % (event["host"], plain_line(event["message"]))


def no_verdict(reason: str) -> list[str]:
    """The board of a run that should have ended with a verdict and did not."""
    return [_RULE, "  NO VERDICT   %s" % reason, "  This is not a GO: nothing was decided, and nothing was deployed by it.", _RULE]
