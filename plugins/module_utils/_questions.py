# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From items and inventory groups to the questions that must be answered. Pure: no I/O."""

from __future__ import annotations

import hashlib
import json
import typing as t
from dataclasses import dataclass, replace

from . import _expect
from ._managed import ASKED_FROM, NOT_APPLICABLE, REMOTE
from ._verdict import DEPLOYMENT, PEOPLE, Question

__all__ = ["CONTROLLER", "DOORS", "ONGOING", "Attest", "Item", "Thresholds", "effective", "empty_groups", "questions", "subjects", "vantage_of"]

CONTROLLER = "controller"
INVENTORY = "inventory"

ONGOING = "ongoing"
"""Where questions are asked that hold no door shut."""

DOORS: t.Mapping[str, str] = {"host": "start", "candidate": "live", "live": "live", "watch": ONGOING, "ongoing": ONGOING}
"""The door that asks the items of a stage. A release starts in place: what is asked of a candidate is asked once it serves."""

Groups = t.Mapping[str, t.Sequence[str]]
"""Inventory group to its hosts, in inventory order."""

Wanted = t.Callable[[str, str, str], bool]
"""Whether the question of (subject, vantage, door) is wanted."""

Thresholds = t.Mapping[str, t.Mapping[str, t.Any]]
"""Item to the expectation that the inventory of one host sets for it."""


@dataclass(frozen=True)
class Attest:
    """What an item asks of people.

    :ivar who: the roles whose people may answer.
    :ivar also: further lists, of each of which the same person has to hold a role: of other systems on the same hosts.
    :ivar days: how long an answer holds.
    :ivar evidence: what an answer has to name.
    :ivar release: an answer is about one release, and names its version.
    :ivar not_by: the item that the same person may not have answered, or "".
    """

    question: str
    who: tuple[str, ...]
    days: int
    evidence: str
    also: tuple[tuple[str, ...], ...] = ()
    release: bool = False
    not_by: str = ""

    @property
    def roles(self) -> str:
        """Who may answer, in words."""
        return " who is also ".join(" or ".join(roles) for roles in (self.who, *self.also))

    @property
    def expected(self) -> str:
        about = " about the version that is deployed" if self.release else ""
        other = ", and not by who answered %s" % self.not_by if self.not_by else ""
        return "answered by %s within the last %d days%s%s" % (self.roles, self.days, about, other)

    def holders(self, people: t.Mapping[str, t.Sequence[str]]) -> list[str]:
        """Who of `people` (role to names) may answer."""
        named = [[name for role in roles for name in people.get(role, ())] for roles in (self.who, *self.also)]
        return list(dict.fromkeys(name for name in named[0] if all(name in names for names in named)))


@dataclass(frozen=True)
class Item:
    """One box of the checklist, as catalogue and checklist have it.

    :ivar looks_from: "host", "controller", "outside" (another host of the inventory) or a group.
    :ivar overridden: (source, expectation) of each place whose word no longer holds, the catalogue's first.
    :ivar attest: what people are asked, where no probe can look; the probe is then "".
    :ivar needs: the probe that would answer, where it has not been written yet; the probe is then "".
    :ivar not_applicable: why the checklist does not need it, or "".
    :ivar origin: file and line of the entry that had the last word on whom it asks, and how.
    """

    id: str
    title: str
    area: str
    why: str
    asks: str
    cls: str
    stage: str
    severity: str
    hosts: str
    per: str
    looks_from: str
    probe: str
    arguments: t.Mapping[str, t.Any]
    expect: _expect.Expectation
    source: str
    fixed_by: str = ""
    variable: str = ""
    remedy: str = ""
    limit: float = 15.0
    overridden: tuple[tuple[str, _expect.Expectation], ...] = ()
    attest: t.Optional[Attest] = None
    needs: str = ""
    not_applicable: str = ""
    origin: str = ""

    @property
    def expected(self) -> str:
        """What is expected, in words."""
        return self.attest.expected if self.attest else _expect.text(self.expect)

    def expecting(self, expect: _expect.Expectation, source: str) -> Item:
        """This item with the expectation of `source` instead."""
        return replace(self, expect=dict(expect), source=source, overridden=(*self.overridden, (self.source, self.expect)))

    @property
    def digest(self) -> str:
        """Fingerprint of what is asked, before templating."""
        asked = [self.id, self.probe, self.arguments, self.expect, self.looks_from, self.stage]
        return hashlib.sha256(json.dumps(asked, sort_keys=True, default=str).encode()).hexdigest()[:16]


