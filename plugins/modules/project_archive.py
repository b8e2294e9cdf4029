#!/usr/bin/python
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: project_archive
short_description: Pack a project for a host that is to run it by itself
version_added: 0.1.0
description:
  - Packs the directory of the inventory, its policy, the project's own checklists and this collection into one archive on
    the controller, in Ansible's temporary directory. The same content makes the same archive.
  - Vaulted files stay vaulted.
  - In the archive, each host is reached at C(drift_address), else C(preflight_address), else its C(ansible_host), at
    C(drift_port), else the port of C(preflight_exposure.ssh), else 22, by the user of the inventory; the operator's jump
    hosts, arguments of SSH, keys and SSH password are left out.
author:
  - gonogo.preflight maintainers (@gonogo-preflight)
options:
  connection:
    description: Variables that every host gets, the paths of the key and of the known hosts among them.
    type: dict
    default: {}
  include:
    description: More files and directories of the project, relative to it, that its inventory refers to.
    type: list
    elements: str
    default: []
attributes:
  check_mode:
    description: Does the same; it changes nothing on hosts.
    support: full
  diff_mode:
    description: Not applicable.
    support: none
  platform:
    description: Runs on the controller.
    support: full
    platforms: posix
extends_documentation_fragment:
  - ansible.builtin.action_common_attributes
"""

EXAMPLES = r"""
- name: Pack the project
  gonogo.preflight.project_archive:
    connection:
      ansible_ssh_private_key_file: /etc/gonogo-drift/id_ed25519
  register: packed
"""

RETURN = r"""
path:
  description: The archive on the controller; it is gone when the playbook ends.
  returned: success
  type: str
fingerprint:
  description: Fingerprint of the archive's content.
  returned: success
  type: str
collection:
  description: Version of this collection.
  returned: success
  type: str
  sample: 0.1.0
ways:
  description: C(host), C(port) and C(user) by which each host of the inventory is reached.
  returned: success
  type: dict
inventory:
  description: The inventory in the archive, as C(-i) names it.
  returned: success
  type: str
  sample: prod
environment:
  description: Name of the environment, which is that of its policy.
  returned: success
  type: str
  sample: prod
"""
