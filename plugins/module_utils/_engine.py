# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ask every item of one call, each probe kind in a child process of its own, and return one observation an item.

An item comes in as ``{"id", "subject", "probe", "with", "limit"}`` and goes out as::

    {"id", "subject", "value": <plain data>, "evidence": "<text>", "seconds": 0.01}      observed
    {"id", "subject", "error": "<text>", "remedy": "<text>", "seconds": 15.0}            could not look

Nothing that a probe does (raise, crash, hang, print, exit) loses the other items or passes for an observation.
"""

from __future__ import annotations

import math
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
"""A child that spent at least this fraction of its limit on the processor, or in the queue for it, was not waiting."""

_DEEPEST = 20
"""Levels that an observed value may have."""

Item = t.Mapping[str, t.Any]
Answer = dict[str, t.Any]


class _Kind:
    """The items of one probe kind, the child that is asking them, and what it has answered.

    :ivar left: (position in the call, item) of what is not answered; the child is asking the first of them.
    :ivar answers: position in the call to answer.
    """

    def __init__(self, name: str, items: t.Sequence[tuple[int, Item]], secrets: Secrets, end: float) -> None:
        self.name = name
        self.left = list(items)
        self.answers: dict[int, Answer] = {}
        self.child: t.Optional[Child] = None
        self._secrets = secrets
        self._end = end
        self._again = False
        self._begin()

    def _begin(self) -> None:
        """The first item left begins now."""
        self._started = time.monotonic()
        self._busy = self.child.busy_seconds() if self.child is not None else 0.0

    @property
    def _limit(self) -> float:
        return _limit_of(self.left[0][1])

    @property
    def deadline(self) -> float:
        return self._started + self._limit

    def launch(self) -> None:
        """Ask the items left in a new child."""
        items = [item for _position, item in self.left]
        try:
            self.child = Child(lambda send: _ask(self.name, items, self._secrets, self._end, send))
        except OSError as error:
            self.give_up("no process can be started for the %s probe: %s" % (self.name, error.strerror))
        self._begin()

    def close(self) -> t.Optional[int]:
        """Kill the child; returns its wait status."""
        child, self.child = self.child, None
        return child.close() if child is not None else None

    def listen(self) -> None:
        """Take what the child has sent; one that dies, or sends what is no answer, costs the item that it was asking."""
        if self.child is None:
            return
        try:
            for message in self.child.read():
                self._take(message)
        except ValueError as error:
            self.close()
            self._fail("the %s probe sent what cannot be read: %s" % (self.name, error))
            return
        if self.child.finished and self.left:
            self._fail("the %s probe %s" % (self.name, _death(self.close())))

    def _take(self, message: t.Any) -> None:
        """One message of the child about the first item left: ["started"] or ["answer", {...}]."""
        if message == ["started"]:
            self._begin()
        elif isinstance(message, list) and len(message) == 2 and isinstance(message[1], dict):
            self.answer(message[1])
        else:
            raise ValueError("no message of the engine")

    def answer(self, partial: t.Mapping[str, t.Any]) -> None:
        """The answer of the first item left."""
        if not self.left:
            return
        position, item = self.left.pop(0)
        seconds = round(time.monotonic() - self._started, 3)
        self.answers[position] = dict(partial, id=item["id"], subject=item["subject"], seconds=seconds)
        self._again = False
        self._begin()

    def give_up(self, error: str, remedy: str = "") -> None:
        """Every item left is an error."""
        while self.left:
            self.answer({"error": error, "remedy": remedy})

    def _fail(self, error: str) -> None:
        """The item that was being asked is an error; the others are asked again."""
        self.answer({"error": error, "remedy": ""})
        if self.left:
            self.launch()

    def overdue(self, *, whole_call: bool) -> None:
        """The first item left has had its time: error, or once more where the machine did not let it run."""
        child = self.child
        if child is None:
            return
        starved = child.busy_seconds() - self._busy >= _STARVED * self._limit
        waited = time.monotonic() - self._started
        self.close()
        if starved and not whole_call and not self._again:
            self._again = True
            self.launch()
            return
        error = "probe hung: no answer from the %s probe within %.1f s" % (self.name, waited)
        if starved:
            error = "probe starved: the %s probe was still computing after %.1f s" % (self.name, waited)
            error += ", asked twice" if self._again else ""
        if child.stuck:
            error += "; process %d cannot be killed (uninterruptible sleep)" % child.pid
        if not whole_call:
            self._fail(error)
            return
        self.answer({"error": error, "remedy": ""})
        self.give_up("not asked: the call's time was over")


def _death(status: t.Optional[int]) -> str:
    if status is not None and os.WIFSIGNALED(status):
        return "crashed: killed by signal %d" % os.WTERMSIG(status)
    return "ended without an answer (exit status %s)" % ("unknown" if status is None else os.WEXITSTATUS(status))


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
    by_name: dict[str, list[tuple[int, Item]]] = {}
    for position, item in enumerate(items):
        by_name.setdefault(item["probe"], []).append((position, item))
    kinds = [_Kind(name, mine, secrets or {}, end) for name, mine in by_name.items()]
    answers: dict[int, Answer] = {}
    try:
        for kind in kinds:
            if kind.name in PROBES:
                kind.launch()
            else:
                kind.give_up("unknown probe %r" % kind.name, "known: %s" % ", ".join(sorted(PROBES)))
        _collect(kinds, end)
    finally:
        for kind in kinds:
            kind.close()
            answers.update(kind.answers)
    return [answers[position] for position in range(len(items))]


def _collect(kinds: t.Sequence[_Kind], end: float) -> None:
    """Read until every kind has answered or its time is over."""
    while True:
        running = {kind.child: kind for kind in kinds if kind.child is not None and kind.left}
        if not running:
            return
        pause = min(end, *(kind.deadline for kind in running.values())) - time.monotonic()
        # What has arrived counts before the clock does: on a busy machine it may have waited here for long.
        for child in ready(list(running), pause):
            running[child].listen()
        now = time.monotonic()
        for kind in running.values():
            if kind.child is not None and kind.left and now >= min(kind.deadline, end):
                kind.overdue(whole_call=now >= end)


def _limit_of(item: Item) -> float:
    return float(item.get("limit") or ITEM_LIMIT)


def _ask(name: str, items: t.Sequence[Item], secrets: Secrets, end: float, send: t.Callable[[t.Any], None]) -> None:
    """In the child: observe `items` in turn with one probe object, so that what they share is looked at once.

    :arg end: when the call is over, by the monotonic clock, which parent and child share.
    """
    probe = None
    for item in items:
        send(["started"])
        try:
            if probe is None:
                probe = PROBES[name](secrets)
            probe.limit = min(_limit_of(item), end - time.monotonic())
            observation = probe.observe(item["with"])
            send(["answer", {"value": _plain(observation.value), "evidence": observation.evidence}])
        except ProbeError as error:
            send(["answer", {"error": str(error), "remedy": error.remedy}])
        except ImportError as error:
            send(["answer", {"error": "library missing: %s" % error, "remedy": ""}])
        except Exception as error:
            send(["answer", {"error": "the %s probe failed: %s: %s" % (name, type(error).__name__, error), "remedy": ""}])


def _plain(value: t.Any, depth: int = 0) -> t.Any:
    """`value` when it is data that JSON carries unchanged; raises TypeError for anything else."""
    if depth > _DEEPEST:
        raise TypeError("observed data of more than %d levels" % _DEEPEST)
    if isinstance(value, dict):
        return {_key(key): _plain(one, depth + 1) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(one, depth + 1) for one in value]
    if value is None or isinstance(value, (str, int)) or (isinstance(value, float) and math.isfinite(value)):
        return value
    raise TypeError("observed %r, which is no plain data" % (value,))


def _key(key: t.Any) -> str:
    if not isinstance(key, str):
        raise TypeError("observed the key %r, which is not text" % (key,))
    return key
