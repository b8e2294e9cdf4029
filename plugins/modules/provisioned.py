#!/usr/bin/python
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: provisioned
short_description: Record how far provisioning has come on a host
version_added: 0.1.0
description:
  - The gate asks for it as the built-in item C(run.provisioned), so that a host whose roles did not run to their end is
    verified all the same and holds the gate shut under the name of the task that failed.
author:
  - gonogo.preflight maintainers (@gonogo-preflight)
options:
  state:
    description:
      - V(begun) before the first role, V(finished) after the last handler, V(failed) in a rescue.
      - V(begun) drops every answer that the run has so far, because it was given by hosts as they were before.
      - V(asserted) fails where the record of this run is anything but finished; for playbooks that do not go through the gate.
    type: str
    choices: [begun, finished, failed, asserted]
    required: true
  task:
    description: Name of the task that failed.
    type: str
    default: ''
  message:
    description: What it said; secrets of the host's variables are masked and at most 500 characters are kept.
    type: str
    default: ''
"""

EXAMPLES = r"""
- name: Provision, and record how it ended
  block:
    - name: Record that provisioning began
      gonogo.preflight.provisioned:
        state: begun
    - name: Configure the operating system
      ansible.builtin.include_role:
        name: gonogo.preflight.os
    - name: Record that provisioning ended
      gonogo.preflight.provisioned:
        state: finished
  rescue:
    - name: Record the task that failed
      gonogo.preflight.provisioned:
        state: failed
        task: "{{ ansible_failed_task.name }}"
        message: "{{ ansible_failed_result.msg }}"
"""

RETURN = r"""#"""
