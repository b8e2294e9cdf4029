# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ask every dependency at the same time, within one hard limit, and put the answers into safe words."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping

__all__ = ["ANSWERED", "ask", "describe"]

ANSWERED = "ok"

# By name, because asyncpg, redis-py and Python each have a TimeoutError and a ConnectionError of their own.
# The text of an exception is never shown: it can carry addresses, users and parts of a URL.
_WORDS = {
    "AuthenticationError": "authentication failed",
    "AuthenticationWrongNumberOfArgsError": "authentication failed",
    "InvalidAuthorizationSpecificationError": "authentication failed",
    "InvalidPasswordError": "authentication failed",
    "NoPermissionError": "permission denied",
    "InsufficientPrivilegeError": "permission denied",
    "InvalidCatalogNameError": "the database does not exist",
    "CannotConnectNowError": "starting up or shutting down",
    "BusyLoadingError": "loading its data",
    "TooManyConnectionsError": "no connection left",
    "ConnectionError": "cannot connect",
    "ConnectionRefusedError": "connection refused",
    "ConnectionResetError": "connection reset",
    "ConnectionDoesNotExistError": "connection lost",
    "gaierror": "host name not found",
    "OSError": "cannot connect",
    "TimeoutError": "no answer in time",
}


def describe(error: BaseException) -> str:
    """What went wrong, in words that are safe to publish."""
    name = type(error).__name__
    return _WORDS.get(name, f"error ({name})")


async def ask(probes: Mapping[str, Callable[[], Awaitable[object]]], *, limit: float) -> dict[str, str]:
    """Return one answer a probe: "ok", or what is wrong. Takes no longer than `limit` seconds.

    A probe still running by then is cancelled but not waited for: a client library may hang while it cancels.
    """
    tasks = {name: asyncio.ensure_future(probe()) for name, probe in probes.items()}
    await asyncio.wait(tasks.values(), timeout=limit)
    return {name: _answer(task, limit) for name, task in tasks.items()}


def _answer(task: asyncio.Future[object], limit: float) -> str:
    if not task.done():
        task.cancel()
        return f"no answer within {limit:g} s"
    error = task.exception()
    return ANSWERED if error is None else describe(error)
