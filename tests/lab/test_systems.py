"""The five systems on provisioned hosts: every question is answered by itself, what has no probe says so by name, and nothing starts."""

from __future__ import annotations

import json
import re
import typing as t

import pytest
import yaml

from tests.of_systems import asking
from tests.support import ROOT, Played, Project, play

from .conftest import APP, DATA, confirmed_release, containers, current_release

pytestmark = [pytest.mark.long, pytest.mark.usefixtures("served")]

DOORS = {"start": "playbooks/verify.yml", "live": "tests/lab/playbooks/door_live.yml"}
SYSTEMS: list[str] = list(json.loads((ROOT / "tests/unit/systems.json").read_text()))
CATALOGUE = {entry["id"]: entry for path in (ROOT / "checklists/catalogue").glob("*.yml") for entry in yaml.safe_load(path.read_text())["items"]}

# Who is in which group where a system is asked (tests/of_systems.py), in the order of the inventory.
GROUPS = {"all": [APP, DATA], "app": [APP], "gpu": [APP], "db": [DATA], "cache": [DATA], "control": [DATA]}

# What is said of a question that never reached its probe, and by a probe of what it can be asked on no host.
UNASKED = re.compile("not asked|gave no answer in this run|the check did not run|answers came back|probe failed: |cannot be asked")
IMPOSSIBLE = re.compile(r"needs `|and not both|`with`|is a shell|is neither the name|`[a-z]+` is (missing|'|not)|unknown probe|no value was given")

Row = t.Dict[str, t.Any]
Rows = t.Dict[t.Tuple[str, str], Row]


def entries(system: str) -> dict[str, dict[str, t.Any]]:
    """{item: what the checklist says of it}, read without the loader."""
    return {entry["id"]: entry for entry in yaml.safe_load((ROOT / "checklists" / (system + ".yml")).read_text())["items"]}


def asked(system: str) -> set[tuple[str, str]]:
    """(item, subject) of everything that the checklist asks."""
    found = set()
    for name, entry in entries(system).items():
        item = {**CATALOGUE[name], **entry}
        if "question" in item and item.get("per", "deployment") == "deployment":
            found.add((name, "deployment"))
            continue
        hosts = GROUPS[item.get("hosts", "all")]
        found |= {(name, host) for host in (hosts if item.get("per", "host") == "host" else hosts[:1])}
    return found


def serving() -> tuple[list[str], str, str]:
    return sorted(containers()), current_release(), confirmed_release()


def rows_of(*runs: Played) -> Rows:
    rows = [row for done in runs for row in done.report["results"]]
    found = {(row["item"], row["subject"]): row for row in rows}
    assert len(found) == len(rows), "a question has two rows"
    return found


@pytest.fixture(scope="module")
def demonstration(served: None) -> Rows:
    """What the hosts of the lab answer to the checklist that they were provisioned for, where it applies."""
    runs = [play(playbook) for playbook in DOORS.values()]
    assert [done.code for done in runs] == [0, 0], "".join(done.output for done in runs)
    return {key: row for key, row in rows_of(*runs).items() if row["outcome"] != "not_applicable"}


def assert_told(row: Row) -> None:
    """The answer to one question is one of its own, and no probe was asked what it can answer on no host."""
    item = CATALOGUE[row["item"]]
    if "question" in item:
        assert (row["vantage"], row["status"]) == ("people", "missing"), row
    elif "needs" in item:
        assert row["status"] == "error" and row["reason"].startswith("no probe yet: needs ") and item["needs"] in row["reason"], row
    elif row["outcome"] != "not_applicable":
        assert row["status"] in ("pass", "fail", "error") and row["at"], row
        assert not UNASKED.search(row["reason"]), row
        assert not IMPOSSIBLE.search(row["reason"]), row


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_system_is_answered_item_by_item_and_is_no_go(demonstration: Rows, project: Project, system: str) -> None:
    before = serving()
    asking(project, system)
    runs = {door: project.play(playbook) for door, playbook in DOORS.items()}
    for door, done in runs.items():
        assert done.code != 0 and done.report["verdict"] == "NO-GO" and done.report["doors"] == {door: "NO-GO"}, done.output
        assert done.report["problems"] == done.report["deployments"] == []
        assert not re.search("Traceback|MODULE FAILURE|unreachable=[1-9]", done.output), done.output
    assert serving() == before
    rows = rows_of(*runs.values())
    assert set(rows) == asked(system)
    for row in rows.values():
        assert_told(row)
    both = set(rows) & set(demonstration)
    assert len(both) >= 3 and {key: rows[key] for key in both if rows[key]["status"] != "pass"} == {}


def test_all_five_at_once_start_nothing(fleet: None, project: Project) -> None:
    project.edit("inventories/lab/group_vars/all/deploy.yml", lambda variables: {**variables, "deploy_version": "9.9.9"})
    before = serving()
    done = asking(project, *SYSTEMS).play("playbooks/deploy.yml")
    assert done.code != 0 and done.report["verdict"] == "NO-GO" and done.report["doors"] == {"start": "NO-GO"}, done.output
    assert done.report["deployments"] == [] and serving() == before
    assert not re.search("Traceback|MODULE FAILURE|unreachable=[1-9]", done.output), done.output
    everything = {key for system in SYSTEMS for key in asked(system)}
    assert set(rows_of(done)) == {key for key in everything if CATALOGUE[key[0]].get("stage", "host") == "host"}
    for row in done.report["results"]:
        assert_told(row)
