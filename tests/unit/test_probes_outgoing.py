# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The network probe against real sockets and real certificates; the resolver's words are its own, and doubles where a test needs one."""

from __future__ import annotations

import contextlib
import re
import shutil
import socket
import ssl
import struct
import subprocess
import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.gonogo.preflight.plugins.module_utils._probes import _network
from ansible_collections.gonogo.preflight.plugins.module_utils._probes._base import ProbeError

DAY = 86400


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(_network, "_TIMEOUT", 2.0)
    monkeypatch.setattr(_network, "_DEADLINE", 6.0)


def look(fact, **arguments):
    return _network.NetworkProbe({}).observe({"fact": fact, **arguments})


def error(fact, **arguments):
    with pytest.raises(ProbeError) as raised:
        look(fact, **arguments)
    return str(raised.value)


# Names


@pytest.fixture
def resolver(monkeypatch):
    """A double of the resolver that answers each name with addresses or an error."""

    def install(answers):
        def getaddrinfo(host, port, family=0, kind=0):
            answer = answers[host]
            if isinstance(answer, BaseException):
                raise answer
            if callable(answer):
                return answer()
            return [(socket.AF_INET6 if ":" in address else socket.AF_INET, kind, 0, "", (address, port)) for address in answer]

        monkeypatch.setattr(_network.socket, "getaddrinfo", getaddrinfo)

    return install


NXDOMAIN = socket.gaierror(socket.EAI_NONAME, "Name or service not known")
NODATA = socket.gaierror(-5, "No address associated with hostname")
SILENT = socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
FAILING = socket.gaierror(socket.EAI_FAIL, "Non-recoverable failure in name resolution")


def test_a_name_that_the_host_knows():
    assert look("dns", name="localhost", type="A").value == ["127.0.0.1"]


def test_addresses_are_sorted_and_each_comes_once(resolver):
    resolver({"app.example": ["192.0.2.9", "192.0.2.1", "192.0.2.9"]})
    seen = look("dns", name="app.example")
    assert (seen.value, seen.evidence) == (["192.0.2.1", "192.0.2.9"], "A app.example: 3 found")


@pytest.mark.parametrize(("answer", "words"), [(NXDOMAIN, "no such name"), (NODATA, "the name has no such address")])
def test_a_name_that_is_none_and_one_without_an_address_are_told_apart(resolver, answer, words):
    resolver({"app.example": answer})
    seen = look("dns", name="app.example", type="AAAA")
    assert (seen.value, seen.evidence) == ([], "AAAA app.example: " + words)


@pytest.mark.parametrize(("answer", "words"), [(SILENT, "does not answer"), (FAILING, "fails"), (OSError(24, "Too many open files"), "fails")])
def test_a_resolver_without_an_answer_is_an_error_and_no_empty_list(resolver, answer, words):
    resolver({"app.example": answer})
    assert error("dns", name="app.example").startswith("the resolver %s for app.example" % words)


def test_a_resolver_that_hangs_is_an_error_in_time(resolver, monkeypatch):
    monkeypatch.setattr(_network, "_DEADLINE", 0.2)
    over = threading.Event()
    resolver({"app.example": lambda: over.wait(30) and []})
    began = time.monotonic()
    try:
        assert "no end of trying app.example" in error("dns", name="app.example")
    finally:
        over.set()
    assert time.monotonic() - began < 15


@pytest.mark.parametrize("name", ["", "192.0.2.1", "::1", None])
def test_an_address_is_no_name(name):
    assert error("dns", name=name) == "fact dns needs `name`, a name and no address"


@pytest.mark.parametrize("name", ["a" * 300, "a..b", "a" * 64 + ".example", "\0"])
def test_a_name_that_no_resolver_can_be_asked_is_an_error_or_none(name):
    with contextlib.suppress(ProbeError):
        assert look("dns", name=name).value == []


# Where a name leads

OURS = ["192.0.2.0/28", "2001:db8::7", "198.51.100.4"]


