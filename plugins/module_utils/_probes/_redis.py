# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Redis through redis-py, with the password from the root-only file that the redis role writes."""

from __future__ import annotations

import re
import typing as t

from ._base import NETWORK, Observation, Probe, ProbeError, UnansweredError

__all__ = ["RedisProbe"]

_TIMEOUT = 5.0
_RESTART = "systemctl restart redis-server"
_SECRET = re.compile(r"pass|auth|user|[*?\[]")


class RedisProbe(Probe):
    SEES = NETWORK
    ARGUMENTS = {
        "fact": {"type": "str", "required": True, "choices": ["aof", "config", "unauthenticated", "version"]},
        "host": {"type": "str", "default": "127.0.0.1"},
        "port": {"type": "int", "default": 6379},
        "password_file": {"type": "path", "default": "/etc/gonogo/redis-password"},
        "name": {"type": "str"},
    }

    def __init__(self, secrets: t.Mapping[str, str]) -> None:
        super().__init__(secrets)
        self._clients: dict[tuple[str, int, str], t.Any] = {}

    def client(self, arguments: t.Mapping[str, t.Any], *, password: t.Optional[str]) -> t.Any:
        """A connected client without retries; protocol 2 and explicit timeouts, since the defaults differ by version."""
        try:
            import redis
        except ImportError as error:
            raise ProbeError("library missing: %s" % error, "apt-get install python3-redis") from None
        key = (arguments["host"], arguments["port"], password or "")
        if key not in self._clients:
            options: dict[str, t.Any] = {
                "host": arguments["host"],
                "port": arguments["port"],
                "password": password,
                "socket_timeout": _TIMEOUT,
                "socket_connect_timeout": _TIMEOUT,
                "retry": redis.retry.Retry(redis.backoff.NoBackoff(), 0),
                "decode_responses": True,
            }
            self._clients[key] = redis.Redis(**options, **_protocol(redis))
        return self._clients[key]

    def ask(self, arguments: t.Mapping[str, t.Any], *command: str) -> t.Any:
        """The reply to one command; raises ProbeError with Redis' own word."""
        client = self.client(arguments, password=_password(arguments["password_file"]))
        try:
            return client.execute_command(*command)
        except Exception as error:
            raise _refusal(error) from None

    def fact_version(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        """Version of the server that is running."""
        return Observation(self.ask(arguments, "INFO", "server")["redis_version"], "INFO server")

    def fact_config(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        """The live value of setting `name`, as text."""
        name = arguments.get("name")
        if not name:
            raise ProbeError("fact config needs `name`")
        if _SECRET.search(name):
            raise ProbeError("setting %s is, or may hold, a secret; it is not shown" % name)
        reply = self.ask(arguments, "CONFIG GET", name)
        settings = reply if isinstance(reply, dict) else dict(zip(reply[::2], reply[1::2]))
        if name not in settings:
            raise ProbeError("Redis has no setting %s" % name)
        return Observation(settings[name], "CONFIG GET %s" % name)

    def fact_aof(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        """Setting appendonly, and what spoils it: the append-only file is not written, or its last write failed."""
        setting = self.fact_config(dict(arguments, name="appendonly")).value
        info = self.ask(arguments, "INFO", "persistence")
        if setting == "yes" and info.get("aof_enabled") != 1:
            setting = "yes, but the append-only file is not being written"
        elif setting == "yes" and info.get("aof_last_write_status") != "ok":
            setting = "yes, but the last write ended with %s" % info.get("aof_last_write_status", "no status")
        return Observation(setting, "CONFIG GET appendonly, INFO persistence")

    def fact_unauthenticated(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        """What a client without a password gets: "refused", or "answered"."""
        client = self.client(arguments, password=None)
        try:
            client.ping()
        except Exception as error:
            # Not "DENIED": protected mode says that when there is no password at all.
            if any(word in str(error) for word in ("NOAUTH", "Authentication required")):
                return Observation("refused", "PING without a password")
            raise _refusal(error) from None
        return Observation("answered", "PING without a password")


def _refusal(error: Exception) -> ProbeError:
    """What Redis or the way to it said; a restart helps only where there was no answer."""
    silent = isinstance(error, OSError) or type(error).__name__ in ("ConnectionError", "TimeoutError")
    return UnansweredError("Redis does not answer: %s" % error, _RESTART) if silent else ProbeError("Redis refuses: %s" % error)


def _protocol(redis: t.Any) -> dict[str, t.Any]:
    """redis-py speaks protocol 3 by default from 8.0 on, and does not know the option before 5.0."""
    return {"protocol": 2} if int(str(redis.__version__).split(".", maxsplit=1)[0]) >= 5 else {}


def _password(path: str) -> str:
    try:
        with open(path, encoding="utf-8") as file:
            password = file.read().strip()
    except (OSError, UnicodeError) as error:
        raise ProbeError("cannot read Redis' password from %s: %s" % (path, getattr(error, "strerror", "not UTF-8"))) from None
    if not password:
        raise ProbeError("%s holds no password" % path)
    return password
