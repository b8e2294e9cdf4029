# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import typing as t

from ansible.errors import AnsibleActionFail

from ansible_collections.gonogo.preflight.plugins.plugin_utils._action import PreflightAction, mask
from ansible_collections.gonogo.preflight.plugins.plugin_utils._gate import refusal, take_verdict
from ansible_collections.gonogo.preflight.plugins.plugin_utils._release import Releases


class ActionModule(PreflightAction):
    """Take the verdict of door live: confirm the release that this run started, or put the last confirmed one back."""

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
        event = next((one for one in self.current_run().events("release.") if one["host"] == self.host), {})
        serving = event["release"] if event.get("outcome") in ("started", "unchanged") else ""
        releases = Releases(self, self.options["project"], self.options["directory"], self.options["wait"])
        if not verdict.go:
            raise AnsibleActionFail(self._put_back(releases, event, serving, refusal(verdict)))
        confirmed = releases.confirm(serving) if serving else {}
        if confirmed.get("failed"):
            raise AnsibleActionFail("release %s passed door live and could not be confirmed: %s" % (serving, confirmed.get("msg")))
        return {"changed": bool(confirmed.get("changed")), "verdict": verdict.word, "answers": len(verdict.rows), "confirmed": serving}

    def _put_back(self, releases: Releases, event: dict[str, t.Any], serving: str, why: str) -> str:
        if not serving:
            return "%s\nThis run started no release, so nothing was put back." % why
        previous = releases.confirmed()
        if previous == serving:
            return "%s\nRelease %s is the one that was confirmed last, so nothing was put back." % (why, serving)
        ending = mask(releases.put_back(previous, serving), self.secrets_of(self.host))
        message = "release %s failed after it was started; %s" % (serving, ending)
        outcome = "put_back" if previous else "removed"
        self.current_run().put_event("release.%s" % self.host, dict(event, previous=previous, outcome=outcome, message=message))
        return "%s\n%s" % (message, why)
