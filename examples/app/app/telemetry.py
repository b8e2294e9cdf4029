# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What /metrics shows, and the middleware that counts and logs every request."""

from __future__ import annotations

import logging
from time import perf_counter

from prometheus_client import Counter, Gauge, Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

REQUESTS = Counter("app_http_requests_total", "HTTP requests answered", ["method", "route", "status"])
DURATION = Histogram("app_http_request_duration_seconds", "Time to answer an HTTP request", ["method", "route"])
DEPENDENCY_UP = Gauge("app_dependency_up", "1 while the dependency answered the last health check", ["dependency"])
CACHE_ERRORS = Counter("app_cache_errors_total", "Questions that Redis did not answer")
INFO = Gauge("app_info", "Version that is running", ["version"])

_METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))
_QUIET = frozenset(("/metrics", "/api/v1/health"))

log = logging.getLogger("app.request")


class RequestTelemetry:
    """Pure ASGI, so that it costs no task a request. Labels are route templates: a client cannot invent new ones."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status = 500
        started = perf_counter()

        async def note_status(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, note_status)
        finally:
            self._record(scope, status, perf_counter() - started)

    @staticmethod
    def _record(scope: Scope, status: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", "unmatched")
        method = scope["method"] if scope["method"] in _METHODS else "other"
        REQUESTS.labels(method, route, status).inc()
        DURATION.labels(method, route).observe(seconds)
        if route not in _QUIET:
            fields = {"method": method, "route": route, "status": status, "milliseconds": round(seconds * 1000, 1)}
            log.log(logging.WARNING if status >= 500 else logging.INFO, "request", extra={"fields": fields})
