"""The five systems as checklists of a run: every item is asked of somebody, whatever can answer it, and nothing is lost."""

from __future__ import annotations

import json

import pytest

from tests.of_systems import asking
from tests.support import ROOT

from .conftest import Untouched

SYSTEMS: dict[str, list[str]] = json.loads((ROOT / "tests/unit/systems.json").read_text())
ONGOING = ("watch", "ongoing")


@pytest.mark.parametrize("system", SYSTEMS)
def test_every_item_of_a_system_is_listed_and_none_is_missing_a_variable(project: Untouched, system: str) -> None:
    output = asking(project, system).play("playbooks/checklist.yml").output
    listed = {line.split()[0] for line in output.splitlines() if line.startswith("  ") and line[2:3].isalpha() and "." in line.split()[0]}
    assert set(SYSTEMS[system]) <= listed, output


def test_all_five_at_once_are_refused_by_nothing_but_what_is_missing_on_the_hosts(project: Untouched) -> None:
    """The hosts are out of reach, so every answer of theirs is an error; every row is there all the same."""
    done = asking(project, *SYSTEMS).play("playbooks/verify.yml")
    assert done.code != 0
    assert "mistakes" not in done.output and "Ask this host its items" in done.output, done.output
    rows = done.report["results"]
    asked = {item for items in SYSTEMS.values() for item in items}
    start = {row["item"] for row in rows if row["door"] == "start"}
    own = {"fw.ssh.reachable", "pg.reachable", "redis.reachable"} | {item for item in start if item.startswith(("accounts.", "ssh."))}
    assert len(start) > 200 and start <= asked | own
    assert {row["outcome"] for row in rows if row["door"] == "start"} <= {"error", "missing", "not_applicable"}
    assert {row["outcome"] for row in rows if row["door"] == "ongoing"} == {"warned"}
    told = [row for row in rows if row["reason"].startswith("no probe yet: needs ")]
    assert len(told) > 50 and all(row["status"] == "error" for row in told)
    assert any(one.startswith("pg.version: expectation: at least 15 in checklist sports") for one in done.report["disagreements"])
    assert "checklists disagree on pg.version" in done.output


def test_a_variable_that_its_owner_has_not_set_is_named_once_for_all_hosts_with_the_item_that_asks(project: Untouched) -> None:
    asking(project, "sports").edit("inventories/lab/group_vars/all/systems.yml", lambda data: {key: data[key] for key in data if key != "app_elo_query"})
    project.edit("inventories/lab/group_vars/all/more.yml", lambda _: {"app_elo_querry": "SELECT 1"})
    output = project.refused("playbooks/verify.yml").output
    (line,) = (line for line in output.splitlines() if line.startswith("- ") and "data.elo" in line)
    assert "checklists/catalogue/data.yml:" in line and "item data.elo on lab-data: `with` cannot be filled in: 'app_elo_query' is undefined" in line
    assert line.endswith("; did you mean 'app_elo_querry'?")
