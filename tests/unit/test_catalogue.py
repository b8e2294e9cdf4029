# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Catalogue, checklist and policy: what is shipped loads, and a mistake is named with its file, line, item and what is right."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import pathlib
import re
import tempfile
import time

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.gonogo.preflight.plugins.module_utils._questions import Attest
from ansible_collections.gonogo.preflight.plugins.module_utils._verdict import Waiver
from ansible_collections.gonogo.preflight.plugins.plugin_utils._catalogue import (
    COLLECTION,
    check_groups,
    load_catalogue,
    templated,
)
from ansible_collections.gonogo.preflight.plugins.plugin_utils._checklists import load_checklist
from ansible_collections.gonogo.preflight.plugins.plugin_utils._policy import load_policy
from ansible_collections.gonogo.preflight.plugins.plugin_utils._yaml import InputError, load, nearest

CHECKLISTS = pathlib.Path(COLLECTION) / "checklists"
GROUPS = {"all", "app", "db", "cache", "monitoring", "gpu", "control"}

ITEM = {
    "id": "infra.cpu.cores",
    "title": "Enough processor cores",
    "why": "Requests wait.",
    "class": "observe",
    "stage": "host",
    "hosts": "all",
    "probe": "hardware",
    "with": {"fact": "cpu_cores"},
    "expect": {"at_least": 24},
}

SEEN_FROM_AFAR = {"probe": "http", "with": {"fact": "status", "url": "http://x/"}}


class Written(yaml.SafeDumper):
    """As people write: what is the same twice stands there twice."""

    def ignore_aliases(self, data):
        return True


LOGS = {"fact": "count", "path": "/var/log/x", "pattern": "x", "window": "1h"}


@pytest.fixture
def write(tmp_path):
    """Write a file of the project: text, or data as YAML; returns its path."""

    def to(name, content):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            path.write_text(content if isinstance(content, str) else yaml.dump(content, Dumper=Written, sort_keys=False), encoding="utf-8")
        return str(path)

    return to


@pytest.fixture
def catalogue_of(write, tmp_path):
    def of(*entries):
        write("catalogue/hardware.yml", {"items": list(entries)})
        return load_catalogue([str(tmp_path)])

    return of


# What is shipped


def test_the_shipped_catalogue_loads():
    items = SHIPPED
    assert len(items) >= 30
    for item in items.values():
        assert item.title, item.id
        assert item.why, item.id
        assert item.remedy or item.fixed_by or item.attest, "%s says neither what mends it nor which role does" % item.id
        assert item.expected, item.id
    check_groups(list(items.values()), GROUPS)


@pytest.mark.parametrize("path", sorted(CHECKLISTS.glob("*.yml")), ids=lambda path: path.stem)
def test_the_shipped_checklists_load(path):
    items = load_checklist(str(path), load_catalogue([str(CHECKLISTS)]))
    assert items
    assert len({item.id for item in items}) == len(items)


@pytest.mark.parametrize("path", sorted((pathlib.Path(COLLECTION) / "policy").iterdir()), ids=lambda path: path.name)
def test_the_shipped_policies_load(path):
    policy = load_policy(str(path), load_catalogue([str(CHECKLISTS)]))
    assert all((CHECKLISTS / (name + ".yml")).exists() for name in policy.checklists)
    assert policy.fleet


# What a good file becomes

ASKED = {
    "id": "ops.oncall",
    "title": "Somebody is on call",
    "why": "Alerts must wake somebody.",
    "class": "attest",
    "question": "Is a rotation agreed?",
    "who": ["operations"],
    "holds": "30 days",
    "evidence": "link to the schedule",
}


def test_an_item_that_people_answer_is_asked_once_before_anything_starts(catalogue_of):
    (item,) = catalogue_of(ASKED).values()
    assert (item.stage, item.per, item.severity, item.probe) == ("host", "deployment", "block", "")
    assert item.attest == Attest("Is a rotation agreed?", ("operations",), 30, "link to the schedule")
    assert item.expected == "answered by operations within the last 30 days"


def test_people_may_be_asked_what_nobody_knows_before_the_release_serves(catalogue_of):
    (item,) = catalogue_of({**ASKED, "stage": "ongoing"}).values()
    assert (item.stage, item.attest is None) == ("ongoing", False)


def test_a_checklist_says_who_answers_and_for_how_long(write, catalogue_of):
    path = write("sports.yml", {"items": [{"id": "ops.oncall", "who": ["security", "product"], "holds": "1 day"}]})
    (item,) = load_checklist(path, catalogue_of(ASKED))
    assert (item.expected, item.source) == ("answered by security or product within the last 1 days", "checklist sports")


BAD_QUESTIONS = {
    "a probe": ({"probe": "os"}, "probe", "unknown key 'probe'"),
    "a stage in which nobody answers": ({"stage": "live"}, "stage", "`stage` is 'live'; known: host, ongoing"),
    "no question": ({"question": None}, "id", "`question` is missing"),
    "nobody to answer": ({"who": []}, "who", "`who` is empty; it lists the roles whose people may answer"),
    "who that is text": ({"who": "operations"}, "who", "item ops.oncall: `who` is 'operations'; it is a list of names"),
    "no end": ({"holds": "for ever"}, "holds", "`holds` is 'for ever'; it is a number of days such as 90 days"),
    "a number without unit": ({"holds": 30}, "holds", "`holds` is 30; it is a number of days"),
    "no days": ({"holds": "0 days"}, "holds", "`holds` is '0 days'"),
    "no evidence": ({"evidence": ""}, "id", "`evidence` is missing"),
    "a blank title": ({"title": " "}, "title", "`title` is blank; say something"),
    "a blank question": ({"question": " \t"}, "question", "`question` is blank; say something"),
    "blank evidence": ({"evidence": " "}, "evidence", "`evidence` is blank; say something"),
    "blank people": ({"who": ["operations", " "]}, "who", "`who` is ['operations', ' ']; it is a list of names"),
    "an expectation": ({"expect": {"equals": 1}}, "expect", "unknown key 'expect'"),
    "about something": ({"about": "relase"}, "about", "`about` is 'relase'; did you mean 'release'?"),
}


