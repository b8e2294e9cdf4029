# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The items of the catalogue that the module docker_check asks. Pure."""

from __future__ import annotations

import typing as t

from ._check import Check
from ._expect import Expectation

__all__ = ["checks_of"]

Options = t.Mapping[str, t.Any]

_NONE: Expectation = {"empty": True}
_ROLE = "apply the role gonogo.preflight.docker"
_DEPLOY = "correct the Compose file, and deploy again"
_COMPOSE = {
    "compose.healthcheck": "unhealthy",
    "compose.restart": "unrestarted",
    "compose.pinned": "unpinned",
    "compose.privileged": "privileged",
    "compose.ports": "undeclared_ports",
}
_LIMITS = {"memory": "compose.limits", "cpu": "compose.limits.cpu"}


def checks_of(options: Options) -> list[Check]:
    """What the options of the module ask: the engine always, the timer and a Compose file where they are named."""
    return [*_engine(options), *(_prune(options) if options["pruned_within"] else ()), *(_compose(options) if options["compose_file"] else ())]


def _engine(options: Options) -> list[Check]:
    version: Expectation = {"at_least": options["minimum_version"], "as": "version"}
    compose: Expectation = {"at_least": options["compose_minimum_version"], "as": "version"}
    size: Expectation = {"between": [1, options["log_max_size"]], "as": "size"}
    runs: Expectation = {"equals": {"active": True, "enabled": True, "answers": True}}
    config: Expectation = {"equals": {"applied": True, "live_restore": True, "logs_rotated": True}}
    return [
        Check("docker.version", "docker", {"fact": "version"}, version, option="minimum_version", mend=_ROLE),
        Check("docker.compose.version", "docker", {"fact": "compose_version"}, compose, option="compose_minimum_version", mend=_ROLE),
        Check("docker.daemon.running", "docker", {"fact": "daemon"}, runs, mend="systemctl enable --now docker"),
        Check("docker.daemon.config", "docker", {"fact": "config"}, config, mend=_ROLE),
        Check("log.rotation", "docker", {"fact": "log_max_size"}, size, option="log_max_size", mend=_ROLE),
        Check("docker.snap", "docker", {"fact": "snap"}, _NONE, mend="snap remove --purge docker"),
    ]


def _prune(options: Options) -> list[Check]:
    timer = {"fact": "timer", "name": "gonogo-docker-prune.timer"}
    runs: Expectation = {"equals": {"exists": True, "enabled": True, "active": True}}
    service = {"fact": "last_success", "name": "gonogo-docker-prune.service"}
    return [
        Check("docker.prune", "schedule", timer, runs, mend=_ROLE),
        Check("docker.prune.ran", "schedule", service, {"within": options["pruned_within"]}, option="pruned_within", mend=_ROLE),
    ]


def _compose(options: Options) -> list[Check]:
    asked: dict[str, dict[str, t.Any]] = {item: {"fact": fact} for item, fact in _COMPOSE.items()}
    asked["compose.ports"]["declared"] = options["declared"]
    asked.update((_LIMITS[one], {"fact": "unlimited", "resources": [one]}) for one in options["resources"])
    return [
        Check(item, "compose", {"file": options["compose_file"], **arguments}, _NONE, option="compose_file", mend=_DEPLOY) for item, arguments in asked.items()
    ]
