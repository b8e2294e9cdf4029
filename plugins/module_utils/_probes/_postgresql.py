# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PostgreSQL through psycopg2: over the local socket as the operating system user `postgres` (peer authentication), or over
the network with a password."""

from __future__ import annotations

import os
import pwd
import typing as t

from .._children import die_with_parent
from ._base import NETWORK, Observation, Probe, ProbeError, UnansweredError

__all__ = ["SERVER", "PostgresqlClient", "PostgresqlProbe", "first_line", "library"]

_USER = "postgres"
_SOCKETS = "/var/run/postgresql"

# https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-PARAMKEYWORDS; the server ends a query after 5 s,
# the kernel a silent connection after 8 s, and the engine the whole child where neither does.
_CONNECTION: t.Mapping[str, t.Any] = {
    "connect_timeout": 5,
    "keepalives_idle": 5,
    "tcp_user_timeout": 8000,
    "application_name": "gonogo.preflight verify",
    "options": "-c statement_timeout=5000 -c lock_timeout=2000 -c default_transaction_read_only=on",
}

SERVER: t.Mapping[str, t.Mapping[str, t.Any]] = {
    "host": {"type": "str"},
    "port": {"type": "int"},
    "user": {"type": "str"},
    "database": {"type": "str"},
    "secret": {"type": "str", "no_log": False},
    "sslmode": {"type": "str", "choices": ["disable", "prefer", "require", "verify-ca", "verify-full"]},
    "sslrootcert": {"type": "str"},
}
"""Arguments that say which server is asked."""

_ROLE = """
SELECT rolsuper, rolcreaterole, rolcreatedb, rolreplication, rolbypassrls, rolcanlogin
FROM pg_catalog.pg_roles WHERE rolname = %s
"""
_PRIVILEGES = ("superuser", "create role", "create database", "replication", "bypass row security")

# What a role may become by SET ROLE counts like its own: pg_execute_server_program is as good as superuser
# (https://www.postgresql.org/docs/current/predefined-roles.html). A superuser is a member of every role.
_MEMBERSHIPS = """
SELECT other.rolname FROM pg_catalog.pg_roles AS own, pg_catalog.pg_roles AS other
WHERE own.rolname = %s AND NOT own.rolsuper AND other.oid <> own.oid
AND pg_catalog.pg_has_role(own.oid, other.oid, 'MEMBER') AND other.rolname <> 'pg_database_owner'
AND (other.rolname LIKE 'pg\\_%%' OR other.rolsuper OR other.rolcreaterole OR other.rolcreatedb OR other.rolreplication OR other.rolbypassrls)
ORDER BY 1
"""


class PostgresqlClient(Probe):
    """A connection for each server, shared by the items of one call."""

    SEES = NETWORK
    AUTOCOMMIT = True

    def __init__(self, secrets: t.Mapping[str, str]) -> None:
        super().__init__(secrets)
        self._connections: dict[tuple[t.Any, ...], t.Any] = {}

    def connection(self, arguments: t.Mapping[str, t.Any]) -> t.Any:
        """A connection whose transactions only read; raises ProbeError with the server's own message."""
        psycopg2 = library()
        server = _server(arguments)
        if server not in self._connections:
            options, remedy = self._way(arguments)
            try:
                connection = psycopg2.connect(**options, **_CONNECTION)
                connection.set_session(readonly=True, autocommit=self.AUTOCOMMIT)
            except psycopg2.Error as error:
                raise UnansweredError("PostgreSQL does not answer: %s" % first_line(error), remedy) from None
            self._connections[server] = connection
        return self._connections[server]

    def forget(self, arguments: t.Mapping[str, t.Any]) -> None:
        """The next item connects anew."""
        self._connections.pop(_server(arguments), None)

    def _way(self, arguments: t.Mapping[str, t.Any]) -> tuple[dict[str, t.Any], str]:
        """(options of the connection, what helps when there is none): the local socket, or `host` over the network."""
        host = arguments.get("host")
        if not host:
            _become_postgres()
            options = {"host": _SOCKETS, "user": _USER, "dbname": arguments.get("database") or "postgres"}
            if arguments.get("port"):
                options["port"] = arguments["port"]
            return options, "systemctl restart postgresql"
        password = self.secrets.get(str(arguments.get("secret")))
        if not password:
            raise ProbeError("no password was given for PostgreSQL on %s" % host)
        options = {"host": host, "port": arguments.get("port") or 5432, "user": arguments.get("user"), "password": password}
        options.update(dbname=arguments.get("database"), sslmode=arguments.get("sslmode") or "require")
        if arguments.get("sslrootcert"):
            options["sslrootcert"] = arguments["sslrootcert"]
        return options, "check postgresql_user, postgresql_password and postgresql_sslmode, and whom the server on %s lets in" % host