def test_an_answer_may_have_to_be_about_the_release_and_of_another_person(catalogue_of):
    asked, other = catalogue_of({**ASKED, "about": "release", "not_by": "sign.devops"}, {**ASKED, "id": "sign.devops"}).values()
    assert (asked.attest.release, asked.attest.not_by, other.attest.release, other.attest.not_by) == (True, "sign.devops", False, "")


@pytest.mark.parametrize("other", ["sign.devop", "ops.oncall", "infra.cpu.cores"])
def test_the_other_item_is_another_one_that_people_answer(catalogue_of, other):
    with pytest.raises(InputError) as raised:
        catalogue_of({**ASKED, "not_by": other}, {**ASKED, "id": "sign.devops"}, ITEM)
    assert "item ops.oncall: `not_by` is %r, not another item that people answer; " % other in str(raised.value)


@pytest.mark.parametrize("case", BAD_QUESTIONS)
def test_a_bad_question_is_named(write, tmp_path, case):
    changes, key, message = BAD_QUESTIONS[case]
    text = yaml.safe_dump({"items": [{**ASKED, **changes}]}, sort_keys=False)
    path = write("catalogue/people.yml", text)
    with pytest.raises(InputError) as raised:
        load_catalogue([str(tmp_path)])
    line = next(number for number, line in enumerate(text.splitlines(), 1) if line.lstrip("- ").startswith(key + ":"))
    assert str(raised.value).startswith("%s:%d: item ops.oncall: " % (path, line))
    assert message in str(raised.value)


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"id": "ops.oncall", "expect": {"equals": 1}}, "item ops.oncall: `expect` does not go with an item that people answer"),
        ({"id": "ops.oncall", "from": "outside"}, "item ops.oncall: `from` does not go with an item that people answer"),
        ({"id": "infra.cpu.cores", "holds": "5 days"}, "item infra.cpu.cores: `holds` does not go with an item that a probe answers"),
    ],
)
def test_a_checklist_that_asks_people_like_probes(write, catalogue_of, entry, message):
    path = write("sports.yml", {"items": [entry]})
    with pytest.raises(InputError) as raised:
        load_checklist(path, catalogue_of(ITEM, ASKED))
    assert message in str(raised.value)


def test_an_item_has_its_defaults(catalogue_of):
    (item,) = catalogue_of(ITEM).values()
    assert (item.area, item.severity, item.per, item.looks_from, item.limit, item.source) == ("hardware", "block", "host", "host", 15.0, "catalogue")
    assert (item.arguments, item.expect) == ({"fact": "cpu_cores"}, {"at_least": 24})


def test_an_item_says_how_it_is_asked(catalogue_of):
    entry = {**ITEM, "probe": "http", "with": {"fact": "status", "url": "http://x/"}, "severity": "warn", "per": "group", "from": "outside"}
    (item,) = catalogue_of({**entry, "limit": 20, "stage": "live"}).values()
    assert (item.severity, item.per, item.looks_from, item.limit, item.stage) == ("warn", "group", "outside", 20.0, "live")


@pytest.mark.parametrize(
    ("probe", "given"),
    [
        ("http", {"fact": "{{ fact }}", "url": "{{ url }}", "requests": "{{ many }}"}),
        ("http", {"fact": "json", "url": "{{ url }}", "path": "{{ path }}", "method": "{{ method }}"}),
        ("logs", {**LOGS, "pattern": "{{ pattern }}(", "window": "{{ window }}"}),
        ("logs", {**LOGS, "path": "{{ path | default('') }}", "unit": "{{ unit | default('') }}"}),
        ("tcp", {"fact": "undeclared", "address": "x", "ports": 22, "declared": ["{{ port }}", 80]}),
        ("tcp", {"fact": "undeclared", "address": "x", "ports": "22", "declared": "80,443"}),
        ("redis", {"fact": "aof", "port": "6379"}),
        ("logs", {**LOGS, "whole": "no", "window": 3600}),
        ("http", {"fact": "latency", "url": "http://x/", "requests": 5, "percentile": "99.9"}),
    ],
)
def test_what_is_a_template_or_becomes_of_the_type_is_accepted(catalogue_of, probe, given):
    (item,) = catalogue_of({**ITEM, "probe": probe, "with": given}).values()
    assert item.arguments == given


def test_an_item_without_a_probe_says_which_it_needs(catalogue_of):
    entry = {key: value for key, value in ITEM.items() if key not in ("probe", "with")}
    (item,) = catalogue_of({**entry, "needs": "backup, age of the last restore", "fixed_by": "none yet", "remedy": "restore one", "stage": "ongoing"}).values()
    assert (item.needs, item.probe, item.arguments, item.fixed_by, item.expected) == ("backup, age of the last restore", "", {}, "", "at least 24")


def test_a_project_names_roles_of_its_own(write, tmp_path):
    entry = {**ITEM, "class": "provision", "fixed_by": "ntp"}
    write("project/checklists/catalogue/own.yml", {"items": [entry]})
    with pytest.raises(InputError, match="`fixed_by` is 'ntp', which is no role"):
        load_catalogue([str(tmp_path / "project/checklists")])
    write("project/roles/ntp/tasks/main.yml", [])
    assert load_catalogue([str(tmp_path / "project/checklists")])["infra.cpu.cores"].fixed_by == "ntp"


def test_what_belongs_to_a_platform_is_asked_of_people_or_of_a_probe(catalogue_of):
    asked, probed = catalogue_of({**ASKED, "class": "platform"}, {**ITEM, "class": "platform"}).values()
    assert (bool(asked.attest), asked.probe, probed.attest, probed.probe) == (True, "", None, "hardware")


def test_items_of_several_places_are_one_catalogue(write, tmp_path):
    write("shipped/catalogue/hardware.yml", {"items": [ITEM]})
    write("own/catalogue/extra.yml", {"items": [{**ITEM, "id": "own.cores"}]})
    found = load_catalogue([str(tmp_path / "shipped"), str(tmp_path / "own"), str(tmp_path / "absent")])
    assert {name: item.area for name, item in found.items()} == {"infra.cpu.cores": "hardware", "own.cores": "extra"}


