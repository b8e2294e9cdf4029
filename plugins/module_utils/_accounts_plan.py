# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""In what the accounts of a host differ from its people, and whom a change would shut out. Pure; reading is in _accounts_host."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

from ._accounts import Account, Accounts, AccountsError
from ._authorized_keys import Key, KeyLineError, parse_key
from ._people import ADMIN, BY_THEMSELVES, DOCKER, EVERYTHING, ROOT, Person
from ._ssh_login import Accepted

__all__ = ["DRIFT", "MARKER", "SUDOERS", "Plan", "State", "is_controls", "keys_in", "plan", "refuse_lockout", "sudoers_text"]

MARKER = "gonogo-people"
"""The group of the accounts that this collection has made: it may take them away again."""

SUDOERS = "/etc/sudoers.d/zz-gonogo"
"""The last file of its directory: of several lines of sudoers, the last one holds."""

DRIFT = "gonogo-drift"
"""The comment of the key by which the control host looks for drift; role drift writes that one."""

_HEAD = "# Written by gonogo.preflight, role accounts: what is changed here is changed back.\n"
_NO_SHELLS = ("/usr/sbin/nologin", "/sbin/nologin", "/bin/false", "/usr/bin/false")


@dataclass(frozen=True)
class State:
    """What is on the host.

    :ivar keys: the lines of authorized_keys of the people who have an account.
    :ivar sudoers: text of the role's own file, "" where it is absent.
    :ivar foreign: the other files of its directory, and the names that each one speaks of; None where it says anything else too.
    :ivar included: whether sudo reads that directory.
    :ivar homes: of the people, each directory below /home that is a home, or its .ssh, and the uid it belongs to; also of who has no account yet.
    :ivar shells: those of the people's shells that are there.
    :ivar uid_min: the first number of a person (login.defs(5), UID_MIN).
    :ivar now: seconds since the epoch.
    """

    accounts: Accounts
    keys: t.Mapping[str, t.Sequence[str]]
    sudoers: str
    foreign: t.Mapping[str, t.Optional[t.Collection[str]]]
    included: bool
    homes: t.Mapping[str, t.Mapping[str, int]]
    shells: t.Collection[str]
    uid_min: int
    now: float


@dataclass(frozen=True)
class Plan:
    """What mends the difference, in the order in which it is done; nothing of it where there is none.

    :ivar groups: groups to make.
    :ivar sudoers: new text of the role's file, None where it stays.
    :ivar users: name, comment, shell, groups and whether it is new, for each account to make or change.
    :ivar homes: path, user, gid and whether the account is new, for each directory to give back to its owner.
    :ivar authorized: user, all of its keys as one text, and whether the account is new.
    :ivar surplus: files of sudoers.d that speak of people alone, of whom the role's own file says all.
    :ivar gone: name, uid and home of each account to take away.
    :ivar reasons: one line for each difference found.
    """

    groups: t.Sequence[str]
    sudoers: t.Optional[str]
    users: t.Sequence[t.Mapping[str, t.Any]]
    homes: t.Sequence[t.Mapping[str, t.Any]]
    authorized: t.Sequence[t.Mapping[str, t.Any]]
    surplus: t.Sequence[str]
    gone: t.Sequence[t.Mapping[str, t.Any]]
    reasons: t.Sequence[str]


def plan(state: State, people: t.Sequence[Person], control: str = "") -> Plan:
    """The way to exactly `people`; accounts that neither they nor the role itself know are left alone.

    :arg control: address of the control host, whose key stays.
    :raises AccountsError: where there is no way.
    """
    present = [one for one in people if one.present]
    _check(state, present)
    reasons: list[str] = []
    users = [user for person in present if person.name != ROOT for user in _user(state, person, reasons)]
    groups = sorted({group for user in users for group in user["groups"]} - set(state.accounts.members))
    reasons += ["group %s is missing" % group for group in groups]
    text = sudoers_text(present)
    if text != state.sudoers:
        reasons.append("%s differs" % SUDOERS)
    homes = [entry for person in present if person.name != ROOT for entry in _homes(state, person, reasons)]
    keys = [entry for person in present for entry in _keys(state, person, control, reasons)]
    names = {person.name for person in people}
    surplus = [path for path, spoken in state.foreign.items() if spoken and set(spoken) <= names]
    reasons += ["%s speaks of declared people" % path for path in surplus]
    gone = [_going(state, name) for name in _surplus_people(state, people)]
    reasons += ["account %s is to go" % one["name"] for one in gone]
    return Plan(groups, text if text != state.sudoers else None, users, homes, keys, surplus, gone, reasons)


