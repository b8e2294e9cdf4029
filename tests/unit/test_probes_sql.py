# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sql probe: one statement, read only, one value or a number of rows; anything else is an error.

psycopg2 is a double here; the real server is asked in tests/lab.
"""

from __future__ import annotations

import datetime
import decimal
import sys
import types

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.gonogo.preflight.plugins.module_utils._managed import REMOTE
from ansible_collections.gonogo.preflight.plugins.module_utils._probes import _postgresql, _sql
from ansible_collections.gonogo.preflight.plugins.module_utils._probes._base import ProbeError

QUERY = "SELECT count(*) FROM notes"


class PsycopgError(Exception):
    """psycopg2.Error"""


class ServerDouble:
    """A server that answers each query with prepared rows, and remembers how it was connected to and what it was told."""

    def __init__(self, *answers, columns=("count",), refuses="", fails="", gone=False):
        self.answers = list(answers)
        self.description = [(name, None) for name in columns]
        self.refuses, self.fails, self.gone = refuses, fails, gone
        self.connections, self.told = [], []

    def connect(self, **options):
        self.connections.append(options)
        if self.refuses:
            raise PsycopgError(self.refuses)
        return self

    def set_session(self, **options):
        self.told.append(("session", options))

    def cursor(self, name):
        self.told.append(("cursor", name))
        return self

    def __enter__(self):
        return self

    def __exit__(self, *_details):
        return False

    def execute(self, *statement):
        self.told.append(("execute", *statement))
        if self.fails:
            raise PsycopgError(self.fails)
        self.rows = list(self.answers.pop(0))

    def fetchmany(self, size):
        found, self.rows = self.rows[:size], self.rows[size:]
        return found

    def rollback(self):
        self.told.append(("rollback",))
        if self.gone:
            raise PsycopgError("connection already closed")


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setattr(_postgresql, "_become_postgres", lambda: None)

    def install(*answers, **options):
        double = ServerDouble(*answers, **options)
        module = types.ModuleType("psycopg2")
        module.__dict__.update(connect=double.connect, Error=PsycopgError)
        monkeypatch.setitem(sys.modules, "psycopg2", module)
        return double

    return install


def ask(fact, query=QUERY, **more):
    return _sql.SqlProbe({}).observe({"fact": fact, "query": query, **more})


def error(fact, query=QUERY, **more):
    with pytest.raises(ProbeError) as raised:
        ask(fact, query, **more)
    return str(raised.value)


@pytest.mark.parametrize(
    ("answer", "value"),
    [
        (7, 7),
        (0, 0),
        (True, True),
        ("on", "on"),
        ("", ""),
        (1.5, 1.5),
        (decimal.Decimal("3.00"), 3),
        (decimal.Decimal("0.25"), 0.25),
        (datetime.datetime(2026, 10, 1, 12, tzinfo=datetime.timezone.utc), "2026-10-01T12:00:00+00:00"),
        (datetime.date(2026, 10, 1), "2026-10-01"),
        (datetime.timedelta(hours=1, milliseconds=500), 3600.5),
        (["a", decimal.Decimal(2)], ["a", 2]),
        ({"a": 1}, {"a": 1}),
    ],
)
def test_scalar(server, answer, value):
    server([(answer,)])
    seen = ask("scalar")
    assert seen.value == value and type(seen.value) is type(value)
    assert seen.evidence == "query on the local socket, database postgres"


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([], "the query returned no row"),
        ([(1,), (2,)], "the query returned more than one row"),
        ([(1, 2)], "the query returned 2 columns"),
        ([()], "the query returned 0 columns"),
        ([(None,)], "the query returned NULL"),
        ([(memoryview(b"x"),)], "a memoryview, which is no plain data"),
        ([(decimal.Decimal("NaN"),)], "NaN, which is no number"),
        ([(decimal.Decimal("Infinity"),)], "Infinity, which is no number"),
        ([(float("nan"),)], "nan, which is no number"),
        ([([1, float("inf")],)], "inf, which is no number"),
    ],
)
def test_what_is_no_scalar_is_an_error(server, rows, message):
    server(rows)
    assert message in error("scalar")


@pytest.mark.parametrize(
    ("columns", "answer"),
    [
        (("rolpassword",), "x"),
        (("value",), "SCRAM-SHA-256$4096:c2FsdA==$c3RvcmVk:c2VydmVy"),
        (("dsn",), "x"),
        (("conninfo",), "host=db user=replica password=hunter2"),
        (("subconninfo",), ["postgresql://a:hunter2@db/x"]),
    ],
)
def test_a_secret_is_not_shown(server, columns, answer):
    server([(answer,)], columns=columns)
    said = error("scalar")
    assert said == "what the query returned is, or may hold, a secret; it is not shown"


@pytest.mark.parametrize("count", [0, 1, 999, 1000, 2500, 100_000])
def test_rows_are_counted(server, count):
    server([(number,) for number in range(count)])
    assert ask("rows").value == count


def test_too_many_rows_are_an_error(server):
    double = server([(number,) for number in range(100_001)])
    assert "more than 100000 rows" in error("rows")
    assert double.told[-1] == ("rollback",)


def test_each_query_is_a_transaction_of_its_own_that_reads_and_is_rolled_back(server):
    double = server([(1,)], [(2,), (3,)])
    probe = _sql.SqlProbe({})
    assert probe.observe({"fact": "scalar", "query": QUERY + " ;\n"}).value == 1
    assert probe.observe({"fact": "rows", "query": "SELECT 'a%'"}).value == 2
    (options,) = double.connections
    assert (options["host"], options["user"], options["dbname"]) == ("/var/run/postgresql", "postgres", "postgres")
    assert "statement_timeout=5000" in options["options"] and "default_transaction_read_only=on" in options["options"]
    assert double.told == [
        ("session", {"readonly": True, "autocommit": False}),
        ("cursor", "gonogo"),
        ("execute", QUERY),
        ("rollback",),
        ("cursor", "gonogo"),
        ("execute", "SELECT 'a%'"),
        ("rollback",),
    ]


def test_database_and_port_of_the_local_server(server):
    double = server([(1,)], [(1,)])
    probe = _sql.SqlProbe({})
    for more in ({"database": "gonogo"}, {"port": 5433}):
        probe.observe({"fact": "scalar", "query": QUERY, **more})
    assert [(one["dbname"], one.get("port")) for one in double.connections] == [("gonogo", None), ("postgres", 5433)]


def test_a_user_of_the_local_server_would_not_be_the_one_who_asks(server):
    double = server([(1,)])
    assert "`user` goes with `host`" in error("scalar", user="app")
    assert double.connections == []


def test_over_the_network_with_a_secret_that_is_named(server):
    double = server([(1,)])
    more = {"host": "192.0.2.5", "user": "app", "database": "shop", "secret": "p"}
    assert _sql.SqlProbe({"p": "s3cret"}).observe({"fact": "scalar", "query": QUERY, **more}).evidence == "query on 192.0.2.5, database shop"
    assert {name: double.connections[0][name] for name in ("host", "port", "password", "sslmode")} == {
        "host": "192.0.2.5",
        "port": 5432,
        "password": "s3cret",
        "sslmode": "require",
    }
    assert error("scalar", **more) == "no password was given for PostgreSQL on 192.0.2.5"


def test_on_a_managed_host_it_is_asked_over_the_network():
    assert set(REMOTE["sql"]) <= set(_sql.SqlProbe.ARGUMENTS) and REMOTE["sql"]["secret"] == "postgresql_password"


@pytest.mark.parametrize("fact", ["scalar", "rows"])
@pytest.mark.parametrize("query", [None, "", "  ", ";", " ;; ", 5])
def test_a_query_is_needed(server, fact, query):
    double = server([(1,)])
    assert error(fact, query) == "fact scalar and rows need `query`"
    assert double.connections == []


SEVERAL = [
    "SELECT 1; DROP TABLE notes",
    "SELECT 1;DROP TABLE notes;",
    "SELECT 1; COMMIT; DELETE FROM notes",
    "SELECT ';'",
    "SELECT $$;$$",
    "SELECT 1 -- ;\n-- DROP",
    "SELECT E'\\'; DROP TABLE notes --'",
    "SELECT 1 /* ; */",
]


@pytest.mark.parametrize("fact", ["scalar", "rows"])
@pytest.mark.parametrize("query", SEVERAL)
def test_several_statements_are_refused_and_not_sent(server, fact, query):
    double = server([(1,)])
    assert "`query` is one statement" in error(fact, query)
    assert double.connections == [] and double.told == []


@given(st.text(st.sampled_from("S ;'$-\n\0"), max_size=12))
def test_whatever_is_sent_has_no_semicolon(text):
    try:
        query = _sql.one_query(text)
    except ProbeError:
        return
    assert query and ";" not in query and "\0" not in query and query in text


@pytest.mark.parametrize("fact", ["scalar", "rows"])
@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("canceling statement due to statement timeout\n", "canceling statement due to statement timeout"),
        ('syntax error at or near "DELETE"\nLINE 1: ...', 'syntax error at or near "DELETE"'),
        ("cannot execute UPDATE in a read-only transaction", "cannot execute UPDATE in a read-only transaction"),
        ('invalid input syntax for type integer: "SCRAM-SHA-256$4096:x$y:z"', "(not shown, it holds a secret)"),
    ],
)
def test_a_query_that_fails_is_an_error_in_the_server_s_words(server, fact, said, shown):
    double = server(fails=said)
    assert error(fact) == "PostgreSQL refused the query: " + shown
    assert double.told[-1] == ("rollback",)


def test_a_lost_connection_is_made_anew(server):
    double = server([(1,)], [(2,)], gone=True)
    probe = _sql.SqlProbe({})
    assert [probe.observe({"fact": "scalar", "query": QUERY}).value for _time in range(2)] == [1, 2]
    assert len(double.connections) == 2


def test_a_server_that_refuses_is_asked_once_for_each_database(server):
    double = server(refuses='FATAL:  database "nowhere" does not exist\n')
    probe = _sql.SqlProbe({})
    for database in ("nowhere", "nowhere", "shop"):
        with pytest.raises(ProbeError, match='PostgreSQL does not answer: FATAL:  database "nowhere" does not exist'):
            probe.observe({"fact": "scalar", "query": QUERY, "database": database})
    assert len(double.connections) == 2


def test_a_missing_library_names_its_package(monkeypatch):
    monkeypatch.setitem(sys.modules, "psycopg2", None)
    with pytest.raises(ProbeError, match="library missing") as raised:
        ask("scalar")
    assert raised.value.remedy == "apt-get install python3-psycopg2"
