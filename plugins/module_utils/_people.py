# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may work on a host, and with which rights: the list accounts_users, checked and turned into one host's people. Pure."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

from ._authorized_keys import Key, KeyLineError, parse_key

__all__ = ["ADMIN", "BY_THEMSELVES", "DEPLOY", "DOCKER", "EVERYTHING", "OPERATOR", "PRIVILEGED", "ROOT", "PeopleError", "Person", "people_of", "person_from"]

PRESENT, ABSENT = "present", "absent"
ADMIN, OPERATOR, DEPLOY, LOGIN = "admin", "operator", "deploy", "login"
DOCKER = "docker"
EVERYTHING = "ALL"
ROOT = "root"

BY_SUDO = ("admin", "sudo", "wheel")
"""Groups whose members can become root as far as the rules of sudo say."""

BY_THEMSELVES = ("disk", "docker", "incus-admin", "kmem", "libvirt", "lxd", "root", "shadow", "staff")
"""Groups whose members can become root whatever sudo says."""

PRIVILEGED = (*BY_SUDO, *BY_THEMSELVES)
"""Those that no declaration may name; one is a role's, the others nobody's."""

_KEYS = ("name", "state", "role", "keys", "groups", "comment", "shell", "sudo_asks", "hosts")
_STATES = (PRESENT, ABSENT)
_ROLES = (LOGIN, ADMIN, OPERATOR, DEPLOY)

# What useradd takes (NAME_REGEX of Debian), and what cannot be mistaken for an option, a group or a number in sudoers.
_NAME = re.compile(r"[a-z_][a-z0-9_-]{0,31}")
_COMMAND = re.compile(r"/[A-Za-z0-9/_.+@-]+( [A-Za-z0-9/_.+@%,:=-]+)*")

# From these, whoever is root has a shell: they are one, or start one when asked to.
_SHELLS = (
    *("ash", "awk", "bash", "busybox", "csh", "dash", "ed", "emacs", "env", "ex", "find", "fish", "gdb", "ksh", "less", "lua", "man", "more", "most"),
    *("nano", "nice", "node", "nohup", "nsenter", "perl", "php", "pico", "python", "python3", "ruby", "screen", "script", "sed", "setsid", "sh", "ssh"),
    *("su", "sudo", "sudoedit", "tclsh", "time", "timeout", "tmux", "unshare", "vi", "view", "vim", "visudo", "watch", "xargs", "zsh"),
)
_PAGED = ("journalctl", "loginctl", "networkctl", "systemctl", "timedatectl")


class PeopleError(ValueError):
    """accounts_users cannot be used; the message names the entry, what was found and what would be right."""


@dataclass(frozen=True)
class Person:
    """Somebody who may log in to a host, or must not be there. Root is always there, and without keys lets nobody in.

    :ivar commands: what sudo lets this person run as root, each with exactly its arguments; EVERYTHING alone for an admin.
    :ivar sudo_asks: whether sudo asks for this person's password.
    """

    name: str
    present: bool
    role: str
    keys: tuple[Key, ...]
    groups: tuple[str, ...]
    comment: str
    shell: str
    commands: tuple[str, ...]
    sudo_asks: bool

    @property
    def is_root(self) -> bool:
        """Whether this person may do everything by sudo, which asks nothing."""
        return self.present and self.commands == (EVERYTHING,) and not self.sudo_asks

    def data(self) -> dict[str, t.Any]:
        """As plain data, which `person_from` reads."""
        return {**self.__dict__, "keys": [key.line for key in self.keys], "groups": list(self.groups), "commands": list(self.commands)}


def person_from(data: t.Mapping[str, t.Any]) -> Person:
    """The person whose `data()` this is."""
    many = {"keys": tuple(map(parse_key, data["keys"])), "groups": tuple(data["groups"]), "commands": tuple(data["commands"])}
    return Person(**{**data, **many})


def people_of(users: t.Any, *, host: str, groups: t.Mapping[str, t.Sequence[str]], operator_commands: t.Any = ()) -> list[Person]:
    """The people of `host`, in the order of `users`, which is what accounts_users says.

    :arg groups: each group of the inventory and its hosts.
    :arg operator_commands: what accounts_operator_commands says.
    :raises PeopleError: for any entry, also one that does not concern `host`.
    """
    if not isinstance(users, (list, tuple)):
        raise PeopleError("accounts_users is %r; it is a list of people such as {name: ada, role: admin, keys: [ssh-ed25519 AAAA... ada@laptop]}" % (users,))
    commands = _commands(operator_commands)
    found: dict[str, Person] = {}
    for number, entry in enumerate(users, 1):
        person = _person(number, entry, groups, commands)
        if host not in groups[entry.get("hosts", "all")]:
            continue
        if person.name in found:
            raise _wrong(person.name, "is there twice for %s; one entry says all of one person" % host)
        found[person.name] = person
    present = [one for one in found.values() if one.present]
    if present and not any(one.role == ADMIN and one.keys for one in present):
        raise PeopleError("accounts_users has nobody with role admin on %s, so that nobody could mend that host; declare one, with a key" % host)
    return list(found.values())


