# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Load the catalogue: every item that a checklist may take, and exactly what is wrong with one that cannot be used."""

from __future__ import annotations

import glob
import os
import re
import typing as t
from dataclasses import replace

from ..module_utils import _arguments, _expect
from ..module_utils._probes import PROBES
from ..module_utils._probes._base import HOST, PLACE
from ..module_utils._questions import CONTROLLER, DOORS, Attest, Item
from ..module_utils._verdict import PEOPLE
from ._yaml import InputError, Mapping, entries, known_keys, load, names, nearest, one_of, shown

__all__ = [
    "ABOUT",
    "CLASSES",
    "COLLECTION",
    "DAYS",
    "DESCRIBED",
    "ID",
    "LIMIT",
    "NO_ROLE",
    "NO_VARIABLE",
    "OF_A_PROBE",
    "OF_A_QUESTION",
    "OF_NO_PROBE",
    "OF_PEOPLE",
    "PER",
    "SEVERITIES",
    "check_groups",
    "chosen",
    "load_catalogue",
    "templated",
]

COLLECTION = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))

NO_ROLE = "none yet"
"""`fixed_by` of an item that a role should set and none does; its remedy is a person's."""

NO_VARIABLE = "none"
"""`variable` of an item that its role sets whatever the inventory says."""

CLASSES = ("provision", "observe", "application", "attest", "platform")
# From the strictest to the mildest.
SEVERITIES = ("block", "warn")
PER = ("host", "group", "deployment")

DESCRIBED = ("id", "title", "why", "class")
_TEXT = (*DESCRIBED, "asks", "severity", "hosts", "per")
_PROBE_TEXT = (*_TEXT, "stage", "from", "probe", "needs", "fixed_by", "variable", "remedy")
_ATTEST_TEXT = (*_TEXT, "stage", "question", "evidence", "about", "not_by")
OF_PEOPLE = ("who", "holds")
ABOUT = ("release",)

# What an item needs beside its description, by who answers it.
OF_A_PROBE = ("stage", "hosts", "probe", "with", "expect")
OF_NO_PROBE = ("stage", "hosts", "needs", "expect")
OF_A_QUESTION = ("question", *OF_PEOPLE, "evidence")

_OF_PROBES = ("expect", "from", "limit")
_STAGES_OF_PEOPLE = ("host", "ongoing")
ID = re.compile(r"[a-z0-9]+(?:[._][a-z0-9]+)*")
LIMIT = (0.1, 60.0)
DAYS = re.compile(r"([1-9][0-9]{0,3}) days?")


def templated(value: t.Any) -> bool:
    """Whether `value` holds a template at any depth."""
    if isinstance(value, str):
        return "{{" in value or "{%" in value
    if isinstance(value, dict):
        return any(templated(one) for one in value.values())
    return isinstance(value, list) and any(templated(one) for one in value)


def load_catalogue(directories: t.Sequence[str]) -> dict[str, Item]:
    """Every item of `<directory>/catalogue/*.yml`, by id. The file's name is the items' area."""
    found: dict[str, Item] = {}
    origin: dict[str, str] = {}
    for directory in directories:
        for path in sorted(glob.glob(os.path.join(glob.escape(directory), "catalogue", "*.yml"))):
            area = os.path.splitext(os.path.basename(path))[0]
            for entry in entries(path, load(path), "items"):
                item = _item(path, area, entry)
                if item.id in found:
                    raise InputError(path, entry.line, "is in %s already" % origin[item.id], item=item.id)
                found[item.id], origin[item.id] = item, path
    _check_others(found, origin)
    return found


def _check_others(items: t.Mapping[str, Item], origin: t.Mapping[str, str]) -> None:
    """`not_by` names another item that people answer."""
    answered = {item.id: item.attest.not_by for item in items.values() if item.attest}
    for name, other in answered.items():
        if other and (other == name or other not in answered):
            message = "`not_by` is %r, not another item that people answer; %s"
            raise InputError(origin[name], 0, message % (other, nearest(other, sorted(set(answered) - {name}))), item=name)


def _item(path: str, area: str, entry: Mapping) -> Item:
    name = entry.get("id")
    if not isinstance(name, str) or not ID.fullmatch(name):
        raise InputError(path, entry.line, "`id` is %r; it is words joined by dots, such as redis.aof" % (name,))
    one_of(path, entry, "class", CLASSES)
    # What belongs to a platform is asked of people unless a probe can see it.
    attest = entry.get("class") == "attest" or (entry.get("class") == "platform" and "question" in entry)
    text: tuple[str, ...]
    more: tuple[str, ...]
    required: tuple[str, ...]
    if attest:
        text, more, required = _ATTEST_TEXT, OF_PEOPLE, OF_A_QUESTION
    else:
        text, more, required = _PROBE_TEXT, ("with", "expect", "limit"), _asked(path, entry)
    known_keys(path, entry, (*text, *more), item=name)
    for key in (*DESCRIBED, *required):
        if entry.get(key) in (None, ""):
            raise InputError(path, entry.line, "`%s` is missing" % key, item=name)
    for key in text:
        if key in entry and not isinstance(entry[key], str):
            raise InputError(path, entry.lines[key], "`%s` is %r, not text" % (key, entry[key]), item=name)
        if key in entry and not entry[key].strip():
            message = "`%s` is blank; %s" % (key, "say something" if key in (*DESCRIBED, *required) else "say something, or leave it out")
            raise InputError(path, entry.lines[key], message, item=name)
    return chosen(path, entry, _attested(path, area, entry) if attest else _probed(path, area, entry))