def test_a_checklist_takes_areas_and_items_and_sets_its_own_thresholds(write, catalogue_of):
    catalogue = catalogue_of(ITEM, {**ITEM, "id": "infra.cpu.two"})
    path = write("sports.yml", {"title": "Sports", "items": [{"area": "hardware"}, {"id": "infra.cpu.two", "expect": {"at_least": 2}, "severity": "warn"}]})
    first, second = load_checklist(path, catalogue)
    assert first == catalogue["infra.cpu.cores"]
    assert (second.id, second.expect, second.severity, second.source) == ("infra.cpu.two", {"at_least": 2}, "warn", "checklist sports")
    assert (first.overridden, second.overridden) == ((), (("catalogue", {"at_least": 24}),))


def test_an_area_does_not_undo_what_the_checklist_said_of_an_item(write, catalogue_of):
    path = write("sports.yml", {"items": [{"id": "infra.cpu.cores", "expect": {"at_least": 2}}, {"area": "hardware"}]})
    (item,) = load_checklist(path, catalogue_of(ITEM))
    assert item.expect == {"at_least": 2}


# Bad catalogues

# (what is changed, key that begins the line of the error, what the error says)
BAD_ITEMS = {
    "unknown key": ({"expected": {"at_least": 1}}, "expected", "unknown key 'expected'; did you mean 'expect'?"),
    "no id": ({"id": None}, "id", "`id` is None; it is words joined by dots, such as redis.aof"),
    "id of another form": ({"id": "CPU cores"}, "id", "`id` is 'CPU cores'; it is words joined by dots"),
    "id that is a list": ({"id": ["a"]}, "id", "`id` is ['a']"),
    "title missing": ({"title": None}, "id", "`title` is missing"),
    "title empty": ({"title": ""}, "id", "`title` is missing"),
    "title of another type": ({"title": 5}, "title", "`title` is 5, not text"),
    "why that is a list": ({"why": ["a"]}, "why", "`why` is ['a'], not text"),
    "unknown class": ({"class": "provisioned"}, "class", "`class` is 'provisioned'; did you mean 'provision'?"),
    "unknown stage": ({"stage": "hosts"}, "stage", "`stage` is 'hosts'; did you mean 'host'?"),
    "from elsewhere for what a machine sees of itself": ({"from": "outside"}, "from", "`from` is 'outside', but probe hardware sees the machine it runs on"),
    "from outside for files": (
        {"probe": "file", "with": {"fact": "exists", "path": "/x"}, "from": "outside"},
        "from",
        "`from` is 'outside', but probe file sees the machine it runs on",
    ),
    "needs beside a probe": ({"needs": "cores"}, "probe", "`probe` does not go with `needs`, which names a probe that there is not yet"),
    "needs that is empty": ({"needs": "", "probe": ..., "with": ...}, "id", "`needs` is missing"),
    "a question beside a probe": ({"question": "Enough?"}, "question", "unknown key 'question'"),
    "unknown probe": ({"probe": "hardwear"}, "probe", "`probe` is 'hardwear'; did you mean 'hardware'?"),
    "unknown probe, nothing near": ({"probe": "zzz"}, "probe", "`probe` is 'zzz'; known: accounts, ci, command"),
    "hosts of another type": ({"hosts": ["app"]}, "hosts", "`hosts` is ['app'], not text"),
    "with missing": ({"with": None}, "id", "`with` is missing"),
    "with of another type": ({"with": ["fact"]}, "with", "`with` is ['fact'], not a mapping"),
    "with an unknown argument": ({"with": {"facts": "x"}}, "facts", "unknown key 'facts'; did you mean 'fact'?"),
    "with a required argument missing": ({"with": {"path": "/"}}, "with", "probe hardware needs `with.fact`"),
    "with an unknown choice": ({"with": {"fact": "cpu_core"}}, "fact", "`with.fact` is 'cpu_core'; did you mean 'cpu_cores'?"),
    "with a value of another type": (
        {**SEEN_FROM_AFAR, "with": {"fact": "limited", "url": "http://x/", "requests": "many"}},
        "requests",
        "`with.requests` is 'many', not a whole number",
    ),
    "with a list for text": ({**SEEN_FROM_AFAR, "with": {"fact": "status", "url": ["http://x/"]}}, "url", "`with.url` is ['http://x/'], not text"),
    "with a truth for text": ({**SEEN_FROM_AFAR, "with": {"fact": "header", "url": "http://x/", "name": True}}, "name", "`with.name` is True, not text"),
    "with text for a mapping": (
        {**SEEN_FROM_AFAR, "with": {"fact": "status", "url": "http://x/", "headers": "X-A: b"}},
        "headers",
        "`with.headers` is 'X-A: b', not a mapping",
    ),
    "with a list of other values": (
        {"probe": "command", "with": {"fact": "output", "argv": ["true"], "accept": ["x"]}},
        "accept",
        "`with.accept` is ['x'], not a list of whole numbers",
    ),
    "with what the fact needs missing": ({**SEEN_FROM_AFAR, "with": {"fact": "json", "url": "http://x/"}}, "with", "fact json needs `with.path`"),
    "with what the fact needs empty": (
        {**SEEN_FROM_AFAR, "with": {"fact": "latency", "url": "http://x/", "requests": 5, "percentile": None}},
        "with",
        "fact latency needs `with.percentile`",
    ),
    "with the argument of another fact": (
        {**SEEN_FROM_AFAR, "with": {"fact": "json", "url": "http://x/", "path": "a", "name": "Server"}},
        "name",
        "`with.name` does not go with fact json but with header; ",
    ),
    "with the argument of another fact that is near one of its own": (
        {"probe": "file", "with": {"fact": "exists", "path": "/x", "glob": "*"}},
        "glob",
        "`with.glob` does not go with fact exists but with count, newest; known: path",
    ),
    "with none of several": ({"probe": "process", "with": {"fact": "count"}}, "with", "fact count needs exactly one of `with.name`, `with.pattern`"),
    "with two of several": ({"probe": "process", "with": {"fact": "count", "name": "a", "pattern": "b"}}, "with", "needs exactly one of `with.name`"),
    "with a bad pattern": ({"probe": "logs", "with": {**LOGS, "pattern": "("}}, "pattern", "`with.pattern`: `pattern` is not a regular expression: "),
    "with a pattern that is blank": ({"probe": "logs", "with": {**LOGS, "pattern": ""}}, "with", "probe logs needs `with.pattern`"),
    "with a bad duration": ({"probe": "logs", "with": {**LOGS, "window": "soon"}}, "window", "`window` is 'soon'; it is a duration such as 90s, 15min"),
    "with two queries": ({"probe": "sql", "with": {"fact": "rows", "query": "SELECT 1; SELECT 2"}}, "query", "`with.query`: `query` is one statement"),
    "expect missing": ({"expect": None}, "id", "`expect` is missing"),
    "expect empty": ({"expect": {}}, "expect", "`expect`: an expectation has exactly one operator"),
    "expect without operator": ({"expect": 24}, "expect", "`expect`: an expectation is a mapping such as {at_least: 4}, not 24"),
    "expect with unknown operator": (
        {"expect": {"minimum": 4}},
        "minimum",
        "`expect`: unknown operator 'minimum'; known: above, all_of, as, at_least, at_most",
    ),
    "expect with misspelled operator": ({"expect": {"at_leest": 4}}, "at_leest", "`expect`: unknown operator 'at_leest'; did you mean 'at_least'?"),
    "expect with misspelled type": ({"expect": {"at_most": "2s", "as": "durration"}}, "as", "`expect`: `as` is 'durration'; did you mean 'duration'?"),
    "expect a duration without its type": ({"expect": {"at_most": "2s"}}, "at_most", "'2s' is not a number; for a duration add `as: duration`"),
    "expect between the wrong way round": ({"expect": {"between": [48, 24]}}, "between", "the lower end comes first: [24, 48]"),
    "expect within no time": ({"expect": {"within": "0s"}}, "within", "`within: 0s` lets nothing through; raise it"),
    "expect within a century": ({"expect": {"within": "5200w"}}, "within", "would let everything through; lower it, below ten years"),
    "expect before no date": ({"expect": {"before": None}}, "before", "`before` has no value; it takes one such as `before: 2027-01-31T12:00Z`"),
    "expect a percentage without its sign": ({"expect": {"at_most": 0.1, "as": "percentage"}}, "at_most", "write it with its sign: 0.1%"),
    "expect that is a template": ({"expect": {"at_least": "{{ cores }}"}}, "expect", "a threshold is a value, not a template; set it by preflight_thresholds"),
    "expect that everything meets": ({"expect": {"matches": ".*"}}, "matches", "would let everything through"),
    "expect a date": ({"expect": {"equals": datetime.date(2027, 1, 31)}}, "equals", "2027-01-31 is a date, not text; put it in quotes"),
    "title blank": ({"title": "  "}, "title", "`title` is blank; say something"),
    "why blank": ({"why": "\t"}, "why", "`why` is blank; say something"),
    "asks blank": ({"asks": " "}, "asks", "`asks` is blank; say something, or leave it out"),
    "hosts blank": ({"hosts": " "}, "hosts", "`hosts` is blank; say something"),
    "a role that there is not": ({"fixed_by": "reddis"}, "fixed_by", "`fixed_by` is 'reddis', which is no role; did you mean 'redis'?"),
    "a role that is not near any": ({"fixed_by": "no_such_role"}, "fixed_by", "`fixed_by` is 'no_such_role', which is no role; "),
    "no role yet and nothing that a person does": (
        {"fixed_by": "none yet"},
        "fixed_by",
        "`remedy` is missing; where no role sets it, it says what a person does",
    ),
    "provisioned by nobody": (
        {"class": "provision"},
        "id",
        "`fixed_by` is missing; what is provisioned names the role that sets it, or `none yet` and a `remedy`",
    ),
    "unknown severity": ({"severity": "warning"}, "severity", "`severity` is 'warning'; did you mean 'warn'?"),
    "unknown per": ({"per": "hosts"}, "per", "`per` is 'hosts'; did you mean 'host'?"),
    "one host of a group that is compared": (
        {"probe": "environment", "with": {"fact": "fingerprint", "path": "/x", "name": "A"}, "expect": {"empty": True}, "per": "group"},
        "per",
        "`per` is 'group', but fact fingerprint is compared between hosts",
    ),
    "a release before it started": (
        {"probe": "docker", "with": {"fact": "release", "project": "shop", "path": "/x"}, "expect": {"empty": True}, "stage": "host"},
        "stage",
        "`stage` is 'host', in which fact release has nothing to look at; known: candidate, live, watch, ongoing",
    ),
    "what its own door would shut for ever": (
        {"probe": "docker", "with": {"fact": "unconfirmed", "path": "/x"}, "expect": {"empty": True}, "stage": "live"},
        "stage",
        "`stage` is 'live', in which fact unconfirmed has nothing to look at; known: watch, ongoing",
    ),
    "from of another type": ({"from": 5}, "from", "`from` is 5, not text"),
    "limit of another type": ({"limit": "20 s"}, "limit", "`limit` is '20 s'; it is seconds between 0.1 and 60.0"),
    "limit too long": ({"limit": 600}, "limit", "`limit` is 600; it is seconds between 0.1 and 60.0"),
    "limit that is true": ({"limit": True}, "limit", "`limit` is True"),
    "limit that is no number": ({"limit": float("nan")}, "limit", "`limit` is nan"),
}


