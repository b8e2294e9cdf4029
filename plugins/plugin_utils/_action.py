# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the collection's actions share: options, the project, the run, and errors that people can act on."""

from __future__ import annotations

import re
import typing as t

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ._context import Project, current_run, load_project
from ._run import Run
from ._yaml import InputError

__all__ = ["PreflightAction", "mask"]

_SECRET_NAME = re.compile(r"(password|passwd|secret|token|api_key|private_key)$")
_SHORTEST_SECRET = 6
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

    @property
    def groups(self) -> dict[str, list[str]]:
        """Group to its hosts, the whole inventory whatever `--limit` says."""
        return {name: list(hosts) for name, hosts in self.task_vars["groups"].items()}

    @property
    def hostvars(self) -> t.Mapping[str, t.Any]:
        return t.cast("t.Mapping[str, t.Any]", self.task_vars["hostvars"])

    def project(self) -> Project:
        return load_project()

    def current_run(self) -> Run:
        return current_run()

    def secrets_of(self, host: str) -> list[str]:
        """Values of this host's variables that are secrets by their name, longest first."""
        values = self.hostvars[host]
        found = {str(values[name]) for name in values if _SECRET_NAME.search(name) and isinstance(values[name], str)}
        return sorted((one for one in found if len(one) >= _SHORTEST_SECRET), key=len, reverse=True)


def mask(text: t.Any, secrets: t.Sequence[str]) -> str:
    """`text` without any of `secrets`."""
    shown = str(text)
    for secret in secrets:
        shown = shown.replace(secret, MASK)
    return shown
