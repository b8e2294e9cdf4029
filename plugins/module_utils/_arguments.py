# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an item may say under `with`: which arguments each fact takes, and what their values have to be. Pure: no I/O."""

from __future__ import annotations

import re
import typing as t

from ._nearest import nearest
from ._probes._base import ProbeError
from ._probes._files import compiled, seconds_of
from ._probes._sql import one_query

__all__ = ["PARSED", "TAKES", "Takes", "problem", "takes_of"]

TAKES: t.Mapping[str, t.Mapping[str, str]] = {
    "accounts": {
        "empty_passwords": "",
        "keys": "declared",
        "missing": "declared [group]",
        "password_logins": "",
        "privileged": "declared",
        "strangers": "declared [group]",
        "sudo": "declared",
        "surplus": "declared",
        "uid0": "",
    },
    "ci": {
        "age": "",
        "coverage": "",
        "failed": "",
        "load_failed": "",
        "load_rate": "",
        "passed": "",
        "pipeline": "commit",
        "tests": "",
    },
    "command": {"lines": "[accept]", "output": "[accept]", "status": ""},
    "compose": {
        "privileged": "",
        "services": "",
        "undeclared_ports": "declared",
        "unhealthy": "",
        "unlimited": "[resources]",
        "unpinned": "",
        "unrestarted": "",
    },
    "docker": {
        "address_pools": "",
        "compose_version": "",
        "config": "",
        "daemon": "",
        "log_max_size": "",
        "project": "project",
        "release": "project path",
        "runtimes": "",
        "snap": "",
        "storage": "",
        "unconfirmed": "path",
        "version": "",
    },
    "environment": {
        "default": "path|container name [part]",
        "entropy": "path|container name [part]",
        "fingerprint": "path|container name [part] [shared_by]",
        "length": "path|container name [part]",
        "missing_keys": "path|container example",
        "mode": "path",
        "own_length": "path|container name [part] [example]",
        "placeholders": "path|container",
        "present": "path|container name",
        "reused": "path|container name [part] [example]",
        "value": "path|container name",
    },
    "fail2ban": {"jail": "jail", "jails": "jails [max_retries]"},
    "file": {
        "age": "",
        "checksum": "[algorithm]",
        "count": "glob",
        "exists": "",
        "mode": "",
        "newest": "glob",
        "owner": "",
        "size": "",
        "value": "[key] [format] [absent] [within]",
    },
    "git": {"branch": "", "clean": "", "head": "", "ignored": "names", "tag": "", "tracked": "glob"},
    "hardware": {
        "cpu_cores": "",
        "disk_bytes": "[path] [paths]",
        "disk_free": "[path] [paths]",
        "disk_kind": "[path] [paths]",
        "link_mbits": "",
        "memory_bytes": "",
        "unencrypted": "[path] [paths]",
    },
    "http": {
        "admitted": "requests spread [at_once]",
        "cors": "origin",
        "header": "name",
        "json": "path",
        "latency": "requests percentile",
        "leaks": "",
        "limited": "requests",
        "redirect": "[permanent]",
        "status": "",
    },
    "logs": {"count": "path|unit|container", "share": "path|unit|container"},
    "network": {
        "certificate_days": "urls",
        "dns": "name [type]",
        "foreign": "name addresses",
        "https": "urls",
        "pages": "urls",
        "tcp": "targets",
    },
    "os": {
        "clock": "",
        "clock_offset": "",
        "journal": "",
        "journal_limit": "",
        "kernel": "",
        "open_files": "",
        "outdated": "",
        "pending": "[blacklist] [held]",
        "reboot": "",
        "release": "",
        "setting": "name",
        "settings": "",
        "swap": "",
        "thp": "",
        "timezone": "",
        "unattended": "[blacklist]",
        "unattended_blacklist": "",
        "unattended_reboot": "",
    },
    "postgresql": {"database": "", "role": "name", "version": ""},
    "process": {"count": "name|pattern", "foreign": "ports [programs] [project]", "listening": "port", "user": "name|pattern"},
    "prometheus": {
        "alerts": "",
        "delay": "name",
        "query": "query",
        "rule": "name",
        "target": "job",
        "threshold": "name [fires] [ratio] [window]",
    },
    "redis": {"aof": "", "config": "name", "unauthenticated": "", "version": ""},
    "schedule": {"calendar": "name", "cron": "pattern", "interval": "name", "last_success": "name", "timer": "name"},
    "sshd": {"algorithms": "", "methods": "", "ports": "", "setting": "name [user]"},
    "tcp": {"disagreements": "declared [also]", "open": "", "undeclared": "declared [also]"},
    "ufw": {"logging": "", "port": "port [protocol]", "state": "", "sysctl": ""},
}
"""Kind of probe to its facts to their own arguments: needed, [may be left out], or exactly one of a|b.

An argument of a kind that none of its facts has here goes with all of them, and a kind that is not here has no others.
"""