@pytest.mark.parametrize("case", BAD_ITEMS)
def test_a_bad_item_is_named_with_file_line_and_what_is_right(write, tmp_path, case):
    changes, key, message = BAD_ITEMS[case]
    entry = {key: value for key, value in {**ITEM, **changes}.items() if value is not ...}
    text = yaml.safe_dump({"items": [entry]}, sort_keys=False)
    path = write("catalogue/hardware.yml", text)
    with pytest.raises(InputError) as raised:
        load_catalogue([str(tmp_path)])
    line = next(number for number, line in enumerate(text.splitlines(), 1) if line.lstrip("- ").startswith(key + ":"))
    item = "" if "id" in changes else "item infra.cpu.cores: "
    assert str(raised.value).startswith("%s:%d: %s" % (path, line, item))
    assert message in str(raised.value)


BAD_DOCUMENTS = {
    "no items": ({}, "needs a list under 'items'"),
    "items of another type": ({"items": {"a": 1}}, "needs a list under 'items'"),
    "items that is nothing": ({"items": None}, "needs a list under 'items'"),
    "an entry that is text": ({"items": [ITEM, "infra.cpu.cores"]}, "'items' holds 'infra.cpu.cores', which is not a mapping"),
    "an unknown key": ({"items": [ITEM], "item": []}, "unknown key 'item'; did you mean 'items'?"),
    "one id twice": ({"items": [ITEM, dict(ITEM)]}, "item infra.cpu.cores: is in "),
}


