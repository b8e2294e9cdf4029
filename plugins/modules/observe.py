#!/usr/bin/python
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: observe
short_description: Look at a host for the items of a checklist
version_added: 0.1.0
description:
  - The part of M(gonogo.preflight.verify) that runs on the host. It observes and returns plain data; it judges nothing
    and never changes the host.
  - Not meant to be called from a playbook; M(gonogo.preflight.verify) calls it once a host.
author:
  - gonogo.preflight maintainers (@gonogo-preflight)
options:
  items:
    description:
      - JSON list of items, each with C(id), C(subject), C(probe), C(with) and C(limit) (seconds).
      - One string, so that nothing of it reaches the journal of the host.
    type: str
    required: true
  secrets:
    description:
      - JSON mapping of the names by which items mean secrets to the secrets.
    type: str
    default: '{}'
seealso:
  - module: gonogo.preflight.verify
"""

EXAMPLES = r"""
- name: See what the hardware probe observes, while developing it
  gonogo.preflight.observe:
    items: '[{"id": "infra.cpu.cores", "subject": "app1", "probe": "hardware", "with": {"fact": "cpu_cores"}}]'
"""

RETURN = r"""
answers:
  description:
    - One answer for each item, with C(id), C(subject) and C(seconds).
    - With C(value) and C(evidence) when the probe could look, with C(error) and C(remedy) when it could not.
  returned: always
  type: list
  elements: dict
  sample: [{id: infra.cpu.cores, subject: app1, value: 24, evidence: processors online, seconds: 0.001}]
"""

import json

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.gonogo.preflight.plugins.module_utils._engine import observe


def main():
    module = AnsibleModule(
        argument_spec={
            "items": {"type": "str", "required": True, "no_log": True},
            "secrets": {"type": "str", "default": "{}", "no_log": True},
        },
        supports_check_mode=True,
    )
    module.exit_json(changed=False, answers=observe(json.loads(module.params["items"]), secrets=json.loads(module.params["secrets"])))


if __name__ == "__main__":
    main()