def _asked(path: str, entry: Mapping) -> tuple[str, ...]:
    """The keys that say what is asked of a host: of a probe, or of one that has still to be written."""
    if "needs" not in entry:
        return OF_A_PROBE
    for key in ("probe", "with"):
        if key in entry:
            raise InputError(path, entry.lines[key], "`%s` does not go with `needs`, which names a probe that there is not yet" % key, item=entry["id"])
    return OF_NO_PROBE


def _described(area: str, entry: Mapping) -> dict[str, t.Any]:
    """What every item has, whoever answers it, before the entry's own choices are added."""
    return {
        "id": entry["id"],
        "title": entry["title"],
        "area": area,
        "why": entry["why"],
        "asks": entry.get("asks", ""),
        "cls": entry["class"],
        "severity": "block",
        "expect": {},
        "source": "catalogue",
    }


def _probed(path: str, area: str, entry: Mapping) -> Item:
    one_of(path, entry, "probe", sorted(PROBES))
    if "probe" in entry:
        _asked_with(path, entry)
    _fixed(path, entry)
    fixed_by, variable = entry.get("fixed_by", ""), entry.get("variable", "")
    return Item(
        **_described(area, entry),
        stage=entry["stage"],
        hosts=entry["hosts"],
        per="host",
        looks_from="host",
        probe=entry.get("probe", ""),
        arguments=dict(entry.get("with", {})),
        needs=entry.get("needs", ""),
        fixed_by="" if fixed_by == NO_ROLE else fixed_by,
        variable="" if variable == NO_VARIABLE else variable,
        remedy=entry.get("remedy", ""),
    )


def _fixed(path: str, entry: Mapping) -> None:
    """What is provisioned names a role that there is, or says that there is none and what a person does instead."""
    name, roles = entry["id"], _roles(path)
    if "fixed_by" not in entry:
        if entry["class"] == "provision":
            message = "`fixed_by` is missing; what is provisioned names the role that sets it, or `%s` and a `remedy`"
            raise InputError(path, entry.line, message % NO_ROLE, item=name)
        return
    if entry["fixed_by"] not in (*roles, NO_ROLE):
        message = "`fixed_by` is %r, which is no role; %s" % (entry["fixed_by"], nearest(entry["fixed_by"], (*roles, NO_ROLE)))
        raise InputError(path, entry.lines["fixed_by"], message, item=name)
    if entry["fixed_by"] == NO_ROLE and "remedy" not in entry:
        message = "`remedy` is missing; where no role sets it, it says what a person does"
        raise InputError(path, entry.lines["fixed_by"], message, item=name)


def _roles(path: str) -> list[str]:
    """The roles of the collection, and those of the project that the catalogue's file at `path` belongs to."""
    project = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(path))))
    places = [os.path.join(place, "roles") for place in (COLLECTION, project)]
    return sorted({name for place in places if os.path.isdir(place) for name in os.listdir(place) if not name.startswith(".")})


def _attested(path: str, area: str, entry: Mapping) -> Item:
    """What people answer is asked once, before anything starts; or on a schedule, where it cannot be known before.

    Nobody answers in the minutes between a release's start and its traffic: no such question holds door live shut.
    """
    one_of(path, entry, "stage", _STAGES_OF_PEOPLE)
    one_of(path, entry, "about", ABOUT)
    return Item(
        **_described(area, entry),
        stage=entry.get("stage", "host"),
        hosts="all",
        per="deployment",
        looks_from=PEOPLE,
        probe="",
        arguments={},
        attest=Attest(entry["question"], (), 0, entry["evidence"], release="about" in entry, not_by=entry.get("not_by", "")),
    )


def _asked_with(path: str, entry: Mapping) -> None:
    """`with` is what the probe and the fact take; what is a template is looked at once it is filled in."""
    given, name = entry["with"], entry["id"]
    declared = PROBES[entry["probe"]].ARGUMENTS
    if not isinstance(given, Mapping):
        raise InputError(path, entry.lines["with"], "`with` is %r, not a mapping" % (given,), item=name)
    known_keys(path, given, list(declared), item=name)
    for key, spec in declared.items():
        if spec.get("required") and given.get(key) in (None, ""):
            raise InputError(path, entry.lines["with"], "probe %s needs `with.%s`" % (entry["probe"], key), item=name)
        choices = spec.get("choices")
        if choices and key in given and not templated(given[key]) and given[key] not in choices:
            message = "`with.%s` is %r; %s" % (key, given[key], nearest(given[key], choices))
            raise InputError(path, given.lines[key], message, item=name)
    found = _arguments.problem(entry["probe"], declared, given, templated)
    if found:
        key, message = found
        raise InputError(path, given.lines[key] if key else entry.lines["with"], message, item=name)


