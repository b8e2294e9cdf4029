#!/usr/bin/python
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: ufw_exposure
short_description: Have exactly the declared ports of a host open, without locking anybody out
version_added: 0.1.0
description:
  - Makes UFW deny incoming connections but those of O(rules), at boot and now, over IPv4 and IPv6. Rules that allow what
    is not declared are removed, rules that deny are left alone.
  - Ports that Docker publishes do not pass UFW; the chain C(DOCKER-USER), loaded with UFW's rules, holds them to the
    same declaration.
  - What is compared is UFW's own rules, its files, and the rules in the kernel.
  - Before anything is changed, a timer of systemd is armed that puts everything back after O(revert_after) seconds. It is
    disarmed by a second call, over a new connection, with O(state=confirmed).
author:
  - gonogo.preflight maintainers (@gonogo-preflight)
options:
  state:
    description:
      - V(applied) changes the firewall where it differs.
      - V(confirmed) keeps what was changed; it fails when the timer has put the old firewall back already.
    type: str
    choices: [applied, confirmed]
    default: applied
  rules:
    description: The ports that are open, as the filter P(gonogo.preflight.exposure_rules#filter) returns them.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: The entry of C(preflight_exposure).
        type: str
        required: true
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
    description:
      - CIDRs of the networks of Docker's containers. Their connections to the outside and to each other are not filtered.
      - Connections of containers outside of these networks are dropped.
    type: list
    elements: str
    default: []
  revert_after:
    description: Seconds until an unconfirmed change is taken back.
    type: int
    default: 60
  require_ssh:
    description: Refuse O(rules) that do not admit the ssh connection that this module runs over.
    type: bool
    default: true
attributes:
  check_mode:
    description: Says what would change, also where UFW is not installed yet.
    support: full
  diff_mode:
    description: Shows rules, defaults and the chain DOCKER-USER before and after.
    support: full
  platform:
    description: Debian and its derivatives.
    support: full
    platforms: debian
extends_documentation_fragment:
  - ansible.builtin.action_common_attributes
"""

EXAMPLES = r"""
- name: Open the declared ports
  gonogo.preflight.ufw_exposure:
    rules: "{{ preflight_exposure | gonogo.preflight.exposure_rules(inventory_hostname, groups, hostvars) }}"
  register: firewall

- name: Drop the connection that the old rules let in
  ansible.builtin.meta: reset_connection

- name: Keep the new rules, now that a new connection got in
  gonogo.preflight.ufw_exposure:
    state: confirmed
  when: firewall.unconfirmed
"""

RETURN = r"""
reasons:
  description: Where the firewall differed, one line each.
  returned: O(state=applied)
  type: list
  elements: str
  sample: ["not declared: allow 8080/tcp"]
unconfirmed:
  description: Whether a change, of this call or an earlier one, is taken back unless it is confirmed in time.
  returned: O(state=applied)
  type: bool
"""

import os

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.gonogo.preflight.plugins.module_utils._exposure import Rule, admits
from ansible_collections.gonogo.preflight.plugins.module_utils._ufw import State, describe, plan
from ansible_collections.gonogo.preflight.plugins.module_utils._ufw_host import FirewallError, Guard, Host, ssh_connection

RULE = {
    "name": {"type": "str", "required": True},
    "port": {"type": "int", "required": True},
    "protocol": {"type": "str", "choices": ["tcp", "udp"], "default": "tcp"},
    "source": {"type": "str", "required": True},
    "publisher": {"type": "str", "choices": ["host", "docker"], "default": "host"},
}
SPEC = {
    "state": {"type": "str", "choices": ["applied", "confirmed"], "default": "applied"},
    "rules": {"type": "list", "elements": "dict", "default": [], "options": RULE},
    "container_networks": {"type": "list", "elements": "str", "default": []},
    "revert_after": {"type": "int", "default": 60},
    "require_ssh": {"type": "bool", "default": True},
}


def refuse_lockout(rules):
    """Raise FirewallError where `rules` cut the connection that this run uses."""
    connection = ssh_connection(os.getpid())
    if connection and not admits(rules, address=connection[0], port=connection[1]):
        open_to = [rule.source for rule in rules if (rule.port, rule.protocol) == (connection[1], "tcp")]
        message = (
            "nothing was changed: these rules lock this run out. It is connected by ssh from %s to port %d, which is open to %s. "
            "Declare it in preflight_exposure, such as ssh: {port: %d, from: %s}, or set ufw_require_ssh: false to rely on the timer."
        )
        raise FirewallError(message % (*connection, ", ".join(open_to) or "nobody", connection[1], connection[0]))


def apply(rules, options, run, check_mode):
    """The module's result for state=applied."""
    if options["require_ssh"]:
        refuse_lockout(rules)
    host, guard = Host(run), Guard(run)
    # A dry run before UFW is there: everything would change.
    state = State({}, (), False, {}) if check_mode and not host.installed() else host.read()
    todo = plan(state, rules, options["container_networks"])
    pending = guard.pending()
    if todo.reasons and not check_mode:
        guard.arm(options["revert_after"], active=state.enabled)
        try:
            host.apply(todo)
            unlike = plan(host.read(), rules, options["container_networks"]).reasons
            if unlike:
                raise FirewallError("after all changes: %s" % "; ".join(unlike))
        except FirewallError:
            guard.revert()
            raise
    elif pending and not check_mode:
        guard.arm(options["revert_after"], active=state.enabled)
    diff = {
        "before_header": "; ".join(todo.reasons),
        "before": describe(state.added, state.files, state.enabled),
        "after": describe(todo.added, {**state.files, **todo.files}, state.enabled or bool(todo.reasons)),
    }
    unconfirmed = not check_mode and (pending or bool(todo.reasons))
    return {"changed": bool(todo.reasons), "reasons": todo.reasons, "unconfirmed": unconfirmed, "diff": diff}


def main():
    module = AnsibleModule(argument_spec=SPEC, supports_check_mode=True)

    def run(command):
        return module.run_command(list(command), environ_update={"LC_ALL": "C", "LANGUAGE": "C"})

    try:
        if module.params["state"] == "applied":
            rules = [Rule(**rule) for rule in module.params["rules"]]
            module.exit_json(**apply(rules, module.params, run, module.check_mode))
        if not module.check_mode and not Guard(run).confirm():
            raise FirewallError("the old rules are back already, the change was not confirmed in time")
        module.exit_json(changed=False)
    except FirewallError as error:
        module.fail_json(msg="UFW: %s" % error)


if __name__ == "__main__":
    main()
