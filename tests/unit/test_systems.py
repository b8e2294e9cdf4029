# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The five systems and the catalogue: nothing that a system asks is left out, and nothing is in the catalogue for nobody."""

from __future__ import annotations

import json
import pathlib
import re

import pytest
import yaml

from ansible_collections.gonogo.preflight.plugins.module_utils import _expect_rules
from ansible_collections.gonogo.preflight.plugins.module_utils._expect import judge
from ansible_collections.gonogo.preflight.plugins.module_utils._probes import PROBES, _command
from ansible_collections.gonogo.preflight.plugins.plugin_utils._catalogue import COLLECTION, NO_ROLE, NO_VARIABLE, load_catalogue
from ansible_collections.gonogo.preflight.plugins.plugin_utils._checklists import combined, load_checklist

ROOT = pathlib.Path(COLLECTION)
CATALOGUE = load_catalogue([str(ROOT / "checklists")])
SYSTEMS = json.loads((pathlib.Path(__file__).parent / "systems.json").read_text())
CHECKLISTS = {name: load_checklist(str(ROOT / "checklists" / (name + ".yml")), CATALOGUE) for name in SYSTEMS}
# What no document asks in a line of its own: what its lines depend on, or the second half of one.
OWN = set(json.loads((pathlib.Path(__file__).parent / "own_items.json").read_text()))
GROUPS = {"all", "app", "db", "cache", "gpu", "control"}


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_system_asks_what_its_document_asks(system):
    taken = {item.id for item in CHECKLISTS[system]}
    assert set(SYSTEMS[system]) - taken == set()
    assert taken - set(SYSTEMS[system]) <= OWN


# What a document asks with > or <: (system, item, the bound, which does not meet it, and what just does)
STRICT = [
    ("trading", "backup.rto_rpo", "1h", "59min"),
    ("trading", "dr.rto.model", "5min", "4min"),
    ("mlb", "dr.rto.model", "5min", "4min"),
    ("trading", "dr.rto.service", "15min", "14min"),
    ("mlb", "dr.rto.service", "15min", "14min"),
    ("sports", "ml.auc", 0.6, 0.601),
    ("trading", "ml.latency", 0.01, 0.0099),
    ("trading", "ml.drawdown", 15, 14.9),
    ("mlops", "app.predict.latency", 0.1, 0.099),
    ("sports", "test.unit", 80, 80.1),
    ("odds", "test.unit", 80, 80.1),
    ("trading", "kpi.uptime", 99.9, 99.91),
    ("trading", "kpi.latency.ml.average", 0.01, 0.0099),
    ("odds", "kpi.errors", 5, 4.9),
    ("mlb", "kpi.errors", 0.1, 0.09),
    ("trading", "kpi.errors", 1, 0.9),
    ("mlb", "kpi.lead_time", 1800, 1799),
    ("mlb", "kpi.change_failure", 5, 4.9),
]


@pytest.mark.parametrize(("system", "name", "bound", "met"), STRICT)
def test_a_bound_that_the_document_leaves_out_does_not_pass(system, name, bound, met):
    (item,) = (one for one in CHECKLISTS[system] if one.id == name)
    assert (judge(bound, item.expect), judge(met, item.expect)) == (False, True)


@pytest.mark.parametrize(("system", "name", "bound"), [("odds", "backup.rto_rpo", "1h"), ("odds", "kpi.uptime", 99.9)])
def test_a_bound_that_the_document_has_passes(system, name, bound):
    (item,) = (one for one in CHECKLISTS[system] if one.id == name)
    assert judge(bound, item.expect)


def test_every_item_belongs_to_a_system():
    assert set(CATALOGUE) == {item.id for items in CHECKLISTS.values() for item in items}
    assert len({one for ids in SYSTEMS.values() for one in ids}) == 378