@pytest.mark.parametrize(
    ("addresses", "strange"),
    [
        (["192.0.2.1", "198.51.100.4", "2001:db8::7"], []),
        (["192.0.2.1", "203.0.113.9"], ["203.0.113.9"]),
        (["192.0.2.16"], ["192.0.2.16"]),
        (["2001:db8::8", "192.0.2.2"], ["2001:db8::8"]),
    ],
)
def test_addresses_of_others(resolver, addresses, strange):
    resolver({"app.example": addresses})
    seen = look("foreign", name="app.example", addresses=OURS)
    assert (seen.value, seen.evidence) == (strange, "app.example leads to %s" % ", ".join(sorted(addresses)))


@pytest.mark.parametrize(("answer", "words"), [(NXDOMAIN, "app.example: no such name"), (NODATA, "app.example: the name has no such address")])
def test_a_name_that_leads_nowhere_does_not_lead_to_the_right_place(resolver, answer, words):
    resolver({"app.example": answer})
    assert error("foreign", name="app.example", addresses=OURS) == words


def test_where_a_name_leads_is_not_guessed_from_half_of_the_answers(resolver):
    resolver({"app.example": SILENT})
    assert "the resolver does not answer" in error("foreign", name="app.example", addresses=OURS)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"name": "192.0.2.1", "addresses": OURS}, "fact foreign needs `name`"),
        ({"name": "app.example"}, "fact foreign needs `addresses`"),
        ({"name": "app.example", "addresses": []}, "fact foreign needs `addresses`"),
        ({"name": "app.example", "addresses": ["app1"]}, "'app1' is neither an address nor a network"),
        ({"name": "app.example", "addresses": ["192.0.2.0/40"]}, "'192.0.2.0/40' is neither"),
    ],
)
def test_where_a_name_may_lead_is_needed(arguments, words):
    assert words in error("foreign", **arguments)


# TCP


@pytest.fixture
def listening():
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield "127.0.0.1:%d" % server.getsockname()[1]


@pytest.fixture
def refusing():
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield "127.0.0.1:%d" % bound.getsockname()[1]


