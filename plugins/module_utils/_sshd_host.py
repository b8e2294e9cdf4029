# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Change what this host's sshd does, and put it back by a timer unless a new connection proves that it lets one in."""

from __future__ import annotations

import contextlib
import fnmatch
import glob
import grp
import ipaddress
import os
import pwd
import re
import socket
import time
import typing as t
from dataclasses import dataclass

from . import _authorized_keys as keys
from ._revert import Run, Way, replace
from ._ssh_login import Accepted, Connection
from ._sshd import MAIN, Effective, SshdError, anybody, parse_effective, parse_listening_ports, parse_socket_ports, walk
from ._sshd_files import Server, text_of
from ._sshd_plan import (
    DROP_IN,
    SOCKET_DROP_IN,
    accepted_algorithms,
    beaten,
    included,
    listeners,
    of_one_port,
    rendered,
    shut_out,
    simulated,
    socket_text,
)

__all__ = ["Guard", "Host", "Plan", "clients"]

UNIT = "gonogo-ssh-revert"
STORE = "/var/lib/gonogo/ssh"

_DIRECTORY = os.path.dirname(DROP_IN)
_SOCKET_DIRECTORY = os.path.dirname(SOCKET_DROP_IN)
_QUERIES = {"kex": "kex", "cipher": "cipher", "mac": "mac", "hostkey": "HostKeyAlgorithms", "userkey": "PubkeyAcceptedAlgorithms"}
_PATIENCE = 10.0
_GREETING = 2.0

# `active` says that ssh.socket holds the ports. What is open stays open: ssh.service has KillMode=process. A restart, and no reload, where
# sshd has died; it forgets whom it keeps waiting for failed logins (PerSourcePenalties), too.
# Logins that the settings of the meantime refused count as failures for fail2ban, which bans whoever tried whether he gets in; at boot it may
# still be about to listen.
_REVERT = """cp -a before/sshd_config {main}
for kept in {directory} {socket}; do
  rm -rf "$kept" && [ ! -e "before/${{kept##*/}}" ] || cp -a "before/${{kept##*/}}" "$kept"
done
systemctl daemon-reload
systemctl reset-failed ssh.service ssh.socket
[ ! -e before/active ] || {{ systemctl stop ssh.service; systemctl restart ssh.socket; }}
systemctl restart ssh.service
[ ! -e before/clients ] || ! command -v fail2ban-client >/dev/null || while read -r client; do
  for again in 1 2 3 4 5; do
    fail2ban-client unban "$client" </dev/null && break
    systemctl is-active --quiet fail2ban.service || break
    sleep 1
  done
done <before/clients
"""


@dataclass(frozen=True)
class Plan:
    """What mends the difference; nothing of it where there is none.

    :ivar files: new text of each file that changes, None for one that goes.
    :ivar before: its text now, "" for one that is absent.
    :ivar reasons: one line for each difference found.
    :ivar planned: what sshd says of anybody's connection, once it has read them.
    :ivar login: what it says of the connection of this run.
    """

    files: t.Mapping[str, t.Optional[str]]
    before: t.Mapping[str, str]
    reasons: t.Sequence[str]
    planned: Effective
    login: Effective


class Guard(Way):
    """The timer that puts sshd's configuration back."""

    def __init__(self, run: Run) -> None:
        keeps = {MAIN: "sshd_config", _DIRECTORY: "sshd_config.d", _SOCKET_DIRECTORY: "ssh.socket.d"}
        script = _REVERT.format(main=MAIN, directory=_DIRECTORY, socket=_SOCKET_DIRECTORY)
        after, optional = ["ssh.service", "ssh.socket", "fail2ban.service"], [_DIRECTORY, _SOCKET_DIRECTORY]
        super().__init__(run, unit=UNIT, store=STORE, keeps=keeps, script=script, after=after, error=SshdError, optional=optional, adds=["clients"])