PARSED: t.Mapping[str, t.Mapping[str, t.Callable[[t.Any], t.Any]]] = {
    "ci": {"within": lambda text: seconds_of(text, "within")},
    "file": {"within": lambda text: seconds_of(text, "within")},
    "http": {"spread": lambda text: seconds_of(text, "spread")},
    "logs": {"pattern": compiled, "window": lambda text: seconds_of(text, "window")},
    "process": {"pattern": compiled},
    "prometheus": {"window": lambda text: seconds_of(text, "window")},
    "schedule": {"pattern": compiled},
    "sql": {"query": one_query},
}
"""Arguments of which the probe makes something else, and what does so; raises ProbeError."""

_TRUTHS = ("true", "false", "yes", "no", "on", "off", "y", "n", "t", "f", "1", "0")
_WORDS = {"str": "text", "path": "text", "int": "a whole number", "float": "a number", "bool": "true or false", "list": "a list", "dict": "a mapping"}

Spec = t.Mapping[str, t.Mapping[str, t.Any]]


class Takes(t.NamedTuple):
    """The arguments of one fact: `needs` are needed, of `one` exactly one is, `may` may be left out."""

    needs: tuple[str, ...]
    one: tuple[str, ...]
    may: tuple[str, ...]

    @property
    def all(self) -> tuple[str, ...]:
        return (*self.needs, *self.one, *self.may)


def takes_of(kind: str, fact: str) -> t.Optional[Takes]:
    """The arguments that are this fact's own; None where nothing is declared of it."""
    said = TAKES.get(kind, {}).get(fact)
    if said is None:
        return None
    words = said.split()
    one = tuple(name for word in words if "|" in word for name in word.split("|"))
    return Takes(tuple(word for word in words if word.isidentifier()), one, tuple(word[1:-1] for word in words if word.startswith("[")))


def problem(kind: str, spec: Spec, given: t.Mapping[str, t.Any], unknown: t.Callable[[t.Any], bool] = lambda _value: False) -> t.Optional[tuple[str, str]]:
    """(the key at fault or "", what is wrong) of the first mistake in `given`, whose keys are those of `spec`; None where there is none.

    :param unknown: whether a value is not known yet, since it is a template.
    """
    said = {name: value for name, value in given.items() if value not in (None, "")}
    fact = said.get("fact")
    if isinstance(fact, str) and not unknown(fact):
        found = _of_fact(kind, fact, said, spec, unknown)
        if found:
            return found
    for name, value in said.items():
        if unknown(value):
            continue
        if not _fits(spec[name], value):
            return name, "`with.%s` is %r, not %s" % (name, value, _wanted(spec[name]))
        if name in PARSED.get(kind, {}):
            try:
                PARSED[kind][name](str(value))
            except ProbeError as error:
                return name, "`with.%s`: %s" % (name, error)
    return None


def _of_fact(kind: str, fact: str, said: t.Mapping[str, t.Any], spec: Spec, unknown: t.Callable[[t.Any], bool]) -> t.Optional[tuple[str, str]]:
    takes = takes_of(kind, fact)
    if takes is None:
        return None
    owners: dict[str, list[str]] = {}
    for other in TAKES[kind]:
        for name in (takes_of(kind, other) or takes).all:
            owners.setdefault(name, []).append(other)
    own = [name for name in spec if name != "fact" and (name not in owners or name in takes.all)]
    for name in said:
        if name in owners and name not in takes.all:
            return name, "`with.%s` does not go with fact %s but with %s; %s" % (name, fact, ", ".join(owners[name]), nearest(name, own))
    for name in takes.needs:
        if name not in said:
            return "", "fact %s needs `with.%s`" % (fact, name)
    one = [unknown(said[name]) for name in takes.one if name in said]
    # A template may become nothing.
    if takes.one and (not one or one.count(False) > 1):
        return "", "fact %s needs exactly one of %s" % (fact, ", ".join("`with.%s`" % name for name in takes.one))
    return None


def _fits(spec: t.Mapping[str, t.Any], value: t.Any) -> bool:
    """Whether Ansible makes a value of this type of it, without guessing."""
    kind = spec.get("type", "str")
    if kind == "bool":
        return isinstance(value, bool) or str(value).lower() in _TRUTHS
    if kind == "dict":
        return isinstance(value, dict)
    if kind == "list":
        # A text is split at its commas, and one value is a list of one.
        many = value.split(",") if isinstance(value, str) else value if isinstance(value, list) else [value]
        return not isinstance(value, dict) and all(_fits({"type": spec.get("elements", "raw")}, one) for one in many)
    if kind == "int":
        return not isinstance(value, bool) and re.fullmatch(r"\s*[-+]?[0-9]+(?:\.0*)?\s*", str(value)) is not None
    if kind == "float":
        return not isinstance(value, bool) and _is_number(value)
    if kind in ("str", "path"):
        return isinstance(value, (str, int, float)) and not isinstance(value, bool)
    return True


def _is_number(value: t.Any) -> bool:
    try:
        float(value)
    except (TypeError, ValueError, OverflowError):
        return False
    return True


def _wanted(spec: t.Mapping[str, t.Any]) -> str:
    words = _WORDS.get(spec.get("type", "str"), "what it takes")
    elements = spec.get("elements")
    return "%s of %s" % (words, {"int": "whole numbers", "str": "texts"}.get(elements, elements)) if elements else words
