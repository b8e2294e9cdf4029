# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The logs probe on real files, on doubles of journalctl and systemctl, and on a double of the Docker client."""

from __future__ import annotations

import contextlib
import gzip
import json
import lzma
import os
import re
import time
import types

import pytest
from doubles import Systemd
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.gonogo.preflight.plugins.module_utils._probes import _base, _docker, _logs
from ansible_collections.gonogo.preflight.plugins.module_utils._probes._base import ProbeError


def look(pattern="ERROR", window="1h", fact="count", **arguments):
    return _logs.LogsProbe({}).observe({"fact": fact, "pattern": pattern, "window": window, **arguments})


def count(**arguments):
    return look(**arguments).value


def error(**arguments):
    with pytest.raises(ProbeError) as raised:
        look(**arguments)
    return str(raised.value)


NOW = time.time()


@pytest.fixture(params=["UTC", "Asia/Kolkata", "America/Bogota", "America/New_York"])
def zone(request, monkeypatch):
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    try:
        if time.localtime().tm_gmtoff != time.localtime(NOW - 86400).tm_gmtoff:
            pytest.skip("the clocks of %s were changed within the last day, so that a local time may be two moments" % request.param)
        yield request.param
    finally:
        monkeypatch.undo()
        time.tzset()


def utc(form, ago):
    return time.strftime(form, time.gmtime(time.time() - ago))


def local(form, ago):
    return time.strftime(form, time.localtime(time.time() - ago))


FORMS = {
    "ISO 8601": lambda ago, text: utc("%Y-%m-%dT%H:%M:%SZ ", ago) + text,
    "with a zone": lambda ago, text: utc("%Y-%m-%dT%H:%M:%S.123456+00:00 ", ago) + text,
    "with a zone, short": lambda ago, text: utc("%Y-%m-%d %H:%M:%S+0000 ", ago) + text,
    "Python's logging": lambda ago, text: local("%Y-%m-%d %H:%M:%S,123 ", ago) + text,
    "PostgreSQL": lambda ago, text: utc("%Y-%m-%d %H:%M:%S.123 UTC [42] ", ago) + text,
    "level first": lambda ago, text: "INFO " + local("%Y-%m-%d %H:%M:%S ", ago) + text,
    "level after": lambda ago, text: local("%Y-%m-%d %H:%M:%S INFO ", ago) + text,
    "nginx access": lambda ago, text: '192.0.2.1 - - [%s] "GET / HTTP/1.1" 200 3 "-" "%s"' % (utc("%d/%b/%Y:%H:%M:%S +0000", ago), text),
    "nginx error": lambda ago, text: local("%Y/%m/%d %H:%M:%S [error] 7#7: ", ago) + text,
    "syslog": lambda ago, text: local("%b %e %H:%M:%S host program[1]: ", ago) + text,
    "JSON": lambda ago, text: json.dumps({"level": "info", "time": utc("%Y-%m-%dT%H:%M:%SZ", ago), "message": text}),
    "JSON, seconds": lambda ago, text: json.dumps({"ts": time.time() - ago, "message": text}),
    "JSON, milliseconds": lambda ago, text: json.dumps({"timestamp": int((time.time() - ago) * 1000), "message": text}),
}


@pytest.fixture
def log(tmp_path):
    """log(lines) -> path of a file in which (seconds ago, text) was written, the last line at its own time."""

    def write(lines, form="ISO 8601", name="app.log"):
        path = tmp_path / name
        path.write_text("".join((FORMS[form](ago, text) if ago is not None else text) + "\n" for ago, text in lines))
        times = [ago for ago, _text in lines if ago is not None]
        if times:
            os.utime(path, (time.time() - times[-1],) * 2)
        return str(path)

    return write


LINES = [(7200, "ERROR old"), (4000, "fine"), (3000, "ERROR one"), (2000, "fine"), (60, "ERROR two"), (1, "fine")]


