# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host is managed when policy and inventory both say so."""

from __future__ import annotations

import pytest

from ansible_collections.gonogo.preflight.plugins.module_utils._managed import REMOTE, ManagedError, declared, differences
from ansible_collections.gonogo.preflight.plugins.module_utils._probes import PROBES

GROUPS = {"all": ["app1", "db1"], "app": ["app1"], "db": ["db1"]}


@pytest.mark.parametrize(("value", "managed"), [(None, False), (False, False), (True, True)])
def test_declared(value, managed):
    assert declared("db1", value) is managed


@pytest.mark.parametrize("value", ["yes", "true", 1, "", ["db1"], {}])
def test_a_word_that_is_neither_yes_nor_no_is_refused(value):
    with pytest.raises(ManagedError, match="preflight_managed of db1 is .*; it is true or false"):
        declared("db1", value)


@pytest.mark.parametrize(
    ("policy", "inventory", "sentences"),
    [
        ([], [], []),
        (["db1"], ["db1"], []),
        (["db1"], [], ["db1: under managed in gate.yml, but its inventory does not say preflight_managed: true"]),
        ([], ["db1"], ["db1: preflight_managed in the inventory, but not under managed in gate.yml"]),
        (["db2"], [], ["db2: under managed in gate.yml, but not in the inventory"]),
        (["app1"], ["app1"], ["app1: managed, and in group app; nothing can be deployed to a host without a login"]),
    ],
)
def test_differences(policy, inventory, sentences):
    assert differences(policy, inventory, GROUPS, "gate.yml") == sentences


def test_what_is_asked_over_the_network_are_arguments_of_its_probe():
    for probe, arguments in REMOTE.items():
        assert set(arguments) <= set(PROBES[probe].ARGUMENTS)
