# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A callback that records when each task began, and each module that a host was sent, as lines of JSON in $GONOGO_RECORD.

Modules are counted where Ansible sends them, since one task may send several: `copy` asks for the file before it brings one.
"""

from __future__ import annotations

import json
import os
import time
import typing as t

from ansible.plugins.action import ActionBase
from ansible.plugins.callback import CallbackBase

DOCUMENTATION = r"""
name: recorder
type: aggregate
short_description: Records tasks and module calls for the benchmark
description:
  - Writes to the file that the environment variable E(GONOGO_RECORD) names.
"""

_sent = ActionBase._execute_module


def _record(**fields: t.Any) -> None:
    # Workers are processes of their own; a line as short as this is appended in one piece.
    with open(os.environ["GONOGO_RECORD"], "a", encoding="utf-8") as file:
        file.write(json.dumps(fields) + "\n")


def _role(task: t.Any) -> str:
    return str(task._role.get_name()).rpartition(".")[2] if task._role else ""


def _execute_module(self: t.Any, *arguments: t.Any, **options: t.Any) -> t.Any:
    began = time.monotonic()
    try:
        return _sent(self, *arguments, **options)
    finally:
        module = options.get("module_name") or self._task.action
        _record(event="call", role=_role(self._task), task=self._task.name, module=module, seconds=time.monotonic() - began)


ActionBase._execute_module = _execute_module


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "recorder"
    CALLBACK_NEEDS_ENABLED = True

    def v2_playbook_on_task_start(self, task: t.Any, is_conditional: bool) -> None:
        _record(event="task", role=_role(task), task=task.name, at=time.monotonic())

    def v2_playbook_on_stats(self, stats: t.Any) -> None:
        changed = sum(stats.summarize(host)["changed"] for host in stats.processed)
        _record(event="end", changed=changed, at=time.monotonic())