def chosen(path: str, entry: Mapping, item: Item) -> Item:
    """`item` with what this entry, of the catalogue or a checklist, says of it."""
    for key in _OF_PROBES if item.attest else OF_PEOPLE:
        if key in entry:
            answered = "people answer" if item.attest else "a probe answers"
            raise InputError(path, entry.lines[key], "`%s` does not go with an item that %s" % (key, answered), item=item.id)
    one_of(path, entry, "stage", sorted(DOORS))
    one_of(path, entry, "severity", SEVERITIES)
    one_of(path, entry, "per", PER)
    changes: dict[str, t.Any] = {}
    if not item.origin or {"hosts", "from", "per"} & set(entry):
        changes["origin"] = "%s:%d" % (shown(path), entry.line)
    for key, attribute in {"severity": "severity", "hosts": "hosts", "per": "per", "from": "looks_from"}.items():
        if key in entry:
            if not isinstance(entry[key], str) or not entry[key].strip():
                raise InputError(path, entry.lines[key], "`%s` is %r, not text" % (key, entry[key]), item=item.id)
            changes[attribute] = entry[key]
    if "from" in entry and item.probe:
        sees = PROBES[item.probe].SEES
        if (sees == HOST and entry["from"] != "host") or (sees == PLACE and entry["from"] == "outside"):
            message = "`from` is %r, but probe %s sees the machine it runs on, which would not be the one that is asked about; leave `from` out"
            raise InputError(path, entry.lines["from"], message % (entry["from"], item.probe), item=item.id)
    if "limit" in entry:
        limit = entry["limit"]
        if isinstance(limit, bool) or not isinstance(limit, (int, float)) or not LIMIT[0] <= limit <= LIMIT[1]:
            message = "`limit` is %r; it is seconds between %s and %s" % (limit, *LIMIT)
            raise InputError(path, entry.lines["limit"], message, item=item.id)
        changes["limit"] = float(limit)
    if "expect" in entry:
        changes["expect"] = _expectation(path, entry.lines["expect"], entry["expect"], item.id)
    if item.attest:
        changes["attest"] = _asked_of_people(path, entry, item.id, item.attest)
    changed = replace(item, **changes)
    if changed.probe and changed.per != "host" and changed.arguments.get("fact") in PROBES[changed.probe].COMPARED:
        message = "`per` is %r, but fact %s is compared between hosts, and one alone has none to be compared with; leave `per` out"
        raise InputError(path, entry.lines.get("per", entry.line), message % (changed.per, changed.arguments["fact"]), item=item.id)
    fact = str(changed.arguments.get("fact"))
    stages = PROBES[changed.probe].STAGES.get(fact) if changed.probe else None
    if stages and changed.stage not in stages:
        message = "`stage` is %r, in which fact %s has nothing to look at; known: %s"
        raise InputError(path, entry.lines.get("stage", entry.line), message % (changed.stage, fact, ", ".join(stages)), item=item.id)
    return changed


def _asked_of_people(path: str, entry: Mapping, item: str, attest: Attest) -> Attest:
    """`attest` with the roles and the days that this entry sets."""
    if "who" in entry:
        names(path, entry.lines["who"], "who", entry["who"], item=item)
        if not entry["who"]:
            raise InputError(path, entry.lines["who"], "`who` is empty; it lists the roles whose people may answer", item=item)
        attest = replace(attest, who=tuple(entry["who"]))
    if "holds" in entry:
        days = DAYS.fullmatch(str(entry["holds"]))
        if not days:
            raise InputError(path, entry.lines["holds"], "`holds` is %r; it is a number of days such as 90 days" % (entry["holds"],), item=item)
        attest = replace(attest, days=int(days.group(1)))
    return attest


def _expectation(path: str, line: int, value: t.Any, item: str) -> _expect.Expectation:
    try:
        if templated(value):
            raise _expect.ExpectationError("a threshold is a value, not a template; set it by preflight_thresholds in the inventory")
        _expect.check(value)
    except _expect.ExpectationError as error:
        line = value.lines.get(error.key, line) if isinstance(value, Mapping) else line
        raise InputError(path, line, "`expect`: %s" % error, item=item) from None
    return dict(value)


def check_groups(items: t.Sequence[Item], groups: t.Collection[str]) -> None:
    """Raise InputError for the first item whose `hosts` or `from` is no group of the inventory."""
    for item in (one for one in items if not one.not_applicable):
        if item.hosts not in groups:
            message = "`hosts: %s` is no group of the inventory, and preflight_groups does not map it; %s"
            raise InputError(item.origin, 0, message % (item.hosts, nearest(item.hosts, groups)), item=item.id)
        if item.looks_from not in ("host", "outside", CONTROLLER, PEOPLE) and item.looks_from not in groups:
            message = "`from: %s` is neither host, outside, controller nor a group; %s"
            raise InputError(item.origin, 0, message % (item.looks_from, nearest(item.looks_from, ["host", "outside", CONTROLLER, *groups])), item=item.id)