@pytest.mark.parametrize("case", BAD_DOCUMENTS)
def test_a_bad_catalogue_file(write, tmp_path, case):
    document, message = BAD_DOCUMENTS[case]
    path = write("catalogue/hardware.yml", document)
    with pytest.raises(InputError) as raised:
        load_catalogue([str(tmp_path)])
    assert str(raised.value).startswith(path + ":")
    assert message in str(raised.value)


def test_one_id_in_two_files_names_both(write, tmp_path):
    first = write("catalogue/a.yml", {"items": [ITEM]})
    second = write("catalogue/b.yml", {"items": [ITEM]})
    with pytest.raises(InputError) as raised:
        load_catalogue([str(tmp_path)])
    assert str(raised.value) == "%s:2: item infra.cpu.cores: is in %s already" % (second, first)


# Bad YAML: (content, line, what the error says)
BAD_YAML = {
    "syntax": ("a: 1\nb: [1, 2\nc: 3\n", 3, "is not valid YAML"),
    "a tab": ("a:\n\tb: 1\n", 2, "is not valid YAML: found character that cannot start any token"),
    "a key twice": ("a: 1\nb:\n  c: 1\n  c: 2\n", 4, "the key 'c' stands here twice (first in line 3)"),
    "a key that is a number": ("a: 1\n2: b\n", 2, "the key 2 is not text; put it in quotes"),
    "a key that is true": ("a: 1\nyes: b\n", 2, "the key True is not text"),
    "a key that is nothing": ("~: b\n", 1, "the key None is not text"),
    "a key that is a list": ("[a]: b\n", 1, "the key ['a'] is not text"),
    "merged keys": ("a: &x {b: 1}\nc:\n  <<: *x\n  b: 2\n", 3, "merge keys (<<) are not used here; write the keys out"),
    "a list": ("- a\n- b\n", 1, "holds a list instead of a mapping"),
    "text": ("just text\n", 1, "holds a str instead of a mapping"),
    "nothing": ("", 1, "holds nothing instead of a mapping"),
    "comments": ("# nothing\n---\n", 1, "holds nothing instead of a mapping"),
    "null": ("null\n", 1, "holds nothing instead of a mapping"),
    "two documents": ("a: 1\n---\nb: 2\n", 2, "is not valid YAML: but found another document"),
    "no UTF-8": (b"a: caf\xe9\n", 0, "is not UTF-8 text"),
    "UTF-16": ("a: 1\n".encode("utf-16"), 0, "is not UTF-8 text"),
    "a control character": ("a: \x07\n", 0, "is not valid YAML"),
    "an unknown alias": ("a: *b\n", 1, "is not valid YAML: found undefined alias"),
    "a list in itself": ("a: &a [*a]\n", 1, "is not valid YAML: found unconstructable recursive node"),
    "a mapping in itself": ("a: &a {b: *a}\n", 1, "is not valid YAML: found unconstructable recursive node"),
    "a month that is none": ("a: 1\nday: 2027-13-01\n", 2, "2027-13-01 is no timestamp (month must be in 1..12); put it in quotes where it is text"),
    "a day that is none": ("day: 2027-02-30\n", 1, "2027-02-30 is no timestamp"),
    "a number without end": ("a: %s\n" % ("9" * 5000), 1, "is no int"),
    "a tag of Python": ("a: !!python/object/apply:os.system [ls]\n", 1, "is not used here"),
    "a tag of Ansible": ("a: !vault x\n", 1, "is not valid YAML: could not determine a constructor for the tag '!vault'"),
    "a set": ("a: !!set {b}\n", 1, "YAML's !!set is not used here"),
    "binary data": ("a: !!binary eHg=\n", 1, "YAML's !!binary is not used here"),
    "a number that is none": ("a: !!int b\n", 1, "b is no int"),
    "a truth that is none": ("a: !!bool b\n", 1, "b is no bool"),
    "a time that is none": ("a: !!timestamp b\n", 1, "b is no timestamp"),
    "a time that is a number": (
        "items:\n  - id: a.b\n    expect: {equals: 22:22}\n",
        3,
        "item a.b: `equals`: 22:22 is read as 1342; write that, or put it in quotes",
    ),
    "a time with seconds": ("a: 1:20:30.5\n", 1, "`a`: 1:20:30.5 is read as 4830.5; write that, or put it in quotes"),
    "an octal number": ("a: [x, 0755]\n", 1, "`a`: 0755 is read as 493; write that, or put it in quotes where it is text"),
    "a binary number": ("a: 0b11\n", 1, "0b11 is read as 3"),
    "a number with underscores": ("a: 1_000\n", 1, "1_000 is read as 1000"),
    "a truth that is a word": ("- item: a.b\n  x: {y: no}\n", 2, "item a.b: `y`: no is read as false; write false, or put it in quotes where it is text"),
    "a truth in capitals": ("a: ON\n", 1, "`a`: ON is read as true; write true, or put it in quotes"),
    "lists without end": ("a:\n  " + "[" * 100_000, 2, "is nested more than 50 levels deep"),
    "lists in a line": ("a:\n " + "- " * 1000, 2, "is nested more than 50 levels deep"),
}


@pytest.mark.parametrize("case", BAD_YAML)
def test_bad_yaml_is_named_with_file_and_line(write, case):
    content, line, message = BAD_YAML[case]
    path = write("x.yml", content)
    with pytest.raises(InputError) as raised:
        load(path)
    assert str(raised.value).startswith("%s:%d: " % (path, line) if line else path + ": ")
    assert message in str(raised.value)
    assert len(str(raised.value)) < 500


def test_aliases_of_aliases_are_refused_at_once(write):
    """Nine levels of nine are 387 million values in 453 bytes."""
    levels = ["a0: &a0 [x,x,x,x,x,x,x,x,x]"] + ["a%d: &a%d [%s]" % (number, number, ",".join(["*a%d" % (number - 1)] * 9)) for number in range(1, 9)]
    started = time.perf_counter()
    with pytest.raises(InputError, match=r"x\.yml:6: `a5`: holds more than 100000 values, with what aliases \(\*name\) stand for; write out what is needed"):
        load(write("x.yml", "\n".join(levels)))
    with pytest.raises(InputError, match=r"x\.yml:\d+: item a\.b: `expect`: holds more than"):
        load(write("x.yml", "\n".join([*levels[:4], "items:", "  - {id: a.b, expect: [%s]}" % ",".join(["*a3"] * 99)])))
    assert time.perf_counter() - started < 1


