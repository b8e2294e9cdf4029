"""The module `ufw_exposure` cuts no container off: it looks before it changes anything, and only then."""

from __future__ import annotations

import importlib
import json
import sys
import typing as t

import pytest

from tests.support import ROOT

sys.path.insert(0, str(ROOT / ".collections"))
MODULE = importlib.import_module("ansible_collections.gonogo.preflight.plugins.modules.ufw_exposure")

OPTIONS = {"require_ssh": False, "revert_after": 60}
NETWORK = {"Name": "shop", "IPAM": {"Config": [{"Subnet": "10.99.0.0/24"}]}, "Containers": {"x": {"Name": "web"}}}


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[t.Sequence[str]]:
    """The commands that were run, on a host that must not be changed."""
    monkeypatch.setattr(MODULE.Host, "installed", staticmethod(lambda: True))
    monkeypatch.setattr(MODULE.Host, "read", lambda _self, _sysctls: MODULE.State({}, (), True, {}))
    monkeypatch.setattr(MODULE.Host, "apply", lambda *_arguments: pytest.fail("changed"))
    monkeypatch.setattr(MODULE.Guard, "arm", lambda *_arguments, **_options: pytest.fail("armed"))
    return []


def applied(asked: list[t.Sequence[str]], *, check_mode: bool) -> dict[str, t.Any]:
    def run(command: t.Sequence[str]) -> tuple[int, str, str]:
        asked.append(command)
        return 0, json.dumps([NETWORK]) if command[0] == "sh" else "", ""

    return dict(MODULE.apply(MODULE.Wanted([], ["172.28.0.0/16"]), OPTIONS, run, check_mode))


@pytest.mark.parametrize("check_mode", [False, True])
def test_it_refuses_before_anything_is_changed_and_in_a_dry_run_too(asked: list[t.Sequence[str]], check_mode: bool) -> None:
    with pytest.raises(MODULE.FirewallError, match=r"network shop \(10\.99\.0\.0/24\) with web.*ufw_container_networks"):
        applied(asked, check_mode=check_mode)


def test_a_firewall_that_is_right_costs_no_question(asked: list[t.Sequence[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    nothing = importlib.import_module(MODULE.plan.__module__).Plan({}, (), (), ())
    monkeypatch.setattr(MODULE, "plan", lambda _state, _goal: nothing)
    assert not applied(asked, check_mode=True)["changed"]
    assert not any("docker" in " ".join(command) for command in asked)
