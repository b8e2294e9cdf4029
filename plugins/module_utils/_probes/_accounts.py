# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Accounts of a host: whose keys get in, who may become root, and who is not declared."""

from __future__ import annotations

import os
import stat
import typing as t

from .. import _authorized_keys as keys
from .._accounts import Account, Accounts, AccountsError, rights
from .._accounts_host import grants, read_accounts, require_own_accounts
from .._accounts_plan import is_controls, keys_in
from .._people import ADMIN, BY_THEMSELVES, DOCKER, EVERYTHING, Person, person_from
from .._sshd import SshdError
from .._sshd_files import Server
from ._base import Observation, Probe, ProbeError, Secrets, output_of

__all__ = ["AccountsProbe", "undeclared_rights"]

_NO_SHELLS = ("nologin", "false")
_SOCKET = "/run/docker.sock"
# Of acl(5): who may do what beside owner, group and others.
_ACL = "system.posix_acl_access"


class AccountsProbe(Probe):
    ARGUMENTS = {
        "fact": {
            "type": "str",
            "required": True,
            "choices": ["empty_passwords", "keys", "missing", "password_logins", "privileged", "strangers", "sudo", "surplus", "uid0"],
        },
        "declared": {"type": "dict", "default": {}},
        "group": {"type": "str", "default": DOCKER},
    }

    def __init__(self, secrets: Secrets) -> None:
        super().__init__(secrets)
        self._server = Server(lambda command: output_of(command, package="openssh-server"))

    def observe(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        try:
            require_own_accounts()
            return super().observe(arguments)
        except (AccountsError, SshdError) as error:
            raise ProbeError(str(error), error.remedy) from None
        except keys.KeyFileError as error:
            raise ProbeError(str(error)) from None

    def fact_uid0(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        """The accounts that are root by their number, a sorted list."""
        return Observation(read_accounts().with_uid(0), "/etc/passwd")

    def fact_empty_passwords(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        """The accounts whose password is empty, a sorted list."""
        return Observation(sorted(one.name for one in read_accounts().accounts.values() if one.password == "empty"), "/etc/passwd and /etc/shadow")

    def fact_password_logins(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        """The accounts with a shell that sshd lets in by password, a sorted list."""
        self._server.require_read()
        able = [one for one in read_accounts().accounts.values() if one.password != "none" and one.shell.rpartition("/")[2] not in _NO_SHELLS]
        found = [one.name for one in able if self._takes_password(one)]
        return Observation(sorted(found), "/etc/shadow and sshd -T: %d accounts have a password and a shell" % len(able))

    def fact_keys(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        """Keys that let somebody in and that nobody declared, as "ACCOUNT: KIND FINGERPRINT", a sorted list."""
        return Observation(*self._keys(_declared(arguments)))

    def fact_sudo(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        """What sudo lets somebody do beyond what is declared, as "ACCOUNT: COMMAND", a sorted list."""
        accounts = read_accounts()
        allowed = rights(self._grants(), accounts)
        people, _control = _declared(arguments)
        return Observation(undeclared_rights(allowed, people), "cvtsudoers /etc/sudoers: %d accounts have rights" % len(allowed))

    def fact_strangers(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        """Members of `group` who are not declared to be in it, a sorted list."""
        people, _control = _declared(arguments)
        return Observation(*_strangers(read_accounts(), arguments.get("group") or DOCKER, people))

    def fact_missing(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        """Who is declared to be in `group` and is not, a sorted list; raises ProbeError where nobody is declared to be."""
        group = arguments.get("group") or DOCKER
        wanted = [one.name for one in _declared(arguments)[0] if one.present and group in one.groups]
        if not wanted:
            mend = "declare somebody with role deploy in accounts_users" if group == DOCKER else "declare somebody with this group in accounts_users"
            raise ProbeError("nobody is declared to be in group %s" % group, mend)
        members = read_accounts().in_group(group)
        return Observation(sorted(set(wanted) - set(members)), "group %s: %s" % (group, ", ".join(members) or "nobody"))

    def fact_privileged(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        """Who is as good as root by a group or by Docker's socket, and is not declared to be, as "ACCOUNT in group GROUP", a list.

        Groups of sudo are not among them: what those give, sudo's rules say. Nor are people of whom sudo asks nothing and whom it lets
        do everything, but in group docker, which is declared by itself.
        """
        people, _control = _declared(arguments)
        return Observation(*_privileged(read_accounts(), people))

    def fact_surplus(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        """All of it: undeclared keys and rights by sudo, who is root by a group or Docker's socket, and accounts with uid 0 beside root, a list."""
        people, control = _declared(arguments)
        accounts = read_accounts()
        found = ["key of %s" % one for one in self._keys((people, control))[0]]
        found += ["sudo of %s" % one for one in undeclared_rights(rights(self._grants(), accounts), people)]
        found += _privileged(accounts, people)[0]
        found += ["%s has uid 0" % name for name in accounts.with_uid(0) if name != "root"]
        return Observation(found, "authorized keys, sudoers, groups, accounts and %s of the host" % _SOCKET)

    def _grants(self) -> t.Any:
        return grants(lambda command: output_of(command, package="sudo"))

    def _takes_password(self, account: Account) -> bool:
        for how in self._server.connections(account.name).values():
            effective = self._server.effective(how)
            root = account.uid == 0 and effective.get("permitrootlogin", ["yes"])[0] != "yes"
            taken = any(effective.get(one, ["yes"]) != ["no"] for one in ("passwordauthentication", "kbdinteractiveauthentication"))
            if taken and not root and (account.password != "empty" or effective.get("permitemptypasswords") == ["yes"]):
                return True
        return False

    def _keys(self, declared: tuple[list[Person], str]) -> tuple[list[str], str]:
        """(undeclared keys, evidence): of every file that sshd looks into, for whomever it does."""
        self._server.require_read()
        said = [self._server.effective(how) for how in self._server.connections().values()]
        patterns = [value for effective in said for value in effective.get("authorizedkeysfile", [])]
        found = ["everybody: %s %s" % (name, one.get(name, ["none"])[0]) for one in said for name in _ELSEWHERE if one.get(name, ["none"]) != ["none"]]
        accounts, seen = read_accounts(), 0
        control: list[str] = []
        for account in accounts.accounts.values():
            for path in keys.paths(patterns, name=account.name, user=account.uid, home=account.home):
                lines = keys.lines_of(keys.read(path) or "")
                seen += len(lines)
                found += ["%s: %s" % (account.name, one) for one in _undeclared(lines, account.name, *declared)]
                control += ["%s of %s" % (key.fingerprint, account.name) for key in keys_in(lines) if is_controls(key, declared[1])]
        evidence = "%d keys of %d accounts in %s" % (seen, len(accounts.accounts), " ".join(dict.fromkeys(patterns)))
        # Which key the control host has, it alone knows; a person may compare.
        return sorted(set(found)), evidence + ("; taken for the control host's: %s" % ", ".join(dict.fromkeys(control)) if control else "")


# Where sshd finds keys beside files: a program, and authorities that sign them.
_ELSEWHERE = ("authorizedkeyscommand", "trustedusercakeys")


def _declared(arguments: t.Mapping[str, t.Any]) -> tuple[list[Person], str]:
    """(the people, the address of the control host)."""
    declared = arguments.get("declared") or {}
    try:
        return [person_from(one) for one in declared["people"]], str(declared["control"])
    except (KeyError, TypeError, ValueError):
        raise ProbeError("`declared` is not what the filter declared_access returns") from None


def _undeclared(lines: t.Sequence[str], account: str, people: t.Sequence[Person], control: str) -> list[str]:
    """Those of the lines of an account that its person did not declare; a line that is no key is not shown."""
    person = next((one for one in people if one.name == account and one.present), None)
    known = {key.line for key in person.keys} if person else set()
    parsed = keys_in(lines)
    strange = [key for key in parsed if key.line not in known and not (person and person.role == ADMIN and is_controls(key, control))]
    return ["%s %s" % (key.kind, key.fingerprint) for key in strange] + ["a line that is no key"] * (len(lines) - len(parsed))


def undeclared_rights(allowed: t.Mapping[str, t.Sequence[str]], people: t.Sequence[Person]) -> list[str]:
    """What each account may do by sudo and nobody declared, as "ACCOUNT: COMMAND", sorted."""
    declared = {one.name: one.commands for one in people if one.present}
    found = []
    for name, commands in allowed.items():
        known = declared.get(name, ())
        if EVERYTHING not in known:
            found += ["%s: %s" % (name, _plain(command)) for command in commands if _plain(command) not in known]
    return sorted(found)


def _plain(command: str) -> str:
    """A command of sudoers with exactly no arguments is one that was declared without any; without "", it has any arguments."""
    return command[: -len(' ""')] if command.endswith(' ""') else command if " " in command or command == EVERYTHING else command + " *"


def _strangers(accounts: Accounts, group: str, people: t.Sequence[Person]) -> tuple[list[str], str]:
    members = accounts.in_group(group)
    declared = {one.name for one in people if one.present and group in one.groups}
    return sorted(set(members) - declared), "group %s: %s" % (group, ", ".join(members) or "nobody")


def _privileged(accounts: Accounts, people: t.Sequence[Person]) -> tuple[list[str], str]:
    """(who is as good as root without being declared to be, evidence)."""
    found, seen = [], []
    roots = set(accounts.with_uid(0))
    everything = {one.name for one in people if one.is_root}
    for group in BY_THEMSELVES:
        strangers = set(_strangers(accounts, group, people)[0]) - roots - (everything if group != DOCKER else set())
        found += ["%s in group %s" % (name, group) for name in sorted(strangers)]
        seen += [group] if group in accounts.members else []
    by_socket, evidence = _by_socket(accounts, people)
    return found + by_socket, "groups %s; %s" % (", ".join(seen) or "none of them", evidence)


def _socket() -> t.Optional[tuple[os.stat_result, bool]]:
    """(status, whether it has an access list) of Docker's socket, None where there is none."""
    try:
        return os.stat(_SOCKET), _ACL in os.listxattr(_SOCKET)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ProbeError("cannot look at %s: %s" % (_SOCKET, error.strerror)) from None


def _by_socket(accounts: Accounts, people: t.Sequence[Person]) -> tuple[list[str], str]:
    """(who may use Docker by the owner, group and mode of its socket, in which who may write may connect (unix(7)); evidence)."""
    looked = _socket()
    if looked is None:
        return [], "there is no %s" % _SOCKET
    status, listed = looked
    groups = [name for name, gid in accounts.gids.items() if gid == status.st_gid] or [str(status.st_gid)]
    owners = [name for name in accounts.with_uid(status.st_uid) or [str(status.st_uid)] if status.st_uid != 0]
    found = ["%s owns %s" % (name, _SOCKET) for name in owners]
    if status.st_mode & stat.S_IWGRP and DOCKER not in groups and status.st_gid != 0:
        found += ["%s in group %s, which %s belongs to" % (name, groups[0], _SOCKET) for name in _strangers(accounts, groups[0], people)[0]]
    found += ["everybody by the mode of %s" % _SOCKET] if status.st_mode & stat.S_IWOTH else []
    found += ["whoever the access list of %s names (getfacl)" % _SOCKET] if listed else []
    return found, "%s has mode %04o and group %s" % (_SOCKET, stat.S_IMODE(status.st_mode), groups[0])
