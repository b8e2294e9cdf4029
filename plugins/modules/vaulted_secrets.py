#!/usr/bin/python
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: vaulted_secrets
short_description: Make passwords once, into a vaulted variables file
version_added: 0.1.0
description:
  - Makes a Vault password file and a variables file encrypted with it, which holds a random password for each name.
  - Runs on the controller. No password is shown, or passes through an argument, a variable or a temporary file.
  - Files that exist are never replaced. Where only one of the two exists, the module fails and changes nothing.
author:
  - gonogo.preflight maintainers (@gonogo-preflight)
attributes:
  check_mode:
    support: full
    description: Says whether the files would be made.
  diff_mode:
    support: none
    description: The files are not shown.
  platform:
    description: The files are made on the controller.
    support: full
    platforms: posix
extends_documentation_fragment:
  - ansible.builtin.action_common_attributes
options:
  path:
    description: The variables file.
    type: path
    required: true
  password_file:
    description: The file that holds the Vault password; its owner alone can read it.
    type: path
    required: true
  names:
    description: The variables.
    type: list
    elements: str
    required: true
  length:
    description: Letters and digits of each password.
    type: int
    default: 40
"""

EXAMPLES = r"""
- name: Make the passwords of an environment
  gonogo.preflight.vaulted_secrets:
    path: launch/prod/group_vars/all/secrets.yml
    password_file: launch/.vault-password
    names: [postgresql_password, redis_password]
"""

RETURN = r"""
names:
  description: The variables that the new file holds.
  returned: when the files were made
  type: list
  elements: str
"""
