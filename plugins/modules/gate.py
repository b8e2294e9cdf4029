#!/usr/bin/python
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: gate
short_description: Fail unless every item of the checklist is answered and met
version_added: 0.1.0
description:
  - Decides GO or NO-GO from the checklist, the inventory's groups and the answers of this run, and fails on NO-GO.
  - The hosts that must have answered come from reviewed data, never from the hosts that are left in the play.
  - Takes no host; it runs once, on the controller, for the whole play.
author:
  - gonogo.preflight maintainers (@gonogo-preflight)
options:
  door:
    description: V(start) decides whether a release may be started, V(live) whether the one that serves may stay.
    type: str
    choices: [start, live]
    default: start
seealso:
  - module: gonogo.preflight.verify
  - module: gonogo.preflight.release
"""

EXAMPLES = r"""
- name: Stop here unless the fleet is ready
  gonogo.preflight.gate:
"""

RETURN = r"""
verdict:
  description: The word of the verdict; a NO-GO fails the task instead.
  returned: success
  type: str
  sample: GO
answers:
  description: How many answers the verdict was taken over.
  returned: success
  type: int
  sample: 31
"""
