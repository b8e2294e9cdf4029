"""Bad checklists, inventories and policies: a clear error that names file, item and mend, before any host is touched."""

from __future__ import annotations

import datetime
import json
import typing as t

import pytest

from .conftest import Untouched

CHECKLIST, GATE, WAIVERS = "checklists/demo.yml", "policy/lab/gate.yml", "policy/lab/waivers.yml"
ATTESTATIONS = "policy/lab/attestations.yml"
DEPLOY = "inventories/lab/group_vars/all/deploy.yml"
HOSTS, MAIN, THRESHOLDS = "inventories/lab/hosts.yml", "inventories/lab/group_vars/all/main.yml", "inventories/lab/group_vars/all/thresholds.yml"


def _with(**changes: t.Any) -> t.Callable[[t.Any], t.Any]:
    return lambda data: dict(data or {}, **changes)


def _without(key: str) -> t.Callable[[t.Any], t.Any]:
    return lambda data: {name: value for name, value in data.items() if name != key}


def _item(**changes: t.Any) -> t.Callable[[t.Any], t.Any]:
    item = {
        "id": "own.item",
        "title": "t",
        "why": "w",
        "class": "observe",
        "stage": "host",
        "hosts": "all",
        "probe": "hardware",
        "with": {"fact": "cpu_cores"},
        "expect": {"at_least": 1},
    }
    return lambda _: {"items": [dict(item, **changes)]}


def _waived(**changes: t.Any) -> t.Callable[[t.Any], t.Any]:
    waiver = {"item": "redis.aof", "subjects": ["lab-data"], "reason": "r", "owner": "o", "expires": datetime.date(2999, 1, 31)}
    return _with(waivers=[dict(waiver, **changes)])


OWN = "checklists/catalogue/own.yml"

