"""Groups of the inventory under the checklist's names: what decides who is asked comes from the inventory alone."""

from __future__ import annotations

import json
import pathlib
import subprocess
import typing as t

import pytest

from tests.support import ROOT

from .conftest import Untouched

HOSTS, MAIN, DATA_VARS = "inventories/lab/hosts.yml", "inventories/lab/group_vars/all/main.yml", "inventories/lab/host_vars/lab-data.yml"
NAMES = {"app": ["webservers"], "db": ["pg", "replicas"], "cache": ["redis"]}


def _renamed(inventory: t.Any) -> t.Any:
    """The lab's hosts in groups of other names."""
    children = inventory["all"]["children"]
    children["webservers"], children["pg"], children["redis"] = children.pop("app"), children.pop("db"), children.pop("cache")
    children["replicas"] = {"hosts": {}}
    return inventory


def _set(**variables: t.Any) -> t.Callable[[t.Any], t.Any]:
    return lambda data: dict(data or {}, **variables)


@pytest.fixture
def renamed(project: Untouched) -> Untouched:
    project.edit(HOSTS, _renamed)
    project.edit(MAIN, _set(preflight_groups=NAMES))
    return project


def test_a_mapped_inventory_is_valid_and_asks_the_same_questions(project: Untouched) -> None:
    before = project.play("playbooks/verify.yml")
    project.edit(HOSTS, _renamed)
    project.edit(MAIN, _set(preflight_groups=NAMES))
    after = project.play("playbooks/site.yml")
    assert "no host was touched" not in after.output and project.calls.exists(), after.output
    # Only `verify` asks what holds no door.
    doors = [[one for one in done.report["results"] if one["door"] != "ongoing"] for done in (before, after)]
    asked = [{(one["item"], one["subject"], one["vantage"]) for one in results} for results in doors]
    assert len(asked[0]) > 30 and asked[0] == asked[1] - {("run.provisioned", host, host) for host in ("lab-app", "lab-data")}


def test_without_the_mapping_the_missing_group_is_named(project: Untouched) -> None:
    project.edit(HOSTS, _renamed)
    assert "is no group of the inventory, and preflight_groups does not map it" in project.refused().output


@pytest.mark.parametrize(
    ("mapping", "words"),
    [
        ({"ap": ["webservers"]}, "`hosts: app` is no group of the inventory"),
        (dict(NAMES, queue=["redis"]), "preflight_groups maps queue, of which neither checklist nor fleet speak"),
        (dict(NAMES, db=[]), "preflight_groups maps db to []"),
        (dict(NAMES, db=["pgg"]), "did you mean 'pg'?"),
        (dict(NAMES, db=["replicas"]), "lab-data: missing from group db"),
        (dict(NAMES, db=["webservers"]), "lab-data: missing from group db"),
        (dict(NAMES, db=["pg", "webservers"]), "lab-app: in group db, which must not have it"),
        (dict(NAMES, all=["webservers"]), "preflight_groups maps 'all', which is no name of a group that can be mapped"),
        (dict(NAMES, db=["{{ 'pg' }}"]), "preflight_groups is a template; write it out"),
    ],
)
def test_a_mapping_that_is_wrong_is_named(renamed: Untouched, mapping: t.Any, words: str) -> None:
    renamed.edit(MAIN, _set(preflight_groups=mapping))
    assert words in " ".join(renamed.refused().output.split())


@pytest.mark.parametrize("variables", [{"preflight_groups": dict(NAMES, cache=["webservers"])}, {"preflight_groups": None}])
def test_a_host_has_no_mapping_of_its_own(renamed: Untouched, variables: t.Any) -> None:
    (renamed.root / DATA_VARS).parent.mkdir()
    renamed.edit(DATA_VARS, _set(**variables))
    output = renamed.refused().output
    assert "preflight_groups is not the same for lab-" in output and "set it once, in group_vars/all" in output


@pytest.mark.parametrize("playbook", ["site", "provision"])
def test_no_command_line_sets_the_mapping(renamed: Untouched, playbook: str) -> None:
    done = renamed.play("playbooks/%s.yml" % playbook, "-e", json.dumps({"preflight_groups": dict(NAMES, cache=["webservers"])}))
    assert done.code != 0 and not renamed.calls.exists()
    assert "-e sets preflight_groups, which stands in the inventory alone" in done.output


def test_no_policy_lets_the_command_line_set_the_mapping(renamed: Untouched) -> None:
    renamed.edit("policy/lab/gate.yml", _set(extra_vars=["deploy_version", "preflight_groups"]))
    assert "gate.yml:" in renamed.refused().output
    assert "`extra_vars` holds preflight_groups" in renamed.refused().output


REPLACED = """
- name: A play that says who is in the groups
  hosts: all
  gather_facts: false
  ignore_unreachable: true
  vars: &mapping
    preflight_groups: {app: [webservers], db: [webservers], cache: [webservers]}
  tasks:
    - ansible.builtin.set_fact:
        preflight_groups: {app: [webservers], db: [webservers], cache: [webservers]}
        cacheable: true
    - gonogo.preflight.verify:
      vars: *mapping
    - gonogo.preflight.gate:
      vars: *mapping
      ignore_errors: true
- name: Where the collection would run its roles
  hosts: "{{ query('gonogo.preflight.group', 'cache') }}"
  gather_facts: false
  tasks:
    - ansible.builtin.debug: {msg: "cache is {{ query('gonogo.preflight.group', 'cache') | join }}"}
      vars: *mapping
"""


def test_plays_tasks_and_facts_do_not_move_a_group(renamed: Untouched, tmp_path: pathlib.Path) -> None:
    playbook = tmp_path / "replaced.yml"
    playbook.write_text(REPLACED)
    done = renamed.play(str(playbook), environment={"ANSIBLE_CACHE_PLUGIN": "jsonfile", "ANSIBLE_CACHE_PLUGIN_CONNECTION": str(tmp_path / "facts")})
    assert done.code != 0 and done.report["verdict"] == "NO-GO"
    assert {one["subject"] for one in done.report["results"] if one["item"] in ("redis.aof", "pg.version")} == {"lab-data"}
    assert "cache is lab-data" in done.output and "cache is lab-app" not in done.output


def test_the_lookup_reads_the_inventory_where_no_play_has_begun(renamed: Untouched) -> None:
    listed = subprocess.run(
        ["ansible-playbook", "playbooks/deploy.yml", "-i", str(renamed.inventory), "--list-hosts"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    play = listed.stdout.split("Start the release on GO")[1].split("play #")[0]
    assert "hosts (1):" in play and "lab-app" in play
