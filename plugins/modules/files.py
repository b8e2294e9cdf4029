#!/usr/bin/python
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: files
short_description: Hold several small text files of a host to their content, in one call
version_added: 0.1.0
description:
  - Writes those files that differ, with directories that are missing, and leaves the others alone. Each is replaced at once, so that a
    reader finds the old text or the new one.
  - Where a validation refuses a file, no file is touched.
  - Content reaches the journal of the host and the output of C(--diff). Secrets have no place in it.
author:
  - gonogo.preflight maintainers (@gonogo-preflight)
options:
  files:
    description: The files, in the order in which they are written.
    type: list
    elements: dict
    required: true
    suboptions:
      path:
        description: Absolute path. A link in its place is replaced by the file.
        type: path
        required: true
      state:
        description:
          - What becomes of the file.
          - With V(aside), it is renamed, so that its program no longer reads it, and with V(restored) it gets its name back, unless
            there is a new one of that name.
        type: str
        choices: [present, absent, aside, restored]
        default: present
      content:
        description: The whole text, with O(files[].state=present).
        type: str
        default: ''
      mode:
        description: Permissions, as octal digits in quotes.
        type: str
        default: '0644'
      owner:
        description: Name of the account that owns it.
        type: str
        default: root
      group:
        description: Name of its group.
        type: str
        default: root
      validate:
        description:
          - Command as a list of words that ends with status 0 for a text that may take the place of the old one. V(%s) in it stands for
            a file with the new text.
          - It is not run in check mode.
        type: list
        elements: str
        default: []
attributes:
  check_mode:
    description: Says what would change.
    support: full
  diff_mode:
    description: Shows each file before and after.
    support: full
extends_documentation_fragment:
  - gonogo.preflight.attributes.debian
  - ansible.builtin.action_common_attributes
"""

EXAMPLES = r"""
- name: Have limits for services and for the journal
  gonogo.preflight.files:
    files:
      - path: /etc/systemd/system.conf.d/own.conf
        content: |
          [Manager]
          DefaultLimitNOFILE=65536:524288
      - path: /etc/systemd/journald.conf.d/own.conf
        content: "{{ lookup('ansible.builtin.template', 'journald.conf.j2') }}"
      - path: /etc/systemd/journald.conf.d/older.conf
        state: absent
"""

RETURN = r"""
paths:
  description: The files that were changed, or would be.
  returned: success
  type: list
  elements: str
  sample: [/etc/systemd/journald.conf.d/own.conf]
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.gonogo.preflight.plugins.module_utils._text_files import FilesError, Wanted, apply, changes

FILE = {
    "path": {"type": "path", "required": True},
    "state": {"type": "str", "choices": ["present", "absent", "aside", "restored"], "default": "present"},
    "content": {"type": "str", "default": ""},
    "mode": {"type": "str", "default": "0644"},
    "owner": {"type": "str", "default": "root"},
    "group": {"type": "str", "default": "root"},
    "validate": {"type": "list", "elements": "str", "default": []},
}


def shown(change):
    """One file of the output of --diff."""
    return {"before_header": change.wanted.path, "after_header": change.wanted.path, "before": change.before, "after": change.after}


def main():
    module = AnsibleModule(argument_spec={"files": {"type": "list", "elements": "dict", "required": True, "options": FILE}}, supports_check_mode=True)
    try:
        todo = changes([Wanted(**dict(one, validate=tuple(one["validate"]))) for one in module.params["files"]])
        if not module.check_mode:
            apply(todo, lambda command: module.run_command(list(command), environ_update={"LC_ALL": "C"}))
        module.exit_json(changed=bool(todo), paths=[change.wanted.path for change in todo], diff=list(map(shown, todo)))
    except FilesError as error:
        module.fail_json(msg="%s." % error)


if __name__ == "__main__":
    main()
