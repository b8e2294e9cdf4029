# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Several systems on the same hosts: what is stricter holds, and every disagreement is told with both sources."""

from __future__ import annotations

import dataclasses

import pytest

from ansible_collections.gonogo.preflight.plugins.module_utils import _expect
from ansible_collections.gonogo.preflight.plugins.module_utils._questions import Attest, Item
from ansible_collections.gonogo.preflight.plugins.plugin_utils._checklists import combined
from ansible_collections.gonogo.preflight.plugins.plugin_utils._yaml import InputError

VERSION = Item(
    id="pg.version",
    title="PostgreSQL new enough",
    area="postgresql",
    why="Older ones get no fixes.",
    asks="",
    cls="provision",
    stage="host",
    severity="block",
    hosts="db",
    per="host",
    looks_from="host",
    probe="postgresql",
    arguments={"fact": "version"},
    expect={"at_least": "14", "as": "version"},
    source="catalogue",
)
SIGNED = dataclasses.replace(VERSION, id="sign.lead", probe="", expect={}, attest=Attest("Agreed?", ("lead",), 30, "link"))


def asks(version, source, item=VERSION):
    return item.expecting({"at_least": version, "as": "version"}, "checklist " + source)


def one(**versions):
    """The item that comes of `versions`, and what is told of the disagreements."""
    (item,), told = combined("gate.yml", {name: [item] for name, item in versions.items()})
    return item, told


def test_one_checklist_stays_as_it_is():
    assert one(sports=asks("15", "sports")) == (asks("15", "sports"), [])


@pytest.mark.parametrize("turned", [False, True])
def test_the_strictest_threshold_holds_and_both_sources_are_told(turned):
    versions = {"sports": asks("15", "sports"), "odds": asks("16", "odds")}
    item, told = one(**dict(reversed(versions.items())) if turned else versions)
    assert (item.expect, item.source) == ({"at_least": "16", "as": "version"}, "checklist odds")
    assert item.overridden == (("catalogue", VERSION.expect), ("checklist sports", versions["sports"].expect))
    assert len(told) == 1
    assert told[0].startswith("pg.version: expectation: ")
    for words in ("at least 15 in checklist sports", "at least 16 in checklist odds", "; at least 16 holds"):
        assert words in told[0]


def test_a_checklist_that_leaves_the_threshold_to_the_catalogue_has_a_say_too():
    item, told = one(mlb=VERSION, sports=asks("12", "sports"))
    assert (item.expect, item.source) == (VERSION.expect, "checklist mlb")
    assert "at least 12 in checklist sports" in told[0]


def test_checklists_that_agree_have_nothing_to_tell():
    item, told = one(sports=asks("15", "sports"), odds=asks("15", "odds"))
    assert (item.expect, told) == ({"at_least": "15", "as": "version"}, [])


def test_where_neither_is_stricter_both_must_hold():
    item, told = one(sports=VERSION.expecting({"equals": "15"}, "checklist sports"), odds=VERSION.expecting({"equals": "16"}, "checklist odds"))
    assert item.source == "checklists sports and odds"
    assert not _expect.judge("15", item.expect)
    assert not _expect.judge("16", item.expect)
    assert told == ["pg.version: expectation: 15 in checklist sports, 16 in checklist odds; 15 and 16 holds"]


def test_the_stricter_severity_the_wider_group_and_the_closer_look_hold():
    mild = dataclasses.replace(VERSION, severity="warn", per="deployment", hosts="db", limit=5.0)
    strict = dataclasses.replace(VERSION, severity="block", per="host", hosts="all", limit=20.0)
    item, told = one(odds=mild, sports=strict)
    assert (item.severity, item.per, item.hosts, item.limit) == ("block", "host", "all", 20.0)
    assert told == [
        "pg.version: severity: warn in checklist odds, block in checklist sports; block holds",
        "pg.version: per: deployment in checklist odds, host in checklist sports; host holds",
        "pg.version: hosts: db in checklist odds, all in checklist sports; all holds",
    ]


@pytest.mark.parametrize("per", ["group", "deployment"])
def test_one_host_of_all_does_not_answer_for_one_of_a_group(per):
    with pytest.raises(InputError, match="`hosts` differs and neither is stricter"):
        one(odds=dataclasses.replace(VERSION, per=per, hosts="db"), sports=dataclasses.replace(VERSION, per=per, hosts="all"))


@pytest.mark.parametrize(("key", "attribute"), [("hosts", "hosts"), ("from", "looks_from")])
def test_different_hosts_have_no_order(key, attribute):
    with pytest.raises(InputError) as raised:
        one(odds=dataclasses.replace(VERSION, **{attribute: "db"}), sports=dataclasses.replace(VERSION, **{attribute: "cache"}))
    assert str(raised.value) == (
        "gate.yml: item pg.version: `%s` differs and neither is stricter (db in checklist odds, cache in checklist sports); "
        "write the same in these checklists" % key
    )


def test_what_one_system_does_not_need_is_asked_for_the_other():
    spared = dataclasses.replace(VERSION, not_applicable="no database (checklist bot)")
    assert one(bot=spared, odds=VERSION) == (VERSION, ["pg.version: checklist odds asks it, bot does not"])
    assert one(bot=spared, odds=dataclasses.replace(spared, not_applicable="none either"))[0].not_applicable
    item, told = one(bot=spared, odds=VERSION, sports=asks("15", "sports"))
    assert (item.expect["at_least"], item.not_applicable) == ("15", "")
    assert told[0] == "pg.version: checklist bot does not ask it"


@pytest.mark.parametrize(
    ("sports", "odds", "holders", "words"),
    [
        (("lead", "product"), ("lead", "security"), ["Ada"], "lead"),
        (("lead",), ("security",), ["Ada"], "lead who is also security"),
        (("product",), ("security",), [], "product who is also security"),
    ],
)
def test_who_answers_may_answer_for_every_system(sports, odds, holders, words):
    versions = {
        "sports": dataclasses.replace(SIGNED, attest=dataclasses.replace(SIGNED.attest, who=sports, days=30)),
        "odds": dataclasses.replace(SIGNED, attest=dataclasses.replace(SIGNED.attest, who=odds, days=7)),
    }
    item, told = one(**versions)
    assert item.attest.days == 7
    assert item.attest.holders({"lead": ["Ada"], "security": ["Ada", "Grace"], "product": ["Joan"]}) == holders
    assert item.expected == "answered by %s within the last 7 days" % words
    assert len(told) == 1
