# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The accounts, groups and sudo rights of a host, out of its own files (passwd(5), shadow(5), group(5), sudoers(5)). Pure."""

from __future__ import annotations

import json
import typing as t
from dataclasses import dataclass, field

__all__ = ["Account", "AccountsError", "Accounts", "Grant", "parse_accounts", "parse_sources", "parse_sudoers", "rights", "speaks_of"]

EVERYBODY = "everybody"
_NOBODY = 65534
_DAY = 86400


class AccountsError(Exception):
    """The accounts of a host cannot be read or changed; the message says what was tried and what came back.

    :ivar remedy: the command that mends it, or "".
    """

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.remedy = remedy


@dataclass(frozen=True)
class Account:
    """A line of passwd and of shadow.

    :ivar password: "usable", "empty" or "none" (locked, or never set).
    :ivar expires: when nobody gets in any more, in seconds since the epoch; None for never.
    """

    name: str
    uid: int
    gid: int
    comment: str
    home: str
    shell: str
    password: str
    expires: t.Optional[float]

    @property
    def is_nobody(self) -> bool:
        return self.uid == _NOBODY


@dataclass(frozen=True)
class Accounts:
    """All of them.

    :ivar members: each group and who is in it by the group file, in its order.
    :ivar gids: each group's number.
    """

    accounts: t.Mapping[str, Account]
    members: t.Mapping[str, t.Sequence[str]] = field(default_factory=dict)
    gids: t.Mapping[str, int] = field(default_factory=dict)

    def groups_of(self, name: str) -> list[str]:
        """The supplementary groups of an account, sorted."""
        return sorted(group for group, members in self.members.items() if name in members)

    def in_group(self, group: str) -> list[str]:
        """Who is in a group, by the group file or because it is theirs in passwd, sorted; nobody is in a group that does not exist.

        The kernel knows numbers alone: a group of another name with the same one is this group.
        """
        primary = {one.name for one in self.accounts.values() if group in self.gids and one.gid == self.gids[group]}
        same = {group, *(name for name, gid in self.gids.items() if gid == self.gids.get(group))}
        return sorted({name for one in same for name in self.members.get(one, ()) if name in self.accounts} | primary)

    def with_uid(self, uid: int) -> list[str]:
        return sorted(one.name for one in self.accounts.values() if one.uid == uid)


@dataclass(frozen=True)
class Grant:
    """What one line of sudoers lets somebody do.

    :ivar who: in the words of cvtsudoers(1): (username, userid, usergroup, usergid, netgroup ..., its value).
    :ivar commands: the commands, "ALL" for every one.
    """

    who: tuple[str, str]
    commands: tuple[str, ...]


def parse_accounts(passwd: str, shadow: str, group: str) -> Accounts:
    """The accounts of the three files; raises AccountsError for a line that the system would not read either."""
    secrets = {fields[0]: fields for fields in _lines("shadow", shadow, 8)}
    accounts = {}
    for name, password, uid, gid, comment, home, shell in _lines("passwd", passwd, 7):
        entry = secrets.get(name)
        word = entry[1] if password == "x" and entry else password
        expires = float(_number("shadow", name, entry[7]) * _DAY) if entry and entry[7] else None
        accounts[name] = Account(name, _number("passwd", name, uid), _number("passwd", name, gid), comment, home, shell, _password(word), expires)
    if "root" not in accounts:
        raise AccountsError("/etc/passwd has no root")
    rows = _lines("group", group, 4)
    members = {name: [one for one in names.split(",") if one] for name, _password, _gid, names in rows}
    return Accounts(accounts, members, {name: _number("group", name, gid) for name, _password, gid, _names in rows})


def _lines(file: str, text: str, fields: int) -> list[list[str]]:
    """The fields of each line, as many as there should be: shadow has one more that nobody uses."""
    found = []
    for line in text.splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        parts = line.split(":")
        if len(parts) < fields or line[:1] in "+-":
            raise AccountsError("/etc/%s has a line that is none of an account of this host" % file)
        found.append(parts[:fields])
    if not found:
        raise AccountsError("/etc/%s is empty" % file)
    return found


