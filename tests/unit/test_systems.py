# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The five systems and the catalogue: nothing that a system asks is left out, and nothing is in the catalogue for nobody."""

from __future__ import annotations

import json
import pathlib
import re

import pytest
import yaml

from ansible_collections.gonogo.preflight.plugins.module_utils._probes import PROBES
from ansible_collections.gonogo.preflight.plugins.plugin_utils._catalogue import COLLECTION, NO_ROLE, NO_VARIABLE, load_catalogue
from ansible_collections.gonogo.preflight.plugins.plugin_utils._checklists import combined, load_checklist

ROOT = pathlib.Path(COLLECTION)
CATALOGUE = load_catalogue([str(ROOT / "checklists")])
SYSTEMS = json.loads((pathlib.Path(__file__).parent / "systems.json").read_text())
CHECKLISTS = {name: load_checklist(str(ROOT / "checklists" / (name + ".yml")), CATALOGUE) for name in SYSTEMS}
# No document asks these; what the documents do ask depends on them.
OWN = {
    "accounts.declared",
    "accounts.docker",
    "accounts.passwords",
    "accounts.sudo",
    "accounts.uid0",
    "fw.ssh.reachable",
    "pg.reachable",
    "redis.reachable",
    "ssh.algorithms",
    "ssh.auth_tries",
    "ssh.keys_only",
    "ssh.login_grace",
    "ssh.root_login",
    "ssh.x11",
}
GROUPS = {"all", "app", "db", "cache", "gpu", "control"}


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_system_asks_what_its_document_asks(system):
    taken = {item.id for item in CHECKLISTS[system]}
    assert set(SYSTEMS[system]) - taken == set()
    assert taken - set(SYSTEMS[system]) <= OWN


def test_every_item_belongs_to_a_system():
    assert set(CATALOGUE) == {item.id for items in CHECKLISTS.values() for item in items}
    assert len({one for ids in SYSTEMS.values() for one in ids}) == 378


def test_all_five_share_the_hosts_without_a_contradiction_in_what_is_asked_of_whom():
    items, disagreements = combined("gate.yml", CHECKLISTS)
    assert {item.id for item in items} == set(CATALOGUE)
    told = "\n".join(disagreements)
    for item in ("pg.version", "kpi.latency.api", "kpi.errors", "backup.restore_frequency", "soak.duration"):
        assert "%s: expectation: " % item in told
    assert "sign.devops: answer: " in told


def _entries():
    for path in sorted((ROOT / "checklists/catalogue").glob("*.yml")):
        for entry in yaml.safe_load(path.read_text())["items"]:
            yield pytest.param(entry, id=entry["id"])


ENTRIES = list(_entries())
ROLES = {path.parent.parent.name: yaml.safe_load(path.read_text()) for path in (ROOT / "roles").glob("*/meta/argument_specs.yml")}
TAGS = set(re.findall(r"gonogo\.preflight\.(\w+)", (ROOT / "playbooks/tasks/provision.yml").read_text()))


@pytest.mark.parametrize("entry", ENTRIES)
def test_an_item_asks_the_groups_that_there_are(entry):
    assert entry.get("hosts", "all") in GROUPS
    assert entry.get("from", "host") in GROUPS | {"host", "outside", "controller"}


@pytest.mark.parametrize("entry", [one for one in ENTRIES if one.values[0]["class"] == "provision"])
def test_what_is_provisioned_names_role_tag_and_variable_or_says_that_no_role_sets_it_yet(entry):
    role = entry.get("fixed_by")
    assert role, "fixed_by is missing"
    if role == NO_ROLE:
        assert entry.get("remedy"), "a person has to do it, and is told how"
        return
    assert role in ROLES and role in TAGS, "%s is no role that provisioning applies" % role
    options = ROLES[role]["argument_specs"]["main"].get("options", {})
    assert entry.get("variable"), "variable is missing; the role's: %s" % ", ".join(options)
    assert entry["variable"] in options or entry["variable"] in ("preflight_exposure", NO_VARIABLE)


@pytest.mark.parametrize("entry", [one for one in ENTRIES if "probe" in one.values[0]])
def test_what_is_asked_of_a_probe_says_what_mends_it(entry):
    assert entry["probe"] in PROBES
    assert entry.get("remedy") or entry.get("fixed_by") not in (None, NO_ROLE)
