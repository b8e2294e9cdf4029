"""What the chosen checklist asks of a host, and what the role probe_libraries installs there for it; known before a host is touched."""

from __future__ import annotations

import typing as t

import pytest

from tests.of_systems import asking
from tests.support import ROOT

from .conftest import Untouched

OWN, CHECKLIST, ATTESTATIONS = "checklists/catalogue/own.yml", "checklists/demo.yml", "policy/lab/attestations.yml"
HOSTS, MAIN = "inventories/lab/hosts.yml", "inventories/lab/group_vars/all/main.yml"
APP, DATA = "lab-app", "lab-data"
CLIENTS = {APP: ["python3-docker"], DATA: ["python3-psycopg2", "python3-redis"]}

TREE = {"probe": "git", "with": {"fact": "clean", "path": "/srv/app"}}


def value_of(path: str, *, hosts: str = "db", **more: str) -> dict[str, t.Any]:
    return {"probe": "file", "hosts": hosts, "with": {"fact": "value", "path": path, "key": "a", **more}}


def asks(project: Untouched, *asked: t.Mapping[str, t.Any]) -> None:
    """The checklist asks Redis whether it persists, and the hosts of group db what each of `asked` says."""
    described = {"title": "t", "why": "w", "class": "observe", "stage": "host", "hosts": "db", "expect": {"equals": "x"}}
    items = [{**described, "id": "own.item%d" % number, **one} for number, one in enumerate(asked)]
    entries = [{"id": one["id"], **({"not_applicable": one.pop("not_applicable")} if "not_applicable" in one else {})} for one in items]
    project.edit(OWN, lambda _: {"items": items})
    project.edit(CHECKLIST, lambda _: {"items": [{"id": "redis.aof"}, *entries]})


def installs(project: Untouched) -> dict[str, list[str]]:
    """The packages of the role, host by host, without the clients of what runs in their groups."""
    role = ROOT / "roles/probe_libraries/vars/main.yml"
    found = project.filled_in({"packages": "{{ __probe_libraries_here }}"}, vars_files=[role])
    for host, packages in CLIENTS.items():
        assert found[host]["packages"][: len(packages)] == packages
    return {host: found[host]["packages"][len(packages) :] for host, packages in CLIENTS.items()}


@pytest.mark.parametrize(
    ("asked", "packages"),
    [
        ([TREE, value_of("/srv/a.yml")], {APP: [], DATA: ["git", "python3-yaml"]}),
        ([{**TREE, "hosts": "all"}, value_of("/srv/a", format="yaml", hosts="app")], {APP: ["git", "python3-yaml"], DATA: ["git"]}),
        ([{**TREE, "from": "app"}, value_of("{{ own_file }}", format="{{ own_format }}")], {APP: ["git"], DATA: ["python3-yaml"]}),
        (
            [
                {**TREE, "from": "controller"},
                {**TREE, "not_applicable": "no work tree"},
                {"needs": "git, something"},
                value_of("/srv/a", format="json"),
                {"probe": "file", "with": {"fact": "exists", "path": "/srv/a.yml"}},
            ],
            {APP: [], DATA: []},
        ),
    ],
    ids=["here", "by group", "from elsewhere", "nobody needs it"],
)
def test_a_host_gets_what_the_probes_that_look_from_there_need(project: Untouched, asked: list[dict[str, t.Any]], packages: dict[str, list[str]]) -> None:
    asks(project, *asked)
    assert installs(project) == packages


def test_what_people_answer_is_asked_of_no_host(project: Untouched) -> None:
    project.edit(CHECKLIST, lambda _: {"items": [{"id": "redis.aof"}, {"id": "ops.oncall"}]})
    project.edit(ATTESTATIONS, lambda _: {"people": {"operations": ["Ada Lovelace"]}, "attestations": []})
    found = project.filled_in({"asked": "{{ query('gonogo.preflight.asked', inventory_hostname) }}"})
    assert found == {APP: {"asked": []}, DATA: {"asked": [{"item": "redis.aof", "probe": "redis", "with": {"fact": "aof"}}]}}


def test_the_demonstration_needs_neither_and_a_system_that_asks_both_gets_both(project: Untouched) -> None:
    assert installs(project) == {APP: [], DATA: []}
    assert installs(asking(project, "trading")) == {APP: ["python3-yaml"], DATA: ["git"]}


def test_a_host_that_others_manage_is_asked_from_elsewhere(project: Untouched) -> None:
    project.edit(HOSTS, _managed)
    project.edit("policy/lab/gate.yml", lambda gate: {**gate, "managed": [DATA]})
    project.edit(CHECKLIST, lambda _: {"items": [{"id": "pg.version"}, {"id": "os.release"}]})
    found = project.filled_in({"asked": "{{ query('gonogo.preflight.asked', inventory_hostname) }}"})
    assert [one["item"] for one in found[DATA]["asked"]] == []
    (version, release) = found[APP]["asked"]
    assert (version["item"], version["with"]["host"], release["item"]) == ("pg.version", "{{ preflight_address }}", "os.release")


def _managed(hosts: t.Any) -> t.Any:
    hosts["all"]["children"]["db"]["hosts"][DATA]["preflight_managed"] = True
    return hosts


def test_a_checklist_that_cannot_be_read_is_named(project: Untouched) -> None:
    project.edit(CHECKLIST, lambda _: {"items": [{"id": "redis.aoff"}]})
    project.filled_in({"asked": "{{ query('gonogo.preflight.asked', inventory_hostname) }}"}, fails="did you mean 'redis.aof'?")
