# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The schedule probe on doubles of systemctl and journalctl, on systemd-analyze itself, and on real crontabs."""

from __future__ import annotations

import contextlib
import os
import shutil
import time

import pytest
from doubles import Systemd
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.gonogo.preflight.plugins.module_utils._probes import _base, _schedule
from ansible_collections.gonogo.preflight.plugins.module_utils._probes._base import ProbeError

HOUR, DAY = 3600.0, 86400.0


def look(fact, **arguments):
    return _schedule.ScheduleProbe({}).observe({"fact": fact, **arguments})


def value(fact, **arguments):
    return look(fact, **arguments).value


def error(fact, **arguments):
    with pytest.raises(ProbeError) as raised:
        look(fact, **arguments)
    return str(raised.value)


def stamp(moment):
    return time.strftime("%a %Y-%m-%d %H:%M:%S UTC", time.gmtime(moment))


@pytest.fixture
def systemd(tmp_path, monkeypatch):
    (tmp_path / "bin").mkdir()
    monkeypatch.setattr(_base, "_PATH", "%s:%s" % (tmp_path / "bin", _base._PATH))
    return Systemd(tmp_path / "bin")


TIMER = {"ActiveState": "active", "SubState": "waiting", "UnitFileState": "enabled", "Unit": "backup.service"}

# Timers


@pytest.mark.parametrize(
    ("properties", "expected"),
    [
        (TIMER, (True, True, True)),
        ({**TIMER, "UnitFileState": "disabled"}, (True, False, True)),
        ({**TIMER, "UnitFileState": "enabled-runtime"}, (True, False, True)),
        ({**TIMER, "ActiveState": "inactive", "SubState": "dead"}, (True, True, False)),
        ({**TIMER, "SubState": "elapsed"}, (True, True, False)),
        ({**TIMER, "SubState": "running"}, (True, True, True)),
        ({**TIMER, "ActiveState": "failed", "SubState": "failed"}, (True, True, False)),
        ({**TIMER, "LoadState": "masked"}, (False, False, False)),
        ({**TIMER, "LoadState": "bad-setting"}, (False, False, False)),
        (None, (False, False, False)),
    ],
)
@pytest.mark.parametrize("name", ["backup", "backup.timer"])
def test_timer(systemd, name, properties, expected):
    if properties is not None:
        systemd.unit("backup.timer", **properties)
    seen = look("timer", name=name)
    assert tuple(seen.value[key] for key in ("exists", "enabled", "active")) == expected
    assert seen.evidence.startswith("backup.timer is ")


AT_THREE = "{ OnCalendar=*-*-* 03:00:00 ; next_elapse=Mon 2026-11-23 03:00:00 UTC }"


@pytest.mark.parametrize(
    ("properties", "expected"),
    [
        ({}, ["*-*-* 03:00:00"]),
        ({"TimersCalendar": [AT_THREE, AT_THREE.replace("03:", "15:")]}, ["*-*-* 03:00:00", "*-*-* 15:00:00"]),
        ({"TimersCalendar": []}, []),
        ({"UnitFileState": "disabled"}, []),
        ({"ActiveState": "inactive", "SubState": "dead"}, []),
        ({"SubState": "elapsed"}, []),
    ],
)
def test_the_calendar_of_a_timer_that_is_on(systemd, properties, expected):
    systemd.unit("backup.timer", **{**TIMER, "TimersCalendar": [AT_THREE], **properties})
    seen = look("calendar", name="backup")
    assert seen.value == expected and seen.evidence.startswith("backup.timer is loaded, ")


@pytest.mark.parametrize("fact", ["calendar", "timer", "interval", "last_success"])
@pytest.mark.parametrize("name", [None, "", "a b", "-a", "a/b", "x" * 300])
def test_a_name_that_is_no_units_is_an_error(systemd, fact, name):
    assert "needs `name`" in error(fact, name=name)


@pytest.mark.parametrize("fact", ["calendar", "timer", "interval", "last_success"])
def test_a_service_manager_that_does_not_answer_is_an_error(systemd, fact):
    systemd.broken("backup.timer")
    assert "Failed to connect to bus" in error(fact, name="backup")


@pytest.mark.parametrize("fact", ["calendar", "interval", "last_success"])
def test_a_timer_that_is_not_there_is_an_error(systemd, fact):
    assert error(fact, name="backup") == "backup.timer is not a unit that can run: not-found"


# Intervals

needs_analyze = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")


