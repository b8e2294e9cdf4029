# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The inventory as its files have it: no facts, no fact cache, no variables of plays or tasks.

What decides who is asked is read here alone, and never from the command line: not even a permitted `-e` reaches it.
"""

from __future__ import annotations

import functools
import typing as t

from ansible.inventory.manager import InventoryManager
from ansible.plugins.loader import cache_loader
from ansible.vars.hostvars import HostVars
from ansible.vars.manager import VariableManager

from ..module_utils import _groups, _managed
from ._catalogue import templated
from ._yaml import InputError

__all__ = ["DECISIVE", "Inventory"]

DECISIVE = (_groups.VARIABLE, _managed.VARIABLE)
"""Variables that no command line may set."""


class _InventoryVars(HostVars):
    """Reads each host's variables once; an action asks for them for every item, and nothing changes them meanwhile."""

    def __init__(self, *arguments: t.Any) -> None:
        super().__init__(*arguments)
        self._read: dict[str, t.Any] = {}

    def raw_get(self, host_name: str) -> t.Any:
        if host_name not in self._read:
            self._read[host_name] = super().raw_get(host_name)
        return self._read[host_name]


class Inventory:
    """The inventory of this run.

    :ivar hostvars: the variables of each host.
    :ivar own_groups: group to its hosts, under the inventory's own names; the whole inventory whatever `--limit` says.
    :ivar altered: a task has added hosts, groups or variables to it since it was read from its files.
    """

    def __init__(self, inventory: InventoryManager, loader: t.Any) -> None:
        manager = VariableManager(loader=loader, inventory=inventory)
        manager._fact_cache = cache_loader.get("ansible.builtin.memory")
        manager._extra_vars = {name: value for name, value in manager._extra_vars.items() if name not in DECISIVE}
        self.hostvars: HostVars = _InventoryVars(inventory, manager, loader)
        self.altered = bool(inventory._cached_dynamic_hosts or inventory._cached_dynamic_grouping)
        self.own_groups: dict[str, list[str]] = {name: list(hosts) for name, hosts in inventory.get_groups_dict().items()}

    @property
    def hosts(self) -> list[str]:
        return self.own_groups["all"]

    @functools.cached_property
    def groups(self) -> dict[str, list[str]]:
        """Group to its hosts, under the checklist's names too; raises InputError for a mapping that cannot be used."""
        for host in self.hosts[1:]:
            if self._mapping(host) != self._mapping(self.hosts[0]):
                message = "%s is not the same for %s and %s; set it once, in group_vars/all" % (_groups.VARIABLE, self.hosts[0], host)
                raise InputError("inventory", 0, message)
        return self.groups_at_a_glance

    @property
    def mapping(self) -> t.Mapping[str, t.Any]:
        """Name of the checklist to the groups of the inventory that stand for it."""
        return self._mapping(self.hosts[0]) or {} if self.hosts else {}

    @property
    def groups_at_a_glance(self) -> dict[str, list[str]]:
        """`groups`, without asking whether the hosts agree on them, which the gate does."""
        try:
            return _groups.mapped(self.own_groups, self._mapping(self.hosts[0]) if self.hosts else None)
        except _groups.GroupsError as error:
            raise InputError("inventory", 0, str(error)) from None

    @functools.cached_property
    def managed(self) -> list[str]:
        """The hosts that others manage; raises InputError for a word that is neither yes nor no."""
        try:
            return [host for host in self.hosts if _managed.declared(host, self._written(host, _managed.VARIABLE))]
        except _managed.ManagedError as error:
            raise InputError("inventory", 0, str(error)) from None

    def _mapping(self, host: str) -> t.Any:
        return self._written(host, _groups.VARIABLE)

    def _written(self, host: str, name: str) -> t.Any:
        """A variable that is no template, so that it is the same whoever reads it."""
        value = self.hostvars.raw_get(host).get(name)
        if templated(value):
            raise InputError("inventory", 0, "%s is a template; write it out" % name)
        return value
