# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""HTTP as a client sees it: one GET, its status and one value of its JSON body."""

from __future__ import annotations

import contextlib
import http.client
import json
import typing as t
import urllib.parse

from ._base import Observation, Probe, ProbeError

__all__ = ["HttpProbe", "value_at"]

_TIMEOUT = 5.0
_LARGEST_BODY = 1024 * 1024


class HttpProbe(Probe):
    ARGUMENTS = {
        "fact": {"type": "str", "required": True, "choices": ["json", "status"]},
        "url": {"type": "str", "required": True},
        "path": {"type": "str"},
    }

    def fact_status(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        """Status code of the answer; redirects are not followed."""
        status, _body = _get(arguments["url"])
        return Observation(status, "GET %s" % arguments["url"])

    def fact_json(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        """The value at `path` ("status", "checks.database") of the JSON body; "HTTP 503" unless the status is 200."""
        if not arguments.get("path"):
            raise ProbeError("fact json needs `path`")
        status, body = _get(arguments["url"])
        if status != 200:
            return Observation("HTTP %d" % status, "GET %s" % arguments["url"])
        try:
            document = json.loads(body)
        except (ValueError, RecursionError):
            raise ProbeError("%s did not answer with JSON" % arguments["url"]) from None
        return Observation(value_at(document, arguments["path"]), "GET %s" % arguments["url"])


def value_at(document: t.Any, path: str) -> t.Any:
    """The value at a dotted path; raises ProbeError when there is none."""
    for step in path.split("."):
        if not isinstance(document, dict) or step not in document:
            raise ProbeError("the answer has no %s" % path)
        document = document[step]
    return document


def _get(url: str) -> tuple[int, bytes]:
    try:
        parts = urllib.parse.urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise ProbeError("%r is not an address: %s" % (url, error)) from None
    if parts.scheme not in ("http", "https") or not host:
        raise ProbeError("%r is not an http or https address" % url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    target = urllib.parse.urlunsplit(("", "", parts.path or "/", parts.query, ""))
    try:
        with contextlib.closing(kind(host, port, timeout=_TIMEOUT)) as connection:
            connection.request("GET", target, headers={"Accept": "application/json", "User-Agent": "gonogo.preflight"})
            response = connection.getresponse()
            body = response.read(_LARGEST_BODY + 1)
    except (OSError, http.client.HTTPException, UnicodeError) as error:
        raise ProbeError("GET %s: %s" % (url, str(error) or type(error).__name__)) from None
    if len(body) > _LARGEST_BODY:
        raise ProbeError("%s answered with more than %d bytes" % (url, _LARGEST_BODY))
    # With a size, read() does not complain about a connection that ends too early.
    if response.length:
        raise ProbeError("%s ended %d bytes before the end of its answer" % (url, response.length))
    return response.status, body