@needs_analyze
@pytest.mark.parametrize(
    ("calendar", "seconds"),
    [
        ("*-*-* 00:00:00", DAY),
        ("*-*-* 03:15:00", DAY),
        ("*-*-* *:00:00", HOUR),
        ("*-*-* *:00/15:00", 900),
        ("*-*-* *:*:00", 60),
        ("*-*-* *:*:00/10", 10),
        ("Sun *-*-* 03:00:00", 7 * DAY),
        ("Mon..Fri *-*-* 04:00:00", 3 * DAY),
        ("*-*-01 02:00:00", 31 * DAY),
        ("*-*~01 02:00:00", 31 * DAY),
        ("*-01,04,07,10-01 00:00:00", 92 * DAY),
        ("*-*-* 09..17:00:00", 16 * HOUR),
        ("*-*-* 09..17:*:00", 15 * HOUR + 60),
        ("*-*-* 01,13:00:00 Europe/Berlin", 13 * HOUR),
    ],
)
def test_interval_of_a_calendar(systemd, calendar, seconds):
    systemd.unit("backup.timer", **TIMER, TimersCalendar=["{ OnCalendar=%s ; next_elapse=n/a }" % calendar])
    seen = look("interval", name="backup")
    assert (seen.value, seen.evidence) == (seconds, "backup.timer: OnCalendar=%s" % calendar)


@needs_analyze
@pytest.mark.parametrize(
    ("calendar", "said"),
    [
        ("2020-01-01 00:00:00", "does not repeat"),
        ("2099-01-01 00:00:00", "does not repeat"),
        ("Mon..Fri *-*-* *:*:00", "comes too often to tell its longest pause"),
        ("*-*-01 *:*:00", "comes too often to tell its longest pause"),
        ("nonsense", "ended with status"),
    ],
)
def test_a_calendar_of_which_no_interval_can_be_told_is_an_error(systemd, calendar, said):
    systemd.unit("backup.timer", **TIMER, TimersCalendar=["{ OnCalendar=%s ; next_elapse=n/a }" % calendar])
    assert said in error("interval", name="backup")


@pytest.mark.parametrize(
    ("monotonic", "seconds"),
    [
        (["{ OnUnitActiveUSec=15min ; next_elapse=1d }"], 900),
        (["{ OnBootUSec=5min ; next_elapse=0 }", "{ OnUnitActiveUSec=1d 2h 30min ; next_elapse=0 }"], DAY + 2.5 * HOUR),
        (["{ OnUnitInactiveUSec=1w ; next_elapse=0 }", "{ OnUnitActiveUSec=1h ; next_elapse=0 }"], HOUR),
    ],
)
def test_interval_of_a_span(systemd, monotonic, seconds):
    systemd.unit("backup.timer", **TIMER, TimersMonotonic=monotonic)
    assert value("interval", name="backup") == seconds


@pytest.mark.parametrize("monotonic", [[], ["{ OnBootUSec=5min ; next_elapse=0 }"], ["{ OnStartupUSec=5min ; next_elapse=0 }"]])
def test_a_timer_that_runs_once_has_no_interval(systemd, monotonic):
    systemd.unit("backup.timer", **TIMER, TimersMonotonic=monotonic)
    assert error("interval", name="backup") == "backup.timer does not repeat"


@needs_analyze
def test_the_tightest_of_several_holds(systemd):
    systemd.unit(
        "backup.timer",
        **TIMER,
        TimersCalendar=["{ OnCalendar=Sun *-*-* 03:00:00 ; next_elapse=n/a }", "{ OnCalendar=*-*-* 05:00:00 ; next_elapse=n/a }"],
    )
    assert value("interval", name="backup") == DAY


# Last success


def test_a_service_that_ended_with_success(systemd):
    systemd.unit("backup.timer", **TIMER)
    systemd.unit("backup.service", ExecMainExitTimestamp=stamp(time.time() - HOUR))
    seen = look("last_success", name="backup")
    assert HOUR - 1 <= seen.value < HOUR + 60 and seen.evidence == "backup.service ended with success"
    assert value("last_success", name="backup.service") == pytest.approx(seen.value, abs=5)


def test_a_timer_may_start_a_service_of_another_name(systemd):
    systemd.unit("nightly.timer", **TIMER)
    systemd.unit("backup.service", ExecMainExitTimestamp=stamp(time.time() - 60), ActiveState="active", SubState="exited")
    assert value("last_success", name="nightly") < 120


def test_a_service_that_is_not_there_is_an_error(systemd):
    systemd.unit("backup.timer", **TIMER)
    assert error("last_success", name="backup") == "backup.service is not a unit that can run: not-found"


