#!/usr/bin/python
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: packages
short_description: Have packages, without asking apt where they are installed
version_added: 0.1.0
description:
  - Asks dpkg which of O(names) are installed, and has apt install the others, with fresh lists of its sources.
  - A host that has them all converges although its package sources are out of reach. Where some are missing then, the task fails with the
    variables that mend it, and nothing that runs was touched.
  - Services are not restarted by Ubuntu's C(needrestart).
author:
  - gonogo.preflight maintainers (@gonogo-preflight)
options:
  names:
    description: Packages to have.
    type: list
    elements: str
    required: true
  known:
    description: Packages that are installed, where the run knows them already, such as the fact C(os_packages); then dpkg is not asked.
    type: list
    elements: str
attributes:
  check_mode:
    description: Says what would be installed.
    support: full
  diff_mode:
    description: Nothing is shown.
    support: none
extends_documentation_fragment:
  - gonogo.preflight.attributes.debian
  - ansible.builtin.action_common_attributes
seealso:
  - module: ansible.builtin.apt
"""

EXAMPLES = r"""
- name: Have nginx
  gonogo.preflight.packages:
    names: [nginx]
    known: "{{ os_packages | default(omit) }}"
"""

RETURN = r"""
missing:
  description: Those of O(names) that were not installed.
  returned: success
  type: list
  elements: str
  sample: [nginx]
stdout:
  description: What apt said, where it was asked.
  returned: success
  type: str
absent:
  description: Whether some of them are not there after all, since this was a dry run.
  returned: success
  type: bool
"""
