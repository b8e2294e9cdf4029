# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from ansible.errors import AnsibleFilterError

from ansible_collections.gonogo.preflight.plugins.plugin_utils._compose import ComposeError, further_images


def _compose_images(text):
    try:
        return further_images(text)
    except ComposeError as error:
        raise AnsibleFilterError("compose_images: the Compose file %s" % error) from None


class FilterModule:
    def filters(self):
        return {"compose_images": _compose_images}
