# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import typing as t

from ansible.errors import AnsibleActionFail

from ansible_collections.gonogo.preflight.plugins.plugin_utils._action import PreflightAction
from ansible_collections.gonogo.preflight.plugins.plugin_utils._gate import refusal, take_verdict


class ActionModule(PreflightAction):
    """Fail for the whole play unless the verdict is GO."""

    BYPASS_HOST_LOOP = True
    OPTIONS = {"door": {"type": "str", "choices": ["start", "live"], "default": "start"}}

    def act(self) -> dict[str, t.Any]:
        verdict = take_verdict(self, self.options["door"])
        if not verdict.go:
            raise AnsibleActionFail(refusal(verdict))
        return {"changed": False, "verdict": verdict.word, "answers": len(verdict.rows)}
