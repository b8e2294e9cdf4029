# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a drift run found, as lines for the journal and the terminal: equal things of many hosts folded, problems first. Pure."""

from __future__ import annotations

import typing as t

from ..module_utils._verdict import THROUGH, Question, Row
from ._changes import UPDATE
from ._drift import DRIFTED, GREEN
from ._findings import Finding, findings, plain_line
from ._moment import elapsed, stamp

__all__ = ["LONGEST", "text"]

LONGEST = 300
"""As many characters of an error are kept as a reason."""

_MOST, _MOST_MENDS, _FEW = 20, 3, 8

Data = t.Mapping[str, t.Any]
Entry = t.List[t.Tuple[bool, str]]
"""Lines that belong together, each with whether it needs a person."""


def text(found: Data, *, whole: bool = False) -> Entry:
    """(whether it needs a person, line); the long lists of a bad day are cut, unless they are wanted `whole`."""
    bad = found["state"] != GREEN
    causes = _causes(found)
    entries = [[(True, "  " + cause)] for cause in causes] if len(causes) > 1 or found["state"] == DRIFTED else []
    lists = [entries, _changes(found), _turned(found), _updates(found), [[(True, "  mend, in your project: %s" % one)] for one in _commands(found)]]
    lines = [(bad, _headline(found, causes))]
    for one in lists:
        shown = one if whole else one[:_MOST]
        lines += [line for entry in shown for line in entry]
        if len(shown) < len(one):
            lines.append((True, "  ... and %d more like these, in %s/summary.txt" % (len(one) - len(shown), found["kept"])))
    lines += [(False, "  kept in %s" % found["kept"]), *_project(found)]
    # What hosts sent is on one line, and nothing that a terminal would obey.
    return [(needs, line[: len(line) - len(line.lstrip())] + plain_line(line)) for needs, line in lines]


def _causes(found: Data) -> list[str]:
    """What is wrong with the run itself; a mistake that stopped the verification is told once."""
    problems = [one for one in found["problems"] if not any(one[:LONGEST] in reason for reason in found["reasons"])]
    return [*("problem: %s" % one for one in problems), *("not known: %s" % one for one in found["reasons"])]


def _headline(found: Data, causes: t.Sequence[str]) -> str:
    took = elapsed(found["ended"] - found["started"])
    last = "the last green run ended %s" % stamp(found["since_ended"]) if found["since"] else "no run was green yet"
    if found["state"] == GREEN:
        count = sum(found["counts"].values())
        return "%s: GREEN: verdict GO, %d answers, provisioning would change nothing (%s)" % (found["environment"], count, took)
    if found["state"] == DRIFTED:
        return "%s: DRIFTED: %s, verdict %s; %s (%s)" % (found["environment"], _sums(found), found["verdict"], last, took)
    what = causes[0].partition(": ")[2] if len(causes) == 1 else _sums(found)
    return "%s: INCOMPLETE, not known to be green: %s; %s (%s)" % (found["environment"], plain_line(what, 300), last, took)


def _sums(found: Data) -> str:
    if not found["changes_known"]:
        things = "what would be changed is not known"
    else:
        updates = sum(one["kind"] == UPDATE for one in found["changes"])
        things = "%d things would be changed" % (len(found["changes"]) - updates) + (", %d updates are pending" % updates if updates else "")
    turned = sum(one["is"] not in THROUGH for one in found["turned"])
    return "%s, %s" % (things, "%d items turned" % turned if found["counts"] else "what the items answer is not known")


def _changes(found: Data) -> list[Entry]:
    """A line for each thing, however many hosts it is on."""
    hosts: dict[tuple[str, str, str], list[str]] = {}
    for one in found["changes"]:
        if one["kind"] != UPDATE:
            hosts.setdefault((one["kind"], one["name"], one["detail"]), []).append(one["host"])
    return [[(True, "  %s: %s, on %s: %s" % (kind, name, _some(names), detail))] for (kind, name, detail), names in hosts.items()]


def _updates(found: Data) -> list[Entry]:
    """A line for all updates that the same hosts wait for."""
    hosts: dict[str, list[str]] = {}
    for one in found["changes"]:
        if one["kind"] == UPDATE:
            hosts.setdefault("%s %s" % (one["name"], one["detail"]), []).append(one["host"])
    packages: dict[tuple[str, ...], list[str]] = {}
    for update, names in hosts.items():
        packages.setdefault(tuple(names), []).append(update)
    return [[(True, "  update: %s, on %s" % (_some(updates), _some(names)))] for names, updates in packages.items()]


def _turned(found: Data) -> list[Entry]:
    """What holds the gate shut first; folded as on the board."""
    needing = [one for one in found["turned"] if one["is"] not in THROUGH]
    others = [one for one in found["turned"] if one["is"] in THROUGH]
    return [_finding(finding) for turned in (needing, others) for finding in findings(_row(one) for one in turned)]


def _row(one: Data) -> Row:
    names = ("item", "subject", "vantage", "area", "title", "expected")
    kept: Data = {name: str(one[name]) for name in names}
    answered: Data = {name: str(one[name]) for name in ("observed", "reason", "remedy")}
    question = Question(**kept, door="", severity="", source="", digest="")
    # The outcome in the last green run, for which a row has no place of its own.
    return Row(question, one["status"], one["is"], one["is"] in THROUGH, evidence=one["was"], **answered)


def _finding(finding: Finding) -> Entry:
    needs = not finding.first.through
    items, one = finding.items, len(finding.items) == 1
    what = "item: %s" % items[0] if one else "%d items: %s" % (len(items), _some(items))
    was = " or ".join(dict.fromkeys(row.evidence for row in finding.rows))
    told = "; ".join(finding.reasons[:_MOST_MENDS]) or "found %s, expected %s" % (_found(finding), finding.first.question.expected)
    verb = "was %s, is %s" if one else "were %s, are %s"
    lines = [(needs, "  %s, on %s: %s: %s" % (what, _some(finding.hosts), verb % (was, finding.first.outcome), told))]
    return lines + [(needs, "        mend: %s" % mend) for mend in finding.mends[:_MOST_MENDS] if needs]


def _found(finding: Finding) -> str:
    if len(finding.found) < 2:
        return next(iter(finding.found), "nothing")
    return "; ".join("%s on %s" % (plain_line(value, 120), _some(hosts)) for value, hosts in list(finding.found.items())[:_MOST_MENDS])


def _some(words: t.Sequence[str]) -> str:
    rest = len(words) - _FEW
    return ", ".join(words[:_FEW]) + (" and %d more" % rest if rest > 0 else "")


def _commands(found: Data) -> list[str]:
    """What mends the things: a command for each set of hosts, with all roles that these need."""
    roles: dict[str, list[str]] = {}
    for one in found["changes"]:
        if one["role"]:
            roles.setdefault(one["host"], []).append(one["role"])
    hosts: dict[str, list[str]] = {}
    for host, names in roles.items():
        hosts.setdefault(",".join(dict.fromkeys(names)), []).append(host)
    command = "ansible-playbook gonogo.preflight.provision -i %s --tags %s --limit %s"
    return [command % (found["inventory"], tags, ",".join(names)) for tags, names in hosts.items()]


def _project(found: Data) -> Entry:
    """Against what the fleet was held: a control host that was not brought a change finds drift that is none."""
    project = found.get("project")
    if not project:
        return []
    words = "  held against project %s, brought %s, collection %s; play `drift` again after every change of it"
    return [(False, words % (project["fingerprint"], stamp(project["since"]), project["collection"]))]