MISTAKES: list[tuple[str, str, t.Callable[[t.Any], t.Any], tuple[str, ...]]] = [
    ("empty checklist", CHECKLIST, _with(items=[]), ("checklists/demo.yml", "empty checklist is never a GO")),
    ("unknown area", CHECKLIST, _with(items=[{"area": "rediss"}]), ("demo.yml:", "'rediss'", "did you mean 'redis'?")),
    ("unknown item", CHECKLIST, _with(items=[{"id": "redis.aoff"}]), ("demo.yml:", "'redis.aoff'", "did you mean 'redis.aof'?")),
    (
        "empty expectation",
        CHECKLIST,
        _with(items=[{"id": "redis.aof", "expect": {}}]),
        ("demo.yml:", "item redis.aof", "exactly one operator"),
    ),
    ("unknown probe", OWN, _item(probe="rediss"), ("own.yml:", "item own.item", "did you mean 'redis'?")),
    ("unknown fact", OWN, _item(**{"with": {"fact": "cpu_core"}}), ("own.yml:", "own.item", "did you mean 'cpu_cores'?")),
    ("unknown key", OWN, _item(sevrity="warn"), ("own.yml:", "own.item", "did you mean 'severity'?")),
    ("item of the catalogue again", OWN, _item(id="redis.aof"), ("own.yml:", "redis.aof", "already")),
    ("no checklist of this name", GATE, _with(checklist="demoo"), ("gate.yml", "'demoo'", "did you mean 'demo'?")),
    ("no fleet", GATE, _without("fleet"), ("gate.yml", "`fleet` is missing")),
    (
        "fleet with another host",
        GATE,
        _with(fleet={"app": ["lab-app", "lab-app2"], "db": ["lab-data"], "cache": ["lab-data"], "monitoring": ["lab-data"], "gpu": []}),
        ("lab-app2: missing from group app",),
    ),
    (
        "fleet with a group that is no group",
        GATE,
        _with(fleet={"app": ["lab-app"], "db": ["lab-data"], "cache": ["lab-data"], "monitoring": ["lab-data"], "gpuu": []}),
        ("names group gpuu, which the inventory does not have",),
    ),
    ("waivers that are missing", WAIVERS, _without("waivers"), ("waivers.yml", "needs a list")),
    (
        "waiver for an unknown item",
        WAIVERS,
        _with(waivers=[{"item": "redis.aoff", "subjects": ["lab-data"], "reason": "r", "owner": "o", "expires": "x"}]),
        ("waivers.yml:", "did you mean 'redis.aof'?"),
    ),
    (
        "waiver that has ended",
        WAIVERS,
        _waived(expires=datetime.date(2026, 1, 31)),
        ("policy/lab/waivers.yml:2: item redis.aof: the waiver ended on 2026-01-31; mend the item, or renew",),
    ),
    ("waiver for every host", WAIVERS, _waived(subjects=["*"]), ("policy/lab/waivers.yml:", "redis.aof", "no patterns")),
    (
        "waiver for an unknown host",
        WAIVERS,
        _waived(subjects=["lab-date"]),
        ("policy/lab/waivers.yml:2: item redis.aof: `subjects` has 'lab-date', which is not asked; did you mean 'lab-data'?",),
    ),
    (
        "waiver for a host of another group",
        WAIVERS,
        _waived(subjects=["lab-app"]),
        ("policy/lab/waivers.yml:2: item redis.aof: `subjects` has 'lab-app', which is not asked",),
    ),
    (
        "waiver of what people answer",
        WAIVERS,
        _waived(item="ops.oncall", subjects=["deployment"]),
        ("policy/lab/waivers.yml:2: item ops.oncall: people answer it, so it has no waiver; write the answer to", "policy/lab/attestations.yml"),
    ),
    (
        "people asked, and no file for their answers",
        CHECKLIST,
        _with(items=[{"id": "ops.oncall"}, {"id": "ops.escalation"}]),
        ("policy/lab/attestations.yml: does not exist, and the checklist asks people ops.oncall, ops.escalation",),
    ),
    (
        "answer of somebody who may not give it",
        ATTESTATIONS,
        _with(people={}, attestations=[{"item": "ops.oncall", "by": "Eve", "at": datetime.date(2026, 1, 1), "evidence": "e", "expires": "x"}]),
        ("policy/lab/attestations.yml:4: item ops.oncall: `by` is 'Eve', who holds no role that may answer (operations)",),
    ),
    (
        "threshold of what people answer",
        THRESHOLDS,
        _with(preflight_thresholds={"ops.oncall": {"at_least": 1}}),
        ("item ops.oncall: is answered by people and has no threshold",),
    ),
    ("threshold of an unknown item", THRESHOLDS, _with(preflight_thresholds={"os.relase": {"equals": 1}}), ("did you mean 'os.release'?",)),
    (
        "threshold that is impossible",
        THRESHOLDS,
        _with(preflight_thresholds={"redis.maxmemory": {"equals": "plenty", "as": "size"}}),
        ("redis.maxmemory", "'plenty' is not a size"),
    ),
    ("undefined variable", MAIN, _without("postgresql_user"), ("postgresql_user",)),
    ("undecided variable", MAIN, _with(fail2ban_ignore=["UNDECIDED"]), ("1 undecided", "main.yml:", "fail2ban_ignore is undecided")),
    ("undecided policy", GATE, _with(fleet={"app": ["UNDECIDED"]}), ("policy/lab/gate.yml:", "app of fleet is undecided")),
    ("undecided checklist", CHECKLIST, _with(items=[{"id": "os.release", "expect": {"equals": "UNDECIDED"}}]), ("equals of os.release is undecided",)),
    (
        "containers' network where the controller is",
        MAIN,
        _with(docker_address_pool="172.30.0.0/16"),
        ("docker_address_pool 172.30.0.0/16 takes 172.30.77.1, 172.30.77.11, 172.30.77.12",),
    ),
    ("image without a digest", DEPLOY, _with(deploy_image="registry.example.com/app:1.0"), ("deploy_image is 'registry.example.com/app:1.0'",)),
    ("image archive that is missing", DEPLOY, _with(deploy_image_archive="/nowhere.tar"), ("deploy_image_archive is /nowhere.tar, which does not exist",)),
    ("Compose file that is missing", DEPLOY, _with(deploy_compose_file="/nowhere.yml"), ("deploy_compose_file is /nowhere.yml, which cannot be read",)),
    (
        "a role's variable of a file that is missing",
        DEPLOY,
        _with(deploy_image="{{ lookup('ansible.builtin.file', '/nowhere') }}"),
        (
            "role gonogo.preflight.deploy on lab-app: deploy_image cannot be filled in: its template fails, and this says why: ansible lab-app -i ",
            "inventories/lab -m ansible.builtin.debug -a var=deploy_image",
        ),
    ),
    ("a role's variable of the wrong type", MAIN, _with(docker_address_pool=["10.0.0.0/8"], fail2ban_ignore={}), ("role", "fail2ban_ignore")),
]


