# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter bridge_address: see bridge_address.yml."""

from __future__ import annotations

from ansible.errors import AnsibleFilterError

from ..module_utils import _exposure


def bridge_address(container_pool):
    """Address and prefix of Docker's default bridge."""
    try:
        return _exposure.bridge_address(container_pool)
    except _exposure.ExposureError as error:
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    """The collection's filter bridge_address."""

    def filters(self):
        return {"bridge_address": bridge_address}
