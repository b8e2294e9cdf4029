# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What holds a gate shut, as a person reads it: equal findings of many hosts and items folded into one, with what mends it."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ..module_utils._verdict import PEOPLE, Row
from ._attestations import WRITE

__all__ = ["Finding", "deployment", "findings", "mends", "order", "plain_line", "typed", "unreachable"]

_LONGEST = 400
_FEW = 3
_UNREACHABLE = "unreachable: "


@dataclass(frozen=True)
class Finding:
    """Rows that a person reads as one.

    :ivar mends: every different command or sentence that mends it, one for all hosts where they differ in the host alone.
    """

    rows: tuple[Row, ...]
    mends: tuple[str, ...] = ()

    @property
    def first(self) -> Row:
        return self.rows[0]

    @property
    def items(self) -> list[str]:
        return list(dict.fromkeys(row.question.item for row in self.rows))

    @property
    def hosts(self) -> list[str]:
        return list(dict.fromkeys(row.question.subject for row in self.rows))

    @property
    def reasons(self) -> list[str]:
        return list(dict.fromkeys(row.reason for row in self.rows if row.reason))

    @property
    def found(self) -> dict[str, list[str]]:
        """What was found, to the hosts it was found on."""
        seen: dict[str, list[str]] = {}
        for row in self.rows:
            if row.observed:
                seen.setdefault(row.observed, []).append(row.question.subject)
        return seen


def findings(rows: t.Iterable[Row], mend: t.Callable[[Row], str] = lambda row: row.remedy) -> list[Finding]:
    """`rows` folded: one item that failed on many hosts, or one reason for which many items have no answer.

    What stops a whole host comes first: it explains what follows.
    """
    groups: dict[tuple[str, ...], list[Row]] = {}
    for row in rows:
        groups.setdefault(_key(row), []).append(row)
    found = [Finding(tuple(group), tuple(mends(group, mend))) for group in groups.values()]
    return sorted(found, key=lambda one: (one.first.question.area != "run", not unreachable(one.first)))


def _key(row: Row) -> tuple[str, ...]:
    if row.status == "fail":
        return (row.question.item, row.question.expected)
    if unreachable(row):
        return (row.status,)
    # Each thing that people are asked wants an answer of its own.
    return (row.status, row.reason, row.question.item if row.question.vantage == PEOPLE else "")


def unreachable(row: Row) -> bool:
    """The host, and not the item, is what is wrong."""
    return row.status == "error" and row.reason.startswith(_UNREACHABLE)


def order(row: Row) -> tuple[bool, bool, str]:
    """The sections of a report: the run, the doors in turn, and in each the areas."""
    return row.question.area != "run", row.question.door == "live", row.question.area


def mends(rows: t.Iterable[Row], mend: t.Callable[[Row], str]) -> list[str]:
    """What mends `rows`; commands that differ in `--limit` alone become one."""
    limits: dict[str, list[str]] = {}
    for row in rows:
        words, subject = mend(row), row.question.subject
        command, limit, host = words.rpartition(" --limit ")
        limited = bool(limit) and host == subject
        hosts = limits.setdefault(command if limited else words, [])
        if limited and subject not in hosts:
            hosts.append(subject)
    return [command + _limit(hosts) for command, hosts in limits.items() if command]


def _limit(hosts: t.Sequence[str]) -> str:
    if not hosts:
        return ""
    # Blanks where a long list may be continued on the next line; Ansible takes them off again.
    return " --limit " + (",".join(hosts) if len(hosts) <= _FEW else '"%s"' % ", ".join(hosts))


def typed(mend: str) -> tuple[str, str]:
    """(what to do, what to type or write word for word) of a `mend`."""
    if mend.startswith(WRITE):
        what, _colon, entry = mend.partition(": ")
        return what + ":", entry
    return "", mend


def deployment(event: t.Mapping[str, t.Any]) -> str:
    """What came of a release on one host."""
    words = {
        "started": "release %s is serving on %s",
        "unchanged": "release %s was serving on %s already; nothing changed",
        "starting": "release %s was being started on %s when the run ended",
    }
    if str(event["outcome"]) in words:
        return words[str(event["outcome"])] % (event["release"], event["host"])
    return "%s: %s" % (event["host"], plain_line(event["message"]))


def plain_line(text: str, longest: int = _LONGEST) -> str:
    """Text from hosts as one line of at most `longest` characters, without what a terminal would obey (escape sequences)."""
    line = " ".join(str(text).split())
    if not line.isprintable():
        line = "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in line)
    return line if len(line) <= longest else line[: longest - 4] + " ..."
