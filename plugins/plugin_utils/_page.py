# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""report.html: one page that needs nothing but itself, for one host with twenty items and for fifty with two hundred.

What hosts sent is text: the template escapes it, the script only ever sets text, and the page's own policy lets no other
script or style run and nothing be loaded.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import os
import typing as t

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from ..module_utils._verdict import DEPLOYMENT, Row, day
from ._findings import deployment, plain_line, typed
from ._moment import SOON, days_left, elapsed, stamp

if t.TYPE_CHECKING:
    from ._report import Report

__all__ = ["page", "prepare"]

_SOURCES = os.path.join(os.path.dirname(__file__), "report_page")
_WIDE = 3
"""With so many hosts the matrix shows what was found, with more of them a mark each."""

OUTCOMES = ("fail", "error", "missing", "warned", "waived", "not_applicable", "pass")
_WORST = {name: rank for rank, name in enumerate(OUTCOMES)}
_MARKS = {"fail": "✕", "error": "!", "missing": "?", "warned": "▲", "waived": "w", "not_applicable": "–", "pass": "✓"}
_WORDS = {"not_applicable": "not applicable"}


def prepare() -> None:
    """Compile the template, which costs more than writing the page, before workers are forked that need it too."""
    _template()


def page(report: Report) -> str:
    """The page as HTML; every text in it went through the template's escaping."""
    style, script = _source("page.css"), _source("page.js")
    hosts = _hosts(report.rows)
    rendered: str = _template().render(
        style=style,
        style_hash=_hash(style),
        script=script,
        script_hash=_hash(script),
        report=report,
        context=report.context,
        started=stamp(report.run.started),
        written=stamp(report.now),
        took=elapsed(report.now - report.run.started),
        outcomes=[(name, count) for name, count in sorted(report.counts().items(), key=lambda one: _WORST[one[0]]) if count],
        hosts=hosts,
        wide=len(hosts) <= _WIDE,
        areas=_areas(report.rows, hosts),
        promises=_promises(report),
        relaxed=_relaxed(report.rows),
        details=_details(report),
    )
    return rendered


@functools.lru_cache(maxsize=None)
def _source(name: str) -> str:
    with open(os.path.join(_SOURCES, name), encoding="utf-8") as file:
        return file.read()


def _hash(source: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()


@functools.lru_cache(maxsize=None)
def _template() -> t.Any:
    environment = Environment(
        loader=FileSystemLoader(_SOURCES), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True
    )
    environment.filters.update(
        line=lambda text: plain_line(text, 2000),
        mark=_MARKS.__getitem__,
        word=lambda name: _WORDS.get(name, name),
        area=lambda name: name.replace("_", " "),
        typed=typed,
        deployment=deployment,
        day=day,
    )
    return environment.get_template("page.html.j2")


def _is_host(subject: str) -> bool:
    """A column of the matrix; an item of an empty group, or one that people are asked once, has none."""
    return subject != DEPLOYMENT and " " not in subject


def _hosts(rows: t.Sequence[Row]) -> list[dict[str, t.Any]]:
    """The columns of the matrix, those with the most open findings first."""
    found: dict[str, int] = {}
    for row in rows:
        if _is_host(row.question.subject):
            found[row.question.subject] = found.get(row.question.subject, 0) + (not row.through)
    domains = {name.partition(".")[2] for name in found}
    cut = len(domains.pop()) + 1 if len(domains) == 1 and len(found) > 1 else 0
    return [{"name": name, "short": name[:-cut] if cut > 1 else name, "open": found[name]} for name in sorted(found, key=lambda name: -found[name])]


def _areas(rows: t.Sequence[Row], hosts: t.Sequence[t.Mapping[str, t.Any]]) -> list[dict[str, t.Any]]:
    """The matrix: areas with their items, what is open first; a cell is its index in `rows`, or None where nothing is asked."""
    column = {host["name"]: number for number, host in enumerate(hosts)}
    items: dict[str, dict[str, t.Any]] = {}
    for number, row in enumerate(rows):
        question = row.question
        item = items.setdefault(question.item, {"question": question, "cells": [None] * len(hosts), "alone": None, "open": 0, "expected": {}})
        cell = {"row": row, "index": number}
        if _is_host(question.subject):
            item["cells"][column[question.subject]] = cell
        else:
            item["alone"] = cell
        item["open"] += not row.through
        item["expected"].setdefault(question.expected, question)
    areas: dict[str, list[dict[str, t.Any]]] = {}
    for item in sorted(items.values(), key=lambda one: -one["open"]):
        areas.setdefault(item["question"].area, []).append(item)
    return [{"name": name, "items": found} for name, found in areas.items()]


def _promises(report: Report) -> list[dict[str, t.Any]]:
    """Waivers, what does not apply and what people answered, what ends first at the top."""
    rows = [row for row in report.rows if row.by]
    found = [
        {"row": row, "left": days_left(row.until, report.now) if row.until else None, "until": day(row.until - 1) if row.until else "", "soon": SOON}
        for row in rows
    ]
    return sorted(found, key=lambda one: (one["left"] is None, one["left"] or 0))


def _relaxed(rows: t.Sequence[Row]) -> list[dict[str, t.Any]]:
    """Each item that an inventory asks less of than the checklist does, and where."""
    found: dict[tuple[str, str], dict[str, t.Any]] = {}
    for row in rows:
        if row.question.relaxed:
            entry = found.setdefault((row.question.item, row.question.expected), {"question": row.question, "hosts": []})
            entry["hosts"].append(row.question.subject)
    return list(found.values())


def _details(report: Report) -> dict[str, t.Any]:
    """What the script shows of a cell: texts that many cells share are kept once."""
    shared: dict[str, int] = {}

    def index(text: t.Any, longest: int = 2000) -> int:
        return shared.setdefault(plain_line(text, longest), len(shared))

    cells = []
    for row in report.rows:
        question = row.question
        provenance = " → ".join("%s: %s" % one for one in question.provenance)
        looked = question.vantage if question.vantage != question.subject else ""
        at = stamp(row.at) if row.at else ""
        until = "%s (%d days left)" % (day(row.until - 1), days_left(row.until, report.now)) if row.until else ""
        texts = (question.item, question.title, question.subject, row.outcome, question.expected, row.observed, row.reason, report.mend(row))
        more = (question.why, question.asks, provenance, row.evidence, looked, at, until, row.origin, question.severity)
        cells.append([index(text) for text in (*texts, *more)])
    names = "item title on outcome expected found because mend why asks provenance evidence from at until origin severity"
    return {"texts": list(shared), "names": names.split(), "cells": cells}