def clients(login: t.Optional[Connection]) -> dict[str, str]:
    """What Guard.arm notes of the connection of this run, whose address fail2ban is to forget; what is no address is left out."""
    try:
        return {"clients": "%s\n" % ipaddress.ip_address(login.client)} if login else {}
    except ValueError:
        return {}


class Host:
    """The sshd of this host; `run` runs a command in the C locale, `scratch` is a directory for files of this call."""

    def __init__(self, run: Run, scratch: str) -> None:
        self._run = run
        self._scratch = scratch
        self._units = _units(self._do("systemctl", "show", "-p", "Id", "-p", "ActiveState", "-p", "UnitFileState", "-p", "Listen", "ssh.service", "ssh.socket"))

    @property
    def by_socket(self) -> bool:
        """Whether ssh.socket holds the ports, and starts sshd for what comes in."""
        return self._is("ssh.socket", "active")

    def plan(self, settings: t.Mapping[str, t.Any], algorithms: t.Sequence[str], login: t.Optional[Connection]) -> Plan:
        """The way to `settings` and `algorithms` (SshdError where there is none), for everybody whatever other files say."""
        server = Server(lambda command: self._do(*command))
        lines = server.lines()
        if not included(lines):
            raise SshdError("%s does not include %s; put the line `Include %s/*.conf` at its top" % (MAIN, DROP_IN, _DIRECTORY))
        supported = {kind: self._do("ssh", "-Q", query).split() for kind, query in _QUERIES.items()} if algorithms else {}
        wanted = {**settings, **(accepted_algorithms(algorithms, supported) if algorithms else {})}
        texts = {path: text_of(path) for path in {line.path for line in lines}}
        files: dict[str, t.Optional[str]] = {}
        if "Port" in wanted:
            files.update(of_one_port(lines, texts, [str(one) for one in _list(wanted["Port"])]))
        elsewhere = [path for path in files if path != MAIN and os.path.dirname(path) != _DIRECTORY]
        if elsewhere:
            raise SshdError("%s names another port, and the role changes files of %s alone; remove the line" % (elsewhere[0], _DIRECTORY))
        files[DROP_IN] = rendered(wanted)
        planned, of_login = self._tried(files, {keyword.lower() for keyword in wanted}, login)
        files[SOCKET_DROP_IN] = socket_text(planned) if self.by_socket else None
        before = {path: texts.get(path, text_of(path) if os.path.exists(path) else "") for path in files}
        files = {path: text for path, text in files.items() if (text or "") != before[path]}
        reasons = ["%s differs" % path for path in files] + self._unlike(server, planned)
        return Plan(files, {path: before[path] for path in files}, reasons, planned, of_login)

    def refuse_lockout(self, plan: Plan, login: Connection, by: t.Optional[Accepted], *, has_password: bool) -> None:
        """Raise SshdError where sshd would not let `login` in again."""
        account = pwd.getpwnam(login.user)
        groups = [grp.getgrgid(group).gr_name for group in os.getgrouplist(login.user, account.pw_gid)]
        places = keys.paths(plan.login.get("authorizedkeysfile", []), name=login.user, user=account.pw_uid, home=account.pw_dir)
        why = shut_out(login, plan.login, by=by, has_key=any(map(_has_key, places)), has_password=has_password, groups=groups)
        if why:
            mend = "Let this run log in as the settings have it (a key in accounts_users, another user, port or address), or change them"
            raise SshdError("nothing was changed: these settings lock this run out: %s. %s; ssh_require_login: false relies on the timer" % (why, mend))

    def apply(self, plan: Plan) -> None:
        """Write the files, have sshd read them, and wait until it does what is planned; raises SshdError where it does not."""
        for path, text in plan.files.items():
            if text is None:
                os.unlink(path)
                continue
            os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
            replace(path, text)
            if path == SOCKET_DROP_IN:
                os.chmod(path, 0o644)
        with _privilege_separation():
            self._do("sshd", "-t")
        if SOCKET_DROP_IN in plan.files:
            self._do("systemctl", "daemon-reload")
        if not any(self._is(unit, "enabled") for unit in ("ssh.service", "ssh.socket")):
            self._do("systemctl", "enable", "ssh.service")
        if self.by_socket and (SOCKET_DROP_IN in plan.files or self._elsewhere(plan.planned)):
            self._do("systemctl", "stop", "ssh.service")
            self._do("systemctl", "restart", "ssh.socket")
        self._run(["systemctl", "reset-failed", "ssh.service"])
        # The sshd of a socket dies of SIGHUP: it looks for its ports, which systemd has.
        self._do("systemctl", "restart" if self.by_socket else "reload-or-restart", "ssh.service")
        self._await(plan.planned)

    def _tried(self, files: t.Mapping[str, t.Optional[str]], keywords: t.Collection[str], login: t.Optional[Connection]) -> tuple[Effective, Effective]:
        """What sshd would say of anybody and of `login` with `files`, tried on copies; raises SshdError where something beats the drop-in."""

        def search(pattern: str) -> list[str]:
            return sorted({*glob.glob(pattern), *(path for path in files if fnmatch.fnmatchcase(path, pattern))})

        def read(path: str) -> str:
            text = files.get(path)
            return text_of(path) if text is None else text

        copies = simulated(MAIN, read, search, os.path.join(self._scratch, "copy"))
        alone = os.path.join(self._scratch, "alone")
        for name, (_source, text) in {**copies, alone: (DROP_IN, files[DROP_IN] or "")}.items():
            replace(name, text)
        everybody = anybody()
        of_login = "user=%s,host=%s,addr=%s,laddr=%s,lport=%d" % (login.user, login.client, login.client, login.server, login.port) if login else everybody
        found = []
        for connection in (everybody, of_login):
            with _privilege_separation():
                own, whole = [self._said(name, connection, copies) for name in (alone, next(iter(copies)))]
            stronger = beaten(own, whole, keywords)
            if stronger:
                raise SshdError(self._beaten(stronger[0], walk(MAIN, read, search), own, whole))
            found.append(whole)
        return found[0], found[1]

    def _said(self, name: str, connection: str, copies: t.Mapping[str, tuple[str, str]]) -> Effective:
        status, output, errors = self._run([_SSHD, "-T", "-f", name, "-C", connection])
        if status != 0:
            said = (errors or output).strip()
            for copy, (source, _text) in copies.items():
                said = re.sub(re.escape(copy) + r"\b", source, said)
            said = said.replace(os.path.join(self._scratch, "alone"), DROP_IN)
            raise SshdError("nothing was changed, sshd refuses these settings: %s" % said)
        return parse_effective(output)

    @staticmethod
    def _beaten(keyword: str, lines: t.Sequence[t.Any], own: Effective, whole: Effective) -> str:
        other = [line for line in lines if line.keyword == keyword and line.path != DROP_IN]
        place = "%s says so" % other[0].place if other else "another line says so"
        values = [" ".join(one.get(keyword, ["nothing"])) for one in (whole, own)]
        return "nothing was changed: %s would stay %s instead of %s; %s, and comes first. Move or remove that line" % (keyword, *values, place)

    def _unlike(self, server: Server, planned: Effective) -> list[str]:
        """Where the running sshd does something else than its files say."""
        if not self.by_socket and not self._is("ssh.service", "active"):
            return ["sshd does not run"]
        found = []
        if self._is("ssh.service", "active"):
            options = server.options()
            if options:
                mend = "empty SSHD_OPTS in /etc/default/ssh, or take them out of ssh.service (systemctl cat ssh), where ec2-instance-connect puts its own"
                raise SshdError("sshd was started with %s, which beats every file; %s" % (" ".join(options), mend))
            newer = server.unread()
            found += ["sshd has not read %s since it was changed" % newer] if newer else []
        if self._elsewhere(planned):
            found.append("sshd does not listen on %s alone" % ", ".join(listeners(planned)))
        if not any(self._is(unit, "enabled") for unit in ("ssh.service", "ssh.socket")):
            found.append("sshd is not started at boot")
        return found

    def _elsewhere(self, planned: Effective) -> bool:
        """Whether others can reach another port, or not each of those that are planned."""
        reached = [one for one in listeners(planned) if not one.startswith(("127.", "[::1]"))]
        ports = {int(one.rpartition(":")[2]) for one in reached}
        held = parse_listening_ports(self._do("ss", "-Hltnp"))
        if not self.by_socket:
            return held != ports
        # What the unit says is what it will listen on after its next restart; the kernel says what is so, once sshd has its sockets.
        told = parse_socket_ports(self._do("systemctl", "show", "-p", "ActiveState", "-p", "Listen", "ssh.socket"))
        return told != ports or bool(held) and held != ports

    def _await(self, planned: Effective) -> None:
        end = time.monotonic() + _PATIENCE
        while True:
            try:
                newer = Server(lambda command: self._do(*command)).unread()
                if newer:
                    unlike = "it has not read %s" % newer
                elif self._elsewhere(planned):
                    unlike = "it does not listen on %s alone" % ", ".join(listeners(planned))
                # systemd listens for sshd on addresses too that the host does not have (FreeBind).
                elif not any(map(greets, listeners(planned))):
                    unlike = "it greets nobody on %s" % ", ".join(listeners(planned))
                else:
                    return
            except SshdError as error:
                unlike = str(error)
            if time.monotonic() > end:
                raise SshdError("sshd does not do what its files say after %d s: %s; see journalctl -u ssh" % (_PATIENCE, unlike))
            time.sleep(0.2)

    def _is(self, unit: str, state: str) -> bool:
        return state in self._units.get(unit, ())

    def _do(self, *command: str) -> str:
        status, output, errors = self._run([_SSHD if command[0] == "sshd" else command[0], *command[1:]])
        if status != 0:
            raise SshdError("`%s` ended with %d: %s" % (" ".join(command), status, (errors or output).strip()))
        return output