def test_an_alias_is_what_it_stands_for(write):
    assert load(write("x.yml", "a: &x [1, {b: 2}]\nc: [*x, *x]\nd: &y 5\ne: {f: *y}\n"))["c"] == [[1, {"b": 2}]] * 2


def test_what_looks_like_a_number_or_a_truth_is_one(write):
    text = "a: [0, -5, +5, 24.0, 0.5, .5, 1., 1.5e+3, 0x1F, true, False, '22:22', '0755', \"no\", 08, 12:60, fe80::1, a_b, 2027-01-31, y]"
    assert load(write("x.yml", text))["a"][:11] == [0, -5, 5, 24.0, 0.5, 0.5, 1.0, 1500.0, 31, True, False]
    assert load(write("x.yml", text))["a"][11:18] == ["22:22", "0755", "no", "08", "12:60", "fe80::1", "a_b"]


@pytest.mark.parametrize(("name", "message"), [("absent.yml", "cannot be read: No such file or directory"), ("", "cannot be read: Is a directory")])
def test_a_file_that_cannot_be_read_is_named(tmp_path, name, message):
    path = str(tmp_path / name)
    with pytest.raises(InputError) as raised:
        load(path)
    assert message in str(raised.value)


def test_a_path_below_the_working_directory_is_shown_short(write, tmp_path, monkeypatch):
    path = write("catalogue/x.yml", "- a\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=r"^catalogue/x\.yml:1: "):
        load(path)


def test_mappings_know_their_lines(write):
    loaded = load(write("x.yml", "# comment\na: 1\nb:\n  - c: 2\n    d: 3\n"))
    assert (loaded.line, loaded.lines) == (2, {"a": 2, "b": 3})
    assert (loaded["b"][0].line, loaded["b"][0].lines) == (4, {"c": 4, "d": 5})


def test_nearest():
    assert nearest("reddis", ["redis", "postgresql"]) == "did you mean 'redis'?"
    assert nearest("zzz", ["redis", "postgresql"]) == "known: postgresql, redis"


@pytest.mark.parametrize(
    ("value", "expected"),
    [("{{ x }}", True), ("a{% if %}", True), ([["{{ x }}"]], True), ({"a": {"b": "{{"}}, True), ("{x}", False), (5, False), (["a", {"b": None}], False)],
)
def test_templated(value, expected):
    assert templated(value) is expected


# Bad checklists

BAD_CHECKLISTS = {
    "no items": ({"items": []}, "takes no item: an empty checklist is never a GO"),
    "items missing": ({"title": "x"}, "needs a list under 'items'"),
    "title of another type": ({"title": ["x"], "items": [{"area": "hardware"}]}, "`title` is ['x'], not text"),
    "unknown key": ({"items": [{"area": "hardware"}], "areas": []}, "unknown key 'areas'; known: items, title"),
    "unknown item": ({"items": [{"id": "infra.cpu.core"}]}, "item infra.cpu.core: `id` is 'infra.cpu.core'; did you mean 'infra.cpu.cores'?"),
    "unknown area": ({"items": [{"area": "hardwear"}]}, "`area` is 'hardwear'; did you mean 'hardware'?"),
    "area that is a list": ({"items": [{"area": ["hardware"]}]}, "`area` is ['hardware']"),
    "area and id": ({"items": [{"area": "hardware", "id": "infra.cpu.cores"}]}, "an entry has either `area` or `id`"),
    "neither": ({"items": [{"severity": "warn"}]}, "an entry has either `area` or `id`"),
    "an entry that is text": ({"items": ["hardware"]}, "'items' holds 'hardware', which is not a mapping"),
    "an area with a threshold": ({"items": [{"area": "hardware", "expect": {"at_least": 2}}]}, "unknown key 'expect'; known: area"),
    "one item twice": ({"items": [{"id": "infra.cpu.cores"}, {"id": "infra.cpu.cores"}]}, "item infra.cpu.cores: stands in this checklist twice"),
    "a probe of its own": ({"items": [{"id": "infra.cpu.cores", "probe": "os"}]}, "item infra.cpu.cores: unknown key 'probe'"),
    "a bad threshold": ({"items": [{"id": "infra.cpu.cores", "expect": {"at_least": "many"}}]}, "item infra.cpu.cores: `expect`: 'many' is not a number"),
    "a bad severity": ({"items": [{"id": "infra.cpu.cores", "severity": "no"}]}, "item infra.cpu.cores: `severity` is 'no'; known: block, warn"),
    "no reason for what does not apply": (
        {"items": [{"id": "infra.cpu.cores", "not_applicable": " "}]},
        "item infra.cpu.cores: `not_applicable` is missing: it says why this system does not need the item",
    ),
    "a blank title": ({"title": " ", "items": [{"area": "hardware"}]}, "`title` is ' ', not text"),
    "hosts that are blank": ({"items": [{"id": "infra.cpu.cores", "hosts": " "}]}, "item infra.cpu.cores: `hosts` is ' ', not text"),
    "hosts that are nothing": ({"items": [{"id": "infra.cpu.cores", "hosts": ""}]}, "item infra.cpu.cores: `hosts` is '', not text"),
}


@pytest.mark.parametrize("case", BAD_CHECKLISTS)
def test_a_bad_checklist(write, catalogue_of, case):
    document, message = BAD_CHECKLISTS[case]
    path = write("sports.yml", document)
    with pytest.raises(InputError) as raised:
        load_checklist(path, catalogue_of(ITEM))
    assert str(raised.value).startswith(path + ":")
    assert message in str(raised.value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"hosts": "databases"}, "item infra.cpu.cores: `hosts: databases` is no group of the inventory, and preflight_groups does not map it"),
        ({"hosts": "cach"}, "item infra.cpu.cores: `hosts: cach` is no group of the inventory, and preflight_groups does not map it; did you mean 'cache'?"),
        ({"from": "nowhere"}, "item infra.cpu.cores: `from: nowhere` is neither host, outside, controller nor a group"),
    ],
)
def test_a_group_that_the_inventory_does_not_have(catalogue_of, changes, message):
    items = list(catalogue_of({**ITEM, **SEEN_FROM_AFAR, **changes}).values())
    with pytest.raises(InputError) as raised:
        check_groups(items, GROUPS)
    assert re.search(r"catalogue/hardware\.yml:2: %s" % re.escape(message), str(raised.value))


