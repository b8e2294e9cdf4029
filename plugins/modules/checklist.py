#!/usr/bin/python
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: checklist
short_description: List what the checklist asks, or explain one item
version_added: 0.1.0
description:
  - Reads catalogue, policy and every checklist in reach, the project's own and those of the collection, and fails with file,
    line and item of the first mistake.
  - Fills in what the items of this inventory's checklist ask with, for each of its hosts and from the variables of the inventory. After
    the list it fails with every item that cannot be asked, such as for an undefined variable or a credential that is not there.
  - Without O(item) it lists what the checklist of this inventory asks, by area, with what is expected and of whom. With it, it
    says why the item is asked, what is expected and where that comes from, which role and variable set it, how it is probed
    and what mends it.
  - Runs once, on the controller, and connects to no host.
author:
  - gonogo.preflight maintainers (@gonogo-preflight)
options:
  item:
    description: The id of an item of the checklist, such as V(redis.aof).
    type: str
    default: ''
"""

EXAMPLES = r"""
- name: Say why Redis must keep its data
  gonogo.preflight.checklist:
    item: redis.aof
"""

RETURN = r"""
lines:
  description: What was said, line by line.
  returned: success
  type: list
  elements: str
  sample: ['redis.aof: Redis keeps its data across a restart (append-only file)', '  why       Memory alone is lost with the process.']
"""