def greets(listener: str) -> bool:
    """Whether an SSH server answers at "ADDRESS:PORT" of this host; of all its addresses, the loopback one is tried."""
    address, _colon, port = listener.rpartition(":")
    address = {"0.0.0.0": "127.0.0.1", "[::]": "::1"}.get(address, address.strip("[]"))
    try:
        with socket.create_connection((address, int(port)), timeout=_GREETING) as connection:
            return connection.recv(4) == b"SSH-"
    except OSError:
        return False


# sshd wants to be called by its path.
_SSHD = "/usr/sbin/sshd"
_EMPTY = "/run/sshd"


@contextlib.contextmanager
def _privilege_separation() -> t.Iterator[None]:
    """The directory that sshd wants for any question (sshd(8), FILES); it is not there while ssh.socket waits for the first connection."""
    absent = not os.path.isdir(_EMPTY)
    if absent:
        os.mkdir(_EMPTY, 0o755)
    try:
        yield
    finally:
        if absent:
            with contextlib.suppress(OSError):
                os.rmdir(_EMPTY)


def _units(text: str) -> dict[str, set[str]]:
    """Each unit of `systemctl show`, and the words for its states."""
    found = {}
    for block in text.split("\n\n"):
        fields = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
        if "Id" in fields:
            found[fields["Id"]] = {fields.get("ActiveState", ""), fields.get("UnitFileState", "")}
    if "ssh.service" not in found:
        raise SshdError("systemctl does not say what state ssh.service is in")
    return found


def _list(value: t.Any) -> list[t.Any]:
    return list(value) if isinstance(value, (list, tuple)) else [value]


def _has_key(path: str) -> bool:
    try:
        text = keys.read(path)
    except keys.KeyFileError:
        return False
    for line in keys.lines_of(text or ""):
        try:
            keys.parse_key(line)
        except keys.KeyLineError:
            continue
        return True
    return False
