"""A value that a checklist or an inventory sets: roles set exactly it and checks expect exactly it, and nobody repeats it."""

from __future__ import annotations

import pathlib
import re
import typing as t

import pytest
import yaml

from tests.support import ROOT, Played

from .conftest import Untouched

GATE, CHECKLIST, SECOND = "policy/lab/gate.yml", "checklists/demo.yml", "checklists/second.yml"
OF_ALL, OF_DATA = "inventories/lab/group_vars/all/thresholds.yml", "inventories/lab/host_vars/lab-data.yml"
APP, DATA = "lab-app", "lab-data"

Expected = t.Dict[str, t.Dict[str, t.Any]]

# What the variable of a role is where it is a threshold and nothing else: {file of defaults: {variable: item}}.
LOOKUP = re.compile(r"\{\{ lookup\('gonogo\.preflight\.threshold', '([a-z0-9_.]+)'\) \}\}")
DEFAULTS: dict[pathlib.Path, dict[str, str]] = {}
for _file in sorted((ROOT / "roles").glob("*/defaults/main.yml")):
    _found = {name: LOOKUP.fullmatch(str(value)) for name, value in yaml.safe_load(_file.read_text()).items()}
    DEFAULTS[_file] = {name: match[1] for name, match in _found.items() if match}
ITEM_OF = {name: item for names in DEFAULTS.values() for name, item in names.items()}
CATALOGUE = {item["id"]: item for path in (ROOT / "checklists/catalogue").glob("*.yml") for item in yaml.safe_load(path.read_text())["items"]}

TYPED = {"version": "99.1", "size": "7GB", "duration": "7h", "percentage": "7%", "date": "2031-07-31", "number": 7}


def operator(expect: t.Mapping[str, t.Any]) -> str:
    (name,) = set(expect) - {"as", "tolerance"}
    return name


def another(value: t.Any, kind: str) -> t.Any:
    """A value of the same type that is not `value`."""
    if isinstance(value, list):
        return [another(one, kind) for one in value]
    if isinstance(value, dict):
        return {key: another(one, kind) for key, one in value.items()}
    if isinstance(value, bool):
        return not value
    return TYPED.get(kind) or (value + 1 if isinstance(value, (int, float)) else "of-this-test")


def with_others() -> Expected:
    """Another expectation for every item that a role takes a value from."""
    found = {}
    for item in sorted(set(ITEM_OF.values())):
        expect = CATALOGUE[item]["expect"]
        found[item] = {**expect, operator(expect): another(expect[operator(expect)], expect.get("as", "exact"))}
        assert found[item] != expect
    return found


def checklist(expected: Expected) -> t.Callable[[t.Any], t.Any]:
    return lambda _: {"items": [{"id": item, **({"expect": expected[item]} if expected.get(item) else {})} for item in expected]}


def set_by_roles(project: Untouched, *, fails: str = "") -> dict[str, dict[str, t.Any]]:
    """What roles would set, as their own defaults say: {host: {variable: value}}; with `fails`, where a lookup says so."""
    return project.filled_in({name: "{{ %s }}" % name for name in ITEM_OF}, vars_files=DEFAULTS, fails=fails)


def operands(expected: Expected) -> dict[str, t.Any]:
    """{variable: value} of the roles where `expected` holds."""
    return {name: expected[item][operator(expected[item])] for name, item in ITEM_OF.items()}


def relaxes_nothing(project: Untouched) -> None:
    """The inventory of the lab asks for less than the checklist here and there; not any more."""
    project.edit(OF_ALL, lambda data: {**data, "lab_thresholds": {}})


def asked(project: Untouched) -> Played:
    """A verification of hosts that nobody reaches: every question is on its report."""
    done = project.play("playbooks/verify.yml")
    assert done.report and "mistakes" not in done.output, done.output
    return done


def questions(done: Played) -> dict[tuple[str, str], tuple[str, str, str]]:
    """{(item, subject): (what is expected, which file says so, what the checklist says where the inventory asks for less)}."""
    return {(row["item"], row["subject"]): (row["expected"], row["source"], row["relaxed"]) for row in done.report["results"]}


def test_there_are_thresholds_to_look_at() -> None:
    assert {"docker_minimum_version", "os_timezone", "postgresql_minimum_version", "redis_maxmemory"} <= set(ITEM_OF)


def test_each_role_sets_what_the_checklist_says_instead_of_the_catalogue(project: Untouched) -> None:
    relaxes_nothing(project)
    catalogue = {item: CATALOGUE[item]["expect"] for item in ITEM_OF.values()}
    project.edit(CHECKLIST, checklist(dict.fromkeys(catalogue, {})))
    assert set_by_roles(project) == dict.fromkeys((APP, DATA), operands(catalogue))
    others = with_others()
    project.edit(CHECKLIST, checklist(others))
    assert set_by_roles(project) == dict.fromkeys((APP, DATA), operands(others))


