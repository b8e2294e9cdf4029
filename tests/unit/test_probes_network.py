# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tcp and http probes against real sockets that refuse, fall silent, lie and break off."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import socket
import ssl
import struct
import threading
import time

import pytest

from ansible_collections.gonogo.preflight.plugins.module_utils import _engine
from ansible_collections.gonogo.preflight.plugins.module_utils._probes import _http, _tcp
from ansible_collections.gonogo.preflight.plugins.module_utils._probes._base import ProbeError

SOON = 5.0


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(_http, "_TIMEOUT", 2.0)
    monkeypatch.setattr(_tcp, "_PATIENCE", 1.0)


@pytest.fixture
def listener():
    """A listening socket on the loopback: listener(backlog) -> (port, socket)."""
    with contextlib.ExitStack() as stack:

        def listen(backlog=16):
            server = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=backlog))
            return server.getsockname()[1], server

        yield listen


@pytest.fixture
def refused(listener):
    """A port that nothing listens on: bound, so that nobody else takes it."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


@pytest.fixture
def silent(listener):
    """A port whose connections are neither accepted nor refused: its backlog is full, so that the kernel drops them."""
    port, _server = listener(0)
    with contextlib.ExitStack() as stack:
        for _filler in range(4):
            client = stack.enter_context(socket.socket())
            client.setblocking(False)
            client.connect_ex(("127.0.0.1", port))
        time.sleep(0.05)
        yield port


@pytest.fixture
def serve(listener):
    """Let a function answer each connection in a thread: serve(answer) -> port."""
    threads = []

    def install(answer):
        port, server = listener()

        def loop():
            while True:
                try:
                    connection, _peer = server.accept()
                except OSError:
                    return
                with connection, contextlib.suppress(OSError):
                    answer(connection)

        thread = threading.Thread(target=loop, daemon=True)
        thread.start()
        threads.append((thread, server))
        return port

    yield install
    for thread, server in threads:
        with contextlib.suppress(OSError):
            server.shutdown(socket.SHUT_RDWR)
        thread.join(SOON)
        assert not thread.is_alive()


def response(body, status="200 OK", headers=""):
    return ("HTTP/1.1 %s\r\nContent-Length: %d\r\nConnection: close\r\n%s\r\n" % (status, len(body), headers)).encode() + body


def says(data):
    def answer(connection):
        connection.recv(65536)
        connection.sendall(data)

    return answer


def observe_http(port, fact="status", target="/", scheme="http", **more):
    return _http.HttpProbe({}).observe({"fact": fact, "url": "%s://127.0.0.1:%d%s" % (scheme, port, target), **more}).value


# HTTP


@pytest.mark.parametrize(
    ("answer", "status"),
    [(response(b"ok"), 200), (response(b"", "204 No Content"), 204), (response(b"", "503 Service Unavailable"), 503)],
)
def test_status(serve, answer, status):
    assert observe_http(serve(says(answer))) == status


def test_a_redirect_is_not_followed(serve):
    assert observe_http(serve(says(response(b"", "301 Moved Permanently", "Location: https://elsewhere.example/\r\n")))) == 301


HEALTH = {"status": "healthy", "checks": {"database": {"ok": True}, "none": None}, "list": [1]}


@pytest.mark.parametrize(
    ("path", "value"),
    [("status", "healthy"), ("checks.database.ok", True), ("checks.none", None), ("list", [1]), ("checks", HEALTH["checks"])],
)
def test_value_of_a_json_body(serve, path, value):
    assert observe_http(serve(says(response(json.dumps(HEALTH).encode()))), "json", path=path) == value


def test_a_status_that_is_not_200_is_an_error(serve):
    port = serve(says(response(json.dumps(HEALTH).encode(), "503 Service Unavailable")))
    with pytest.raises(ProbeError, match="was answered with status 503"):
        observe_http(port, "json", path="status")


def test_the_query_is_part_of_the_request(serve):
    requests = []

    def answer(connection):
        requests.append(connection.recv(65536).split(b"\r\n")[0])
        connection.sendall(response(b"ok"))

    port = serve(answer)
    for target in ("/health?deep=1&x=a%20b", "", "?a=1"):
        observe_http(port, target=target)
    assert requests == [b"GET /health?deep=1&x=a%20b HTTP/1.1", b"GET / HTTP/1.1", b"GET /?a=1 HTTP/1.1"]


BODIES = {
    "no JSON": (b"<html>healthy</html>", "did not answer with JSON"),
    "cut JSON": (b'{"status": "hea', "did not answer with JSON"),
    "no text": (b"\xff\xfe\x00", "did not answer with JSON"),
    "nothing": (b"", "did not answer with JSON"),
    "nested without end": (b"[" * 200_000, "did not answer with JSON"),
    "a list": (b'["healthy"]', "the answer has no status"),
    "a text": (b'"status"', "the answer has no status"),
    "null": (b"null", "the answer has no status"),
    "another key": (b'{"state": "healthy"}', "the answer has no status"),
}


@pytest.mark.parametrize("case", BODIES)
def test_a_body_without_the_value_is_an_error(serve, case):
    body, message = BODIES[case]
    with pytest.raises(ProbeError, match=message):
        observe_http(serve(says(response(body))), "json", path="status")


def hold(connection):
    """Accept, and never say a word."""
    connection.settimeout(SOON)
    while connection.recv(65536):
        pass


def reset(connection):
    connection.recv(65536)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def reset_in_mid_reply(connection):
    connection.recv(65536)
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")
    time.sleep(0.05)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def handshake(connection):
    """A TLS server that has no certificate to show."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with contextlib.suppress(OSError), context.wrap_socket(connection, server_side=True) as secured:
        secured.recv(1)