@pytest.mark.parametrize("form", FORMS)
def test_lines_of_the_window_are_counted(log, zone, form):
    path = log(LINES, form)
    seen = look(path=path)
    assert seen.value == 2
    assert seen.evidence.startswith("2 of 4 lines of path %s since " % path)
    assert count(path=path, pattern="panic") == 0
    assert count(path=path, window="90min") == 2 and count(path=path, window="30min") == 1


def test_no_line_of_the_log_is_in_the_evidence(log):
    assert "Zebra7" not in look(path=log([(7200, "x"), (60, "ERROR password=Zebra7")])).evidence


# What is missing


@pytest.mark.parametrize("arguments", [{}, {"path": "/a", "unit": "b"}, {"path": ""}])
def test_one_source_is_needed(arguments):
    assert error(**arguments) == "fact count needs one of `path`, `unit` and `container`"


@pytest.mark.parametrize("arguments", [{"pattern": ""}, {"pattern": "("}, {"window": ""}, {"window": "soon"}, {"window": "0s"}, {"window": None}])
def test_pattern_and_window_are_needed(log, arguments):
    assert "`%s`" % next(iter(arguments)) in error(path=log(LINES), **arguments)


def test_a_log_that_is_not_there_is_an_error(tmp_path):
    assert "does not exist" in error(path=str(tmp_path / "absent.log"))
    assert "is not a regular file" in error(path=str(tmp_path))
    (tmp_path / "dangling.log").symlink_to(tmp_path / "gone")
    assert "leads nowhere" in error(path=str(tmp_path / "dangling.log"))


@pytest.mark.parametrize("whole", [True, False])
def test_an_empty_log_is_an_error_and_no_zero(log, whole):
    assert "has no line before" in error(path=log([]), whole=whole)
    assert "has no line before" in error(path=log([(None, "no time here"), (None, "")]), whole=whole)


def test_a_log_that_begins_within_the_window_is_an_error_unless_that_is_asked(log):
    path = log([(600, "fine"), (300, "ERROR")])
    assert re.search("begins at .*, 3000 s after the start of the window|begins at .*, 2999 s", error(path=path))
    seen = look(path=path, whole=False)
    assert seen.value == 1 and "(it begins at " in seen.evidence
    assert count(path=path, window="8min") == 1


# Lines without a time of their own


def test_a_line_without_a_time_is_where_the_lines_around_it_are(log):
    traceback = [(None, "Traceback (most recent call last):"), (None, '  File "x", line 1'), (None, "ValueError: ERROR")]
    assert count(path=log([(7200, "fine"), (3000, "failed"), *traceback, (60, "fine")])) == 1
    assert count(path=log([(7200, "failed"), *traceback, (5000, "fine"), (60, "fine")])) == 0
    assert count(path=log([(7200, "fine"), (3000, "failed"), *traceback])) == 1
    assert count(path=log([*traceback, (7200, "fine"), (60, "fine")])) == 0


AROUND = [[(7200, "fine"), (None, "ERROR"), (60, "fine")], [(7200, "fine"), (None, "ERROR")], [(None, "ERROR"), (60, "fine")], [(None, "ERROR")]]


@pytest.mark.parametrize("lines", AROUND)
def test_a_matching_line_that_may_lie_in_the_window_is_an_error(log, lines):
    assert "1 matching lines without a readable time" in error(path=log(lines), whole=False)


@pytest.mark.parametrize("lines", AROUND[:2])
def test_a_line_that_could_not_matter_is_none(log, lines):
    assert count(path=log(lines), pattern="panic") == 0


@pytest.mark.parametrize(
    "text",
    ["2026-13-45T10:00:00Z ERROR", "Foo 12 10:00:00 host ERROR", "[99/Oct/2026:10:00:00 +0000] ERROR", '{"time": "x"} ERROR', "2026-01-01 10:00:00 CEST ERROR"],
)
def test_a_time_that_cannot_be_read_is_none(log, text):
    assert _logs.time_of(text, NOW) is None
    assert "without a readable time" in error(path=log([(None, text), (60, "fine")]))


