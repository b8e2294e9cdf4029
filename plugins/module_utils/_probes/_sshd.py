# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""OpenSSH server: its effective configuration (`sshd -T`) and where it really listens."""

from __future__ import annotations

import typing as t

from .._sshd import Effective, SshdError, anybody, parse_effective, parse_listening_ports, parse_socket_ports
from .._sshd_files import Server
from ._base import Observation, Probe, ProbeError, Secrets, output_of

__all__ = ["SshdProbe", "algorithms", "methods"]

# The keyword of each way to log in, and what sshd calls that way.
_METHODS = {
    "pubkeyauthentication": "publickey",
    "passwordauthentication": "password",
    "kbdinteractiveauthentication": "keyboard-interactive",
    "hostbasedauthentication": "hostbased",
    "gssapiauthentication": "gssapi-with-mic",
}

_ALGORITHMS = {
    "kexalgorithms": "kex",
    "ciphers": "cipher",
    "macs": "mac",
    "hostkeyalgorithms": "hostkey",
    "pubkeyacceptedalgorithms": "userkey",
}


class SshdProbe(Probe):
    ARGUMENTS = {
        "fact": {"type": "str", "required": True, "choices": ["algorithms", "methods", "ports", "setting"]},
        "name": {"type": "str"},
        "user": {"type": "str", "default": ""},
    }

    def __init__(self, secrets: Secrets) -> None:
        super().__init__(secrets)
        self._server = Server(lambda command: output_of(command, package="openssh-server"))

    def fact_setting(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        """The value of the setting `name` in sshd's words, a text; for connections of `user`, or of anybody.

        Where a Match block makes a difference, a list of every value, each with its block.
        """
        name = str(arguments.get("name") or "").lower()
        if not name:
            raise ProbeError("fact setting needs `name`")

        def of(effective: Effective) -> list[str]:
            if name not in effective:
                raise ProbeError("sshd knows no setting %s" % name)
            return [" ".join(effective[name])]

        found = self._everywhere(of, str(arguments.get("user") or ""))
        return Observation(found[0] if len(found) == 1 else found, self._evidence())

    def fact_methods(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        """The ways to log in that sshd accepts, in its own words, a sorted list; with its block what a Match block alone accepts."""
        return Observation(sorted(self._everywhere(methods)), self._evidence())

    def fact_algorithms(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        """The algorithms that sshd accepts, each behind its kind (kex, cipher, mac, hostkey, userkey), a sorted list."""
        return Observation(sorted(self._everywhere(algorithms)), self._evidence())

    def _everywhere(self, of: t.Callable[[Effective], t.Sequence[str]], user: str = "") -> list[str]:
        """What `of` says of the general connection, then what it says beyond that of those that Match blocks single out."""
        try:
            self._server.require_read()
            said = {name: of(self._server.effective(how)) for name, how in self._server.connections(user).items()}
        except SshdError as error:
            raise ProbeError(str(error), error.remedy) from None
        general = list(said.pop(""))
        return general + ["%s (%s)" % (one, name) for name, values in said.items() for one in values if one not in general]

    def _evidence(self) -> str:
        blocks = sum(line.keyword == "match" for line in self._server.lines())
        return "sshd -T; %d lines of %d files, %d Match blocks" % (
            len(self._server.lines()),
            len({line.path for line in self._server.lines()}),
            blocks,
        )

    def fact_ports(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        """TCP ports that sshd is configured for or listens on, through a socket unit too, a sorted list."""
        try:
            return self._ports()
        except SshdError as error:
            raise ProbeError(str(error), error.remedy) from None

    def _ports(self) -> Observation:
        listening = parse_listening_ports(output_of(["ss", "-Hltnp"], package="iproute2"))
        by_systemd = parse_socket_ports(output_of(["systemctl", "show", "-p", "ActiveState", "-p", "Listen", "ssh.socket"]))
        if by_systemd:
            # Socket activation (Ubuntu 24.04): systemd holds the ports, and sshd ignores its own Port lines.
            return Observation(sorted(by_systemd | listening), "ssh.socket and ss -ltnp")
        configured = {int(port) for port in parse_effective(output_of(["sshd", "-T", "-C", anybody()], package="openssh-server"))["port"]}
        if not listening:
            raise ProbeError("nothing listens for SSH; sshd -T says port %s" % ", ".join(map(str, sorted(configured))), "systemctl restart ssh")
        return Observation(sorted(configured | listening), "sshd -T and ss -ltnp")


def methods(effective: Effective) -> list[str]:
    """The ways to log in of one `sshd -T`; raises ProbeError where one of them is not named."""
    missing = [keyword for keyword in _METHODS if keyword not in effective and keyword != "gssapiauthentication"]
    if missing:
        raise ProbeError("sshd -T does not say %s" % missing[0])
    found = [name for keyword, name in _METHODS.items() if effective.get(keyword, ["no"]) != ["no"]]
    # A password that is empty is one that everybody knows.
    return found + (["empty passwords"] if effective.get("permitemptypasswords") == ["yes"] else [])


def algorithms(effective: Effective) -> list[str]:
    """The algorithms of one `sshd -T`; raises ProbeError where it names none of a kind."""
    found = []
    for keyword, kind in _ALGORITHMS.items():
        names = [name for value in effective.get(keyword, []) for name in value.split(",") if name]
        if not names:
            raise ProbeError("sshd -T names no %s" % keyword)
        found += ["%s %s" % (kind, name) for name in names]
    if effective.get("gssapikeyexchange") == ["yes"]:
        found += ["kex %s" % name for value in effective.get("gssapikexalgorithms", []) for name in value.split(",") if name]
    return found