class PostgresqlProbe(PostgresqlClient):
    ARGUMENTS = {
        "fact": {"type": "str", "required": True, "choices": ["database", "role", "version"]},
        "name": {"type": "str"},
        **SERVER,
    }

    def query(self, arguments: t.Mapping[str, t.Any], statement: str, values: t.Sequence[t.Any] = ()) -> list[tuple[t.Any, ...]]:
        """Rows of a read-only statement; raises ProbeError with the server's own message."""
        psycopg2 = library()
        connection = self.connection(arguments)
        try:
            with connection.cursor() as cursor:
                cursor.execute(statement, values)
                rows: list[tuple[t.Any, ...]] = cursor.fetchall()
                return rows
        except psycopg2.Error as error:
            raise ProbeError("PostgreSQL refused the query: %s" % first_line(error)) from None

    def fact_version(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        """Major and minor version of the server, as in "17.6"."""
        number = int(self.query(arguments, "SHOW server_version_num")[0][0])
        return Observation("%d.%d" % (number // 10000, number % 10000), "server_version_num")

    def fact_database(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        """Names of the databases that accept connections, a list."""
        rows = self.query(arguments, "SELECT datname FROM pg_catalog.pg_database WHERE datallowconn AND NOT datistemplate ORDER BY 1")
        return Observation([row[0] for row in rows], "pg_database")

    def fact_role(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        """Privileges of role `name` that an application must not have, its memberships among them, a list.

        A role that is absent or cannot log in is an error.
        """
        if not arguments.get("name"):
            raise ProbeError("fact role needs `name`")
        rows = self.query(arguments, _ROLE, [arguments["name"]])
        if not rows or not rows[0][5]:
            raise ProbeError("role %s does not exist or cannot log in" % arguments["name"])
        found = [words for words, granted in zip(_PRIVILEGES, rows[0]) if granted]
        found += ["member of %s" % row[0] for row in self.query(arguments, _MEMBERSHIPS, [arguments["name"]])]
        return Observation(found, "pg_roles, role %s" % arguments["name"])


def _become_postgres() -> None:
    """Peer authentication asks for the operating system user; the engine's child is ours alone, so it may change."""
    if os.geteuid() != 0:
        return
    try:
        account = pwd.getpwnam(_USER)
    except KeyError:
        raise ProbeError("PostgreSQL is not installed: no user %s" % _USER, "apt-get install postgresql") from None
    os.setgroups([])
    os.setgid(account.pw_gid)
    os.setuid(account.pw_uid)
    die_with_parent()


def library() -> t.Any:
    """psycopg2; raises ProbeError that names its package."""
    try:
        import psycopg2
    except ImportError as error:
        raise ProbeError("library missing: %s" % error, "apt-get install python3-psycopg2") from None
    return psycopg2


def _server(arguments: t.Mapping[str, t.Any]) -> tuple[t.Any, ...]:
    return tuple(arguments.get(name) for name in ("host", "port", "user", "database", "secret", "sslmode", "sslrootcert"))


def first_line(error: Exception) -> str:
    return str(error).strip().split("\n", maxsplit=1)[0]
