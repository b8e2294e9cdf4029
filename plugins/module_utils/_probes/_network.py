# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The network as the host's own programs use it: names, TCP connections and TLS handshakes that go out."""

from __future__ import annotations

import errno
import functools
import http.client
import ipaddress
import os
import re
import socket
import ssl
import threading
import time
import typing as t
import urllib.parse

from ._base import NETWORK, Observation, Probe, ProbeError

__all__ = ["NetworkProbe", "parse_networks", "parse_target", "parse_url"]

_TIMEOUT = 4.0
_DEADLINE = 10.0
_MOST_TARGETS = 64

_FAMILIES = {"A": socket.AF_INET, "AAAA": socket.AF_INET6}
_NO_NAME = "no such name"
_NO_ADDRESS = "the name has no such address"
# EAI_NODATA and EAI_ADDRFAMILY of glibc: the name exists, and has no address of this kind.
_NODATA = (-5, -9)

_UNREACHABLE = (
    errno.ECONNREFUSED,
    errno.ECONNRESET,
    errno.ECONNABORTED,
    errno.EPIPE,
    errno.EHOSTUNREACH,
    errno.ENETUNREACH,
    errno.ETIMEDOUT,
    errno.EPERM,  # what a local firewall answers
    errno.EACCES,
)

Address = tuple[t.Any, ...]


