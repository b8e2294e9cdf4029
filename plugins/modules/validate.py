#!/usr/bin/python
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: validate
short_description: Check checklist, policy, inventory and role variables before any host is touched
version_added: 0.1.0
description:
  - Loads the checklist that C(policy/<environment>/gate.yml) names, the catalogue, the policy and the inventory of all
    hosts, and fails with the file, line and item of each mistake and what would be right. A file that cannot be used ends
    it at once; what is wrong with the run and the variables is told together.
  - A value that still holds the word UNDECIDED, in the inventory, the policy, the project's own checklists or its directory
    C(app), is named with its file, line and meaning. So are a release's Compose file, image and archive that cannot be used.
  - Runs once, on the controller, and connects to no host.
author:
  - gonogo.preflight maintainers (@gonogo-preflight)
options:
  gated:
    description:
      - Whether the playbook goes through the gate. If so, it accepts one inventory, the fleet that the policy names, and
        only the extra variables that the policy permits.
    type: bool
    default: true
  roles:
    description: The file of C(include_role) tasks that provisioning applies; their variables are checked for every host.
    type: path
    default: ''
  deploy:
    description: Whether the playbook deploys, so that the variables of the deploy role are checked too.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Validate before anything is touched
  gonogo.preflight.validate:
    roles: "{{ playbook_dir }}/tasks/provision.yml"
"""

RETURN = r"""#"""
