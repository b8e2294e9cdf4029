# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations


class ModuleDocFragment:
    """Options of the actions that start a release or put one back."""

    DOCUMENTATION = r"""
options:
  project:
    description: Name of the Compose project.
    type: str
    required: true
  directory:
    description: Directory of the project on the host.
    type: path
    required: true
  wait:
    description: Seconds that the services of a release may take to become healthy.
    type: int
    default: 120
requirements:
  - The collection C(community.docker) on the controller, Docker Engine, the Compose plugin and nginx on the host
"""
