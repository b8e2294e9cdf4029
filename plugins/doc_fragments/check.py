# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations


class ModuleDocFragment:
    """Options and attributes of the check modules, which ask items of the catalogue without a checklist."""

    DOCUMENTATION = r"""
options:
  enforce:
    description:
      - Fail where an item is not met, or could not be looked at.
      - With V(false) it is only reported, in RV(ignore:passed) and RV(ignore:results). An option that nothing can be compared with fails all the same.
    type: bool
    default: true
"""
