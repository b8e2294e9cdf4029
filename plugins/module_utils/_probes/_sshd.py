# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""OpenSSH server: its effective configuration (`sshd -T`) and where it really listens."""

from __future__ import annotations

import re
import typing as t

from ._base import Observation, Probe, ProbeError, output_of

__all__ = ["SshdProbe", "parse_configured_ports", "parse_listening_ports", "parse_socket_ports"]


class SshdProbe(Probe):
    ARGUMENTS = {"fact": {"type": "str", "required": True, "choices": ["ports"]}}

    def fact_ports(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        """TCP ports that sshd is configured for or listens on, through a socket unit too, a sorted list."""
        listening = parse_listening_ports(output_of(["ss", "-Hltnp"], package="iproute2"))
        by_systemd = parse_socket_ports(output_of(["systemctl", "show", "-p", "ActiveState", "-p", "Listen", "ssh.socket"]))
        if by_systemd:
            # Socket activation (Ubuntu 24.04): systemd holds the ports, and sshd ignores its own Port lines.
            return Observation(sorted(by_systemd | listening), "ssh.socket and ss -ltnp")
        configured = parse_configured_ports(output_of(["sshd", "-T"], package="openssh-server"))
        if not listening:
            raise ProbeError("nothing listens for SSH; sshd -T says port %s" % ", ".join(map(str, sorted(configured))), "systemctl restart ssh")
        return Observation(sorted(configured | listening), "sshd -T and ss -ltnp")


def parse_configured_ports(text: str) -> set[int]:
    """The ports of `sshd -T` (sshd_config(5), Port)."""
    ports = {int(port) for port in re.findall(r"^port (\d+)$", text, re.MULTILINE)}
    if not ports:
        raise ProbeError("sshd -T names no port")
    return ports


def parse_listening_ports(text: str) -> set[int]:
    """The ports of the lines of `ss -Hltnp` (ss(8)) that sshd holds and that others can reach.

    On the loopback addresses sshd also listens for what clients forward (X11, ssh -R), by the same name.
    """
    ports = set()
    for line in text.splitlines():
        fields = line.split(maxsplit=5)
        if len(fields) < 5 or fields[0] != "LISTEN":
            raise ProbeError("ss answered %r" % line[:80])
        address, _colon, port = fields[3].rpartition(":")
        if '"sshd"' in fields[-1] and not address.startswith(("127.", "[::1]")):
            ports.add(int(port))
    return ports


def parse_socket_ports(text: str) -> set[int]:
    """The ports of `systemctl show -p ActiveState -p Listen` of a socket unit; none unless it is active."""
    if "ActiveState=" not in text:
        raise ProbeError("systemctl does not say what state ssh.socket is in")
    if not re.search(r"^ActiveState=active$", text, re.MULTILINE):
        return set()
    return {int(port) for port in re.findall(r"^Listen=\S*?:?(\d+) \(Stream\)$", text, re.MULTILINE)}
