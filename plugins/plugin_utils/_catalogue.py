# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Load the catalogue, a checklist and an environment's policy, and say exactly what is wrong with them."""

from __future__ import annotations

import glob
import os
import re
import typing as t
from dataclasses import dataclass, replace

from ..module_utils import _expect
from ..module_utils._probes import PROBES
from ..module_utils._questions import CONTROLLER, DOORS, Attest, Item
from ..module_utils._verdict import PEOPLE, Waiver
from ._dates import date_of, end_of_day
from ._yaml import InputError, Mapping, entries, known_keys, load, names, nearest, one_of, required, shown

__all__ = ["COLLECTION", "Policy", "check_groups", "load_catalogue", "load_checklist", "load_policy", "templated"]

COLLECTION = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))

_CLASSES = ("provision", "observe", "application", "attest", "platform")
_SEVERITIES = ("block", "warn")
_PER = ("host", "group", "deployment")

_REQUIRED = ("id", "title", "why", "class", "stage", "hosts", "probe", "with", "expect")
_TEXT = ("id", "title", "why", "asks", "class", "stage", "severity", "hosts", "per", "from", "probe", "fixed_by", "variable", "remedy")
_ITEM_KEYS = (*_TEXT, "with", "expect", "limit")
_ATTEST_REQUIRED = ("id", "title", "why", "class", "question", "who", "holds", "evidence")
_ATTEST_TEXT = ("id", "title", "why", "asks", "class", "severity", "hosts", "per", "question", "evidence")
_ATTEST_KEYS = (*_ATTEST_TEXT, "who", "holds")
_CHOICE_KEYS = ("id", "area", "expect", "severity", "hosts", "per", "from", "limit", "who", "holds")
_OF_PROBES, _OF_PEOPLE = ("expect", "from", "limit"), ("who", "holds")
_ID = re.compile(r"[a-z0-9]+(?:[._][a-z0-9]+)*")
_LIMIT = (0.1, 60.0)
_DAYS = re.compile(r"([1-9][0-9]{0,3}) days?")
_PATTERN = re.compile(r"[*?\[\]!&~,\s]|^all$|^ungrouped$")


@dataclass(frozen=True)
class Policy:
    """An environment's reviewed data.

    :ivar fleet: group to the hosts that must be in it; the gate refuses an inventory that says otherwise.
    :ivar managed: hosts that others manage; the inventory says the same of them.
    :ivar extra_vars: names that `-e` may set in a gated run.
    """

    directory: str
    checklist: str
    fleet: t.Mapping[str, tuple[str, ...]]
    managed: tuple[str, ...]
    extra_vars: tuple[str, ...]
    waivers: tuple[Waiver, ...]


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
    return found


def _item(path: str, area: str, entry: Mapping) -> Item:
    name = entry.get("id")
    if not isinstance(name, str) or not _ID.fullmatch(name):
        raise InputError(path, entry.line, "`id` is %r; it is words joined by dots, such as redis.aof" % (name,))
    one_of(path, entry, "class", _CLASSES)
    attest = entry.get("class") == "attest"
    known_keys(path, entry, _ATTEST_KEYS if attest else _ITEM_KEYS, item=name)
    for key in _ATTEST_REQUIRED if attest else _REQUIRED:
        if entry.get(key) in (None, ""):
            raise InputError(path, entry.line, "`%s` is missing" % key, item=name)
    for key in _ATTEST_TEXT if attest else _TEXT:
        if key in entry and not isinstance(entry[key], str):
            raise InputError(path, entry.lines[key], "`%s` is %r, not text" % (key, entry[key]), item=name)
    item = _attested(area, entry) if attest else _probed(path, area, entry)
    return _chosen(path, entry, item)


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
    _arguments(path, entry)
    return Item(
        **_described(area, entry),
        stage=entry["stage"],
        hosts=entry["hosts"],
        per="host",
        looks_from="host",
        probe=entry["probe"],
        arguments=dict(entry["with"]),
        fixed_by=entry.get("fixed_by", ""),
        variable=entry.get("variable", ""),
        remedy=entry.get("remedy", ""),
    )


def _attested(area: str, entry: Mapping) -> Item:
    """What people answer is asked once, before anything starts."""
    return Item(
        **_described(area, entry),
        stage="host",
        hosts="all",
        per="deployment",
        looks_from=PEOPLE,
        probe="",
        arguments={},
        attest=Attest(entry["question"], (), 0, entry["evidence"]),
    )


