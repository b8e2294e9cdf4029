#!/usr/bin/python
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: redis_settings
short_description: Hold a running Redis to its settings
version_added: 0.1.0
description:
  - Compares settings of the Redis server on this host with what it really does, and changes those that differ, without a
    restart.
  - When this turns on the append-only file, the module waits until it holds the whole data set. A restart with a new and
    empty one would lose the data.
  - Configuration files are not touched.
author:
  - gonogo.preflight maintainers (@gonogo-preflight)
requirements:
  - redis (Python library, 4.3 or newer)
options:
  settings:
    description: Names and values as in C(redis.conf), without the password.
    type: dict
    required: true
  password:
    description: The password that clients need (C(requirepass)).
    type: str
    required: true
  password_file:
    description: File on the host with the password that the server had before; it may be absent.
    type: path
  port:
    description: Port of the server.
    type: int
    default: 6379
  required:
    description: Fail where no server answers. Otherwise this is only reported.
    type: bool
    default: true
  wait:
    description: Seconds to wait for a server that loads its data, and for the append-only file.
    type: int
    default: 300
attributes:
  check_mode:
    description: Says what would change.
    support: full
  diff_mode:
    description: Shows the settings before and after, never the password.
    support: full
extends_documentation_fragment:
  - gonogo.preflight.attributes.debian
  - ansible.builtin.action_common_attributes
"""

EXAMPLES = r"""
- name: Evict the least recently used keys, from now on
  gonogo.preflight.redis_settings:
    settings:
      maxmemory: 2gb
      maxmemory-policy: allkeys-lru
    password: "{{ redis_password }}"
"""

RETURN = r"""
answered:
  description: Whether a server answered.
  returned: success
  type: bool
version:
  description: Version of the server.
  returned: when a server answered
  type: str
  sample: 8.0.2
"""

import traceback

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

from ansible_collections.gonogo.preflight.plugins.module_utils._redis_settings import Server, SettingsError, differences

REDIS_ERROR = ""
try:
    import redis
except ImportError:
    redis = None
    REDIS_ERROR = traceback.format_exc()

SPEC = {
    "settings": {"type": "dict", "required": True},
    "password": {"type": "str", "required": True, "no_log": True},
    "password_file": {"type": "path", "no_log": False},
    "port": {"type": "int", "default": 6379},
    "required": {"type": "bool", "default": True},
    "wait": {"type": "int", "default": 300},
}


def previous_password(path):
    """Content of the password file, "" where there is none."""
    try:
        with open(path or "", encoding="utf-8") as file:
            return file.read().strip()
    except FileNotFoundError:
        return ""


def hold(server, options, check_mode):
    """The module's result."""
    passwords = [options["password"], previous_password(options["password_file"]), ""]
    accepted = server.log_in(list(dict.fromkeys(passwords)), limit=options["wait"])
    if accepted is None:
        if options["required"]:
            raise SettingsError("no server answers at 127.0.0.1:%d; see `systemctl status redis-server`" % options["port"])
        return {"changed": False, "answered": False}
    wanted = {name: str(value) for name, value in options["settings"].items()}
    live = server.settings(wanted)
    todo = differences(live, wanted)
    diff = {"before": listing(live), "after": listing({**live, **todo})}
    if accepted != options["password"]:
        todo["requirepass"] = options["password"]
        diff["after"] += "requirepass (changed)\n"
    if todo and not check_mode:
        server.change(todo, limit=options["wait"])
    return {"changed": bool(todo), "answered": True, "version": server.version(), "diff": diff}


def listing(settings):
    return "".join("%s %s\n" % setting for setting in sorted(settings.items()))


def main():
    module = AnsibleModule(argument_spec=SPEC, supports_check_mode=True)
    if redis is None:
        module.fail_json(msg=missing_required_lib("redis"), exception=REDIS_ERROR)
    server = Server(redis.Redis, redis.exceptions, module.params["port"])
    try:
        module.exit_json(**hold(server, module.params, module.check_mode))
    except SettingsError as error:
        module.fail_json(msg="Redis: %s." % error)


if __name__ == "__main__":
    main()
