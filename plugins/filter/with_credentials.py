# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter with_credentials: see with_credentials.yml."""

from __future__ import annotations

from ..module_utils._secrecy import holds_credentials


def with_credentials(settings):
    """Names of the settings whose value has the shape of a credential; never a value."""
    return sorted(name for name, value in settings.items() if holds_credentials(str(value)))


class FilterModule:
    """The collection's filter with_credentials."""

    def filters(self):
        return {"with_credentials": with_credentials}
