# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""checklist.md: the document with its boxes ticked, and what was found below each."""

from __future__ import annotations

import re
import typing as t

from ..module_utils._verdict import Row, day
from ._findings import order, plain_line
from ._moment import stamp

if t.TYPE_CHECKING:
    from ._report import Report

__all__ = ["checklist_page"]

_BOXES = {"pass": "x", "waived": "x", "warned": "x", "not_applicable": "-"}


def checklist_page(report: Report) -> str:
    """Markdown: every item of every subject, by area."""
    lines = [
        "# %s: %s, checklist %s" % (report.word, report.context.get("environment", "?"), report.context.get("checklist", "?")),
        "",
        "Run %s, started %s, written %s." % (report.run.id, stamp(report.run.started), stamp(report.now)),
        ", ".join("%s %d" % (name.replace("_", " "), count) for name, count in report.counts().items() if count) + ".",
        "",
    ]
    lines += ["- **%s**" % _escaped(problem) for problem in report.problems]
    lines += ["- **%s: %s**" % (event["host"], _escaped(event["message"])) for event in report.deployments if event.get("message")]
    told = report.context.get("disagreements", [])
    lines += ["", "Where the checklists disagree, what is stricter holds:", *("- " + _escaped(one) for one in told)] if told else []
    area = None
    for row in sorted(report.rows, key=order):
        if row.question.area != area:
            area = row.question.area
            lines += ["", "## %s" % area.replace("_", " ").capitalize(), ""]
        lines += _entry(row, report.mend(row))
    return "\n".join(lines) + "\n"


def _entry(row: Row, mend: str) -> list[str]:
    """One box: ticked, crossed out as not applicable, or empty, with what was found below it."""
    question = row.question
    box = _BOXES.get(row.outcome, " ")
    word = "" if row.outcome == "pass" else " **%s**" % row.outcome.replace("_", " ")
    lines = ["- [%s]%s `%s` %s, on %s" % (box, word, question.item, _escaped(question.title), question.subject)]
    if row.outcome == "not_applicable":
        return [*lines, "  - not applicable: %s" % _escaped(row.reason)]
    details = "found %s; expected %s" % (_escaped(row.observed) or "nothing", _escaped(question.expected))
    if question.relaxed:
        details += " (relaxed in the inventory; the checklist asks %s)" % _escaped(question.relaxed)
    when = " at %s" % stamp(row.at) if row.at else ""
    looked = " from %s" % question.vantage if question.vantage not in ("", question.subject) else ""
    lines.append("  - %s%s%s%s" % (details, looked, when, "; %s" % _escaped(row.evidence) if row.evidence else ""))
    if row.reason:
        lines.append("  - %s" % _escaped(row.reason))
    if row.until:
        lines.append("  - holds until %s" % day(row.until - 1))
    if mend:
        lines.append("  - mend: %s" % _escaped(mend))
    return lines


def _escaped(text: str) -> str:
    """Text from hosts, on one line and unable to act as Markdown or HTML."""
    return re.sub(r"([\\`*_{}\[\]<>|~&#!])", r"\\\1", plain_line(text))
