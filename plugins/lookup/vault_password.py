# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
name: vault_password
short_description: The passwords that open this run's vaults
version_added: 0.1.0
description:
  - Returns the vault passwords of this run, however they were given (a file, a script, a prompt), so that a control host
    can be given them. Use it only in tasks with C(no_log).
author:
  - gonogo.preflight maintainers (@gonogo-preflight)
options:
  _terms:
    description: Not used.
    required: false
"""

EXAMPLES = r"""
- name: Leave the vault passwords to the control host
  ansible.builtin.copy:
    content: "{{ item.password }}"
    dest: /etc/gonogo-drift/vault-{{ item.id }}
    mode: "0600"
  loop: "{{ query('gonogo.preflight.vault_password') }}"
  no_log: true
"""

RETURN = r"""
_raw:
  description: C(id) and C(password) of each vault identity.
  type: list
  elements: dict
"""

from ansible.plugins.lookup import LookupBase


class LookupModule(LookupBase):
    def run(self, terms, variables=None, **kwargs):
        self.set_options(var_options=variables, direct=kwargs)
        # The first one of an identity is the one that Ansible encrypts with; there is no public way to ask for them.
        found = {}
        for identity, secret in self._loader._vault.secrets or []:
            found.setdefault(str(identity), secret.bytes.decode())
        return [{"id": identity, "password": password} for identity, password in found.items()]