def _arguments(path: str, entry: Mapping) -> None:
    """`with` has the keys that the probe declares; types are checked once it is templated."""
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


def _chosen(path: str, entry: Mapping, item: Item) -> Item:
    """`item` with what this entry, of the catalogue or a checklist, says of it."""
    for key in _OF_PROBES if item.attest else _OF_PEOPLE:
        if key in entry:
            answered = "people answer" if item.attest else "a probe answers"
            raise InputError(path, entry.lines[key], "`%s` does not go with an item that %s" % (key, answered), item=item.id)
    one_of(path, entry, "stage", sorted(DOORS))
    one_of(path, entry, "severity", _SEVERITIES)
    one_of(path, entry, "per", _PER)
    changes: dict[str, t.Any] = {}
    for key, attribute in {"severity": "severity", "hosts": "hosts", "per": "per", "from": "looks_from"}.items():
        if key in entry:
            if not isinstance(entry[key], str) or not entry[key]:
                raise InputError(path, entry.lines[key], "`%s` is %r, not text" % (key, entry[key]), item=item.id)
            changes[attribute] = entry[key]
    if "limit" in entry:
        limit = entry["limit"]
        if isinstance(limit, bool) or not isinstance(limit, (int, float)) or not _LIMIT[0] <= limit <= _LIMIT[1]:
            message = "`limit` is %r; it is seconds between %s and %s" % (limit, *_LIMIT)
            raise InputError(path, entry.lines["limit"], message, item=item.id)
        changes["limit"] = float(limit)
    if "expect" in entry:
        changes["expect"] = _expectation(path, entry.lines["expect"], entry["expect"], item.id)
    if item.attest:
        changes["attest"] = _asked_of_people(path, entry, item.id, item.attest)
    return replace(item, **changes)


def _asked_of_people(path: str, entry: Mapping, item: str, attest: Attest) -> Attest:
    """`attest` with the roles and the days that this entry sets."""
    if "who" in entry:
        names(path, entry.lines["who"], "who", entry["who"], item=item)
        if not entry["who"]:
            raise InputError(path, entry.lines["who"], "`who` is empty; it lists the roles whose people may answer", item=item)
        attest = replace(attest, who=tuple(entry["who"]))
    if "holds" in entry:
        days = _DAYS.fullmatch(str(entry["holds"]))
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


def load_checklist(path: str, catalogue: t.Mapping[str, Item]) -> list[Item]:
    """The items that the checklist at `path` takes, in its order, with its thresholds.

    An entry is an area (`area: redis`) or one item (`id: redis.aof`), which may follow its area to change it.
    """
    document = load(path)
    known_keys(path, document, ("title", "items"))
    if not isinstance(document.get("title", ""), str):
        raise InputError(path, document.lines["title"], "`title` is %r, not text" % (document["title"],))
    chosen: dict[str, Item] = {}
    by_id: set[str] = set()
    name = os.path.splitext(os.path.basename(path))[0]
    areas = {item.area for item in catalogue.values()}
    for entry in entries(path, document, "items", only=False):
        known_keys(path, entry, _CHOICE_KEYS, item=str(entry.get("id", "")))
        if ("area" in entry) == ("id" in entry):
            raise InputError(path, entry.line, "an entry has either `area` or `id`")
        if "area" in entry:
            known_keys(path, entry, ("area",))
            one_of(path, entry, "area", sorted(areas))
            taken = [item for item in catalogue.values() if item.area == entry["area"]]
            chosen.update({item.id: item for item in taken if item.id not in chosen})
            continue
        one_of(path, entry, "id", sorted(catalogue))
        if entry["id"] in by_id:
            raise InputError(path, entry.line, "stands in this checklist twice", item=entry["id"])
        by_id.add(entry["id"])
        chosen[entry["id"]] = _taken(path, entry, catalogue[entry["id"]], "checklist %s" % name)
    if not chosen:
        raise InputError(path, document.lines["items"], "takes no item: an empty checklist is never a GO")
    return list(chosen.values())


def _taken(path: str, entry: Mapping, item: Item, source: str) -> Item:
    """`item` as one entry of a checklist takes it."""
    chosen = _chosen(path, entry, item)
    if "expect" in entry:
        return replace(chosen, expect=item.expect).expecting(chosen.expect, source)
    return replace(chosen, source=source) if set(_OF_PEOPLE) & set(entry) else chosen


