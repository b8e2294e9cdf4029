# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Docker's networks that the chain DOCKER-USER lets nothing out of. Pure; COMMAND is run by whoever asks."""

from __future__ import annotations

import ipaddress
import json
import typing as t
from dataclasses import dataclass

__all__ = ["COMMAND", "Network", "NetworksError", "cut_off", "parse_networks"]

# An engine may have none (`bridge: none`), and `docker network inspect` without a name is an error.
_ASK = 'ids=$(timeout 10 docker network ls --quiet --filter driver=bridge) || exit; [ -z "$ids" ] || timeout 10 docker network inspect $ids'
COMMAND = ("sh", "-c", _ASK)
"""Says all that parse_networks reads. It starts an engine that is stopped, by its socket: ask only one that is active."""


class NetworksError(ValueError):
    """Docker's networks cannot be told from what it said."""


@dataclass(frozen=True)
class Network:
    """A bridge network.

    :ivar subnets: CIDRs, one of each family that it has.
    :ivar containers: names of the running containers on it.
    """

    name: str
    subnets: tuple[str, ...]
    containers: tuple[str, ...]


def parse_networks(text: str) -> list[Network]:
    """The networks of `docker network inspect`, sorted by name; raises NetworksError. No text is no network."""
    try:
        found = []
        for one in json.loads(text) if text.strip() else []:
            subnets = [str(ipaddress.ip_network(config["Subnet"], strict=False)) for config in one["IPAM"]["Config"] or () if config.get("Subnet")]
            containers = sorted(container["Name"] for container in (one["Containers"] or {}).values())
            found.append(Network(str(one["Name"]), tuple(subnets), tuple(containers)))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise NetworksError("docker network inspect answered what cannot be read: %r" % error) from None
    return sorted(found, key=lambda network: network.name)


def cut_off(networks: t.Iterable[Network], let_out: t.Sequence[str]) -> list[tuple[Network, str]]:
    """(network, its subnet) of each subnet that is not inside one of the CIDRs `let_out`."""
    return [(network, subnet) for network in networks for subnet in network.subnets if not any(_within(subnet, cidr) for cidr in let_out)]


def _within(subnet: str, cidr: str) -> bool:
    inner, outer = ipaddress.ip_network(subnet), ipaddress.ip_network(cidr, strict=False)
    if isinstance(inner, ipaddress.IPv4Network):
        return isinstance(outer, ipaddress.IPv4Network) and inner.subnet_of(outer)
    return isinstance(outer, ipaddress.IPv6Network) and inner.subnet_of(outer)
