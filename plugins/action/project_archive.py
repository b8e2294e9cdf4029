# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import getpass
import os
import typing as t

from ansible import constants
from ansible.template import Templar

from ansible_collections.gonogo.preflight.plugins.plugin_utils._action import PreflightAction
from ansible_collections.gonogo.preflight.plugins.plugin_utils._archive import collection_files, collection_version, inventory_files, pack, tree
from ansible_collections.gonogo.preflight.plugins.plugin_utils._catalogue import COLLECTION
from ansible_collections.gonogo.preflight.plugins.plugin_utils._context import inventory_sources
from ansible_collections.gonogo.preflight.plugins.plugin_utils._yaml import InputError

_CONFIGURED: t.Any = constants
# The operator's own way to a host and credentials; Ansible takes a variable that is null for one that is not set.
_OPERATORS = (
    *("ansible_password", "ansible_ssh_pass", "ansible_ssh_password"),
    *("ansible_private_key", "ansible_ssh_private_key", "ansible_private_key_passphrase", "ansible_ssh_private_key_passphrase"),
    *("ansible_ssh_host", "ansible_ssh_port", "ansible_ssh_user", "ansible_ssh_pkcs11_provider"),
    *("ansible_ssh_args", "ansible_scp_extra_args", "ansible_sftp_extra_args"),
)


class ActionModule(PreflightAction):
    """Pack inventory, policy, checklists and this collection for a host that is to run them by itself."""

    OPTIONS = {
        "connection": {"type": "dict", "default": {}},
        "include": {"type": "list", "elements": "str", "default": []},
    }

    def act(self) -> dict[str, t.Any]:
        policy = self.project.policy.directory
        root = os.path.dirname(os.path.dirname(policy))
        source = inventory_sources()[0]
        inventory = source if os.path.isdir(source) else os.path.dirname(source)
        connections = {host: self._connection_of(host) for host in self.inventory.hosts if host not in self.inventory.managed}
        members = [
            *inventory_files(inventory, self._place(inventory, root), connections),
            *tree(policy, self._place(policy, root)),
            *collection_files(COLLECTION),
        ]
        own = os.path.join(root, "checklists")
        for path in [*([own] if os.path.isdir(own) else []), *(os.path.join(root, name) for name in self.options["include"])]:
            members += tree(path, self._place(path, root))
        archive = os.path.join(_CONFIGURED.DEFAULT_LOCAL_TMP, "gonogo-project.tar.gz")
        return {
            "changed": False,
            "fingerprint": pack(members, archive),
            "path": archive,
            "collection": collection_version(COLLECTION),
            "inventory": self._place(source, root),
            "environment": os.path.basename(policy),
            "ways": {host: {name: way["ansible_" + name] for name in ("host", "port", "user")} for host, way in connections.items()},
        }

    @staticmethod
    def _place(path: str, root: str) -> str:
        place = os.path.relpath(path, root)
        if place.startswith(".."):
            raise InputError(path, 0, "lies outside of %s, the directory of the project; the control host gets this directory only" % root)
        return place

    def _connection_of(self, host: str) -> dict[str, t.Any]:
        """How the control host reaches `host`: as its neighbours do, without the operator's key, jump host and password."""
        variables = self.variables_of(host)
        templar = Templar(loader=self._loader, variables=variables)

        def value(*names: str) -> t.Any:
            """Of several names for one option, Ansible takes the last that its ssh connection documents."""
            return next((templar.template(variables[name]) for name in names if name in variables), None)

        exposure = value("preflight_exposure") or {}
        user = value("ansible_ssh_user", "ansible_user") or _CONFIGURED.DEFAULT_REMOTE_USER or getpass.getuser()
        return {
            "ansible_host": value("drift_address", "preflight_address", "ansible_ssh_host", "ansible_host") or host,
            "ansible_port": value("drift_port") or exposure.get("ssh", {}).get("port", 22),
            "ansible_user": user,
            **dict.fromkeys((name for name in _OPERATORS if name in variables)),
            **self.options["connection"],
        }
