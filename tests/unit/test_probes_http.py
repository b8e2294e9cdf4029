# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The http probe against real servers of this process: what it sees, what it refuses to take for an answer, what it never shows.

Faults of the network itself are in test_probes_network.py.
"""

from __future__ import annotations

import http.server
import json
import shutil
import ssl
import subprocess
import threading
import time
import urllib.parse

import pytest

from ansible_collections.gonogo.preflight.plugins.module_utils import _engine
from ansible_collections.gonogo.preflight.plugins.module_utils._probes import _http
from ansible_collections.gonogo.preflight.plugins.module_utils._probes._base import ProbeError

SECRET = "Xk3-9vQ/w2+Zr8"


class Site(http.server.ThreadingHTTPServer):
    """A server whose `answers` map a path to a function of the request; it remembers what it was asked."""

    daemon_threads = True

    def __init__(self, answers):
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers = answers
        self.requests = []
        self.scheme = "http"

    def url(self, path="/"):
        return "%s://127.0.0.1:%d%s" % (self.scheme, self.server_address[1], path)

    def handle_error(self, request, client_address):
        """Clients that give up are what these tests are about."""


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 5

    def answer(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.requests.append((self.command, self.path, dict(self.headers), body))
        told = self.server.answers.get(urllib.parse.urlsplit(self.path).path, (404, {}, b"not here"))
        status, headers, content = told(self) if callable(told) else told
        self.send_response(status)
        for name, value in headers.items() if isinstance(headers, dict) else headers:
            self.send_header(name, value)
        if not {"Content-Length", "Transfer-Encoding"} & set(dict(headers)):
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)
        self.close_connection = True

    do_GET = do_POST = do_HEAD = do_OPTIONS = answer  # noqa: N815 (the names that http.server looks for)

    def log_message(self, *_arguments):
        """Nothing on standard error."""


@pytest.fixture
def site():
    """site(answers) -> a server that runs until the test ends."""
    running = []

    def start(answers, context=None):
        server = Site(answers)
        if context:
            server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
            server.scheme = "https"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        running.append((server, thread))
        return server

    yield start
    for server, thread in running:
        server.shutdown()
        server.server_close()
        thread.join(5)
        assert not thread.is_alive()


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(_http, "_TIMEOUT", 2.0)


def look(server, target, fact, /, *, secrets=None, **more):
    return _http.HttpProbe(secrets or {}).observe({"fact": fact, "url": server.url(target), **more})


def value(server, target, fact, /, **more):
    return look(server, target, fact, **more).value


def error(server, target, fact, /, **more):
    with pytest.raises(ProbeError) as raised:
        look(server, target, fact, **more)
    return str(raised.value)


OK = (200, {"Content-Type": "application/json"}, b'{"status": "healthy"}')


# The request


def test_method_body_and_headers_are_what_is_sent(site):
    server = site({"/login": (401, {}, b"")})
    for body, sent in (({"user": "admin"}, b'{"user": "admin"}'), ("{broken", b"{broken"), ([1], b"[1]"), ("", b""), (0, b"0")):
        assert value(server, "/login", "status", method="POST", body=body, headers={"X-Tenant": 7}) == 401
        method, path, headers, received = server.requests[-1]
        assert (method, path, received) == ("POST", "/login", sent)
        assert (headers["Content-Type"], headers["X-Tenant"]) == ("application/json", "7")


def test_another_content_type_and_host_can_be_named(site):
    server = site({"/": OK})
    value(server, "/", "status", method="POST", body="a=1", headers={"content-type": "application/x-www-form-urlencoded", "Host": "shop.example.org"})
    headers = server.requests[0][2]
    assert headers["Host"] == "shop.example.org"
    assert [headers[name] for name in headers if name.lower() == "content-type"] == ["application/x-www-form-urlencoded"]


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "POST"])
def test_status_by_method(site, method):
    server = site({"/": lambda request: (204 if request.command == method else 405, {}, b"")})
    assert value(server, "/", "status", method=method) == 204
    assert look(server, "/", "status", method=method).evidence == "%s %s" % (method, server.url("/"))


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"body": "x"}, "`body` goes with method POST"),
        ({"body": "x", "method": "HEAD"}, "`body` goes with method POST"),
        ({"body": {1, 2}, "method": "POST"}, "neither text nor what JSON can hold"),
        ({"body": float("nan"), "method": "POST"}, "neither text nor what JSON can hold"),
        ({"body": "\ud800", "method": "POST"}, "neither text nor what JSON can hold"),
        ({"headers": {"X y": "1"}}, "'X y' is no name of a header"),
        ({"headers": {"X": "1\r\nY: 2"}}, "header X is no text that can be sent"),
        ({"headers": {"X": None}}, "header X is no text that can be sent"),
        ({"headers": {"X": "\u20ac"}}, "header X is no text that can be sent"),
    ],
)
def test_a_request_that_cannot_be_sent_is_an_error_and_is_not_sent(site, more, message):
    server = site({"/": OK})
    assert message in error(server, "/", "status", **more)
    assert server.requests == []


# Secrets


@pytest.mark.parametrize(
    ("where", "sent"),
    [
        ({}, lambda path, headers: headers["Authorization"] == "Bearer " + SECRET and path == "/"),
        ({"header": "X-Api-Key"}, lambda path, headers: headers["X-Api-Key"] == SECRET and "Authorization" not in headers),
        ({"header": "Authorization"}, lambda path, headers: headers["Authorization"] == SECRET),
        ({"parameter": "apiKey"}, lambda path, headers: path == "/?" + urllib.parse.urlencode({"apiKey": SECRET}) and "Authorization" not in headers),
    ],
)
def test_a_secret_goes_where_it_is_said_and_nowhere_else(site, where, sent):
    server = site({"/": OK})
    seen = look(server, "/", "status", secrets={"key of app1": SECRET}, secret="key of app1", **where)
    assert sent(*server.requests[0][1:3])
    assert SECRET not in repr(seen) and urllib.parse.quote_plus(SECRET) not in repr(seen)


@pytest.mark.parametrize(
    ("secrets", "more", "message"),
    [
        ({}, {"secret": "key"}, "no value was given for the secret key"),
        ({"key": ""}, {"secret": "key"}, "no value was given for the secret key"),
        ({"key": "two\nlines"}, {"secret": "key"}, "the secret key cannot be sent"),
        ({"key": " spaced"}, {"secret": "key"}, "the secret key cannot be sent"),
        ({"key": "\u20acuro"}, {"secret": "key"}, "the secret key cannot be sent"),
        ({"key": SECRET}, {"header": "X-Api-Key"}, "`header` says where the secret goes; it needs `secret`"),
        ({"key": SECRET}, {"parameter": "key"}, "`parameter` says where the secret goes; it needs `secret`"),
        ({"key": SECRET}, {"secret": "key", "header": "X y"}, "'X y' is no name of a header"),
    ],
)
def test_without_the_secret_nothing_is_asked(site, secrets, more, message):
    server = site({"/": OK})
    said = error(server, "/", "status", secrets=secrets, **more)
    assert message in said and server.requests == []
    assert not any(one and one in said for one in secrets.values())


def echo(request):
    return 200, {"X-Echo": request.headers.get("Authorization", "")}, json.dumps({"seen": [{"of": request.headers.get("Authorization")}]}).encode()


def test_a_server_that_repeats_the_secret_is_not_repeated(site):
    server = site({"/": echo})
    for fact, more in (("json", {"path": "seen"}), ("header", {"name": "X-Echo"})):
        said = error(server, "/", fact, secrets={"key": SECRET}, secret="key", **more)
        assert "repeats the secret" in said and SECRET not in said


def test_an_error_does_not_repeat_the_secret(monkeypatch):
    def refuses(self, *_arguments, **_options):
        raise OSError("no route for %s and %s" % (SECRET, urllib.parse.quote_plus(SECRET)))

    monkeypatch.setattr(_http.http.client.HTTPConnection, "request", refuses)
    with pytest.raises(ProbeError) as raised:
        _http.HttpProbe({"key": SECRET}).observe({"fact": "status", "url": "http://127.0.0.1/", "secret": "key"})
    assert str(raised.value) == "GET http://127.0.0.1/: no route for ******** and ********"


@pytest.mark.parametrize("url", ["http://ada:hunter2@127.0.0.1/", "http://127.0.0.1/?apiKey=hunter2", "http://hunter2@127.0.0.1:x/"])
def test_an_address_with_a_credential_is_refused_and_not_shown(url):
    with pytest.raises(ProbeError, match="the address holds a credential") as raised:
        _http.HttpProbe({}).observe({"fact": "status", "url": url})
    assert "hunter2" not in str(raised.value)


# JSON

DOCUMENT = {"checks": [{"name": "db", "ok": True}, {"name": "cache", "ok": False}], "0": "zero", "version": "9f3c2ab14d5e6f708192a3b4c5d6e7f8091a2b3c"}


@pytest.mark.parametrize(
    ("path", "seen"),
    [("checks.0.name", "db"), ("checks.1.ok", False), ("checks.1", {"name": "cache", "ok": False}), ("0", "zero"), ("version", DOCUMENT["version"])],
)
def test_value_by_path(site, path, seen):
    assert value(site({"/": (200, {}, json.dumps(DOCUMENT).encode())}), "/", "json", path=path) == seen


@pytest.mark.parametrize("path", ["checks.2", "checks.-1", "checks.name", "checks.0.name.0", "checks.", ".", "checks.\u0661", "checks.99999999999"])
def test_a_path_that_leads_nowhere_is_an_error(site, path):
    assert "the answer has no " + path in error(site({"/": (200, {}, json.dumps(DOCUMENT).encode())}), "/", "json", path=path)


@pytest.mark.parametrize("status", [200, 201])
def test_json_of_a_good_answer(site, status):
    assert value(site({"/": (status, {}, OK[2])}), "/", "json", path="status") == "healthy"


@pytest.mark.parametrize("status", [301, 401, 404, 500, 503])
def test_json_of_a_refusal_is_an_error_and_no_text_that_an_expectation_could_meet(site, status):
    assert "was answered with status %d" % status in error(site({"/": (status, {}, OK[2])}), "/", "json", path="status")


SECRETIVE = {
    "a key that names one": ("access_token", {"access_token": "abc"}),
    "a key further down": ("user", {"user": [{"password": "abc"}]}),
    "a connection string": ("database", {"database": "postgresql://app:hunter2@db/app"}),
    "a connection string in a list": ("hosts", {"hosts": ["a", "redis://:hunter2@cache"]}),
    "nested too deeply": ("deep", {"deep": json.loads("[" * 30 + '"abc"' + "]" * 30)}),
}


@pytest.mark.parametrize("case", SECRETIVE)
def test_json_that_holds_a_secret_is_not_shown(site, case):
    path, document = SECRETIVE[case]
    said = error(site({"/": (200, {}, json.dumps(document).encode())}), "/", "json", path=path)
    assert "it is not shown" in said and "hunter2" not in said and "abc" not in said


def test_json_that_only_says_whether_there_is_a_secret_is_shown(site):
    server = site({"/": (200, {}, b'{"config": {"password": null, "token": false, "secret": ""}}')})
    assert value(server, "/", "json", path="config") == {"password": None, "token": False, "secret": ""}


def test_a_body_that_nobody_can_read_is_an_error(site):
    server = site({"/zip": (200, {"Content-Encoding": "gzip"}, b"\x1f\x8b"), "/set": (500, {"Content-Type": "text/plain; charset=klingon"}, b"x")})
    assert "encoded (gzip)" in error(server, "/zip", "json", path="status")
    assert "unknown character set" in error(server, "/set", "leaks")


# Headers


@pytest.mark.parametrize(
    ("headers", "name", "seen"),
    [
        ({"Strict-Transport-Security": "max-age=31536000"}, "strict-transport-security", "max-age=31536000"),
        ({}, "Strict-Transport-Security", ""),
        ([("Vary", "Origin"), ("Vary", "Accept")], "Vary", "Origin, Accept"),
        ({"X-RateLimit-Remaining": "0"}, "X-RateLimit-Remaining", "0"),
        ({"WWW-Authenticate": 'Bearer realm="api"'}, "WWW-Authenticate", 'Bearer realm="api"'),
        (
            [("Set-Cookie", "session=abc; Secure; HttpOnly"), ("Set-Cookie", "csrf=def=; Path=/")],
            "Set-Cookie",
            "session=********; Secure; HttpOnly, csrf=********; Path=/",
        ),
    ],
)
def test_header(site, headers, name, seen):
    assert value(site({"/": (200, headers, b"")}), "/", "header", name=name) == seen


@pytest.mark.parametrize("status", [404, 410, 429, 500, 502, 503])
@pytest.mark.parametrize(
    ("fact", "more"),
    [
        ("header", {"name": "X-Powered-By"}),
        ("redirect", {}),
        ("cors", {"origin": "https://a.example.org"}),
        ("limited", {"requests": 2}),
        ("admitted", {"requests": 2, "spread": "1s"}),
    ],
)
def test_what_is_not_there_proves_nothing(site, fact, more, status):
    server = site({"/": (status, {}, b"")})
    if status == 429 and fact in ("limited", "admitted"):
        assert value(server, "/", fact, **more) == {"limited": 2, "admitted": 0}[fact]
    else:
        assert "status %d" % status in error(server, "/", fact, **more)


@pytest.mark.parametrize("name", ["Authorization", "X-Auth-Token", "X-Api-Key", "Cookie"])
def test_a_header_that_is_a_secret_is_not_shown(site, name):
    server = site({"/": (200, {name: "hunter2"}, b"")})
    assert "it is not shown" in error(server, "/", "header", name=name)


def test_a_header_that_holds_a_secret_is_not_shown(site):
    said = error(site({"/": (200, {"X-Upstream": "redis://:hunter2@cache"}, b"")}), "/", "header", name="X-Upstream")
    assert "holds a secret" in said and "hunter2" not in said


# Redirects


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize(
    ("place", "seen"),
    [
        ("https://shop.example.org/", "https://shop.example.org/"),
        ("https://login.example.org/authorize?state=abc#x", "https://login.example.org/authorize"),
        ("https://ada:hunter2@shop.example.org/x", "https://shop.example.org/x"),
        ("//cdn.example.org/x", "http://cdn.example.org/x"),
    ],
)
def test_target_of_a_redirect(site, status, place, seen):
    assert value(site({"/": (status, {"Location": place}, b"")}), "/", "redirect") == seen


def test_a_relative_target_and_a_loop_are_seen_and_not_followed(site):
    server = site({"/a/b": (302, {"Location": "c"}, b""), "/loop": (302, {"Location": "/loop"}, b"")})
    assert value(server, "/a/b", "redirect") == server.url("/a/c")
    assert value(server, "/loop", "redirect") == server.url("/loop")
    assert value(server, "/loop", "status") == 302
    assert len(server.requests) == 3


@pytest.mark.parametrize("status", [200, 204, 304, 401, 403])
def test_no_redirect(site, status):
    assert value(site({"/": (status, {"Location": "https://shop.example.org/"}, b"")}), "/", "redirect") == ""


@pytest.mark.parametrize(("status", "permanent"), [(301, True), (308, True), (302, False), (303, False), (307, False)])
def test_a_redirect_for_good(site, status, permanent):
    server = site({"/": (status, {"Location": "https://shop.example.org/"}, b"")})
    assert value(server, "/", "redirect", permanent=True) == ("https://shop.example.org/" if permanent else "")


@pytest.mark.parametrize("headers", [{}, {"Location": ""}, [("Location", "/a"), ("Location", "/b")]])
def test_a_redirect_to_nowhere_is_an_error(site, headers):
    assert "does not say where to" in error(site({"/": (301, headers, b"")}), "/", "redirect")


def test_a_redirect_to_what_is_no_address_is_an_error(site):
    assert "what is no address" in error(site({"/": (301, {"Location": "http://[::1/"}, b"")}), "/", "redirect")


# CORS

FOREIGN = "https://evil.example.org"


def allows(preflight, plain, status=200):
    """A site that answers preflight and GET with these Access-Control-Allow-Origin (a function of the origin, or None)."""

    def answer(request):
        rule = preflight if request.command == "OPTIONS" else plain
        allowed = rule(request.headers.get("Origin")) if callable(rule) else rule
        return (status if request.command == "OPTIONS" else 200), ({"Access-Control-Allow-Origin": allowed} if allowed else {}), b"{}"

    return {"/": answer}


def same(origin):
    return origin


@pytest.mark.parametrize(
    ("preflight", "plain", "seen"),
    [
        (None, None, "refused"),
        ("https://shop.example.org", "https://shop.example.org", "refused"),
        ("https://evil.example.org.shop.example.org", None, "refused"),
        (same, same, "echoed"),
        (None, same, "echoed"),
        (same, None, "echoed"),
        ("*", "*", "any"),
        (None, "*", "any"),
        ("*", same, "echoed"),
    ],
)
def test_cors(site, preflight, plain, seen):
    server = site(allows(preflight, plain))
    assert value(server, "/", "cors", origin=FOREIGN, method="POST") == seen
    assert [(method, headers.get("Access-Control-Request-Method")) for method, _path, headers, _body in server.requests] == [("OPTIONS", "POST"), ("GET", None)]


@pytest.mark.parametrize("status", [200, 204, 400, 403, 404, 405])
def test_a_server_without_preflights_refuses(site, status):
    assert value(site(allows(None, None, status=status)), "/", "cors", origin=FOREIGN) == "refused"


def test_the_origin_null_is_an_origin(site):
    assert value(site(allows("null", "null")), "/", "cors", origin="null") == "echoed"


@pytest.mark.parametrize("status", [301, 404, 429, 500])
def test_cors_of_a_page_that_is_not_there_is_an_error(site, status):
    server = site({"/": lambda request: (200 if request.command == "OPTIONS" else status, {"Location": "/x"}, b"")})
    assert "nothing to look at" in error(server, "/", "cors", origin=FOREIGN)


@pytest.mark.parametrize("origin", ["evil.example.org", "https://evil.example.org/", "https://", "*", "https://a b"])
def test_what_is_no_origin_is_an_error(site, origin):
    server = site({"/": OK})
    assert "`origin` is" in error(server, "/", "cors", origin=origin)
    assert server.requests == []


# Latency


def test_latency_is_a_percentile_of_real_answers(site):
    waits = iter([0.0] * 9 + [0.2])

    def slow_at_last(_request):
        time.sleep(next(waits))
        return OK

    server = site({"/": slow_at_last, "/fast": OK})
    seen = look(server, "/", "latency", requests=10, percentile=100)
    assert 0.2 <= seen.value < 2 and "10 requests" in seen.evidence
    assert 0 < value(server, "/fast", "latency", requests=10, percentile=50.0) < 0.2
    assert len(server.requests) == 20


@pytest.mark.parametrize(("percentile", "seen"), [(50, 5), (90, 9), (95, 10), (99.9, 10), (100, 10), (0.1, 1), (10, 1), (10.1, 2), (70, 7)])
def test_percentile_is_the_nearest_rank(percentile, seen):
    assert _http.percentile_of([3, 1, 2, 10, 9, 8, 7, 6, 5, 4], percentile) == seen
    assert _http.percentile_of([0.5], percentile) == 0.5


@pytest.mark.parametrize("status", [301, 401, 404, 429, 503])
def test_an_answer_that_is_refused_fast_is_not_fast(site, status):
    answers = iter([200, 200, status])
    said = error(site({"/": lambda _request: (next(answers), {}, b"")}), "/", "latency", requests=5, percentile=95)
    assert "request 3 of 5 was answered with status %d" % status in said


def test_an_answer_that_does_not_come_in_time_is_an_error(site, monkeypatch):
    monkeypatch.setattr(_http, "_TIMEOUT", 0.3)

    def stuck(_request):
        time.sleep(1.0)
        return OK

    assert "timed out" in error(site({"/": stuck}), "/", "latency", requests=2, percentile=50)


@pytest.mark.parametrize(
    ("fact", "more", "message"),
    [
        ("latency", {"percentile": 95}, "fact latency needs `requests`"),
        ("latency", {"requests": 5}, "fact latency needs `percentile`"),
        ("latency", {"requests": 5, "percentile": 0}, "`percentile` is 0"),
        ("latency", {"requests": 5, "percentile": 101}, "`percentile` is 101"),
        ("latency", {"requests": 0, "percentile": 95}, "`requests` is 0"),
        ("limited", {}, "fact limited needs `requests`"),
        ("limited", {"requests": 0}, "`requests` is 0"),
        ("limited", {"requests": 1001}, "`requests` is 1001"),
        ("admitted", {"spread": "1s"}, "fact admitted needs `requests`"),
        ("admitted", {"requests": 5}, "fact admitted needs `spread`"),
        ("admitted", {"requests": 5, "spread": "soon"}, "`spread` is 'soon'"),
        ("admitted", {"requests": 5, "spread": "1s", "at_once": 5}, "`at_once` is 5"),
        ("admitted", {"requests": 5, "spread": "1s", "at_once": -1}, "`at_once` is -1"),
        ("cors", {}, "fact cors needs `origin`"),
        ("header", {}, "fact header needs `name`"),
        ("header", {"name": "X y"}, "is no name of a header"),
        ("json", {}, "fact json needs `path`"),
    ],
)
def test_what_a_fact_needs(site, fact, more, message):
    server = site({"/": OK})
    assert message in error(server, "/", fact, **more)
    assert server.requests == []


# Limits


def limiting(after):
    seen = []

    def answer(_request):
        seen.append(1)
        return (429 if len(seen) > after else 200), {}, b""

    return {"/": answer}


@pytest.mark.parametrize(("after", "seen"), [(0, 10), (7, 3), (9, 1), (10, 0), (100, 0)])
def test_how_many_are_limited(site, after, seen):
    assert value(site(limiting(after)), "/", "limited", requests=10) == seen


def test_what_is_refused_can_be_limited_too(site):
    answers = iter([401, 422, 429])
    seen = look(site({"/": lambda _request: (next(answers), {}, b"")}), "/", "limited", requests=3, method="POST", body={})
    assert seen.value == 1 and seen.evidence.endswith("3 requests: 1 times status 401, 1 times status 422, 1 times status 429")


def test_what_gets_through_is_counted_over_the_time_that_was_asked_for(site):
    began = time.monotonic()
    seen = look(site(limiting(4)), "/", "admitted", requests=10, at_once=5, spread="0.5s")
    # The last one is sent a fifth of the time before its end.
    assert seen.value == 4 and 0.4 <= time.monotonic() - began < 5
    assert seen.evidence.endswith("10 requests over 0.5 s: 4 times status 200, 6 times status 429")


@pytest.mark.parametrize("status", [301, 404, 503])
def test_a_server_that_fails_has_not_limited(site, status):
    answers = iter([200, 429, status])
    assert "status %d" % status in error(site({"/": lambda _request: (next(answers), {}, b"")}), "/", "limited", requests=3)


# What errors tell

LEAKS = {
    "stack trace": [
        'Traceback (most recent call last):\n  File "x", line 1',
        r'{"detail": "File \"main\", line 12, in handler"}',
        "java.lang.NullPointerException\n\tat com.shop.Cart.total(Cart.java:42)",
        "TypeError: x is not a function\n    at handler (/srv2/server.js:10:5)",
        "goroutine 1 [running]:\nmain.main()",
        "panic: runtime error",
        "app/models/user.rb:15:in `find'",
        "Fatal error: Uncaught Error in index on line 3",
        '{"stackTrace": []}',
    ],
    "debug page": ["<title>Werkzeug Debugger</title>", "You&#x27;re seeing this error because you have DEBUG = True"],
    "connection string": ["could not connect: postgresql://app:hunter2@db/app", "redis://:x@cache:6379", "host=db port=5432 user=app"],
    "credential": ['{"password": "hunter2"}', "SECRET_KEY = 'abcdef'", "api_key=0123", "-----BEGIN RSA PRIVATE KEY-----", "eyJhbGciOiJIUzI1NiJ9.eyJ.x"],
    "database error": [
        "psycopg2.errors.UndefinedTable",
        '{"detail": "relation \\"users\\" does not exist"}',
        'syntax error at or near "FROM"',
        "ORA-00942: table or view does not exist",
        "SELECT id, name FROM users WHERE id = 1",
        "SQLSTATE[42S02]",
    ],
    "file path": ["cannot open /etc/shop/config.yml", "/app/app/main.py failed", r"C:\\Users\\ada", "(/usr/lib/python3)", "'/home/ada/x'"],
    "internal address": ["upstream 10.0.0.12 refused", "http://192.168.1.4:8000/", "172.16.0.1", "at 172.31.255.1."],
    "version of the server": ["<center>nginx/1.26.3</center>", "Apache/2.4.65 (Debian)"],
}


@pytest.mark.parametrize(("kind", "text"), [(kind, text) for kind, texts in LEAKS.items() for text in texts])
def test_an_error_that_tells_too_much(site, kind, text):
    seen = look(site({"/x": (500, {"Content-Type": "text/plain"}, text.encode())}), "/x", "leaks")
    assert kind in seen.value
    assert text not in seen.evidence and "hunter2" not in repr(seen)


@pytest.mark.parametrize(
    "text",
    [
        "",
        '{"detail": "Not Found"}',
        '{"detail": [{"loc": ["body", "password"], "msg": "Field required", "type": "missing"}]}',
        '{"error": "invalid_request", "password": null, "request_id": "9f3c2ab1-4d5e"}',
        '<html><link href="/app/main.css"><script src="/static/app.js"></script><h1>502 Bad Gateway</h1></html>',
        "Cannot POST /api/v1/home/notes: at least one item, at most 10.0 of them; see https://docs.example.org/errors",
        "Your password must have 12 characters. Password: at least 12",
        "version 1.10.2.3.4 of 2026",
        "Select one from the list",
    ],
)
def test_an_error_that_keeps_to_itself(site, text):
    assert value(site({"/x": (422, {}, text.encode())}), "/x", "leaks") == []


def test_the_path_that_was_asked_for_is_no_leak(site):
    server = site({"/opt/tools/x.py": (400, {}, b"no /opt/tools/x.py here"), "/y": (400, {}, b"no /opt/tools/x.py here")})
    assert value(server, "/opt/tools/x.py", "leaks") == []
    assert value(server, "/y", "leaks") == ["file path"]


def test_a_body_in_another_character_set_is_read(site):
    body = "Traceback (most recent call last)".encode("utf-16")
    assert value(site({"/": (500, {"Content-Type": "text/plain; charset=utf-16"}, body)}), "/", "leaks") == ["stack trace"]


@pytest.mark.parametrize("status", [200, 204, 302, 401, 403, 404, 405, 410, 429])
def test_where_the_application_made_no_error_nothing_was_looked_at(site, status):
    said = error(site({"/": (status, {}, b'{"detail": "Not Found"}')}), "/", "leaks")
    assert "status %d, which is no error of its own to look at" % status in said


def test_an_answer_to_head_has_nothing_to_look_at(site):
    assert "no body" in error(site({"/": (500, {}, b"Traceback")}), "/", "leaks", method="HEAD")


# Bodies and TLS

ALL_FACTS = [
    ("status", {}),
    ("json", {"path": "status"}),
    ("header", {"name": "Vary"}),
    ("redirect", {}),
    ("cors", {"origin": FOREIGN}),
    ("latency", {"requests": 2, "percentile": 50}),
    ("limited", {"requests": 2}),
    ("admitted", {"requests": 2, "spread": "10ms"}),
    ("leaks", {}),
]


@pytest.mark.parametrize(("fact", "more"), ALL_FACTS)
def test_a_body_that_breaks_off_or_is_too_large_is_an_error(site, fact, more):
    server = site(
        {
            "/short": (500 if fact == "leaks" else 200, {"Content-Length": "100"}, b"{}"),
            "/chunks": (500 if fact == "leaks" else 200, {"Transfer-Encoding": "chunked"}, b"5\r\nab"),
            "/huge": (500 if fact == "leaks" else 200, {}, b" " * (1024 * 1024 + 1)),
        }
    )
    assert "98 bytes before the end" in error(server, "/short", fact, **more)
    assert "IncompleteRead" in error(server, "/chunks", fact, **more)
    assert "more than 1048576 bytes" in error(server, "/huge", fact, **more)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A real certificate that nobody has signed but itself, for the address 127.0.0.1."""
    if not shutil.which("openssl"):
        pytest.fail("openssl is not installed; these tests need a certificate of their own")
    folder = tmp_path_factory.mktemp("tls")
    subject = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2"]
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", *subject]
    subprocess.run([*command, "-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem")], check=True, capture_output=True)
    return folder