BAD = [
    ({}, "has no run that systemd remembers"),
    ({"ExecMainExitTimestamp": "n/a"}, "has no run that systemd remembers"),
    ({"Result": "exit-code", "ExecMainStatus": "3", "ActiveState": "failed", "SubState": "failed"}, "failed last (exit-code, status 3)"),
    ({"Result": "timeout", "ExecMainStatus": "15"}, "failed last (timeout, status 15)"),
    ({"Result": "exec-condition"}, "failed last (exec-condition, status 0)"),
    ({"ActiveState": "activating", "SubState": "start"}, "is activating now"),
    ({"ActiveState": "deactivating", "SubState": "stop-post"}, "is deactivating now"),
    ({"ActiveState": "active", "SubState": "running"}, "is active now"),
]


def ended(properties, ago):
    return {"ExecMainExitTimestamp": stamp(time.time() - ago), **properties} if properties else {}


@pytest.mark.parametrize(("properties", "state"), BAD)
def test_no_success_is_an_error_and_no_age(systemd, properties, state):
    systemd.unit("backup.timer", **TIMER)
    systemd.unit("backup.service", **ended(properties, 60))
    assert error("last_success", name="backup") == "backup.service %s, and the journal knows of no success before" % state


def success(systemd, ago, **other):
    fields = {"_PID": "1", "MESSAGE_ID": _schedule._SUCCESS, "UNIT": "backup.service", **other}
    systemd.entry(time.time() - ago, "backup.service: Deactivated successfully.", **fields)


@pytest.mark.parametrize(("properties", "state"), BAD)
def test_the_success_before_counts_and_the_run_since_does_not(systemd, properties, state):
    systemd.unit("backup.timer", **TIMER)
    systemd.unit("backup.service", **ended(properties, 60))
    success(systemd, 3 * DAY)
    success(systemd, 2 * HOUR)
    seen = look("last_success", name="backup")
    assert 2 * HOUR - 1 <= seen.value < 2 * HOUR + 60
    assert seen.evidence == "backup.service %s; the journal has its last success" % state


@pytest.mark.parametrize("other", [{"_PID": "4242"}, {"UNIT": "other.service"}, {"MESSAGE_ID": "d9b373ed55a64feb8242e02dbe79a49c"}])
def test_an_entry_of_somebody_or_something_else_is_no_success(systemd, other):
    systemd.unit("backup.timer", **TIMER)
    systemd.unit("backup.service")
    success(systemd, HOUR, **other)
    assert "knows of no success" in error("last_success", name="backup")


def test_a_journal_that_may_not_be_read_is_an_error(systemd):
    systemd.unit("backup.timer", **TIMER)
    systemd.unit("backup.service")
    systemd.say(warns="Hint: You are currently not seeing messages from other users and the system.")
    assert "did not see everything" in error("last_success", name="backup")


def test_a_success_of_the_future_is_an_error(systemd):
    systemd.unit("backup.timer", **TIMER)
    systemd.unit("backup.service", ExecMainExitTimestamp=stamp(time.time() + DAY))
    assert "in the future" in error("last_success", name="backup")


# cron


@pytest.fixture
def cron(tmp_path, monkeypatch, systemd):
    """A host with an /etc/crontab, whose cron runs."""
    for name in ("cron.d", "crontabs"):
        (tmp_path / name).mkdir()
    (tmp_path / "crontab").write_text("SHELL=/bin/sh\n# hourly\n17 *\t* * *\troot\tcd / && run-parts --report /etc/cron.hourly\n")
    monkeypatch.setattr(_schedule, "_CRONTAB", str(tmp_path / "crontab"))
    monkeypatch.setattr(_schedule, "_CRON_D", str(tmp_path / "cron.d"))
    monkeypatch.setattr(_schedule, "_SPOOL", str(tmp_path / "crontabs"))
    systemd.unit("cron.service", ActiveState="active", SubState="running")
    return tmp_path


@pytest.mark.parametrize(
    ("where", "line"),
    [
        ("cron.d/backup", "30 2 * * Mon-Fri postgres pg_dumpall\n"),
        ("cron.d/backup", "@daily postgres pg_dumpall\n"),
        ("crontabs/postgres", "*/5 0-6 1,15 jan * pg_dumpall"),
    ],
)
def test_a_job_is_found(cron, where, line):
    assert value("cron", pattern="pg_dumpall") is False
    (cron / where).write_text("# comment\nMAILTO=ops@example.com\n\n" + line)
    seen = look("cron", pattern="pg_dump")
    assert seen.value is True and seen.evidence == "1 of 2 jobs of 2 crontabs: %s" % (cron / where)


@pytest.mark.parametrize("line", ["# 30 2 * * * root pg_dumpall", "COMMAND=pg_dumpall"])
def test_a_comment_or_a_setting_is_no_job(cron, line):
    (cron / "cron.d" / "backup").write_text(line + "\n")
    assert value("cron", pattern="pg_dumpall") is False


