# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The HTTP interface."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel, Field

from . import health, telemetry
from .stores import LIMIT, Cache, Notes

LISTED = 50
"""How many notes a list holds."""

Answer = TypeVar("Answer")

log = logging.getLogger("app")


class NewNote(BaseModel):
    # PostgreSQL text cannot hold the character NUL.
    text: str = Field(min_length=1, max_length=1000, pattern=r"^[^\x00]+$")


def create_app(notes: Notes, cache: Cache, *, version: str) -> FastAPI:
    probes = {"postgresql": notes.check, "redis": cache.check}

    async def ask() -> dict[str, str]:
        answers = await health.ask(probes, limit=LIMIT)
        for name, answer in answers.items():
            telemetry.DEPENDENCY_UP.labels(name).set(answer == health.ANSWERED)
        return answers

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        telemetry.INFO.labels(version).set(1)
        await notes.open()
        log.info("started", extra={"fields": {"version": version, **await ask()}})
        yield
        await notes.close()
        await cache.close()
        log.info("stopped")

    app = FastAPI(title="notes", version=version, lifespan=lifespan, docs_url=None, redoc_url=None)
    app.add_middleware(telemetry.RequestTelemetry)

    async def without_postgresql(_request: Request, error: Exception) -> JSONResponse:
        return JSONResponse({"detail": f"postgresql: {health.describe(error)}"}, status_code=503)

    for failure in Notes.FAILURES:
        app.add_exception_handler(failure, without_postgresql)

    @app.get("/")
    async def about() -> dict[str, str]:
        return {"name": "notes", "version": version, "health": "/api/v1/health", "metrics": "/metrics"}

    @app.get("/api/v1/health")
    async def healthy() -> JSONResponse:
        answers = await ask()
        ok = all(answer == health.ANSWERED for answer in answers.values())
        if not ok:
            log.warning("unhealthy", extra={"fields": answers})
        body = {"status": "healthy" if ok else "unhealthy", "version": version, **answers}
        return JSONResponse(body, status_code=200 if ok else 503, headers={"Cache-Control": "no-store"})

    @app.get("/metrics")
    async def metrics() -> Response:
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    @app.post("/api/v1/notes", status_code=201)
    async def add_note(new: NewNote) -> dict[str, Any]:
        note = await notes.add(new.text)
        await tolerate(cache.forget())
        return note

    @app.get("/api/v1/notes")
    async def list_notes() -> dict[str, Any]:
        cached = await tolerate(cache.get())
        if cached is not None:
            return {"notes": cached, "source": "redis"}
        latest = await notes.latest(LISTED)
        await tolerate(cache.put(latest))
        return {"notes": latest, "source": "postgresql"}

    async def tolerate(question: Awaitable[Answer]) -> Answer | None:
        """Notes are served without Redis too; a list is then at most Cache.LIFETIME old."""
        try:
            return await question
        except Cache.FAILURES as error:
            telemetry.CACHE_ERRORS.inc()
            log.warning("cache", extra={"fields": {"redis": health.describe(error)}})
            return None

    return app
