# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the collection's actions share: options, the project, the run, and errors that people can act on."""

from __future__ import annotations

import functools
import re
import typing as t
from dataclasses import replace

from ansible import constants
from ansible.errors import AnsibleActionFail, AnsibleError
from ansible.plugins.action import ActionBase
from ansible.template import Templar, trust_as_template
from ansible.vars.hostvars import HostVars

from ..module_utils._verdict import Question
from ._catalogue import templated
from ._context import HostThresholds, Project, current_run, load_project, project_questions
from ._inventory import Inventory
from ._run import Run
from ._yaml import InputError

__all__ = ["PreflightAction", "mask"]

_SECRET_NAME = re.compile(r"password|passwd|secret|token|api_?key|private_key|deploy_environment", re.IGNORECASE)
_SHORTEST_SECRET = 6
# What decides which machine answers under an inventory name: the connection's option, and the variables that set it.
_WAY = {
    "host": ("ansible_host", "ansible_ssh_host"),
    "port": ("ansible_port", "ansible_ssh_port"),
    "ssh_args": ("ansible_ssh_args",),
    "ssh_common_args": ("ansible_ssh_common_args",),
    "ssh_extra_args": ("ansible_ssh_extra_args",),
    "ssh_executable": ("ansible_ssh_executable",),
    # The socket of a connection to another machine.
    "control_path": ("ansible_control_path",),
    "control_path_dir": ("ansible_control_path_dir",),
}
_SSH: dict[str, t.Any] = {"plugin_type": "connection", "plugin_name": "ssh"}
_REMOTE = ("ssh", "paramiko", "paramiko_ssh")
MASK = "********"