# name: (what the server does, scheme, what the error says)
FAULTS = {
    "silence after accept": (hold, "http", "timed out"),
    "silence in the handshake": (hold, "https", "timed out"),
    "reset": (reset, "http", "(?i)reset"),
    "reset in mid-reply": (reset_in_mid_reply, "http", "(?i)reset|ended 99 bytes"),
    "closed at once": (lambda connection: None, "http", "(?i)closed|reset|disconnected"),
    "closed in mid-reply": (says(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{}"), "http", "ended 98 bytes before the end"),
    "garbage": (says(b"\x00\x01\x02 garbage\r\n\r\n"), "http", "GET http"),
    "an SSH server": (says(b"SSH-2.0-OpenSSH_10.0\r\n"), "http", "SSH-2.0"),
    "a header without end": (says(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 200_000 + b"\r\n\r\n"), "http", "header line"),
    "headers without end": (says(b"HTTP/1.1 200 OK\r\n" + b"X: x\r\n" * 1000 + b"\r\n"), "http", "headers"),
    "a huge body": (says(response(b"x" * 3_000_000)), "http", "more than 1048576 bytes"),
    "plain where TLS is expected": (says(response(b"ok")), "https", "(?i)wrong version|ssl|record"),
    "TLS where plain is expected": (handshake, "http", "GET http"),
    "TLS without a certificate": (handshake, "https", "(?i)ssl|handshake|closed|reset|eof"),
}


@pytest.mark.parametrize("fact", ["status", "json"])
@pytest.mark.parametrize("case", FAULTS)
def test_a_fault_of_the_server_is_an_error_within_the_time(serve, case, fact):
    answer, scheme, message = FAULTS[case]
    port = serve(answer)
    began = time.monotonic()
    with pytest.raises(ProbeError, match=message):
        observe_http(port, fact, scheme=scheme, path="status")
    assert time.monotonic() - began < SOON


def test_a_refused_connection_is_an_error(refused):
    with pytest.raises(ProbeError, match="Connection refused"):
        observe_http(refused)


def test_a_dropped_connection_is_an_error(silent):
    with pytest.raises(ProbeError, match="timed out"):
        observe_http(silent)


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded")  # the server of this test
def test_a_slow_drip_ends_with_the_limit_of_its_item(serve):
    """Each byte comes in time, the answer never: this is what the engine's own limit is for."""

    def drip(connection):
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 200 OK\r\nX: ")
        while True:
            connection.sendall(b"x")
            time.sleep(0.02)

    item = {"id": "a", "subject": "h", "probe": "http", "with": {"fact": "status", "url": "http://127.0.0.1:%d/" % serve(drip)}, "limit": 0.5}
    began = time.monotonic()
    (answer,) = _engine.observe([item])
    assert answer["error"].startswith("probe hung")
    assert time.monotonic() - began < SOON


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded")  # the server of this test
def test_a_number_that_is_none_does_not_pass_as_a_value(serve):
    url = "http://127.0.0.1:%d/" % serve(says(response(b'{"lag": NaN}')))
    item = {"id": "a", "subject": "h", "probe": "http", "with": {"fact": "json", "url": url, "path": "lag"}, "limit": SOON}
    (answer,) = _engine.observe([item])
    assert "observed nan, which is no plain data" in answer["error"]


@pytest.mark.parametrize(
    "url", ["", "health", "//host/x", "ftp://host/", "file:///etc/passwd", "http://", "http://host:port/", "http://[::1/", "http://host:99999/", "http://a b/"]
)
def test_what_is_no_address_is_an_error(url):
    with pytest.raises(ProbeError):
        _http.HttpProbe({}).observe({"fact": "status", "url": url})


@pytest.fixture
def no_names(monkeypatch):
    def unknown(*_arguments, **_options):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)


def test_a_name_that_nobody_knows_is_an_error(no_names):
    with pytest.raises(ProbeError, match="Name or service not known"):
        _http.HttpProbe({}).observe({"fact": "status", "url": "http://example.invalid/"})
    with pytest.raises(ProbeError, match="example.invalid has no address"):
        observe_tcp("open", [22], address="example.invalid")


@pytest.mark.parametrize("name", ["x" * 70 + ".example", "a..b"])
def test_a_name_that_cannot_be_one_is_an_error(name):
    with pytest.raises(ProbeError):
        _http.HttpProbe({}).observe({"fact": "status", "url": "http://%s/" % name})


def test_a_value_needs_a_path(refused):
    with pytest.raises(ProbeError, match="fact json needs `path`"):
        observe_http(refused, "json")


# TCP


def observe_tcp(fact, ports, **more):
    arguments = {"fact": fact, "address": "127.0.0.1", "ports": ",".join(map(str, ports)), "declared": [], **more}
    return _tcp.TcpProbe({}).observe(arguments).value


def test_open_ports(listener, refused, silent):
    ports = [listener()[0] for _count in range(3)]
    assert observe_tcp("open", [*ports, refused, silent]) == sorted(ports)


def test_a_refused_port_is_closed(refused):
    assert observe_tcp("open", [refused]) == []


def test_silence_is_an_error_and_not_closed(silent):
    began = time.monotonic()
    with pytest.raises(ProbeError, match="127.0.0.1 is silent on %d" % silent):
        observe_tcp("open", [silent])
    assert time.monotonic() - began < SOON


def test_a_port_that_nobody_declared(listener, refused, silent):
    declared, stray = listener()[0], listener()[0]
    assert observe_tcp("undeclared", [stray, refused, silent], declared=[declared]) == [stray]
    assert observe_tcp("undeclared", [refused, silent], declared=[declared]) == []


def test_ports_of_several_addresses(listener, refused):
    declared = listener()[0]
    everywhere = {"address": "127.0.0.1", "also": ["127.0.0.2"], "declared": [declared]}
    stray = socket.create_server(("127.0.0.2", 0))
    try:
        # The declared port is 127.0.0.1's alone.
        with pytest.raises(ProbeError, match="127.0.0.2 is out of reach"):
            observe_tcp("undeclared", [refused], **everywhere)
        with socket.create_server(("127.0.0.2", declared)):
            port = stray.getsockname()[1]
            assert observe_tcp("undeclared", [port], **everywhere) == [port]
            assert observe_tcp("disagreements", [port], **everywhere) == ["%d/tcp: answers at 127.0.0.2, declared nowhere" % port]
    finally:
        stray.close()


def test_what_is_reached_and_what_is_declared(listener, refused, silent):
    declared, stray = listener()[0], listener()[0]
    seen = observe_tcp("disagreements", [stray, refused], declared=[declared, refused, silent])
    assert seen == ["%d/tcp: answers at 127.0.0.1, declared nowhere" % stray, "%d/tcp: declared, and nothing comes back from 127.0.0.1" % silent]
    assert observe_tcp("disagreements", [refused], declared=[declared, refused]) == []
    with pytest.raises(ProbeError, match="out of reach"):
        observe_tcp("disagreements", [refused], declared=[silent])


def test_ports_that_several_items_ask_about_are_tried_once(listener, refused, monkeypatch):
    declared, scans = listener()[0], []
    real = _tcp._scan
    monkeypatch.setattr(_tcp, "_scan", lambda *arguments: (scans.append(arguments), real(*arguments))[1])
    probe = _tcp.TcpProbe({})
    for fact in ("undeclared", "disagreements", "undeclared"):
        probe.observe({"fact": fact, "address": "127.0.0.1", "also": [], "ports": str(refused), "declared": [declared]})
    assert len(scans) == 1


def test_a_port_that_misses_the_first_packets_is_found(listener, silent, monkeypatch):
    """What is sent to it the first two times goes to a port that says nothing."""
    declared, stray = listener()[0], listener()[0]
    real, lost = socket.socket.connect_ex, []

    def connect_ex(self, target):
        if target[1] == stray and len(lost) < 2:
            lost.append(target)
            return real(self, (target[0], silent))
        return real(self, target)

    monkeypatch.setattr(socket.socket, "connect_ex", connect_ex)
    assert observe_tcp("undeclared", [stray], declared=[declared]) == [stray]
    assert len(lost) == 2


def test_a_declared_port_that_stops_answering_in_between_is_out_of_reach(listener, silent, monkeypatch):
    """Silence proves nothing once the network is gone."""
    declared = listener()[0]
    real, tried = socket.socket.connect_ex, []

    def connect_ex(self, target):
        if target[1] == declared:
            tried.append(target)
            if len(tried) == 2:
                return real(self, (target[0], silent))
        return real(self, target)

    monkeypatch.setattr(socket.socket, "connect_ex", connect_ex)
    with pytest.raises(ProbeError, match="out of reach: none of its declared ports"):
        observe_tcp("undeclared", [silent], declared=[declared])


def test_silence_beside_a_port_that_answers_is_not_waited_for_long(listener, silent, monkeypatch):
    monkeypatch.setattr(_tcp, "_PATIENCE", 10.0)
    began = time.monotonic()
    assert observe_tcp("undeclared", [silent], declared=[listener()[0]]) == []
    assert time.monotonic() - began < 10


@pytest.mark.parametrize("declared", ["refused", "silent"])
def test_no_declared_port_that_answers_is_out_of_reach(request, refused, declared):
    port = request.getfixturevalue(declared)
    with pytest.raises(ProbeError, match="out of reach: none of its declared ports"):
        observe_tcp("undeclared", [refused], declared=[port])


def test_nothing_declared_proves_nothing(refused):
    with pytest.raises(ProbeError, match="no port is declared"):
        observe_tcp("undeclared", [refused])


def test_a_scan_of_many_ports_leaves_no_socket_open(refused):
    before = len(os.listdir("/proc/self/fd"))
    found, refusals = _tcp.open_ports("127.0.0.1", range(20000, 24000))
    assert len(found) + refusals == 4000
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (errno.EPERM, "could not be tried: Operation not permitted"),
        (errno.EADDRNOTAVAIL, "could not be tried: Cannot assign requested address"),
        (errno.ENETUNREACH, "no route to 127.0.0.1"),
    ],
)
def test_a_port_that_cannot_be_tried_is_an_error(monkeypatch, code, message):
    monkeypatch.setattr(socket.socket, "connect_ex", lambda self, target: code)
    with pytest.raises(ProbeError, match=message):
        observe_tcp("open", [22, 80])


@pytest.mark.parametrize(
    ("text", "ports"),
    [("22", [22]), ("443, 80,22", [22, 80, 443]), ("8000-8003,8001", [8000, 8001, 8002, 8003]), ("65535", [65535]), ("5-5", [5])],
)
def test_list_of_ports(text, ports):
    assert _tcp.parse_ports(text) == ports


def test_ports_by_name():
    usual = _tcp.parse_ports("usual")
    assert set(range(1, 1025)) < set(usual) and {3100, 3306, 5432, 6379, 6432, 8265, 27017, 54321} < set(usual)
    assert len(usual) == 1345
    assert _tcp.parse_ports("usual, 30000-30002") == sorted([*usual, 30000, 30001, 30002])
    assert _tcp.parse_ports("all") == list(range(1, 65536))


@pytest.mark.parametrize(
    "text", ["", ",", "22,", "ssh", "0", "65536", "0-10", "80-", "-80", "8100-8000", "22,8100-8000", "1-99999999", "²²", "22;80", "1-2-3", "USUAL", "all-usual"]
)
def test_what_is_no_list_of_ports_is_an_error(text):
    with pytest.raises(ProbeError):
        _tcp.parse_ports(text)
