# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An environment's policy: `gate.yml` says what is asked and of whom, `waivers.yml` what is excused."""

from __future__ import annotations

import os
import re
import typing as t
from dataclasses import dataclass

from ..module_utils._verdict import Waiver
from ._dates import date_of, end_of_day
from ._provisioning import PROVISIONED
from ._yaml import InputError, Mapping, entries, known_keys, load, names, nearest, required, shown

__all__ = ["Policy", "load_policy"]

_NAME = re.compile(r"[A-Za-z0-9_]+")
_PATTERN = re.compile(r"[*?\[\]!&~,\s]|^all$|^ungrouped$")


@dataclass(frozen=True)
class Policy:
    """An environment's reviewed data.

    :ivar checklists: names of files in checklists/; one for each system on these hosts.
    :ivar fleet: group to the hosts that must be in it; the gate refuses an inventory that says otherwise.
    :ivar managed: hosts that others manage; the inventory says the same of them.
    :ivar extra_vars: names that `-e` may set in a gated run.
    """

    directory: str
    checklists: tuple[str, ...]
    fleet: t.Mapping[str, tuple[str, ...]]
    managed: tuple[str, ...]
    extra_vars: tuple[str, ...]
    waivers: tuple[Waiver, ...]

    @property
    def checklist(self) -> str:
        """The checklists in words."""
        return " + ".join(self.checklists)


def load_policy(directory: str, known_items: t.Iterable[str]) -> Policy:
    """The policy of one environment from `gate.yml` and `waivers.yml` in `directory`; both are required."""
    path = os.path.join(directory, "gate.yml")
    if not os.path.isdir(directory):
        raise InputError(directory, 0, "does not exist; an environment needs a policy directory with gate.yml and waivers.yml")
    gate = load(path)
    known_keys(path, gate, ("checklist", "fleet", "managed", "extra_vars"))
    checklists = _checklists(path, gate)
    fleet = gate.get("fleet")
    if not isinstance(fleet, Mapping) or not fleet:
        raise InputError(path, gate.lines.get("fleet", 1), "`fleet` is missing; it maps each group to the hosts that must be in it")
    for group, hosts in fleet.items():
        names(path, fleet.lines[group], "fleet.%s" % group, hosts)
    names(path, gate.lines.get("managed", 1), "managed", gate.get("managed", []))
    _extra_vars(path, gate)
    return Policy(
        directory=directory,
        checklists=checklists,
        fleet={group: tuple(hosts) for group, hosts in fleet.items()},
        managed=tuple(gate.get("managed", [])),
        extra_vars=tuple(gate.get("extra_vars", [])),
        waivers=tuple(_waivers(os.path.join(directory, "waivers.yml"), {*known_items, PROVISIONED})),
    )


def _checklists(path: str, gate: Mapping) -> tuple[str, ...]:
    """One name, or a list of them where several systems share the hosts."""
    given = gate.get("checklist")
    asked: list[t.Any] = given if isinstance(given, list) else [given]
    if not asked or not all(isinstance(one, str) and _NAME.fullmatch(one) for one in asked):
        message = "`checklist` is %r; it is the name of a file in checklists/, or a list of such names" % (given,)
        raise InputError(path, gate.lines.get("checklist", 1), message)
    if len(set(asked)) != len(asked):
        raise InputError(path, gate.lines["checklist"], "`checklist` names one file twice: %s" % ", ".join(asked))
    return tuple(asked)


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
    if kind == "not_applicable" and name == PROVISIONED:
        raise InputError(path, entry.lines["item"], "is always applicable; waive a failure of one run, with the day on which that expires", item=name)
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
