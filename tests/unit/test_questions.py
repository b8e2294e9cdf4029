# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The questions come from data alone: items, inventory groups and thresholds, whoever is reachable."""

from __future__ import annotations

import dataclasses

import pytest

from ansible_collections.gonogo.preflight.plugins.module_utils._questions import (
    CONTROLLER,
    Item,
    effective,
    empty_groups,
    questions,
    subjects,
    vantage_of,
)

GROUPS = {"all": ["app1", "app2", "db1"], "app": ["app1", "app2"], "db": ["db1"], "gpu": []}
ONE_HOST = {"all": ["one"], "app": ["one"], "db": ["one"]}

ITEM = Item(
    id="infra.cpu.cores",
    title="Enough processor cores",
    area="hardware",
    why="Requests wait.",
    asks="CPU: 24+ cores",
    cls="observe",
    stage="host",
    severity="block",
    hosts="all",
    per="host",
    looks_from="host",
    probe="hardware",
    arguments={"fact": "cpu_cores"},
    expect={"at_least": 24},
    source="catalogue",
)


def item(**changes):
    return dataclasses.replace(ITEM, **changes)


@pytest.mark.parametrize(
    ("hosts", "per", "expected"),
    [
        ("all", "host", ["app1", "app2", "db1"]),
        ("app", "host", ["app1", "app2"]),
        ("app", "group", ["app1"]),
        ("all", "deployment", ["app1"]),
        ("gpu", "host", []),
        ("gpu", "group", []),
        ("unheard_of", "host", []),
    ],
)
def test_subjects(hosts, per, expected):
    assert subjects(item(hosts=hosts, per=per), GROUPS) == expected


@pytest.mark.parametrize(
    ("looks_from", "subject", "groups", "expected"),
    [
        ("host", "db1", GROUPS, "db1"),
        ("controller", "db1", GROUPS, CONTROLLER),
        ("outside", "db1", GROUPS, "app1"),
        ("outside", "app1", GROUPS, "app2"),
        ("outside", "one", ONE_HOST, CONTROLLER),
        ("app", "db1", GROUPS, "app1"),
        ("app", "app1", GROUPS, "app2"),
        ("db", "db1", GROUPS, "db1"),
        ("app", "one", ONE_HOST, "one"),
        ("gpu", "db1", GROUPS, ""),
        ("unheard_of", "db1", GROUPS, ""),
    ],
)
def test_vantage(looks_from, subject, groups, expected):
    assert vantage_of(item(looks_from=looks_from), subject, groups) == expected


def test_every_subject_of_every_item_is_asked_once():
    asked = questions([item(), item(id="pg.version", hosts="db"), item(id="app.version", hosts="app", per="group")], GROUPS, {})
    assert [(one.item, one.subject) for one in asked] == [
        ("infra.cpu.cores", "app1"),
        ("infra.cpu.cores", "app2"),
        ("infra.cpu.cores", "db1"),
        ("pg.version", "db1"),
        ("app.version", "app1"),
    ]


def test_a_question_says_where_its_threshold_comes_from():
    chosen = item().expecting({"at_least": 12}, "checklist demo")
    asked = questions([chosen], GROUPS, {"db1": {"infra.cpu.cores": {"at_least": 2}}})
    assert asked[0].provenance == (("catalogue", "at least 24"), ("checklist demo", "at least 12"))
    assert asked[2].provenance == (("catalogue", "at least 24"), ("checklist demo", "at least 12"), ("inventory", "at least 2"))
    assert (asked[0].relaxed, asked[2].relaxed) == ("", "at least 12")
    assert (asked[0].why, asked[0].asks) == ("Requests wait.", "CPU: 24+ cores")


@pytest.mark.parametrize(("stage", "door"), [("host", "start"), ("live", "live")])
def test_the_stage_decides_the_door(stage, door):
    assert {one.door for one in questions([item(stage=stage)], GROUPS, {})} == {door}


def test_an_item_of_an_empty_group_keeps_its_row_that_nobody_can_answer():
    (asked,) = questions([item(hosts="gpu")], GROUPS, {})
    assert (asked.subject, asked.vantage) == ("group gpu", "")
    (asked,) = questions([item(hosts="gpu", looks_from="controller")], GROUPS, {})
    assert asked.vantage == ""


def test_an_empty_group_is_a_problem_unless_it_is_excused():
    items = [item(), item(id="infra.gpu.model", hosts="gpu")]
    assert empty_groups(items, GROUPS, excused=()) == ["infra.gpu.model asks the hosts of group gpu, which has none"]
    assert empty_groups(items, GROUPS, excused={"infra.gpu.model"}) == []


def test_an_inventory_threshold_is_the_expectation_of_its_host_alone():
    asked = questions([item()], GROUPS, {"db1": {"infra.cpu.cores": {"at_least": 2}}, "app1": {"os.release": {"equals": "debian 13"}}})
    assert [(one.subject, one.expected, one.source, one.relaxed) for one in asked] == [
        ("app1", "at least 24", "catalogue", ""),
        ("app2", "at least 24", "catalogue", ""),
        ("db1", "at least 2", "inventory", "at least 24"),
    ]


