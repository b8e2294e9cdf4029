#!/usr/bin/python
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: release
short_description: Take the verdict and, on GO, start a release of a Compose application
version_added: 0.1.0
description:
  - Decides like M(gonogo.preflight.gate) and starts the release in the same action, so that no task can come between.
  - Waits until every service is healthy. A release that does not become healthy is taken away, and the release that was
    confirmed last is started again and awaited.
  - Expects the release's Compose file in C(<directory>/releases/<release>/), where the role P(gonogo.preflight.deploy#role)
    puts it, and keeps the link C(<directory>/current), through which nginx reads where the release listens.
  - The link C(<directory>/confirmed), which M(gonogo.preflight.confirm) moves, names the release to put back. A release that
    serves and was never confirmed is not put back.
author:
  - gonogo.preflight maintainers (@gonogo-preflight)
extends_documentation_fragment:
  - gonogo.preflight.release
options:
  release:
    description: Name of the release, a directory below C(releases/).
    type: str
    required: true
notes:
  - In check mode the verdict is taken and nothing is started.
seealso:
  - module: gonogo.preflight.confirm
"""

EXAMPLES = r"""
- name: Start the release behind the gate
  gonogo.preflight.release:
    project: shop
    directory: /opt/gonogo/shop
    release: 2.4.1-1f3a9c2e
"""

RETURN = r"""
verdict:
  description: The word of the verdict; a NO-GO fails the task instead.
  returned: success
  type: str
  sample: GO
release:
  description: The release that serves now.
  returned: success
  type: str
  sample: 2.4.1-1f3a9c2e
previous:
  description: The release that was confirmed last and is put back on NO-GO, empty before the first.
  returned: success
  type: str
  sample: 2.4.0-77b0d1aa
"""
