# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/probes.md has every kind of probe, every fact of it and every argument, and nothing else."""

from __future__ import annotations

import pathlib
import re

import pytest

from ansible_collections.gonogo.preflight.plugins.module_utils._arguments import PARSED, TAKES, takes_of
from ansible_collections.gonogo.preflight.plugins.module_utils._probes import PROBES

PAGE = (pathlib.Path(__file__).resolve().parents[2] / "docs" / "probes.md").read_text(encoding="utf-8")
SECTIONS = {section.partition("\n")[0]: section for section in re.split(r"^## ", PAGE, flags=re.MULTILINE)[1:]}


def test_every_kind_has_a_section_and_none_is_too_many():
    assert list(SECTIONS) == sorted(PROBES)


@pytest.mark.parametrize("kind", sorted(PROBES))
def test_every_fact_has_a_row(kind):
    rows = re.findall(r"^\| `(\w+)` \|", SECTIONS[kind], re.MULTILINE)
    assert sorted(rows) == sorted(PROBES[kind].ARGUMENTS["fact"]["choices"])
    assert all(callable(getattr(PROBES[kind], "fact_" + fact)) for fact in rows)


@pytest.mark.parametrize("kind", sorted(PROBES))
def test_every_argument_is_named(kind):
    # What several kinds share is described once.
    described = SECTIONS[kind] + {"sql": SECTIONS["postgresql"], "prometheus": SECTIONS["http"]}.get(kind, "")
    assert [name for name in PROBES[kind].ARGUMENTS if name != "fact" and not re.search(r"`%s\b" % name, described)] == []


@pytest.mark.parametrize("kind", sorted(TAKES))
def test_every_fact_says_what_it_takes_of_what_not_all_of_them_take(kind):
    arguments = PROBES[kind].ARGUMENTS
    assert set(TAKES[kind]) == set(arguments["fact"]["choices"])
    rows = dict(re.findall(r"^\| `(\w+)` \|([^|]*)\|", SECTIONS[kind], re.MULTILINE))
    for fact in TAKES[kind]:
        takes = takes_of(kind, fact)
        assert set(takes.all) <= set(arguments), fact
        # What is required is required of every fact, and what is one of several is described once.
        assert [name for name in (*takes.needs, *takes.may) if "`%s" % name not in rows[fact] and name != "path"] == [], fact


@pytest.mark.parametrize("kind", sorted(PARSED))
def test_what_is_parsed_is_an_argument(kind):
    assert set(PARSED[kind]) <= set(PROBES[kind].ARGUMENTS)


@pytest.mark.parametrize("kind", sorted(PROBES))
def test_a_fact_says_what_its_value_is(kind):
    for row in re.findall(r"^\| `\w+` \|.*$", SECTIONS[kind], re.MULTILINE):
        cells = [cell.strip() for cell in row.split("|")[1:-1]]
        assert len(cells) == 4 and cells[2], row
