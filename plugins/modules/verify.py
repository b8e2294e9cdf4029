#!/usr/bin/python
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: verify
short_description: Ask a host the items of the checklist that it must answer
version_added: 0.1.0
description:
  - Selects what this host must answer, asks all of it in one call, compares the observations with the expectations on
    the controller, and writes the results to the spool of this run, from which the gate decides.
  - Never changes the host. An item that is not met does not fail the task; M(gonogo.preflight.gate) and
    M(gonogo.preflight.release) do, for the whole fleet.
  - The checklist is named in C(policy/<environment>/gate.yml), not by an option, so that it is part of reviewed data.
author:
  - gonogo.preflight maintainers (@gonogo-preflight)
options:
  door:
    description: V(start) asks the items of stage C(host), V(live) those of the stages C(candidate) and C(live).
    type: str
    choices: [start, live]
    default: start
  vantage:
    description:
      - V(host) asks what this host answers about itself, and what the controller sees of it.
      - V(outside) asks this host what it sees of the others.
    type: str
    choices: [host, outside]
    default: host
  ongoing:
    description: Ask also the items of the stages C(watch) and C(ongoing), which hold no door shut.
    type: bool
    default: false
notes:
  - Runs the same in check mode.
seealso:
  - module: gonogo.preflight.gate
  - module: gonogo.preflight.release
"""

EXAMPLES = r"""
- name: Ask every host its items
  gonogo.preflight.verify:

- name: Look at every host from another one
  gonogo.preflight.verify:
    vantage: outside
  become: false
  ignore_unreachable: true
"""

RETURN = r"""
counts:
  description:
    - How many items this task asked, by status.
    - Those C(to compare) are judged when the gate decides, from the answers of all hosts.
  returned: always
  type: dict
  sample: {pass: 18, fail: 1, error: 0, to compare: 1}
"""
