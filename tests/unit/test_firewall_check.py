# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What firewall_check asks by default is what the catalogue asks, word for word; what an option sets is what it says."""

from __future__ import annotations

import pathlib

import pytest
import yaml

from ansible_collections.gonogo.preflight.plugins.module_utils._check import results_of
from ansible_collections.gonogo.preflight.plugins.module_utils._firewall_check import checks_of

ROOT = pathlib.Path(__file__).resolve().parents[2]
CATALOGUE = {
    item["id"]: item for path in (ROOT / "checklists" / "catalogue").glob("*.yml") for item in yaml.safe_load(path.read_text(encoding="utf-8"))["items"]
}
SSH = {"name": "ssh", "port": 22, "protocol": "tcp", "source": "any", "publisher": "host"}
WEB = [dict(SSH, name="web", port=port) for port in (80, 443)]


@pytest.fixture(scope="module")
def documented():
    """The defaults as the module documents them."""
    text = (ROOT / "plugins" / "modules" / "firewall_check.py").read_text(encoding="utf-8")
    documentation = yaml.safe_load(text.partition('DOCUMENTATION = r"""')[2].partition('"""')[0])
    return {name: option.get("default") for name, option in documentation["options"].items()}


@pytest.fixture
def checks(documented):
    return lambda **options: {one.item: one for one in checks_of({**documented, "rules": [SSH, *WEB], **options})}


def test_every_item_is_asked_that_the_firewalls_probes_answer_on_the_host(checks):
    asked = {name for name, item in CATALOGUE.items() if item.get("probe") in ("ufw", "exposure", "fail2ban")}
    # What stands in front of a host away from the cloud is its own firewall: the same question.
    assert CATALOGUE["cloud.sg"]["with"] == CATALOGUE["fw.ufw.enabled"]["with"]
    assert CATALOGUE["cloud.sg"]["expect"] == CATALOGUE["fw.ufw.enabled"]["expect"]
    assert set(checks()) == asked - {"cloud.sg"}


def test_probes_arguments_and_expectations_are_those_of_the_catalogue(checks):
    for name, one in checks().items():
        item = CATALOGUE[name]
        assert (one.probe, one.expect, one.limit) == (item["probe"], item["expect"], item.get("limit", 15)), name
        given = {key: value for key, value in item["with"].items() if "{{" not in str(value)}
        assert {key: value for key, value in one.arguments.items() if key in given} == given, name
        assert set(one.arguments) == set(item["with"]), name


@pytest.mark.parametrize(
    ("options", "missing"),
    [
        ({"rules": [SSH]}, {"fw.http80", "fw.https443"}),
        ({"rules": [SSH, dict(WEB[0], source="192.0.2.0/24"), WEB[1]]}, {"fw.http80"}),
        ({"rules": [SSH, WEB[0], dict(WEB[1], protocol="udp")]}, {"fw.https443"}),
        ({"jails": []}, {"fw.fail2ban"}),
    ],
)
def test_what_is_not_named_is_not_asked(checks, options, missing):
    assert set(checks()) - set(checks(**options)) == missing


def test_options_set_what_they_say(checks):
    found = checks(logging="high", jails=["sshd", "nginx-http-auth"], container_networks=["172.28.0.0/16"])
    assert (found["fw.ufw.logging"].expect, found["fw.ufw.logging"].option) == ({"equals": "high"}, "logging")
    assert found["fw.fail2ban"].arguments["jails"] == ["sshd", "nginx-http-auth"]
    exposure = found["net.exposure.reviewed"].arguments
    assert (exposure["rules"], exposure["networks"]) == ([SSH, *WEB], ["172.28.0.0/16"])


def test_nothing_that_no_option_can_set_reaches_a_probe(checks):
    asked = []
    results_of(list(checks().values()), ask=lambda items: asked.extend(items) or [])
    assert all("{{" not in str(one["with"]) for one in asked)


def test_every_check_says_what_mends_it(checks):
    assert all(one.mend for one in checks().values())
