# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hold a running Redis to its settings, without a restart and without losing what it holds."""

from __future__ import annotations

import re
import time
import typing as t

__all__ = ["SettingsError", "Server", "differences"]

# redis.conf: "1k => 1000 bytes, 1kb => 1024 bytes, ..., units are case insensitive"
_UNITS = {"": 1, "b": 1, "k": 1000, "kb": 1024, "m": 1000**2, "mb": 1024**2, "g": 1000**3, "gb": 1024**3}


class SettingsError(Exception):
    """Redis does not take its settings; the message says why and what to do."""


def differences(live: t.Mapping[str, str], wanted: t.Mapping[str, str]) -> dict[str, str]:
    """The settings of `wanted` that are not `live`; sizes are compared in bytes, the rest as text."""
    return {name: value for name, value in wanted.items() if _plain(live.get(name, "")) != _plain(value)}


def _plain(value: str) -> str:
    size = re.fullmatch(r"(\d+)\s*([kmg]?b?)", value.strip().lower())
    return str(int(size.group(1)) * _UNITS[size.group(2)]) if size else value.strip()


class Server:
    """One Redis server; `connect` is redis.Redis or acts like it, with the exceptions of the module `errors`."""

    def __init__(self, connect: t.Callable[..., t.Any], errors: t.Any, port: int) -> None:
        self._connect = connect
        self._errors = errors
        self._port = port
        self._client: t.Any = None

    def log_in(self, passwords: t.Sequence[str], *, limit: float) -> str | None:
        """The first of `passwords` ("" for none) that the server takes; None where no server answers.

        A server that is still loading its data is waited for, `limit` seconds at most.
        """
        deadline = time.monotonic() + limit
        for password in passwords:
            client = self._connect(host="127.0.0.1", port=self._port, password=password or None, socket_timeout=5, decode_responses=True)
            while True:
                try:
                    client.ping()
                    self._client = client
                    return password
                except self._errors.BusyLoadingError:
                    if time.monotonic() > deadline:
                        raise SettingsError("it has been loading its data for %d s; try again later" % limit) from None
                    time.sleep(0.5)
                except self._errors.AuthenticationError:
                    break
                except self._errors.ResponseError as error:
                    # What newer libraries turn into an AuthenticationError, redis-py 4.3 does not.
                    if not re.match("(NO)?AUTH|WRONGPASS", str(error)):
                        raise SettingsError(str(error)) from None
                    break
                except (self._errors.ConnectionError, self._errors.TimeoutError):
                    return None
        raise SettingsError(
            "it takes neither the password of the inventory, nor the one it had before, nor none. Somebody changed it by hand; "
            "with `systemctl restart redis-server` it takes the one of its files again"
        )

    def version(self) -> str:
        return str(self._client.info("server")["redis_version"])

    def settings(self, names: t.Iterable[str]) -> dict[str, str]:
        return {name: str(self._client.config_get(name).get(name, "")) for name in names}

    def change(self, settings: t.Mapping[str, str], *, limit: float) -> None:
        """Set `settings`. Where this turns the append-only file on, wait until it holds the whole data set: before that,
        a restart finds an empty one and starts without the data (https://redis.io/docs/latest/operate/oss_and_stack/management/persistence/)."""
        for name, value in settings.items():
            try:
                self._client.config_set(name, value)
            except self._errors.RedisError as error:
                raise SettingsError("CONFIG SET %s: %s" % (name, error)) from None
        deadline = time.monotonic() + limit
        while settings.get("appendonly") == "yes":
            state = self._client.info("persistence")
            if not state["aof_rewrite_in_progress"] and not state["aof_rewrite_scheduled"]:
                if state["aof_last_bgrewrite_status"] == "ok":
                    return
                raise SettingsError("the append-only file could not be written; see the log of redis-server")
            if time.monotonic() > deadline:
                raise SettingsError("the append-only file is not complete after %d s; do not restart Redis before it is" % limit)
            time.sleep(0.2)
