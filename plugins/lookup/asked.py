# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
name: asked
short_description: What a host is asked by way of its probes
version_added: 0.1.0
description:
  - Returns the items of the chosen checklist that a host is asked, about itself or, where it looks at others, about them.
  - It is known from checklist, policy and inventory alone, before any host is touched, so that a role can install what the probes
    of a host need, and nothing that no probe needs.
  - Items that people answer, that do not apply, or that no probe answers yet are not among them, nor are those of which the
    controller itself is asked.
author:
  - gonogo.preflight maintainers (@gonogo-preflight)
options:
  _terms:
    description: Inventory names of the hosts.
    required: true
    type: list
    elements: str
seealso:
  - plugin: gonogo.preflight.threshold
    plugin_type: lookup
  - plugin: gonogo.preflight.group
    plugin_type: lookup
"""

EXAMPLES = r"""
- name: Say which probes look at this host
  ansible.builtin.debug:
    msg: "{{ query('gonogo.preflight.asked', inventory_hostname) | map(attribute='probe') | unique | sort }}"
"""

RETURN = r"""
_raw:
  description: A mapping for each question, in the order of the checklist.
  type: list
  elements: dict
  contains:
    item:
      description: Id of the item.
      type: str
    probe:
      description: Kind of the probe that looks.
      type: str
    with:
      description: The arguments of the probe as the catalogue has them, templates not filled in.
      type: dict
"""

from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase

from ansible_collections.gonogo.preflight.plugins.plugin_utils._context import asked_on, inventory_seen_by, load_project
from ansible_collections.gonogo.preflight.plugins.plugin_utils._yaml import InputError


class LookupModule(LookupBase):
    def run(self, terms, variables=None, **kwargs):
        self.set_options(direct=kwargs)
        try:
            project, inventory = load_project(), inventory_seen_by(variables or {}, self._loader)
            asked = [item for host in terms for item in asked_on(project, inventory, host)]
        except InputError as error:
            raise AnsibleLookupError(str(error)) from None
        return [{"item": item.id, "probe": item.probe, "with": dict(item.arguments)} for item in asked]
