# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""TCP ports of another host, tried from where the probe runs: what a client would reach."""

from __future__ import annotations

import errno
import selectors
import socket
import time
import typing as t

from ._base import Observation, Probe, ProbeError

__all__ = ["TcpProbe", "parse_ports"]

_PATIENCE = 1.5
_AT_ONCE = 3000


class TcpProbe(Probe):
    ARGUMENTS = {
        "fact": {"type": "str", "required": True, "choices": ["open", "undeclared"]},
        "address": {"type": "str", "required": True},
        "ports": {"type": "str", "required": True},
        "declared": {"type": "list", "elements": "int", "default": []},
    }

    def fact_open(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        """The ports of `ports` that accept a connection, a sorted list."""
        ports = parse_ports(arguments["ports"])
        return Observation(open_ports(arguments["address"], ports), "%d ports of %s tried" % (len(ports), arguments["address"]))

    def fact_undeclared(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        """The ports of `ports` that accept a connection although they are not in `declared`, a sorted list.

        A host on which not even one declared port answers or refuses is not "closed" but out of reach: an error.
        """
        declared = set(arguments["declared"])
        if not declared:
            raise ProbeError("no port is declared for this vantage, so that silence cannot be told from an outage")
        ports = sorted(set(parse_ports(arguments["ports"])) | declared)
        found = open_ports(arguments["address"], ports)
        if not declared & set(found):
            raise ProbeError("%s is out of reach: none of its declared ports %s answers" % (arguments["address"], sorted(declared)))
        evidence = "%d ports of %s tried, open: %s" % (len(ports), arguments["address"], ", ".join(map(str, found)))
        return Observation([port for port in found if port not in declared], evidence)


def parse_ports(text: str) -> list[int]:
    """The ports of "22,80,8000-8100", sorted; raises ProbeError on anything else or an empty list."""
    ports: set[int] = set()
    for part in text.split(","):
        first, _dash, last = part.strip().partition("-")
        if not first.isdigit() or (_dash and not last.isdigit()):
            raise ProbeError("%r is not a list of ports such as 22,80,8000-8100" % text)
        ports.update(range(int(first), int(last or first) + 1))
    if not ports or min(ports) < 1 or max(ports) > 65535:
        raise ProbeError("%r names no port, or one that is not between 1 and 65535" % text)
    return sorted(ports)


def open_ports(address: str, ports: t.Sequence[int]) -> list[int]:
    """Those of `ports` that accept a connection within 1.5 s, up to 3000 tried side by side."""
    try:
        family, _type, _proto, _name, target = socket.getaddrinfo(address, 1, type=socket.SOCK_STREAM)[0]
    except OSError as error:
        raise ProbeError("%s has no address: %s" % (address, error)) from None
    found: list[int] = []
    for start in range(0, len(ports), _AT_ONCE):
        found += _open_of(family, str(target[0]), ports[start : start + _AT_ONCE])
    return sorted(found)


def _open_of(family: int, address: str, ports: t.Sequence[int]) -> list[int]:
    found = []
    with selectors.DefaultSelector() as selector:
        try:
            for port in ports:
                candidate = socket.socket(family, socket.SOCK_STREAM)
                candidate.setblocking(False)
                code = candidate.connect_ex((address, port))
                if code in (0, errno.EINPROGRESS):
                    selector.register(candidate, selectors.EVENT_WRITE, port)
                    continue
                candidate.close()
                if code in (errno.ENETUNREACH, errno.EHOSTUNREACH):
                    raise ProbeError("no route to %s" % address)
            end = time.monotonic() + _PATIENCE
            while selector.get_map() and time.monotonic() < end:
                for key, _events in selector.select(max(0.0, end - time.monotonic())):
                    connection = t.cast(socket.socket, key.fileobj)
                    if connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0:
                        found.append(key.data)
                    selector.unregister(connection)
                    connection.close()
        finally:
            for key in list(selector.get_map().values()):
                t.cast(socket.socket, key.fileobj).close()
    return found
