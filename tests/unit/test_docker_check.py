# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What docker_check asks by default is what the catalogue asks, word for word; what an option sets is what it says."""

from __future__ import annotations

import pathlib

import pytest
import yaml

from ansible_collections.gonogo.preflight.plugins.module_utils._check import results_of
from ansible_collections.gonogo.preflight.plugins.module_utils._docker_check import checks_of

ROOT = pathlib.Path(__file__).resolve().parents[2]
CATALOGUE = {
    item["id"]: item for path in (ROOT / "checklists" / "catalogue").glob("*.yml") for item in yaml.safe_load(path.read_text(encoding="utf-8"))["items"]
}
FILE = "/srv/app/compose.yml"


@pytest.fixture(scope="module")
def documented():
    """The defaults as the module documents them."""
    text = (ROOT / "plugins" / "modules" / "docker_check.py").read_text(encoding="utf-8")
    documentation = yaml.safe_load(text.partition('DOCUMENTATION = r"""')[2].partition('"""')[0])
    return {name: option.get("default") for name, option in documentation["options"].items()}


@pytest.fixture
def checks(documented):
    return lambda **options: {one.item: one for one in checks_of({**documented, **options})}


def test_every_item_of_the_areas_is_asked_that_a_probe_of_the_host_answers(checks):
    area = {name for name, item in CATALOGUE.items() if name.startswith(("docker.", "compose.")) and item.get("probe") in ("docker", "schedule", "compose")}
    assert set(checks(compose_file=FILE)) == area | {"log.rotation"}


def test_probes_arguments_and_expectations_are_those_of_the_catalogue(checks):
    for name, one in checks(compose_file=FILE).items():
        item = CATALOGUE[name]
        assert (one.probe, one.expect, one.limit) == (item["probe"], item["expect"], item.get("limit", 15)), name
        given = {key: value for key, value in item["with"].items() if "{{" not in str(value)}
        assert {key: value for key, value in one.arguments.items() if key in given} == given, name
        assert set(one.arguments) == set(item["with"]), name


def test_a_compose_file_and_the_timer_are_asked_for_where_they_are_named(checks):
    assert set(checks()) == set(checks(compose_file=FILE)) - {name for name in CATALOGUE if name.startswith("compose.")}
    assert set(checks()) - set(checks(pruned_within="")) == {"docker.prune", "docker.prune.ran"}


@pytest.mark.parametrize(
    ("option", "value", "item", "expect"),
    [
        ("minimum_version", "28.0", "docker.version", {"at_least": "28.0", "as": "version"}),
        ("compose_minimum_version", "2.30", "docker.compose.version", {"at_least": "2.30", "as": "version"}),
        ("log_max_size", "10MB", "log.rotation", {"between": [1, "10MB"], "as": "size"}),
        ("pruned_within", "8d", "docker.prune.ran", {"within": "8d"}),
    ],
)
def test_an_option_sets_its_expectation_and_is_named_where_it_is_wrong(checks, option, value, item, expect):
    one = checks(**{option: value})[item]
    assert (one.expect, one.option) == (expect, option)


def test_what_a_compose_file_is_asked_with(checks):
    rules = [{"port": 80, "publisher": "docker"}]
    asked = []
    chosen = checks(compose_file=FILE, resources=["memory"], declared=rules)
    results_of(list(chosen.values()), ask=lambda items: asked.extend(items) or [])
    by_item = {one["id"]: one["with"] for one in asked if one["probe"] == "compose"}
    assert by_item["compose.limits"]["resources"] == ["memory"] and "compose.limits.cpu" not in by_item
    assert by_item["compose.ports"]["declared"] == rules
    assert {one["file"] for one in by_item.values()} == {FILE}


def test_every_check_says_what_mends_it(checks):
    assert all(one.mend for one in checks(compose_file=FILE).values())
