# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import typing as t

from ansible.errors import AnsibleActionFail

from ansible_collections.gonogo.preflight.plugins.plugin_utils._action import PreflightAction, mask
from ansible_collections.gonogo.preflight.plugins.plugin_utils._gate import refusal, take_verdict
from ansible_collections.gonogo.preflight.plugins.plugin_utils._release import Releases


class ActionModule(PreflightAction):
    """Take the verdict of door live and, on NO-GO, put the previous release back."""

    OPTIONS = {
        "project": {"type": "str", "required": True},
        "directory": {"type": "path", "required": True},
        "wait": {"type": "int", "default": 120},
    }

    def act(self) -> dict[str, t.Any]:
        self.assert_own_connection()
        # In check mode nothing was started, so there is nothing to confirm.
        if self._task.check_mode:
            return {"changed": False, "msg": "nothing was started in check mode"}
        verdict = take_verdict(self, "live")
        if verdict.go:
            return {"changed": False, "verdict": verdict.word, "answers": len(verdict.rows)}
        event = next((one for one in self.current_run().events("release.") if one["host"] == self.host), {})
        if event.get("outcome") != "started" or event["previous"] == event["release"]:
            raise AnsibleActionFail("%s\nThis run started nothing new, so nothing was put back." % refusal(verdict))
        releases = Releases(self, self.options["project"], self.options["directory"], self.options["wait"])
        ending = mask(releases.put_back(event["previous"], event["release"]), self.secrets_of(self.host))
        message = "release %s failed after it was started; %s" % (event["release"], ending)
        outcome = "put_back" if event["previous"] else "removed"
        self.current_run().put_event("release.%s" % self.host, dict(event, outcome=outcome, message=message))
        raise AnsibleActionFail("%s\n%s" % (message, refusal(verdict)))
