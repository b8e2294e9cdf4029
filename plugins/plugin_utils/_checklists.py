# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Load checklists: the items that a system takes from the catalogue, and what holds where several systems share the hosts."""

from __future__ import annotations

import os
import typing as t
from dataclasses import replace

from ..module_utils import _expect
from ..module_utils._questions import Attest, Item
from ._catalogue import OF_PEOPLE, PER, SEVERITIES, chosen
from ._yaml import InputError, Mapping, entries, known_keys, load, one_of, required

__all__ = ["CHOICE_KEYS", "combined", "load_checklist"]

CHOICE_KEYS = ("id", "area", "expect", "severity", "hosts", "per", "from", "limit", "who", "holds", "not_applicable")


def load_checklist(path: str, catalogue: t.Mapping[str, Item]) -> list[Item]:
    """The items that the checklist at `path` takes, in its order, with its thresholds.

    An entry is an area (`area: redis`) or one item (`id: redis.aof`), which may follow its area to change it.
    """
    document = load(path)
    known_keys(path, document, ("title", "items"))
    if "title" in document and (not isinstance(document["title"], str) or not document["title"].strip()):
        raise InputError(path, document.lines["title"], "`title` is %r, not text" % (document["title"],))
    chosen: dict[str, Item] = {}
    by_id: set[str] = set()
    name = os.path.splitext(os.path.basename(path))[0]
    areas = {item.area for item in catalogue.values()}
    for entry in entries(path, document, "items", only=False):
        known_keys(path, entry, CHOICE_KEYS, item=str(entry.get("id", "")))
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
    taken = chosen(path, entry, item)
    if "not_applicable" in entry:
        required(path, entry, ("not_applicable",), item=item.id, because="it says why this system does not need the item")
        taken = replace(taken, not_applicable="%s (%s)" % (entry["not_applicable"].strip(), source))
    if "expect" in entry:
        return replace(taken, expect=item.expect).expecting(taken.expect, source)
    return replace(taken, source=source) if set(OF_PEOPLE) & set(entry) else taken


Versions = t.Mapping[str, Item]
"""Name of a checklist to the item as that checklist takes it."""


def combined(path: str, checklists: t.Mapping[str, t.Sequence[Item]]) -> tuple[list[Item], list[str]]:
    """(the items of several systems that share the hosts, a sentence for each disagreement between them).

    What is stricter holds. Raises InputError, in the name of the file at `path` that names the checklists, where two of
    them ask different hosts or look from different places, of which none is stricter.
    """
    names = dict.fromkeys(item.id for items in checklists.values() for item in items)
    by_id = {name: {item.id: item for item in items} for name, items in checklists.items()}
    found, disagreements = [], []
    for one in names:
        versions = {name: items[one] for name, items in by_id.items() if one in items}
        item, told = _combination(path, versions)
        found.append(item)
        disagreements += ["%s: %s" % (one, sentence) for sentence in told]
    return found, disagreements


def _combination(path: str, versions: Versions) -> tuple[Item, list[str]]:
    needed = {name: item for name, item in versions.items() if not item.not_applicable}
    first = next(iter(needed.values()), next(iter(versions.values())))
    if len(needed) < 2:
        spared = [name for name in versions if name not in needed]
        return first, ["checklist %s asks it, %s does not" % (next(iter(needed)), " and ".join(spared))] if needed and spared else []
    told = ["checklist %s does not ask it" % name for name in versions if name not in needed]
    per = min((one.per for one in needed.values()), key=PER.index)
    item = replace(
        first,
        severity=min((one.severity for one in needed.values()), key=SEVERITIES.index),
        per=per,
        limit=max(one.limit for one in needed.values()),
        # Where one host answers for all, it need not be one of the group that the other checklist asks.
        hosts=_same(path, first.id, "hosts", {name: one.hosts for name, one in needed.items()}, widest="all" if per == "host" else ""),
        looks_from=_same(path, first.id, "from", {name: one.looks_from for name, one in needed.items()}),
    )
    for key in ("severity", "per", "hosts"):
        told += _told(key, {name: getattr(one, key) for name, one in needed.items()}, getattr(item, key))
    if item.attest:
        asked = [one.attest for one in needed.values() if one.attest]
        item = replace(item, attest=_both(asked), source=_source(needed))
        return item, told + _told("answer", {name: one.expected for name, one in needed.items()}, item.expected)
    expectations = {name: _expect.text(one.expect) for name, one in needed.items()}
    item = _strictest(first, item, needed)
    return item, told + _told("expectation", expectations, item.expected)


def _strictest(first: Item, item: Item, needed: Versions) -> Item:
    """`item` with the strictest expectation; with all of them where none is: a host that cannot meet both is then told so."""
    expectations = [(name, one.expect) for name, one in needed.items()]
    sources = [("checklist %s" % name, expect) for name, expect in expectations]
    origin = first.overridden[:1] or ((first.source, first.expect),)
    try:
        winner, expect = sources.pop(_expect.strictest(expectations))
    except _expect.ExpectationError:
        winner, expect = _source(needed), {"all_of": _flat(expect for _name, expect in sources)}
    return replace(item, expect=expect, source=winner, overridden=(*origin, *sources))


def _flat(expectations: t.Iterable[_expect.Expectation]) -> list[_expect.Expectation]:
    return [part for one in expectations for part in one.get("all_of", [one])]


def _both(asked: t.Sequence[Attest]) -> Attest:
    """Whoever answers may answer for each system, and for as long as the shortest of them allows."""
    lists = dict.fromkeys(roles for attest in asked for roles in (attest.who, *attest.also))
    common = tuple(role for role in asked[0].who if all(role in roles for roles in lists))
    who, *also = [common] if common else lists
    return replace(asked[0], who=who, also=tuple(also), days=min(attest.days for attest in asked))


def _source(versions: Versions) -> str:
    return "checklists %s" % " and ".join(versions)


def _same(path: str, item: str, key: str, said: t.Mapping[str, str], *, widest: str = "") -> str:
    """What all say, or `widest` where somebody says so; raises InputError where neither of two is stricter."""
    values = set(said.values())
    if len(values) == 1 or widest in values:
        return widest if widest in values else values.pop()
    told = ", ".join("%s in checklist %s" % (value, name) for name, value in said.items())
    raise InputError(path, 0, "`%s` differs and neither is stricter (%s); write the same in these checklists" % (key, told), item=item)


def _told(key: str, said: t.Mapping[str, str], holds: str) -> list[str]:
    """A sentence where the checklists say different things."""
    if len(set(said.values())) == 1:
        return []
    return ["%s: %s; %s holds" % (key, ", ".join("%s in checklist %s" % (value, name) for name, value in said.items()), holds)]