def _number(file: str, name: str, text: str) -> int:
    if not text.isdigit():
        raise AccountsError("/etc/%s: %s has %r, which is no number" % (file, name, text[:20]))
    return int(text)


def _password(field_: str) -> str:
    if field_ == "":
        return "empty"
    return "none" if field_[0] in "!*" or field_ == "x" else "usable"


def parse_sources(text: str) -> list[str]:
    """Where accounts come from beside the files of the host (nsswitch.conf(5)); raises AccountsError where it does not say."""
    lines = [line.partition("#")[0].split() for line in text.splitlines()]
    for line in lines:
        if line and line[0] == "passwd:":
            return [word for word in line[1:] if not word.startswith("[") and word not in ("files", "systemd", "compat")]
    raise AccountsError("/etc/nsswitch.conf does not say where accounts come from")


def parse_sudoers(text: str) -> list[Grant]:
    """The grants of `cvtsudoers -e -f json`, in their order; raises AccountsError for anything else.

    Whom a line names as an exception, and what it forbids, is no grant. On which hosts it holds is not looked at.
    """
    try:
        specs = json.loads(text).get("User_Specs", [])
        found = []
        for spec in specs:
            allowed = [_entry(one) for one in spec["User_List"] if not one.get("negated")]
            commands = [_entry(one)[1] for part in spec["Cmnd_Specs"] for one in part["Commands"] if not one.get("negated")]
            found += [Grant(who, tuple(commands)) for who in allowed if commands]
    except (AttributeError, KeyError, TypeError, ValueError, IndexError):
        raise AccountsError("cvtsudoers answered what nobody understands") from None
    return found


def speaks_of(text: str) -> t.Optional[set[str]]:
    """The accounts that the answer of `cvtsudoers -e -f json` for one file names; None where that file says anything else too."""
    if not text.strip():
        return set()
    try:
        data = json.loads(text)
        whom = [one for spec in data.get("User_Specs", []) for one in spec["User_List"]]
    except (AttributeError, KeyError, TypeError, ValueError):
        raise AccountsError("cvtsudoers answered what nobody understands") from None
    if set(data) - {"User_Specs"} or any(set(one) != {"username"} or one["username"] == "ALL" for one in whom):
        return None
    return {str(one["username"]) for one in whom}


def _entry(data: t.Mapping[str, t.Any]) -> tuple[str, str]:
    """(kind, value) of one entry of a list of cvtsudoers."""
    kinds = [key for key in data if key != "negated"]
    if len(kinds) > 1 and "command" in kinds:
        kinds = ["command"]
    (kind,) = kinds
    return kind, str(data[kind])


def rights(grants: t.Sequence[Grant], accounts: Accounts) -> dict[str, list[str]]:
    """What each account may run by sudo, the commands in the order of sudoers; whom no file of the host tells keeps sudo's words.

    Accounts with uid 0 are left out: they may do everything without it.
    """
    found: dict[str, list[str]] = {}
    for grant in grants:
        for name in _named(grant.who, accounts):
            account = accounts.accounts.get(name)
            if account is None or account.uid != 0:
                known = found.setdefault(name, [])
                known += [command for command in grant.commands if command not in known]
    return found


def _named(who: tuple[str, str], accounts: Accounts) -> list[str]:
    kind, value = who
    if kind == "username":
        return [EVERYBODY] if value == "ALL" else [value] if value in accounts.accounts else []
    if kind == "userid":
        return accounts.with_uid(int(value)) if value.isdigit() else ["%s %s" % who]
    if kind == "usergroup":
        return accounts.in_group(value)
    if kind == "usergid":
        return sorted({name for group, gid in accounts.gids.items() if str(gid) == value for name in accounts.in_group(group)})
    return ["%s %s" % who]