@pytest.fixture
def secured(site, certificate):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate / "cert.pem", certificate / "key.pem")
    return site({"/": OK}, context)


@pytest.mark.parametrize(("fact", "more"), ALL_FACTS)
def test_a_certificate_that_nobody_trusts_is_an_error(secured, fact, more):
    assert "CERTIFICATE_VERIFY_FAILED" in error(secured, "/", fact, **more)
    assert secured.requests == []


def test_a_certificate_that_is_trusted_is_an_answer(secured, certificate, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate / "cert.pem"))
    assert value(secured, "/", "json", path="status") == "healthy"


def test_a_certificate_of_another_name_is_an_error(secured, certificate, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate / "cert.pem"))
    with pytest.raises(ProbeError, match="(?i)hostname mismatch|not valid for"):
        _http.HttpProbe({}).observe({"fact": "status", "url": secured.url("/").replace("127.0.0.1", "localhost")})


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded")  # the server of this test
def test_the_engine_asks_with_the_secrets_it_was_given(site):
    server = site({"/": lambda request: (200 if request.headers.get("Authorization") == "Bearer " + SECRET else 401, {}, b"")})
    with_ = {"fact": "status", "url": server.url("/"), "method": "GET", "headers": {}}
    items = [{"id": name, "subject": "h", "probe": "http", "with": dict(with_, **more)} for name, more in (("a", {"secret": "key of h"}), ("b", {}))]
    with_secret, without = _engine.observe(items, secrets={"key of h": SECRET})
    assert (with_secret["value"], without["value"]) == (200, 401)
    assert SECRET not in json.dumps([with_secret, without])
