# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lines of logs that a pattern is found in, counted over the time that has just passed: a file, a systemd unit or a container."""

from __future__ import annotations

import bz2
import datetime
import gzip
import json
import lzma
import os
import re
import time
import typing as t
import zlib

from ._base import PLACE, Observation, Probe, ProbeError, output_of
from ._docker import DockerProbe
from ._files import compiled, looked_at, matching, now, opened, seconds_of, shown

__all__ = ["Count", "LogsProbe", "count_lines", "docker_time", "parse_entries", "time_of"]

_LONGEST_LINE = 1024 * 1024
_LARGEST = 256 * 1024 * 1024
_BISECT_FROM = 1024 * 1024
_FUTURE = 60.0
_ZONE_DOUBT = 900.0

_ISO = re.compile(
    r"([0-9]{4})[-/]([0-9]{2})[-/]([0-9]{2})[T ]([0-9]{2}):([0-9]{2}):([0-9]{2})(?:[.,]([0-9]{1,9}))?"
    r"(?:\s?(Z|UTC|GMT)(?![A-Za-z])|\s?([+-])([0-9]{2}):?([0-9]{2})?(?![0-9])| ([A-Z]{3,5})(?![A-Za-z]))?"
)
_NGINX = re.compile(r"\[([0-9]{2})/([A-Z][a-z]{2})/([0-9]{4}):([0-9]{2}):([0-9]{2}):([0-9]{2}) ([+-])([0-9]{2})([0-9]{2})\]")
_SYSLOG = re.compile(r"(?:<[0-9]{1,3}>)?([A-Z][a-z]{2}) ([ 0-9][0-9]) ([0-9]{2}):([0-9]{2}):([0-9]{2})\s")
_MONTHS = {name: number for number, name in enumerate(("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"), 1)}
_JSON_KEYS = ("time", "timestamp", "@timestamp", "ts", "asctime", "datetime")
# A date further to the right belongs to the message.
_ISO_WITHIN = 40
_LONGEST_HEAD = 400
_LEVELS = ("DEBUG", "INFO", "WARN", "ERROR", "FATAL", "TRACE", "PANIC", "LOG", "HINT", "ALERT", "CRIT", "EMERG")

_SUPPRESSED = "a596d6fe7bfa4994828e72309e95d61e"  # sd-messages.h, SD_MESSAGE_JOURNAL_DROPPED
_UNIT = re.compile(r"[A-Za-z0-9:_.\\@-]{1,255}")
_DOCKER_TIME = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.([0-9]{1,9}))?(Z|[+-][0-9]{2}:[0-9]{2}) ?")

Moment = tuple[float, bool]
"""Seconds since the epoch, and whether the text named its zone."""


class Count(t.NamedTuple):
    """How many lines matched, how many lay in the window, the first time that was read, and the last with whether it named its zone."""

    matched: int
    lines: int
    first: t.Optional[float]
    last: t.Optional[Moment]


