# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which ports of a host are open, and to whom: the dictionary preflight_exposure turned into one host's rules."""

from __future__ import annotations

import ipaddress
import typing as t
from dataclasses import dataclass

__all__ = ["ANY", "ExposureError", "Rule", "admits", "ports_open_to", "rules_for", "sources_for", "within"]

ANY = "any"
LOOPBACK = "127.0.0.1/32"

_KEYS = ("port", "protocol", "from", "hosts", "publisher")
_PROTOCOLS = ("tcp", "udp")
_PUBLISHERS = ("host", "docker")
_SSH = 22

Groups = t.Mapping[str, t.Sequence[str]]


class ExposureError(ValueError):
    """preflight_exposure cannot be turned into rules; the message names the entry, what was found and what would be right."""


@dataclass(frozen=True)
class Rule:
    """Lets `source` ("any" or a CIDR) connect to `port`.

    :ivar name: the entry of preflight_exposure it comes from.
    :ivar publisher: who listens, "host" (a service of the host) or "docker" (a port that a container publishes).
    """

    name: str
    port: int
    protocol: str
    source: str
    publisher: str


def rules_for(
    exposure: t.Mapping[str, t.Mapping[str, t.Any]],
    *,
    host: str,
    groups: Groups,
    address_of: t.Callable[[str], t.Optional[str]],
    container_pool: str = "",
) -> list[Rule]:
    """The rules of `host`, ssh first and otherwise in the order of `exposure`, each once.

    :arg address_of: preflight_address of a host, None where it has none.
    :arg container_pool: CIDR of Docker's networks; a port open to a group that `host` is in itself is open to them and
      to the loopback too, because on one host that carries every group the neighbours are its own containers.
    :raises ExposureError: for any entry, also one that does not concern `host`.
    """
    if not isinstance(exposure, t.Mapping):
        raise ExposureError("preflight_exposure is %r; it is a dictionary of name: {port, from, hosts, ...}" % (exposure,))
    rules: dict[tuple[int, str, str, str], Rule] = {}
    for name, entry in exposure.items():
        port, protocol, publisher, hosts = _checked(name, entry, groups)
        sources = sources_for(name, entry["from"], host, groups, address_of, container_pool)
        if host in groups[hosts]:
            for source in sources:
                rules.setdefault((port, protocol, source, publisher), Rule(name, port, protocol, source, publisher))
    return sorted(rules.values(), key=lambda rule: (rule.port, rule.protocol) != (_SSH, "tcp"))


def sources_for(
    name: str,
    source: t.Any,
    host: str,
    groups: Groups,
    address_of: t.Callable[[str], t.Optional[str]],
    container_pool: str = "",
) -> list[str]:
    """ "any" or CIDRs that `source` (any, a group, a CIDR) of the entry `name` stands for, seen from `host`."""
    if source == ANY:
        return [ANY]
    if source not in groups:
        return [_network(name, "from", source, "any, a group of the inventory, or a CIDR")]
    sources = []
    for member in groups[source]:
        address = address_of(member)
        if not address:
            message = "is open to group %s, but host %s of it has no preflight_address; set it to the IP its neighbours use"
            raise ExposureError(_say(name, message % (source, member)))
        sources.append(_network(name, "preflight_address of %s" % member, address, "an IP address"))
    if host in groups[source]:
        sources.append(LOOPBACK)
        if container_pool:
            sources.append(_network(name, "docker_address_pool", container_pool, "a CIDR"))
    return sources


def admits(rules: t.Iterable[Rule], *, address: str, port: int) -> bool:
    """Whether `address` may open a TCP connection to a service of the host on `port`."""
    listening = [rule for rule in rules if (rule.port, rule.protocol, rule.publisher) == (port, "tcp", "host")]
    return any(_covers(rule.source, address) for rule in listening)


def ports_open_to(rules: t.Iterable[Rule], *, address: str = "") -> list[int]:
    """TCP ports that a client at `address` may reach, sorted; without an address, those that everybody may."""
    return sorted({rule.port for rule in rules if rule.protocol == "tcp" and _covers(rule.source, address)})


def _covers(source: str, address: str) -> bool:
    return source == ANY or (bool(address) and ipaddress.ip_address(address) in ipaddress.ip_network(source))


def bridge_address(container_pool: str) -> str:
    """Address and prefix of Docker's default bridge: the first /24 of the pool that its networks are taken from."""
    try:
        pool = ipaddress.IPv4Network(container_pool)
        bridge = next(pool.subnets(new_prefix=24))
    except ValueError as error:
        message = "docker_address_pool is %r, which is not an IPv4 CIDR of /24 or larger (%s)" % (container_pool, error)
        raise ExposureError(message) from None
    return "%s/24" % (bridge.network_address + 1)


def within(network: str, addresses: t.Iterable[t.Any]) -> list[str]:
    """Those of `addresses` (CIDRs too) that overlap `network`, sorted; what is no address, such as a name, overlaps nothing."""
    return sorted({str(one) for one in addresses if _overlap(network, str(one))})


def _overlap(one: str, other: str) -> bool:
    try:
        return ipaddress.IPv4Network(one).overlaps(ipaddress.IPv4Network(other))
    except ValueError:
        return False


def _checked(name: str, entry: t.Any, groups: Groups) -> tuple[int, str, str, str]:
    """(port, protocol, publisher, hosts) of a sound entry."""
    if not isinstance(entry, t.Mapping):
        raise ExposureError(_say(name, "is %r; it is a dictionary such as {port: 443, from: any, hosts: app}" % (entry,)))
    for key in entry:
        if key not in _KEYS:
            raise ExposureError(_say(name, "has the unknown key %r; the keys are %s" % (str(key), ", ".join(_KEYS))))
    for key in ("port", "from"):
        if key not in entry:
            raise ExposureError(_say(name, "has no %r" % key))
    port = entry["port"]
    if isinstance(port, bool) or not isinstance(port, int) or not 1 <= port <= 65535:
        raise ExposureError(_say(name, "has port %r; it is a number from 1 to 65535" % (port,)))
    protocol = _choice(name, entry, "protocol", _PROTOCOLS)
    publisher = _choice(name, entry, "publisher", _PUBLISHERS)
    hosts = entry.get("hosts", "all")
    if hosts not in groups:
        raise ExposureError(_say(name, "has hosts %r, which is no group of the inventory" % (hosts,)))
    return int(port), protocol, publisher, str(hosts)


def _choice(name: str, entry: t.Mapping[str, t.Any], key: str, choices: t.Sequence[str]) -> str:
    """The entry's choice; the first one is the default."""
    value = entry.get(key, choices[0])
    if value not in choices:
        raise ExposureError(_say(name, "has %s %r; it is one of %s" % (key, value, ", ".join(choices))))
    return str(value)


def _network(name: str, key: str, value: t.Any, right: str) -> str:
    try:
        return str(ipaddress.ip_network(str(value)))
    except ValueError as error:
        raise ExposureError(_say(name, "has %s %r, which is not %s (%s)" % (key, str(value), right, error))) from None


def _say(name: str, message: str) -> str:
    return "preflight_exposure: %s %s" % (name, message)
