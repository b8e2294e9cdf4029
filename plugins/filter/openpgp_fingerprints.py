# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter openpgp_fingerprints: see openpgp_fingerprints.yml."""

from __future__ import annotations

from ansible.errors import AnsibleFilterError

from ..module_utils._openpgp import KeyFileError, fingerprints


def openpgp_fingerprints(text):
    """Fingerprints of the primary keys in an armored key file."""
    try:
        return fingerprints(text)
    except KeyFileError as error:
        raise AnsibleFilterError("openpgp_fingerprints: the key file %s" % error) from error


class FilterModule:
    """The collection's filter openpgp_fingerprints."""

    def filters(self):
        return {"openpgp_fingerprints": openpgp_fingerprints}
