# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""HTTP as a client sees it: status, JSON, headers, redirects, CORS, how long an answer takes, who is limited, what errors tell.

No redirect is followed, and no connection is used twice.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import math
import re
import time
import typing as t
import urllib.parse
from collections import Counter
from dataclasses import dataclass

from .._secrecy import holds_credentials, secret_name
from ._base import NETWORK, Observation, Probe, ProbeError
from ._files import seconds_of

__all__ = ["CREDENTIALS", "Answer", "HttpClient", "HttpProbe", "document_of", "leaks_of", "needed", "percentile_of", "value_at"]

_TIMEOUT = 5.0
_LARGEST_BODY = 1024 * 1024
_MOST_REQUESTS = 1000
# Of the time over which requests are spread: so much behind is another rate than the one that was asked for.
_LATE = 0.1
_HIDDEN = "********"

# field-name and field-value of RFC 9110, section 5; what http.client refuses, it quotes.
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HEADER_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
_ORIGIN = re.compile(r"https?://[^\s/?#@]+|null")
# Login, permission, no such path, no such method, gone, limited: any server says these in words that tell nothing.
_BEFORE_THE_CODE = (401, 403, 404, 405, 410, 429)
_CHALLENGES = ("www-authenticate", "proxy-authenticate")

CREDENTIALS: t.Mapping[str, t.Mapping[str, t.Any]] = {
    "secret": {"type": "str", "no_log": False},
    "header": {"type": "str"},
    "parameter": {"type": "str"},
}
"""Arguments that name a secret, and where it goes: header `header` as it is, query parameter `parameter`, or as a bearer token."""


@dataclass(frozen=True)
class Answer:
    """What a server answered; `seconds` from before the connection to the end of the body."""

    status: int
    headers: t.Sequence[tuple[str, str]]
    body: bytes
    seconds: float

    def header(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key.lower() == name.lower()]

    def readable(self) -> bytes:
        """The body; raises ProbeError where it is compressed, although nobody asked for that."""
        encoding = ", ".join(self.header("Content-Encoding")).strip().lower()
        if encoding not in ("", "identity"):
            raise ProbeError("the answer is encoded (%s), although nothing but plain was accepted" % encoding[:40])
        return self.body

    def text(self) -> str:
        """The body as text; raises ProbeError where its character set is unknown."""
        charset = re.search(r"charset=[\"']?([\w.:-]+)", ", ".join(self.header("Content-Type")), re.IGNORECASE)
        try:
            return self.readable().decode(charset[1] if charset else "utf-8", errors="replace")
        except LookupError:
            raise ProbeError("the answer is in an unknown character set") from None