class LogsProbe(Probe):
    SEES = PLACE
    ARGUMENTS = {
        "fact": {"type": "str", "required": True, "choices": ["count", "share"]},
        "path": {"type": "str"},
        "unit": {"type": "str"},
        "container": {"type": "str"},
        "pattern": {"type": "str", "required": True},
        "window": {"type": "str", "required": True},
        "whole": {"type": "bool", "default": True},
    }

    def __init__(self, secrets: t.Mapping[str, str]) -> None:
        super().__init__(secrets)
        self._docker = DockerProbe(secrets)

    def fact_count(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        """How many lines of the last `window` regular expression `pattern` is found in, a number.

        A log that does not reach back to the start of the window is an error unless `whole` is false; no line in the window is then
        an error, too.
        """
        matched, lines, evidence = self._looked(arguments)
        # Of a log that reaches back, silence is an answer; of one that need not, it may be that of a log where nothing is written.
        if not lines and arguments.get("whole", True) is False:
            raise ProbeError("%s: nothing was read, so that nothing is known" % evidence, "look over a longer window, or where the lines go")
        return Observation(matched, evidence)

    def fact_share(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        """How many percent of the lines of the last `window` regular expression `pattern` is found in; no line is an error."""
        matched, lines, evidence = self._looked(arguments)
        if not lines:
            raise ProbeError("%s: there is no line to have a share of" % evidence, "look over a longer window, or where the lines go")
        return Observation(round(100 * matched / lines, 4), evidence)

    def _looked(self, arguments: t.Mapping[str, t.Any]) -> tuple[int, int, str]:
        """(lines that match, lines, evidence) of the window."""
        sources = [name for name in ("path", "unit", "container") if arguments.get(name)]
        if len(sources) != 1:
            raise ProbeError("fact %s needs one of `path`, `unit` and `container`" % arguments["fact"])
        pattern = compiled(arguments.get("pattern"))
        end = now()
        start = end - seconds_of(arguments.get("window"), "window")
        whole = arguments.get("whole", True) is not False
        look = {"path": _of_file, "unit": _of_unit, "container": self._of_container}[sources[0]]
        matched, lines, since = look(arguments[sources[0]], pattern, start, end, whole)
        evidence = "%d of %d lines of %s %s since %s" % (matched, lines, sources[0], arguments[sources[0]], _clock(start))
        return matched, lines, evidence + (" (it begins at %s)" % _clock(since) if since is not None else "")

    def _of_container(self, name: str, pattern: re.Pattern[str], start: float, end: float, whole: bool) -> tuple[int, int, t.Optional[float]]:
        client = self._docker.client()
        try:
            container = client.containers.get(name)
            created = docker_time(container.attrs["Created"])[0]
            limited = bool(((container.attrs.get("HostConfig") or {}).get("LogConfig") or {}).get("Config", {}).get("max-size"))
            first = next(iter(_lines(container.logs(stream=True, follow=False, timestamps=True))), None)
            if first is None:
                raise ProbeError("container %s has not said a line, so that nothing shows that it says any" % name, "docker logs %s" % name)
            begun = docker_time(first)[0]
            since = int(start) - 1
            counted = _counted(_lines(container.logs(stream=True, follow=False, timestamps=True, since=since)), pattern, start, end)
        except ProbeError:
            raise
        except Exception as error:
            raise ProbeError("the logs of container %s cannot be read: %s" % (name, type(error).__name__), "docker logs %s" % name) from None
        # What an engine that keeps everything has no line of was not said; one with a limit may have dropped it.
        reaches_back = created >= start or not limited or begun <= start
        return (*counted, None if reaches_back else _begins(name, begun, start, whole))


def _clock(moment: float) -> str:
    return datetime.datetime.fromtimestamp(moment, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def _begins(name: str, first: t.Optional[float], start: float, whole: bool) -> t.Optional[float]:
    """When the log begins, for the evidence; raises ProbeError where it should reach back to `start`."""
    if first is None:
        raise ProbeError("the log of %s has no line before %s, so that nothing says that it was kept" % (name, _clock(start)))
    if whole:
        raise ProbeError("the log of %s begins at %s, %.0f s after the start of the window" % (name, _clock(first), first - start))
    return first


# A container


def _lines(chunks: t.Iterable[bytes]) -> t.Iterator[str]:
    rest = b""
    for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        if len(rest) > _LONGEST_LINE:
            raise ProbeError("a line of the log has more than %d bytes" % _LONGEST_LINE)
        for line in lines:
            yield line.decode(errors="replace")
    if rest:
        yield rest.decode(errors="replace")


def docker_time(line: str) -> tuple[float, str]:
    """(time, the rest) of a line with a time as Docker writes it (RFC 3339 with nanoseconds)."""
    match = _DOCKER_TIME.match(line)
    try:
        if match:
            zone = match.group(3).replace("Z", "+00:00")
            return datetime.datetime.fromisoformat(match.group(1) + zone).timestamp() + float("0." + (match.group(2) or "0")), line[match.end() :]
    except (ValueError, OverflowError):
        pass
    raise ProbeError("Docker names no time for a line of the log")


def _counted(lines: t.Iterable[str], pattern: re.Pattern[str], start: float, end: float) -> tuple[int, int]:
    matched = total = 0
    for line in lines:
        moment, text = docker_time(line)
        if start <= moment <= end + _FUTURE:
            total += 1
            matched += pattern.search(text.rstrip("\r")) is not None
    return matched, total


# A unit


def _of_unit(name: str, pattern: re.Pattern[str], start: float, end: float, whole: bool) -> tuple[int, int, t.Optional[float]]:
    if not _UNIT.fullmatch(name) or name.startswith("-"):
        raise ProbeError("%r is not the name of a systemd unit" % name)
    unit = name if "." in name else name + ".service"
    state = output_of(["systemctl", "show", "--property=LoadState", "--", unit], package="systemd").strip()
    if state != "LoadState=loaded":
        raise ProbeError("%s is not a unit of this host: %s" % (unit, state.partition("=")[2] or "unknown"))
    since = "--since=@%d" % int(start)
    texts = parse_entries(_journal(since, "--unit=" + unit))
    dropped = [text for _moment, text in parse_entries(_journal(since, "MESSAGE_ID=" + _SUPPRESSED)) if unit in text]
    if dropped:
        raise ProbeError("the journal dropped lines of %s within the window (rate limit)" % unit)
    found = [text for moment, text in texts if moment >= start]
    before = parse_entries(_journal("--until=@%d" % int(start), "--lines=1"))
    begun = None if before else _first(_journal(since, "--output-fields=_PID"))
    return sum(pattern.search(text) is not None for text in found), len(found), None if before else _begins("the journal", begun, start, whole)


def _journal(*words: str) -> str:
    return output_of(["journalctl", "-q", "-a", "-o", "json", "--output-fields=MESSAGE", *words], package="systemd", refuse="not seeing messages")


def _first(text: str) -> t.Optional[float]:
    entries = parse_entries(text.partition("\n")[0])
    return entries[0][0] if entries else None


def parse_entries(text: str) -> list[tuple[float, str]]:
    """(time, message) of each entry of `journalctl -o json -a` (systemd's Journal Export Formats, Journal JSON Format)."""
    found = []
    for line in text.splitlines():
        if not line.strip():
            continue
        try:
            entry = json.loads(line)
            moment = int(entry["__REALTIME_TIMESTAMP"]) / 1e6
            message = entry.get("MESSAGE", "")
            # Several fields of one name are a list of values; a value that is no text, a list of its bytes.
            if isinstance(message, list) and message and not isinstance(message[0], int):
                message = "\n".join(bytes(one).decode(errors="replace") if isinstance(one, list) else str(one) for one in message)
            if isinstance(message, list):
                message = bytes(message).decode(errors="replace")
            if not isinstance(message, str):
                raise ValueError
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError):
            raise ProbeError("journalctl answered with what is no entry") from None
        found.append((moment, message))
    return found


# A file


def _of_file(path: str, pattern: re.Pattern[str], start: float, end: float, whole: bool) -> tuple[int, int, t.Optional[float]]:
    """Over the file and what was rotated away from it since `start`."""
    looked_at(path)
    matched = lines = 0
    begun: t.Optional[float] = None
    for one in [*_rotated(path, start), path]:
        with _plain_file(one, start, end) as file:
            count = count_lines(_read_lines(file, one), pattern, start, end, one)
        if count.last is not None and one == path:
            _refuse_foreign_zone(one, count.last)
        if count.first is not None and (begun is None or count.first < begun):
            begun = count.first
        matched, lines = matched + count.matched, lines + count.lines
    reaches_back = begun is not None and begun <= start
    return matched, lines, None if reaches_back else _begins(shown(path), begun, start, whole)


def _refuse_foreign_zone(path: str, last: Moment) -> None:
    """A time without a zone is taken for the host's own; the file says when its last line was really written."""
    moment, zoned = last
    written = looked_at(path).st_mtime
    if not zoned and abs(written - moment) > _ZONE_DOUBT:
        raise ProbeError("the last line of %s is of %s and was written at %s: its times are not of this host's zone" % (path, _clock(moment), _clock(written)))


def _rotated(path: str, start: float) -> list[str]:
    """What logrotate(8) made of earlier lines, the oldest first, as far as it was written since `start`."""
    directory, name = os.path.split(os.path.realpath(path))
    suffix = re.compile(re.escape(name) + r"[.-](?:[0-9]{1,4}|[0-9]{8}(?:-[0-9]{1,10})?)(\.gz|\.xz|\.bz2|\.zst)?")
    found = []
    for other in matching(directory, "*"):
        if suffix.fullmatch(os.path.basename(other)):
            written = looked_at(other).st_mtime
            if written >= start:
                found.append((written, other))
    return [other for _written, other in sorted(found)]


def _plain_file(path: str, start: float, end: float) -> t.BinaryIO:
    """The lines of the file, from some place before `start`; decompressed where its name says so."""
    file = opened(path)
    if path.endswith(".gz"):
        return t.cast(t.BinaryIO, gzip.GzipFile(fileobj=file))
    if path.endswith(".xz"):
        return t.cast(t.BinaryIO, lzma.LZMAFile(file))
    if path.endswith(".bz2"):
        return t.cast(t.BinaryIO, bz2.BZ2File(file))
    if path.endswith(".zst"):
        file.close()
        raise ProbeError("%s is compressed with zstd, which is not read" % path)
    _skip(file, start, end)
    return file


def _skip(file: t.BinaryIO, start: float, end: float) -> None:
    """Move into a large file by bisection, no further than to a line of before `start`: logs are written in the order of time."""
    low, high = 0, os.fstat(file.fileno()).st_size
    while high - low > _BISECT_FROM:
        middle = (low + high) // 2
        file.seek(middle)
        file.readline(_LONGEST_LINE)
        place, moment = file.tell(), None
        while moment is None and file.tell() < high:
            place = file.tell()
            moment = time_of(file.readline(_LONGEST_LINE).decode(errors="replace"), end)
        if moment is not None and moment[0] < start:
            low = place
        else:
            high = middle
    file.seek(low)


def _read_lines(file: t.BinaryIO, path: str) -> t.Iterator[str]:
    room = _LARGEST
    while True:
        try:
            line = file.readline(_LONGEST_LINE + 1)
        except (OSError, EOFError, zlib.error, lzma.LZMAError) as error:
            raise ProbeError("%s cannot be read to its end: %s" % (path, type(error).__name__)) from None
        if not line:
            return
        room -= len(line)
        if len(line) > _LONGEST_LINE or room < 0:
            raise ProbeError("%s has too much for the window: a line of more than %d bytes, or more than %d in all" % (path, _LONGEST_LINE, _LARGEST))
        yield line.decode(errors="replace")


def count_lines(lines: t.Iterable[str], pattern: re.Pattern[str], start: float, end: float, path: str) -> Count:
    """How many of `lines` lie between `start` and `end` and match; `end` is now.

    A line without a time of its own (part of a traceback) was written after the one with a time before it, and before the
    next. Where these two do not settle whether it lies in the window, and it matches, it is a ProbeError; so is a matching line
    of the future, whose time is then not what it seems.
    """
    matched = total = pending = pending_lines = 0
    first: t.Optional[float] = None
    last: t.Optional[Moment] = None

    def settle(following: float) -> None:
        nonlocal matched, total, pending, pending_lines
        inside = last is not None and last[0] >= start
        outside = following < start
        if pending and not inside and not outside:
            raise ProbeError("%s has %d matching lines without a readable time, and they may lie in the window" % (path, pending))
        if inside:
            matched, total = matched + pending, total + pending_lines
        pending = pending_lines = 0

    for line in lines:
        line = line.rstrip("\r\n")
        if not line.strip():
            continue
        hit = pattern.search(line) is not None
        moment = time_of(line, end)
        if moment is None:
            pending, pending_lines = pending + hit, pending_lines + 1
            continue
        settle(moment[0])
        first, last = (moment[0] if first is None else first), moment
        if moment[0] > end + _FUTURE:
            raise ProbeError("%s has lines of the future, of %s: its times are not of this host's zone" % (path, _clock(moment[0])))
        if moment[0] >= start:
            matched, total = matched + hit, total + 1
    settle(end)
    return Count(matched, total, first, last)


def time_of(line: str, end: float) -> t.Optional[Moment]:
    """The time at which a line says that it was written; None where it does not say so in a way that is known.

    Known are ISO 8601 (also with a space, slashes, a comma, UTC), the access and error log of nginx, syslog of before RFC 5424
    (whose year is the latest that is not in the future), and JSON lines with such a time, or seconds, in a field of that name.
    """
    try:
        if line.lstrip().startswith("{"):
            return _json_time(line, end)
        head = line[:_LONGEST_HEAD]
        access = _NGINX.search(head)
        if access:
            day, month, year, hour, minute, second, sign, ahead, minutes = access.groups()
            zone = _zone(sign, ahead, minutes)
            return datetime.datetime(int(year), _MONTHS[month], int(day), int(hour), int(minute), int(second), tzinfo=zone).timestamp(), True
        iso = _ISO.search(head[: _ISO_WITHIN + 40])
        if iso and iso.start() <= _ISO_WITHIN:
            return _iso_time(iso)
        syslog = _SYSLOG.match(head)
        return _syslog_time(syslog, end) if syslog else None
    except (ValueError, OverflowError, KeyError, OSError):
        return None


def _zone(sign: str, hours: str, minutes: str) -> datetime.timezone:
    ahead = datetime.timedelta(hours=int(hours), minutes=int(minutes or 0))
    return datetime.timezone(-ahead if sign == "-" else ahead)


def _iso_time(match: re.Match[str]) -> t.Optional[Moment]:
    *numbers, fraction, utc, sign, hours, minutes, word = match.groups()
    year, month, day, hour, minute, second = map(int, numbers)
    part = float("0." + fraction) if fraction else 0.0
    plain = datetime.datetime(year, month, day, hour, minute, min(second, 59))
    if utc:
        return plain.replace(tzinfo=datetime.timezone.utc).timestamp() + part, True
    if sign:
        return plain.replace(tzinfo=_zone(sign, hours, minutes)).timestamp() + part, True
    if word and word not in (*_LEVELS, *time.tzname) and not word.startswith(_LEVELS):
        # Most likely the short name of a zone, which does not say which.
        return None
    return plain.timestamp() + part, False


def _syslog_time(match: re.Match[str], end: float) -> Moment:
    month, day, hour, minute, second = match.groups()
    year = datetime.datetime.fromtimestamp(end).year
    for candidate in (year + 1, year, year - 1):
        try:
            moment = datetime.datetime(candidate, _MONTHS[month], int(day), int(hour), int(minute), min(int(second), 59)).timestamp()
        except ValueError:
            continue
        if moment <= end + 86400:
            return moment, False
    raise ValueError


def _json_time(line: str, end: float) -> t.Optional[Moment]:
    try:
        document = json.loads(line)
    except RecursionError:
        return None
    stated = next((document[key] for key in _JSON_KEYS if key in document), None) if isinstance(document, dict) else None
    if isinstance(stated, str):
        match = _ISO.match(stated)
        return _iso_time(match) if match else None
    if isinstance(stated, (int, float)) and not isinstance(stated, bool) and stated > 0:
        return (stated / 1000 if stated > 1e11 else float(stated)), True
    return None
