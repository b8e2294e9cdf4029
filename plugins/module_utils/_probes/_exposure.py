# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host has open, held against what is declared: UFW's rules and the kernel's, listeners, and what Docker publishes."""

from __future__ import annotations

import ipaddress
import json
import os
import re
import time
import typing as t
from dataclasses import dataclass

from .._docker_networks import COMMAND, NetworksError, cut_off, parse_networks
from .._exposure import ANY, Rule
from .._ufw import Wanted, bypasses, of_loopback, plan, reached
from .._ufw_host import FirewallError, Host
from ._base import Observation, Probe, ProbeError, finished, output_of
from ._docker import parse_unit

__all__ = ["ExposureProbe", "Opening", "disagreements", "parse_backend", "parse_published", "parse_redirects", "parse_sockets", "passing"]

_EPHEMERAL = "/proc/sys/net/ipv4/ip_local_port_range"
# How long a client may wait for its answer at a UDP port that looks like a listener's.
_PAUSE = 1.0
# UFW itself lets the answers of DHCP servers in, at these ports alone.
_DHCP = {(68, "udp"), (546, "udp")}
_PROXY = "docker-proxy"

_RULE = {
    "name": {"type": "str", "default": ""},
    "port": {"type": "int", "required": True},
    "protocol": {"type": "str", "choices": ["tcp", "udp"], "default": "tcp"},
    "source": {"type": "str", "required": True},
    "publisher": {"type": "str", "choices": ["host", "docker"], "default": "host"},
}


@dataclass(frozen=True)
class Opening:
    """A port that somebody holds open.

    :ivar address: where it listens, without brackets and interface; "*" stands for every address of both families.
    :ivar holder: the program that listens, or the container that publishes it.
    """

    port: int
    protocol: str
    address: str
    holder: str

    @property
    def key(self) -> tuple[int, str]:
        return self.port, self.protocol


