# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The built-in item `run.provisioned`: a host that this run began to provision must have come to the end."""

from __future__ import annotations

import time
import typing as t

from ..module_utils._verdict import BUILT_IN, Question
from ._run import Run

__all__ = ["PROVISIONED", "provisioning"]

PROVISIONED = "run.provisioned"


def provisioning(run: Run) -> tuple[list[Question], list[dict[str, t.Any]]]:
    """The built-in question `run.provisioned` of every host that this run began to provision, and its answer."""
    asked, answers = [], []
    for record in run.provisions():
        digest = "provision"
        asked.append(
            Question(
                item=PROVISIONED,
                subject=record.host,
                vantage=record.host,
                door="start",
                severity="block",
                title="Provisioned to the end by this run",
                area="run",
                expected="finished",
                source=BUILT_IN,
                digest=digest,
                remedy=record.message and "mend the task above, then run the playbook again",
            )
        )
        observed = record.state if record.state == "finished" else "stopped at task: %s" % (record.task or "unknown")
        answers.append(
            {
                "item": PROVISIONED,
                "subject": record.host,
                "vantage": record.host,
                "digest": digest,
                "status": "pass" if record.state == "finished" else "fail",
                "observed": observed,
                "evidence": record.message,
                "at": time.time(),
            }
        )
    return asked, answers