def test_all_five_share_the_hosts_without_a_contradiction_in_what_is_asked_of_whom():
    items, disagreements = combined("gate.yml", CHECKLISTS)
    assert {item.id for item in items} == set(CATALOGUE)
    told = "\n".join(disagreements)
    for item in ("pg.version", "kpi.errors", "backup.restore_frequency", "soak.duration"):
        assert "%s: expectation: " % item in told
    assert "sign.devops: answer: " in told


def _entries():
    for path in sorted((ROOT / "checklists/catalogue").glob("*.yml")):
        for entry in yaml.safe_load(path.read_text())["items"]:
            yield pytest.param(entry, id=entry["id"])


ENTRIES = list(_entries())
ROLES = {path.parent.parent.name: yaml.safe_load(path.read_text()) for path in (ROOT / "roles").glob("*/meta/argument_specs.yml")}
PROVISION = (ROOT / "playbooks/tasks/provision.yml").read_text()
TAGS = set(re.findall(r"gonogo\.preflight\.(\w+)", PROVISION))


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


@pytest.mark.parametrize("entry", [one for one in ENTRIES if one.values[0].get("probe") == "command" and isinstance(one.values[0]["with"]["argv"], list)])
def test_a_command_is_one_that_the_probe_runs(entry):
    """A shell it refuses on every host, whatever the host is like."""
    assert not entry["with"]["argv"][0].startswith("{{")
    assert _command.runnable(entry["with"]) == entry["with"]["argv"]


@pytest.mark.parametrize("system", SYSTEMS)
def test_what_a_system_expects_is_of_the_type_that_the_item_has(system):
    """A number of what is a list can be compared with nothing that any host observes."""
    for item in CHECKLISTS[system]:
        own = CATALOGUE[item.id].expect
        if item.expect != own and not item.attest:
            assert _expect_rules.parts(item.expect)[2] in (_expect_rules.parts(own)[2], "exact"), item.id
            assert {type(one) for one in _operands(item.expect)} == {type(one) for one in _operands(own)}, item.id


def _operands(expect):
    operator, operand, _type = _expect_rules.parts(expect)
    return operand if operator in ("one_of", "between") else [operand]


def test_what_is_asked_where_it_applies_only_warns():
    severities = {system: {item.id: item.severity for item in items} for system, items in CHECKLISTS.items()}
    assert severities["odds"]["comp.gdpr"] == "warn"


APPLIED = dict(re.findall(r"name: gonogo\.preflight\.(\w+)\n(?:.*\n){2}  when: inventory_hostname in query\('gonogo\.preflight\.group', '(\w+)'\)", PROVISION))
assert {"docker", "nginx", "postgresql", "redis"} <= set(APPLIED)


@pytest.mark.parametrize("item", [item for item in CATALOGUE.values() if item.fixed_by and not item.remedy], ids=lambda item: item.id)
def test_provisioning_the_host_that_failed_mends_it(item):
    """Without a remedy of its own, an item's is the role's play on this host; there the role has to do something."""
    assert item.stage == "host"
    assert item.fixed_by in TAGS and APPLIED.get(item.fixed_by, item.hosts) == item.hosts


def test_the_password_of_the_database_is_mended_where_it_stands():
    remedy = CATALOGUE["appsec.db_password"].remedy
    assert all(word in remedy for word in ("postgresql_password", "deploy_environment", "--tags postgresql", "group db", "gonogo.preflight.deploy"))


@pytest.mark.parametrize(("role", "variable", "item"), [("postgresql", "postgresql_database", "pg.database"), ("redis", "redis_maxmemory", "redis.maxmemory")])
def test_a_role_sets_what_the_item_expects(role, variable, item):
    default = yaml.safe_load((ROOT / "roles" / role / "defaults/main.yml").read_text())[variable]
    assert "lookup('gonogo.preflight.threshold', '%s')" % item in default
    assert ROLES[role]["argument_specs"]["main"]["options"][variable]["default"] == default
