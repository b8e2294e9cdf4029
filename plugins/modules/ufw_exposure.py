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
    is not declared are removed, those that somebody put into the chain C(INPUT) past UFW among them. Rules that deny are left
    alone, unless they close a declared port to everybody.
  - Ports that Docker publishes do not pass UFW; the chain C(DOCKER-USER), loaded with UFW's rules, holds them to the
    same declaration.
  - What is compared is UFW's own rules, its files, and the rules in the kernel.
  - Rules in C(/etc/ufw/before.rules), and in chains of other programs, are not this module's; where they let connections in,
    it warns.
  - Before anything is changed, a timer of systemd is armed that puts everything back after O(revert_after) seconds, and a
    unit that does so when the host boots before that. Both are disarmed by a second call, over a new connection, with
    O(state=confirmed).
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
      - Connections of containers outside of these networks are dropped. Where there are such containers, and Docker runs, nothing is changed
        and the module fails, naming their network.
    type: list
    elements: str
    default: []
  logging:
    description: UFW's level of logging. Without it, the level stays as it is.
    type: str
    choices: ['off', low, medium, high, full]
  sysctl:
    description:
      - All of C(/etc/ufw/sysctl.conf), kernel settings that UFW sets whenever it starts, over those of C(/etc/sysctl.d).
        Without it, the file stays as it is.
      - Settings that switch forwarding off are refused, since they take Docker's containers off the network.
    type: dict
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
extends_documentation_fragment:
  - gonogo.preflight.attributes.debian
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
  sample: ["8080/tcp: allowed by UFW's rule `allow 8080/tcp`, declared nowhere"]
bypassed:
  description: Rules of the kernel, in C(/etc/ufw/before.rules) or of other programs, that let connections in past UFW and stay.
  returned: O(state=applied)
  type: list
  elements: str
  sample: ["-A ufw-before-input -p tcp -m tcp --dport 8080 -j ACCEPT"]
unconfirmed:
  description: Whether a change, of this call or an earlier one, is taken back unless it is confirmed in time.
  returned: O(state=applied)
  type: bool
"""

import os

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.gonogo.preflight.plugins.module_utils._exposure import Rule, admits
from ansible_collections.gonogo.preflight.plugins.module_utils._ufw import (
    LEVELS,
    State,
    SysctlError,
    Wanted,
    bypasses,
    describe,
    plan,
    sysctl_file,
)
from ansible_collections.gonogo.preflight.plugins.module_utils._ufw_host import FirewallError, Guard, Host, openings, refuse_cut_off, ssh_connection

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
    "logging": {"type": "str", "choices": list(LEVELS)},
    "sysctl": {"type": "dict"},
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


def wanted(options):
    """What the options ask for; raises FirewallError for a kernel setting that they must not have."""
    rules = [Rule(**rule) for rule in options["rules"]]
    try:
        sysctls = None if options["sysctl"] is None else sysctl_file(options["sysctl"])
    except SysctlError as error:
        raise FirewallError("nothing was changed: sysctl: %s" % error) from None
    return Wanted(rules, options["container_networks"], options["logging"] or "", sysctls)


def apply(goal, options, run, check_mode):
    """The module's result for state=applied."""
    if options["require_ssh"]:
        refuse_lockout(goal.rules)
    host, guard = Host(run), Guard(run)
    # A dry run before UFW is there: everything would change.
    state = State({}, (), False, {}) if check_mode and not host.installed() else host.read(goal.sysctls or ())
    todo = plan(state, goal)
    pending = guard.pending()
    if todo.reasons:
        refuse_cut_off(goal.container_networks, run)
    if todo.reasons and not check_mode:
        removed = [[one[0], "-I", *one[2:]] for one in todo.commands if one[1] == "-D" and one[-1] == "ACCEPT"]
        guard.arm(options["revert_after"], active=state.enabled, notes=openings(removed))
        try:
            host.apply(todo)
            unlike = plan(host.read(goal.sysctls or ()), goal).reasons
            if unlike:
                raise FirewallError("after all changes: %s" % "; ".join(unlike))
        except FirewallError:
            guard.revert()
            raise
    elif pending and not check_mode:
        guard.arm(options["revert_after"], active=state.enabled)
    diff = {
        "before_header": "; ".join(todo.reasons),
        "before": describe(state),
        "after": describe(after(state, todo, goal)),
    }
    unconfirmed = not check_mode and (pending or bool(todo.reasons))
    past = [line for family, lines in state.live.items() for line in bypasses(lines, family)]
    bypassed = [line for line in past if not line.startswith("-A INPUT ")]
    return {"changed": bool(todo.reasons), "reasons": todo.reasons, "bypassed": bypassed, "unconfirmed": unconfirmed, "diff": diff}


def after(state, todo, goal):
    """The state that `todo` leads to."""
    if not todo.reasons:
        return state
    return State({**state.files, **todo.files}, todo.added, True, {}, True, goal.logging or state.logging)


def main():
    module = AnsibleModule(argument_spec=SPEC, supports_check_mode=True)

    def run(command):
        return module.run_command(list(command), environ_update={"LC_ALL": "C", "LANGUAGE": "C"})

    try:
        if module.params["state"] == "applied":
            result = apply(wanted(module.params), module.params, run, module.check_mode)
            for line in result["bypassed"]:
                module.warn("UFW: this rule of the kernel lets connections in past UFW, and somebody else has to take it away: %s" % line)
            module.exit_json(**result)
        if not module.check_mode and not Guard(run).confirm():
            raise FirewallError("the old rules are back already, the change was not confirmed in time")
        module.exit_json(changed=False)
    except FirewallError as error:
        module.fail_json(msg="UFW: %s" % error)


if __name__ == "__main__":
    main()
