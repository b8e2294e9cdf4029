"""The action `packages` asks apt for what dpkg does not have, and for nothing else."""

from __future__ import annotations

import dataclasses
import importlib
import sys
import types
import typing as t

import pytest
from ansible.errors import AnsibleActionFail

from tests.support import ROOT

sys.path.insert(0, str(ROOT / ".collections"))
ACTION = importlib.import_module("ansible_collections.gonogo.preflight.plugins.action.packages")


@dataclasses.dataclass
class Host:
    """A host whose dpkg and apt answer as told.

    :ivar asked: commands and modules that it was sent.
    """

    dpkg: tuple[int, str] = (1, "ii sudo\n")
    apt: t.Mapping[str, t.Any] = dataclasses.field(default_factory=lambda: {"changed": True})
    check_mode: bool = False
    asked: list[t.Any] = dataclasses.field(default_factory=list)
    environment: t.Any = None

    def have(self, names: list[str], known: t.Optional[list[str]] = None) -> dict[str, t.Any]:
        action = ACTION.ActionModule.__new__(ACTION.ActionModule)
        action.options, action.task_vars = {"names": names, "known": known}, {}
        action._task = types.SimpleNamespace(check_mode=self.check_mode, environment=[{"http_proxy": "http://proxy"}])
        action._low_level_execute_command = self._command
        action._execute_module = self._module
        result: dict[str, t.Any] = action.act()
        self.environment = action._task.environment
        return result

    def _command(self, command: str) -> dict[str, t.Any]:
        self.asked.append(command.split()[0])
        return {"rc": self.dpkg[0], "stdout": self.dpkg[1], "stderr": "no packages found"}

    def _module(self, module_name: str, module_args: dict[str, t.Any], task_vars: t.Any) -> t.Mapping[str, t.Any]:
        del task_vars
        self.asked.append((module_name, module_args["name"]))
        return self.apt


def test_apt_is_not_asked_where_dpkg_has_it_all() -> None:
    host = Host(dpkg=(0, "ii sudo\nii procps\n"), apt={"failed": True, "msg": "no network"})
    assert host.have(["sudo", "procps"]) == {"changed": False, "missing": [], "absent": False}
    assert host.asked == ["dpkg-query"]


def test_nothing_is_asked_of_a_host_that_the_run_knows_or_that_needs_nothing() -> None:
    host = Host()
    assert not host.have(["sudo"], ["sudo", "tzdata"])["changed"] and not host.have([])["changed"]
    assert host.asked == []


def test_only_what_is_missing_is_installed_and_nothing_is_restarted() -> None:
    host = Host()
    done = host.have(["sudo", "procps"])
    assert (done["changed"], done["missing"], done["absent"]) == (True, ["procps"], False)
    assert host.asked == ["dpkg-query", ("ansible.builtin.apt", ["procps"])]
    assert host.environment == [{"http_proxy": "http://proxy"}, {"NEEDRESTART_MODE": "l", "NEEDRESTART_SUSPEND": "1"}]


@pytest.mark.parametrize("apt", [{"changed": True}, {"failed": True, "msg": "No package matching 'procps' is available"}])
def test_a_dry_run_says_that_it_is_not_there(apt: dict[str, t.Any]) -> None:
    done = Host(apt=apt, check_mode=True).have(["procps"])
    assert (done["changed"], done["absent"]) == (True, True)


def test_an_outage_names_the_variable() -> None:
    for check_mode, message in (
        (False, "No package matching 'procps' is available"),
        (True, "Failed to update apt cache"),
        (False, "E: Failed to fetch http://m.example/procps.deb"),
    ):
        with pytest.raises(AnsibleActionFail, match="procps could not be installed.*%s.*os_apt_mirror" % message):
            Host(apt={"failed": True, "msg": message}, check_mode=check_mode).have(["procps"])
    with pytest.raises(AnsibleActionFail, match="dpkg-query. ended with 2"):
        Host(dpkg=(2, "")).have(["procps"])
