"""Drift is looked for from exactly one host; anything else is refused before a host is touched."""

from __future__ import annotations

import typing as t

import pytest

from .conftest import Untouched


@pytest.mark.parametrize(("control", "found"), [(None, 0), (["lab-app", "lab-data"], 2)])
def test_more_or_fewer_than_one_control_host_is_refused(project: Untouched, control: t.Optional[list[str]], found: int) -> None:
    def with_group(inventory: dict[str, t.Any]) -> dict[str, t.Any]:
        if control:
            inventory["all"]["children"]["control"] = {"hosts": dict.fromkeys(control)}
        return inventory

    project.edit("inventories/lab/hosts.yml", with_group)
    done = project.play("playbooks/drift.yml")
    assert done.code != 0 and not project.calls.exists()
    assert "Group control has %d hosts; it needs exactly one" % found in done.output


def test_a_control_host_without_an_address_is_refused(project: Untouched) -> None:
    def alone(inventory: dict[str, t.Any]) -> dict[str, t.Any]:
        return {"all": {"children": dict.fromkeys(inventory["all"]["children"], {"hosts": {"one": None}}) | {"control": {"hosts": {"one": None}}}}}

    project.edit("inventories/lab/hosts.yml", alone)
    done = project.play("playbooks/drift.yml")
    assert done.code != 0 and not project.calls.exists()
    assert "role gonogo.preflight.drift on one: missing required arguments: preflight_address" in done.output