@pytest.mark.parametrize("place", ["host", "outside", "controller", "app"])
def test_places_to_look_from(catalogue_of, place):
    check_groups(list(catalogue_of({**ITEM, **SEEN_FROM_AFAR, "from": place}).values()), GROUPS)


def test_files_of_the_project_are_looked_at_on_the_controller(catalogue_of):
    (item,) = catalogue_of({**ITEM, "probe": "file", "with": {"fact": "exists", "path": "/x"}, "from": "controller"}).values()
    assert item.looks_from == "controller"


def test_the_group_of_what_does_not_apply_need_not_exist(write, catalogue_of):
    catalogue = catalogue_of({**ITEM, "hosts": "databases"})
    path = write("sports.yml", {"items": [{"id": "infra.cpu.cores", "not_applicable": "no database of its own"}]})
    check_groups(load_checklist(path, catalogue), GROUPS)


# Policy

GATE = {"checklist": "demo", "fleet": {"app": ["app1"], "gpu": []}, "extra_vars": []}
WAIVER = {"item": "infra.cpu.cores", "subjects": ["app1"], "reason": "new host is ordered", "owner": "ann", "expires": datetime.date(2027, 1, 31)}
EXCUSE = {"item": "infra.cpu.cores", "reason": "no such host", "owner": "ann"}


@pytest.fixture
def policy(write, tmp_path):
    def of(gate=None, waivers=(), not_applicable=(), **more):
        write("policy/lab/gate.yml", gate or GATE)
        write("policy/lab/waivers.yml", {"waivers": list(waivers), "not_applicable": list(not_applicable), **more})
        return load_policy(str(tmp_path / "policy" / "lab"), ["infra.cpu.cores", "redis.aof"])

    return of


def test_a_policy(policy):
    found = policy({**GATE, "extra_vars": ["deploy_version"]}, [WAIVER], [EXCUSE, {**EXCUSE, "subjects": ["app1"]}])
    end = datetime.datetime(2027, 2, 1, tzinfo=datetime.timezone.utc).timestamp()
    waivers = tuple(dataclasses.replace(one, origin="") for one in found.waivers)
    assert [one.origin.rpartition("policy/lab/")[2] for one in found.waivers] == ["waivers.yml:2", "waivers.yml:9", "waivers.yml:12"]
    assert (found.checklist, found.fleet, found.extra_vars) == ("demo", {"app": ("app1",), "gpu": ()}, ("deploy_version",))
    assert waivers == (
        Waiver("waiver", "infra.cpu.cores", "new host is ordered", "ann", ("app1",), end),
        Waiver("not_applicable", "infra.cpu.cores", "no such host", "ann", (), None),
        Waiver("not_applicable", "infra.cpu.cores", "no such host", "ann", ("app1",), None),
    )


def test_a_provisioning_that_failed_is_excused_until_a_day_at_most(policy):
    assert policy(waivers=[{**WAIVER, "item": "run.provisioned"}]).waivers[0].item == "run.provisioned"
    with pytest.raises(InputError, match=r"waivers.yml:\d+: item run.provisioned: is always applicable; waive a failure"):
        policy(not_applicable=[{**EXCUSE, "item": "run.provisioned"}])


def test_several_systems_share_the_hosts(policy):
    assert (policy().checklists, policy({**GATE, "checklist": ["sports", "odds"]}).checklists) == (("demo",), ("sports", "odds"))


BAD_GATES = {
    "no checklist": ({"checklist": None}, "`checklist` is None; it is the name of a file in checklists/"),
    "a checklist elsewhere": ({"checklist": "../demo"}, "`checklist` is '../demo'"),
    "a checklist of another type": ({"checklist": {"demo": 1}}, "`checklist` is {'demo': 1}; it is the name of a file in checklists/, or a list of such names"),
    "no checklist in the list": ({"checklist": []}, "`checklist` is []"),
    "a checklist elsewhere in the list": ({"checklist": ["demo", "/etc/x"]}, "`checklist` is ['demo', '/etc/x']"),
    "one checklist twice": ({"checklist": ["demo", "demo"]}, "`checklist` names one file twice: demo, demo"),
    "no fleet": ({"fleet": None}, "`fleet` is missing; it maps each group to the hosts that must be in it"),
    "an empty fleet": ({"fleet": {}}, "`fleet` is missing"),
    "a fleet that is a list": ({"fleet": ["app1"]}, "`fleet` is missing; it maps"),
    "a group of another type": ({"fleet": {"app": "app1"}}, "`fleet.app` is 'app1'; it is a list of names"),
    "a group that is nothing": ({"fleet": {"app": None}}, "`fleet.app` is None; it is a list of names"),
    "a host of another type": ({"fleet": {"app": [5]}}, "`fleet.app` is [5]; it is a list of names"),
    "extra variables that decide who is asked": (
        {"extra_vars": ["preflight_managed"]},
        "`extra_vars` holds preflight_managed; what decides who is asked, and what, stands in the inventory alone",
    ),
    "managed hosts that are no list": ({"managed": "db1"}, "`managed` is 'db1'; it is a list of names"),
    "extra variables of another type": ({"extra_vars": "x"}, "`extra_vars` is 'x'; it is a list of names"),
    "extra variables that are nothing": ({"extra_vars": None}, "`extra_vars` is None; it is a list of names"),
    "an unknown key": ({"fleets": {}}, "unknown key 'fleets'; did you mean 'fleet'?"),
}


@pytest.mark.parametrize("case", BAD_GATES)
def test_a_bad_gate_file(policy, case):
    changes, message = BAD_GATES[case]
    with pytest.raises(InputError) as raised:
        policy({**GATE, **changes})
    assert "policy/lab/gate.yml:" in str(raised.value)
    assert message in str(raised.value)


