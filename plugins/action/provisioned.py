# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import typing as t

from ansible.errors import AnsibleActionFail

from ansible_collections.gonogo.preflight.plugins.plugin_utils._action import PreflightAction, mask
from ansible_collections.gonogo.preflight.plugins.plugin_utils._run import Provision


class ActionModule(PreflightAction):
    """Record how far provisioning has come on this host; the gate asks for it as the item run.provisioned."""

    OPTIONS = {
        "state": {"type": "str", "choices": ["begun", "finished", "failed", "asserted"], "required": True},
        "task": {"type": "str", "default": ""},
        "message": {"type": "str", "default": ""},
    }

    def act(self) -> dict[str, t.Any]:
        if self.options["state"] == "asserted":
            return self._assert_finished()
        secrets = self.secrets_of(self.host)
        message = mask(" ".join(self.options["message"].split()), secrets)[:500]
        run = self.current_run()
        if self.options["state"] == "begun":
            run.forget_answers()
        run.put_provision(Provision(self.host, self.options["state"], self.options["task"], message))
        return {"changed": False}

    def _assert_finished(self) -> dict[str, t.Any]:
        record = next((one for one in self.current_run().provisions() if one.host == self.host), None)
        if record is None:
            raise AnsibleActionFail("provisioning of %s did not begin" % self.host)
        if record.state != "finished":
            raise AnsibleActionFail("provisioning of %s stopped at task %r: %s" % (self.host, record.task or "unknown", record.message))
        return {"changed": False}
