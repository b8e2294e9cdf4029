#!/usr/bin/python
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: kernel_settings
short_description: Hold the running kernel to several settings, in one call
version_added: 0.1.0
description:
  - Compares settings with what they are now, and sets those that differ.
  - Files are not touched. What is to survive a reboot also stands in C(/etc/sysctl.d) or C(/etc/tmpfiles.d).
  - What cannot be set is returned, and is no change. In a container, much of the kernel is read-only.
author:
  - gonogo.preflight maintainers (@gonogo-preflight)
options:
  sysctl:
    description:
      - Names of settings, or patterns such as C(net.ipv4.conf.*.accept_redirects), and their values. Names as in C(sysctl.d).
      - A name that is written out goes before a pattern.
    type: dict
    default: {}
  sysfs:
    description: Paths below C(/sys), and their values.
    type: dict
    default: {}
attributes:
  check_mode:
    description: Says what would change.
    support: full
  diff_mode:
    description: Shows the settings that differ before and after.
    support: full
extends_documentation_fragment:
  - gonogo.preflight.attributes.debian
  - ansible.builtin.action_common_attributes
"""

EXAMPLES = r"""
- name: Let Redis fork
  gonogo.preflight.kernel_settings:
    sysctl:
      vm.overcommit_memory: 1
    sysfs:
      kernel/mm/transparent_hugepage/enabled: madvise
  register: kernel

- name: Say what this host cannot set
  ansible.builtin.debug:
    var: kernel.refused
"""

RETURN = r"""
absent:
  description: What this kernel does not have, by path.
  returned: success
  type: list
  elements: str
  sample: [/proc/sys/kernel/yama/ptrace_scope]
refused:
  description: What differs and cannot be set, one line each.
  returned: success
  type: list
  elements: str
  sample: ["/sys/kernel/mm/transparent_hugepage/enabled is always, not madvise: read-only here"]
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.gonogo.preflight.plugins.module_utils._kernel_settings import change, differing


def hold(options, check_mode):
    """The module's result."""
    found = differing({kind: options[kind] for kind in ("sysctl", "sysfs")})
    absent = [one.path for one in found if one.live is None]
    failed = [one for one in found if one.refused] if check_mode else change(found)
    done = [one for one in found if one.path not in {other.path for other in failed}]
    refused = ["%s is %s, not %s: %s" % (one.path, one.live, one.value, one.refused) for one in failed if one.live is not None]
    diff = {"before": listing((one.path, one.live) for one in done), "after": listing((one.path, one.value) for one in done)}
    return {"changed": bool(done), "absent": absent, "refused": refused, "diff": diff}


def listing(settings):
    return "".join("%s = %s\n" % setting for setting in settings)


def main():
    options = {name: {"type": "dict", "default": {}} for name in ("sysctl", "sysfs")}
    module = AnsibleModule(argument_spec=options, supports_check_mode=True)
    module.exit_json(**hold(module.params, module.check_mode))


if __name__ == "__main__":
    main()
