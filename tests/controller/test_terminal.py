"""What a run prints: colour on a terminal alone, and never where somebody asked for none."""

from __future__ import annotations

import pytest

from .conftest import Untouched

ESCAPE = "\x1b["


@pytest.mark.parametrize(
    ("terminal", "environment", "coloured"),
    [(False, {}, False), (True, {}, True), (True, {"NO_COLOR": "1"}, False)],
    ids=["a pipe", "a terminal", "a terminal of somebody who wants no colour"],
)
def test_the_board_is_coloured_where_colour_is_wanted(project: Untouched, terminal: bool, environment: dict[str, str], coloured: bool) -> None:
    project.edit("checklists/demo.yml", lambda _: {"title": "People", "items": [{"id": "ops.oncall"}]})
    project.edit("policy/lab/attestations.yml", lambda _: {"people": {}, "attestations": []})
    lines = project.refused("playbooks/verify.yml", terminal=terminal, environment={"TERM": "xterm-256color", **environment}).output.splitlines()
    (verdict,) = (line for line in lines if "NO-GO     lab, checklist demo" in line)
    (mend,) = (line for line in lines if "mend      write under attestations in" in line)
    assert (ESCAPE in verdict, ESCAPE in mend) == (coloured, coloured)
