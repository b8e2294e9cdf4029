# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""SSH host keys as facts show them, as lines of known_hosts (sshd(8), SSH_KNOWN_HOSTS FILE FORMAT); without Ansible."""

from __future__ import annotations

import re
import typing as t

__all__ = ["KnownHostsError", "known_hosts"]

_TYPES = {
    "ed25519": ("ssh-ed25519",),
    "ecdsa": ("ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521"),
    "rsa": ("ssh-rsa",),
}
_KEY = re.compile(r"[A-Za-z0-9+/]+=*")
_SHOWN = 60
_SSH = 22


class KnownHostsError(ValueError):
    """A host shows something else than a host key; the message names host and fact."""


def known_hosts(ways: t.Mapping[str, t.Mapping[str, t.Any]], variables: t.Mapping[str, t.Any]) -> str:
    """A line for each key that a host of `ways` shows; no line break at the end.

    A host says itself what its facts are: whatever is more than one key would be trusted as the key of another host.

    :param ways: host to the `host` and `port` at which it is reached.
    :param variables: host to its variables; the facts among them are `ansible_facts`.
    :raises KnownHostsError: for a key that is none.
    """
    lines = []
    for host, way in ways.items():
        name = way["host"] if int(way["port"]) == _SSH else "[%s]:%s" % (way["host"], way["port"])
        lines += ["%s %s" % (name, key) for key in _keys(host, variables[host].get("ansible_facts", {}))]
    return "\n".join(lines)


def _keys(host: str, facts: t.Mapping[str, t.Any]) -> t.Iterator[str]:
    for algorithm, types in _TYPES.items():
        fact = "ssh_host_key_%s_public" % algorithm
        if fact not in facts:
            continue
        key, keytype = facts[fact], facts.get(fact + "_keytype")
        if not isinstance(key, str) or not _KEY.fullmatch(key):
            raise KnownHostsError(_message(host, fact, key, "is no key in base64"))
        if keytype not in types:
            raise KnownHostsError(_message(host, fact + "_keytype", keytype, "is none of %s" % ", ".join(types)))
        yield "%s %s" % (keytype, key)


def _message(host: str, fact: str, value: t.Any, wrong: str) -> str:
    return "%s: its fact %s, %s, %s; look at this host and its /etc/ssh before anything trusts it" % (host, fact, repr(value)[:_SHOWN], wrong)
