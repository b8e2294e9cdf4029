# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from ansible.errors import AnsibleFilterError

from ansible_collections.gonogo.preflight.plugins.module_utils._env import EnvError, env_file


def _env_file(settings):
    try:
        return env_file(settings)
    except EnvError as error:
        raise AnsibleFilterError("env_file: %s" % error) from None


class FilterModule:
    def filters(self):
        return {"env_file": _env_file}
