# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What people have answered, from `attestations.yml` of an environment's policy, and what they have to write there."""

from __future__ import annotations

import json
import os
import re
import time
import typing as t
from dataclasses import dataclass

from ..module_utils._questions import Item
from ..module_utils._verdict import DEPLOYMENT, Attestation, Question, day
from ._dates import date_of, end_of_day, start_of_day
from ._yaml import InputError, Mapping, entries, known_keys, load, names, nearest, required, shown

__all__ = ["WRITE", "Attestations", "load_attestations", "request"]

WRITE = "write under attestations in"
"""How a request begins; the file and the entry follow."""

_PLACEHOLDER = re.compile(r"<[^<>]*>")


@dataclass(frozen=True)
class Attestations:
    """The file, who holds which role, and what is answered."""

    path: str
    people: t.Mapping[str, tuple[str, ...]]
    given: tuple[Attestation, ...]


def load_attestations(directory: str, items: t.Mapping[str, Item], asked: t.Sequence[str]) -> Attestations:
    """Every answer in `attestations.yml`; raises InputError for one that could not count.

    :param items: every known item, as the checklist takes it where it does.
    :param asked: ids of the checklist's items that people answer; without any, the file may be absent.
    """
    path = os.path.join(directory, "attestations.yml")
    if not os.path.exists(path):
        if not asked:
            return Attestations(path, {}, ())
        message = "does not exist, and the checklist asks people %s; begin it with `people: {}` and `attestations: []`"
        raise InputError(path, 0, message % ", ".join(asked))
    document = load(path)
    known_keys(path, document, ("people", "attestations"))
    people = _people(path, document, items)
    given: dict[tuple[str, str], Attestation] = {}
    for entry in entries(path, document, "attestations", only=False):
        answer = _attestation(path, entry, items, people)
        for subject in answer.subjects or (DEPLOYMENT,):
            if (answer.item, subject) in given:
                message = "is answered for %s at %s already; keep the newer answer" % (subject, given[(answer.item, subject)].origin)
                raise InputError(path, entry.line, message, item=answer.item)
            given[(answer.item, subject)] = answer
    _check_others(path, document, items, list(given.values()))
    return Attestations(path, people, tuple(dict.fromkeys(given.values())))


def _check_others(path: str, document: Mapping, items: t.Mapping[str, Item], given: t.Sequence[Attestation]) -> None:
    """Where two people have to answer two items, they did."""
    for entry in entries(path, document, "attestations", only=False):
        attest = items[entry["item"]].attest
        if attest is None or not attest.not_by:
            continue
        others = [answer for answer in given if answer.item == attest.not_by]
        if not others:
            message = "`item` needs the answer to %s too, which names who may not give this one"
            raise InputError(path, entry.lines["item"], message % attest.not_by, item=entry["item"])
        for other in others:
            if entry["by"] == other.by:
                message = "`by` is %r, who answered %s at %s; it takes another person"
                raise InputError(path, entry.lines["by"], message % (other.by, attest.not_by, other.origin), item=entry["item"])


def _people(path: str, document: Mapping, items: t.Mapping[str, Item]) -> dict[str, tuple[str, ...]]:
    """Role to the names of those who hold it."""
    people = document.get("people")
    if not isinstance(people, Mapping):
        message = "needs `people`, which maps each role to the names of those who hold it: {operations: [Ada Lovelace]}"
        raise InputError(path, document.lines.get("people", 1), message)
    roles = {role for item in items.values() if item.attest for roles in (item.attest.who, *item.attest.also) for role in roles}
    for role, holders in people.items():
        if role not in roles:
            raise InputError(path, people.lines[role], "%r is no role that an item asks; %s" % (role, nearest(role, roles)))
        names(path, people.lines[role], "people.%s" % role, holders)
        if any(_PLACEHOLDER.search(name) for name in holders):
            raise InputError(path, people.lines[role], "`people.%s` still holds a placeholder; write names" % role)
    return {role: tuple(holders) for role, holders in people.items()}