def effective(item: Item, thresholds: Thresholds, *, managed: bool = False) -> Item:
    """`item` with the inventory's expectation where there is one; its source then says so.

    :param managed: the subject is a managed host; what can be asked of it over the network is.
    """
    if managed and item.looks_from == "host":
        item = replace(item, arguments={**item.arguments, **REMOTE.get(item.probe, {})})
    if item.id not in thresholds:
        return item
    return item.expecting(thresholds[item.id], INVENTORY)


def _relaxed(item: Item) -> str:
    """The checklist's own expectation in words, when the inventory's is weaker."""
    if item.source != INVENTORY or not _expect.weaker(item.expect, item.overridden[-1][1]):
        return ""
    return _expect.text(item.overridden[-1][1])


def _provenance(item: Item) -> tuple[tuple[str, str], ...]:
    return (*((source, _expect.text(expect)) for source, expect in item.overridden), (item.source, item.expected))


def subjects(item: Item, groups: Groups, managed: t.Collection[str] = ()) -> list[str]:
    """The inventory names that must answer `item`; DEPLOYMENT for what people are asked once.

    Where one host answers for its group, it is not a managed one that cannot.
    """
    if item.attest and item.per == "deployment":
        return [DEPLOYMENT]
    hosts = list(groups.get(item.hosts, ()))
    if item.per == "host":
        return hosts
    return sorted(hosts, key=lambda host: _needs_login(item, host, managed))[:1]


def _needs_login(item: Item, subject: str, managed: t.Collection[str]) -> bool:
    """Whether `item` can only be asked on `subject` itself, which is managed."""
    return subject in managed and not item.attest and not item.needs and item.looks_from == "host" and item.probe not in REMOTE


def vantage_of(item: Item, subject: str, groups: Groups, managed: t.Collection[str] = ()) -> str:
    """Who looks at `subject`: an inventory name, "controller", PEOPLE, or "" when nobody can. Never a managed host."""
    if item.attest:
        return PEOPLE
    groups = {name: [host for host in hosts if host not in managed or host == subject] for name, hosts in groups.items()}
    if item.looks_from == "host":
        return subject if subject not in managed else next(iter(groups.get(ASKED_FROM, ())), "")
    if item.looks_from == CONTROLLER:
        return CONTROLLER
    if item.looks_from == "outside":
        # The next one, so that each host looks at one other, however many there are.
        everyone = groups["all"]
        return everyone[(everyone.index(subject) + 1) % len(everyone)] if len(everyone) > 1 else CONTROLLER
    # A host that is its group alone looks at itself: one host may carry every group.
    group = groups.get(item.looks_from, ())
    return next((host for host in group if host != subject), subject if subject in group and subject not in managed else "")


def empty_groups(items: t.Sequence[Item], groups: Groups, excused: t.Container[str]) -> list[str]:
    """A sentence for each item that nobody would answer; items in `excused` are not applicable here."""
    return ["%s asks the hosts of group %s, which has none" % (item.id, item.hosts) for item in items if item.id not in excused and not subjects(item, groups)]


def questions(
    items: t.Sequence[Item],
    groups: Groups,
    thresholds: t.Mapping[str, Thresholds],
    managed: t.Collection[str] = (),
    wanted: t.Optional[Wanted] = None,
    version: str = "",
) -> list[Question]:
    """Every question of the checklist, from data alone.

    An item of an empty group still gets one row, with the group as its subject, so that no report loses it; so does an
    item that only a login on a managed host would answer.

    :param thresholds: host to the expectations its inventory sets.
    :param wanted: which questions to return, for who needs a few of many; all by default.
    :param version: the version that is deployed, "" where that is not known; no answer about a release counts then.
    """
    found = []
    for item in items:
        answering = subjects(item, groups, managed)
        for subject in answering or ["group " + item.hosts]:
            unasked = _needs_login(item, subject, managed)
            vantage = vantage_of(item, subject, groups, managed) if answering and not unasked else ""
            if wanted is not None and not wanted(subject, vantage, DOORS[item.stage]):
                continue
            asked = effective(item, thresholds.get(subject, {}), managed=subject in managed)
            found.append(
                Question(
                    item=asked.id,
                    subject=subject,
                    vantage=vantage,
                    door=DOORS[asked.stage],
                    severity=asked.severity,
                    title=asked.title,
                    area=asked.area,
                    expected=asked.expected,
                    source=asked.source,
                    digest=asked.digest,
                    remedy=asked.remedy,
                    relaxed=_relaxed(asked),
                    why=asked.why,
                    asks=asked.attest.question if asked.attest else asked.asks,
                    provenance=_provenance(asked),
                    not_applicable=asked.not_applicable or (NOT_APPLICABLE if unasked else ""),
                    needs=asked.needs,
                    version=version if asked.attest and asked.attest.release else None,
                )
            )
    return found
