# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""TCP ports of another host, tried from where the probe runs: what a client would reach."""

from __future__ import annotations

import errno
import os
import re
import selectors
import socket
import time
import typing as t

from ._base import NETWORK, Observation, Probe, ProbeError

__all__ = ["USUAL", "TcpProbe", "open_ports", "parse_ports"]

_PATIENCE = 1.5
_AT_ONCE = 3000
# Silence is believed after this many tries, in each of which a declared port has answered and everybody else has had this much
# longer, and four times as long as the declared port took.
_ROUNDS = 3
_SETTLE = 0.15

# Below 1024, and about 300 that databases, caches, brokers, dashboards, orchestrators and tools of machine learning listen on.
USUAL = (
    "1-1024,2049,2181,2375-2380,3000-3010,3100,3128,3306,4040,4200,4369,5000-5010,5432-5433,5555,5601,5672,5900-5910,6006,"
    "6333-6334,6379-6380,6432,6443,7000-7010,7077,7474,7687,8000-8100,8123,8265,8443,8786-8788,8793,8888,9000-9121,9187,9200,"
    "9300,9400,9443,10001,10250,11211,11434,15672,19530,25672,26379,27017,50000,50051,54321"
)
_NAMED = {"usual": USUAL, "all": "1-65535"}

_REFUSED = (errno.ECONNREFUSED, errno.ECONNRESET)
# What a firewall or a router says (ICMP), or nobody: the host itself may be down.
_SILENT = (errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ETIMEDOUT)