class NetworkProbe(Probe):
    SEES = NETWORK
    ARGUMENTS = {
        "fact": {"type": "str", "required": True, "choices": ["certificate_days", "dns", "foreign", "https", "pages", "tcp"]},
        "name": {"type": "str"},
        "type": {"type": "str", "choices": ["A", "AAAA"], "default": "A"},
        "addresses": {"type": "list", "elements": "str"},
        "targets": {"type": "list", "elements": "str"},
        "urls": {"type": "list", "elements": "str"},
    }

    def fact_dns(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        """The addresses of `name` as the host's resolver has them (/etc/hosts counts), a sorted list.

        A name that does not exist has none, which the evidence tells from a name without such an address; a resolver that
        does not answer, or fails, is an error.
        """
        name, kind = arguments.get("name") or "", arguments.get("type") or "A"
        if not name or _is_address(name):
            raise ProbeError("fact dns needs `name`, a name and no address")
        addresses, missing = _within({name: lambda: _resolved(name, 0, _FAMILIES[kind])})[name]
        return Observation(sorted({str(address[4][0]) for address in addresses}), "%s %s: %s" % (kind, name, missing or "%d found" % len(addresses)))

    def fact_foreign(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        """The addresses of `name`, of both versions, that lie in none of `addresses` (addresses or networks), a sorted list.

        A name without any address is an error: it leads nowhere, and so not to the right place.
        """
        name = arguments.get("name") or ""
        if not name or _is_address(name):
            raise ProbeError("fact foreign needs `name`, a name and no address")
        known = parse_networks(arguments.get("addresses") or ())
        answers = _within({family: functools.partial(_resolved, name, 0, kind) for family, kind in _FAMILIES.items()})
        found = sorted({str(address[4][0]) for addresses, _missing in answers.values() for address in addresses})
        if not found:
            raise ProbeError("%s: %s" % (name, answers["A"][1]))
        strange = [address for address in found if not any(ipaddress.ip_address(address) in network for network in known)]
        return Observation(strange, "%s leads to %s" % (name, ", ".join(found)))

    def fact_tcp(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        """Those of `targets` ("host:port") to which no connection can be made, a list; all are tried side by side."""
        targets = _several(arguments, "targets", parse_target)
        return _unanswered({one: _connecting(*parse_target(one)) for one in targets}, "connections")

    def fact_https(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        """Those of `urls` whose server does not complete a TLS handshake with a certificate that the host trusts, a list.

        Nothing is sent after the handshake. All are tried side by side, and without a proxy.
        """
        urls = _several(arguments, "urls", parse_url)
        context = _trusting()
        return _unanswered({one: _connecting(*parse_url(one), context) for one in urls}, "handshakes")

    def fact_pages(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        """Those of `urls` that do not answer a GET with success, a redirect or the wish for a login (401), a list.

        Certificates are verified as for https, and redirects are not followed.
        """
        urls = _several(arguments, "urls", parse_url)
        context = _trusting()
        return _unanswered({one: _paging(one, context) for one in urls}, "pages")

    def fact_certificate_days(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        """Whole days until the first of the certificates ends that the servers of `urls` show.

        One that the host does not trust, or that has ended, and a server that shows none are errors.
        """
        urls = _several(arguments, "urls", parse_url)
        context = _trusting()
        ends = _within({one: _ending(*parse_url(one), context) for one in urls})
        first = min(ends.values())
        last_day = time.strftime("%Y-%m-%d", time.gmtime(first))
        return Observation(int((first - time.time()) // 86400), "%d certificates, the first of which ends on %s" % (len(urls), last_day))


def parse_target(text: str) -> tuple[str, int]:
    """(host, port) of "host:port" or "[address]:port"."""
    match = re.fullmatch(r"(?:\[([0-9A-Fa-f:.%a-z]+)\]|([^\s:/\[\]@]+)):([0-9]{1,5})", text)
    if not match or not 1 <= int(match.group(3)) <= 65535:
        raise ProbeError("%r is not a target such as db.example.com:5432" % text)
    return match.group(1) or match.group(2), int(match.group(3))


def parse_networks(given: t.Sequence[str]) -> list[t.Union[ipaddress.IPv4Network, ipaddress.IPv6Network]]:
    """The networks of "10.0.0.0/8", or of a single address; raises ProbeError for what is neither, or for none at all."""
    found = []
    for one in given:
        try:
            found.append(ipaddress.ip_network(one, strict=False))
        except ValueError:
            raise ProbeError("%r is neither an address nor a network such as 192.0.2.0/24" % (one,)) from None
    if not found:
        raise ProbeError("fact foreign needs `addresses`, what the name may lead to")
    return found


def parse_url(text: str) -> tuple[str, int]:
    """(host, port) of an https URL."""
    try:
        parts = urllib.parse.urlsplit(text)
        host, port = parts.hostname, parts.port
        credentials = parts.username is not None
    except ValueError:
        raise ProbeError("one of `urls` is no address") from None
    if credentials:
        raise ProbeError("an address of `urls` has a user name in it, which a handshake does not need")
    if parts.scheme != "https" or not host or port == 0:
        raise ProbeError("%r is not an https address" % text)
    return host, port or 443


def _several(arguments: t.Mapping[str, t.Any], key: str, parse: t.Callable[[str], t.Any]) -> list[str]:
    given = list(dict.fromkeys(arguments.get(key) or ()))
    if not given or len(given) > _MOST_TARGETS:
        raise ProbeError("fact %s needs `%s`, up to %d" % (arguments["fact"], key, _MOST_TARGETS))
    for one in given:
        parse(one)
    return given


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _resolved(host: str, port: int, family: int = 0) -> tuple[list[Address], str]:
    """(addresses, why there is none); raises ProbeError when the resolver could not say."""
    try:
        return list(socket.getaddrinfo(host, port, family, socket.SOCK_STREAM)), ""
    except socket.gaierror as error:
        if error.errno == socket.EAI_NONAME:
            return [], _NO_NAME
        if error.errno in _NODATA:
            return [], _NO_ADDRESS
        words = "does not answer" if error.errno == socket.EAI_AGAIN else "fails"
        raise ProbeError("the resolver %s for %s: %s" % (words, host, error.strerror), "resolvectl query %s" % host) from None
    except (UnicodeError, ValueError):
        raise ProbeError("%r is not a name that can be looked up" % host) from None
    except OSError as error:
        raise ProbeError("the resolver fails for %s: %s" % (host, error.strerror)) from None


def _connecting(host: str, port: int, context: t.Optional[ssl.SSLContext] = None) -> t.Callable[[], str]:
    """A try that returns why `host` cannot be reached, or "". That its name is not known is an error: it has not been tried."""

    def attempt() -> str:
        addresses, missing = _resolved(host, port)
        if missing:
            raise ProbeError("%s: %s" % (host, missing))
        reasons, untried = [], []
        for address in addresses[:4]:
            try:
                reasons.append(_tried(address, host, context))
            except ProbeError as error:
                untried.append(error)
        # A host without IPv6 cannot try such an address, and has tried the others all the same.
        if not reasons:
            raise untried[0]
        return "" if "" in reasons else ", ".join(dict.fromkeys(reasons))

    return attempt


def _tried(address: Address, host: str, context: t.Optional[ssl.SSLContext]) -> str:
    family, kind, protocol, _name, target = address
    try:
        with socket.socket(family, kind, protocol) as connection:
            connection.settimeout(_TIMEOUT)
            connection.connect(target)
            if context is not None:
                context.wrap_socket(connection, server_hostname=host).close()
        return ""
    except ssl.SSLCertVerificationError as error:
        return "certificate: %s" % error.verify_message
    except ssl.SSLError as error:
        return "TLS: %s" % (error.reason or "the handshake was broken off")
    except (socket.timeout, TimeoutError):
        return "no answer within %.0f s" % _TIMEOUT
    except OSError as error:
        if error.errno in _UNREACHABLE:
            return os.strerror(error.errno)
        if context is not None and error.errno in (0, None):
            return "the handshake was broken off"
        raise ProbeError("%s could not be tried: %s" % (host, error.strerror or error)) from None


def _paging(url: str, context: ssl.SSLContext) -> t.Callable[[], str]:
    """A try that returns why `url` has no page, or ""."""
    host, port = parse_url(url)
    reach = _connecting(host, port, context)

    def attempt() -> str:
        reason = reach()
        if reason:
            return reason
        parts = urllib.parse.urlsplit(url)
        connection = http.client.HTTPSConnection(host, port, timeout=_TIMEOUT, context=context)
        try:
            connection.request("GET", urllib.parse.urlunsplit(("", "", parts.path or "/", parts.query, "")), headers={"User-Agent": "gonogo.preflight"})
            status = connection.getresponse().status
        except (OSError, http.client.HTTPException) as error:
            return "no answer to GET (%s)" % type(error).__name__
        finally:
            connection.close()
        return "" if 200 <= status <= 399 or status == 401 else "status %d" % status

    return attempt


def _ending(host: str, port: int, context: ssl.SSLContext) -> t.Callable[[], float]:
    """A try that returns when the first certificate ends that `host` shows at its addresses, seconds since the epoch."""

    def attempt() -> float:
        addresses, missing = _resolved(host, port)
        if missing:
            raise ProbeError("%s: %s" % (host, missing))
        ends = [end for end in (_shown(address, host, context) for address in addresses[:4]) if end is not None]
        if not ends:
            raise ProbeError("no address of %s completes a handshake on port %d, so there is no certificate to look at" % (host, port))
        return min(ends)

    return attempt


def _shown(address: Address, host: str, context: ssl.SSLContext) -> t.Optional[float]:
    """When the certificate ends that is shown at `address`, None where nobody answers; raises ProbeError for one that is not to be trusted."""
    family, kind, protocol, _name, target = address
    try:
        with socket.socket(family, kind, protocol) as connection:
            connection.settimeout(_TIMEOUT)
            connection.connect(target)
            with context.wrap_socket(connection, server_hostname=host) as secured:
                certificate = secured.getpeercert() or {}
    except ssl.SSLCertVerificationError as error:
        raise ProbeError("%s: certificate: %s" % (host, error.verify_message)) from None
    except OSError:
        return None
    return float(ssl.cert_time_to_seconds(str(certificate["notAfter"])))


def _unanswered(attempts: t.Mapping[str, t.Callable[[], str]], what: str) -> Observation:
    reasons = _within(attempts)
    failed = [one for one in attempts if reasons[one]]
    evidence = "; ".join("%s: %s" % (one, reasons[one]) for one in failed) or "all answered"
    return Observation(failed, "%d %s tried: %s" % (len(attempts), what, evidence))


def _within(attempts: t.Mapping[str, t.Callable[[], t.Any]]) -> dict[str, t.Any]:
    """What each attempt returns, all made side by side; raises the first one's ProbeError, or one for those without an end in time.

    getaddrinfo(3) has no limit of its own; a thread left in it ends with the process of the probe.
    """
    found: dict[str, t.Any] = {}

    def work(name: str, attempt: t.Callable[[], t.Any]) -> None:
        try:
            found[name] = attempt()
        except ProbeError as error:
            found[name] = error
        except Exception as error:
            found[name] = ProbeError("%s could not be tried: %s" % (name, type(error).__name__))

    threads = [threading.Thread(target=work, args=one, daemon=True) for one in attempts.items()]
    end = time.monotonic() + _DEADLINE
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, end - time.monotonic()))
    for name in attempts:
        answer = found.get(name, ProbeError("no end of trying %s within %.0f s: the resolver does not answer" % (name, _DEADLINE)))
        if isinstance(answer, ProbeError):
            raise answer
    return found


def _trusting() -> ssl.SSLContext:
    """A client's context with the host's own authorities; without any, no certificate could be told from a false one."""
    context = ssl.create_default_context()
    # Python 3.13 also refuses authorities that lack an extension, which other clients accept; the answer is to be the same on every host.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    paths = ssl.get_default_verify_paths()
    directory = paths.capath and os.path.isdir(paths.capath) and any(re.fullmatch(r"[0-9a-f]{8}\.\d+", name) for name in os.listdir(paths.capath))
    if not context.cert_store_stats()["x509_ca"] and not directory:
        raise ProbeError("the host trusts no authority, so that no certificate can be verified", "apt-get install ca-certificates")
    return context
