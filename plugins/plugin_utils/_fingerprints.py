# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The key under which a run fingerprints secrets, and the answers of the run with those compared that have to be.

The key is made in the process that plays, before it forks a worker, and is in no file: what a killed run leaves behind
was made with a key that nobody has.
"""

from __future__ import annotations

import os
import secrets
import typing as t

from ..module_utils._comparison import compared
from ..module_utils._fingerprint import challenge, key_of, opened
from ..module_utils._probes import PROBES
from ..module_utils._verdict import Question, Waiver
from ._run import Run

__all__ = ["NoKeyError", "answers_of", "begin", "challenge_of", "compares", "taken"]

# Under the process that plays: a key that a worker made for itself would fit nobody else's.
_keys: dict[int, bytes] = {}


class NoKeyError(Exception):
    """This run has no key."""


def begin() -> None:
    """Make the key of the run that this process plays, unless there is one."""
    _keys.setdefault(os.getpid(), secrets.token_bytes(32))


def challenge_of(item: str) -> str:
    """In a worker: what one subject is given, once, to fingerprint its value for `item`; raises NoKeyError."""
    key = _keys.get(os.getppid())
    if key is None:
        raise NoKeyError("this run has no key to fingerprint with: the callback gonogo.preflight.board makes it when the playbook starts")
    return challenge(key, item)


def compares(probe: str, arguments: t.Mapping[str, t.Any]) -> bool:
    """Whether what the probe observes is compared between subjects, and goes nowhere else."""
    return probe in PROBES and arguments.get("fact") in PROBES[probe].COMPARED


def taken(observed: t.Any, question: Question, given: str, *, shared_by: str = "") -> dict[str, str]:
    """The fingerprint in what a host observed when it was given the challenge `given`; raises ValueError, which quotes nothing.

    :param shared_by: what the value may be shared by, by the inventory and not by the host.
    """
    label, token = opened(observed, given), secrets.token_hex(8)
    return {"item": question.item, "subject": question.subject, "token": token, "key": key_of(given), "label": label, "shared_by": shared_by}


def answers_of(run: Run, asked: t.Sequence[Question], waivers: t.Sequence[Waiver], now: float) -> list[t.Mapping[str, t.Any]]:
    """Every answer of the run, as a verdict takes them: what has to be compared is, with all that is `asked`."""
    excused = {(one.item, one.subject) for one in asked for waiver in waivers if waiver.kind == "not_applicable" and waiver.covers(one, now)}
    return compared(run.answers(), asked, run.fingerprints(), excused=excused)
