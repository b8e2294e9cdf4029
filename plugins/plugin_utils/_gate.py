# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Taking a verdict inside an action: from reviewed data and this run's spool, at this very moment."""

from __future__ import annotations

from ..module_utils._verdict import Verdict
from ._action import PreflightAction
from ._context import decide_now, problems_of_run
from ._findings import Finding, findings, plain_line
from ._report import remember

__all__ = ["refusal", "take_verdict"]


def take_verdict(action: PreflightAction, door: str) -> Verdict:
    """The verdict of `door` now; also kept for the report. Raises InputError when the data cannot be used."""
    project, run = action.project, action.current_run()
    asked = action.questions()
    problems = problems_of_run(project, action._loader, action.inventory)
    remember(run, project, asked, problems)
    verdict = decide_now(run, project, door, asked, problems)
    run.put_event("gate.%s" % door, {"door": door, "go": verdict.go})
    return verdict


def refusal(verdict: Verdict) -> str:
    """Why the gate stays shut, for the message of the task that asked."""
    lines = ["NO-GO at door %s: %d of %d answers hold it shut" % (verdict.door, len(verdict.blocking), len(verdict.rows))]
    return "\n".join([*lines, *("- %s" % sentence for sentence in [*verdict.problems, *map(_sentence, findings(verdict.blocking))])])


def _sentence(finding: Finding) -> str:
    what = finding.items[0] if len(finding.items) == 1 else "%d items" % len(finding.items)
    seen = "found %s, expected %s" % (" or ".join(finding.found), finding.first.question.expected)
    return "%s on %s: %s" % (what, ", ".join(finding.hosts), plain_line(finding.first.reason or seen))
