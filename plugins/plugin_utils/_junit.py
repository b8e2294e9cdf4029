# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""junit.xml for CI: green exactly when the verdict is GO. Format: https://github.com/testmoapp/junitxml"""

from __future__ import annotations

import typing as t
from xml.etree import ElementTree

from ..module_utils._verdict import Row
from ._findings import order, plain_line
from ._moment import stamp

if t.TYPE_CHECKING:
    from ._report import Report

__all__ = ["junit"]

# What lets the gate through and is not simply fine is shown as skipped; nothing else is.
_ELEMENTS = {"fail": "failure", "error": "error", "missing": "error", "waived": "skipped", "warned": "skipped", "not_applicable": "skipped"}
_LONGEST = 4000


def junit(report: Report) -> str:
    """One suite an area, one case an item and subject, and a suite for the verdict itself."""
    root = ElementTree.Element("testsuites", name="gonogo.preflight")
    _verdict(root, report)
    for area in dict.fromkeys(row.question.area for row in sorted(report.rows, key=order)):
        rows = [row for row in report.rows if row.question.area == area]
        suite = ElementTree.SubElement(root, "testsuite", name=area, timestamp=stamp(report.run.started)[:-1])
        for row in rows:
            _case(suite, row, report.mend(row))
    for suite in root:
        _count(suite)
    _count(root)
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=False) + "\n"


def _verdict(root: ElementTree.Element, report: Report) -> None:
    suite = ElementTree.SubElement(root, "testsuite", name="verdict", timestamp=stamp(report.run.started)[:-1])
    case = ElementTree.SubElement(suite, "testcase", classname="verdict", name="GO", time="0")
    if not report.go:
        message = "; ".join([*map(plain_line, report.problems), "%d of %d answers hold it shut" % (len(report.blocking), len(report.rows))])
        ElementTree.SubElement(case, "failure", type=report.word, message=message)


def _case(suite: ElementTree.Element, row: Row, mend: str) -> None:
    question = row.question
    name = plain_line("%s [%s]" % (question.item, question.subject))
    case = ElementTree.SubElement(suite, "testcase", classname="%s.%s" % (question.door, question.area), name=name, time="%.3f" % row.seconds)
    if row.status == "pass":
        return
    # An outcome of another name than these is none that a reader may take for green.
    element = _ELEMENTS.get(row.outcome, "error")
    told = ElementTree.SubElement(
        case, element, type=row.outcome, message=plain_line(row.reason or "found %s, expected %s" % (row.observed, question.expected))
    )
    parts = {"title": question.title, "found": row.observed, "expected": question.expected, "evidence": row.evidence, "mend": mend}
    told.text = "\n".join("%s: %s" % (label, plain_line(text, _LONGEST)) for label, text in parts.items() if text)


def _count(element: ElementTree.Element) -> None:
    """The totals that readers show without counting."""
    cases = list(element.iter("testcase"))
    element.set("tests", str(len(cases)))
    for attribute, tag in {"failures": "failure", "errors": "error", "skipped": "skipped"}.items():
        element.set(attribute, str(sum(case.find(tag) is not None for case in cases)))
    element.set("time", "%.3f" % sum(float(case.get("time", "0")) for case in cases))