def _attestation(path: str, entry: Mapping, items: t.Mapping[str, Item], people: t.Mapping[str, tuple[str, ...]]) -> Attestation:
    name = str(entry.get("item", ""))
    line = entry.lines.get("item", entry.line)
    item = items.get(name)
    if item is None:
        raise InputError(path, line, "`item` is %r; %s" % (name, nearest(name, [one.id for one in items.values() if one.attest])))
    if item.attest is None:
        raise InputError(path, line, "is answered by probe %s; nobody can attest it" % item.probe, item=name)
    known_keys(path, entry, ("item", "subjects", "by", "at", "evidence", "expires", "version"), item=name)
    required(path, entry, ("by", "evidence"), item=name, because="an answer names who gave it and what shows it")
    if _PLACEHOLDER.search(entry["evidence"]):
        raise InputError(path, entry.lines["evidence"], "`evidence` still is the placeholder; name %s" % item.attest.evidence, item=name)
    holders = item.attest.holders(people)
    if entry["by"] not in holders:
        message = "`by` is %r, who holds no role that may answer (%s): %s"
        known = ", ".join(holders) or "`people` names nobody for it"
        raise InputError(path, entry.lines["by"], message % (entry["by"], item.attest.roles, known), item=name)
    at, expires = (date_of(path, entry, key, item=name) for key in ("at", "expires"))
    if not 0 <= (expires - at).days <= item.attest.days:
        message = "`expires` is %s; an answer of %s holds at most %d days" % (expires, at, item.attest.days)
        raise InputError(path, entry.lines["expires"], message, item=name)
    subjects, version = _subjects(path, entry, item), _version(path, entry, item, item.attest.release)
    origin = "%s:%d" % (shown(path), entry.line)
    return Attestation(name, entry["by"], start_of_day(at), end_of_day(expires), entry["evidence"].strip(), subjects, origin, version)


def _version(path: str, entry: Mapping, item: Item, release: bool) -> str:
    """The version that an answer about a release names, "" of any other answer."""
    if not release:
        if "version" in entry:
            raise InputError(path, entry.lines["version"], "`version` does not go with an item that is about no release", item=item.id)
        return ""
    value = entry.get("version")
    if value is not None and not isinstance(value, str):
        raise InputError(path, entry.lines["version"], "`version` is %s, not text; put it in quotes" % (value,), item=item.id)
    required(path, entry, ("version",), item=item.id, because="the answer is about one release, whose deploy_version it names")
    if _PLACEHOLDER.search(entry["version"]):
        raise InputError(path, entry.lines["version"], "`version` still is the placeholder; name the release", item=item.id)
    return str(entry["version"])


def _subjects(path: str, entry: Mapping, item: Item) -> tuple[str, ...]:
    if item.per == "deployment":
        if "subjects" in entry:
            raise InputError(path, entry.lines["subjects"], "`subjects` does not go with an item that is asked once", item=item.id)
        return ()
    names(path, entry.lines.get("subjects", entry.line), "subjects", entry.get("subjects"), item=item.id)
    if not entry["subjects"]:
        raise InputError(path, entry.lines["subjects"], "`subjects` is empty; it lists the hosts that the answer is about", item=item.id)
    return tuple(entry["subjects"])


def request(attestations: Attestations, item: Item, question: Question) -> str:
    """What somebody has to write, and where, so that `question` is answered: one line, YAML as it stands once filled in."""
    if item.attest is None:
        return ""
    now = time.time()
    holders = item.attest.holders(attestations.people)
    by = "<%s>" % (" or ".join(holders) or "a name, put under people.%s first" % item.attest.who[0])
    about = [] if question.subject == DEPLOYMENT else ["subjects: [%s]" % question.subject]
    if question.version is not None:
        about.append("version: %s" % json.dumps(question.version or "<deploy_version of the release>"))
    dates = ["at: %s" % day(now), "expires: %s" % day(now + item.attest.days * 86400)]
    # JSON is YAML: quoted, whatever the words are.
    words = ["item: %s" % item.id, *about, "by: %s" % json.dumps(by), *dates, "evidence: %s" % json.dumps("<%s>" % item.attest.evidence)]
    return "%s %s: - {%s}" % (WRITE, shown(attestations.path), ", ".join(words))
