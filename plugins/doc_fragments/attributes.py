# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations


class ModuleDocFragment:
    """Attributes that several modules have alike."""

    DEBIAN = r"""
attributes:
  platform:
    description: Debian and its derivatives.
    support: full
    platforms: debian
"""

    LOOKS = r"""
attributes:
  check_mode:
    description: Looks, and changes nothing in any mode.
    support: full
  diff_mode:
    description: Nothing is changed, so that there is nothing to show.
    support: none
"""
