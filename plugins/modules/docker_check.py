#!/usr/bin/python
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: docker_check
short_description: Check Docker and a Compose file, without a checklist
version_added: 0.1.0
description:
  - Asks what the items of areas C(docker) and C(compose) ask, with the same probes, and judges it by the same rules as
    M(gonogo.preflight.verify). It is for playbooks of your own; the gate needs no such task.
  - Defaults are the expectations of the catalogue. Those of a checklist are what the lookup
    P(gonogo.preflight.threshold#lookup) returns.
  - Nothing is changed or started, and no value of an environment file is in any output.
author:
  - gonogo.preflight maintainers (@gonogo-preflight)
requirements:
  - docker (Python library) on the host
  - the Compose plugin, for O(compose_file)
options:
  minimum_version:
    description: Oldest acceptable version of the engine.
    type: str
    default: '24.0'
  compose_minimum_version:
    description: Oldest acceptable version of the Compose plugin.
    type: str
    default: '2.20'
  log_max_size:
    description: Size at which a container's log has to be rotated at the latest.
    type: str
    default: 100MB
  pruned_within:
    description:
      - How long ago the timer of the role P(gonogo.preflight.docker#role) may have removed last what no release needs.
      - Empty where something else does that; the timer is then not asked for.
    type: str
    default: 2d
  compose_file:
    description:
      - A Compose file on the host whose services are checked. That of the release that serves is
        C(/opt/gonogo/PROJECT/current/compose.yml).
      - Without it, no service is.
    type: path
  resources:
    description: Resources of which every service of O(compose_file) needs a limit.
    type: list
    elements: str
    choices: [memory, cpu]
    default: [memory, cpu]
  declared:
    description:
      - Ports that services of O(compose_file) may publish to others than the host itself, as the filter
        P(gonogo.preflight.exposure_rules#filter) returns them. Those with C(publisher) V(docker) count.
    type: list
    elements: dict
    default: []
extends_documentation_fragment:
  - gonogo.preflight.check
  - gonogo.preflight.attributes.looks
  - gonogo.preflight.attributes.debian
  - ansible.builtin.action_common_attributes
"""

EXAMPLES = r"""
- name: Stop where Docker is not as the catalogue wants it
  gonogo.preflight.docker_check:

- name: See what is wrong with the services of a Compose file
  gonogo.preflight.docker_check:
    minimum_version: "{{ lookup('gonogo.preflight.threshold', 'docker.version') }}"
    compose_file: /srv/app/compose.yml
    declared: "{{ preflight_exposure | gonogo.preflight.exposure_rules(inventory_hostname, groups, hostvars) }}"
    enforce: false
  register: docker

- name: Name what is not met
  ansible.builtin.debug:
    msg: "{{ docker.results | rejectattr('status', 'equalto', 'pass') | map(attribute='id') }}"
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
    - {id: docker.version, status: pass, observed: 26.1.5, expected: at least 24.0, evidence: GET /version of the engine, error: '', remedy: ''}
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.gonogo.preflight.plugins.module_utils._check import checked
from ansible_collections.gonogo.preflight.plugins.module_utils._docker_check import checks_of

SPEC = {
    "minimum_version": {"type": "str", "default": "24.0"},
    "compose_minimum_version": {"type": "str", "default": "2.20"},
    "log_max_size": {"type": "str", "default": "100MB"},
    "pruned_within": {"type": "str", "default": "2d"},
    "compose_file": {"type": "path"},
    "resources": {"type": "list", "elements": "str", "choices": ["memory", "cpu"], "default": ["memory", "cpu"]},
    "declared": {"type": "list", "elements": "dict", "default": []},
    "enforce": {"type": "bool", "default": True},
}


def main():
    module = AnsibleModule(argument_spec=SPEC, supports_check_mode=True)
    result = checked(checks_of(module.params), enforce=module.params["enforce"])
    (module.fail_json if result["failed"] else module.exit_json)(**result)


if __name__ == "__main__":
    main()
