# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which roles provisioning applies, and the options they document."""

from __future__ import annotations

import os
import typing as t
from dataclasses import dataclass

from ansible.template import trust_as_template

from ._catalogue import COLLECTION
from ._yaml import load

__all__ = ["DEPLOY", "Applied", "applied", "options"]

_INCLUDE = "ansible.builtin.include_role"


@dataclass(frozen=True)
class Applied:
    """A role of the list of roles, and the conditions under which a host gets it."""

    role: str
    when: tuple[str, ...]


DEPLOY = Applied("gonogo.preflight.deploy", (trust_as_template("inventory_hostname in query('gonogo.preflight.group', 'app')"),))
"""What the hosts of group app get in playbooks that deploy."""


def applied(tasks: t.Sequence[t.Mapping[str, t.Any]]) -> list[Applied]:
    """The roles that a list of include_role tasks applies."""
    found = []
    for task in tasks:
        if _INCLUDE in task:
            when = task.get("when", [])
            found.append(Applied(task[_INCLUDE]["name"], tuple([when] if isinstance(when, str) else when)))
    return found


def options(role: str) -> dict[str, t.Any]:
    """The argument spec of a role of this collection, by its full name."""
    path = os.path.join(COLLECTION, "roles", role.rpartition(".")[2], "meta", "argument_specs.yml")
    specs = load(path)["argument_specs"]["main"].get("options", {})
    # Role defaults are templates of their own; only what is set is held against its type.
    return {name: {key: value for key, value in spec.items() if key != "default"} for name, spec in specs.items()}