@pytest.mark.parametrize(
    ("threshold", "relaxed"),
    [({"at_least": 2}, "at least 24"), ({"at_least": 24}, ""), ({"at_least": 48}, ""), ({"equals": 24}, ""), ({"equals": 12}, "at least 24")],
)
def test_weaker_than_the_checklist_is_shown_as_relaxed(threshold, relaxed):
    assert {one.relaxed for one in questions([item()], GROUPS, {host: {ITEM.id: threshold} for host in GROUPS["all"]})} == {relaxed}


def test_without_a_threshold_the_item_is_as_it_was():
    assert effective(ITEM, {"os.release": {"equals": "x"}}) is ITEM


CHANGES = [
    {"id": "infra.cpu.threads"},
    {"probe": "os"},
    {"arguments": {"fact": "memory_bytes"}},
    {"arguments": {"fact": "cpu_cores", "path": "/"}},
    {"expect": {"at_least": 23}},
    {"expect": {"at_least": 24, "tolerance": "7%"}},
    {"expect": {"at_least": "24"}},
    {"looks_from": "outside"},
    {"stage": "live"},
]


@pytest.mark.parametrize("change", CHANGES)
def test_another_question_has_another_digest(change):
    assert item(**change).digest != ITEM.digest


@pytest.mark.parametrize("change", [{"title": "Cores"}, {"why": "x"}, {"remedy": "x"}, {"severity": "warn"}, {"limit": 30.0}])
def test_what_is_not_part_of_the_question_leaves_its_digest(change):
    assert item(**change).digest == ITEM.digest


def test_a_relaxed_threshold_changes_the_digest_of_its_question():
    first, _second, third = questions([item()], GROUPS, {"db1": {ITEM.id: {"at_least": 2}}})
    assert first.digest != third.digest


def test_the_digest_does_not_depend_on_the_order_of_keys():
    assert item(arguments={"a": 1, "b": 2}).digest == item(arguments={"b": 2, "a": 1}).digest


MANAGED = ("db1",)


def test_what_needs_a_login_on_a_managed_host_keeps_its_row_as_not_applicable():
    asked = questions([item()], GROUPS, {}, MANAGED)
    assert [(one.subject, one.vantage, bool(one.not_applicable)) for one in asked] == [("app1", "app1", False), ("app2", "app2", False), ("db1", "", True)]


def test_each_of_many_hosts_looks_at_one_other():
    hosts = ["app%d" % number for number in range(20)]
    looking = [vantage_of(item(looks_from="outside"), host, {"all": hosts}) for host in hosts]
    assert sorted(looking) == sorted(hosts)
    assert all(vantage != host for vantage, host in zip(looking, hosts))


@pytest.mark.parametrize("looks_from", ["outside", "app", "controller"])
def test_what_is_seen_from_elsewhere_is_asked_of_a_managed_host_as_of_any_other(looks_from):
    (asked,) = questions([item(hosts="db", looks_from=looks_from)], GROUPS, {}, MANAGED)
    (usual,) = questions([item(hosts="db", looks_from=looks_from)], GROUPS, {})
    assert asked == usual and not asked.not_applicable


def test_a_managed_postgresql_is_asked_by_the_first_host_of_the_application():
    postgresql = item(id="pg.version", hosts="db", probe="postgresql", arguments={"fact": "version"})
    (asked,) = questions([postgresql], GROUPS, {}, MANAGED)
    assert (asked.subject, asked.vantage, asked.not_applicable) == ("db1", "app1", "")
    arguments = effective(postgresql, {}, managed=True).arguments
    assert (arguments["fact"], arguments["host"], arguments["secret"]) == ("version", "{{ preflight_address }}", "postgresql_password")
    assert asked.digest == effective(postgresql, {}, managed=True).digest != postgresql.digest
    assert effective(item(probe="tcp", looks_from="app"), {}, managed=True).arguments == ITEM.arguments


def test_without_an_application_nobody_can_ask_a_managed_postgresql():
    (asked,) = questions([item(hosts="db", probe="postgresql")], {"all": ["db1"], "db": ["db1"]}, {}, MANAGED)
    assert (asked.vantage, asked.not_applicable) == ("", "")


@pytest.mark.parametrize("per", ["group", "deployment"])
def test_no_managed_host_takes_the_question_of_its_whole_group_with_it(per):
    groups = {"all": ["db1", "db2", "app1"], "db": ["db1", "db2"], "app": ["app1"]}
    (asked,) = questions([item(hosts="db", per=per)], groups, {}, MANAGED)
    assert (asked.subject, asked.vantage, asked.not_applicable) == ("db2", "db2", "")


def test_no_managed_host_looks_at_another():
    groups = {"all": ["db1", "db2", "app1"], "db": ["db1", "db2"], "app": ["app1"]}
    assert vantage_of(item(looks_from="outside"), "app1", groups, MANAGED) == "db2"
    assert vantage_of(item(looks_from="db"), "app1", groups, MANAGED) == "db2"
    assert vantage_of(item(looks_from="db"), "db2", groups, MANAGED) == "db2"
    assert vantage_of(item(looks_from="db"), "db1", {"all": ["db1"], "db": ["db1"]}, MANAGED) == ""
    assert vantage_of(item(looks_from="outside"), "app1", {"all": ["db1", "app1"]}, MANAGED) == CONTROLLER