def load_policy(directory: str, known_items: t.Iterable[str]) -> Policy:
    """The policy of one environment from `gate.yml` and `waivers.yml` in `directory`; both are required."""
    path = os.path.join(directory, "gate.yml")
    if not os.path.isdir(directory):
        raise InputError(directory, 0, "does not exist; an environment needs a policy directory with gate.yml and waivers.yml")
    gate = load(path)
    known_keys(path, gate, ("checklist", "fleet", "managed", "extra_vars"))
    if not isinstance(gate.get("checklist"), str) or not re.fullmatch(r"[A-Za-z0-9_]+", gate["checklist"]):
        raise InputError(path, gate.lines.get("checklist", 1), "`checklist` is %r; it is the name of a file in checklists/" % (gate.get("checklist"),))
    fleet = gate.get("fleet")
    if not isinstance(fleet, Mapping) or not fleet:
        raise InputError(path, gate.lines.get("fleet", 1), "`fleet` is missing; it maps each group to the hosts that must be in it")
    for group, hosts in fleet.items():
        names(path, fleet.lines[group], "fleet.%s" % group, hosts)
    names(path, gate.lines.get("managed", 1), "managed", gate.get("managed", []))
    _extra_vars(path, gate)
    return Policy(
        directory=directory,
        checklist=gate["checklist"],
        fleet={group: tuple(hosts) for group, hosts in fleet.items()},
        managed=tuple(gate.get("managed", [])),
        extra_vars=tuple(gate.get("extra_vars", [])),
        waivers=tuple(_waivers(os.path.join(directory, "waivers.yml"), set(known_items))),
    )


def _extra_vars(path: str, gate: Mapping) -> None:
    line, given = gate.lines.get("extra_vars", 1), gate.get("extra_vars", [])
    names(path, line, "extra_vars", given)
    for name in given:
        if name.startswith("preflight_"):
            raise InputError(path, line, "`extra_vars` holds %s; what decides who is asked, and what, stands in the inventory alone" % name)


def _waivers(path: str, known_items: set[str]) -> t.Iterator[Waiver]:
    document = load(path)
    known_keys(path, document, ("waivers", "not_applicable"))
    for kind in ("waivers", "not_applicable"):
        if document.get(kind) is None:
            raise InputError(path, document.lines.get(kind, 1), "needs a list under %r, which may be empty: []" % kind)
        for entry in entries(path, document, kind, only=False):
            yield _waiver(path, "waiver" if kind == "waivers" else kind, entry, known_items)


def _waiver(path: str, kind: str, entry: Mapping, known_items: set[str]) -> Waiver:
    name = str(entry.get("item", ""))
    keys = ("item", "subjects", "reason", "owner") + (("expires",) if kind == "waiver" else ())
    known_keys(path, entry, keys, item=name)
    if name not in known_items:
        raise InputError(path, entry.lines.get("item", entry.line), "`item` is %r; %s" % (name, nearest(name, known_items)))
    required(path, entry, ("reason", "owner"), item=name, because="an excuse names why and who answers for it")
    if "subjects" in entry:
        names(path, entry.lines["subjects"], "subjects", entry["subjects"])
        if not entry["subjects"] or any(_PATTERN.search(one) for one in entry["subjects"]):
            message = "`subjects` is %r; it lists inventory names, no patterns" % (entry["subjects"],)
            raise InputError(path, entry.lines["subjects"], message, item=name)
    elif kind == "waiver":
        raise InputError(path, entry.line, "`subjects` is missing: a waiver names the hosts it is for", item=name)
    expires = end_of_day(date_of(path, entry, "expires", item=name)) if kind == "waiver" else None
    origin = "%s:%d" % (shown(path), entry.line)
    return Waiver(kind, name, entry["reason"].strip(), entry["owner"].strip(), tuple(entry.get("subjects", ())), expires, origin)


def check_groups(path: str, items: t.Sequence[Item], groups: t.Container[str]) -> None:
    """Raise InputError for the first item whose `hosts` or `from` is no group of the inventory."""
    for item in items:
        if item.hosts not in groups:
            raise InputError(path, 0, "`hosts: %s` is no group of the inventory, and preflight_groups does not map it" % item.hosts, item=item.id)
        if item.looks_from not in ("host", "outside", CONTROLLER, PEOPLE) and item.looks_from not in groups:
            raise InputError(path, 0, "`from: %s` is neither host, outside, controller nor a group" % item.looks_from, item=item.id)
