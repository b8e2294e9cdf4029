#!/usr/bin/python
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: docker_state
short_description: See what Docker is on a host, and what it does
version_added: 0.1.0
description:
  - The one look of the role P(gonogo.preflight.docker#role), which then does only what is missing.
  - An engine that is stopped is not started by being asked.
author:
  - gonogo.preflight maintainers (@gonogo-preflight)
options:
  packages:
    description: Packages of which is told whether they are installed.
    type: list
    elements: str
    default: []
  key:
    description: The file with the key of Docker's own package source.
    type: path
    default: /etc/apt/keyrings/docker.asc
extends_documentation_fragment:
  - gonogo.preflight.attributes.looks
  - gonogo.preflight.attributes.debian
  - ansible.builtin.action_common_attributes
"""

EXAMPLES = r"""
- name: See what Docker does
  gonogo.preflight.docker_state:
    packages: [docker.io, docker-ce]
  register: docker

- name: Say why the engine needs a restart
  ansible.builtin.debug:
    var: docker.unapplied
"""

RETURN = r"""
packages:
  description: Those of O(packages) that are installed.
  returned: success
  type: list
  elements: str
broken:
  description: Packages that dpkg began with and has not finished.
  returned: success
  type: list
  elements: str
snap:
  description: What the Docker of a snap has left.
  returned: success
  type: list
  elements: str
active:
  description: Whether docker.service runs.
  returned: success
  type: bool
enabled:
  description: Whether it is started at boot.
  returned: success
  type: bool
given_up:
  description: Whether it failed, so that systemd may refuse to start it again.
  returned: success
  type: bool
answers:
  description: Whether the engine answers.
  returned: success
  type: bool
version:
  description: Version of the engine that runs; empty where none does.
  returned: success
  type: str
compose_version:
  description: Version of the Compose plugin; V(0) where there is none, or no engine runs.
  returned: success
  type: str
running:
  description: Number of running containers.
  returned: success
  type: int
live_restore:
  description: Whether they outlive a restart of the engine.
  returned: success
  type: bool
daemon:
  description: Content of C(/etc/docker/daemon.json); empty where there is none.
  returned: success
  type: str
unapplied:
  description: Where the engine that runs does something else than the file says.
  returned: success
  type: list
  elements: str
  sample: ["live-restore is true in the file, false in the engine"]
timer:
  description: C(active) and C(enabled) of the timer that removes what no release needs.
  returned: success
  type: dict
pruned:
  description: Whether its service has ever succeeded.
  returned: success
  type: bool
fingerprints:
  description: Fingerprints of the keys in O(key).
  returned: success
  type: list
  elements: str
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.gonogo.preflight.plugins.module_utils._docker_state import StateError, look

SPEC = {
    "packages": {"type": "list", "elements": "str", "default": []},
    "key": {"type": "path", "default": "/etc/apt/keyrings/docker.asc", "no_log": False},
}


def main():
    module = AnsibleModule(argument_spec=SPEC, supports_check_mode=True)

    def run(command):
        return module.run_command(list(command), environ_update={"LC_ALL": "C", "LANGUAGE": "C"})

    try:
        module.exit_json(changed=False, **look(run, packages=module.params["packages"], key=module.params["key"]))
    except StateError as error:
        module.fail_json(msg="Docker: %s" % error)


if __name__ == "__main__":
    main()
