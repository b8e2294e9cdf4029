# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""OpenSSH server: its effective configuration (`sshd -T`) and where it really listens."""

from __future__ import annotations

import re
import typing as t

from ._base import Observation, Probe, ProbeError, output_of

__all__ = ["SshdProbe", "parse_configured_ports", "parse_listening_ports"]


class SshdProbe(Probe):
    ARGUMENTS = {"fact": {"type": "str", "required": True, "choices": ["ports"]}}

    def fact_ports(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        """TCP ports that sshd is configured for or listens on, through a socket unit too, a sorted list."""
        configured = parse_configured_ports(output_of(["sshd", "-T"], package="openssh-server"))
        listening = parse_listening_ports(output_of(["ss", "-Hltnp"], package="iproute2"))
        if not listening:
            raise ProbeError("nothing listens for SSH; sshd -T says port %s" % configured)
        return Observation(sorted(configured | listening), "sshd -T and ss -ltnp")


def parse_configured_ports(text: str) -> set[int]:
    """The ports of `sshd -T` (sshd_config(5), Port)."""
    ports = {int(port) for port in re.findall(r"^port (\d+)$", text, re.MULTILINE)}
    if not ports:
        raise ProbeError("sshd -T names no port")
    return ports


def parse_listening_ports(text: str) -> set[int]:
    """The local ports of the lines of `ss -Hltnp` whose process is sshd, or systemd on a port of ssh.socket.

    systemd holds the socket where SSH is socket-activated (Ubuntu 24.04); it holds none else with this name.
    """
    ports = set()
    for line in text.splitlines():
        fields = line.split()
        if len(fields) >= 6 and re.search(r'"sshd"', fields[5]):
            ports.add(int(fields[3].rpartition(":")[2]))
    return ports
