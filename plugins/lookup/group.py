# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
name: group
short_description: The hosts of a group, by the checklist's name for it
version_added: 0.1.0
description:
  - Returns the hosts of the groups that C(preflight_groups) maps the name to, or of the inventory's own group of this name.
  - Reads the inventory alone, whatever facts, plays or the command line say, and the whole of it, whatever C(--limit) says.
    The playbooks of the collection choose their hosts with it, so that a host is configured as what it is asked as.
  - A name that is neither mapped nor a group has no hosts.
  - "A play takes its hosts from it as C(hosts: \"{{ query('gonogo.preflight.group', 'app') }}\")."
author:
  - gonogo.preflight maintainers (@gonogo-preflight)
options:
  _terms:
    description: Names of groups as the checklist has them, such as V(app).
    required: true
    type: list
    elements: str
  managed:
    description: Whether hosts are among them that others manage (C(preflight_managed)), to which nobody logs in.
    type: bool
    default: true
seealso:
  - plugin: gonogo.preflight.exposure_rules
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Say which hosts serve the application
  ansible.builtin.debug:
    msg: "{{ query('gonogo.preflight.group', 'app') }}"

- name: Show the address of the database
  ansible.builtin.debug:
    msg: "{{ hostvars[query('gonogo.preflight.group', 'db') | first].preflight_address }}"
"""

RETURN = r"""
_raw:
  description: Inventory names, in the order of the inventory, each once.
  type: list
  elements: str
"""

from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase

from ansible_collections.gonogo.preflight.plugins.plugin_utils._context import inventory_seen_by
from ansible_collections.gonogo.preflight.plugins.plugin_utils._yaml import InputError


class LookupModule(LookupBase):
    def run(self, terms, variables=None, **kwargs):
        self.set_options(direct=kwargs)
        try:
            inventory = inventory_seen_by(variables or {}, self._loader)
            groups, left_out = inventory.groups_at_a_glance, () if self.get_option("managed") else inventory.managed
        except InputError as error:
            raise AnsibleLookupError(str(error)) from None
        return list(dict.fromkeys(host for term in terms for host in groups.get(term, ()) if host not in left_out))
