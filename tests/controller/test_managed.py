"""Hosts that others manage: both policy and inventory say so, nobody logs in to them, and nothing else makes a host one."""

from __future__ import annotations

import json
import pathlib
import typing as t

import pytest

from .conftest import Untouched

HOSTS, GATE, MAIN = "inventories/lab/hosts.yml", "policy/lab/gate.yml", "inventories/lab/group_vars/all/main.yml"
DATA_VARS, APP_VARS = "inventories/lab/host_vars/lab-data.yml", "inventories/lab/host_vars/lab-app.yml"


def _set(**variables: t.Any) -> t.Callable[[t.Any], t.Any]:
    return lambda data: dict(data or {}, **variables)


@pytest.fixture
def host_vars(project: Untouched) -> Untouched:
    (project.root / DATA_VARS).parent.mkdir()
    return project


@pytest.fixture
def managed(host_vars: Untouched) -> Untouched:
    host_vars.edit(DATA_VARS, _set(preflight_managed=True))
    host_vars.edit(GATE, _set(managed=["lab-data"]))
    return host_vars


@pytest.mark.parametrize("playbook", ["playbooks/site.yml", "playbooks/provision.yml"])
def test_nobody_logs_in_to_a_managed_host_and_no_role_touches_it(managed: Untouched, tmp_path: pathlib.Path, playbook: str) -> None:
    """The SSH program writes down what it was called with."""
    ssh = tmp_path / "ssh"
    ssh.write_text("#!/bin/sh\necho \"$@\" >>'%s'\nexit 255\n" % managed.calls)
    done = managed.play(playbook)
    assert done.code != 0 and managed.calls.exists(), done.output
    assert "22011" in managed.calls.read_text() and "22012" not in managed.calls.read_text()


def test_nothing_is_dropped_in_silence(managed: Untouched) -> None:
    done = managed.play("playbooks/verify.yml")
    rows = {(one["item"], one["subject"]): one for one in done.report["results"]}
    unasked = {item for (item, subject), one in rows.items() if subject == "lab-data" and one["outcome"] == "not_applicable"}
    assert {"os.updated", "fw.ufw.enabled", "infra.cpu.cores", "redis.aof"} <= unasked
    assert all(one["reason"].startswith("managed: ") for one in rows.values() if one["subject"] == "lab-data" and one["item"] in unasked)
    for item in ("pg.version", "pg.database", "pg.user.least_priv", "pg.reachable", "fw.ssh.reachable"):
        assert (rows[item, "lab-data"]["vantage"], rows[item, "lab-data"]["outcome"]) == ("lab-app", "missing"), rows[item, "lab-data"]


def test_a_managed_postgresql_without_a_password_is_named(managed: Untouched) -> None:
    managed.edit(DATA_VARS, _set(postgresql_password=""))
    output = managed.refused().output
    assert "item pg.version on lab-data: the variable postgresql_password is missing, empty or no text" in output


@pytest.mark.parametrize(
    ("file", "change", "words"),
    [
        (DATA_VARS, _set(preflight_managed=True), "lab-data: preflight_managed in the inventory, but not under managed in"),
        (GATE, _set(managed=["lab-data"]), "lab-data: under managed in"),
        (GATE, _set(managed=["lab-other"]), "lab-other: under managed in"),
        (GATE, _set(managed="lab-data"), "`managed` is 'lab-data'; it is a list of names"),
        (MAIN, _set(preflight_managed=True), "lab-app: preflight_managed in the inventory, but not under managed in"),
        (DATA_VARS, _set(preflight_managed="yes"), "preflight_managed of lab-data is 'yes'; it is true or false"),
        (DATA_VARS, _set(preflight_managed="{{ true }}"), "preflight_managed is a template; write it out"),
    ],
)
@pytest.mark.parametrize("playbook", ["site", "provision"])
def test_a_difference_between_policy_and_inventory_is_refused(
    host_vars: Untouched, file: str, change: t.Callable[[t.Any], t.Any], words: str, playbook: str
) -> None:
    host_vars.edit(file, change)
    done = host_vars.play("playbooks/%s.yml" % playbook)
    assert done.code != 0 and not host_vars.calls.exists(), done.output
    assert words in " ".join(done.output.split())


def test_a_host_that_is_deployed_to_is_not_managed(host_vars: Untouched) -> None:
    host_vars.edit(APP_VARS, _set(preflight_managed=True))
    host_vars.edit(GATE, _set(managed=["lab-app"]))
    assert "lab-app: managed, and in group app" in host_vars.refused().output


@pytest.mark.parametrize("playbook", ["site", "provision"])
@pytest.mark.parametrize("value", [True, False])
def test_no_command_line_says_who_is_managed(managed: Untouched, playbook: str, value: bool) -> None:
    done = managed.play("playbooks/%s.yml" % playbook, "-e", json.dumps({"preflight_managed": value}))
    assert done.code != 0 and not managed.calls.exists(), done.output
    assert "-e sets preflight_managed, which stands in the inventory alone" in done.output


def test_the_command_line_does_not_open_a_managed_host_where_validation_is_skipped(managed: Untouched, tmp_path: pathlib.Path) -> None:
    (tmp_path / "ssh").write_text("#!/bin/sh\necho \"$@\" >>'%s'\nexit 255\n" % managed.calls)
    done = managed.play("playbooks/provision.yml", "--skip-tags", "always", "--tags", "accounts", "-e", '{"preflight_managed": false}')
    assert done.code != 0 and managed.calls.exists(), done.output
    assert "22011" in managed.calls.read_text() and "22012" not in managed.calls.read_text()
