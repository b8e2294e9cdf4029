#!/usr/bin/python
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: firewall_check
short_description: Check UFW, what a host has open, and fail2ban, without a checklist
version_added: 0.1.0
description:
  - Asks what items of area C(firewall), and C(net.exposure.reviewed), ask of the host itself, with the same probes, and judges it by
    the same rules as M(gonogo.preflight.verify). It is for playbooks of your own; the gate needs no such task.
  - Defaults are the expectations of the catalogue. Those of a checklist are what the lookup
    P(gonogo.preflight.threshold#lookup) returns.
  - What another host reaches cannot be asked here; C(fw.others.blocked) does.
  - Nothing is changed.
author:
  - gonogo.preflight maintainers (@gonogo-preflight)
options:
  rules:
    description: The ports that are open, as the filter P(gonogo.preflight.exposure_rules#filter) returns them.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: The entry of C(preflight_exposure).
        type: str
        default: ''
      port:
        description: The port.
        type: int
        required: true
      protocol:
        description: The protocol.
        type: str
        choices: [tcp, udp]
        default: tcp
      source:
        description: V(any) or a CIDR.
        type: str
        required: true
      publisher:
        description: Whether a service of the host or a container of Docker has the port.
        type: str
        choices: [host, docker]
        default: host
  container_networks:
    description: CIDRs of the networks of Docker's containers, as M(gonogo.preflight.ufw_exposure) got them.
    type: list
    elements: str
    default: []
  logging:
    description: UFW's level of logging.
    type: str
    choices: ['off', low, medium, high, full]
    default: low
  jails:
    description: Jails of fail2ban that have to ban. None is asked about where the list is empty.
    type: list
    elements: str
    default: [sshd]
  max_retries:
    description: Failures after which each of them has to ban, at most.
    type: int
    default: 5
extends_documentation_fragment:
  - gonogo.preflight.check
  - gonogo.preflight.attributes.looks
  - gonogo.preflight.attributes.debian
  - ansible.builtin.action_common_attributes
"""

EXAMPLES = r"""
- name: Stop where something is open that nobody declared
  gonogo.preflight.firewall_check:
    rules: "{{ preflight_exposure | gonogo.preflight.exposure_rules(inventory_hostname, groups, hostvars, docker_address_pool) }}"
    container_networks: ["{{ docker_address_pool }}"]

- name: See what is wrong with a host that has no fail2ban
  gonogo.preflight.firewall_check:
    rules:
      - {port: 22, source: any}
      - {port: 5432, source: 192.0.2.0/24}
    jails: []
    enforce: false
  register: firewall

- name: Name what is not met
  ansible.builtin.debug:
    msg: "{{ firewall.results | rejectattr('status', 'equalto', 'pass') | map(attribute='observed') }}"
"""

RETURN = r"""
passed:
  description: Whether every item was looked at and met.
  returned: always
  type: bool
results:
  description:
    - One result for each item, with C(id), C(status) (V(pass), V(fail) or V(error)), C(observed), C(expected), C(evidence), C(error) and
      C(remedy), in the words of a report.
  returned: always
  type: list
  elements: dict
  sample:
    - {id: fw.ufw.logging, status: pass, observed: low, expected: equals low, evidence: /etc/ufw/ufw.conf, error: '', remedy: ''}
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.gonogo.preflight.plugins.module_utils._check import checked
from ansible_collections.gonogo.preflight.plugins.module_utils._firewall_check import checks_of

RULE = {
    "name": {"type": "str", "default": ""},
    "port": {"type": "int", "required": True},
    "protocol": {"type": "str", "choices": ["tcp", "udp"], "default": "tcp"},
    "source": {"type": "str", "required": True},
    "publisher": {"type": "str", "choices": ["host", "docker"], "default": "host"},
}
SPEC = {
    "rules": {"type": "list", "elements": "dict", "required": True, "options": RULE},
    "container_networks": {"type": "list", "elements": "str", "default": []},
    "logging": {"type": "str", "choices": ["off", "low", "medium", "high", "full"], "default": "low"},
    "jails": {"type": "list", "elements": "str", "default": ["sshd"]},
    "max_retries": {"type": "int", "default": 5},
    "enforce": {"type": "bool", "default": True},
}


def main():
    module = AnsibleModule(argument_spec=SPEC, supports_check_mode=True)
    result = checked(checks_of(module.params), enforce=module.params["enforce"])
    (module.fail_json if result["failed"] else module.exit_json)(**result)


if __name__ == "__main__":
    main()
