# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from ansible.errors import AnsibleFilterError

from ansible_collections.gonogo.preflight.plugins.plugin_utils._known_hosts import KnownHostsError, known_hosts


def _known_hosts(ways, variables):
    try:
        return known_hosts(ways, variables)
    except KnownHostsError as error:
        raise AnsibleFilterError("known_hosts: %s" % error) from None


class FilterModule:
    def filters(self):
        return {"known_hosts": _known_hosts}
