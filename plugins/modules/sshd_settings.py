#!/usr/bin/python
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: sshd_settings
short_description: Hold the SSH server of a host to its settings, without locking anybody out
version_added: 0.1.0
description:
  - Writes O(settings) to C(/etc/ssh/sshd_config.d/00-gonogo.conf), which comes before the other files, and says once more for
    everybody what a C(Match) block could take back. Lines of other files that name another port become comments.
  - What comes of all files together is asked of sshd itself (C(sshd -T)), on copies, before anything is changed. Where another
    line still beats one of O(settings), nothing is changed, and that line is named.
  - Where ssh.socket holds the ports (Ubuntu 24.04), it gets a drop-in with the same addresses and ports.
  - What is compared is the files, whether the running sshd has read them, and where it listens.
  - Before anything is changed, a timer of systemd is armed that puts everything back after O(revert_after) seconds, and a unit that
    does so when the host boots before that. Both are disarmed by a second call, over a new connection, with O(state=confirmed).
  - Whoever tried in vain meanwhile may be banned by fail2ban; once everything is back, the address of this run is unbanned.
author:
  - gonogo.preflight maintainers (@gonogo-preflight)
requirements:
  - OpenSSH 9.2 or newer, from the distribution
options:
  state:
    description:
      - V(applied) changes sshd where it differs.
      - V(confirmed) keeps what was changed; it fails when the timer has put the old configuration back already.
    type: str
    choices: [applied, confirmed]
    default: applied
  settings:
    description: Keywords of sshd_config(5), each with its value, or with a list of which each makes a line.
    type: dict
    default: {}
  algorithms:
    description:
      - The algorithms that may be used, in the order of preference, each behind its kind, such as V(kex curve25519-sha256). The kinds
        are C(kex), C(cipher), C(mac), C(hostkey) and C(userkey).
      - Those that the sshd of this host does not have are left out; of each kind, one at least has to be left.
    type: list
    elements: str
    default: []
  revert_after:
    description: Seconds until an unconfirmed change is taken back.
    type: int
    default: 60
  require_login:
    description:
      - Refuse settings that would not let the ssh login of this run in again. It would not, for example, where only keys get in and
        this run has logged in with a password, which the host's journal tells.
    type: bool
    default: true
  has_password:
    description: Whether Ansible was given a password to log in with. It counts where the journal does not tell what let this run in.
    type: bool
    default: false
attributes:
  check_mode:
    description: Says what would change.
    support: full
  diff_mode:
    description: Shows the files before and after.
    support: full
extends_documentation_fragment:
  - gonogo.preflight.attributes.debian
  - ansible.builtin.action_common_attributes
"""

EXAMPLES = r"""
- name: Let only keys in
  gonogo.preflight.sshd_settings:
    settings:
      PasswordAuthentication: false
      KbdInteractiveAuthentication: false
      PermitRootLogin: false
  register: sshd

- name: Drop the connection that the old settings let in
  ansible.builtin.meta: reset_connection

- name: Keep the new settings, now that a new connection got in
  gonogo.preflight.sshd_settings:
    state: confirmed
  when: sshd.unconfirmed
"""

RETURN = r"""
reasons:
  description: Where sshd differed, one line each.
  returned: O(state=applied)
  type: list
  elements: str
  sample: ["/etc/ssh/sshd_config.d/00-gonogo.conf differs"]
unconfirmed:
  description: Whether a change, of this call or an earlier one, is taken back unless it is confirmed in time.
  returned: O(state=applied)
  type: bool
"""

import os
import tempfile

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.gonogo.preflight.plugins.module_utils._ssh_login import accepted, connection
from ansible_collections.gonogo.preflight.plugins.module_utils._sshd import SshdError
from ansible_collections.gonogo.preflight.plugins.module_utils._sshd_host import Guard, Host, clients

SPEC = {
    "state": {"type": "str", "choices": ["applied", "confirmed"], "default": "applied"},
    "settings": {"type": "dict", "default": {}},
    "algorithms": {"type": "list", "elements": "str", "default": []},
    "revert_after": {"type": "int", "default": 60},
    "require_login": {"type": "bool", "default": True},
    "has_password": {"type": "bool", "default": False, "no_log": False},
}


def apply(options, run, scratch, check_mode):
    """The module's result for state=applied."""
    login = connection(os.getpid())
    host, guard = Host(run, scratch), Guard(run)
    todo = host.plan(options["settings"], options["algorithms"], login)
    if todo.reasons and login and options["require_login"]:
        host.refuse_lockout(todo, login, accepted(login, run), has_password=options["has_password"])
    pending = guard.pending()
    if todo.reasons and not check_mode:
        guard.arm(options["revert_after"], active=host.by_socket, notes=clients(login))
        try:
            host.apply(todo)
        except (SshdError, OSError) as error:
            guard.revert()
            raise SshdError("%s. The previous configuration is back" % error) from error
    elif pending and not check_mode:
        guard.arm(options["revert_after"], active=host.by_socket, notes=clients(login))
    diff = [{"before_header": path, "after_header": path, "before": todo.before[path], "after": text or ""} for path, text in todo.files.items()]
    unconfirmed = not check_mode and (pending or bool(todo.reasons))
    return {"changed": bool(todo.reasons), "reasons": todo.reasons, "unconfirmed": unconfirmed, "diff": diff}


def main():
    module = AnsibleModule(argument_spec=SPEC, supports_check_mode=True)

    def run(command):
        return module.run_command(list(command), environ_update={"LC_ALL": "C", "LANGUAGE": "C"})

    try:
        if module.params["state"] == "applied":
            with tempfile.TemporaryDirectory(prefix="gonogo-sshd-") as scratch:
                result = apply(module.params, run, scratch, module.check_mode)
            module.exit_json(**result)
        if not module.check_mode and not Guard(run).confirm():
            raise SshdError("the old configuration is back already, the change was not confirmed in time")
        module.exit_json(changed=False)
    except SshdError as error:
        module.fail_json(msg="sshd: %s" % error)


if __name__ == "__main__":
    main()