@pytest.mark.parametrize("name", ["backup.dpkg-old", "backup.sh", ".placeholder", "backup~"])
def test_a_file_that_cron_does_not_read_has_no_jobs(cron, name):
    (cron / "cron.d" / name).write_text("30 2 * * * root pg_dumpall\n")
    assert value("cron", pattern="pg_dumpall") is False


def test_a_job_of_a_cron_that_does_not_run_is_an_error(cron, systemd):
    systemd.unit("cron.service", ActiveState="inactive")
    (cron / "cron.d" / "backup").write_text("30 2 * * * root pg_dumpall\n")
    assert "cron does not run" in error("cron", pattern="pg_dumpall")


def test_a_line_that_cron_would_not_read_is_an_error_that_does_not_show_it(cron):
    (cron / "cron.d" / "backup").write_text("30 2 * * root PGPASSWORD=Zebra7 pg_dumpall\n# fine\nnonsense here\n")
    assert error("cron", pattern="pg_dumpall") == "line 3 of %s is neither a job nor a setting" % (cron / "cron.d" / "backup")


def test_a_file_that_others_may_write_is_not_read_by_cron(cron):
    (cron / "cron.d" / "backup").write_text("30 2 * * * root pg_dumpall\n")
    (cron / "cron.d" / "backup").chmod(0o666)
    assert "others than its owner may write it" in error("cron", pattern="pg_dumpall")


def test_a_host_without_crontabs_is_an_error_and_no_false(cron):
    (cron / "crontab").unlink()
    for name in ("cron.d", "crontabs"):
        (cron / name).rmdir()
    assert error("cron", pattern="a") == "there is no crontab: cron is not installed"


def test_crontabs_that_may_not_be_read_are_an_error(cron, monkeypatch):
    listdir = os.listdir

    def refused(path):
        if str(path).endswith("crontabs"):
            raise PermissionError(13, "Permission denied")
        return listdir(path)

    monkeypatch.setattr(_schedule.os, "listdir", refused)
    assert error("cron", pattern="run-parts") == "cannot list %s: Permission denied" % (cron / "crontabs")


@pytest.mark.parametrize("pattern", [None, "", "("])
def test_cron_needs_a_pattern(cron, pattern):
    assert "`pattern`" in error("cron", pattern=pattern)


# Parsers


@pytest.mark.parametrize(("text", "seconds"), [("1d", DAY), ("2h 30min", 9000), ("1w", 7 * DAY), ("90s", 90), ("1min 30.500s", 90.5), ("500ms", 0.5)])
def test_spans(text, seconds):
    assert _schedule.parse_span(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "0", "infinity", "1x", "h", "-1h", "0s"])
def test_what_is_no_span_is_an_error(text):
    with pytest.raises(ProbeError):
        _schedule.parse_span(text)


@pytest.mark.parametrize("text", ["Thu 2026-01-01 00:00:00 CET", "2026-01-01", "Thu 2026-13-01 00:00:00 UTC", "garbage"])
def test_a_time_in_another_form_is_an_error_and_not_never(text):
    with pytest.raises(ProbeError):
        _schedule.parse_time(text)


def test_times():
    assert _schedule.parse_time("Thu 1970-01-01 01:00:00 UTC") == 3600
    assert _schedule.parse_time("Thu 1970-01-01 01:00:00.123456 UTC") == 3600
    assert _schedule.parse_time("") is None and _schedule.parse_time("n/a") is None


SHAPED = st.text(alphabet="{}[]\"'=;:*/-~., \n0123TimersOnCaledrUN#@", max_size=80)
ANYTHING = st.one_of(st.text(max_size=80), SHAPED)


@pytest.mark.parametrize(
    "parse",
    [
        lambda text: _schedule.parse_properties(text, ("ActiveState", "Unit")),
        lambda text: _schedule.parse_properties("ActiveState=active\n" + text, ("ActiveState", "Unit")),
        lambda text: _schedule.spans(text, "OnCalendar"),
        _schedule.parse_span,
        _schedule.parse_time,
        _schedule.parse_elapses,
        lambda text: _schedule.parse_elapses("Normalized form: *\n    Next elapse: %s\n" % text),
        lambda text: _schedule.longest_gap(text, [0.0, 1.0, 2.0]),
        lambda text: _schedule.parse_journal(text, "a.service"),
        lambda text: _schedule.parse_journal('{"UNIT": "a.service", "__REALTIME_TIMESTAMP": %s}' % text, "a.service"),
        lambda text: _schedule.parse_crontab(text, "/etc/crontab"),
    ],
)
@given(text=ANYTHING)
def test_a_parser_answers_or_raises_its_own_error(parse, text):
    with contextlib.suppress(ProbeError):
        parse(text)
