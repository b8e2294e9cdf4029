"""The playbook that lists, explains and reads checklists, and the schema that editors check them by; no host is touched."""

from __future__ import annotations

import json
import pathlib
import typing as t

import jsonschema
import pytest
import yaml

from tests.support import ROOT, Played
from tools import schema

from .conftest import Untouched

THRESHOLDS = "inventories/lab/group_vars/all/thresholds.yml"
CHECKLIST = "checklists/demo.yml"
VALIDATOR = jsonschema.Draft202012Validator(json.loads((ROOT / "checklists/schema.json").read_text()))
SHIPPED = sorted((ROOT / "checklists").glob("**/*.yml"))


def threshold(size: str) -> t.Callable[[t.Any], t.Any]:
    """What the inventory expects of Redis' memory."""
    return lambda data: dict(data, lab_thresholds={"redis.maxmemory": {"equals": size, "as": "size"}})


def said(project: Untouched, *arguments: str) -> Played:
    done = project.play("playbooks/checklist.yml", *arguments)
    assert not project.calls.exists(), "a host was touched"
    return done


def test_the_list_has_every_item_with_what_is_expected_and_of_whom(project: Untouched) -> None:
    project.edit(THRESHOLDS, threshold("256MB"))
    output = said(project).output
    (line,) = (line for line in output.splitlines() if line.startswith("  redis.maxmemory "))
    assert line.split(None, 2)[1:] == ["probe", "256MB   [lab-data]"]
    assert "read without a mistake: demo" in output


def test_an_item_is_explained_from_its_reason_to_what_mends_it(project: Untouched) -> None:
    project.edit(THRESHOLDS, threshold("1GB"))
    project.edit(CHECKLIST, lambda _: {"items": [{"id": "redis.maxmemory", "expect": {"equals": "3GB", "as": "size"}}]})
    lines = said(project, "-e", "item=redis.maxmemory").output.splitlines()
    facts = {line.split(None, 1)[0]: line.split(None, 1)[1] for line in lines if line.startswith("  ") and line[2:3].strip()}
    assert facts["expected"] == "1GB   [lab-data]"
    assert facts["from"] == "catalogue: 2GB -> checklist demo: 3GB -> inventory: 1GB"
    assert facts["set"] == "by    role redis, variable redis_maxmemory"
    assert facts["probe"] == "redis with fact: config, name: maxmemory; within 15 s"
    assert facts["mend"] == "ansible-playbook playbooks/provision.yml -i"


@pytest.mark.parametrize(
    ("item", "message"),
    [
        ("redis.aoff", "checklist demo has no item 'redis.aoff'; did you mean 'redis.aof'?"),
        ("os.release", "checklist demo has no item 'os.release', though the catalogue has it; take it in a checklist"),
    ],
)
def test_an_item_that_is_not_asked_is_named(project: Untouched, item: str, message: str) -> None:
    project.edit(CHECKLIST, lambda _: {"items": [{"id": "redis.aof"}, {"id": "redis.policy"}]})
    done = said(project, "-e", "item=" + item)
    assert done.code != 0 and message in done.output


OWN_ITEM: dict[str, t.Any] = {
    "id": "own.limit",
    "title": "Own",
    "why": "Own.",
    "class": "application",
    "stage": "live",
    "hosts": "app",
    "probe": "http",
    "expect": {"at_least": 1},
    "remedy": "look",
}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"fact": "limited", "url": "http://x/", "requests": "many"}, "item own.limit: `with.requests` is 'many', not a whole number"),
        ({"fact": "json", "url": "http://x/"}, "item own.limit: fact json needs `with.path`"),
        ({"fact": "status", "url": "{{ own_ur }}"}, "item own.limit on lab-app: `with` cannot be filled in: 'own_ur' is undefined; did you mean 'own_url'?"),
        ({"fact": "limited", "url": "{{ own_url }}", "requests": "{{ own_words }}"}, "item own.limit on lab-app: `with`: argument 'requests' is of type"),
        ({"fact": "json", "url": "{{ own_url }}", "path": "{{ own_empty }}"}, "item own.limit on lab-app: fact json needs `with.path`"),
        ({"fact": "status", "url": "{{ own_url }}", "secret": "own_token"}, "item own.limit on lab-app: the variable own_token is missing, empty or no text"),
    ],
    ids=["type", "missing", "undefined", "type of a template", "template that is nothing", "credential"],
)
def test_an_item_that_cannot_be_asked_is_named_by_its_line_before_any_run(project: Untouched, given: dict[str, t.Any], message: str) -> None:
    (project.root / "checklists/catalogue").mkdir(exist_ok=True)
    project.edit("checklists/catalogue/own.yml", lambda _: {"items": [{**OWN_ITEM, "with": given}]})
    project.edit(CHECKLIST, lambda data: {**data, "items": [{"area": "own"}, {"id": "redis.aof"}]})
    project.edit("inventories/lab/group_vars/all/own.yml", lambda _: {"own_url": "http://x/", "own_words": "a few", "own_empty": ""})
    done = said(project)
    assert done.code != 0 and "read without a mistake" not in done.output
    lines = [one for one in done.output.splitlines() if message in one]
    assert lines, done.output
    assert all("checklists/catalogue/own.yml:" in line for line in lines)
    # What is right of another item can still be looked up, where the catalogue can be read at all.
    assert (said(project, "-e", "item=redis.aof").code == 0) == (" on lab-app: " in message)


def test_a_mistake_in_a_checklist_that_is_not_in_use_is_named_too(project: Untouched) -> None:
    (project.root / "checklists/next.yml").write_text("items:\n  - id: redis.aof\n    severity: warning\n")
    done = said(project)
    assert done.code != 0
    assert "checklists/next.yml:3: item redis.aof: `severity` is 'warning'; did you mean 'warn'?" in done.output


def test_the_schema_is_the_one_that_the_loader_goes_by() -> None:
    assert json.loads((ROOT / "checklists/schema.json").read_text()) == schema.schema(), "make schema"


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: str(path.relative_to(ROOT / "checklists")))
def test_what_is_shipped_is_as_the_schema_says(path: pathlib.Path) -> None:
    assert [error.message for error in VALIDATOR.iter_errors(yaml.safe_load(path.read_text()))] == []


ITEM: dict[str, t.Any] = {
    "id": "a.b",
    "title": "A",
    "why": "B",
    "class": "observe",
    "stage": "host",
    "hosts": "all",
    "probe": "hardware",
    "with": {"fact": "cpu_cores"},
    "expect": {"at_least": 1},
}


@pytest.mark.parametrize(
    "changes",
    [
        {"stage": "hosts"},
        {"probe": "hardwear"},
        {"with": {"fact": "cpu"}},
        {"with": {"facts": "cpu_cores"}},
        {"with": {}},
        {"expect": {"at_leest": 1}},
        {"expect": {"at_least": 1, "at_most": 2}},
        {"needs": "cores"},
        {"limit": 600},
        {"per": "hosts"},
        {"id": "A B"},
        {"title": ""},
        {"title": " "},
        {"class": "provision"},
        {"unknown": 1},
    ],
    ids=str,
)
def test_what_the_loader_refuses_the_schema_refuses(changes: dict[str, t.Any]) -> None:
    assert not list(VALIDATOR.iter_errors({"items": [ITEM]}))
    assert list(VALIDATOR.iter_errors({"items": [{**ITEM, **changes}]}))