class ExposureProbe(Probe):
    ARGUMENTS = {
        "fact": {"type": "str", "required": True, "choices": ["disagreements"]},
        "rules": {"type": "list", "elements": "dict", "required": True, "options": _RULE},
        "networks": {"type": "list", "elements": "str", "default": []},
    }

    def fact_disagreements(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        """Where declaration, firewall, listeners and Docker disagree, a list of texts.

        An error when one of them cannot be looked at: UFW that is not installed, Docker that is active and silent.
        """
        rules = [_rule(one) for one in arguments["rules"]]
        firewall, redirects = _firewall(Wanted(rules, arguments["networks"]))
        sockets = _listening()
        docker, published, networks = _docker(arguments["networks"])
        found = [*disagreements(rules, sockets=sockets, published=published, redirects=redirects), *networks]
        open_ = {one.key for one in [*sockets, *published]}
        quiet = ["%d/%s" % key for key in dict.fromkeys((rule.port, rule.protocol) for rule in rules) if key not in open_]
        evidence = "%d rules declared; UFW and the kernel; %d sockets that listen; %s" % (len(rules), len(sockets), docker)
        return Observation([*firewall, *found], evidence + ("; declared, and nothing listens yet: %s" % ", ".join(quiet) if quiet else ""))


def _rule(one: t.Mapping[str, t.Any]) -> Rule:
    """A rule as the firewall has it; one address is a network too."""
    try:
        source = one["source"] if one["source"] == ANY else str(ipaddress.ip_network(one["source"]))
    except ValueError as error:
        raise ProbeError("the rule for port %s has the source %r: %s" % (one["port"], one["source"], error)) from None
    return Rule(one.get("name", ""), one["port"], one.get("protocol", "tcp"), source, one.get("publisher", "host"))


def disagreements(
    rules: t.Sequence[Rule],
    *,
    sockets: t.Iterable[Opening],
    published: t.Iterable[Opening],
    redirects: t.Iterable[tuple[str, str, str]] = (),
) -> list[str]:
    """A text for each port that is open to others, and declared nowhere or for another publisher.

    :arg redirects: (port, or ports, protocol, destination) of the kernel's rules that send connections elsewhere.
    """
    publishers: dict[tuple[int, str], set[str]] = {}
    for rule in rules:
        publishers.setdefault((rule.port, rule.protocol), set()).add(rule.publisher)
    found = []
    by_docker = _grouped(one for one in published if not _is_loopback(one.address))
    for (port, protocol, container), addresses in by_docker.items():
        what = "%d/%s: published by Docker on %s (container %s)" % (port, protocol, addresses, container)
        if (port, protocol) not in publishers:
            found.append(what + ", declared nowhere")
        elif "docker" not in publishers[port, protocol]:
            found.append(what + ", declared for a service of the host (its entry lacks publisher: docker)")
    known = {(port, protocol) for port, protocol, _container in by_docker}
    listening = _grouped(one for one in sockets if not _is_loopback(one.address) and one.key not in _DHCP and (one.holder != _PROXY or one.key not in known))
    for (port, protocol, program), addresses in listening.items():
        what = "%d/%s: listened on %s by %s" % (port, protocol, addresses, program)
        if (port, protocol) not in publishers:
            found.append(what + ", declared nowhere")
        elif "host" not in publishers[port, protocol] and program != _PROXY:
            found.append(what + ", declared as published by Docker")
    for ports, protocol, destination in redirects:
        keys = {(int(port), one) for port in ports.split(",") if port.isdigit() for one in ((protocol,) if protocol else ("tcp", "udp"))}
        if not keys or not keys <= (publishers.keys() | known):
            target = "%s%s" % (ports or "any port", "/" + protocol if protocol else "")
            found.append("%s: sent on to %s by a rule of the kernel, declared nowhere" % (target, destination))
    return list(dict.fromkeys(found))


def _grouped(openings: t.Iterable[Opening]) -> dict[tuple[int, str, str], str]:
    """{(port, protocol, holder): the addresses, joined}, in the order of the ports."""
    found: dict[tuple[int, str, str], list[str]] = {}
    for one in sorted(openings, key=lambda one: (one.port, one.protocol, one.holder, ":" in one.address, one.address)):
        addresses = found.setdefault((one.port, one.protocol, one.holder), [])
        shown = "[%s]" % one.address if ":" in one.address else one.address
        if shown not in addresses:
            addresses.append(shown)
    return {key: " and ".join(addresses) for key, addresses in found.items()}


def _is_loopback(address: str) -> bool:
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return False
    mapped = getattr(ip, "ipv4_mapped", None)
    return bool(mapped.is_loopback if mapped else ip.is_loopback)


# The firewall


def _firewall(wanted: Wanted) -> tuple[list[str], list[tuple[str, str, str]]]:
    """(where UFW and the kernel differ from the declaration, the kernel's redirections)."""
    host = Host(finished)
    try:
        state = host.read()
        nat = host.live("-t", "nat")
    except FirewallError as error:
        raise ProbeError(str(error), "ansible-playbook gonogo.preflight.provision --tags ufw") from None
    redirects = [one for lines in nat.values() for one in parse_redirects(lines)]
    return passing(plan(state, wanted).reasons, state.live), redirects


def passing(reasons: t.Sequence[str], live: t.Mapping[int, t.Sequence[str]]) -> list[str]:
    """What the role would mend, and what lets connections in past UFW that it leaves alone."""
    past = ["IPv%d: the kernel has `%s`, declared nowhere" % (family, line) for family, lines in live.items() for line in bypasses(lines, family)]
    return list(dict.fromkeys([*reasons, *past]))


def parse_redirects(lines: t.Sequence[str]) -> list[tuple[str, str, str]]:
    """(ports, protocol, destination) of the rules of `iptables -t nat -S` that send what comes from outside elsewhere.

    Ports are "8080", "80,443", a range "8000:8010", or "" for all of them.
    """
    found = []
    for line in reached(lines, "PREROUTING"):
        target = re.search(r" -j (DNAT|REDIRECT)(?: --to-(?:destination|ports?) (\S+))?", line)
        address = re.search(r"(! )?-d (\S+?)(?:/\d+)?(?= )", line)
        if not target or of_loopback(line) or (address and not address.group(1) and _is_loopback(address.group(2))):
            continue
        ports = re.search(r" --dports? (\S+)", line)
        protocol = re.search(r" -p (\S+)", line)
        found.append((ports.group(1) if ports else "", protocol.group(1) if protocol else "", target.group(2) or target.group(1)))
    return found


# Listeners


def _listening() -> list[Opening]:
    """What listens on TCP, and on UDP but for clients: those hold a port of the kernel's choice only until their answer comes."""
    low, high = _ephemeral()
    sockets = _sockets()
    doubtful = [one for one in sockets if one.protocol == "udp" and low <= one.port <= high and not _is_loopback(one.address)]
    if doubtful:
        time.sleep(_PAUSE)
        still = set(_sockets())
        sockets = [one for one in sockets if one not in doubtful or one in still]
    return sockets


def _sockets() -> list[Opening]:
    return parse_sockets(output_of(["ss", "-Hlntup"], package="iproute2"))


def parse_sockets(text: str) -> list[Opening]:
    """The lines of `ss -Hlntup` (ss(8)). A socket without a process is the kernel's own, such as WireGuard's."""
    found = []
    for line in text.splitlines():
        fields = line.split(maxsplit=6)
        if len(fields) < 6 or (fields[0], fields[1]) not in (("tcp", "LISTEN"), ("udp", "UNCONN")):
            raise ProbeError("ss answered %r" % line[:80])
        address, _colon, port = fields[4].rpartition(":")
        address, _percent, interface = address.partition("%")
        if not port.isdigit():
            raise ProbeError("ss answered %r" % line[:80])
        programs = re.findall(r'\("([^"]*)",pid=', fields[6]) if len(fields) == 7 else []
        # Bound to the loopback's interface, it is as good as bound to its address.
        place = "127.0.0.1" if interface == "lo" else address.strip("[]")
        found.append(Opening(int(port), fields[0], place, ", ".join(dict.fromkeys(programs)) or "the kernel"))
    return found


def _ephemeral() -> tuple[int, int]:
    try:
        with open(_EPHEMERAL, encoding="ascii") as file:
            low, high = file.read().split()
        return int(low), int(high)
    except (OSError, ValueError) as error:
        raise ProbeError("cannot read %s: %s" % (_EPHEMERAL, error)) from None


# Docker


def _docker(let_out: t.Sequence[str]) -> tuple[str, list[Opening], list[str]]:
    """(what was asked, in words; the ports that running containers publish; the networks outside of `let_out`, a text each)."""
    if not any(os.path.exists(os.path.join(path, "dockerd")) for path in ("/usr/bin", "/usr/sbin", "/usr/local/bin")):
        return "no Docker", [], []
    # docker.socket would start an engine that is stopped, and a check changes nothing.
    if not parse_unit(output_of(["systemctl", "show", "-p", "ActiveState", "-p", "UnitFileState", "docker.service"]))[0]:
        return "Docker is stopped, of what it publishes the kernel's rules alone", [], []
    backend = parse_backend(output_of(["docker", "info", "--format", "{{json .}}"], package="docker-cli"))
    if backend != "iptables":
        raise ProbeError("Docker's firewall backend is %s, which passes DOCKER-USER by" % backend, "set firewall-backend: iptables in daemon.json")
    try:
        (containers, published), networks = _published(), output_of(COMMAND)
    except ProbeError:
        # A container, or a network, may end between the two commands.
        (containers, published), networks = _published(), output_of(COMMAND)
    return containers, published, _strangers(networks, let_out)


def _published() -> tuple[str, list[Opening]]:
    ids = output_of(["docker", "ps", "--quiet", "--no-trunc"]).split()
    return "%d containers" % len(ids), parse_published(output_of(["docker", "inspect", *ids])) if ids else []


def _strangers(text: str, let_out: t.Sequence[str]) -> list[str]:
    """A text for each network of `docker network inspect` that DOCKER-USER lets nothing out of, without containers too: they come."""
    try:
        found = cut_off(parse_networks(text), let_out)
    except NetworksError as error:
        raise ProbeError(str(error)) from None
    message = "network %s of Docker (%s): outside ufw_container_networks, so that its containers reach nothing; add it there, or %s"
    # Docker's own takes the address of daemon.json when the engine starts, but not while containers run on.
    own = "have the role docker set docker_address_pool, stop all containers and systemctl restart docker"
    return [message % (network.name, subnet, own if network.name == "bridge" else "docker network rm " + network.name) for network, subnet in found]


def parse_backend(text: str) -> str:
    """The firewall backend of `docker info --format '{{json .}}'`: iptables, unless an engine (from 29 on) names another one."""
    try:
        info = json.loads(text)
        if not info["ID"]:
            raise ValueError("it has no ID")
        driver = (info.get("FirewallBackend") or {}).get("Driver") or "iptables"
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ProbeError("docker info does not describe an engine: %s" % error, "systemctl restart docker") from None
    return "iptables" if str(driver).startswith("iptables") else str(driver)


def parse_published(text: str) -> list[Opening]:
    """The ports that the containers of `docker inspect` publish, running ones."""
    found = []
    try:
        for container in json.loads(text):
            for inside, bindings in container["NetworkSettings"]["Ports"].items():
                for binding in bindings or ():
                    address = binding["HostIp"] or "*"
                    found.append(Opening(int(binding["HostPort"]), inside.rpartition("/")[2], address, container["Name"].lstrip("/")))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ProbeError("docker inspect answered what cannot be read: %r" % error) from None
    return found
