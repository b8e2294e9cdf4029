# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The checklist's names for groups stand for groups of the inventory, and a name never loses its hosts in silence."""

from __future__ import annotations

import pytest

from ansible_collections.gonogo.preflight.plugins.module_utils._groups import GroupsError, mapped

GROUPS = {"all": ["web1", "web2", "pg1"], "webservers": ["web1", "web2"], "workers": ["web2", "pg1"], "pg": ["pg1"], "db": ["web1"], "ungrouped": []}


def test_without_a_mapping_the_groups_are_the_inventorys():
    assert mapped(GROUPS, None) == GROUPS
    assert mapped(GROUPS, {}) == GROUPS


def test_a_name_has_the_hosts_of_its_groups_in_their_order_and_each_once():
    assert mapped(GROUPS, {"app": ["webservers", "workers"]})["app"] == ["web1", "web2", "pg1"]
    assert mapped(GROUPS, {"app": ["workers", "webservers"]})["app"] == ["web2", "pg1", "web1"]


def test_a_mapped_name_hides_the_inventorys_own_group():
    assert mapped(GROUPS, {"db": ["pg"]})["db"] == ["pg1"]


def test_what_is_not_mapped_stays():
    found = mapped(GROUPS, {"app": ["webservers"]})
    assert {name: found[name] for name in GROUPS} == GROUPS


def test_mapping_twice_is_mapping_once():
    mapping = {"app": ["webservers"], "db": ["pg"]}
    assert mapped(mapped(GROUPS, mapping), mapping) == mapped(GROUPS, mapping)


def test_the_groups_given_are_not_changed():
    before = {name: list(hosts) for name, hosts in GROUPS.items()}
    mapped(GROUPS, {"db": ["pg"]})["db"].append("other")
    assert before == GROUPS


@pytest.mark.parametrize(
    ("mapping", "message"),
    [
        (["app"], "preflight_groups is ['app']; it maps a name of the checklist to groups of the inventory"),
        ("app=webservers", "preflight_groups is 'app=webservers'"),
        ({"all": ["pg"]}, "maps 'all', which is no name of a group that can be mapped"),
        ({"ungrouped": ["pg"]}, "maps 'ungrouped'"),
        ({"controller": ["pg"]}, "maps 'controller'"),
        ({"outside": ["pg"]}, "maps 'outside'"),
        ({7: ["pg"]}, "maps 7, which is no name"),
        ({"app": []}, "maps app to []; it is a list of groups of the inventory, at least one"),
        ({"app": "webservers"}, "maps app to 'webservers'; it is a list"),
        ({"app": None}, "maps app to None; it is a list"),
        ({"app": ["webserver"]}, "maps app to 'webserver', which is no group of the inventory; did you mean 'webservers'?"),
        ({"app": [["pg"]]}, "maps app to ['pg'], which is no group"),
        ({"app": ["zzz"]}, "the groups are all, db, pg, ungrouped, webservers, workers"),
        ({"app": ["db"], "db": ["pg"]}, "maps app to db, which is mapped itself; name groups of the inventory alone"),
        ({"app": ["app"]}, "maps app to 'app', which is no group of the inventory"),
        ({"db": ["db"]}, "maps db to db, which is mapped itself"),
    ],
)
def test_a_mistake_is_named(mapping, message):
    with pytest.raises(GroupsError) as raised:
        mapped(GROUPS, mapping)
    assert message in str(raised.value)
