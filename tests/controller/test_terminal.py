"""What a run prints: colour on a terminal alone, and never where somebody asked for none."""

from __future__ import annotations

import pytest

from .conftest import Untouched

ESCAPE = "\x1b["


@pytest.mark.parametrize(
    ("environment", "coloured"),
    [({}, False), ({"ANSIBLE_FORCE_COLOR": "1"}, True), ({"ANSIBLE_FORCE_COLOR": "1", "NO_COLOR": "1"}, False)],
    ids=["a pipe", "as on a terminal", "NO_COLOR"],
)
def test_the_board_is_coloured_where_colour_is_wanted(project: Untouched, environment: dict[str, str], coloured: bool) -> None:
    project.edit("checklists/demo.yml", lambda _: {"title": "People", "items": [{"id": "ops.oncall"}]})
    project.edit("policy/lab/attestations.yml", lambda _: {"people": {}, "attestations": []})
    lines = project.refused("playbooks/verify.yml", environment=environment).output.splitlines()
    (verdict,) = (line for line in lines if "NO-GO     lab, checklist demo" in line)
    (mend,) = (line for line in lines if "mend      write under attestations in" in line)
    assert (ESCAPE in verdict, ESCAPE in mend) == (coloured, coloured)
