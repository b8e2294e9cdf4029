# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the callback `recorder` wrote of one run, by role and by task. Pure."""

from __future__ import annotations

import dataclasses
import json
import typing as t

__all__ = ["OTHER", "Record", "Task", "parse"]

OTHER = "the playbook itself, with its facts"
"""Tasks outside of a role."""


@dataclasses.dataclass
class Task:
    """One task as it was played; one that was skipped on the host has no module call."""

    role: str
    name: str
    seconds: float = 0.0
    calls: int = 0


@dataclasses.dataclass(frozen=True)
class Record:
    """One run of a playbook.

    :ivar wall: seconds from the command typed to the prompt.
    """

    wall: float
    changed: int
    tasks: tuple[Task, ...]

    def roles(self) -> list[str]:
        """Roles in the order in which they began."""
        return list(dict.fromkeys(task.role for task in self.tasks))

    def of(self, roles: t.Collection[str]) -> list[Task]:
        return [task for task in self.tasks if task.role in roles]

    def slowest(self, count: int) -> list[Task]:
        return sorted(self.tasks, key=lambda task: task.seconds, reverse=True)[:count]


def parse(text: str, wall: float) -> Record:
    """The record of one run; raises ValueError for one that did not come to its end."""
    tasks: list[Task] = []
    began, changed = 0.0, -1
    for line in map(json.loads, text.splitlines()):
        if line["event"] == "call":
            # A call is written once it is over: it belongs to the last task of its name that began.
            task = next(one for one in reversed(tasks) if (one.role, one.name) == (line["role"] or OTHER, line["task"]))
            task.calls += 1
            continue
        if tasks:
            tasks[-1].seconds = line["at"] - began
        if line["event"] == "end":
            changed = int(line["changed"])
        else:
            tasks.append(Task(line["role"] or OTHER, line["task"]))
        began = line["at"]
    if changed < 0:
        raise ValueError("the run has no end")
    return Record(wall, changed, tuple(tasks))