def test_a_date_in_the_message_is_not_the_time_of_the_line():
    assert _logs.time_of("ERROR " + "x" * 60 + " until 2020-01-01T00:00:00Z", NOW) is None


# Times that are not what they seem


def test_lines_of_the_future_are_an_error(log):
    assert "has lines of the future" in error(path=log([(7200, "fine"), (-600, "fine")]))


@pytest.mark.parametrize("hours", [-5, 2])
@pytest.mark.parametrize("form", ["Python's logging", "nginx error", "syslog", "level first"])
def test_times_of_another_zone_are_an_error_and_no_zero(log, form, hours):
    """A program that writes in a zone of its own: what it wrote a minute ago looks hours old, or hours away."""
    path = log([(36000, "fine"), (60 + hours * 3600, "ERROR")], form)
    os.utime(path, (time.time() - 60,) * 2)
    assert "not of this host's zone" in error(path=path)


def test_a_zone_that_is_named_needs_no_such_proof(log):
    path = log([(7200, "fine"), (5000, "ERROR")])
    os.utime(path)
    assert count(path=path) == 0


def test_the_year_of_syslog_is_the_latest_that_is_not_in_the_future():
    end = 1767225600.0 + 3600  # 2026-01-01 01:00 UTC
    december = _logs.time_of(time.strftime("%b %e %H:%M:%S host x", time.localtime(end - 7200)), end)
    assert december == (end - 7200, False)
    february = _logs.time_of("Feb 29 10:00:00 host x", end)
    assert february is None, "neither of the years has the day"


# Rotation


def _gz(path, data):
    with gzip.open(path, "wb") as file:
        file.write(data)


def _xz(path, data):
    with lzma.open(path, "wb") as file:
        file.write(data)


def rotate(path, name, ago, pack=None):
    """Move the log away as logrotate does, last written so long ago."""
    target = path + name
    with open(path, "rb") as file:
        data = file.read()
    os.unlink(path)
    if pack:
        pack(target, data)
    else:
        with open(target, "wb") as file:
            file.write(data)
    os.utime(target, (time.time() - ago,) * 2)


@pytest.mark.parametrize(("name", "pack"), [(".1", None), (".1.gz", _gz), (".2.xz", _xz), ("-20261120", None), ("-20261120-1700000000.gz", _gz)])
def test_what_was_rotated_away_within_the_window_counts(log, name, pack):
    path = log([(7200, "ERROR old"), (3000, "ERROR"), (2000, "ERROR")])
    rotate(path, name, 2000, pack)
    assert count(path=log([(60, "ERROR")])) == 3


def test_an_empty_log_whose_lines_were_just_rotated_away(log):
    path = log([(7200, "ERROR old"), (3000, "ERROR")])
    rotate(path, ".1", 3000)
    assert count(path=log([])) == 1


def test_what_was_rotated_away_before_the_window_is_not_read(log):
    path = log([(9000, "ERROR"), (8000, "ERROR")])
    rotate(path, ".1", 8000)
    assert "begins at" in error(path=log([(60, "ERROR")]))


@pytest.mark.parametrize("name", [".1.gz", ".1.xz"])
def test_a_rotated_log_that_is_cut_off_is_an_error(log, name):
    path = log([(7200 - number, "ERROR %d" % number) for number in range(2000)])
    rotate(path, name, 2000, _gz if name.endswith("gz") else _xz)
    with open(path + name, "r+b") as file:
        file.truncate(100)
    os.utime(path + name, (time.time() - 2000,) * 2)
    assert "cannot be read to its end" in error(path=log([(60, "x")]))


def test_a_compression_that_is_not_read_is_an_error(log):
    rotate(log([(7200, "ERROR"), (3000, "ERROR")]), ".1.zst", 3000)
    assert "compressed with zstd" in error(path=log([(60, "x")]))


# Size


