#!/usr/bin/python
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: accounts_plan
short_description: Say in what the accounts of a host differ from its people
version_added: 0.1.0
description:
  - Compares accounts, their groups, their authorized keys and the files of sudo with O(declared), and says what mends the difference.
    It changes nothing; the role P(gonogo.preflight.accounts#role) does, in the order of the results.
  - Accounts that are not declared are left alone, but for those that the role itself has made, which are in the group C(gonogo-people).
  - Fails where the change would lock out the ssh login of this run, or where there is no way to what is declared.
author:
  - gonogo.preflight maintainers (@gonogo-preflight)
options:
  declared:
    description: Who may work on the host, as the filter P(gonogo.preflight.declared_access#filter) returns it.
    type: dict
    required: true
  require_login:
    description: Fail where the ssh login of this run would lose its account, its key or its sudo.
    type: bool
    default: true
extends_documentation_fragment:
  - gonogo.preflight.attributes.looks
  - gonogo.preflight.attributes.debian
  - ansible.builtin.action_common_attributes
"""

EXAMPLES = r"""
- name: Compare the accounts with the people
  gonogo.preflight.accounts_plan:
    declared: "{{ accounts_users | gonogo.preflight.declared_access(inventory_hostname, groups, hostvars) }}"
  register: accounts

- name: Show in what they differ
  ansible.builtin.debug:
    var: accounts.reasons
"""

RETURN = r"""
reasons:
  description: What differs, one line each.
  returned: success
  type: list
  elements: str
  sample: ["account ada is missing"]
groups:
  description: Groups to make.
  returned: success
  type: list
  elements: str
sudoers:
  description: New text of the role's file of sudoers.d; V("") where it goes, none where it stays.
  returned: success
  type: str
users:
  description: Accounts to make or to change, each with C(name), C(comment), C(shell), C(groups) and C(new).
  returned: success
  type: list
  elements: dict
homes:
  description: Directories to give back to their owners, each with C(path), C(user), C(gid) (none where C(new)) and C(new); homes and their C(.ssh).
  returned: success
  type: list
  elements: dict
authorized:
  description: Accounts whose authorized keys differ, each with C(user), C(key) (all of its keys, one a line) and C(new).
  returned: success
  type: list
  elements: dict
surplus:
  description: Files of sudoers.d to remove; they speak of people alone, of whom the role's own file says all.
  returned: success
  type: list
  elements: str
gone:
  description: Accounts to take away, each with C(name), C(uid) and C(home).
  returned: success
  type: list
  elements: dict
"""

import os
from dataclasses import asdict

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.gonogo.preflight.plugins.module_utils._accounts import AccountsError
from ansible_collections.gonogo.preflight.plugins.module_utils._accounts_host import read_state
from ansible_collections.gonogo.preflight.plugins.module_utils._accounts_plan import plan, refuse_lockout
from ansible_collections.gonogo.preflight.plugins.module_utils._people import person_from
from ansible_collections.gonogo.preflight.plugins.module_utils._ssh_login import accepted, connection

SPEC = {
    "declared": {"type": "dict", "required": True},
    "require_login": {"type": "bool", "default": True},
}


def difference(options, run):
    """The module's result."""

    def ask(command):
        status, output, errors = run(command)
        if status != 0:
            raise AccountsError("`%s` ended with %d: %s" % (" ".join(command), status, (errors or output).strip()))
        return output

    people = [person_from(one) for one in options["declared"]["people"]]
    state = read_state(people, ask)
    todo = plan(state, people, options["declared"]["control"])
    login = connection(os.getpid()) if todo.reasons and options["require_login"] else None
    if login:
        refuse_lockout(state, people, todo, login.user, accepted(login, run))
    return asdict(todo)


def main():
    module = AnsibleModule(argument_spec=SPEC, supports_check_mode=True)

    def run(command):
        return module.run_command(list(command), environ_update={"LC_ALL": "C", "LANGUAGE": "C"})

    try:
        module.exit_json(changed=False, **difference(module.params, run))
    except AccountsError as error:
        module.fail_json(msg="accounts: %s" % error)


if __name__ == "__main__":
    main()
