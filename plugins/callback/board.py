# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
name: board
type: aggregate
short_description: Ends a gated run with the GO / NO-GO board and its reports
version_added: 0.1.0
description:
  - While it runs, prints each phase and each host's answers with the time that has passed.
  - Prints the board, writes C(report.html), C(checklist.md), C(junit.xml) and C(results.json) below C(reports/), and lets a run that did not end in GO
    end with an exit status that is not 0, also where Ansible itself saw no failed task (a play that matched no host).
  - Playbooks that do not call the gate are left alone.
requirements:
  - C(callbacks_enabled = gonogo.preflight.board) in ansible.cfg
author:
  - gonogo.preflight maintainers (@gonogo-preflight)
"""

import contextlib
import functools
import os
import time
import typing as t

from ansible import context
from ansible.plugins.callback import CallbackBase
from ansible.utils.display import Display

from ansible_collections.gonogo.preflight.plugins.plugin_utils._board import Line, board, no_verdict
from ansible_collections.gonogo.preflight.plugins.plugin_utils._context import current_run, load_project
from ansible_collections.gonogo.preflight.plugins.plugin_utils._fingerprints import begin
from ansible_collections.gonogo.preflight.plugins.plugin_utils._moment import clock
from ansible_collections.gonogo.preflight.plugins.plugin_utils._page import prepare
from ansible_collections.gonogo.preflight.plugins.plugin_utils._report import Report
from ansible_collections.gonogo.preflight.plugins.plugin_utils._run import forget_fingerprints_of_the_dead
from ansible_collections.gonogo.preflight.plugins.plugin_utils._yaml import InputError

_COLLECTION = "gonogo.preflight."
_EXIT = 2
_STAGES = ("start", "live")

# https://no-color.org; Ansible heeds it too, but not where it is told to force colour.
_COLOURED = not os.environ.get("NO_COLOR")
_COLOURS = {"good": "green", "bad": "red", "warn": "yellow", "mend": "cyan", "dim": "dark gray"}

# The doors that a playbook with this action is to pass: what starts a release has to see it live.
_DOORS: dict[str, set[str]] = {
    _COLLECTION + "gate": {"start"},
    _COLLECTION + "release": {"start", "live"},
    _COLLECTION + "confirm": {"live"},
}


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "gonogo.preflight.board"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self, *args: t.Any, **kwargs: t.Any) -> None:
        super().__init__(*args, **kwargs)
        self._doors: set[str] = set()
        self._began = time.time()
        self._answered = 0

    def v2_playbook_on_start(self, playbook: t.Any) -> None:
        """Which doors this playbook is to pass, from the actions it holds."""
        self._doors = set()
        with _or_exit():
            begin()
            for play in playbook.get_plays():
                for block in play.compile():
                    for task in _tasks(block):
                        self._expect_doors(task)
            if self._doors:
                prepare()
        # Workers are forked from this process, and find it loaded. What is wrong with it, the action says that needs it.
        with contextlib.suppress(InputError):
            load_project()
        with contextlib.suppress(OSError):
            forget_fingerprints_of_the_dead(current_run(main_process=True).reports)

    def v2_playbook_on_task_start(self, task: t.Any, is_conditional: bool) -> None:
        """Which doors the tasks of an include are to pass, seen when they begin."""
        self._expect_doors(task)

    def _expect_doors(self, task: t.Any) -> None:
        self._doors |= _DOORS.get(_action(task), set())

    def v2_playbook_on_play_start(self, play: t.Any) -> None:
        """Which phase begins, and how long the run has taken so far."""
        self._say(play.get_name())

    def v2_runner_on_ok(self, result: t.Any) -> None:
        """How many items a host was asked, and what came of them."""
        counts = result.result.get("counts") if _action(result.task) == _COLLECTION + "verify" else None
        if counts and any(counts.values()):
            self._answered += sum(counts.values())
            words = ", ".join("%d %s" % (count, status) for status, count in counts.items() if count)
            line = "%s: %d answers: %s   (%d of %d)" % (result.host.get_name(), sum(counts.values()), words, self._answered, self._owed)
            self._say("  " + line, "warn" if counts.get("fail") or counts.get("error") else "")

    @functools.cached_property
    def _owed(self) -> int:
        """How many answers hosts owe at the doors of this playbook."""
        questions, _context = current_run(main_process=True).questions()
        return sum(question.door in (self._doors or _STAGES) and question.asks_somebody for question in questions)

    def _say(self, words: str, tone: str = "") -> None:
        self._show([Line("[%6s] %s" % (clock(time.time() - self._began), words), tone)], blank=False)

    def v2_playbook_on_stats(self, stats: t.Any) -> None:
        with _or_exit():
            current_run(main_process=True).settle_fingerprints()
            if self._doors:
                self._end(stats)

    def _end(self, stats: t.Any) -> None:
        doors = ["start"] if context.CLIARGS.get("check") else [door for door in _STAGES if door in self._doors]
        run = current_run(main_process=True)
        questions, _context = run.questions() if run.exists else ([], {})
        if not questions:
            self._show(no_verdict("the run ended before the checklist was read"))
            raise SystemExit(_EXIT)
        report = Report.of(run, doors, time.time())
        self._show(board(report, report.write()))
        failed = any(stats.failures.values()) or any(stats.dark.values())
        if not report.go and not failed:
            # Ansible would end with 0 here: nothing failed, because nothing was asked.
            raise SystemExit(_EXIT)

    def _show(self, lines: list[Line], *, blank: bool = True) -> None:
        if blank:
            self._display.display("")
        for line in lines:
            self._display.display(line.text, color=_COLOURS.get(line.tone) if _COLOURED else None)


@contextlib.contextmanager
def _or_exit() -> t.Iterator[None]:
    """Ansible makes a warning of an error in a callback, and the run would end with 0 and without a board."""
    try:
        yield
    except Exception as error:
        Display().error("NO VERDICT: the board cannot be shown: %s: %s" % (type(error).__name__, error))
        raise SystemExit(_EXIT) from error


def _action(task: t.Any) -> str:
    return str(task.resolved_action or task.action)


def _tasks(block: t.Any) -> t.Iterator[t.Any]:
    for part in (block.block, block.rescue, block.always):
        for entry in part:
            if hasattr(entry, "block"):
                yield from _tasks(entry)
            else:
                yield entry
