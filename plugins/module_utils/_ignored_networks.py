# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Networks that fail2ban is told never to ban, and which of them strangers come from."""

from __future__ import annotations

import ipaddress
import typing as t

__all__ = ["Network", "is_too_wide", "networks"]

Network = t.Union[ipaddress.IPv4Network, ipaddress.IPv6Network]

# A network that is larger than this is not one of somebody's own, unless it is one of these, which no stranger comes from.
_WIDEST = {4: 8, 6: 16}
_INSIDE = (ipaddress.IPv6Network("fc00::/7"), ipaddress.IPv6Network("fe80::/10"))


def networks(words: t.Iterable[str]) -> t.Iterator[tuple[str, Network]]:
    """(word, its network) of each of the words of `ignoreip`; names of hosts have none."""
    for word in words:
        try:
            # fail2ban up to 1.1 shows 0.0.0.0/0, which is everybody, as 0.0.0.0.
            yield word, ipaddress.ip_network(word + "/0" if word in ("0.0.0.0", "::") else word, strict=False)
        except ValueError:
            continue


def is_too_wide(network: Network) -> bool:
    """Whether strangers come from it too."""
    inside = isinstance(network, ipaddress.IPv6Network) and any(map(network.subnet_of, _INSIDE))
    return network.prefixlen < _WIDEST[network.version] and not inside
