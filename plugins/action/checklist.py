# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import typing as t

from ansible.errors import AnsibleActionFail

from ansible_collections.gonogo.preflight.plugins.plugin_utils._action import PreflightAction
from ansible_collections.gonogo.preflight.plugins.plugin_utils._askable import unaskable
from ansible_collections.gonogo.preflight.plugins.plugin_utils._context import every_checklist
from ansible_collections.gonogo.preflight.plugins.plugin_utils._explain import explanation, listing
from ansible_collections.gonogo.preflight.plugins.plugin_utils._yaml import nearest


class ActionModule(PreflightAction):
    """Say what the checklist asks, or everything about one item; what is wrong with any checklist in reach is said first."""

    BYPASS_HOST_LOOP = True
    OPTIONS = {"item": {"type": "str", "default": ""}}

    def act(self) -> dict[str, t.Any]:
        project, asked, name = self.project, self.questions(), self.options["item"]
        read = every_checklist()
        mistakes = unaskable(self, [one for one in asked if name in ("", one.item)])
        if name:
            item = next((one for one in project.items if one.id == name), None)
            if item is None:
                known = [one.id for one in project.items]
                aside = ", though the catalogue has it; take it in a checklist" if name in project.catalogue else "; " + nearest(name, known)
                raise AnsibleActionFail("checklist %s has no item %r%s" % (project.policy.checklist, name, aside))
            lines = explanation(item, asked)
        else:
            lines = ["checklist %s, environment %s" % (project.policy.checklist, project.environment), *listing(project.items, asked)]
            lines += ["", *("checklists disagree on %s" % one for one in project.disagreements)] if project.disagreements else []
            lines += [] if mistakes else ["", "read without a mistake: %s" % ", ".join(read)]
        for line in lines:
            self._display.display(line)
        if mistakes:
            raise AnsibleActionFail("%d mistakes; no host was touched:\n%s" % (len(mistakes), "\n".join("- " + one for one in mistakes)))
        return {"changed": False, "lines": lines}
