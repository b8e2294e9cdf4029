# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter too_wide_networks: see too_wide_networks.yml."""

from __future__ import annotations

from ..module_utils._ignored_networks import is_too_wide, networks


def too_wide_networks(words):
    """Those of the words that are networks which strangers come from too."""
    return [word for word, network in networks(map(str, words)) if is_too_wide(network)]


class FilterModule:
    """The collection's filter too_wide_networks."""

    def filters(self):
        return {"too_wide_networks": too_wide_networks}
