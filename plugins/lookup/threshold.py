# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
name: threshold
short_description: The value that the checklist expects of an item
version_added: 0.1.0
description:
  - Returns the operand of an item's expectation, so that a role sets exactly what its check expects.
  - The value is the inventory's (C(preflight_thresholds)) where it has one, else the checklist's, else the catalogue's.
  - The checklist is the one named in C(policy/<environment>/gate.yml) of the inventory in use.
author:
  - gonogo.preflight maintainers (@gonogo-preflight)
options:
  _terms:
    description: Ids of items of the catalogue.
    required: true
    type: list
    elements: str
"""

EXAMPLES = r"""
- name: Show the memory limit that Redis gets
  ansible.builtin.debug:
    msg: "{{ lookup('gonogo.preflight.threshold', 'redis.maxmemory') }}"
"""

RETURN = r"""
_raw:
  description: The operand of each item's expectation, such as V(2GB) where it must equal 2GB.
  type: list
  elements: raw
"""

from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase

from ansible_collections.gonogo.preflight.plugins.module_utils._expect import OPERATORS, text
from ansible_collections.gonogo.preflight.plugins.plugin_utils._context import load_project
from ansible_collections.gonogo.preflight.plugins.plugin_utils._yaml import InputError, nearest


class LookupModule(LookupBase):
    def run(self, terms, variables=None, **kwargs):
        self.set_options(var_options=variables, direct=kwargs)
        try:
            project = load_project()
        except InputError as error:
            raise AnsibleLookupError(str(error)) from None
        chosen = {item.id: item for item in project.items}
        thresholds = self._templar.template((variables or {}).get("preflight_thresholds", {}))
        values = []
        for term in terms:
            item = chosen.get(term) or project.catalogue.get(term)
            if item is None:
                raise AnsibleLookupError("no item %r in the catalogue; %s" % (term, nearest(term, project.catalogue)))
            if item.attest:
                raise AnsibleLookupError("%s is answered by people and has no threshold" % term)
            expectation = thresholds.get(term, item.expect)
            if "all_of" in expectation:
                raise AnsibleLookupError("%s has no single value, but %s; set one under preflight_thresholds" % (term, text(expectation)))
            values.append(next(expectation[name] for name in OPERATORS if name in expectation))
        return values
