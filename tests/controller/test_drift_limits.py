"""A number that would switch off what it limits is refused before a host is touched."""

from __future__ import annotations

import pytest

from .conftest import Untouched


@pytest.mark.parametrize(("name", "why"), [("drift_keep", "no run would ever be removed"), ("drift_limit", "would never be stopped")])
def test_zero_is_refused_by_name(project: Untouched, name: str, why: str) -> None:
    project.edit("inventories/lab/hosts.yml", lambda inventory: inventory | _with_control(inventory))
    project.edit("inventories/lab/group_vars/all/drift.yml", lambda _: {name: 0})
    project.edit("policy/lab/gate.yml", lambda gate: dict(gate, fleet=dict(gate["fleet"], control=["lab-data"])))
    done = project.play("playbooks/drift.yml")
    assert done.code != 0 and not project.calls.exists(), done.output
    assert "%s is 0; it needs to be 1 or more" % name in done.output and why in done.output


def _with_control(inventory: dict[str, dict[str, dict[str, object]]]) -> dict[str, object]:
    inventory["all"]["children"]["control"] = {"hosts": {"lab-data": None}}
    return {}
