# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter exposed_ports: see exposed_ports.yml."""

from __future__ import annotations

from ansible.errors import AnsibleFilterError

from ..module_utils._exposure import ExposureError, ports_open_to, rules_for
from ..module_utils._groups import VARIABLE, GroupsError, mapped


def exposed_ports(exposure, host, vantage, groups, hostvars):
    """TCP ports of a host that another one, or the controller, may reach."""

    def address_of(member):
        return hostvars[member].get("preflight_address")

    try:
        rules = rules_for(exposure, host=host, groups=mapped(groups, hostvars[host].get(VARIABLE)), address_of=address_of)
    except (ExposureError, GroupsError) as error:
        raise AnsibleFilterError(str(error)) from error
    return ports_open_to(rules, address=address_of(vantage) if vantage in groups["all"] else "")


class FilterModule:
    """The collection's filter exposed_ports."""

    def filters(self):
        return {"exposed_ports": exposed_ports}
