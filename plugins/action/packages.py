# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import typing as t

from ansible.errors import AnsibleActionFail

from ansible_collections.gonogo.preflight.plugins.plugin_utils._action import PreflightAction
from ansible_collections.gonogo.preflight.plugins.plugin_utils._packages import (
    ENVIRONMENT,
    UPDATE,
    OutageError,
    failure,
    installed,
    is_of_sources,
    is_unlisted,
    question,
)


class ActionModule(PreflightAction):
    """Install what dpkg does not have. A host that has it all is asked nothing of apt, whose sources may be out of reach."""

    _requires_connection = True
    OPTIONS = {
        "names": {"type": "list", "elements": "str", "required": True},
        "known": {"type": "list", "elements": "str"},
    }

    def act(self) -> dict[str, t.Any]:
        missing = self._missing(self.options["names"], self.options["known"])
        if not missing:
            return {"changed": False, "missing": [], "absent": False}
        done = self._install(missing)
        failed = bool(done.get("failed"))
        unlisted = failed and self._task.check_mode and is_unlisted(str(done.get("msg", "")))
        if failed and not unlisted:
            raise AnsibleActionFail(failure(missing, self._reason(str(done.get("msg", "")))))
        changed = unlisted or bool(done.get("changed"))
        return {"changed": changed, "missing": missing, "absent": bool(self._task.check_mode and changed), "stdout": str(done.get("stdout", ""))}

    def _missing(self, names: t.Sequence[str], known: t.Optional[t.Sequence[str]]) -> list[str]:
        """Those of `names` that are not installed; `known` are the installed ones, None where nobody has asked."""
        if known is None and names:
            answer = self._low_level_execute_command(question(names))
            try:
                known = sorted(installed(answer["rc"], answer["stdout"], answer["stderr"]))
            except OutageError as error:
                raise AnsibleActionFail(str(error)) from None
        return [name for name in names if name not in (known or ())]

    def _reason(self, message: str) -> str:
        """`message`, with the words of apt where it is about its sources."""
        if not is_of_sources(message):
            return message
        said = self._low_level_execute_command(UPDATE)["stdout"].split()
        return "%s %s" % (message.strip(), " ".join(said))

    def _install(self, names: t.Sequence[str]) -> dict[str, t.Any]:
        self._task.environment = [*(self._task.environment or []), ENVIRONMENT]
        options = {"name": list(names), "install_recommends": False, "update_cache": True, "cache_valid_time": 86400, "lock_timeout": 300}
        return dict(self._execute_module(module_name="ansible.builtin.apt", module_args=options, task_vars=self.task_vars))
