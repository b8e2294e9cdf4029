# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts that somebody else manages: nobody logs in to them, so what can be asked of them is asked from elsewhere. Pure."""

from __future__ import annotations

import typing as t

__all__ = ["ASKED_FROM", "NOT_APPLICABLE", "REMEDY", "REMOTE", "VARIABLE", "ManagedError", "declared", "differences"]

VARIABLE = "preflight_managed"

ASKED_FROM = "app"
"""The group whose first host asks: it is the client that matters."""

NOT_APPLICABLE = "managed: needs a login on the host, which others manage"
REMEDY = "have it mended by those who manage %s; no role of the collection touches it"

_POSTGRESQL: t.Mapping[str, t.Any] = {
    "host": "{{ preflight_address }}",
    "port": "{{ postgresql_port | default(5432) }}",
    "user": "{{ postgresql_user }}",
    "database": "{{ postgresql_database }}",
    "secret": "postgresql_password",
    "sslmode": "{{ postgresql_sslmode | default('require') }}",
    "sslrootcert": "{{ postgresql_sslrootcert | default('') }}",
}

REMOTE: t.Mapping[str, t.Mapping[str, t.Any]] = {"postgresql": _POSTGRESQL, "sql": _POSTGRESQL}
"""Probe that can ask over the network to the arguments it then gets; templates are filled in with the managed host's variables."""


class ManagedError(ValueError):
    """preflight_managed cannot be used; the message says what was found."""


def declared(host: str, value: t.Any) -> bool:
    """Whether `value` of preflight_managed (None where `host` has none) says that others manage it; raises ManagedError."""
    if value is None or isinstance(value, bool):
        return bool(value)
    raise ManagedError("preflight_managed of %s is %r; it is true or false" % (host, value))


def differences(policy: t.Collection[str], inventory: t.Collection[str], groups: t.Mapping[str, t.Sequence[str]], path: str) -> list[str]:
    """A sentence for each host on which policy (the file at `path`) and inventory differ, and for each that cannot be managed."""
    found = []
    for host in sorted(set(policy) | set(inventory)):
        if host not in groups["all"]:
            found.append("%s: under managed in %s, but not in the inventory" % (host, path))
        elif host not in inventory:
            found.append("%s: under managed in %s, but its inventory does not say preflight_managed: true" % (host, path))
        elif host not in policy:
            found.append("%s: preflight_managed in the inventory, but not under managed in %s" % (host, path))
        if host in groups.get(ASKED_FROM, ()):
            found.append("%s: managed, and in group %s; nothing can be deployed to a host without a login" % (host, ASKED_FROM))
    return found
