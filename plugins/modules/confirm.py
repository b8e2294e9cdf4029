#!/usr/bin/python
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: confirm
short_description: Confirm the release that was started, or put the last confirmed one back
version_added: 0.1.0
description:
  - Decides over the items of stage C(live), which M(gonogo.preflight.verify) asked after the start.
  - On GO the link C(<directory>/confirmed) names the release of this run, which is from now on the one to put back.
  - On NO-GO the release of this run is replaced by the one that C(confirmed) names, and the task fails. It is taken away where
    none was confirmed yet, and left where it is the one that was confirmed last.
author:
  - gonogo.preflight maintainers (@gonogo-preflight)
extends_documentation_fragment:
  - gonogo.preflight.release
notes:
  - Does nothing in check mode, since nothing was started.
seealso:
  - module: gonogo.preflight.release
"""

EXAMPLES = r"""
- name: Keep the release only when it answers from outside
  gonogo.preflight.confirm:
    project: shop
    directory: /opt/gonogo/shop
"""

RETURN = r"""
verdict:
  description: The word of the verdict; a NO-GO fails the task instead.
  returned: success
  type: str
  sample: GO
answers:
  description: How many answers the verdict was taken over.
  returned: success
  type: int
  sample: 2
confirmed:
  description: The release that is confirmed, empty where this run started none.
  returned: success
  type: str
  sample: 2.4.1-1f3a9c2e
"""