def _check(state: State, present: t.Sequence[Person]) -> None:
    if present and not state.included:
        raise AccountsError("/etc/sudoers does not include /etc/sudoers.d; put `@includedir /etc/sudoers.d` at its end")
    for person in present:
        account = state.accounts.accounts.get(person.name)
        if account and account.uid == 0 and person.name != ROOT:
            raise AccountsError("%s has uid 0 on this host, as root has; take that account away" % person.name)
        own = [group for group in BY_THEMSELVES if account and state.accounts.gids.get(group) == account.gid]
        # The groups of the group file are the role's to change; the own one is the group of every file that the account makes.
        if own and person.name != ROOT and own[0] not in person.groups and (own[0] == DOCKER or not person.is_root):
            raise AccountsError(
                "%s has %s as its own group, whose members are as good as root; give it another one: usermod --gid GROUP %s"
                % (person.name, own[0], person.name)
            )
        if person.name != ROOT and person.shell not in state.shells:
            raise AccountsError("%s has shell %s, which this host does not have" % (person.name, person.shell))
        strange = [group for group in person.groups if group not in state.accounts.members and group != DOCKER]
        if strange:
            raise AccountsError("%s has the group %s, which this host does not have; groups come with the packages that use them" % (person.name, strange[0]))


def _user(state: State, person: Person, reasons: list[str]) -> list[dict[str, t.Any]]:
    account = state.accounts.accounts.get(person.name)
    made = account is None or person.name in state.accounts.members.get(MARKER, ())
    groups = sorted({*person.groups, *([MARKER] if made else [])})
    found = _unlike(state, person, account, groups)
    reasons += found
    wanted = {"name": person.name, "comment": person.comment, "shell": person.shell, "groups": groups, "new": account is None}
    return [wanted] if found else []


def _unlike(state: State, person: Person, account: t.Optional[Account], groups: t.Sequence[str]) -> list[str]:
    if account is None:
        return ["account %s is missing" % person.name]
    found = []
    if account.shell != person.shell:
        found.append("account %s: shell %s instead of %s" % (person.name, account.shell, person.shell))
    if person.comment and account.comment != person.comment:
        found.append("account %s: comment differs" % person.name)
    has = state.accounts.groups_of(person.name)
    if has != list(groups):
        found.append("account %s: groups %s instead of %s" % (person.name, ", ".join(has) or "none", ", ".join(groups) or "none"))
    if account.expires is not None and account.expires <= state.now:
        found.append("account %s: has expired" % person.name)
    return found


def _homes(state: State, person: Person, reasons: list[str]) -> list[dict[str, t.Any]]:
    """The directories that sshd reads the keys of an account in, as that account, and that are another's: a home that was kept for root alone."""
    account = state.accounts.accounts.get(person.name)
    found = []
    for path, owner in state.homes.get(person.name, {}).items():
        if account and owner == account.uid:
            continue
        others = [name for name in state.accounts.with_uid(owner) if owner != 0]
        if others and not path.endswith("/.ssh"):
            raise AccountsError(
                "%s has the home %s, which belongs to %s; nobody is let in there by a key. Give it to its owner (chown)" % (person.name, path, others[0])
            )
        reasons.append("%s does not belong to %s" % (path, person.name))
        found.append({"path": path, "user": person.name, "gid": account.gid if account else None, "new": account is None})
    return found


def _keys(state: State, person: Person, control: str, reasons: list[str]) -> list[dict[str, t.Any]]:
    """The keys of an account are exactly those of its person, and that of the control host."""
    lines = list(state.keys.get(person.name, ()))
    wanted = [*person.keys, *(key for key in keys_in(lines) if is_controls(key, control))]
    if len(lines) == len(wanted) and {key.line for key in keys_in(lines)} == {key.line for key in wanted}:
        return []
    reasons.append("authorized keys of %s differ" % person.name)
    return [{"user": person.name, "key": "".join(key.line + "\n" for key in wanted), "new": person.name not in state.accounts.accounts}]