class HttpClient(Probe):
    """What the probes that speak HTTP share: one request, and that the secret it carries is in nothing they say."""

    SEES = NETWORK

    def observe(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        secret = self._secret(arguments)
        try:
            seen = super().observe(arguments)
        except ProbeError as error:
            raise type(error)(_without(str(error), secret), error.remedy) from None
        if _holds(seen.value, secret):
            raise ProbeError("%s repeats the secret that it was given; it is not shown" % arguments["url"])
        return Observation(seen.value, _without(seen.evidence, secret))

    def _secret(self, arguments: t.Mapping[str, t.Any]) -> str:
        """The secret that the arguments name, "" where they name none."""
        name = arguments.get("secret")
        if not name:
            for needless in ("header", "parameter"):
                if arguments.get(needless):
                    raise ProbeError("`%s` says where the secret goes; it needs `secret`" % needless)
            return ""
        secret = self.secrets.get(str(name))
        if not secret:
            raise ProbeError("no value was given for the secret %s" % name)
        if not _HEADER_VALUE.fullmatch(secret) or secret != secret.strip():
            raise ProbeError("the secret %s cannot be sent: it holds a line break, a space at an end, or what is not Latin-1" % name)
        return secret

    def ask(self, arguments: t.Mapping[str, t.Any], url: str, *, method: str = "", headers: t.Optional[t.Mapping[str, str]] = None) -> Answer:
        """The answer to one request with what the arguments say of method, body, headers and secret; raises ProbeError."""
        body = _body(arguments) if not method else None
        method = method or arguments.get("method") or "GET"
        sent = {"Accept": "application/json", "User-Agent": "gonogo.preflight", **_headers(arguments), **(headers or {})}
        if body is not None and "content-type" not in map(str.lower, sent):
            sent["Content-Type"] = "application/json"
        secret, query = self._secret(arguments), {}
        if secret and arguments.get("parameter"):
            query = {arguments["parameter"]: secret}
        elif secret and arguments.get("header"):
            sent[_header_name(arguments["header"])] = secret
        elif secret:
            sent["Authorization"] = "Bearer " + secret
        return _exchange(method, url, sent, body, query)


class HttpProbe(HttpClient):
    ARGUMENTS = {
        "fact": {
            "type": "str",
            "required": True,
            "choices": ["admitted", "cors", "header", "json", "latency", "leaks", "limited", "redirect", "status"],
        },
        "url": {"type": "str", "required": True},
        # With these a request can be made that must be refused; what deletes or replaces has no place in a check.
        "method": {"type": "str", "default": "GET", "choices": ["GET", "HEAD", "OPTIONS", "POST"]},
        "body": {"type": "raw"},
        "headers": {"type": "dict", "default": {}},
        **CREDENTIALS,
        "path": {"type": "str"},
        "name": {"type": "str"},
        "origin": {"type": "str"},
        "permanent": {"type": "bool", "default": False},
        "requests": {"type": "int"},
        "at_once": {"type": "int", "default": 0},
        "spread": {"type": "str"},
        "percentile": {"type": "float"},
    }

    def fact_status(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        """Status code of the answer; redirects are not followed."""
        return Observation(self.ask(arguments, arguments["url"]).status, _asked(arguments))

    def fact_json(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        """The value at `path` ("status", "checks.0.name") of the JSON body; an answer that is not 2xx is an error."""
        path = needed(arguments, "path")
        if any(map(secret_name, path.split("."))):
            raise ProbeError("%s is, or may hold, a secret; it is not shown" % path)
        answer = self.ask(arguments, arguments["url"])
        if not 200 <= answer.status <= 299:
            raise ProbeError("%s was answered with status %d, and not with what is looked for" % (_asked(arguments), answer.status))
        value = value_at(document_of(answer, arguments["url"]), path)
        if _confidential(value):
            raise ProbeError("what stands at %s is, or holds, a secret; it is not shown" % path)
        return Observation(value, _asked(arguments))

    def fact_header(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        """The response header `name`, several of the same name joined by commas; "" when there is none.

        Of Set-Cookie the attributes are shown and the values are not.
        """
        name = _header_name(needed(arguments, "name"))
        cookie = name.lower() == "set-cookie"
        if secret_name(name) and not cookie and name.lower() not in _CHALLENGES:
            raise ProbeError("header %s is, or may hold, a secret; it is not shown" % name)
        answer = _there(arguments, self.ask(arguments, arguments["url"]))
        values = [re.sub(r"=[^;]*", "=" + _HIDDEN, value, count=1) if cookie else value for value in answer.header(name)]
        if not cookie and any(map(holds_credentials, values)):
            raise ProbeError("header %s holds a secret; it is not shown" % name)
        return Observation(", ".join(values), "%s, header %s, status %d" % (_asked(arguments), name, answer.status))

    def fact_redirect(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        """The address that the answer redirects to, absolute and without query; "" when it is no redirect.

        With `permanent`, only a redirect that holds for good (301, 308) is one.
        """
        answer = _there(arguments, self.ask(arguments, arguments["url"]))
        evidence = "%s, status %d" % (_asked(arguments), answer.status)
        if answer.status not in ((301, 308) if arguments.get("permanent") else (301, 302, 303, 307, 308)):
            return Observation("", evidence)
        places = answer.header("Location")
        if len(places) != 1 or not places[0].strip():
            raise ProbeError("%s redirects with status %d, and does not say where to" % (arguments["url"], answer.status))
        return Observation(_target(arguments["url"], places[0].strip()), evidence)

    def fact_cors(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        """What pages of `origin` may do: "refused", "echoed" (this origin is let in), "any" (every origin is).

        Asked twice, since either lets pages read: by a preflight for `method`, and by a GET with the origin.
        """
        origin = needed(arguments, "origin")
        if not _ORIGIN.fullmatch(origin):
            raise ProbeError("`origin` is %r; it is scheme and host, as in https://example.org" % origin)
        method = arguments.get("method") or "GET"
        preflight = self.ask(arguments, arguments["url"], method="OPTIONS", headers={"Origin": origin, "Access-Control-Request-Method": method})
        if preflight.status == 429 or preflight.status >= 500:
            raise ProbeError("OPTIONS %s was answered with status %d" % (arguments["url"], preflight.status))
        plain = _there(arguments, self.ask(arguments, arguments["url"], method="GET", headers={"Origin": origin}), redirect=False)
        allowed = [value.strip() for answer in (preflight, plain) for value in answer.header("Access-Control-Allow-Origin")]
        seen = "any" if "*" in allowed else "refused"
        return Observation("echoed" if origin in allowed else seen, "OPTIONS and GET %s with origin %s" % (arguments["url"], origin))

    def fact_latency(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        """Seconds within which `percentile` % of `requests` requests were answered, each over a connection of its own.

        One that is not answered with 2xx is an error: an answer that is refused says nothing of how fast others are.
        """
        requests, percentile = _requests(arguments), arguments.get("percentile")
        if percentile is None:
            raise ProbeError("fact latency needs `percentile`")
        if not 0 < percentile <= 100:
            raise ProbeError("`percentile` is %s; it is a number above 0 and up to 100" % percentile)
        seconds = []
        for number in range(1, requests + 1):
            answer = self.ask(arguments, arguments["url"])
            if not 200 <= answer.status <= 299:
                raise ProbeError("%s: request %d of %d was answered with status %d" % (_asked(arguments), number, requests, answer.status))
            seconds.append(answer.seconds)
        evidence = "%s, %d requests, %.4f s to %.4f s" % (_asked(arguments), requests, min(seconds), max(seconds))
        return Observation(round(percentile_of(seconds, percentile), 6), evidence)

    def fact_limited(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        """How many of `requests` requests, one after the other, are answered with 429.

        A redirect, 404 or a failure of the server is an error: there is nothing behind it that could be limited.
        """
        seen, evidence = self._limiting(arguments)
        return Observation(seen[429], evidence)

    def fact_admitted(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        """How many of `requests` requests are answered with something else than 429: the first `at_once` one after the other, the
        others evenly over the time `spread`.

        With time between them, what a limiter lets through is its rate for that time and its burst, whatever the burst is. A server
        that keeps up with so few requests only by delaying them is an error.
        """
        seen, evidence = self._limiting(arguments, spread=seconds_of(needed(arguments, "spread"), "spread"))
        return Observation(sum(seen.values()) - seen[429], evidence)

    def _limiting(self, arguments: t.Mapping[str, t.Any], *, spread: float = 0.0) -> tuple[Counter[int], str]:
        """(how often each status was answered, evidence) of `requests` requests."""
        requests, at_once = _requests(arguments), arguments.get("at_once") or 0
        if not 0 <= at_once < requests:
            raise ProbeError("`at_once` is %s; it is a number below that of the requests" % at_once)
        seen: Counter[int] = Counter()
        began = time.monotonic()
        for number in range(requests):
            ahead = began + spread * max(0, number - at_once) / (requests - at_once) - time.monotonic()
            if ahead > 0:
                time.sleep(ahead)
            if spread and ahead < -_LATE * spread:
                message = "%s does not answer %d requests in %g s: it is too slow, or its limiter delays them and refuses none"
                raise ProbeError(message % (_asked(arguments), requests, spread))
            answer = self.ask(arguments, arguments["url"])
            if answer.status != 429:
                _there(arguments, answer, redirect=False)
            seen[answer.status] += 1
        counts = ", ".join("%d times status %d" % (count, status) for status, count in sorted(seen.items()))
        over = " over %g s" % spread if spread else ""
        return seen, "%s, %d requests%s: %s" % (_asked(arguments), requests, over, counts)

    def fact_leaks(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        """What the body of an error tells that is nobody's business, a list of kinds; nothing of the body itself.

        An answer that is no error (below 400), comes from in front of the application's own code (no such path or method, a
        login, a limit), or comes to HEAD is an error: there is nothing to look at.
        """
        answer = self.ask(arguments, arguments["url"])
        if arguments.get("method") == "HEAD":
            raise ProbeError("an answer to HEAD has no body to look at")
        if answer.status < 400 or answer.status in _BEFORE_THE_CODE:
            raise ProbeError("%s was answered with status %d, which is no error of its own to look at" % (_asked(arguments), answer.status))
        own = urllib.parse.urlsplit(arguments["url"]).path
        evidence = "%s, status %d, body of %d bytes" % (_asked(arguments), answer.status, len(answer.body))
        return Observation(leaks_of(answer.text(), own_path=own), evidence)


def value_at(document: t.Any, path: str) -> t.Any:
    """The value at a dotted path, in which a number is the index of a list; raises ProbeError when there is none."""
    for step in path.split("."):
        if isinstance(document, list) and re.fullmatch("[0-9]{1,9}", step) and int(step) < len(document):
            document = document[int(step)]
        elif isinstance(document, dict) and step in document:
            document = document[step]
        else:
            raise ProbeError("the answer has no %s" % path)
    return document


def document_of(answer: Answer, url: str) -> t.Any:
    """The JSON document of an answer; raises ProbeError."""
    try:
        return json.loads(answer.readable())
    except (ValueError, RecursionError):
        raise ProbeError("%s did not answer with JSON" % url) from None


def percentile_of(values: t.Sequence[float], percentile: float) -> float:
    """The smallest of `values` that at least `percentile` % of them do not exceed (nearest rank)."""
    return sorted(values)[max(1, math.ceil(len(values) * percentile / 100 - 1e-9)) - 1]


_SOURCE = r"(?:py|pyc|js|mjs|cjs|ts|jsx|tsx|rb|php|java|kt|scala|go|rs|cs|cpp|c|ex|exs|pl|lua)"
_LEAKS: t.Mapping[str, t.Pattern[str]] = {
    kind: re.compile(pattern, re.IGNORECASE if kind != "stack trace" else 0)
    for kind, pattern in {
        "stack trace": (
            r"Traceback \(most recent call last\)|File \\?[\"'][^\"'\n]+\\?[\"'], line \d+|\bat [\w$.<>/]+\([\w$]+\.(?:java|kt|scala):\d+\)"
            r"|\bat .{0,200}?[\w.]+\.(?:js|mjs|cjs|ts|jsx|tsx):\d+:\d+|goroutine \d+ \[|panic: |\bin [^\n]{1,200}\.cs:line \d+"
            r"|Stack trace:|stackTrace|stack_trace|\.(?:rb|php|ex|exs|rs|go):\d+(?::|\b)|(?:Fatal error|Warning|Notice): .{0,300} on line \d+"
        ),
        "debug page": r"werkzeug debugger|you(?:'|&#x?\d+;|\\u0027)re seeing this error because you have|whoops! there was an error|debug ?= ?true|xdebug",
        "connection string": (
            r"\b[a-z][a-z0-9+.-]{0,20}://[^\s/?#@\"'<>]*:[^\s@\"'<>]*@"
            r"|\b(?:host|server|data source)=[^\s;\"']+[ ;].{0,200}?\b(?:user|uid|password|pwd)="
        ),
        "credential": (
            r"(?:passw(?:or)?d|pwd|secret(?:_key)?|api[_-]?key|access[_-]?token)\\?[\"']?\s*[=:]\s*\\?[\"']?(?!\s|null\b|none\b|[\"'}\\,<*])[^\s\"']{3}"
            r"|-----BEGIN [A-Z ]*PRIVATE KEY-----|\beyJ[\w-]{8,}\.[\w-]+\.|\bAKIA[0-9A-Z]{16}\b|\bgh[pousr]_\w{20,}"
        ),
        "database error": (
            r"psycopg|asyncpg|sqlalchemy|sqlstate|syntax error at or near|ORA-\d{5}|mysql_|mysqli|pg_query|PG::|sqlite3?\.|SQLite error"
            r"|relation \\?[\"'][^\"'\n]+[\"'] does not exist|duplicate key value violates|violates (?:foreign key|not-null|check) constraint"
            r"|\bselect\b.{1,300}\bfrom\b.{1,300}\bwhere\b|\binsert into\b.{1,200}\bvalues\b"
        ),
        "file path": (
            r"(?<![\w.:/-])/(?:etc|home|opt|proc|root|srv|tmp|usr|var)/[\w.-]|(?<![\w.:/-])(?:/[\w.-]+)+\." + _SOURCE + r"\b(?![/?])"
            r"|\b[a-z]:\\{1,2}(?:users|inetpub|windows|program files|app|src|www)\\"
        ),
        "internal address": r"(?<![\d.])(?:10(?:\.\d{1,3}){3}|192\.168(?:\.\d{1,3}){2}|172\.(?:1[6-9]|2\d|3[01])(?:\.\d{1,3}){2})(?![\d.]*\d)",
        "version of the server": r"\b(?:nginx|apache|openresty|gunicorn|uvicorn|tomcat|jetty|php|express|werkzeug|openssl|python)/\d+\.\d+",
    }.items()
}
_MARKUP = re.compile(r"\b(?:href|src|action)=(?:\"[^\"]*\"|'[^']*')", re.IGNORECASE)


def leaks_of(text: str, *, own_path: str = "") -> list[str]:
    """The kinds of things in the body of an error that help whoever attacks, a list.

    :param own_path: path that was asked for, which many errors repeat.
    """
    text = _MARKUP.sub("", text)
    if len(own_path) > 1:
        text = text.replace(own_path, " ")
    return [kind for kind, pattern in _LEAKS.items() if pattern.search(text)]


def _asked(arguments: t.Mapping[str, t.Any]) -> str:
    return "%s %s" % (arguments.get("method") or "GET", arguments["url"])


def needed(arguments: t.Mapping[str, t.Any], name: str) -> str:
    if not arguments.get(name):
        raise ProbeError("fact %s needs `%s`" % (arguments["fact"], name))
    return str(arguments[name])


def _requests(arguments: t.Mapping[str, t.Any]) -> int:
    requests = arguments.get("requests")
    if requests is None:
        raise ProbeError("fact %s needs `requests`" % arguments["fact"])
    if not 1 <= requests <= _MOST_REQUESTS:
        raise ProbeError("`requests` is %s; it is a number from 1 to %d" % (requests, _MOST_REQUESTS))
    return int(requests)


def _there(arguments: t.Mapping[str, t.Any], answer: Answer, *, redirect: bool = True) -> Answer:
    """`answer`, where there is something behind it that can be judged; what an absent page does not do proves nothing."""
    elsewhere = not redirect and 300 <= answer.status <= 399
    if answer.status in (404, 410, 429) or answer.status >= 500 or elsewhere:
        raise ProbeError("%s was answered with status %d, so there is nothing to look at" % (_asked(arguments), answer.status))
    return answer


def _target(url: str, place: str) -> str:
    """`place` of a Location as an absolute address; queries carry tokens, and are left out."""
    try:
        parts = urllib.parse.urlsplit(urllib.parse.urljoin(url, place))
    except ValueError:
        raise ProbeError("%s redirects to what is no address" % url) from None
    return urllib.parse.urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def _header_name(name: t.Any) -> str:
    if not isinstance(name, str) or not _HEADER_NAME.fullmatch(name):
        raise ProbeError("%r is no name of a header" % (name,))
    return name


def _headers(arguments: t.Mapping[str, t.Any]) -> dict[str, str]:
    found = {}
    for name, value in (arguments.get("headers") or {}).items():
        if isinstance(value, bool) or not isinstance(value, (str, int)) or not _HEADER_VALUE.fullmatch(str(value)):
            raise ProbeError("header %s is no text that can be sent" % _header_name(name))
        found[_header_name(name)] = str(value)
    return found


def _body(arguments: t.Mapping[str, t.Any]) -> t.Optional[bytes]:
    """A text as it is, anything else as JSON."""
    body = arguments.get("body")
    if body is None:
        return None
    if arguments.get("method") != "POST":
        raise ProbeError("`body` goes with method POST")
    try:
        return (body if isinstance(body, str) else json.dumps(body, allow_nan=False)).encode()
    except (TypeError, ValueError, RecursionError):
        raise ProbeError("`body` is neither text nor what JSON can hold") from None


def _forms(secret: str) -> t.Iterator[str]:
    """How a server may repeat what it was sent."""
    yield secret
    yield urllib.parse.quote(secret, safe="")
    yield urllib.parse.quote_plus(secret)


def _without(text: str, secret: str) -> str:
    for form in _forms(secret) if secret else ():
        text = text.replace(form, _HIDDEN)
    return text


def _holds(value: t.Any, secret: str) -> bool:
    if not secret:
        return False
    if isinstance(value, dict):
        return any(_holds(one, secret) for pair in value.items() for one in pair)
    if isinstance(value, list):
        return any(_holds(one, secret) for one in value)
    return isinstance(value, str) and any(form in value for form in _forms(secret))


def _confidential(value: t.Any, depth: int = 0) -> bool:
    """Whether something in observed JSON is a secret by its key, or has the shape of one; what is nested too deeply counts."""
    if depth > 20:
        return True
    if isinstance(value, dict):
        return any(
            holds_credentials(key) or (secret_name(key) and one not in (None, "", True, False)) or _confidential(one, depth + 1) for key, one in value.items()
        )
    if isinstance(value, list):
        return any(_confidential(one, depth + 1) for one in value)
    return isinstance(value, str) and holds_credentials(value)


def _address(url: str) -> urllib.parse.SplitResult:
    """The parts of an http or https address; raises ProbeError, which shows nothing of one that holds credentials."""
    if holds_credentials(url):
        raise ProbeError("the address holds a credential, which every report would show; name it with `secret`, and `header` or `parameter`")
    try:
        parts = urllib.parse.urlsplit(url)
        host, _port = parts.hostname, parts.port
    except ValueError as error:
        raise ProbeError("%r is not an address: %s" % (url, error)) from None
    if parts.scheme not in ("http", "https") or not host:
        raise ProbeError("%r is not an http or https address" % url)
    return parts


def _exchange(method: str, url: str, headers: t.Mapping[str, str], body: t.Optional[bytes], query: t.Mapping[str, str]) -> Answer:
    """One request and its answer; raises ProbeError. What is in `query` is added to the address, and is in no error."""
    parts = _address(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    asked = "&".join(filter(None, (parts.query, urllib.parse.urlencode(query))))
    target = urllib.parse.urlunsplit(("", "", parts.path or "/", asked, ""))
    began = time.monotonic()
    try:
        with contextlib.closing(kind(str(parts.hostname), parts.port, timeout=_TIMEOUT)) as connection:
            connection.request(method, target, body=body, headers=dict(headers))
            response = connection.getresponse()
            received = response.read(_LARGEST_BODY + 1)
    except (OSError, http.client.HTTPException, UnicodeError) as error:
        raise ProbeError("%s %s: %s" % (method, url, str(error) or type(error).__name__)) from None
    seconds = time.monotonic() - began
    if len(received) > _LARGEST_BODY:
        raise ProbeError("%s answered with more than %d bytes" % (url, _LARGEST_BODY))
    # With a size, read() does not complain about a connection that ends too early.
    if response.length:
        raise ProbeError("%s ended %d bytes before the end of its answer" % (url, response.length))
    return Answer(response.status, response.getheaders(), received, seconds)
