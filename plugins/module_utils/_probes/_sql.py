# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Any one query to PostgreSQL, in a transaction of its own that can only read and is rolled back."""

from __future__ import annotations

import contextlib
import datetime
import decimal
import math
import typing as t

from .._secrecy import holds_credentials, secret_name
from ._base import Observation, ProbeError
from ._postgresql import SERVER, PostgresqlClient, first_line, library

__all__ = ["SqlProbe", "one_query", "plain_value"]

_MOST_ROWS = 100_000
_AT_ONCE = 1000


class SqlProbe(PostgresqlClient):
    ARGUMENTS = {
        "fact": {"type": "str", "required": True, "choices": ["rows", "scalar"]},
        "query": {"type": "str", "required": True},
        **SERVER,
    }
    AUTOCOMMIT = False

    def fact_scalar(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        """The one value that the query returns; times as ISO 8601, intervals in seconds.

        No row, several of them, several columns or NULL are errors.
        """
        with self._cursor(arguments) as cursor:
            rows = cursor.fetchmany(2)
            columns = [column[0] for column in cursor.description or ()]
        if len(rows) != 1 or len(rows[0]) != 1:
            found = "no row" if not rows else "more than one row" if len(rows) > 1 else "%d columns" % len(rows[0])
            raise ProbeError("the query returned %s; fact scalar needs one row of one column" % found)
        if rows[0][0] is None:
            raise ProbeError("the query returned NULL, which says that there was nothing to look at")
        value = plain_value(rows[0][0])
        if any(map(secret_name, columns)) or holds_credentials(str(value)):
            raise ProbeError("what the query returned is, or may hold, a secret; it is not shown")
        return Observation(value, "query on %s" % _where(arguments))

    def fact_rows(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        """How many rows the query returns."""
        count = 0
        with self._cursor(arguments) as cursor:
            while True:
                got = len(cursor.fetchmany(_AT_ONCE))
                count += got
                if count > _MOST_ROWS:
                    raise ProbeError("the query returned more than %d rows; count them in the query, with fact scalar" % _MOST_ROWS)
                if not got:
                    return Observation(count, "query on %s" % _where(arguments))

    @contextlib.contextmanager
    def _cursor(self, arguments: t.Mapping[str, t.Any]) -> t.Iterator[t.Any]:
        """A cursor on the server over the rows of the query; DECLARE takes nothing but a query, and rows come as they are fetched."""
        query = one_query(arguments.get("query"))
        if arguments.get("user") and not arguments.get("host"):
            raise ProbeError("`user` goes with `host`: the local server is asked as postgres")
        psycopg2 = library()
        connection = self.connection(arguments)
        try:
            with connection.cursor(name="gonogo") as cursor:
                # Without values psycopg2 leaves every % as it is.
                cursor.execute(query)
                yield cursor
        except psycopg2.Error as error:
            said = first_line(error)
            # Some messages quote what they stumbled over.
            raise ProbeError("PostgreSQL refused the query: %s" % ("(not shown, it holds a secret)" if holds_credentials(said) else said)) from None
        finally:
            try:
                connection.rollback()
            except psycopg2.Error:
                self.forget(arguments)


def one_query(query: t.Any) -> str:
    """`query` without the semicolon at its end; raises ProbeError for what might be several statements.

    The connection would run them all, a COMMIT among them. A semicolon within quotes is refused too: who reads quotes otherwise
    than the server does is deceived by them.
    """
    if not isinstance(query, str) or not query.strip().rstrip(";").strip():
        raise ProbeError("fact scalar and rows need `query`")
    text = query.strip().rstrip(";").strip()
    if ";" in text:
        raise ProbeError("`query` is one statement, without a semicolon in it; for one within a text write chr(59)")
    if "\0" in text:
        raise ProbeError("`query` holds a NUL character")
    return text


def plain_value(value: t.Any) -> t.Any:
    """A value of psycopg2 as plain data; raises ProbeError for what is none."""
    if isinstance(value, (float, decimal.Decimal)) and not math.isfinite(value):
        raise ProbeError("the query returned %s, which is no number" % value)
    if isinstance(value, decimal.Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, (datetime.datetime, datetime.date, datetime.time)):
        return value.isoformat()
    if isinstance(value, datetime.timedelta):
        return value.total_seconds()
    if isinstance(value, (list, tuple)):
        return [plain_value(one) for one in value]
    if value is None or isinstance(value, (str, int, float, dict)):
        return value
    raise ProbeError("the query returned a %s, which is no plain data; cast it in the query" % type(value).__name__)


def _where(arguments: t.Mapping[str, t.Any]) -> str:
    return "%s, database %s" % (arguments.get("host") or "the local socket", arguments.get("database") or "postgres")