def _person(number: int, entry: t.Any, groups: t.Mapping[str, t.Sequence[str]], commands: tuple[str, ...]) -> Person:
    if not isinstance(entry, t.Mapping):
        raise PeopleError("accounts_users: entry %d is %r; it is a person such as {name: ada, role: admin, keys: [...]}" % (number, entry))
    name = entry.get("name")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise PeopleError("accounts_users: entry %d has name %r; it is up to 32 small letters, digits, _ and -, and begins with a letter" % (number, name))
    for key in entry:
        if key not in _KEYS:
            raise _wrong(name, "has the unknown key %r; the keys are %s" % (str(key), ", ".join(_KEYS)))
    hosts = entry.get("hosts", "all")
    if not isinstance(hosts, str) or hosts not in groups:
        raise _wrong(name, "has hosts %r, which is no group of the inventory" % (hosts,))
    state, role = _choice(name, entry, "state", _STATES), _choice(name, entry, "role", _ROLES)
    keys = _keys_of(name, entry.get("keys", []))
    person = Person(
        name=name,
        present=state == PRESENT,
        role=role,
        keys=keys,
        groups=_groups_of(name, entry.get("groups", []), role),
        comment=_comment(name, entry.get("comment", "")),
        shell=_shell(name, entry.get("shell", "/bin/bash")),
        commands=(EVERYTHING,) if role == ADMIN else commands if role == OPERATOR else (),
        sudo_asks=_boolean(name, entry, "sudo_asks"),
    )
    if person.present:
        _check(person)
    elif name == ROOT:
        raise _wrong(name, "cannot be absent")
    return person


def _check(person: Person) -> None:
    if person.name == ROOT and (person.role != ADMIN or person.groups):
        raise _wrong(ROOT, "has role admin, and no groups: of root, the keys alone are set")
    if not person.keys and person.role != DEPLOY and person.name != ROOT:
        raise _wrong(person.name, "has no key, and could not log in; keys is a list of public keys")
    if person.role == OPERATOR and not person.commands:
        raise _wrong(person.name, "has role operator, and accounts_operator_commands is empty: list what operators may run as root")


def _keys_of(name: str, keys: t.Any) -> tuple[Key, ...]:
    if not isinstance(keys, (list, tuple)):
        raise _wrong(name, "has keys that are no list")
    found: dict[str, Key] = {}
    for number, line in enumerate(keys, 1):
        try:
            key = parse_key(line if isinstance(line, str) else "")
        except KeyLineError as error:
            raise _wrong(name, "has key %d, which %s" % (number, error)) from None
        if key.data in found:
            raise _wrong(name, "has key %d twice" % number)
        found[key.data] = key
    return tuple(found.values())


def _groups_of(name: str, groups: t.Any, role: str) -> tuple[str, ...]:
    if not isinstance(groups, (list, tuple)):
        raise _wrong(name, "has groups %r; it is a list of names" % (groups,))
    for group in groups:
        if not isinstance(group, str) or not _NAME.fullmatch(group):
            raise _wrong(name, "has the group %r, which is no name of a group" % (group,))
        if group in PRIVILEGED:
            raise _wrong(name, "has the group %s, whose members are as good as root; rights come with a role: admin, operator or deploy" % group)
    return tuple(dict.fromkeys([*groups, *([DOCKER] if role == DEPLOY else [])]))


def _commands(commands: t.Any) -> tuple[str, ...]:
    if not isinstance(commands, (list, tuple)):
        raise PeopleError("accounts_operator_commands is %r; it is a list such as [/usr/bin/systemctl --no-pager restart nginx]" % (commands,))
    for command in commands:
        if not isinstance(command, str) or not _COMMAND.fullmatch(command):
            right = "it begins with / and is written in full: * would stand for spaces and further options too"
            raise PeopleError("accounts_operator_commands has %r; %s" % (command, right))
        program = command.split()[0].rpartition("/")[2]
        if program in _SHELLS or re.fullmatch(r"(python|perl|ruby|php|lua)[0-9.]+", program):
            raise PeopleError("accounts_operator_commands has %r, which gives whoever runs it a shell of root; name what it is for" % command)
        if program in _PAGED and "--no-pager" not in command.split():
            raise PeopleError("accounts_operator_commands has %r, which opens a pager, and with it a shell of root; add --no-pager" % command)
    return tuple(dict.fromkeys(commands))


def _comment(name: str, comment: t.Any) -> str:
    if not isinstance(comment, str) or ":" in comment or not (comment.isprintable() or not comment):
        raise _wrong(name, "has comment %r; it is one line without a colon" % (comment,))
    return comment


def _shell(name: str, shell: t.Any) -> str:
    if not isinstance(shell, str) or not re.fullmatch(r"/[A-Za-z0-9/_.+-]+", shell):
        raise _wrong(name, "has shell %r; it is the path of a program, such as /bin/bash" % (shell,))
    return shell


def _boolean(name: str, entry: t.Mapping[str, t.Any], key: str) -> bool:
    value = entry.get(key, False)
    if not isinstance(value, bool):
        raise _wrong(name, "has %s %r; it is true or false" % (key, value))
    return value


def _choice(name: str, entry: t.Mapping[str, t.Any], key: str, choices: t.Sequence[str]) -> str:
    """The entry's choice; the first one is the default."""
    value = entry.get(key, choices[0])
    if value not in choices:
        raise _wrong(name, "has %s %r; it is one of %s" % (key, value, ", ".join(choices)))
    return str(value)


def _wrong(name: str, message: str) -> PeopleError:
    return PeopleError("accounts_users: %s %s" % (name, message))
