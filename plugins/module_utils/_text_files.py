# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Small text files of a host, held to what they should be, all of them or none."""

from __future__ import annotations

import contextlib
import grp
import os
import pwd
import stat
import typing as t
from dataclasses import dataclass

__all__ = ["ASIDE", "Change", "FilesError", "Wanted", "apply", "changes"]

ASIDE = ".gonogo-aside"
"""What the name of a file that was put aside ends with."""

_NEW = ".gonogo-new"

Run = t.Callable[[t.Sequence[str]], t.Tuple[int, str, str]]


class FilesError(Exception):
    """A file cannot be read or written, or its validation refuses it; the message names it."""


@dataclass(frozen=True)
class Wanted:
    """A file as it should be.

    :ivar state: "present"; "absent"; "aside": under its name with ASIDE; "restored": under its own name again, where it was put aside.
    :ivar validate: command that refuses a wrong text, in which "%s" stands for a file with the new text.
    """

    path: str
    state: str = "present"
    content: str = ""
    mode: str = "0644"
    owner: str = "root"
    group: str = "root"
    validate: tuple[str, ...] = ()


@dataclass(frozen=True)
class Change:
    """What would be done to one file.

    :ivar before: its text, and after a text that stays the same its mode and owner; "" where it is not there.
    """

    wanted: Wanted
    before: str
    after: str


def changes(files: t.Sequence[Wanted]) -> list[Change]:
    """Those of `files` that are not as they should be, in their order; raises FilesError."""
    return [change for change in map(_change, files) if change]


def _change(wanted: Wanted) -> t.Optional[Change]:
    text, attributes = _seen(wanted.path)
    if wanted.state == "present":
        should = "%s %s:%s\n" % (wanted.mode.rjust(4, "0"), wanted.owner, wanted.group)
        if text != wanted.content:
            return Change(wanted, text or "", wanted.content)
        return Change(wanted, attributes, should) if attributes != should else None
    if wanted.state == "restored":
        kept, _attributes = _seen(wanted.path + ASIDE)
        return Change(wanted, "", kept) if text is None and kept is not None else None
    return Change(wanted, text, "") if text is not None else None


def _seen(path: str) -> tuple[t.Optional[str], str]:
    """(text of the file, None without one, "" for a link, which is never what is wanted; its mode and owner)."""
    try:
        found = os.lstat(path)
        if stat.S_ISLNK(found.st_mode):
            return "", "a link\n"
        if not stat.S_ISREG(found.st_mode):
            raise FilesError("%s is not a regular file" % path)
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read(), "%04o %s:%s\n" % (stat.S_IMODE(found.st_mode), _name(pwd.getpwuid, found.st_uid), _name(grp.getgrgid, found.st_gid))
    except (FileNotFoundError, NotADirectoryError):
        return None, ""
    except OSError as error:
        raise FilesError("cannot read %s: %s" % (path, error.strerror)) from None


def _name(look_up: t.Callable[[int], t.Any], number: int) -> str:
    try:
        return str(look_up(number)[0])
    except KeyError:
        return str(number)


def apply(todo: t.Sequence[Change], run: Run) -> None:
    """Write, remove and move what `changes` found. No file is touched before every new text has been written and validated."""
    fresh = {change.wanted.path: change.wanted.path + _NEW for change in todo if change.wanted.state == "present"}
    try:
        for change in todo:
            if change.wanted.path in fresh:
                _write(change.wanted, fresh[change.wanted.path])
                _validate(change.wanted, fresh[change.wanted.path], run)
        for change in todo:
            _finish(change.wanted, fresh.get(change.wanted.path, ""))
    except OSError as error:
        raise FilesError("cannot write %s: %s" % (error.filename, error.strerror)) from None
    finally:
        for path in fresh.values():
            with contextlib.suppress(OSError):
                os.unlink(path)


def _write(wanted: Wanted, path: str) -> None:
    directory = os.path.dirname(path)
    if not os.path.isdir(directory):
        os.makedirs(directory)
        # Whatever the umask is.
        os.chmod(directory, 0o755)
    try:
        owner, group = pwd.getpwnam(wanted.owner).pw_uid, grp.getgrnam(wanted.group).gr_gid
    except KeyError as error:
        raise FilesError("%s cannot belong to %s:%s: %s" % (wanted.path, wanted.owner, wanted.group, error.args[0])) from None
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(wanted.content)
        file.flush()
        os.fchown(file.fileno(), owner, group)
        os.fchmod(file.fileno(), int(wanted.mode, 8))
        os.fsync(file.fileno())


def _validate(wanted: Wanted, path: str, run: Run) -> None:
    if not wanted.validate:
        return
    status, output, errors = run([part.replace("%s", path) for part in wanted.validate])
    if status != 0:
        raise FilesError("no file was touched: %s is refused by its validation: %s" % (wanted.path, (errors or output).strip()))


def _finish(wanted: Wanted, fresh: str) -> None:
    if wanted.state == "present":
        os.replace(fresh, wanted.path)
    elif wanted.state == "absent":
        os.unlink(wanted.path)
    elif wanted.state == "aside":
        os.replace(wanted.path, wanted.path + ASIDE)
    else:
        os.rename(wanted.path + ASIDE, wanted.path)
