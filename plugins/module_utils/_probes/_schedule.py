# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What runs on a schedule: systemd timers and the services they start, and cron."""

from __future__ import annotations

import datetime
import json
import os
import re
import stat
import typing as t

from ._base import PLACE, Observation, Probe, ProbeError, output_of
from ._files import age_of, compiled, now

__all__ = ["ScheduleProbe", "longest_gap", "parse_crontab", "parse_elapses", "parse_journal", "parse_properties", "parse_span", "parse_time", "spans"]

_CRONTAB = "/etc/crontab"
_CRON_D = "/etc/cron.d"
_SPOOL = "/var/spool/cron/crontabs"
_CRON_UNITS = ("cron.service", "crond.service", "cronie.service")
_CRON_D_NAME = re.compile(r"[A-Za-z0-9_-]+")  # cron(8) of Debian: others are not read
_LARGEST = 1024 * 1024

_TIMER = ("LoadState", "ActiveState", "SubState", "UnitFileState", "Unit", "TimersCalendar", "TimersMonotonic")
_SERVICE = ("LoadState", "ActiveState", "SubState", "Result", "ExecMainStatus", "ExecMainExitTimestamp")
_ITERATIONS = 1500
# A unit "Deactivated successfully" (sd-messages.h, SD_MESSAGE_UNIT_SUCCESS), said by the service manager itself.
_SUCCESS = "7ad2d189f7e94e70a38c781354912448"

# Times are asked for and read in UTC, so that a day has 24 hours.
_UTC = {"TZ": "UTC"}

# systemd.time(7), Parsing Time Spans, as systemctl prints them.
_SPAN_UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0, "month": 2629800.0, "y": 31557600.0}
_SPAN = re.compile(r"([0-9]+(?:\.[0-9]+)?)(us|ms|s|min|h|d|w|month|y)")
_REPEATING = ("OnUnitActiveUSec", "OnUnitInactiveUSec")

_NAME = re.compile(r"[A-Za-z0-9:_.\\@-]{1,255}")
_WHEN = r"@(?:reboot|yearly|annually|monthly|weekly|daily|midnight|hourly)|(?:[0-9*][0-9*,/~-]*\s+){3}(?:[0-9A-Za-z*][0-9A-Za-z*,/~-]*\s+){2}"
_JOB = re.compile(r"\s*(?:%s)\s*\S+" % _WHEN)
_SETTING = re.compile(r"""\s*(?:[A-Za-z_][A-Za-z0-9_]*|"[^"]*"|'[^']*')\s*=""")


