# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The checklist's names for groups, and the inventory's own groups that stand for them. Pure: no I/O."""

from __future__ import annotations

import difflib
import typing as t

__all__ = ["VARIABLE", "GroupsError", "mapped"]

VARIABLE = "preflight_groups"

_RESERVED = ("all", "controller", "deployment", "host", "outside", "people", "ungrouped")

Groups = t.Mapping[str, t.Sequence[str]]
"""Group to its hosts, in inventory order."""


class GroupsError(ValueError):
    """preflight_groups cannot be used; the message names the entry, what was found and what would be right."""


def mapped(groups: Groups, mapping: t.Any) -> dict[str, list[str]]:
    """`groups` in which each name of `mapping` has the hosts of the inventory groups it stands for, and no others.

    :arg mapping: the value of preflight_groups, such as {app: [webservers]}; None where there is none.
    :raises GroupsError: for any entry that is wrong.
    """
    found = {name: list(hosts) for name, hosts in groups.items()}
    if mapping is None:
        return found
    if not isinstance(mapping, t.Mapping):
        raise GroupsError("preflight_groups is %r; it maps a name of the checklist to groups of the inventory, such as {app: [webservers]}" % (mapping,))
    for name, own in mapping.items():
        _check(name, own, groups, mapping)
    for name, own in mapping.items():
        found[name] = list(dict.fromkeys(host for group in own for host in groups[group]))
    return found


def _check(name: t.Any, own: t.Any, groups: Groups, mapping: t.Mapping[str, t.Any]) -> None:
    """Raise GroupsError where `name` cannot stand for the groups `own`."""
    if not isinstance(name, str) or name in _RESERVED:
        raise GroupsError("preflight_groups maps %r, which is no name of a group that can be mapped" % (name,))
    if not isinstance(own, (list, tuple)) or not own:
        raise GroupsError("preflight_groups maps %s to %r; it is a list of groups of the inventory, at least one" % (name, own))
    for group in own:
        if not isinstance(group, str) or group not in groups:
            close = difflib.get_close_matches(str(group), sorted(groups), n=1)
            hint = "did you mean %r?" % close[0] if close else "the groups are %s" % ", ".join(sorted(groups))
            raise GroupsError("preflight_groups maps %s to %r, which is no group of the inventory; %s" % (name, group, hint))
        if group in mapping:
            raise GroupsError("preflight_groups maps %s to %s, which is mapped itself; name groups of the inventory alone" % (name, group))
