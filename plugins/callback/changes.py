# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
name: changes
type: aggregate
short_description: Writes down what a run in check mode would change, by the names of things
version_added: 0.1.0
description:
  - Writes C(changes.json) into the directory of the run below C(reports/), for runs in check mode.
  - Things are named (a file, a unit, a package, a firewall rule); neither their content nor a diff is written.
  - The role P(gonogo.preflight.drift#role) enables it for its runs.
requirements:
  - C(callbacks_enabled = gonogo.preflight.changes) in ansible.cfg
author:
  - gonogo.preflight maintainers (@gonogo-preflight)
"""

import typing as t
from dataclasses import asdict

from ansible import context
from ansible.plugins.callback import CallbackBase

from ansible_collections.gonogo.preflight.plugins.plugin_utils._changes import Change, changes_of, merged
from ansible_collections.gonogo.preflight.plugins.plugin_utils._context import current_run
from ansible_collections.gonogo.preflight.plugins.plugin_utils._run import write_json


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "gonogo.preflight.changes"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self, *args: t.Any, **kwargs: t.Any) -> None:
        super().__init__(*args, **kwargs)
        self._changes: list[Change] = []
        self._unreachable: dict[str, str] = {}

    def v2_runner_on_ok(self, result: t.Any) -> None:
        if result.result.get("changed"):
            task = result.task
            role = task._role.get_name().rpartition(".")[2] if task._role else ""
            action = str(task.resolved_action or task.action)
            self._changes += changes_of(result.host.get_name(), role, task.name, action, result.result, task.args)

    def v2_runner_on_unreachable(self, result: t.Any) -> None:
        self._unreachable[result.host.get_name()] = " ".join(str(result.result.get("msg", "")).split())

    def v2_playbook_on_stats(self, stats: t.Any) -> None:
        if context.CLIARGS.get("check"):
            found = {"changes": [asdict(one) for one in merged(self._changes)], "unreachable": self._unreachable}
            write_json(current_run(main_process=True).path("changes.json"), found)
