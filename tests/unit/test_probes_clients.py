# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Probes that ask through a client library: library missing, server refusing, and the limits that each client is given.

The libraries here are doubles with the few names that the probes use; the real servers are asked in tests/lab.
"""

from __future__ import annotations

import os
import pwd
import sys
import types

import pytest

from ansible_collections.gonogo.preflight.plugins.module_utils._probes import _docker, _gpu, _postgresql, _redis
from ansible_collections.gonogo.preflight.plugins.module_utils._probes._base import ProbeError


def error(probe, **arguments):
    with pytest.raises(ProbeError) as raised:
        probe.observe(arguments)
    return str(raised.value), raised.value.remedy


@pytest.fixture
def library(monkeypatch):
    """Install a double of a library, made of its names."""

    def install(name, **names):
        module = types.ModuleType(name)
        module.__dict__.update(names)
        monkeypatch.setitem(sys.modules, name, module)
        return module

    return install


@pytest.mark.parametrize(
    ("kind", "arguments", "name", "package"),
    [
        (_docker.DockerProbe, {"fact": "version"}, "docker", "python3-docker"),
        (_docker.DockerProbe, {"fact": "project", "project": "app"}, "docker", "python3-docker"),
        (_docker.DockerProbe, {"fact": "daemon"}, "docker", "python3-docker"),
        (_gpu.GpuProbe, {"fact": "models"}, "pynvml", "python3-pynvml"),
        (_postgresql.PostgresqlProbe, {"fact": "version"}, "psycopg2", "python3-psycopg2"),
        (_redis.RedisProbe, {"fact": "version"}, "redis", "python3-redis"),
        (_redis.RedisProbe, {"fact": "unauthenticated"}, "redis", "python3-redis"),
    ],
)
def test_a_missing_library_is_an_error_that_names_its_package(monkeypatch, redis_address, kind, arguments, name, package):
    monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setattr(_docker, "unit", lambda: (True, True))
    message, remedy = error(kind({}), **{**redis_address, **arguments})
    assert message.startswith("library missing:")
    assert remedy == "apt-get install " + package


@pytest.mark.parametrize(
    ("kind", "arguments", "needed"),
    [
        (_docker.DockerProbe, {"fact": "project"}, "fact project needs `project`"),
        (_docker.DockerProbe, {"fact": "unconfirmed"}, "fact unconfirmed needs `path`, the directory of the project's releases"),
        (_postgresql.PostgresqlProbe, {"fact": "role"}, "fact role needs `name`"),
        (_redis.RedisProbe, {"fact": "config"}, "fact config needs `name`"),
    ],
)
def test_a_fact_without_what_it_needs_says_so(kind, arguments, needed):
    assert error(kind({}), **arguments)[0] == needed


# Docker


class EngineDouble:
    """An engine that answers what it is told, and remembers how it was asked for."""

    def __init__(self, *, silent=False, containers=()):
        self.silent = silent
        self.asked = []
        self.containers = types.SimpleNamespace(list=self.list_containers)
        self.running = containers

    def __call__(self, **options):
        self.asked.append(options)
        return self

    def ping(self):
        if self.silent:
            raise OSError("Read timed out. (read timeout=8)")
        return True

    def version(self):
        return {"Version": "26.1.5+dfsg1", "ApiVersion": "1.45"}

    def info(self):
        return {"ID": "f6c2"}

    def list_containers(self, **filters):
        self.asked.append(filters)
        return [types.SimpleNamespace(labels={"com.docker.compose.service": service}, attrs={"State": state}) for service, state in self.running]


@pytest.fixture
def engine(library, monkeypatch):
    def install(*, active=True, **options):
        double = EngineDouble(**options)
        library("docker", DockerClient=double)
        monkeypatch.setattr(_docker, "unit", lambda: (active, True))
        return double

    return install


def test_docker_is_asked_over_its_socket_within_a_limit(engine):
    double = engine()
    probe = _docker.DockerProbe({})
    assert probe.observe({"fact": "version"}).value == "26.1.5+dfsg1"
    assert probe.observe({"fact": "daemon"}).value == {"active": True, "enabled": True, "answers": True}
    assert double.asked == [{"base_url": "unix:///var/run/docker.sock", "version": "auto", "timeout": 8}]


def test_a_stopped_engine_is_not_connected_to(engine):
    """docker.socket would start it."""
    double = engine(active=False)
    probe = _docker.DockerProbe({})
    assert probe.observe({"fact": "daemon"}).value == {"active": False, "enabled": True, "answers": False}
    assert error(probe, fact="storage") == ("docker.service is not active", "systemctl start docker")
    assert double.asked == []


@pytest.mark.parametrize("fact", ["version", "daemon", "project"])
def test_a_silent_engine_is_an_error(engine, fact):
    engine(silent=True)
    message, remedy = error(_docker.DockerProbe({}), fact=fact, project="app")
    assert message == "the Docker Engine does not answer: Read timed out. (read timeout=8)"
    assert remedy == "systemctl restart docker"


HEALTHY = {"Running": True, "Status": "running", "Health": {"Status": "healthy"}}
UNHEALTHY = {"Running": True, "Status": "running", "Health": {"Status": "unhealthy"}}
PAUSED = {"Running": True, "Status": "paused", "Health": {"Status": "healthy"}}
RESTARTING = {"Running": True, "Status": "restarting", "Health": {"Status": "healthy"}}
EXITED = {"Running": False, "Status": "exited", "Health": {"Status": "healthy"}}
UNCHECKED = {"Running": True, "Status": "running"}
NO_HEALTH = {"Running": True, "Status": "running", "Health": None}


@pytest.mark.parametrize(
    ("containers", "value"),
    [
        ([], {}),
        ([("api", HEALTHY)], {"api": "healthy"}),
        ([("web", HEALTHY), ("api", UNHEALTHY)], {"api": "unhealthy", "web": "healthy"}),
        ([("api", UNHEALTHY), ("api", HEALTHY)], {"api": "healthy, unhealthy"}),
        ([("api", HEALTHY), ("api", HEALTHY)], {"api": "healthy"}),
        ([("api", PAUSED)], {"api": "paused"}),
        ([("api", RESTARTING)], {"api": "restarting"}),
        ([("api", EXITED)], {"api": "exited"}),
        ([("api", UNCHECKED)], {"api": "no health check"}),
        ([("api", NO_HEALTH)], {"api": "no health check"}),
    ],
)
def test_services_of_a_project(engine, containers, value):
    double = engine(containers=containers)
    assert _docker.DockerProbe({}).observe({"fact": "project", "project": "app"}).value == value
    assert double.asked[-1] == {"all": True, "filters": {"label": ["com.docker.compose.project=app", "com.docker.compose.oneoff=False"]}}


# PostgreSQL


class PsycopgError(Exception):
    """psycopg2.Error"""


class ServerDouble:
    """A server that answers with prepared rows, and remembers how it was connected to."""

    def __init__(self, *rows, refuses="", fails=""):
        self.rows = list(rows)
        self.refuses = refuses
        self.fails = fails
        self.connections = []
        self.statements = []

    def connect(self, **options):
        self.connections.append(options)
        if self.refuses:
            raise PsycopgError(self.refuses)
        return self

    def set_session(self, **options):
        self.session = options

    def cursor(self):
        return self

    def __enter__(self):
        return self

    def __exit__(self, *_details):
        return False

    def execute(self, statement, values):
        self.statements.append((statement, list(values)))
        if self.fails:
            raise PsycopgError(self.fails)

    def fetchall(self):
        return self.rows.pop(0)


@pytest.fixture
def server(library, monkeypatch):
    monkeypatch.setattr(_postgresql, "_become_postgres", lambda: None)

    def install(*rows, **options):
        double = ServerDouble(*rows, **options)
        library("psycopg2", connect=double.connect, Error=PsycopgError)
        return double

    return install


@pytest.mark.parametrize(("number", "version"), [("170006", "17.6"), ("150000", "15.0"), ("160015", "16.15")])
def test_version_of_postgresql(server, number, version):
    server([(number,)])
    assert _postgresql.PostgresqlProbe({}).observe({"fact": "version"}).value == version


def test_postgresql_is_asked_over_its_socket_read_only_and_within_limits(server):
    double = server([("170006",)], [("app",), ("postgres",)])
    probe = _postgresql.PostgresqlProbe({})
    probe.observe({"fact": "version"})
    assert probe.observe({"fact": "database"}).value == ["app", "postgres"]
    (options,) = double.connections
    assert (options["host"], options["user"], options["dbname"], options["connect_timeout"]) == ("/var/run/postgresql", "postgres", "postgres", 5)
    assert "statement_timeout=5000" in options["options"]
    assert "default_transaction_read_only=on" in options["options"]
    assert double.session == {"readonly": True, "autocommit": True}


@pytest.mark.parametrize(
    ("rights", "memberships", "value"),
    [
        ((False,) * 5, [], []),
        ((True, False, True, False, False), [], ["superuser", "create database"]),
        ((False,) * 5, [("pg_execute_server_program",)], ["member of pg_execute_server_program"]),
    ],
)
def test_privileges_of_a_role(server, rights, memberships, value):
    double = server([(*rights, True)], memberships)
    assert _postgresql.PostgresqlProbe({}).observe({"fact": "role", "name": "app"}).value == value
    assert {values for _statement, (values,) in double.statements} == {"app"}


@pytest.mark.parametrize("rows", [[], [(False,) * 6]])
def test_a_role_that_cannot_log_in_is_an_error_and_not_without_privileges(server, rows):
    server(rows, [])
    assert error(_postgresql.PostgresqlProbe({}), fact="role", name="app")[0] == "role app does not exist or cannot log in"


@pytest.mark.parametrize(
    ("refusal", "message"),
    [
        ('connection to server on socket "/x" failed: timeout expired\n', 'connection to server on socket "/x" failed: timeout expired'),
        ("FATAL:  the database system is starting up\n\thint", "FATAL:  the database system is starting up"),
        ("FATAL:  sorry, too many clients already\n", "FATAL:  sorry, too many clients already"),
    ],
)
def test_a_postgresql_that_refuses_is_an_error_in_its_own_words(server, refusal, message):
    server(refuses=refusal)
    assert error(_postgresql.PostgresqlProbe({}), fact="version") == ("PostgreSQL does not answer: " + message, "systemctl restart postgresql")


def test_a_query_that_fails_is_an_error(server):
    server(fails="canceling statement due to statement timeout\n")
    assert error(_postgresql.PostgresqlProbe({}), fact="version")[0] == "PostgreSQL refused the query: canceling statement due to statement timeout"


SERVER = {
    "host": "192.0.2.5",
    "port": 5433,
    "user": "app",
    "database": "shop",
    "secret": "postgresql_password of db1",
    "sslmode": "verify-full",
    "sslrootcert": "/etc/ssl/db.pem",
}
NETWORK = {"fact": "version", **SERVER}


def test_postgresql_is_asked_over_the_network_with_a_secret_that_is_named(server):
    double = server([("160004",)], [("shop",)])
    probe = _postgresql.PostgresqlProbe({"postgresql_password of db1": "s3cret"})
    assert probe.observe(NETWORK).value == "16.4"
    assert probe.observe(dict(NETWORK, fact="database")).value == ["shop"]
    (options,) = double.connections
    wanted = {"host": "192.0.2.5", "port": 5433, "user": "app", "password": "s3cret", "dbname": "shop", "sslmode": "verify-full"}
    assert {name: options[name] for name in wanted} == wanted and options["sslrootcert"] == "/etc/ssl/db.pem"
    assert "statement_timeout=5000" in options["options"] and options["connect_timeout"] == 5


def test_over_the_network_nothing_is_sent_in_the_clear_unless_it_is_said(server):
    double = server([("160004",)])
    _postgresql.PostgresqlProbe({"p": "s3cret"}).observe({"fact": "version", "host": "192.0.2.5", "user": "app", "database": "shop", "secret": "p"})
    assert double.connections[0]["sslmode"] == "require" and "sslrootcert" not in double.connections[0]


def test_an_answer_over_an_unverified_connection_is_none_over_a_verified_one(server):
    double = server([("160004",)], [("160004",)])
    probe = _postgresql.PostgresqlProbe({"p": "s3cret"})
    for mode in ("require", "verify-full"):
        probe.observe({"fact": "version", "host": "192.0.2.5", "user": "app", "database": "shop", "secret": "p", "sslmode": mode})
    assert [one["sslmode"] for one in double.connections] == ["require", "verify-full"]


@pytest.mark.parametrize("secrets", [{}, {"postgresql_password of db2": "s3cret"}, {"postgresql_password of db1": ""}])
def test_without_its_password_postgresql_is_not_asked(server, secrets):
    double = server([("160004",)])
    assert error(_postgresql.PostgresqlProbe(secrets), **NETWORK)[0] == "no password was given for PostgreSQL on 192.0.2.5"
    assert double.connections == []


def test_a_wrong_password_is_an_error_tried_once(server):
    double = server(refuses='FATAL:  password authentication failed for user "app"\n')
    probe = _postgresql.PostgresqlProbe({"postgresql_password of db1": "wrong"})
    for fact in ("version", "database"):
        said, remedy = error(probe, fact=fact, **SERVER)
        assert said == 'PostgreSQL does not answer: FATAL:  password authentication failed for user "app"'
        assert "postgresql_password" in remedy and "systemctl" not in remedy
    assert len(double.connections) == 1


def test_root_becomes_postgres_and_stays_tied_to_its_parent(monkeypatch):
    """A change of user clears the signal that the kernel sends when the parent ends."""
    calls = []
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(pwd, "getpwnam", lambda name: types.SimpleNamespace(pw_uid=105, pw_gid=106))
    for name in ("setgroups", "setgid", "setuid"):
        monkeypatch.setattr(os, name, lambda argument, name=name: calls.append((name, argument)))
    monkeypatch.setattr(_postgresql, "die_with_parent", lambda: calls.append("die_with_parent"))
    _postgresql._become_postgres()
    assert calls == [("setgroups", []), ("setgid", 106), ("setuid", 105), "die_with_parent"]


def test_an_ordinary_user_stays_who_it_is(monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(os, "setuid", lambda _uid: pytest.fail("changed user"))
    _postgresql._become_postgres()


def test_without_the_account_postgresql_is_not_installed(monkeypatch):
    def absent(name):
        raise KeyError(name)

    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(pwd, "getpwnam", absent)
    with pytest.raises(ProbeError, match="PostgreSQL is not installed: no user postgres"):
        _postgresql._become_postgres()


# Redis


# The exceptions of redis-py, by their names.
Disconnected = type("ConnectionError", (Exception,), {})
TimedOut = type("TimeoutError", (Exception,), {})
AuthenticationError = type("AuthenticationError", (Disconnected,), {})
ResponseError = type("ResponseError", (Exception,), {})

INFO = {"redis_version": "8.0.2", "aof_enabled": 1, "aof_last_write_status": "ok"}


class RedisDouble:
    def __init__(self, *, config=None, info=None, refuses=None, unauthenticated=None):
        self.config = config or {}
        self.info = INFO if info is None else info
        self.refuses = refuses
        self.unauthenticated = unauthenticated
        self.clients = []

    def __call__(self, **options):
        self.clients.append(options)
        return self

    def execute_command(self, *command):
        if self.refuses:
            raise self.refuses
        if command[0] == "INFO":
            return self.info
        assert command[0] == "CONFIG GET"
        return {name: value for name, value in self.config.items() if name == command[1]}

    def ping(self):
        if self.unauthenticated:
            raise self.unauthenticated
        return True


@pytest.fixture
def redis_address(tmp_path):
    (tmp_path / "password").write_text("correct horse battery\n")
    return {"host": "127.0.0.1", "port": 6379, "password_file": str(tmp_path / "password")}


@pytest.fixture
def redis(library, redis_address):
    """A probe with a double of redis-py behind it: redis(...) -> (ask, double)."""

    def install(*, version="6.1.0", **options):
        double = RedisDouble(**options)
        retry = types.SimpleNamespace(Retry=lambda backoff, retries: (backoff, retries))
        library("redis", Redis=double, __version__=version, retry=retry, backoff=types.SimpleNamespace(NoBackoff=lambda: "no backoff"))
        probe = _redis.RedisProbe({})
        return lambda fact, **more: probe.observe({"fact": fact, **redis_address, **more}), double

    return install


@pytest.mark.parametrize(("version", "protocol"), [("4.3.4", {}), ("5.0.0", {"protocol": 2}), ("8.1.0", {"protocol": 2})])
def test_redis_is_asked_within_limits_and_without_retries(redis, version, protocol):
    ask, double = redis(version=version)
    assert ask("version").value == "8.0.2"
    assert ask("version").value == "8.0.2"
    (options,) = double.clients
    assert options == {
        "host": "127.0.0.1",
        "port": 6379,
        "password": "correct horse battery",
        "socket_timeout": 5.0,
        "socket_connect_timeout": 5.0,
        "retry": ("no backoff", 0),
        "decode_responses": True,
        **protocol,
    }


def test_setting_of_redis(redis):
    ask, _double = redis(config={"maxmemory": "2147483648"})
    assert ask("config", name="maxmemory").value == "2147483648"
    with pytest.raises(ProbeError, match="Redis has no setting maxmemry"):
        ask("config", name="maxmemry")


@pytest.mark.parametrize("name", ["requirepass", "masterauth", "masteruser", "tls-key-file-pass", "*", "require[p]ass", "req?irepass"])
def test_a_setting_that_is_a_secret_is_not_read(redis, name):
    ask, double = redis(config={name: "secret"})
    with pytest.raises(ProbeError, match="a secret"):
        ask("config", name=name)
    assert double.clients == []


@pytest.mark.parametrize(
    ("setting", "info", "value"),
    [
        ("yes", INFO, "yes"),
        ("no", dict(INFO, aof_enabled=0), "no"),
        ("yes", dict(INFO, aof_last_write_status="err"), "yes, but the last write ended with err"),
        ("yes", dict(INFO, aof_enabled=0), "yes, but the append-only file is not being written"),
        ("yes", {"aof_enabled": 1}, "yes, but the last write ended with no status"),
        ("yes", {}, "yes, but the append-only file is not being written"),
    ],
)
def test_append_only_file(redis, setting, info, value):
    ask, _double = redis(config={"appendonly": setting}, info=info)
    assert ask("aof").value == value


@pytest.mark.parametrize(
    ("refusal", "value"),
    [
        (None, "answered"),
        (AuthenticationError("Authentication required."), "refused"),
        (ResponseError("NOAUTH Authentication required."), "refused"),
    ],
)
def test_a_client_without_a_password(redis, refusal, value):
    ask, double = redis(unauthenticated=refusal)
    assert ask("unauthenticated").value == value
    assert double.clients[0]["password"] is None


@pytest.mark.parametrize(
    "refusal",
    [
        ResponseError("DENIED Redis is running in protected mode because protected mode is enabled and no password is set"),
        Disconnected("Error 111 connecting to 127.0.0.1:6379. Connection refused."),
        TimedOut("Timeout reading from socket"),
        ResponseError("max number of clients reached"),
        OSError("reset"),
    ],
)
def test_another_refusal_does_not_prove_a_password(redis, refusal):
    ask, _double = redis(unauthenticated=refusal)
    with pytest.raises(ProbeError) as raised:
        ask("unauthenticated")
    assert str(refusal) in str(raised.value)


@pytest.mark.parametrize(
    ("refusal", "message", "remedy"),
    [
        (TimedOut("Timeout reading from socket"), "Redis does not answer: Timeout reading from socket", "systemctl restart redis-server"),
        (Disconnected("Connection refused."), "Redis does not answer: Connection refused.", "systemctl restart redis-server"),
        (AuthenticationError("invalid username-password pair"), "Redis refuses: invalid username-password pair", ""),
        (ResponseError("LOADING Redis is loading the dataset in memory"), "Redis refuses: LOADING Redis is loading the dataset in memory", ""),
    ],
)
@pytest.mark.parametrize(("fact", "more"), [("version", {}), ("aof", {}), ("config", {"name": "maxmemory"})])
def test_a_redis_that_refuses_is_an_error_in_its_own_words(redis, fact, more, refusal, message, remedy):
    ask, _double = redis(refuses=refusal)
    with pytest.raises(ProbeError) as raised:
        ask(fact, **more)
    assert (str(raised.value), raised.value.remedy) == (message, remedy)


@pytest.mark.parametrize(("content", "message"), [(None, "cannot read Redis' password from"), (b"", "holds no password"), (b"\xff\xfe", "not UTF-8")])
def test_a_password_that_cannot_be_read_is_an_error(redis, redis_address, tmp_path, content, message):
    file = tmp_path / "password"
    file.unlink()
    if content is not None:
        file.write_bytes(content)
    ask, _double = redis()
    with pytest.raises(ProbeError, match=message):
        ask("version")


# GPU


class NVMLError(Exception):
    """pynvml.NVMLError"""


@pytest.fixture
def nvml(library):
    def install(names=(), refuses=""):
        closed = []

        def init():
            if refuses:
                raise NVMLError(refuses)

        library(
            "pynvml",
            NVMLError=NVMLError,
            nvmlInit=init,
            nvmlShutdown=lambda: closed.append(True),
            nvmlDeviceGetCount=lambda: len(names),
            nvmlDeviceGetHandleByIndex=lambda index: index,
            nvmlDeviceGetName=lambda handle: names[handle],
        )
        return closed

    return install


@pytest.mark.parametrize(("names", "value"), [([], []), (["NVIDIA H200"], ["NVIDIA H200"]), ([b"NVIDIA A100", "NVIDIA H200"], ["NVIDIA A100", "NVIDIA H200"])])
def test_models_of_gpus(nvml, names, value):
    closed = nvml(names)
    assert _gpu.GpuProbe({}).observe({"fact": "models"}).value == value
    assert _gpu.GpuProbe({}).observe({"fact": "names"}).value == ", ".join(dict.fromkeys(value))
    assert closed == [True, True]


@pytest.mark.parametrize("refusal", ["Driver Not Loaded", "Driver/library version mismatch"])
def test_a_driver_that_does_not_answer_is_an_error(nvml, refusal):
    nvml(refuses=refusal)
    assert error(_gpu.GpuProbe({}), fact="models") == ("the NVIDIA driver does not answer: " + refusal, "nvidia-smi")


def test_a_server_that_gave_no_answer_is_asked_once(library, redis_address):
    """Five items on a server that hangs take as long as one."""
    asked = []

    class SilentDouble:
        def __init__(self, **options):
            self.execute_command = self.ping = self._hang

        @staticmethod
        def _hang(*command):
            asked.append(command)
            raise TimeoutError("Timeout reading from socket")

    nothing = types.SimpleNamespace(Retry=lambda *_: None, NoBackoff=lambda: None)
    library("redis", Redis=SilentDouble, retry=nothing, backoff=nothing, __version__="6.1.0")
    probe = _redis.RedisProbe({})
    first = error(probe, fact="version", **redis_address)
    assert "Timeout reading from socket" in first[0]
    assert error(probe, fact="config", name="maxmemory", **redis_address) == first
    assert error(probe, fact="unauthenticated", **redis_address) == first
    assert len(asked) == 1
    with pytest.raises(ProbeError, match="Timeout"):
        probe.observe({"fact": "version", **redis_address, "port": 6380})
    assert len(asked) == 2


# The release that serves, and the one that was confirmed


@pytest.mark.parametrize(
    ("current", "confirmed", "expected"),
    [
        ("1.2", "1.2", ""),
        ("1.2", "1.1", "1.2"),
        # Before the first release is confirmed, the link names the directory of all.
        ("1.2", "", "1.2"),
        # Nothing serves.
        (None, "1.1", ""),
        (None, None, ""),
        # Hosts of a version that recorded nothing.
        ("1.2", None, ""),
    ],
)
def test_a_release_that_serves_unconfirmed_is_named(current, confirmed, expected, tmp_path):
    for name, release in (("current", current), ("confirmed", confirmed)):
        if release is not None:
            (tmp_path / name).symlink_to("%s/releases/%s" % (tmp_path, release))
    assert _docker.DockerProbe({}).observe({"fact": "unconfirmed", "path": str(tmp_path)}).value == expected


def test_a_link_that_is_none_is_an_error(tmp_path):
    (tmp_path / "current").mkdir()
    with pytest.raises(ProbeError, match="cannot read link .*/current: Invalid argument"):
        _docker.DockerProbe({}).observe({"fact": "unconfirmed", "path": str(tmp_path)})
