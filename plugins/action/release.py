# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import typing as t

from ansible.errors import AnsibleActionFail

from ansible_collections.gonogo.preflight.plugins.plugin_utils._action import PreflightAction, mask
from ansible_collections.gonogo.preflight.plugins.plugin_utils._gate import refusal, take_verdict
from ansible_collections.gonogo.preflight.plugins.plugin_utils._release import Releases


class ActionModule(PreflightAction):
    """Take the verdict of door start and, on GO, start the release in the same action: no task comes between."""

    OPTIONS = {
        "project": {"type": "str", "required": True},
        "directory": {"type": "path", "required": True},
        "release": {"type": "str", "required": True},
        "wait": {"type": "int", "default": 120},
    }

    def act(self) -> dict[str, t.Any]:
        self.assert_own_connection()
        wanted = self.options["release"]
        verdict = take_verdict(self, "start")
        if not verdict.go:
            raise AnsibleActionFail(refusal(verdict))
        # Compose's check mode builds and pulls, so it is not asked.
        if self._task.check_mode:
            return {"changed": True, "msg": "GO: would start release %s" % wanted}
        releases = Releases(self, self.options["project"], self.options["directory"], self.options["wait"])
        previous = releases.confirmed()
        self._record("starting", previous)
        started = releases.start(wanted)
        if started.get("failed"):
            raise AnsibleActionFail(self._undo(releases, previous, started, "did not become healthy within %d s" % self.options["wait"]))
        served = releases.serve(wanted)
        if served.get("failed"):
            raise AnsibleActionFail(self._undo(releases, previous, served, "could not be put behind nginx"))
        changed = bool(started.get("changed") or served.get("changed"))
        self._record("started" if changed else "unchanged", previous)
        return {"changed": changed, "verdict": verdict.word, "release": wanted, "previous": previous}

    def _record(self, outcome: str, previous: str, message: str = "") -> None:
        event = {"host": self.host, "release": self.options["release"], "previous": previous, "outcome": outcome, "message": message}
        self.current_run().put_event("release.%s" % self.host, event)

    def _undo(self, releases: Releases, previous: str, result: dict[str, t.Any], what: str) -> str:
        wanted = self.options["release"]
        secrets = self.secrets_of(self.host)
        reason = mask(result.get("msg") or "no reason given", secrets)
        if previous == wanted:
            outcome, ending = "unhealthy", "it is the release that was confirmed last, so nothing was put back"
        else:
            outcome, ending = ("put_back" if previous else "removed"), mask(releases.put_back(previous, wanted), secrets)
        message = "release %s %s (%s); %s" % (wanted, what, reason.strip(), ending)
        self._record(outcome, previous, message)
        return message