BAD_WAIVERS = {
    "no reason": ({"reason": None}, "item infra.cpu.cores: `reason` is missing: an excuse names why and who answers for it"),
    "a blank reason": ({"reason": "  "}, "`reason` is missing"),
    "no owner": ({"owner": None}, "item infra.cpu.cores: `owner` is missing"),
    "an owner of another type": ({"owner": ["ann"]}, "`owner` is missing"),
    "unknown item": ({"item": "redis.aoff"}, "`item` is 'redis.aoff'; did you mean 'redis.aof'?"),
    "no item": ({"item": None}, "`item` is 'None'; known: infra.cpu.cores, redis.aof"),
    "unknown key": ({"until": "2027-01-31"}, "item infra.cpu.cores: unknown key 'until'"),
    "no subjects": ({"subjects": None}, "`subjects` is None; it is a list of names"),
    "subjects that are text": ({"subjects": "app1"}, "`subjects` is 'app1'; it is a list of names"),
    "no subject": ({"subjects": []}, "`subjects` is []; it lists inventory names, no patterns"),
    "every subject": ({"subjects": ["all"]}, "`subjects` is ['all']; it lists inventory names, no patterns"),
    "a wildcard": ({"subjects": ["app*"]}, "`subjects` is ['app*']; it lists inventory names"),
    "a range": ({"subjects": ["app[1:3]"]}, "it lists inventory names, no patterns"),
    "an intersection": ({"subjects": ["app:&db"]}, "it lists inventory names, no patterns"),
    "several in one": ({"subjects": ["app1,app2"]}, "it lists inventory names, no patterns"),
    "no end": ({"expires": None}, "item infra.cpu.cores: `expires` is None, not a date such as 2027-01-31"),
    "an end that is text": ({"expires": "never"}, "`expires` is 'never', not a date"),
    "an end that is a moment": ({"expires": datetime.datetime(2027, 1, 31, 12, 0)}, "not a date such as 2027-01-31"),
}


@pytest.mark.parametrize("case", BAD_WAIVERS)
def test_a_bad_waiver(policy, case):
    changes, message = BAD_WAIVERS[case]
    with pytest.raises(InputError) as raised:
        policy(waivers=[{**WAIVER, **changes}])
    assert "policy/lab/waivers.yml:" in str(raised.value)
    assert message in str(raised.value)


def without(entry, key):
    return {name: value for name, value in entry.items() if name != key}


@pytest.mark.parametrize("key", ["item", "subjects", "reason", "owner", "expires"])
def test_a_waiver_without_one_of_its_keys(policy, key):
    with pytest.raises(InputError, match="`%s` is " % key):
        policy(waivers=[without(WAIVER, key)])


def test_not_applicable_does_not_expire(policy):
    with pytest.raises(InputError, match="unknown key 'expires'"):
        policy(not_applicable=[{**EXCUSE, "expires": datetime.date(2027, 1, 31)}])


@pytest.mark.parametrize("key", ["waivers", "not_applicable"])
def test_an_absent_list_of_excuses_is_an_error(policy, write, key):
    directory = policy().directory
    write("policy/lab/waivers.yml", without({"waivers": [], "not_applicable": []}, key))
    with pytest.raises(InputError, match="needs a list under '%s', which may be empty" % key):
        load_policy(directory, [])


@pytest.mark.parametrize(("name", "message"), [("gate.yml", "gate.yml: cannot be read"), ("waivers.yml", "waivers.yml: cannot be read")])
def test_an_absent_policy_file_is_an_error(policy, name, message):
    directory = pathlib.Path(policy().directory)
    (directory / name).unlink()
    with pytest.raises(InputError, match=message):
        load_policy(str(directory), [])


def test_an_absent_policy_directory_is_an_error(tmp_path):
    with pytest.raises(InputError, match="needs a policy directory with gate.yml and waivers.yml"):
        load_policy(str(tmp_path / "policy" / "prod"), [])


# Anything at all

WORDS = ["between", "within", "before", "duration", "date", "26h"]
WORDS += ["items", "id", "area", "expect", "as", "one_of", "with", "fact", "at_least", "hardware", "infra.cpu.cores", "host", "x", "", "{{ x }}", "cpu_cores"]
SCALARS = st.sampled_from(WORDS) | st.none() | st.booleans() | st.integers() | st.floats() | st.dates() | st.text(max_size=4)
ANYTHING = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS) | st.text(max_size=3), inner, max_size=4))


@st.composite
def spoiled(draw, valid):
    """A valid mapping with something else in one or two places."""
    document = dict(valid)
    for key in draw(st.lists(st.sampled_from([*valid, "x"]), min_size=1, max_size=2)):
        document[key] = draw(ANYTHING)
    return document


TEXTS = st.one_of(
    st.builds(lambda entries: yaml.safe_dump({"items": entries}, allow_unicode=True), st.lists(spoiled(ITEM) | st.just(ITEM), max_size=2)),
    st.builds(yaml.safe_dump, spoiled(GATE)),
    st.builds(lambda entry: yaml.safe_dump({"waivers": [entry], "not_applicable": []}), spoiled(WAIVER)),
    st.builds(lambda entry: yaml.safe_dump({"items": [entry]}), spoiled(ASKED)),
    st.builds(yaml.safe_dump, ANYTHING),
    st.text(),
    st.text(st.sampled_from("[]{}:-,&*!|>#%@`'\" \nab1<?=~."), max_size=40),
)


SHIPPED = load_catalogue([str(CHECKLISTS)])


@given(TEXTS)
def test_whatever_the_files_hold_the_only_error_is_one_that_names_the_file(text):
    with tempfile.TemporaryDirectory() as name:
        directory = pathlib.Path(name)
        (directory / "catalogue").mkdir()
        path = directory / "catalogue" / "hardware.yml"
        for place in (path, directory / "sports.yml", directory / "gate.yml", directory / "waivers.yml"):
            place.write_bytes(text.encode("utf-8", "surrogatepass"))
        (directory / "good").mkdir()
        (directory / "good" / "gate.yml").write_text(yaml.safe_dump(GATE))
        (directory / "good" / "waivers.yml").write_bytes(text.encode("utf-8", "surrogatepass"))
        for use in (
            lambda: load_catalogue([name]),
            lambda: load_checklist(str(directory / "sports.yml"), SHIPPED),
            lambda: load_policy(name, SHIPPED),
            lambda: load_policy(str(directory / "good"), SHIPPED),
        ):
            with contextlib.suppress(InputError):
                use()
