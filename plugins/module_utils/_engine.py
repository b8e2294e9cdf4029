# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ask every item of one call, each probe kind in a child process of its own, and return one observation an item.

An item comes in as ``{"id", "subject", "probe", "with", "limit"}`` and goes out as::

    {"id", "subject", "value": <plain data>, "evidence": "<text>", "seconds": 0.01}      observed
    {"id", "subject", "error": "<text>", "remedy": "<text>", "seconds": 15.0}            could not look

Nothing that a probe does (raise, crash, hang, print, exit) loses the other items or passes for an observation.
"""

from __future__ import annotations

import os
import time
import typing as t

from ._children import Child, ready
from ._probes import PROBES
from ._probes._base import ProbeError, Secrets

__all__ = ["CALL_LIMIT", "ITEM_LIMIT", "observe"]

ITEM_LIMIT = 15.0
"""Seconds that one item may take unless it says otherwise."""

CALL_LIMIT = 60.0
"""Seconds that one call may take, whatever the number of items."""

_STARVED = 0.5
"""A child that spent at least this fraction of its limit on the processor was computing, not waiting."""

Item = t.Mapping[str, t.Any]
Answer = dict[str, t.Any]


class _Kind:
    """The items of one probe kind, the child that is asking them, and what it has answered."""

    def __init__(self, name: str, items: t.Sequence[Item]) -> None:
        self.name = name
        self.left = list(items)
        self.child: t.Optional[Child] = None
        self.started = time.monotonic()
        self.again: set[int] = set()
        self.answers: list[Answer] = []

    def launch(self, secrets: Secrets) -> None:
        items = list(self.left)
        self.child = Child(lambda send: _ask(self.name, items, secrets, send))
        self.started = time.monotonic()

    def deadline(self) -> float:
        return self.started + float(self.left[0].get("limit") or ITEM_LIMIT)

    def take(self, message: t.Any) -> None:
        """One message of the child: ["started"] or ["answer", {...}], always about the first item left."""
        if message[0] == "started":
            self.started = time.monotonic()
        elif self.left:
            self.answer(message[1])

    def answer(self, partial: t.Mapping[str, t.Any]) -> None:
        item = self.left.pop(0)
        seconds = round(time.monotonic() - self.started, 3)
        self.answers.append(dict(partial, id=item["id"], subject=item["subject"], seconds=seconds))
        self.started = time.monotonic()


def _ask(name: str, items: t.Sequence[Item], secrets: Secrets, send: t.Callable[[t.Any], None]) -> None:
    """In the child: observe `items` in turn with one probe object, so that what they share is looked at once."""
    probe = None
    for item in items:
        send(["started"])
        try:
            if probe is None:
                probe = PROBES[name](secrets)
            observation = probe.observe(item["with"])
            send(["answer", {"value": observation.value, "evidence": observation.evidence}])
        except ProbeError as error:
            send(["answer", {"error": str(error), "remedy": error.remedy}])
        except ImportError as error:
            send(["answer", {"error": "library missing: %s" % error, "remedy": ""}])
        except Exception as error:
            send(["answer", {"error": "the %s probe failed: %s: %s" % (name, type(error).__name__, error), "remedy": ""}])


def observe(
    items: t.Sequence[Item],
    *,
    secrets: t.Optional[Secrets] = None,
    call_limit: float = CALL_LIMIT,
) -> list[Answer]:
    """Ask `items` and return one answer for each, in the order asked.

    Kinds run side by side. An item over its limit (`limit` seconds, ITEM_LIMIT by default) is an error and costs only
    itself: its kind is asked again for the items left. What is not answered after `call_limit` seconds is an error.
    """
    end = time.monotonic() + call_limit
    kinds: list[_Kind] = []
    answers: list[Answer] = []
    for name in dict.fromkeys(item["probe"] for item in items):
        kind = _Kind(name, [item for item in items if item["probe"] == name])
        kinds.append(kind)
        if name in PROBES:
            kind.launch(secrets or {})
        else:
            while kind.left:
                kind.answer({"error": "unknown probe %r" % name, "remedy": "known: %s" % ", ".join(sorted(PROBES))})
    try:
        _collect(kinds, secrets or {}, end)
    finally:
        for kind in kinds:
            if kind.child is not None:
                kind.child.close()
    for kind in kinds:
        answers.extend(kind.answers)
    order = {(item["id"], item["subject"]): index for index, item in enumerate(items)}
    return sorted(answers, key=lambda answer: order[(answer["id"], answer["subject"])])


def _collect(kinds: t.Sequence[_Kind], secrets: Secrets, end: float) -> None:
    """Read until every kind has answered or its time is over."""
    while True:
        running = [kind for kind in kinds if kind.child is not None and kind.left]
        if not running:
            return
        now = time.monotonic()
        for kind in running:
            if now >= min(kind.deadline(), end):
                _overdue(kind, secrets, whole_call=now >= end)
        running = [kind for kind in running if kind.left]
        if not running:
            return
        pause = min(min(kind.deadline(), end) for kind in running) - time.monotonic()
        by_child = {id(kind.child): kind for kind in running}
        for child in ready([kind.child for kind in running if kind.child is not None], pause):
            _listen(by_child[id(child)], child, secrets)


def _listen(kind: _Kind, child: Child, secrets: Secrets) -> None:
    """Take what one child has sent; when it died with items left, answer for the one it died on and go on."""
    try:
        for message in child.read():
            kind.take(message)
    except ValueError as error:
        kind.answer({"error": "the %s probe sent what cannot be read: %s" % (kind.name, error), "remedy": ""})
        _restart(kind, secrets)
        return
    if child.finished and kind.left:
        status = child.close()
        kind.child = None
        kind.answer({"error": "the %s probe %s" % (kind.name, _death(status)), "remedy": ""})
        if kind.left:
            kind.launch(secrets)


def _death(status: t.Optional[int]) -> str:
    if status is not None and os.WIFSIGNALED(status):
        return "crashed: killed by signal %d" % os.WTERMSIG(status)
    return "ended without an answer (exit status %s)" % ("unknown" if status is None else os.WEXITSTATUS(status))


def _restart(kind: _Kind, secrets: Secrets) -> t.Optional[int]:
    """Kill the kind's child and ask the items left in a new one; returns the old child's wait status."""
    status = kind.child.close() if kind.child is not None else None
    kind.child = None
    if kind.left:
        kind.launch(secrets)
    return status


def _overdue(kind: _Kind, secrets: Secrets, *, whole_call: bool) -> None:
    """The first item left has had its time: error, or once more where the machine did not let it run."""
    assert kind.child is not None
    item = kind.left[0]
    limit = float(item.get("limit") or ITEM_LIMIT)
    pid, cpu = kind.child.pid, kind.child.cpu_seconds()
    starved = cpu >= _STARVED * limit
    if starved and not whole_call and len(kind.left) not in kind.again:
        kind.again.add(len(kind.left))
        _restart(kind, secrets)
        return
    waited = time.monotonic() - kind.started
    status = kind.child.close()
    kind.child = None
    error = "probe hung: no answer from the %s probe within %.0f s" % (kind.name, waited)
    if starved:
        error = "probe starved: the %s probe was still computing after %.0f s, asked twice" % (kind.name, waited)
    if status is None:
        error += "; process %d cannot be killed (uninterruptible sleep)" % pid
    kind.answer({"error": error, "remedy": ""})
    if whole_call:
        while kind.left:
            kind.answer({"error": "not asked: the call's time was over", "remedy": ""})
    elif kind.left:
        kind.launch(secrets)