def keys_in(lines: t.Sequence[str]) -> list[Key]:
    """Those of the lines that are keys."""
    found = []
    for line in lines:
        try:
            found.append(parse_key(line))
        except KeyLineError:
            continue
    return found


def is_controls(key: Key, control: str) -> bool:
    """Whether this key looks like the one that role drift writes, for a control host at that address, which alone knows its key."""
    return bool(control) and key.comment == DRIFT and key.options == 'from="%s",restrict' % control


def sudoers_text(people: t.Sequence[Person]) -> str:
    """The role's file, "" where nobody of the people may do anything by sudo."""
    lines = []
    for person in people:
        if person.commands and person.name != ROOT:
            tag = "PASSWD" if person.sudo_asks else "NOPASSWD"
            runas = "ALL:ALL" if person.commands == (EVERYTHING,) else ROOT
            lines.append("%s ALL=(%s) %s: %s\n" % (person.name, runas, tag, ", ".join(map(_command, person.commands))))
    return _HEAD + "".join(lines) if lines else ""


def _command(command: str) -> str:
    """As sudoers has it: with exactly these arguments, "" for none."""
    if command == EVERYTHING:
        return command
    escaped = re.sub(r"([,:=\\])", r"\\\1", command)
    return escaped if " " in command else escaped + ' ""'


def _surplus_people(state: State, people: t.Sequence[Person]) -> list[str]:
    known = state.accounts.accounts
    declared = {person.name for person in people if person.present}
    absent = [person.name for person in people if not person.present and person.name in known]
    return list(dict.fromkeys([*absent, *(name for name in state.accounts.members.get(MARKER, ()) if name in known and name not in declared)]))


def _going(state: State, name: str) -> dict[str, t.Any]:
    account = state.accounts.accounts[name]
    if account.uid < state.uid_min or account.is_nobody:
        why = "is in group %s" % MARKER if name in state.accounts.members.get(MARKER, ()) else "is declared absent"
        raise AccountsError("%s %s, and has uid %d, which is no person's; nothing takes an account of the system away" % (name, why, account.uid))
    return {"name": name, "uid": account.uid, "home": account.home}


def refuse_lockout(state: State, people: t.Sequence[Person], todo: Plan, login: str, by: t.Optional[Accepted]) -> None:
    """Raise AccountsError where `todo` takes from `login`, as whom this run logged in, what the next one needs.

    :arg by: what it was let in for, None where nobody knows.
    """
    person = next((one for one in people if one.name == login), None)
    if any(one["name"] == login for one in todo.gone):
        raise _locked_out("takes the account %s away, as which it logs in; declare that account, or log in as somebody else" % login)
    if login == ROOT:
        _refuse_keyless(todo, state, login, by)
        return
    if person is None:
        if re.search(r"^%s " % re.escape(login), state.sudoers, re.MULTILINE):
            raise _locked_out("takes sudo from %s, as which it logs in, and who is not declared any more; declare that account with role admin" % login)
        return
    if person.role != ADMIN:
        raise _locked_out("takes sudo from %s, as which it logs in: role %s may not do everything; it needs role admin" % (login, person.role))
    if person.shell in _NO_SHELLS:
        raise _locked_out("gives %s, as which it logs in, the shell %s" % (login, person.shell))
    account = state.accounts.accounts.get(login)
    if person.sudo_asks and account and account.password != "usable":
        raise _locked_out("has sudo ask for the password of %s, as which it logs in, and who has none; set one, or leave sudo_asks out" % login)
    _refuse_keyless(todo, state, login, by)


def _refuse_keyless(todo: Plan, state: State, login: str, by: t.Optional[Accepted]) -> None:
    """The key that let this run in stays; where nobody knows which one that was, all of them do."""
    change = next((one for one in todo.authorized if one["user"] == login), None)
    if change is None or (by is not None and not by.by_key):
        return
    stay = {key.data for key in keys_in(change["key"].splitlines())}
    leaving = [key for key in keys_in(state.keys.get(login, ())) if key.data not in stay]
    used = [key for key in leaving if by is None or key.fingerprint == by.fingerprint]
    if used:
        which = "by which it logged in" if by else "and nobody knows whether it logged in by that one"
        raise _locked_out("takes the key %s from %s, %s; add that key to accounts_users" % (used[0].fingerprint, login, which))


def _locked_out(what: str) -> AccountsError:
    return AccountsError("nothing was changed: accounts_users locks this run out. It %s" % what)