@pytest.fixture
def silent():
    """A port whose connections are neither accepted nor refused: its backlog is full, so that the kernel drops them."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as server, contextlib.ExitStack() as stack:
        for _filler in range(4):
            client = stack.enter_context(socket.socket())
            client.setblocking(False)
            client.connect_ex(server.getsockname())
        time.sleep(0.05)
        yield "127.0.0.1:%d" % server.getsockname()[1]


def test_targets_that_answer(listening):
    seen = look("tcp", targets=[listening, listening])
    assert (seen.value, seen.evidence) == ([], "1 connections tried: all answered")


def test_targets_that_do_not_answer_are_listed_with_why(listening, refusing, silent):
    seen = look("tcp", targets=[refusing, listening, silent])
    assert seen.value == [refusing, silent]
    assert seen.evidence == "3 connections tried: %s: Connection refused; %s: no answer within 2 s" % (refusing, silent)


def test_targets_are_tried_side_by_side(silent, resolver, monkeypatch):
    names = ["a%d.example" % number for number in range(20)]
    resolver(dict.fromkeys(names, ["127.0.0.1"]))
    port = silent.rpartition(":")[2]
    monkeypatch.setattr(_network, "_DEADLINE", 30.0)
    began = time.monotonic()
    assert look("tcp", targets=["%s:%s" % (name, port) for name in names]).value == ["%s:%s" % (name, port) for name in names]
    assert time.monotonic() - began < 20  # one after the other they would take 40 s


def test_one_of_several_addresses_is_enough(listening, resolver):
    resolver({"app.example": ["127.0.0.9", "127.0.0.1"]})
    assert look("tcp", targets=["app.example:" + listening.rpartition(":")[2]]).value == []


@pytest.mark.parametrize(("answer", "words"), [(NXDOMAIN, "no such name"), (SILENT, "does not answer"), (FAILING, "fails")])
@pytest.mark.parametrize("fact", ["tcp", "https", "pages", "certificate_days"])
def test_a_target_whose_name_is_not_known_was_not_tried(resolver, fact, answer, words):
    resolver({"app.example": answer})
    more = {"targets": ["app.example:1"]} if fact == "tcp" else {"urls": ["https://app.example/"]}
    assert words in error(fact, **more)


def test_an_address_that_this_host_cannot_try_does_not_stand_for_the_others(listening, resolver):
    # Nobody connects to a link's address without saying which link, as a host without IPv6 does not to any such address.
    port = listening.rpartition(":")[2]
    resolver({"both": ["fe80::1", "127.0.0.1"], "one": ["fe80::1"], "closed": ["fe80::1", "127.0.0.2"]})
    assert look("tcp", targets=["both:" + port]).value == []
    assert look("tcp", targets=["closed:" + port]).value == ["closed:" + port]
    assert "one could not be tried" in error("tcp", targets=["one:" + port])


def test_a_limit_of_this_host_is_not_the_targets(listening, monkeypatch):
    def none_left(*_arguments):
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(_network.socket, "socket", none_left)
    assert "could not be tried: Too many open files" in error("tcp", targets=[listening])


@pytest.mark.parametrize("fact", ["tcp", "https", "pages", "certificate_days"])
@pytest.mark.parametrize("given", [None, [], ["x:1"] * 2 + ["y%d:1" % number for number in range(64)]])
def test_nothing_to_try_or_too_much_is_an_error(fact, given):
    assert "fact %s needs" % fact in error(fact, targets=given, urls=given)


@pytest.mark.parametrize(
    "target", ["", "host", "host:", ":80", "host:0", "host:65536", "ho st:1", "http://host:80", "[::1]", "::1:80", "host:80x", "user@host:80"]
)
def test_what_is_no_target_is_an_error(target):
    assert "is not a target" in error("tcp", targets=[target])


@pytest.mark.parametrize(("text", "parsed"), [("db:5432", ("db", 5432)), ("[::1]:80", ("::1", 80)), ("192.0.2.1:1", ("192.0.2.1", 1))])
def test_targets_are_read(text, parsed):
    assert _network.parse_target(text) == parsed


# TLS


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    """A directory with an authority (ca.pem) and a certificate of it for localhost (good), and one that nobody signed (own)."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    path = tmp_path_factory.mktemp("certificates")

    def openssl(*words):
        subprocess.run(["openssl", *words], cwd=path, capture_output=True, check=True)

    new = ["req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    openssl(*new, "-x509", "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=Lab authority")
    for name, subject in (("good", "localhost"), ("other", "elsewhere.example")):
        (path / (name + ".ext")).write_text("subjectAltName=DNS:%s\n" % subject)
        openssl(
            "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", name + ".key", "-out", name + ".csr", "-subj", "/CN=" + subject
        )
        signed = ["x509", "-req", "-in", name + ".csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2"]
        openssl(*signed, "-extfile", name + ".ext", "-out", name + ".pem")
    openssl(*new, "-x509", "-keyout", "own.key", "-out", "own.pem", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost")
    return path


@pytest.fixture
def served():
    """Let a function have each connection: served(answer) -> port."""
    servers = []

    def serve(answer):
        server = socket.create_server(("127.0.0.1", 0))
        servers.append(server)

        def loop():
            while True:
                try:
                    connection, _peer = server.accept()
                except OSError:
                    return
                with connection, contextlib.suppress(OSError):
                    answer(connection)

        threading.Thread(target=loop, daemon=True).start()
        return server.getsockname()[1]

    yield serve
    for server in servers:
        with contextlib.suppress(OSError):
            server.shutdown(socket.SHUT_RDWR)
        server.close()


@pytest.fixture
def tls(served, certificates, monkeypatch):
    """tls(name) -> URL of a server with that certificate, on a host that trusts the authority."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_DIR", "/nonexistent")

    def serve(name, *, page=b""):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificates / (name + ".pem"), certificates / (name + ".key"))

        def answer(connection):
            with context.wrap_socket(connection, server_side=True) as wrapped:
                wrapped.recv(4096)
                wrapped.sendall(page)

        return "https://localhost:%d/path" % served(answer)

    return serve


def test_a_certificate_that_is_trusted(tls):
    seen = look("https", urls=[tls("good")])
    assert (seen.value, seen.evidence) == ([], "1 handshakes tried: all answered")


@pytest.mark.parametrize(("name", "why"), [("own", "self-signed|self signed"), ("other", "[Hh]ostname mismatch")])
def test_a_certificate_that_is_not_trusted_or_somebody_elses(tls, name, why):
    url, good = tls(name), tls("good")
    seen = look("https", urls=[url, good])
    assert seen.value == [url]
    assert re.search("certificate: .*(%s)" % why, seen.evidence)


def _hang_up(connection):
    connection.recv(10)


def _reset(connection):
    connection.recv(10)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def _speak_plainly(connection):
    connection.recv(10)
    connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")


def _say_nothing(connection):
    connection.recv(4096)
    time.sleep(1)


@pytest.mark.parametrize("answer", [_hang_up, _reset, _speak_plainly, _say_nothing])
def test_a_server_without_tls_is_listed(tls, served, answer):
    url = "https://localhost:%d" % served(answer)
    seen = look("https", urls=[url])
    assert seen.value == [url] and url in seen.evidence


def test_nobody_there_is_listed(tls, refusing):
    url = "https://%s/" % refusing
    assert look("https", urls=[url]).value == [url]


def test_a_host_that_trusts_nobody_cannot_tell(monkeypatch, tmp_path):
    (tmp_path / "none.pem").touch()
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none.pem"))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
    with pytest.raises(ProbeError) as raised:
        look("https", urls=["https://localhost:9/"])
    assert "trusts no authority" in str(raised.value) and raised.value.remedy == "apt-get install ca-certificates"


def page(status):
    return b"HTTP/1.1 %d X\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok" % status


@pytest.mark.parametrize(("status", "listed"), [(200, False), (204, False), (302, False), (401, False), (403, True), (404, True), (500, True), (503, True)])
def test_a_page_answers_and_one_that_fails_does_not(tls, status, listed):
    url, good = tls("good", page=page(status)), tls("good", page=page(200))
    seen = look("pages", urls=[good, url])
    assert seen.value == ([url] if listed else [])
    assert not listed or "%s: status %d" % (url, status) in seen.evidence


def test_a_page_without_a_trusted_certificate_or_an_answer_is_listed(tls, refusing):
    untrusted, silent, nobody = tls("own", page=page(200)), tls("good"), "https://%s/" % refusing
    seen = look("pages", urls=[untrusted, silent, nobody])
    assert seen.value == [untrusted, silent, nobody]
    assert "certificate: " in seen.evidence and "%s: no answer to GET" % silent in seen.evidence


@pytest.mark.parametrize(("ahead", "days"), [(0, 1), (DAY, 0), (-30 * DAY, 31)])
def test_the_days_that_a_certificate_has_left(tls, monkeypatch, ahead, days):
    """The test's certificates hold for two days; OpenSSL goes by the clock of the machine, the probe's is moved."""
    url, now = tls("good"), time.time()
    monkeypatch.setattr(_network.time, "time", lambda: now + ahead)
    seen = look("certificate_days", urls=[url])
    assert seen.value == days and re.search(r"1 certificates, the first of which ends on 20\d\d-\d\d-\d\d", seen.evidence)


def test_without_a_trusted_certificate_there_is_no_number_of_days(tls, served, refusing):
    good = tls("good")
    assert "certificate: " in error("certificate_days", urls=[good, tls("own")])
    assert "certificate: " in error("certificate_days", urls=[tls("other")])
    for url in ("https://%s/" % refusing, "https://localhost:%d" % served(_hang_up)):
        assert "so there is no certificate to look at" in error("certificate_days", urls=[good, url])


@pytest.mark.parametrize(
    ("url", "parsed"), [("https://a.example", ("a.example", 443)), ("https://a.example:8443/x?y", ("a.example", 8443)), ("https://[::1]/", ("::1", 443))]
)
def test_addresses_are_read(url, parsed):
    assert _network.parse_url(url) == parsed


@pytest.mark.parametrize("url", ["", "http://a.example", "https://", "https://a:0/", "https://a:99999/", "https://[::1", "a.example"])
def test_what_is_no_https_address_is_an_error(url):
    assert error("https", urls=[url])


def test_a_password_in_an_address_is_in_no_error():
    for url in ("https://ann:Zebra7Quartz@a.example/", "https://ann:Zebra7Quartz@[::1"):
        assert "Zebra7Quartz" not in error("https", urls=[url])


@pytest.mark.parametrize("parse", [_network.parse_target, _network.parse_url])
@given(text=st.one_of(st.text(), st.text(alphabet="htps:/[]@.a1%?#", max_size=30).map(lambda text: "https://" + text)))
def test_a_parser_answers_or_raises_its_own_error(parse, text):
    with contextlib.suppress(ProbeError):
        host, port = parse(text)
        assert host and 1 <= port <= 65535
