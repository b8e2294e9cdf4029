# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
import secrets
import string
import typing as t

from ansible.errors import AnsibleActionFail
from ansible.parsing.vault import VaultLib, VaultSecret

from ansible_collections.gonogo.preflight.plugins.plugin_utils._action import PreflightAction


class ActionModule(PreflightAction):
    """Make passwords inside this process: none of them travels in an argument, a variable or a file that is not encrypted."""

    OPTIONS = {
        "path": {"type": "path", "required": True},
        "password_file": {"type": "path", "required": True},
        "names": {"type": "list", "elements": "str", "required": True},
        "length": {"type": "int", "default": 40},
    }

    def act(self) -> dict[str, t.Any]:
        path, password_file = self.options["path"], self.options["password_file"]
        there = [one for one in (path, password_file) if os.path.lexists(one)]
        if len(there) == 2:
            return {"changed": False}
        if there:
            other = path if there == [password_file] else password_file
            raise AnsibleActionFail("%s exists and %s does not; one is of no use without the other, so neither was changed" % (there[0], other))
        if not self._task.check_mode:
            password = self._password()
            lines = ["---", *("%s: %s" % (name, self._password()) for name in self.options["names"])]
            encrypted = VaultLib().encrypt("\n".join(lines) + "\n", secret=VaultSecret(password.encode()))
            _write(password_file, password.encode() + b"\n")
            _write(path, encrypted)
        return {"changed": True, "names": self.options["names"]}

    def _password(self) -> str:
        return "".join(secrets.choice(string.ascii_letters + string.digits) for _letter in range(self.options["length"]))


def _write(path: str, content: bytes) -> None:
    """Make a file that its owner alone can read, never replacing one."""
    with open(path, "xb", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        file.write(content)