class ScheduleProbe(Probe):
    SEES = PLACE
    ARGUMENTS = {
        "fact": {"type": "str", "required": True, "choices": ["calendar", "cron", "interval", "last_success", "timer"]},
        "name": {"type": "str"},
        "pattern": {"type": "str"},
    }

    def fact_timer(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        """{"exists", "enabled", "active"} of a systemd timer: there, started at boot, and waiting for its next time."""
        name = _unit(arguments, "timer")
        seen = _shown(name, _TIMER)
        return Observation(_state_of(seen), "%s is %s" % (name, _words_of(seen)))

    def fact_calendar(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        """The calendar expressions by which a systemd timer starts its service, normalised (systemd.time(7)), a list.

        None of a timer that is not enabled or does not wait: systemd shows the calendar of one that is off as well.
        """
        name = _unit(arguments, "timer")
        seen = _loaded(name, _TIMER)
        calendars = spans(seen["TimersCalendar"], "OnCalendar")
        on = all(_state_of(seen).values())
        return Observation(calendars if on else [], "%s is %s: %s" % (name, _words_of(seen), ", ".join(calendars) or "no OnCalendar"))

    def fact_interval(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        """The longest time in seconds from one run of a systemd timer to the next, as it is planned; a random delay is not in it."""
        name = _unit(arguments, "timer")
        seen = _loaded(name, _TIMER)
        gaps, words = [], []
        for calendar in spans(seen["TimersCalendar"], "OnCalendar"):
            command = ["systemd-analyze", "calendar", "--iterations=%d" % _ITERATIONS, calendar]
            gaps.append(longest_gap(*parse_elapses(output_of(command, environment=dict(os.environ, **_UTC)))))
            words.append("OnCalendar=%s" % calendar)
        for base in _REPEATING:
            for span in spans(seen["TimersMonotonic"], base):
                gaps.append(parse_span(span))
                words.append("%s=%s" % (base.replace("USec", "Sec"), span))
        if not gaps:
            raise ProbeError("%s does not repeat" % name)
        # With several, the next run comes no later than the tightest says.
        return Observation(min(gaps), "%s: %s" % (name, ", ".join(words)))

    def fact_last_success(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        """Seconds since the service that a timer starts (or service `name` itself) last ended with success.

        One that never did is an error. Where the last run failed or is not over, or systemd has forgotten it (it does so at
        boot), the journal tells of the last success.
        """
        name = _unit(arguments, "timer")
        service = name
        if name.endswith(".timer"):
            service = _loaded(name, _TIMER)["Unit"]
        seen = _loaded(service, _SERVICE)
        ended = parse_time(seen["ExecMainExitTimestamp"])
        resting = seen["ActiveState"] == "inactive" or (seen["ActiveState"], seen["SubState"]) == ("active", "exited")
        if ended is not None and resting and seen["Result"] == "success":
            return Observation(age_of(ended, now(), service), "%s ended with success" % service)
        if not resting and seen["ActiveState"] != "failed":
            state = "is %s now" % seen["ActiveState"]
        elif seen["Result"] != "success":
            state = "failed last (%s, status %s)" % (seen["Result"], seen["ExecMainStatus"])
        else:
            state = "has no run that systemd remembers"
        command = ["journalctl", "-q", "-n", "1", "-o", "json", "--output-fields=UNIT", "_PID=1", "MESSAGE_ID=" + _SUCCESS, "UNIT=" + service]
        before = parse_journal(output_of(command, accept=(0, 1), refuse="not seeing messages"), service)
        if before is None:
            raise ProbeError("%s %s, and the journal knows of no success before" % (service, state), "systemctl start %s" % service)
        return Observation(age_of(before, now(), service), "%s %s; the journal has its last success" % (service, state))

    def fact_cron(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        """Whether a job of /etc/crontab, /etc/cron.d or a user's crontab is found by regular expression `pattern`; cron must be running."""
        pattern = compiled(arguments.get("pattern"))
        texts = list(_crontabs())
        if not texts:
            raise ProbeError("there is no crontab: cron is not installed", "apt-get install cron")
        jobs = [(path, job) for path, text in texts for job in parse_crontab(text, path)]
        found = [path for path, job in jobs if pattern.search(job)]
        if found and not any(_shown(unit, ("ActiveState",))["ActiveState"] == "active" for unit in _CRON_UNITS):
            raise ProbeError("%s has the job, and cron does not run" % found[0], "systemctl enable --now cron")
        return Observation(bool(found), "%d of %d jobs of %d crontabs%s" % (len(found), len(jobs), len(texts), ": " + found[0] if found else ""))


def _unit(arguments: t.Mapping[str, t.Any], kind: str) -> str:
    name = arguments.get("name") or ""
    if not _NAME.fullmatch(name) or name.startswith("-"):
        raise ProbeError("fact %s needs `name`, that of a systemd unit" % arguments["fact"])
    return name if name.endswith((".timer", ".service")) else "%s.%s" % (name, kind)


def _shown(unit: str, properties: t.Sequence[str]) -> dict[str, str]:
    command = ["systemctl", "show", *("--property=" + name for name in properties), "--", unit]
    return parse_properties(output_of(command, package="systemd", environment=dict(os.environ, **_UTC)), properties)


def _loaded(unit: str, properties: t.Sequence[str]) -> dict[str, str]:
    seen = _shown(unit, properties)
    if seen["LoadState"] != "loaded":
        raise ProbeError("%s is not a unit that can run: %s" % (unit, seen["LoadState"]), "systemctl cat %s" % unit)
    return seen


def _state_of(seen: t.Mapping[str, str]) -> dict[str, bool]:
    """{"exists", "enabled", "active"} of the properties of a timer."""
    exists = seen["LoadState"] == "loaded"
    return {
        "exists": exists,
        "enabled": exists and seen["UnitFileState"] == "enabled",
        # One that will not elapse again is active too.
        "active": exists and seen["ActiveState"] == "active" and seen["SubState"] in ("waiting", "running"),
    }


def _words_of(seen: t.Mapping[str, str]) -> str:
    return ", ".join(seen[key] for key in ("LoadState", "UnitFileState", "ActiveState", "SubState") if seen[key])


def parse_properties(text: str, properties: t.Sequence[str]) -> dict[str, str]:
    """{property: value} of `systemctl show`; a property that comes several times has one line each, one that is missing is ""."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        name, equals, value = line.partition("=")
        if equals and name in properties:
            found[name] = "%s\n%s" % (found[name], value) if name in found else value
    if not found.get("ActiveState"):
        raise ProbeError("systemctl does not say what state the unit is in")
    return {name: found.get(name, "") for name in properties}


def spans(text: str, base: str) -> list[str]:
    """The values of `base` in TimersCalendar or TimersMonotonic: lines `{ OnCalendar=daily ; next_elapse=... }`."""
    return [match.group(1).strip() for match in re.finditer(r"\{ %s=([^;}]*) ;" % re.escape(base), text)]


def parse_span(text: str) -> float:
    """Seconds of "1d 2h 30min"."""
    words = text.split()
    matches = [_SPAN.fullmatch(word) for word in words]
    seconds = sum(float(match.group(1)) * _SPAN_UNITS[match.group(2)] for match in matches if match)
    if not words or not all(matches) or seconds <= 0:
        raise ProbeError("systemd names the time span %r" % text[:40])
    return seconds


def parse_time(text: str) -> t.Optional[float]:
    """Seconds since the epoch of "Thu 2026-01-01 00:00:00 UTC"; None of an empty text, or "n/a", for what never happened."""
    if text.strip() in ("", "n/a", "0"):
        return None
    match = re.fullmatch(r"[A-Z][a-z]{2} ([0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.[0-9]+)? UTC", text.strip())
    try:
        return datetime.datetime.fromisoformat(match.group(1) + "+00:00").timestamp() if match else _unreadable(text)
    except (ValueError, OverflowError):
        return _unreadable(text)


def _unreadable(text: str) -> t.NoReturn:
    raise ProbeError("systemd names the time %r" % text[:40])


def parse_elapses(text: str) -> tuple[str, list[float]]:
    """(normalised form, times) of `systemd-analyze calendar --iterations=N` in UTC."""
    form = re.search(r"^Normalized form: (\S.*)$", text, re.MULTILINE)
    if not form:
        raise ProbeError("systemd-analyze names no calendar")
    moments = re.findall(r"^ *(?:Next elapse|Iter\. #[0-9]+|Iteration #[0-9]+): (.*)$", text, re.MULTILINE)
    times = [parse_time(moment) for moment in moments if moment.strip() != "never"]
    return form.group(1).strip(), [moment for moment in times if moment is not None]


def longest_gap(form: str, times: t.Sequence[float]) -> float:
    """The longest time between two of `times`; raises ProbeError where they do not show the whole pattern of calendar `form`.

    A pattern of seconds or minutes repeats with the hour, one of hours with the day, of weekdays with the week; one of dates has
    repeated after four years.
    """
    gaps = [after - before for before, after in zip(times, times[1:])]
    if len(times) < 3 or min(gaps) <= 0:
        raise ProbeError("calendar %s does not repeat" % form)
    match = re.fullmatch(r"(?:([A-Z][A-Za-z.,]*) )?([0-9*.,/~]+-[0-9*.,/]+[-~][0-9*.,/]+) ([0-9*.,/]+):[0-9*.,/]+:[0-9*.,/]+(?: \S+)?", form)
    if not match:
        raise ProbeError("calendar %s is of a form that is not known" % form)
    weekdays, date, hour = match.groups()
    period = 3600 if hour == "*" else 86400
    period = 7 * 86400 + period if weekdays else period
    period = 4 * 366 * 86400 if date != "*-*-*" else period
    if times[-1] - times[0] < period:
        raise ProbeError("calendar %s comes too often to tell its longest pause" % form)
    return max(gaps)


def parse_journal(text: str, service: str) -> t.Optional[float]:
    """When the one entry of `journalctl -o json` was written, seconds since the epoch; None without an entry."""
    lines = [line for line in text.splitlines() if line.strip()]
    if not lines:
        return None
    try:
        entry = json.loads(lines[-1])
        if entry["UNIT"] == service:
            return int(entry["__REALTIME_TIMESTAMP"]) / 1e6
    except (ValueError, KeyError, TypeError, RecursionError):
        pass
    raise ProbeError("journalctl answered with what is no entry of %s" % service)


def _crontabs() -> t.Iterator[tuple[str, str]]:
    """(path, text) of each crontab that cron reads."""
    paths = [(_CRONTAB, True)]
    paths += [(os.path.join(_CRON_D, name), True) for name in _listed(_CRON_D) if _CRON_D_NAME.fullmatch(name)]
    paths += [(os.path.join(_SPOOL, name), False) for name in _listed(_SPOOL) if not name.startswith("tmp.")]
    for path, of_system in paths:
        try:
            seen = os.stat(path)
            if not stat.S_ISREG(seen.st_mode):
                continue
            if of_system and seen.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
                raise ProbeError("cron does not read %s: others than its owner may write it" % path, "chmod go-w %s" % path)
            with open(path, encoding="utf-8", errors="replace") as file:
                text = file.read(_LARGEST + 1)
        except FileNotFoundError:
            continue
        except OSError as error:
            raise ProbeError("cannot read %s: %s" % (path, error.strerror)) from None
        if len(text) > _LARGEST:
            raise ProbeError("%s is larger than what is read of a crontab" % path)
        yield path, text


def _listed(directory: str) -> list[str]:
    try:
        return sorted(os.listdir(directory))
    except FileNotFoundError:
        return []
    except OSError as error:
        raise ProbeError("cannot list %s: %s" % (directory, error.strerror)) from None


def parse_crontab(text: str, path: str) -> list[str]:
    """The jobs of a crontab (crontab(5)), a line each; raises ProbeError on a line that cron would not read."""
    jobs = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        if _JOB.match(line):
            jobs.append(line.strip())
        elif not _SETTING.match(line):
            # Not the line itself: a job may have a password in it.
            raise ProbeError("line %d of %s is neither a job nor a setting" % (number, path))
    return jobs