@pytest.mark.parametrize(("name", "file", "change", "words"), MISTAKES, ids=[mistake[0] for mistake in MISTAKES])
def test_a_mistake_is_named_before_any_host_is_touched(
    project: Untouched, name: str, file: str, change: t.Callable[[t.Any], t.Any], words: tuple[str, ...]
) -> None:
    (project.root / file).parent.mkdir(exist_ok=True)
    project.edit(file, change)
    output = " ".join(project.refused().output.split())
    for word in words:
        assert word in output, output


def test_a_missing_password_is_named_with_its_role_and_host(project: Untouched) -> None:
    project.edit("inventories/lab/group_vars/all/secrets.yml", _without("redis_password"))
    output = project.refused().output
    assert "role gonogo.preflight.redis on lab-data" in output and "redis_password" in output


def test_all_mistakes_are_named_at_once(project: Untouched) -> None:
    project.edit("inventories/lab/group_vars/all/secrets.yml", lambda _: {"nothing": "here"})
    project.edit(HOSTS, _drop_address)
    output = project.refused().output
    for word in ("redis_password", "postgresql_password", "lab-app has no preflight_address"):
        assert word in output, output


def _drop_address(inventory: t.Any) -> t.Any:
    del inventory["all"]["children"]["app"]["hosts"]["lab-app"]["preflight_address"]
    return inventory


def test_what_is_undecided_behind_a_link_is_refused(project: Untouched) -> None:
    variables = project.root / "inventories" / "lab" / "group_vars"
    variables.rename(project.root / "shared")
    variables.symlink_to("../../nowhere")
    assert "group_vars: is a link to ../../nowhere, where nothing can be found" in " ".join(project.refused().output.split())
    variables.unlink()
    variables.symlink_to("../../shared")
    project.edit("shared/all/main.yml", _with(fail2ban_ignore=["UNDECIDED"]))
    assert "fail2ban_ignore is undecided" in " ".join(project.refused().output.split())


def test_a_run_that_ends_while_templates_are_filled_in_has_a_report_of_its_own(project: Untouched) -> None:
    text = (project.root / HOSTS).read_text()
    assert "172.30.77.11" in text
    (project.root / HOSTS).write_text(text.replace("preflight_address: 172.30.77.11", "preflight_address: '{{ nobody_knows }}'"))
    done = project.play("playbooks/site.yml")
    assert done.code != 0 and not project.calls.exists(), done.output
    assert done.report["verdict"] == "NO-GO"


def test_a_mistake_shows_no_secret_in_terminal_or_reports(project: Untouched) -> None:
    secret = "r" * 40
    (project.root / OWN).parent.mkdir(exist_ok=True)
    project.edit(OWN, _item(probe="process", **{"with": {"fact": "listening", "port": "{{ redis_password }}"}}))
    project.edit(CHECKLIST, lambda demo: dict(demo, items=[*demo["items"], {"id": "own.item"}]))
    done = project.refused()
    assert "own.item on lab-app, lab-data: " in done.output and "'********'" in done.output, done.output
    assert secret not in done.output and secret not in json.dumps(done.report)


def test_an_environment_without_a_policy_is_refused(project: Untouched) -> None:
    (project.root / "policy" / "lab").rename(project.root / "policy" / "elsewhere")
    assert "this inventory has no policy" in project.refused().output


def test_broken_yaml_is_named_with_its_line(project: Untouched) -> None:
    (project.root / CHECKLIST).write_text("title: t\nitems:\n  - area: [os\n")
    assert "demo.yml:" in project.refused().output


def test_the_same_key_twice_is_refused(project: Untouched) -> None:
    (project.root / CHECKLIST).write_text("title: t\nitems:\n  - area: os\nitems:\n  - area: redis\n")
    output = project.refused().output
    assert "demo.yml:4" in output and "twice" in output


@pytest.mark.parametrize(("name", "value"), [("redis_password", "x"), ("ansible_connection", "local"), ("preflight_thresholds", {})])
def test_an_extra_variable_is_refused_and_named(project: Untouched, name: str, value: t.Any) -> None:
    output = project.refused("playbooks/site.yml", "-e", json.dumps({name: value})).output
    assert "-e sets %s" % name in output


def test_a_permitted_extra_variable_is_accepted(project: Untouched) -> None:
    project.edit(GATE, _with(extra_vars=["deploy_version"]))
    done = project.play("playbooks/site.yml", "-e", "deploy_version=2.0.0")
    assert "-e sets" not in done.output
    assert project.calls.exists(), "validation passed, so the hosts are asked"