def test_a_role_sets_the_largest_of_what_lies_between(project: Untouched) -> None:
    project.edit(CHECKLIST, checklist({"log.rotation": {"between": [1, "5MB"], "as": "size"}}))
    would = project.filled_in({"size": "{{ docker_log_max_size }}"}, vars_files=[ROOT / "roles/docker/defaults/main.yml"])
    assert would[APP] == {"size": "5MB"}


CHOSEN: Expected = {
    "docker.version": {"at_least": "27.3", "as": "version"},
    "os.timezone.utc": {"equals": "Europe/Vienna"},
    "pg.version": {"at_least": "17", "as": "version"},
    "redis.maxmemory": {"equals": "3GB", "as": "size"},
}
# No host runs what all of these ask; each of them asks it of the hosts of one group, or of all.
WORDS = {
    ("docker.version", APP): "at least 27.3",
    ("os.timezone.utc", APP): "Europe/Vienna",
    ("os.timezone.utc", DATA): "Europe/Vienna",
    ("pg.version", DATA): "at least 17",
    ("redis.maxmemory", DATA): "3GB",
}


def test_what_the_checklist_says_is_what_verify_expects(project: Untouched) -> None:
    project.edit(CHECKLIST, checklist(CHOSEN))
    assert questions(asked(project)) == {key: (words, "checklist demo", "") for key, words in WORDS.items()}


def test_the_inventory_of_a_host_has_the_last_word_for_it_alone(project: Untouched) -> None:
    relaxes_nothing(project)
    others = with_others()
    project.edit(CHECKLIST, checklist({**others, **CHOSEN}))
    own: Expected = {
        "os.timezone.utc": {"equals": "Asia/Tokyo"},
        "redis.maxmemory": {"equals": "1GB", "as": "size"},
        "pg.version": {"at_least": "16", "as": "version"},
    }
    project.edit(OF_DATA, lambda _: {"preflight_thresholds": own})
    would = set_by_roles(project)
    assert would[APP] == operands({**others, **CHOSEN})
    assert would[DATA] == operands({**others, **CHOSEN, **own})
    asked_of = questions(asked(project))
    assert asked_of["os.timezone.utc", APP] == ("Europe/Vienna", "checklist demo", "")
    assert asked_of["os.timezone.utc", DATA] == ("Asia/Tokyo", "inventory", "Europe/Vienna")
    assert asked_of["redis.maxmemory", DATA] == ("1GB", "inventory", "3GB")
    assert asked_of["pg.version", DATA] == ("at least 16", "inventory", "at least 17")


def test_of_several_checklists_the_strictest_value_is_set_and_expected(project: Untouched) -> None:
    stricter: Expected = {"docker.version": {"at_least": "28", "as": "version"}, "pg.version": {"at_least": "16", "as": "version"}, "redis.maxmemory": {}}
    project.edit(CHECKLIST, checklist({**with_others(), **CHOSEN, "redis.maxmemory": {}}))
    project.edit(SECOND, checklist(stricter))
    project.edit(GATE, lambda gate: {**gate, "checklist": ["demo", "second"]})
    would = set_by_roles(project)
    for host in (APP, DATA):
        assert (would[host]["docker_minimum_version"], would[host]["postgresql_minimum_version"], would[host]["redis_maxmemory"]) == ("28", "17", "2GB")
    done = asked(project)
    asked_of = questions(done)
    assert asked_of["docker.version", APP] == ("at least 28", "checklist second", "")
    assert asked_of["pg.version", DATA] == ("at least 17", "checklist demo", "")
    assert asked_of["redis.maxmemory", DATA][0] == "2GB"
    assert [one.partition(":")[0] for one in done.report["disagreements"]] == ["docker.version", "pg.version"]


def test_where_checklists_contradict_each_other_no_role_picks_one_and_the_inventory_decides(project: Untouched) -> None:
    project.edit(CHECKLIST, checklist({**with_others(), "redis.maxmemory": {"equals": "3GB", "as": "size"}}))
    project.edit(SECOND, checklist({"redis.maxmemory": {"equals": "4GB", "as": "size"}}))
    project.edit(GATE, lambda gate: {**gate, "checklist": ["demo", "second"]})
    set_by_roles(project, fails="redis.maxmemory has no single value, but 3GB and 4GB; set one under preflight_thresholds")
    assert questions(asked(project))["redis.maxmemory", DATA] == ("3GB and 4GB", "checklists demo and second", "")
    project.edit(OF_ALL, lambda data: {**data, "lab_thresholds": {"redis.maxmemory": {"equals": "4GB", "as": "size"}}})
    assert {host: values["redis_maxmemory"] for host, values in set_by_roles(project).items()} == {APP: "4GB", DATA: "4GB"}
    assert questions(asked(project))["redis.maxmemory", DATA][:2] == ("4GB", "inventory")


@pytest.mark.parametrize("item", sorted(set(ITEM_OF.values())))
def test_a_role_takes_its_value_from_an_item_that_names_the_role(item: str) -> None:
    roles = {file.parent.parent.name for file, names in DEFAULTS.items() if item in names.values()}
    assert CATALOGUE[item].get("fixed_by") in roles
