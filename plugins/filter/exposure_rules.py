# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter exposure_rules: see exposure_rules.yml."""

from __future__ import annotations

from dataclasses import asdict

from ansible.errors import AnsibleFilterError

from ..module_utils._exposure import ExposureError, rules_for
from ..module_utils._groups import VARIABLE, GroupsError, mapped


def exposure_rules(exposure, host, groups, hostvars, container_pool=""):
    """One host's rules of preflight_exposure, as plain dictionaries."""
    try:
        rules = rules_for(
            exposure,
            host=host,
            groups=mapped(groups, hostvars[host].get(VARIABLE)),
            address_of=lambda member: hostvars[member].get("preflight_address"),
            container_pool=container_pool,
        )
    except (ExposureError, GroupsError) as error:
        raise AnsibleFilterError(str(error)) from error
    return [asdict(rule) for rule in rules]


class FilterModule:
    """The collection's filter exposure_rules."""

    def filters(self):
        return {"exposure_rules": exposure_rules}
