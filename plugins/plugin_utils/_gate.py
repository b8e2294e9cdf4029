# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Taking a verdict inside an action: from reviewed data and this run's spool, at this very moment."""

from __future__ import annotations

from ..module_utils._verdict import Row, Verdict
from ._action import PreflightAction
from ._context import decide_now, load_project, problems_of_run, project_questions
from ._report import fold, remember

__all__ = ["refusal", "take_verdict"]


def take_verdict(action: PreflightAction, door: str) -> Verdict:
    """The verdict of `door` now; also kept for the report. Raises InputError when the data cannot be used."""
    project, run = load_project(), action.current_run()
    asked = project_questions(project, action.groups, action.hostvars)
    problems = problems_of_run(project, action._loader, action.groups)
    remember(run, project, asked, problems)
    verdict = decide_now(run, project, door, asked, problems)
    run.put_event("gate.%s" % door, {"door": door, "go": verdict.go})
    return verdict


def refusal(verdict: Verdict) -> str:
    """Why the gate stays shut, for the message of the task that asked."""
    lines = ["NO-GO at door %s: %d of %d answers hold it shut" % (verdict.door, len(verdict.blocking), len(verdict.rows))]
    return "\n".join([*lines, *("- %s" % sentence for sentence in [*verdict.problems, *map(_sentence, fold(verdict.blocking))])])


def _sentence(rows: list[Row]) -> str:
    first = rows[0]
    items, hosts = (list(dict.fromkeys(names)) for names in zip(*((row.question.item, row.question.subject) for row in rows)))
    what = items[0] if len(items) == 1 else "%d items" % len(items)
    return "%s on %s: %s" % (what, ", ".join(hosts), first.reason or "found %s, expected %s" % (first.observed, first.question.expected))