class PreflightAction(ActionBase):
    """An action that reads the reviewed data and the spool of this run; subclasses say what `act` does."""

    TRANSFERS_FILES = False
    _requires_connection = False
    OPTIONS: t.ClassVar[dict[str, t.Any]] = {}

    options: dict[str, t.Any]
    task_vars: dict[str, t.Any]

    def run(self, tmp: t.Any = None, task_vars: t.Any = None) -> dict[str, t.Any]:
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        del tmp
        if self._task.delegate_to:
            # The answer of another host would count as this one's, or a release would start where nobody verified.
            raise AnsibleActionFail("%s cannot be delegated; run it on the host itself" % self._task.resolved_action)
        if self._task.loop is not None:
            # A loop variable may be called inventory_hostname.
            raise AnsibleActionFail("%s cannot be looped" % self._task.resolved_action)
        self.task_vars = task_vars or {}
        _validation, self.options = t.cast(t.Any, self).validate_argument_spec(argument_spec=self.OPTIONS)
        try:
            result.update(self.act())
        except InputError as error:
            raise AnsibleActionFail(str(error)) from None
        return result

    def act(self) -> dict[str, t.Any]:
        """Do it; returns what the task returns. Raises InputError for what a person wrote wrongly."""
        raise NotImplementedError

    @property
    def host(self) -> str:
        return str(self.task_vars["inventory_hostname"])

    @functools.cached_property
    def inventory(self) -> Inventory:
        everything = self.task_vars.get("hostvars")
        if not isinstance(everything, HostVars):
            raise AnsibleActionFail("a variable is called hostvars; rename it")
        return Inventory(everything._inventory, self._loader)

    @property
    def hostvars(self) -> HostVars:
        """The variables of every host as the inventory has them."""
        return self.inventory.hostvars

    @property
    def groups(self) -> dict[str, list[str]]:
        """Group to its hosts, under the names of the inventory and of the checklist."""
        return self.inventory.groups

    def variables_of(self, subject: str, **more: t.Any) -> dict[str, t.Any]:
        """The variables that templates about `subject` see, in a role as here: those of the inventory, and `more`."""
        return dict(self.hostvars.raw_get(subject), hostvars=self.hostvars, groups=self.inventory.own_groups, **more)

    def assert_own_connection(self) -> None:
        """The task runs on the machine that the inventory gives this name; raises AnsibleActionFail when it may be another."""
        if self.host not in self.inventory.hosts:
            raise AnsibleActionFail("%s is no host of the inventory" % self.host)
        reviewed = self.hostvars[self.host]
        transport = self._connection.transport
        if transport not in _REMOTE and transport != str(reviewed.get("ansible_connection", "")).rpartition(".")[2]:
            raise AnsibleActionFail("%s is reached by connection %s, which its inventory does not say" % (self.host, transport))
        for option, names in _WAY.items():
            used = self._connection_option(option)
            if used is None:
                continue
            said = next((reviewed[name] for name in names if name in reviewed), None)
            if said is None:
                # Then it is what Ansible's configuration says, and no play or task.
                said = self.host if option == "host" else constants.config.get_config_value(option, **_SSH)
            if str(used) != str(said):
                message = "%s is reached with %s %r, which is not what its inventory says; remove it from plays, tasks and facts"
                raise AnsibleActionFail(message % (self.host, option, used))

    def _connection_option(self, option: str) -> t.Any:
        """The option of the connection in use, None where its plugin has none of this name."""
        try:
            return self._connection.get_option(option)
        except KeyError:
            return None

    @functools.cached_property
    def project(self) -> Project:
        """Policy, catalogue and checklist as their files are when this action first needs them."""
        return load_project()

    @functools.cached_property
    def thresholds(self) -> HostThresholds:
        return HostThresholds(self.project, self.hostvars, self.groups["all"])

    def questions(self) -> list[Question]:
        """Every question of the checklist, with remedies as a person types them; raises InputError."""
        asked = project_questions(self.project, self.groups, self.thresholds, version=self._version())
        return [replace(one, remedy=self._filled(one)) if templated(one.remedy) else one for one in asked]

    def _version(self) -> str:
        """The version that the inventory deploys, of which some answers of people are; "" where none is asked for, or the hosts name no single one."""
        if not any(item.attest and item.attest.release for item in self.project.items):
            return ""
        found = {str(values["deploy_version"]) for values in map(self.hostvars.__getitem__, self.groups["all"]) if "deploy_version" in values}
        return found.pop() if len(found) == 1 else ""

    def _filled(self, question: Question) -> str:
        """The remedy with the subject's variables; as it was written where one of them is undefined."""
        if question.subject not in self.inventory.hosts:
            return question.remedy
        templar = Templar(loader=self._loader, variables=self.variables_of(question.subject, preflight_vantage=question.vantage))
        try:
            return mask(templar.template(trust_as_template(question.remedy)), self.secrets_of(question.subject))
        except AnsibleError:
            return question.remedy

    def current_run(self) -> Run:
        return current_run()

    def secrets_of(self, *hosts: str) -> list[str]:
        """Values of these hosts' variables that are secrets by their name, longest first."""
        found: set[str] = set()
        for values in map(self.hostvars.__getitem__, hosts):
            for name in filter(_SECRET_NAME.search, values):
                try:
                    found.update(_texts(values[name]))
                except AnsibleError:
                    continue  # It cannot be filled in, so nothing can show it either.
        return sorted((one for one in found if len(one) >= _SHORTEST_SECRET), key=len, reverse=True)


def _texts(value: t.Any) -> t.Iterator[str]:
    """Every text in a variable, at any depth."""
    if isinstance(value, str):
        yield str(value)
    elif isinstance(value, t.Mapping):
        for one in value.values():
            yield from _texts(one)
    elif isinstance(value, (list, tuple)):
        for one in value:
            yield from _texts(one)


def mask(text: t.Any, secrets: t.Sequence[str]) -> str:
    """`text` without any of `secrets`."""
    shown = str(text)
    for secret in secrets:
        shown = shown.replace(secret, MASK)
    return shown
