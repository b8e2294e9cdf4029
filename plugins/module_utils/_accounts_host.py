# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read who is on this host, and with which rights. Changes nothing."""

from __future__ import annotations

import os
import re
import stat
import time
import typing as t

from . import _authorized_keys as keys
from ._accounts import Accounts, AccountsError, Grant, parse_accounts, parse_sources, parse_sudoers, speaks_of
from ._accounts_plan import SUDOERS, State
from ._people import ROOT, Person

__all__ = ["Ask", "grants", "read_accounts", "read_state", "require_own_accounts"]

_ETC = "/etc"
_HOMES = "/home"
_LARGEST = 16 * 1024 * 1024

Ask = t.Callable[[t.Sequence[str]], str]
"""Runs a command and returns its output; raises what its caller expects."""


def read_accounts() -> Accounts:
    """The accounts and groups of this host's own files."""
    return parse_accounts(*(_text(name) for name in ("passwd", "shadow", "group")))


def require_own_accounts() -> None:
    """Raise AccountsError where accounts come from elsewhere too: those cannot be listed, and may log in all the same."""
    others = parse_sources(_text("nsswitch.conf"))
    if others:
        raise AccountsError("accounts come from %s too (/etc/nsswitch.conf), and cannot be listed there" % ", ".join(others))


def grants(ask: Ask) -> list[Grant]:
    """What sudo lets whom do, out of all of its files."""
    return parse_sudoers(ask(["cvtsudoers", "-e", "-f", "json", _path("sudoers")]))


def read_state(people: t.Sequence[Person], ask: Ask) -> State:
    """What is on this host, as far as it concerns `people`."""
    accounts = read_accounts()
    lines = {}
    for person in people:
        account = accounts.accounts.get(person.name)
        if account and person.present:
            # Where role ssh has sshd look; another place is for the check to find.
            try:
                lines[person.name] = keys.lines_of(keys.read(os.path.join(account.home, ".ssh/authorized_keys")) or "")
            except keys.KeyFileError as error:
                raise AccountsError(str(error)) from None
    return State(
        accounts=accounts,
        keys=lines,
        sudoers=_own_sudoers(),
        foreign=_foreign(ask),
        homes={person.name: _homes(person.name, accounts) for person in people if person.present and person.name != ROOT},
        included=re.search(r"^[@#]includedir\s+/etc/sudoers\.d/?\s*$", _text("sudoers"), re.MULTILINE) is not None,
        shells={person.shell for person in people if os.access(person.shell, os.X_OK)},
        uid_min=int((re.findall(r"^UID_MIN\s+(\d+)", _text("login.defs", missing=""), re.MULTILINE) or ["1000"])[0]),
        now=time.time(),
    )


def _homes(name: str, accounts: Accounts) -> dict[str, int]:
    """A home below /home and its .ssh, as far as they are directories, and whose they are; elsewhere, role accounts has taken none from anybody.

    A link is no directory here: its owner may have it lead anywhere.
    """
    account = accounts.accounts.get(name)
    home = account.home if account else os.path.join(_HOMES, name)
    found: dict[str, int] = {}
    for path in (home, os.path.join(home, ".ssh")) if os.path.dirname(home) == _HOMES else ():
        try:
            status = os.lstat(path)
        except (FileNotFoundError, NotADirectoryError):
            break
        except OSError as error:
            raise AccountsError("cannot look at %s: %s" % (path, error.strerror)) from None
        if not stat.S_ISDIR(status.st_mode):
            break
        # sshd takes a directory of root's too (StrictModes), where the account can look into it; one for sftp alone has to be root's (ChrootDirectory).
        if not (account and status.st_uid == 0 and status.st_mode & stat.S_IXOTH):
            found[path] = status.st_uid
    return found


def _own_sudoers() -> str:
    """Text of the role's file; "" also where sudo would not read it."""
    path = _path(os.path.relpath(SUDOERS, "/etc"))
    if not os.path.exists(path):
        return ""
    found = os.stat(path)
    return _text(os.path.relpath(SUDOERS, "/etc")) if found.st_uid == os.geteuid() and not found.st_mode & 0o022 else "of another owner or mode"


def _foreign(ask: Ask) -> dict[str, t.Optional[set[str]]]:
    """The other files that sudo reads there (sudoers(5), @includedir), and of whom each one speaks."""
    directory = os.path.dirname(SUDOERS)
    found: dict[str, t.Optional[set[str]]] = {}
    for name in sorted(os.listdir(_path("sudoers.d")) if os.path.isdir(_path("sudoers.d")) else []):
        path = os.path.join(directory, name)
        if path == SUDOERS or "." in name or name.endswith("~"):
            continue
        text = _text(os.path.join("sudoers.d", name))
        if any(line.strip() and not re.match(r"\s*#(?!\d|include)", line) for line in text.splitlines()):
            found[path] = speaks_of(ask(["cvtsudoers", "-e", "-f", "json", path]))
    return found


def _path(name: str) -> str:
    return os.path.join(_ETC, name)


def _text(name: str, *, missing: t.Optional[str] = None) -> str:
    try:
        with open(_path(name), encoding="utf-8", errors="replace") as file:
            return file.read(_LARGEST)
    except FileNotFoundError:
        if missing is not None:
            return missing
        raise AccountsError("/etc/%s is not there%s" % (name, "; sudo is not installed" if name == "sudoers" else "")) from None
    except OSError as error:
        raise AccountsError("cannot read /etc/%s: %s" % (name, error.strerror)) from None
