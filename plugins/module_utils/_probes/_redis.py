# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Redis through redis-py, with the password from the root-only file that the redis role writes."""

from __future__ import annotations

import typing as t

from ._base import Observation, Probe, ProbeError

__all__ = ["RedisProbe"]

_TIMEOUT = 5.0
_RESTART = "systemctl restart redis-server"


class RedisProbe(Probe):
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
                "retry_on_timeout": False,
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
            raise ProbeError("Redis does not answer: %s" % error, _RESTART) from None

    def fact_version(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        """Version of the server that is running."""
        return Observation(self.ask(arguments, "INFO", "server")["redis_version"], "INFO server")

    def fact_config(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        """The live value of setting `name`, as text."""
        name = arguments.get("name")
        if not name:
            raise ProbeError("fact config needs `name`")
        reply = self.ask(arguments, "CONFIG GET", name)
        settings = reply if isinstance(reply, dict) else dict(zip(reply[::2], reply[1::2]))
        if name not in settings:
            raise ProbeError("Redis has no setting %s" % name)
        return Observation(settings[name], "CONFIG GET %s" % name)

    def fact_aof(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        """"yes" while the append-only file is on and its last write succeeded."""
        setting = self.fact_config(dict(arguments, name="appendonly")).value
        info = self.ask(arguments, "INFO", "persistence")
        if setting == "yes" and info.get("aof_last_write_status") != "ok":
            setting = "yes, but the last write ended with %s" % info.get("aof_last_write_status", "no status")
        return Observation(setting, "CONFIG GET appendonly, INFO persistence")

    def fact_unauthenticated(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        """What a client without a password gets: "refused", or "answered"."""
        try:
            self.client(arguments, password=None).ping()
        except Exception as error:
            refusals = ("NOAUTH", "Authentication required", "DENIED")
            if any(word in str(error) for word in refusals):
                return Observation("refused", "PING without a password")
            raise ProbeError("Redis does not answer: %s" % error, _RESTART) from None
        return Observation("answered", "PING without a password")


def _protocol(redis: t.Any) -> dict[str, t.Any]:
    """redis-py speaks protocol 3 by default from 8.0 on, and does not know the option before 5.0."""
    return {"protocol": 2} if int(str(redis.__version__).split(".", maxsplit=1)[0]) >= 5 else {}


def _password(path: str) -> t.Optional[str]:
    try:
        with open(path, encoding="utf-8") as file:
            return file.read().strip() or None
    except OSError as error:
        raise ProbeError("cannot read Redis' password from %s: %s" % (path, error.strerror)) from None
