# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The services that a release declares, held against the containers that there are. Pure.

What is declared is what `docker compose config` makes of the release's files: profiles that are off are left out of it.
"""

from __future__ import annotations

import json
import typing as t
from dataclasses import dataclass

__all__ = ["HEALTHY", "Service", "declared", "not_up", "state_of"]

HEALTHY = "healthy"
_DONE = "done"
# A service that another one waits for with this condition has done its work, and ended, before that one starts.
_COMPLETED = "service_completed_successfully"


@dataclass(frozen=True)
class Service:
    """One service of a release.

    :ivar replicas: how many containers it has to have.
    :ivar ends: it has to end well, and not to run.
    """

    replicas: int = 1
    ends: bool = False


def declared(text: str) -> dict[str, Service]:
    """The services in the output of `docker compose config --format json`; raises ValueError, which quotes nothing of it."""
    try:
        document = json.loads(text)
        services = {str(name): dict(one) for name, one in document["services"].items()}
        waited_for = {str(other) for one in services.values() for other, how in (one.get("depends_on") or {}).items() if how["condition"] == _COMPLETED}
        return {name: Service(_replicas(one), name in waited_for) for name, one in services.items()}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise ValueError("Compose does not say which services there are") from None


def _replicas(service: t.Mapping[str, t.Any]) -> int:
    replicas = (service.get("deploy") or {}).get("replicas", service.get("scale", 1))
    if isinstance(replicas, bool) or not isinstance(replicas, int) or replicas < 0:
        raise ValueError("no number of containers")
    return replicas


def state_of(state: t.Mapping[str, t.Any]) -> str:
    """What a container is, by State of `docker inspect`: "healthy", or what it is instead."""
    # A container that is paused or restarting still counts as Running, and keeps the health it had.
    if state["Status"] == "running":
        return str((state.get("Health") or {}).get("Status", "no health check"))
    return str(state["Status"])


def not_up(services: t.Mapping[str, Service], containers: t.Iterable[tuple[str, t.Mapping[str, t.Any]]]) -> list[str]:
    """A text for each service that is not as it has to be, and for each that has containers and is not declared.

    :param containers: (service, State of `docker inspect`) of each.
    """
    found: dict[str, list[str]] = {name: [] for name in services}
    for name, state in containers:
        done = name in services and services[name].ends and state["Status"] == "exited" and state.get("ExitCode") == 0
        found.setdefault(name, []).append(_DONE if done else state_of(state))
    return [text for name, states in sorted(found.items()) for text in _faults(name, services.get(name), states)]


def _faults(name: str, service: t.Optional[Service], states: t.Sequence[str]) -> list[str]:
    if service is None:
        return ["%s: not a service of the release" % name]
    wanted = _DONE if service.ends else HEALTHY
    bad = sorted({state for state in states if state != wanted})
    if not states and service.replicas:
        bad = ["no container"]
    elif len(states) != service.replicas:
        bad.append("%d of %d containers" % (len(states), service.replicas))
    return ["%s: %s" % (name, ", ".join(bad))] if bad else []
