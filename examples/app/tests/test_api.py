# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The HTTP interface over stores in memory, and the real drivers against servers that refuse or say nothing."""

from __future__ import annotations

import socket
import sys
import time
from pathlib import Path

import asyncpg
import pytest
import redis.exceptions
from fastapi.testclient import TestClient

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from app.main import create_app  # noqa: E402
from app.stores import Cache, Notes  # noqa: E402

SECRET = "correct-horse-battery"


class Store:
    """Answers until `failure` is set, which is raised from then on."""

    failure: Exception | None = None

    async def open(self):
        pass

    close = open

    async def check(self):
        if self.failure:
            raise self.failure


class NotesInMemory(Store):
    def __init__(self):
        self.notes = []

    async def add(self, text):
        await self.check()
        self.notes.insert(0, {"id": len(self.notes) + 1, "text": text, "created": "2026-01-01T00:00:00Z"})
        return self.notes[0]

    async def latest(self, count):
        await self.check()
        return self.notes[:count]


class CacheInMemory(Store):
    kept = None

    async def get(self):
        await self.check()
        return self.kept

    async def put(self, notes):
        await self.check()
        self.kept = list(notes)

    async def forget(self):
        await self.check()
        self.kept = None


@pytest.fixture
def notes():
    return NotesInMemory()


@pytest.fixture
def cache():
    return CacheInMemory()


@pytest.fixture
def client(notes, cache):
    with TestClient(create_app(notes, cache, version="1.2.3"), raise_server_exceptions=False) as client:
        yield client


class TestHealth:
    def test_is_healthy_while_both_answer(self, client):
        response = client.get("/api/v1/health")
        assert response.status_code == 200
        assert response.json() == {"status": "healthy", "version": "1.2.3", "postgresql": "ok", "redis": "ok"}
        assert response.headers["cache-control"] == "no-store"

    @pytest.mark.parametrize(
        ("store", "failure", "words"),
        [
            ("postgresql", ConnectionRefusedError(SECRET), "connection refused"),
            ("postgresql", asyncpg.InvalidCatalogNameError(SECRET), "the database does not exist"),
            ("postgresql", asyncpg.InvalidPasswordError(SECRET), "authentication failed"),
            ("postgresql", asyncpg.TooManyConnectionsError(SECRET), "no connection left"),
            ("redis", redis.exceptions.ConnectionError(SECRET), "cannot connect"),
            ("redis", redis.exceptions.AuthenticationError(SECRET), "authentication failed"),
            ("redis", redis.exceptions.BusyLoadingError(SECRET), "loading its data"),
            ("redis", redis.exceptions.TimeoutError(SECRET), "no answer in time"),
        ],
    )
    def test_names_the_one_that_fails_without_its_text(self, client, notes, cache, store, failure, words):
        {"postgresql": notes, "redis": cache}[store].failure = failure
        response = client.get("/api/v1/health")
        expected = {"status": "unhealthy", "version": "1.2.3", "postgresql": "ok", "redis": "ok", store: words}
        assert response.status_code == 503
        assert response.json() == expected
        assert SECRET not in response.text

    def test_recovers(self, client, cache):
        cache.failure = redis.exceptions.ConnectionError()
        assert client.get("/api/v1/health").status_code == 503
        cache.failure = None
        assert client.get("/api/v1/health").status_code == 200


class TestNotes:
    def test_a_note_is_stored_listed_and_then_listed_from_the_cache(self, client):
        assert client.post("/api/v1/notes", json={"text": "first"}).status_code == 201
        assert client.get("/api/v1/notes").json()["source"] == "postgresql"
        assert client.get("/api/v1/notes").json()["source"] == "redis"
        client.post("/api/v1/notes", json={"text": "second"})
        listed = client.get("/api/v1/notes").json()
        assert listed["source"] == "postgresql"
        assert [note["text"] for note in listed["notes"]] == ["second", "first"]

    @pytest.mark.parametrize("body", [{}, {"text": ""}, {"text": "x" * 1001}, {"text": "a\x00b"}, {"text": 1}])
    def test_a_text_that_cannot_be_stored_is_refused(self, client, body):
        assert client.post("/api/v1/notes", json=body).status_code == 422

    def test_works_without_redis(self, client, cache):
        cache.failure = redis.exceptions.ConnectionError()
        assert client.post("/api/v1/notes", json={"text": "kept"}).status_code == 201
        assert client.get("/api/v1/notes").json()["source"] == "postgresql"

    def test_says_503_without_postgresql(self, client, notes):
        notes.failure = ConnectionRefusedError(SECRET)
        response = client.post("/api/v1/notes", json={"text": "lost"})
        assert (response.status_code, response.json()) == (503, {"detail": "postgresql: connection refused"})

    def test_a_programming_error_shows_nothing(self, client, notes):
        notes.failure = KeyError(SECRET)
        response = client.get("/api/v1/notes")
        assert (response.status_code, response.text) == (500, "Internal Server Error")


class TestTelemetry:
    def test_shows_dependencies_version_and_requests_by_route(self, client, cache):
        cache.failure = redis.exceptions.ConnectionError()
        client.get("/api/v1/health")
        client.get(f"/nowhere/{SECRET}")
        metrics = client.get("/metrics").text
        assert 'app_dependency_up{dependency="postgresql"} 1.0' in metrics
        assert 'app_dependency_up{dependency="redis"} 0.0' in metrics
        assert 'app_info{version="1.2.3"} 1.0' in metrics
        assert 'app_http_requests_total{method="GET",route="/api/v1/health",status="503"}' in metrics
        assert 'route="unmatched",status="404"' in metrics
        assert SECRET not in metrics

    def test_the_index_names_the_version(self, client):
        assert client.get("/").json()["version"] == "1.2.3"


@pytest.fixture
def silent_port():
    """A server that accepts connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def closed_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


class TestDrivers:
    def ask(self, postgresql_port, redis_port):
        notes = Notes(f"postgresql://notes:{SECRET}@127.0.0.1:{postgresql_port}/notes")
        cache = Cache(f"redis://:{SECRET}@127.0.0.1:{redis_port}/0")
        with TestClient(create_app(notes, cache, version="1")) as client:
            started = time.monotonic()
            response = client.get("/api/v1/health")
            return response, time.monotonic() - started

    def test_silent_servers_are_unhealthy_within_the_limit(self, silent_port):
        response, seconds = self.ask(silent_port, silent_port)
        assert response.status_code == 503
        assert response.json()["postgresql"].startswith("no answer")
        assert response.json()["redis"].startswith("no answer")
        assert 1.5 < seconds < 4

    def test_refused_connections_are_told_at_once(self, closed_port):
        response, seconds = self.ask(closed_port, closed_port)
        assert response.status_code == 503
        assert response.json()["postgresql"] == "connection refused"
        assert response.json()["redis"] == "cannot connect"
        assert SECRET not in response.text
        assert seconds < 2
