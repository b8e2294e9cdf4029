# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The board that ends a run in the terminal: what holds the gate shut, what mends it, and, last, the verdict."""

from __future__ import annotations

import re
import textwrap
import typing as t

from ..module_utils._verdict import PEOPLE, Row, day
from ._attestations import WRITE
from ._findings import Finding, deployment, plain_line, typed
from ._moment import SOON, days_left, elapsed
from ._yaml import shown

if t.TYPE_CHECKING:
    from ._report import Report

__all__ = ["Line", "board", "no_verdict"]

_WIDTH = 80
_LABEL = 10
_MOST_FINDINGS, _MOST_WORDS = 20, 12
_COMMANDS = ("ansible ", "ansible-playbook ")


class Line(t.NamedTuple):
    """One line of the board, and what it is: good, bad, warn, mend, dim or nothing special."""

    text: str
    tone: str = ""


_RULE = Line("=" * _WIDTH, "dim")


def board(report: Report, paths: t.Sequence[str]) -> list[Line]:
    """The lines of the board, none wider than 80 columns unless a single word is."""
    lines = [_RULE, *_areas(report), *_ending(report)]
    found = report.findings
    for finding in found[:_MOST_FINDINGS]:
        lines += _finding(finding)
    if len(found) > _MOST_FINDINGS:
        lines += [Line(" ... and %d more findings, in the report below" % (len(found) - _MOST_FINDINGS), "bad"), Line("")]
    for problem in report.problems:
        lines += _wrapped(" [!]       ", plain_line(problem), "bad")
    lines += [_RULE, *_verdict(report), _RULE]
    return lines + [Line(" %s" % shown(path), "dim") for path in paths]


def _areas(report: Report) -> list[Line]:
    """One line an area: how many of its boxes are ticked."""
    lines = []
    for area in dict.fromkeys(row.question.area for row in report.rows):
        rows = [row for row in report.rows if row.question.area == area]
        through = sum(row.through for row in rows)
        relaxed = sum(bool(row.question.relaxed) for row in rows)
        head = " %-14s %4d/%-4d " % (area.replace("_", " ")[:14], through, len(rows))
        note = "  %d relaxed in the inventory" % relaxed if relaxed else ""
        lines.append(Line(head + _boxes(rows, _WIDTH - len(head) - len(note)) + note, "" if through == len(rows) else "bad"))
    return [*lines, Line("")] if lines else []


def _boxes(rows: t.Sequence[Row], width: int) -> str:
    """A mark for each answer where there is room, else what is open as a share of the room."""
    if len(rows) <= width:
        return "".join("x" if row.through else "!" for row in rows)
    open_ = sum(not row.through for row in rows)
    marks = min(width, max(1, round(open_ / len(rows) * width))) if open_ else 0
    return "!" * marks + "x" * (width - marks)


def _ending(report: Report) -> list[Line]:
    """Excuses and answers of people that end within two weeks."""
    needed = [row for row in report.rows if row.outcome == "waived" or (row.through and row.question.vantage == PEOPLE)]
    rows = [row for row in needed if row.until and days_left(row.until, report.now) <= SOON]
    lines = []
    for row in sorted(rows, key=lambda one: one.until):
        left = days_left(row.until, report.now)
        kind = "waiver" if row.outcome == "waived" else "answer"
        words = "%s of %s for %s on %s ends in %d day%s, on %s" % (
            kind,
            row.by,
            row.question.item,
            row.question.subject,
            left,
            "" if left == 1 else "s",
            day(row.until - 1),
        )
        lines += _wrapped(" SOON      ", plain_line(words), "warn")
    return [*lines, Line("")] if lines else []


def _finding(finding: Finding) -> list[Line]:
    """One finding: what and where, found and expected, and the command that mends it."""
    question, one = finding.first.question, len(finding.items) == 1
    head = " %-9s " % finding.first.outcome.upper()
    lines = _wrapped(head, "%s on %s" % (question.item if one else "%d items" % len(finding.items), _some(finding.hosts)), "bad")
    lines += _detail("", question.title) if one else _detail("items", _some(finding.items))
    if len(finding.found) == 1 or not one:
        lines += _detail("found", "; ".join(list(finding.found)[:3]))
    else:
        for value, hosts in list(finding.found.items())[:6]:
            lines += _detail("found", "%s on %s" % (plain_line(value, 120), _some(hosts)))
    for reason in finding.reasons[:3]:
        lines += _detail("because", reason)
    if question.area == "run":
        lines += _detail("because", finding.first.evidence)
    if one:
        lines += _detail("expected", question.expected)
    for mend in finding.mends:
        lines += _mend(mend)
    return [*lines, Line("")]


def _some(words: t.Sequence[str]) -> str:
    rest = len(words) - _MOST_WORDS
    return ", ".join(words[:_MOST_WORDS]) + (" and %d more" % rest if rest > 0 else "")


def _detail(label: str, text: str) -> list[Line]:
    return _wrapped(" " * 11 + "%-*s" % (_LABEL if label else 0, label), plain_line(text)) if text else []


def _mend(text: str) -> list[Line]:
    """A command is continued with backslashes, so that it can be copied as it stands; a sentence is wrapped."""
    head = " " * 11 + "%-*s" % (_LABEL, "mend")
    own = text.startswith((*_COMMANDS, WRITE))
    what, line = typed(plain_line(text, 4000) if own else plain_line(text))
    if what:
        return [*_wrapped(head, what, "mend"), *_wrapped(" " * len(head), line, "mend")]
    if not line.startswith(_COMMANDS):
        return _wrapped(head, line, "mend")
    # An option and its value stay together; textwrap breaks at plain blanks alone.
    line = re.sub(r" (-\S+) (?!-)", " \\1\N{NO-BREAK SPACE}", line)
    parts = textwrap.wrap(line, _WIDTH - len(head) - 2, subsequent_indent="  ", break_on_hyphens=False, break_long_words=False)
    ends = [" \\"] * (len(parts) - 1) + [""]
    whole = [part.replace("\N{NO-BREAK SPACE}", " ") + end for part, end in zip(parts, ends)]
    return [Line((" " * len(head) if number else head) + part, "mend") for number, part in enumerate(whole)]


def _wrapped(head: str, text: str, tone: str = "") -> list[Line]:
    """`text` behind `head`, as many lines as it takes at 80 columns."""
    parts = textwrap.wrap(text, _WIDTH - len(head), break_on_hyphens=False, break_long_words=False) or [""]
    return [Line((" " * len(head) if number else head) + part, tone) for number, part in enumerate(parts)]


def _verdict(report: Report) -> list[Line]:
    counts = ", ".join("%d %s" % (count, name.replace("_", " ")) for name, count in report.counts().items() if count)
    tone = "good" if report.go else "bad"
    context = report.context
    lines = [Line(" %-6s    %s, checklist %s" % (report.word, context.get("environment", "?"), context.get("checklist", "?")), tone)]
    lines += _wrapped(" " * 11, "%d answers in %s: %s" % (len(report.rows), elapsed(report.now - report.run.started), counts or "none"))
    for event in report.deployments:
        lines += _wrapped(" " * 11, deployment(event))
    return lines if report.deployments else [*lines, Line(" " * 11 + "Nothing was deployed.")]


def no_verdict(reason: str) -> list[Line]:
    """The board of a run that should have ended with a verdict and did not."""
    lines = [Line(" NO VERDICT   %s" % reason, "bad"), Line("           This is not a GO: nothing was decided, and nothing was deployed by it.")]
    return [_RULE, *lines, _RULE]
