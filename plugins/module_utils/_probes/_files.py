# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the probes that read files share: looking at a path, finding by pattern, reading within limits, and ages."""

from __future__ import annotations

import fnmatch
import os
import re
import stat
import time
import typing as t

from .._secrecy import secret_name
from ._base import ProbeError

__all__ = ["age_of", "compiled", "contents", "looked_at", "matching", "matching_path", "opened", "refuse_secret_file", "seconds_of", "shown"]

_MOST_ENTRIES = 200_000
_CLOCK_STEP = 5.0

_DURATION = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,9})?)\s*(ms|s|min|h|d)?")
_SECONDS = {"ms": 0.001, "s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0}

_SECRET_DIRECTORIES = ("secrets", "private", ".gnupg")
_SECRET_FILE = re.compile(
    r"id_(?:rsa|dsa|ecdsa|ed25519)(?:_sk)?|g?shadow-?|environ|\.?pgpass(?:\.conf)?|\.?htpasswd|\.?netrc|\.my\.cnf|.*\.(?:p12|pfx|jks|keystore|keytab|kdbx?|ppk)"
)


def looked_at(path: str) -> os.stat_result:
    """stat(2) of `path`, links followed; raises ProbeError when there is nothing to look at."""
    if not os.path.isabs(path):
        raise ProbeError("%r is not an absolute path" % path)
    try:
        return os.stat(path)
    except FileNotFoundError:
        raise ProbeError("%s %s" % (shown(path), "leads nowhere" if os.path.islink(path) else "does not exist")) from None
    except (OSError, ValueError) as error:
        raise ProbeError("cannot look at %s: %s" % (path, getattr(error, "strerror", "") or error)) from None


def shown(path: str) -> str:
    """`path` as evidence names it: what a link leads to is part of it."""
    real = os.path.realpath(path)
    return path if real == os.path.normpath(path) else "%s (a link to %s)" % (path, real)


def age_of(moment: float, now: float, name: str) -> float:
    """Seconds from `moment` to `now`; raises ProbeError for a moment that is yet to come, which no age can be told of."""
    age = now - moment
    if age < -_CLOCK_STEP:
        raise ProbeError("%s is dated %.0f s in the future" % (name, -age))
    return round(max(0.0, age), 3)


def refuse_secret_file(path: str) -> None:
    """Raise ProbeError for a file whose name, or that of its directory, says that it holds a secret."""
    for one in (os.path.normpath(path), os.path.realpath(path)):
        directories, name = os.path.dirname(one).split("/"), os.path.basename(one)
        if _SECRET_FILE.fullmatch(name) or secret_name(name.replace(".", "_")) or set(_SECRET_DIRECTORIES).intersection(directories):
            raise ProbeError("%s looks as if it held a secret; its content is not read" % shown(path))


def opened(path: str) -> t.BinaryIO:
    """The regular file at `path`, open for reading; a pipe or a device, which could block or never end, raises ProbeError."""
    if not stat.S_ISREG(looked_at(path).st_mode):
        raise ProbeError("%s is not a regular file" % shown(path))
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise ProbeError("cannot read %s: %s" % (path, error.strerror)) from None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise ProbeError("%s is not a regular file" % shown(path))
    return os.fdopen(descriptor, "rb")


def contents(path: str, largest: int) -> bytes:
    """The bytes of the regular file at `path`; raises ProbeError when there are more than `largest`."""
    with opened(path) as file:
        try:
            data = file.read(largest + 1)
        except OSError as error:
            raise ProbeError("cannot read %s: %s" % (path, error.strerror)) from None
    if len(data) > largest:
        raise ProbeError("%s is larger than the %d bytes that are read of it" % (shown(path), largest))
    return data


def matching(directory: str, pattern: str) -> list[str]:
    """What matches shell pattern `pattern` below `directory`, sorted; `**` stands for any number of directories.

    As in a shell, `*` does not match a name that begins with a dot. Links are matched, and no link to a directory is
    followed by `**`. Unlike glob(3), a directory that cannot be read is a ProbeError: what is in it is not known.
    """
    steps = pattern.split("/")
    if not pattern or any(step in ("", ".", "..") for step in steps):
        raise ProbeError("%r is not a pattern below a directory" % pattern)
    if not stat.S_ISDIR(looked_at(directory).st_mode):
        raise ProbeError("%s is not a directory" % shown(directory))
    found: set[str] = set()
    left = [_MOST_ENTRIES]
    _match(directory, steps, found, left)
    return sorted(found)


def _match(directory: str, steps: t.Sequence[str], found: set[str], left: list[int]) -> None:
    step, rest = steps[0], steps[1:]
    anywhere = step == "**"
    if anywhere and rest:
        _match(directory, rest, found, left)
    for entry in _entries(directory, left):
        path = os.path.join(directory, entry.name)
        if entry.name.startswith(".") and not step.startswith("."):
            continue
        if anywhere:
            if not rest:
                found.add(path)
            if entry.is_dir(follow_symlinks=False):
                _match(path, steps, found, left)
        elif fnmatch.fnmatchcase(entry.name, step):
            if not rest:
                found.add(path)
            elif entry.is_dir():
                _match(path, rest, found, left)


def _entries(directory: str, left: list[int]) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(directory) as scanned:
            entries = list(scanned)
    except OSError as error:
        raise ProbeError("cannot list %s: %s" % (directory, error.strerror)) from None
    left[0] -= len(entries)
    if left[0] < 0:
        raise ProbeError("more than %d files lie where the pattern is looked for" % _MOST_ENTRIES)
    return entries


def matching_path(path: str) -> list[str]:
    """The files that absolute path or pattern `path` names; raises ProbeError when there is none."""
    if not re.search(r"[*?\[]", path):
        looked_at(path)
        return [path]
    literal = re.split(r"[^/]*[*?\[]", path, maxsplit=1)[0]
    found = matching(literal.rstrip("/") or "/", path[len(literal) :])
    if not found:
        raise ProbeError("nothing matches %s" % path)
    return found


def seconds_of(text: t.Any, name: str) -> float:
    """Seconds of "10ms", "2s", "15min", "24h", "7d" or a number of seconds; raises ProbeError unless that is more than 0."""
    match = _DURATION.fullmatch(str(text).strip()) if isinstance(text, (str, int, float)) and not isinstance(text, bool) else None
    seconds = float(match.group(1)) * _SECONDS[match.group(2) or "s"] if match else 0.0
    if seconds <= 0:
        raise ProbeError("`%s` is %r; it is a duration such as 90s, 15min, 24h or 7d" % (name, text))
    return seconds


def compiled(pattern: t.Any, name: str = "pattern") -> re.Pattern[str]:
    """`pattern` as a regular expression; raises ProbeError when it is none, or empty and so found everywhere."""
    if not pattern or not isinstance(pattern, str):
        raise ProbeError("`%s` is missing" % name)
    try:
        return re.compile(pattern)
    except (re.error, RecursionError, OverflowError) as error:
        raise ProbeError("`%s` is not a regular expression: %s" % (name, error)) from None


def now() -> float:
    return time.time()
