# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A running Redis is held to its settings, whatever its password was, and its data outlives the change."""

from __future__ import annotations

import types

import pytest

from ansible_collections.gonogo.preflight.plugins.module_utils._redis_settings import Server, SettingsError, differences


class RedisError(Exception):
    pass


def kind(name, base=RedisError):
    return type(name, (base,), {})


ConnectionError_ = kind("ConnectionError")
ERRORS = types.SimpleNamespace(
    RedisError=RedisError,
    ConnectionError=ConnectionError_,
    TimeoutError=kind("TimeoutError"),
    AuthenticationError=kind("AuthenticationError", ConnectionError_),
    ResponseError=kind("ResponseError"),
    BusyLoadingError=kind("BusyLoadingError", ConnectionError_),
)


class Fake:
    """A Redis with a password; `persistence` is what INFO answers, one after the other."""

    def __init__(self, password="", persistence=(), pings=()):
        self.password = password
        self.persistence = list(persistence)
        self.pings = list(pings)
        self.live = {"appendonly": "no"}

    def connect(self, **options):
        self.given = options["password"] or ""
        return self

    def ping(self):
        if self.pings:
            raise self.pings.pop(0)
        if self.given != self.password:
            raise ERRORS.AuthenticationError("WRONGPASS") if self.given else ERRORS.ResponseError("NOAUTH Authentication required.")

    def info(self, section):
        return self.persistence.pop(0) if len(self.persistence) > 1 else self.persistence[0]

    def config_set(self, name, value):
        if name == "bind":
            raise ERRORS.ResponseError("Failed to bind to specified addresses")
        self.live[name] = value

    def config_get(self, name):
        return {name: self.live[name]}


def state(running, scheduled=0, status="ok"):
    return {"aof_rewrite_in_progress": running, "aof_rewrite_scheduled": scheduled, "aof_last_bgrewrite_status": status}


def server(fake):
    return Server(fake.connect, ERRORS, 6379)


def logged_in(fake):
    found = server(fake)
    found.log_in([fake.password], limit=1)
    return found


@pytest.mark.parametrize("live", ["2147483648", "2gb", "2GB", "2048mb"])
def test_equal_sizes_are_equal(live):
    assert differences({"maxmemory": live}, {"maxmemory": "2GB"}) == {}


@pytest.mark.parametrize("live", ["2000000000", "2g", "0", ""])
def test_other_sizes_differ(live):
    assert differences({"maxmemory": live}, {"maxmemory": "2GB"}) == {"maxmemory": "2GB"}


def test_text_is_compared_as_text():
    live = {"maxmemory-policy": "noeviction", "bind": "127.0.0.1 192.0.2.1"}
    wanted = {"maxmemory-policy": "allkeys-lru", "bind": "127.0.0.1 192.0.2.1"}
    assert differences(live, wanted) == {"maxmemory-policy": "allkeys-lru"}


@pytest.mark.parametrize("password", ["new", "old", ""])
def test_the_server_is_asked_with_the_password_it_has(password):
    assert server(Fake(password)).log_in(["new", "old", ""], limit=1) == password


@pytest.mark.parametrize("refusal", ["NOAUTH Authentication required.", "WRONGPASS invalid", "AUTH <password> called without any password"])
def test_a_refusal_of_an_old_library_is_a_refusal(refusal):
    assert server(Fake("old", pings=[ERRORS.ResponseError(refusal)])).log_in(["new", "old"], limit=1) == "old"


def test_another_error_of_the_server_is_shown():
    with pytest.raises(SettingsError, match="MISCONF"):
        server(Fake("new", pings=[ERRORS.ResponseError("MISCONF disk full")])).log_in(["new"], limit=1)


def test_a_password_that_nobody_knows_is_an_error_that_says_what_to_do():
    with pytest.raises(SettingsError, match="systemctl restart redis-server"):
        server(Fake("by hand")).log_in(["new", "old", ""], limit=1)


def test_a_server_that_is_down_is_not_an_error_of_its_password():
    assert server(Fake("new", pings=[ERRORS.ConnectionError("refused")])).log_in(["new"], limit=1) is None


def test_a_server_that_loads_its_data_is_waited_for():
    assert server(Fake("new", pings=[ERRORS.BusyLoadingError("LOADING")])).log_in(["new"], limit=5) == "new"


def test_a_server_that_loads_too_long_is_an_error():
    with pytest.raises(SettingsError, match="loading its data"):
        server(Fake("new", pings=[ERRORS.BusyLoadingError("LOADING")])).log_in(["new"], limit=-1)


def test_the_append_only_file_is_complete_when_it_counts_as_on():
    fake = Fake(persistence=[state(0, scheduled=1), state(1), state(0)])
    logged_in(fake).change({"appendonly": "yes"}, limit=5)
    assert fake.persistence == [state(0)]


def test_an_append_only_file_that_cannot_be_written_is_an_error():
    with pytest.raises(SettingsError, match="could not be written"):
        logged_in(Fake(persistence=[state(0, status="err")])).change({"appendonly": "yes"}, limit=5)


def test_an_append_only_file_that_takes_too_long_is_an_error():
    with pytest.raises(SettingsError, match="do not restart Redis"):
        logged_in(Fake(persistence=[state(1)])).change({"appendonly": "yes"}, limit=-1)


def test_a_setting_that_redis_refuses_is_named():
    with pytest.raises(SettingsError, match="CONFIG SET bind: Failed to bind"):
        logged_in(Fake()).change({"bind": "192.0.2.99"}, limit=1)
