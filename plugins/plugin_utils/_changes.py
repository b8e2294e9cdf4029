# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a dry run would change, named by thing: the file, the unit, the package, the firewall rule. Pure.

Only names leave a task's result, taken from options that are known to hold no secret; never content, and never a diff.
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

__all__ = ["UPDATE", "Change", "changes_of", "merged"]

Data = t.Mapping[str, t.Any]
Named = t.Tuple[str, str, str]

_SIMULATED = re.compile(r"^(Inst|Remv) (\S+)(?: \[([^\]]+)\])?", re.MULTILINE)
STEP = "step"
UPDATE = "update"


@dataclass(frozen=True)
class Change:
    """One thing of one host that provisioning would change.

    :ivar kind: file, unit, package, firewall rule, SSH server, update (of a package), setting, database, account or step (a task that names no thing).
    :ivar detail: what would be done with it.
    :ivar follows: the task only acts on what tasks of this role did before it (a restart, a message).
    """

    host: str
    role: str
    task: str
    kind: str
    name: str
    detail: str
    follows: bool = False


def changes_of(host: str, role: str, task: str, action: str, result: Data, arguments: Data) -> list[Change]:
    """The things that the changed `result` of one task names.

    :arg action: full name of the module.
    :arg arguments: the task's own options, for results that do not repeat them.
    """
    found = []
    for one in result.get("results") or [result]:
        if isinstance(one, t.Mapping) and one.get("changed"):
            options = _options(one, arguments)
            named = _NAMERS.get(action.rpartition(".")[2], _step)(one, options) or [(STEP, task, "would change")]
            follows = action.endswith(".debug") or options.get("state") in ("restarted", "reloaded")
            found += [Change(host, role, task, kind, str(name), detail, follows) for kind, name, detail in named]
    return found


def merged(changes: t.Sequence[Change]) -> list[Change]:
    """Each thing once, in order; what only follows from an earlier change of the same role on the same host is left out."""
    things: dict[tuple[str, str, str], Change] = {}
    touched: set[tuple[str, str]] = set()
    for change in changes:
        if change.follows and (change.host, change.role) in touched:
            continue
        touched.add((change.host, change.role))
        things.setdefault((change.host, change.kind, change.name), change)
    return list(things.values())


def _options(result: Data, arguments: Data) -> Data:
    invocation = result.get("invocation")
    if not isinstance(invocation, t.Mapping):
        return arguments
    options = invocation.get("module_args", invocation)
    return dict(arguments, **options) if isinstance(options, t.Mapping) else arguments


def _file(result: Data, options: Data) -> list[Named]:
    path = result.get("path") or result.get("dest") or options.get("path") or options.get("dest")
    words = {"absent": "would be removed", "directory": "directory would be made or changed"}
    return [("file", path, words.get(str(options.get("state")), "would be written"))] if _is_literal(path) else []


def _unit(result: Data, options: Data) -> list[Named]:
    name = result.get("name") or options.get("name")
    if options.get("state") in ("restarted", "reloaded"):
        return [("unit", name, "does not do what its files say; would be %s" % options["state"])] if _is_literal(name) else []
    wanted = [str(options["state"])] if options.get("state") else []
    wanted += ["%sabled at boot" % ("en" if options["enabled"] else "dis")] if options.get("enabled") is not None else []
    wanted += ["%smasked" % ("" if options["masked"] else "un")] if options.get("masked") is not None else []
    return [("unit", name, "is not %s" % " and ".join(wanted))] if _is_literal(name) else []


def _package(result: Data, options: Data) -> list[Named]:
    """From the simulation of apt; of what it would install, only what was asked for by name, where anything was."""
    asked = options.get("name") or options.get("package") or []
    asked = [asked] if isinstance(asked, str) else list(asked)
    found = _SIMULATED.findall(str(result.get("stdout", "")))
    wanted = [one for one in found if one[1] in asked] or found
    if not wanted:
        return [("package", name, "would be installed") for name in asked if _is_literal(name)]
    return [_simulated(*one) for one in wanted]


def _simulated(word: str, name: str, version: str) -> Named:
    """What apt would do with a package; an update came out, while a package that is missing was taken away by somebody."""
    if word == "Remv":
        return ("package", name, "would be removed")
    return (UPDATE, name, "from %s is pending" % version) if version else ("package", name, "would be installed")


def _firewall(result: Data, _options: Data) -> list[Named]:
    return [("firewall rule", reason, "would be mended") for reason in result.get("reasons", [])]


def _ssh(result: Data, _options: Data) -> list[Named]:
    return [("SSH server", reason, "would be mended") for reason in result.get("reasons", [])]


def _setting(name: str) -> t.Callable[[Data, Data], list[Named]]:
    return lambda _result, _options: [("setting", name, "would be set")]


def _named(kind: str) -> t.Callable[[Data, Data], list[Named]]:
    return lambda _result, options: [(kind, str(options["name"]), "would be made or changed")] if _is_literal(options.get("name")) else []


def _step(_result: Data, _options: Data) -> list[Named]:
    return []


def _is_literal(name: t.Any) -> t.TypeGuard[str]:
    """A name, and no template that nobody filled in."""
    return isinstance(name, str) and bool(name) and "{{" not in name


_NAMERS: dict[str, t.Callable[[Data, Data], list[Named]]] = {
    **dict.fromkeys(("assemble", "blockinfile", "copy", "file", "get_url", "lineinfile", "replace", "template", "unarchive"), _file),
    **dict.fromkeys(("service", "systemd", "systemd_service"), _unit),
    **dict.fromkeys(("apt", "package"), _package),
    "packages": lambda result, _options: _package(result, {"name": result.get("missing", [])}),
    "authorized_key": lambda _result, options: [("account", "authorized key of %s" % options.get("user"), "would be written")],
    "postgresql_db": _named("database"),
    "postgresql_user": _named("database role"),
    "redis_settings": _setting("Redis, running server"),
    "sshd_settings": _ssh,
    "sysctl": _named("setting"),
    "timezone": _setting("time zone"),
    "ufw_exposure": _firewall,
    "user": _named("account"),
}
