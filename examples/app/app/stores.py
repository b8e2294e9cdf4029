# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The two stores: PostgreSQL keeps the notes, Redis the list that was read last."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import redis.asyncio
import redis.exceptions
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

LIMIT = 2.0
"""Seconds that one question to a store may take."""

Note = dict[str, Any]


class Notes:
    """Notes in PostgreSQL. The table is made with the first connection that works, so the order of start is free."""

    FAILURES = (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError)

    # CREATE TABLE IF NOT EXISTS alone still fails when two sessions run it at the same moment, hence the lock.
    _SCHEMA = """
        SELECT pg_advisory_xact_lock(hashtext('notes.schema'));
        CREATE TABLE IF NOT EXISTS notes (
            id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            text text NOT NULL,
            created timestamptz NOT NULL DEFAULT now()
        );
    """
    _COLUMNS = """id, text, to_char(created AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS created"""

    def __init__(self, url: str) -> None:
        self._url = url
        self._prepared = False

    async def open(self) -> None:
        """Make the pool. It connects when it is first asked."""
        self._pool = await asyncpg.create_pool(
            self._url,
            min_size=0,
            max_size=5,
            timeout=LIMIT,
            command_timeout=LIMIT,
            statement_cache_size=0,  # PgBouncer in transaction mode keeps no prepared statements
            server_settings={"application_name": "notes"},
        )

    async def close(self) -> None:
        self._pool.terminate()

    async def check(self) -> None:
        async with self._connection() as connection:
            await connection.fetchval("SELECT 1 FROM notes LIMIT 1")

    async def add(self, text: str) -> Note:
        async with self._connection() as connection:
            return dict(await connection.fetchrow(f"INSERT INTO notes (text) VALUES ($1) RETURNING {self._COLUMNS}", text))

    async def latest(self, count: int) -> list[Note]:
        async with self._connection() as connection:
            rows = await connection.fetch(f"SELECT {self._COLUMNS} FROM notes ORDER BY id DESC LIMIT $1", count)
            return [dict(row) for row in rows]

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[asyncpg.pool.PoolConnectionProxy]:
        connection = await self._pool.acquire(timeout=LIMIT)
        try:
            if not self._prepared:
                await connection.execute(self._SCHEMA)
                self._prepared = True
            yield connection
        except (asyncio.CancelledError, TimeoutError):
            connection.terminate()  # a server that is silent would not answer the polite way either
            raise
        finally:
            await self._pool.release(connection)


class Cache:
    """The latest notes in Redis, for at most `LIFETIME` seconds."""

    FAILURES = (redis.exceptions.RedisError, OSError)
    LIFETIME = 30

    _KEY = "notes:latest"

    def __init__(self, url: str) -> None:
        self._client = redis.asyncio.from_url(
            url,
            protocol=2,
            socket_timeout=LIMIT,
            socket_connect_timeout=LIMIT,
            retry=Retry(NoBackoff(), 0),  # redis-py 6 would try three times more
            decode_responses=True,
        )

    async def close(self) -> None:
        await self._client.aclose()

    async def check(self) -> None:
        await self._client.ping()

    async def get(self) -> list[Note] | None:
        stored = await self._client.get(self._KEY)
        return None if stored is None else json.loads(stored)

    async def put(self, notes: list[Note]) -> None:
        await self._client.set(self._KEY, json.dumps(notes), ex=self.LIFETIME)

    async def forget(self) -> None:
        await self._client.delete(self._KEY)