class TcpProbe(Probe):
    SEES = NETWORK
    ARGUMENTS = {
        "fact": {"type": "str", "required": True, "choices": ["disagreements", "open", "undeclared"]},
        "address": {"type": "str", "required": True},
        "also": {"type": "list", "elements": "str", "default": []},
        "ports": {"type": "str", "required": True},
        "declared": {"type": "list", "elements": "int", "default": []},
    }

    def __init__(self, secrets: t.Mapping[str, str]) -> None:
        super().__init__(secrets)
        self._scans: dict[tuple[str, str, tuple[int, ...]], tuple[set[int], set[int], int]] = {}

    def fact_open(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        """The ports of `ports` that accept a connection, a sorted list.

        A host of which no port accepts or refuses is not "closed" but silent: an error.
        """
        ports = parse_ports(arguments["ports"])
        found, refused = open_ports(arguments["address"], ports)
        if not found and not refused:
            raise ProbeError("%s is silent on %s: out of reach, or dropped by a firewall" % (arguments["address"], arguments["ports"]))
        return Observation(found, "%d ports of %s tried" % (len(ports), arguments["address"]))

    def fact_undeclared(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        """The ports of `ports` that accept a connection although they are not in `declared`, a sorted list.

        Packets get lost: what is silent is tried three times, each time beside a declared port that answers.
        A host on which not even one declared port answers or refuses is not "closed" but out of reach: an error.
        """
        declared, stray, evidence = set(arguments["declared"]), set(), []
        for address in (arguments["address"], *arguments.get("also", ())):
            found, _silent, tried = self._scanned(address, arguments["ports"], declared)
            stray |= found - declared
            evidence.append("%d ports of %s tried, open: %s" % (tried, address, ", ".join(map(str, sorted(found)))))
        return Observation(sorted(stray), "; ".join(evidence))

    def fact_disagreements(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        """Where what is reached differs from what is declared, a list of texts: ports that answer and are not declared, and
        declared ones of which nothing comes back, neither an answer nor a refusal."""
        declared, texts = set(arguments["declared"]), []
        for address in (arguments["address"], *arguments.get("also", ())):
            found, silent, _tried = self._scanned(address, arguments["ports"], declared)
            texts += ["%d/tcp: answers at %s, declared nowhere" % (port, address) for port in sorted(found - declared)]
            texts += ["%d/tcp: declared, and nothing comes back from %s" % (port, address) for port in sorted(silent)]
        return Observation(texts, "%s of %s tried" % (arguments["ports"], ", ".join((arguments["address"], *arguments.get("also", ())))))

    def _scanned(self, address: str, text: str, declared: set[int]) -> tuple[set[int], set[int], int]:
        """(the ports that accept, the declared ports that are silent, how many were tried); what several items ask is tried once."""
        key = (address, text, tuple(sorted(declared)))
        if key not in self._scans:
            self._scans[key] = _scan(address, sorted(set(parse_ports(text)) | declared), declared)
        return self._scans[key]


def _scan(address: str, ports: t.Sequence[int], declared: set[int]) -> tuple[set[int], set[int], int]:
    if not declared:
        raise ProbeError("no port is declared for this vantage, so that silence cannot be told from an outage")
    found: set[int] = set()
    silent, left = set(declared), ports
    for _round in range(_ROUNDS):
        codes = _tried(address, left, witnesses=declared)
        accepted = {port for port, code in codes.items() if code == 0}
        if not declared & accepted:
            raise ProbeError("%s is out of reach: none of its declared ports %s answers" % (address, sorted(declared)))
        found |= accepted
        silent -= {port for port, code in codes.items() if code in (0, *_REFUSED)}
        left = [port for port in left if port in declared or codes.get(port) not in (0, *_REFUSED)]
    return found, silent, len(ports)


def parse_ports(text: str) -> list[int]:
    """The ports of "22,80,8000-8100", sorted, where "usual" and "all" stand for ports too; raises ProbeError on anything else or
    an empty list."""
    ports: set[int] = set()
    for part in ",".join(_NAMED.get(word.strip(), word) for word in text.split(",")).split(","):
        match = re.fullmatch(r"([0-9]{1,5})(?:-([0-9]{1,5}))?", part.strip())
        if not match:
            raise ProbeError("%r is not a list of ports such as 22,80,8000-8100, usual or all" % text)
        first, last = int(match.group(1)), int(match.group(2) or match.group(1))
        if not 1 <= first <= last <= 65535:
            raise ProbeError("%r in %r is not a port, or a range of ports, between 1 and 65535" % (part.strip(), text))
        ports.update(range(first, last + 1))
    return sorted(ports)


def open_ports(address: str, ports: t.Sequence[int]) -> tuple[list[int], int]:
    """(those of `ports` that accept a connection within 1.5 s, how many refuse one); up to 3000 tried side by side."""
    codes = _tried(address, ports)
    return sorted(port for port, code in codes.items() if code == 0), sum(code in _REFUSED for code in codes.values())


def _tried(address: str, ports: t.Sequence[int], *, witnesses: t.Collection[int] = ()) -> dict[int, int]:
    """What connect(2) said for each port that it said anything for; `witnesses` are tried along with every batch of ports."""
    try:
        family, _type, _proto, _name, target = socket.getaddrinfo(address, 1, type=socket.SOCK_STREAM)[0]
    except OSError as error:
        raise ProbeError("%s has no address: %s" % (address, error)) from None
    codes: dict[int, int] = {}
    for start in range(0, len(ports), _AT_ONCE):
        batch = [port for port in ports[start : start + _AT_ONCE] if port not in witnesses]
        codes.update(_codes(family, str(target[0]), [*batch, *witnesses], witnesses))
    unexpected = {code for code in codes.values() if code not in (0, *_REFUSED, *_SILENT)}
    if unexpected:
        # A local limit or firewall: nothing was asked of the host.
        raise ProbeError("ports of %s could not be tried: %s" % (address, ", ".join(sorted(map(os.strerror, unexpected)))))
    return codes


def _codes(family: int, address: str, ports: t.Sequence[int], witnesses: t.Collection[int]) -> dict[int, int]:
    """What connect(2) said for each port that it said anything for, within 1.5 s or soon after the first witness."""
    codes: dict[int, int] = {}
    with selectors.DefaultSelector() as selector:
        try:
            for port in ports:
                candidate = socket.socket(family, socket.SOCK_STREAM)
                candidate.setblocking(False)
                code = candidate.connect_ex((address, port))
                if code == errno.EINPROGRESS:
                    selector.register(candidate, selectors.EVENT_WRITE, port)
                    continue
                codes[port] = code
                candidate.close()
                if code in (errno.ENETUNREACH, errno.EHOSTUNREACH):
                    raise ProbeError("no route to %s" % address)
            sent = time.monotonic()
            end = sent + (_SETTLE if any(port in codes for port in witnesses) else _PATIENCE)
            while selector.get_map() and time.monotonic() < end:
                for key, _events in selector.select(max(0.0, end - time.monotonic())):
                    connection = t.cast(socket.socket, key.fileobj)
                    codes[key.data] = connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                    if key.data in witnesses:
                        now = time.monotonic()
                        end = min(end, now + _SETTLE + 4 * (now - sent))
                    selector.unregister(connection)
                    connection.close()
        finally:
            for key in list(selector.get_map().values()):
                t.cast(socket.socket, key.fileobj).close()
    return codes
