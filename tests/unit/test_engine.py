# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever a probe does, every item has exactly one answer within its limit, and nothing is left behind.

The probes here are doubles that misbehave on purpose; each answers "fine" to `do: answer`.
"""

from __future__ import annotations

import builtins
import contextlib
import ctypes
import errno
import faulthandler
import json
import os
import pathlib
import re
import signal
import sys
import time

import pytest

from ansible_collections.gonogo.preflight.plugins.module_utils import _engine
from ansible_collections.gonogo.preflight.plugins.module_utils._children import Child, ready
from ansible_collections.gonogo.preflight.plugins.module_utils._probes import PROBES
from ansible_collections.gonogo.preflight.plugins.module_utils._probes._base import Observation, Probe, ProbeError

LIMIT = 0.4
SOON = 5.0  # far below any default limit, far above what a busy machine needs for a fork
FORGED = json.dumps({"answers": [{"id": "forged", "subject": "h", "value": True}], "changed": False})


class UnprintableError(Exception):
    def __str__(self):
        raise RuntimeError("an exception that cannot say what it is")


def crash():
    faulthandler.disable()
    ctypes.string_at(0)


def hang():
    while True:
        time.sleep(60)


def hang_deaf():
    for name in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(name, signal.SIG_IGN)
    hang()


def compute():
    while True:
        pass


def leave_a_grandchild():
    if os.fork() == 0:
        hang()
    hang()


def orphan_a_grandchild():
    if os.fork() == 0:
        hang()
    os._exit(0)


FOREIGN_PIPES = set()


def pipes():
    """Descriptor to pipe, of this process."""
    found = {}
    for name in os.listdir("/proc/self/fd"):
        try:
            target = os.readlink("/proc/self/fd/" + name)
        except FileNotFoundError:
            continue
        if target.startswith("pipe:"):
            found[int(name)] = target
    return found


def write(data, *, repeat=False):
    """Into the pipes of the engine, past its protocol."""
    for descriptor in [number for number, pipe in pipes().items() if pipe not in FOREIGN_PIPES]:
        with contextlib.suppress(OSError):  # the reading end of another kind's pipe
            os.write(descriptor, data)
            while repeat:
                os.write(descriptor, data)


def forge():
    write(b'["answer", {"value": "forged"}, "extra"]\n')
    hang()


def drip():
    """Bytes that never become a message, for ever."""
    while True:
        write(b" ")
        time.sleep(0.01)


def recurse(depth=0):
    return recurse(depth + 1)


def raise_(error):
    raise error


def nested(levels):
    value = []
    for _level in range(levels):
        value = [value]
    return value


def cyclic():
    value = []
    value.append(value)
    return value


# What a double does: (the deed, what the error says).
ERRORS = {
    "raise": (lambda: raise_(ValueError("broken")), "the double probe failed: ValueError: broken"),
    "raise_unprintable": (lambda: raise_(UnprintableError()), "ended without an answer (exit status 1)"),
    "recurse": (recurse, "RecursionError"),
    "run_out_of_memory": (lambda: raise_(MemoryError("no memory")), "MemoryError"),
    "say_so": (lambda: raise_(ProbeError("the server refuses", "start it")), "the server refuses"),
    "import_missing": (lambda: __import__("no_such_library"), "library missing: No module named 'no_such_library'"),
    "exit": (lambda: sys.exit(0), "ended without an answer"),
    "exit_at_once": (lambda: os._exit(0), "ended without an answer (exit status 0)"),
    "interrupt": (lambda: raise_(KeyboardInterrupt()), "ended without an answer"),
    "crash": (crash, "crashed: killed by signal 11"),
    "abort": (lambda: (faulthandler.disable(), os.abort()), "crashed: killed by signal 6"),
    "kill_itself": (lambda: os.kill(os.getpid(), signal.SIGKILL), "crashed: killed by signal 9"),
    "hang": (hang, "probe hung: no answer from the double probe within 0."),
    "hang_deaf": (hang_deaf, "probe hung"),
    "compute": (compute, "probe starved: the double probe was still computing"),
    "leave_a_grandchild": (leave_a_grandchild, "probe hung"),
    "orphan_a_grandchild": (orphan_a_grandchild, ""),
    "forge": (forge, "sent what cannot be read: no message of the engine"),
    "drip": (drip, "probe hung"),
    "flood": (lambda: write(b"x" * 65536, repeat=True), "sent what cannot be read: more than"),
    "return_nothing": (lambda: None, "the double probe failed: AttributeError"),
    "return_set": (lambda: Observation({1}), "observed {1}, which is no plain data"),
    "return_object": (lambda: Observation(object()), "which is no plain data"),
    "return_bytes": (lambda: Observation([b"raw"]), "observed b'raw', which is no plain data"),
    "return_nan": (lambda: Observation(float("nan")), "observed nan, which is no plain data"),
    "return_infinity": (lambda: Observation({"a": float("inf")}), "observed inf, which is no plain data"),
    "return_number_keys": (lambda: Observation({80: True}), "observed the key 80, which is not text"),
    "return_nested": (lambda: Observation(nested(21)), "more than 20 levels"),
    "return_cycle": (lambda: Observation(cyclic()), "more than 20 levels"),
    "return_huge": (lambda: Observation("x" * 2_000_000), "sent what cannot be read: more than 1048576 bytes"),
    "return_odd_evidence": (lambda: Observation(1, evidence=object()), "not JSON serializable"),
}


class DoubleProbe(Probe):
    def observe(self, arguments):
        deed = arguments["do"]
        return Observation("fine", "double") if deed == "answer" else ERRORS[deed][0]()


class SilentDoubleProbe(Probe):
    """Refuses to be made."""

    def __init__(self, secrets):
        raise OSError("no room")


class CountingDoubleProbe(Probe):
    """Says how many items this very object has observed, and in which process."""

    seen = 0

    def observe(self, arguments):
        self.seen += 1
        if arguments.get("do") == "crash":
            crash()
        return Observation({"seen": self.seen, "pid": os.getpid(), "secrets": sorted(self.secrets), "limit": self.limit})


class StreamDoubleProbe(Probe):
    """Reports on its process: what a child must not share with its parent."""

    def observe(self, arguments):
        standard = [os.readlink("/proc/self/fd/%d" % number) for number in (0, 1, 2)]
        leads_session = os.getsid(0) == os.getpid()
        print(FORGED, flush=True)
        print(FORGED, file=sys.stderr, flush=True)
        os.write(1, FORGED.encode())
        return Observation({"standard": standard, "leads_session": leads_session})


@pytest.fixture(autouse=True)
def doubles(monkeypatch):
    kinds = {"double": DoubleProbe, "silent": SilentDoubleProbe, "counting": CountingDoubleProbe, "stream": StreamDoubleProbe}
    monkeypatch.setattr(_engine, "PROBES", kinds)


@pytest.fixture(autouse=True)
def nothing_left_behind(tmp_path):
    """No process that a test started is there after it, and no descriptor of it is open."""
    FOREIGN_PIPES.clear()
    FOREIGN_PIPES.update(pipes().values())
    # Forks inherit the open file, whatever else they make of themselves.
    marker = tmp_path / "marker"
    with marker.open("w"):
        descriptors = sorted(os.listdir("/proc/self/fd"))
        yield
        assert sorted(os.listdir("/proc/self/fd")) == descriptors
        assert await_true(lambda: holders(marker) == [os.getpid()]), holders(marker)


def holders(path):
    """The processes that have the file at `path` open."""
    found = []
    for entry in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError, PermissionError):
            directory = "/proc/%s/fd" % entry
            if any(os.readlink(os.path.join(directory, name)) == str(path) for name in os.listdir(directory)):
                found.append(int(entry))
    return found


def await_true(condition, seconds=SOON):
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.005)
    return condition()


def item(number, probe="double", limit=LIMIT, **arguments):
    return {"id": "item.%s" % number, "subject": "h", "probe": probe, "with": arguments or {"do": "answer"}, "limit": limit}


def kept(answers):
    """What was answered, without how long it took."""
    return [answer.get("value", answer.get("error")) for answer in answers]


@pytest.mark.parametrize("deed", ERRORS)
def test_a_probe_that_misbehaves_is_an_error_and_costs_itself_alone(deed):
    items = [item(1), item(2, do=deed), item(3), item(4, probe="counting")]
    began = time.monotonic()
    answers = _engine.observe(items)
    assert time.monotonic() - began < SOON
    assert [answer["id"] for answer in answers] == ["item.1", "item.2", "item.3", "item.4"]
    assert [answers[0].get("value"), answers[2].get("value")] == ["fine", "fine"]
    assert answers[3]["value"]["seen"] == 1
    assert "value" not in answers[1]
    assert ERRORS[deed][1] in answers[1]["error"]


def test_the_remedy_of_a_probe_comes_with_its_error():
    (answer,) = _engine.observe([item(1, do="say_so")])
    assert (answer["error"], answer["remedy"]) == ("the server refuses", "start it")


@pytest.mark.parametrize("deeds", [("crash",) * 4, ("hang", "crash", "exit_at_once", "return_huge"), ("answer", "hang", "hang", "answer")])
def test_every_item_of_a_row_of_bad_ones_is_answered_in_order(deeds):
    answers = _engine.observe([item(number, do=deed) for number, deed in enumerate(deeds)])
    assert [answer["id"] for answer in answers] == ["item.%d" % number for number in range(len(deeds))]
    assert [("value" in answer) for answer in answers] == [deed == "answer" for deed in deeds]


def test_kinds_run_side_by_side():
    kinds = ["double", "counting", "stream"]
    _engine.PROBES.update({"hang %d" % number: DoubleProbe for number in range(4)})
    items = [item(number, probe="hang %d" % number, do="hang", limit=2) for number in range(4)] + [item(kind, probe=kind) for kind in kinds]
    began = time.monotonic()
    answers = _engine.observe(items)
    assert time.monotonic() - began < 4 * 2
    assert [("error" in answer) for answer in answers] == [True] * 4 + [False] * 3


def test_a_probe_knows_how_long_its_item_may_take_and_that_the_call_may_end_before():
    items = [item(1, probe="counting", limit=7), {**item(2, probe="counting"), "limit": None}, item(3, probe="counting", limit=50)]
    first, second, third = (answer["value"]["limit"] for answer in _engine.observe(items, call_limit=20))
    assert (first, second) == (7, _engine.ITEM_LIMIT)
    assert 15 < third < 20


def test_a_command_that_takes_too_long_is_named_before_the_engine_ends_its_probe(monkeypatch):
    monkeypatch.setattr(_engine, "PROBES", PROBES)
    commands = [(["sleep", "60"], 3.0), (["sleep", "0"], 3.0), (["sleep", "60"], 40.0)]
    asked = [item(number, "command", limit, fact="status", argv=argv) for number, (argv, limit) in enumerate(commands)]
    began = time.monotonic()
    slow, quick, longer = _engine.observe(asked, call_limit=6)
    assert time.monotonic() - began < 6 + SOON
    assert slow["error"] == "`sleep 60` gave no answer within 2.4 s" and "`limit`" in slow["remedy"]
    assert quick["value"] == 0
    # Less is left of the call than its own limit.
    assert re.match("`sleep 60` gave no answer within [0-3][.]", longer["error"])


def test_a_hung_item_takes_its_limit_and_says_so():
    (answer,) = _engine.observe([item(1, do="hang", limit=0.3)])
    assert 0.3 <= answer["seconds"] < 1.5
    (said,) = re.findall(r"within ([0-9.]+) s", answer["error"])
    assert 0.3 <= float(said) <= answer["seconds"] + 0.1


def test_a_probe_that_computes_is_asked_twice_before_it_is_an_error():
    (answer,) = _engine.observe([item(1, do="compute", limit=0.3)])
    assert "asked twice" in answer["error"]
    assert 0.3 <= answer["seconds"] < 2.0


def test_processor_time_of_earlier_items_does_not_make_a_hung_one_starved(monkeypatch):
    def busy(self, arguments):
        if arguments["do"] == "hang":
            hang()
        end = time.process_time() + 0.4
        while time.process_time() < end:
            pass
        return Observation("done")

    monkeypatch.setattr(DoubleProbe, "observe", busy)
    done, hung = _engine.observe([item(1, do="work", limit=10), item(2, do="hang", limit=0.5)])
    assert done["value"] == "done"
    assert hung["error"].startswith("probe hung")


def test_the_call_ends_at_its_limit_with_an_answer_for_everything():
    began = time.monotonic()
    answers = _engine.observe([item(1, do="hang", limit=60), item(2), item(3, probe="counting")], call_limit=0.4)
    assert time.monotonic() - began < 2.0
    assert [answer.get("error", "")[:9] for answer in answers] == ["probe hun", "not asked", ""]


def test_what_arrived_in_time_counts_although_the_parent_reads_it_late(monkeypatch):
    def late(children, seconds):
        assert await_true(lambda: ready(children, 0))
        time.sleep(0.3)  # the parent is kept from running, beyond the item's limit
        return ready(children, seconds)

    monkeypatch.setattr(_engine, "ready", late)
    assert kept(_engine.observe([item(1, limit=0.2)])) == ["fine"]


def test_an_unknown_probe_is_an_error_that_names_the_known_ones():
    answers = _engine.observe([item(1, probe="no_such"), item(2), item(3, probe="no_such")])
    assert kept(answers) == ["unknown probe 'no_such'", "fine", "unknown probe 'no_such'"]
    assert answers[0]["remedy"] == "known: counting, double, silent, stream"


def test_a_probe_that_cannot_be_made_is_an_error_of_each_of_its_items():
    answers = _engine.observe([item(1, probe="silent"), item(2), item(3, probe="silent")])
    assert kept(answers) == ["the silent probe failed: OSError: no room", "fine", "the silent probe failed: OSError: no room"]


def test_items_without_what_they_need_are_errors():
    answers = _engine.observe([dict(item(1), **{"with": {}}), item(2)])
    assert kept(answers) == ["the double probe failed: KeyError: 'do'", "fine"]


def test_two_items_of_one_name_have_two_answers():
    assert kept(_engine.observe([item(1), item(1, do="raise"), item(1)])) == ["fine", "the double probe failed: ValueError: broken", "fine"]


def test_nothing_asked_is_nothing_answered():
    assert _engine.observe([]) == []


def test_items_of_a_kind_share_one_probe_until_it_dies():
    answers = _engine.observe([item(1, "counting"), item(2, "counting"), item(3, "counting", do="crash"), item(4, "counting")], secrets={"dsn": "x"})
    assert [answer["value"]["seen"] for answer in answers if "value" in answer] == [1, 2, 1]
    assert answers[0]["value"]["pid"] == answers[1]["value"]["pid"] != answers[3]["value"]["pid"]
    assert answers[0]["value"]["secrets"] == ["dsn"]


def test_a_child_has_streams_of_its_own_and_prints_nothing_into_the_parents(capfd):
    print("the parent's own line, unflushed at the fork")
    (answer,) = _engine.observe([item(1, "stream")])
    assert answer["value"] == {"standard": ["/dev/null"] * 3, "leads_session": True}
    sys.stdout.flush()
    assert capfd.readouterr() == ("the parent's own line, unflushed at the fork\n", "")


def test_the_pipe_survives_a_parent_without_standard_streams():
    """A daemon may have closed them: the pipe then gets one of their numbers, which the child turns into /dev/null."""
    outer = os.fork()
    if outer == 0:
        try:
            os.closerange(0, 3)
            os._exit(0 if kept(_engine.observe([item(1)])) == ["fine"] else 1)
        finally:
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(outer, 0)[1]) == 0


def test_no_process_to_be_had_is_an_error_of_each_item(monkeypatch):
    def refuse():
        raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")

    monkeypatch.setattr(os, "fork", refuse)
    expected = "no process can be started for the double probe: Resource temporarily unavailable"
    assert kept(_engine.observe([item(1), item(2)])) == [expected, expected]


def test_children_that_somebody_else_reaps_are_no_surprise():
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        answers = _engine.observe([item(1), item(2, do="exit_at_once"), item(3)])
    finally:
        signal.signal(signal.SIGCHLD, before)
    assert kept(answers) == ["fine", "the double probe ended without an answer (exit status unknown)", "fine"]


def test_a_process_that_the_kernel_will_not_kill_is_named(monkeypatch):
    real = os.waitpid
    stuck = []

    def never(pid, options):
        stuck.append(pid)
        return 0, 0

    monkeypatch.setattr(os, "waitpid", never)
    monkeypatch.setattr(Child.close, "__defaults__", (0.05,))
    (answer,) = _engine.observe([item(1, do="hang", limit=1)])
    assert any("process %d cannot be killed" % pid in answer["error"] for pid in stuck)
    for pid in set(stuck):
        real(pid, 0)


def test_a_crash_leaves_no_core_file():
    import resource

    child = Child(lambda send: send(resource.getrlimit(resource.RLIMIT_CORE)))
    assert ready([child], SOON) == [child]
    assert child.read() == [[0, 0]]
    child.close()


def test_a_child_dies_with_its_parent():
    """The parent is killed and cannot clean up; the kernel ends the probe."""
    reader, writer = os.pipe()
    parent = os.fork()
    if parent == 0:
        child = Child(lambda send: hang())
        os.write(writer, b"%d" % child.pid)
        hang()
    os.close(writer)
    pid = int(os.read(reader, 32))
    os.close(reader)
    os.kill(parent, signal.SIGKILL)
    os.waitpid(parent, 0)
    assert await_true(lambda: not alive(pid))


def alive(pid):
    try:
        return pathlib.Path("/proc", str(pid), "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_closing_twice_kills_once(monkeypatch):
    child = Child(lambda send: hang())
    assert os.WTERMSIG(child.close()) == signal.SIGKILL
    killed = []
    monkeypatch.setattr(os, "killpg", lambda *arguments: killed.append(arguments))
    assert child.close() is None
    assert killed == []


def test_a_child_streams_what_it_has():
    child = Child(lambda send: [send([number, "é\ud800"]) for number in range(3)])
    messages = []
    while not child.finished:
        assert ready([child], SOON) == [child]
        messages += child.read()
    child.close()
    assert messages == [[number, "é\ud800"] for number in range(3)]


@pytest.mark.parametrize("schedstat", [True, False])
def test_processor_time_of_a_child(monkeypatch, schedstat):
    real = open

    def without(path, *arguments, **options):
        if str(path).endswith("schedstat") and not schedstat:
            raise FileNotFoundError(path)
        return real(path, *arguments, **options)

    monkeypatch.setattr(builtins, "open", without)
    idle, busy = Child(lambda send: hang()), Child(lambda send: compute())
    try:
        assert await_true(lambda: busy.busy_seconds() > 0.1)
        assert idle.busy_seconds() < busy.busy_seconds()
    finally:
        idle.close()
        busy.close()
    assert busy.busy_seconds() == 0.0


def test_every_probe_kind_is_one():
    """The real table, as AnsiballZ ships it: every kind names its facts, and has a method for each."""
    for name, kind in PROBES.items():
        facts = kind.ARGUMENTS["fact"]
        assert facts["required"], name
        assert facts["choices"] == sorted(facts["choices"]), name
        assert {"fact_" + fact for fact in facts["choices"]} == {one for one in dir(kind) if one.startswith("fact_")}, name
