# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter declared_access: see declared_access.yml."""

from __future__ import annotations

from ansible.errors import AnsibleFilterError

from ..module_utils._groups import VARIABLE, GroupsError, mapped
from ..module_utils._people import PeopleError, people_of


def declared_access(users, host, groups, hostvars):
    """Who may work on a host, as plain dictionaries, and the address of the control host."""
    try:
        known = mapped(groups, hostvars[host].get(VARIABLE))
        people = people_of(users, host=host, groups=known, operator_commands=hostvars[host].get("accounts_operator_commands", []))
    except (PeopleError, GroupsError) as error:
        raise AnsibleFilterError(str(error)) from error
    addresses = [hostvars[member].get("preflight_address") for member in known.get("control", [])]
    return {"people": [person.data() for person in people], "control": (addresses[0] if addresses else "") or ""}


class FilterModule:
    """The collection's filter declared_access."""

    def filters(self):
        return {"declared_access": declared_access}