def test_a_large_log_is_entered_near_the_window(log, monkeypatch):
    monkeypatch.setattr(_logs, "_BISECT_FROM", 2000)
    path = log([(36000 - number, "ERROR %d" % number) for number in range(36000)])
    expected = count(path=path)
    assert 3595 <= expected <= 3600
    monkeypatch.setattr(_logs, "_LARGEST", 36000 * 32 // 5)
    assert count(path=path) in (expected, expected - 1)
    monkeypatch.setattr(_logs, "_BISECT_FROM", 10**9)
    assert "too much for the window" in error(path=path)


@pytest.mark.parametrize(
    "lines", [[(None, "x" * 99)] * 200, [(7200, "fine"), *[(None, "x" * 99)] * 200], [(7200, "fine")] * 100 + [(None, "x" * 99)] * 100 + [(60, "ERROR")]]
)
def test_bisection_never_loses_a_line(log, monkeypatch, lines):
    path = log(lines)

    def answer():
        try:
            return count(path=path, whole=False)
        except ProbeError as raised:
            return re.sub("[0-9T:Z-]+", "", str(raised))

    expected = answer()
    monkeypatch.setattr(_logs, "_BISECT_FROM", 300)
    assert answer() == expected


def test_a_line_without_end_is_an_error(log, monkeypatch):
    monkeypatch.setattr(_logs, "_LONGEST_LINE", 1000)
    assert "a line of more than 1000 bytes" in error(path=log([(7200, "fine"), (60, "x" * 2000)]))


def test_bytes_that_are_no_text_are_no_crash(tmp_path):
    path = tmp_path / "app.log"
    path.write_bytes(b"\xff\xfe\x00ERROR\n" + FORMS["ISO 8601"](7200, "\n").encode() + FORMS["ISO 8601"](60, "").encode() + b"\xff ERROR\n")
    assert count(path=str(path)) == 1


# The journal


@pytest.fixture
def systemd(tmp_path, monkeypatch):
    """A host whose journal reaches back two hours, with app.service and its entries of 7200, 3000 and 60 s ago."""
    (tmp_path / "bin").mkdir()
    monkeypatch.setattr(_base, "_PATH", "%s:%s" % (tmp_path / "bin", _base._PATH))
    double = Systemd(tmp_path / "bin")
    double.unit("app.service")
    for ago in (7200, 3000, 60):
        double.entry(time.time() - ago, "ERROR at\nERROR again", _SYSTEMD_UNIT="app.service")
    return double


def test_entries_of_a_unit_are_counted(systemd):
    systemd.entry(time.time() - 30, "ERROR", _SYSTEMD_UNIT="other.service")
    systemd.entry(time.time() - 20, [69, 82, 82, 79, 82, 255], _SYSTEMD_UNIT="app.service")
    systemd.entry(time.time() - 10, ["fine", "ERROR"], _SYSTEMD_UNIT="app.service")
    seen = look(unit="app")
    assert seen.value == 4 and seen.evidence.startswith("4 of 4 lines of unit app since ")
    assert count(unit="app.service", pattern="panic") == 0
    assert count(unit="app", window="2d", whole=False) == 5


def test_a_silent_unit_is_a_zero(systemd):
    systemd.unit("quiet.service")
    assert count(unit="quiet") == 0


def test_a_unit_that_is_not_there_is_an_error_and_no_zero(systemd):
    assert error(unit="absent") == "absent.service is not a unit of this host: not-found"


@pytest.mark.parametrize("name", ["-f", "a b", "a/b", "x" * 300])
def test_a_name_that_is_no_units_is_an_error(systemd, name):
    assert "is not the name of a systemd unit" in error(unit=name)


def test_a_journal_that_begins_within_the_window_is_an_error_unless_that_is_asked(systemd):
    assert "the log of the journal begins at" in error(unit="app", window="3h")
    seen = look(unit="app", window="3h", whole=False)
    assert seen.value == 3 and "(it begins at" in seen.evidence


@pytest.mark.parametrize("whole", [True, False])
def test_an_empty_journal_is_an_error(systemd, whole):
    systemd.say(journal=[])
    assert "has no line before" in error(unit="app", whole=whole)


def test_lines_that_the_journal_dropped_are_an_error(systemd):
    systemd.entry(time.time() - 100, "Suppressed 12 messages from other.service", MESSAGE_ID=_logs._SUPPRESSED)
    assert count(unit="app") == 2
    systemd.entry(time.time() - 90, "Suppressed 12 messages from app.service", MESSAGE_ID=_logs._SUPPRESSED)
    assert "dropped lines of app.service" in error(unit="app")


@pytest.mark.parametrize(
    "words",
    [{"refuses": "No journal files were opened due to insufficient permissions."}, {"warns": "Hint: You are currently not seeing messages from other users"}],
)
def test_a_journal_that_may_not_be_read_is_an_error(systemd, words):
    systemd.say(**words)
    assert "insufficient permissions" in error(unit="app") or "did not see everything" in error(unit="app")


@pytest.mark.parametrize(
    "text",
    [
        "garbage",
        "{}",
        "[1]",
        '{"__REALTIME_TIMESTAMP": "x"}',
        '{"__REALTIME_TIMESTAMP": "1", "MESSAGE": null}',
        '{"__REALTIME_TIMESTAMP": "1", "MESSAGE": [999]}',
    ],
)
def test_an_entry_that_is_none_is_an_error(text):
    with pytest.raises(ProbeError):
        _logs.parse_entries(text)


# A container


class Container:
    """A container that logs what it is told, as the client library gives it: bytes, cut anywhere."""

    def __init__(self, lines, *, created=9000, limit=None, size=7):
        config = {"max-size": limit} if limit else {}
        self.attrs = {"Created": utc("%Y-%m-%dT%H:%M:%S.123456789Z", created), "HostConfig": {"LogConfig": {"Config": config}}}
        self._lines, self._size = lines, size

    def logs(self, *, stream, follow, timestamps, since=0):
        assert stream and timestamps and not follow
        lines = [(ago, text) for ago, text in self._lines if time.time() - ago >= since]
        data = b"".join((utc("%Y-%m-%dT%H:%M:%S.5Z ", ago) + text + "\r\n").encode() for ago, text in lines)
        return iter([data[at : at + self._size] for at in range(0, len(data), self._size)])


@pytest.fixture
def engine(monkeypatch):
    """engine(container or error): the Docker Engine's client, a double."""

    def install(answer):
        def get(_name):
            if isinstance(answer, Exception):
                raise answer
            return answer

        monkeypatch.setattr(_docker.DockerProbe, "client", lambda _self: types.SimpleNamespace(containers=types.SimpleNamespace(get=get)))

    return install


@pytest.mark.parametrize("size", [1, 7, 10000])
def test_lines_of_a_container_are_counted(engine, size):
    engine(Container(LINES, size=size))
    seen = look(container="app-web-1")
    assert seen.value == 2 and seen.evidence.startswith("2 of 4 lines of container app-web-1 since")


def test_a_container_that_is_younger_than_the_window_has_said_all_it_could(engine):
    engine(Container([(300, "ERROR")], created=400, limit="10m"))
    assert count(container="app") == 1
    engine(Container([(300, "fine")], created=400, limit="10m"))
    assert count(container="app") == 0


@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize("limit", [None, "10m"])
@pytest.mark.parametrize("fact", ["count", "share"])
def test_a_container_that_never_said_a_line_is_an_error_and_no_zero(engine, fact, whole, limit):
    engine(Container([], created=400, limit=limit))
    assert "has not said a line" in error(container="app", fact=fact, whole=whole)


def test_silence_is_an_answer_only_of_a_log_that_reaches_back(engine):
    engine(Container([(5000, "fine")]))
    assert count(container="app") == 0
    assert "0 of 0 lines of container app since" in error(container="app", whole=False)
    assert "there is no line to have a share of" in error(container="app", fact="share")


def test_the_share_of_lines_that_match(log, engine):
    path = log(LINES)
    seen = look(path=path, fact="share")
    assert seen.value == 50 and seen.evidence.startswith("2 of 4 lines of path ")
    assert look(path=path, fact="share", pattern="e").value == 75
    assert "there is no line to have a share of" in error(path=path, fact="share", window="500ms")
    engine(Container([(300, "{}"), (200, "{}"), (100, "plain")], created=400))
    assert look(container="app", fact="share", pattern=r"^\{").value == 66.6667


def test_a_log_that_the_engine_may_have_cut_is_an_error(engine):
    engine(Container([(600, "ERROR")], limit="10m"))
    assert "begins at" in error(container="app") and count(container="app", whole=False) == 1
    engine(Container([(600, "ERROR")]))
    assert count(container="app") == 1


@pytest.mark.parametrize("answer", [KeyError("404 No such container"), OSError("broken pipe"), types.SimpleNamespace(attrs={})])
def test_a_container_that_cannot_be_read_is_an_error(engine, answer):
    engine(answer)
    assert error(container="app").startswith("the logs of container app cannot be read: ")


def test_an_engine_that_is_stopped_is_an_error(monkeypatch):
    monkeypatch.setattr(_docker, "_library", lambda: None)
    monkeypatch.setattr(_docker, "unit", lambda: (False, True))
    assert error(container="app") == "docker.service is not active"


def test_a_line_of_a_container_without_a_time_is_an_error(engine):
    broken = Container([])
    broken.logs = lambda **_options: iter([b"no time\n"])
    engine(broken)
    assert "Docker names no time" in error(container="app")


# Parsers

STAMPS = st.text(alphabet="0123456789-/:.,T ZUC+[]OctJan{}\"'tsime<>", max_size=60)


@given(line=st.one_of(st.text(max_size=60), STAMPS, st.from_regex(_logs._ISO), st.from_regex(_logs._NGINX), st.from_regex(_logs._SYSLOG)))
def test_a_time_is_read_or_none(line):
    moment = _logs.time_of(line, NOW)
    assert moment is None or isinstance(moment[0], float)


@pytest.mark.parametrize(
    "parse", [_logs.parse_entries, _logs.docker_time, lambda text: _logs.parse_entries('{"__REALTIME_TIMESTAMP": "1", "MESSAGE": %s}' % text)]
)
@given(text=st.one_of(st.text(max_size=60), STAMPS, st.from_regex(_logs._DOCKER_TIME)))
def test_a_parser_answers_or_raises_its_own_error(parse, text):
    with contextlib.suppress(ProbeError):
        parse(text)


@given(lines=st.lists(st.tuples(st.one_of(st.none(), st.integers(0, 7200)), st.booleans()), max_size=12))
def test_a_count_is_that_of_the_lines_or_an_error(lines):
    """Against the plain rule: a line without a time is as old as some moment between its neighbours."""
    ordered = sorted((ago for ago, _hit in lines if ago is not None), reverse=True)
    ages = iter(ordered)
    placed = [(next(ages) if ago is not None else None, hit) for ago, hit in lines]
    start = NOW - 3600
    texts = [("" if ago is None else time.strftime("%Y-%m-%dT%H:%M:%SZ ", time.gmtime(int(NOW) - ago))) + ("ERROR" if hit else "fine") for ago, hit in placed]
    least = most = 0
    for at, (_ago, hit) in enumerate(placed):
        before = next((one for one, _hit in reversed(placed[: at + 1]) if one is not None), 10**9)
        after = next((one for one, _hit in placed[at:] if one is not None), 0)
        inside = [int(NOW) - one >= start for one in (before, after)]
        least, most = least + (hit and all(inside)), most + (hit and any(inside))
    try:
        seen = _logs.count_lines(texts, re.compile("ERROR"), start, NOW, "x").matched
        assert least == seen == most
    except ProbeError:
        assert least < most
