# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What looks like a secret, and how good a secret is. Pure; nothing here keeps or shows a value.

Where it is not certain, a text counts as a secret: an observation that is refused is an error that somebody reads, one that
leaks is in every report.
"""

from __future__ import annotations

import math
import re
import typing as t
import urllib.parse
from collections import Counter

__all__ = ["entropy", "holds_credentials", "is_default", "is_placeholder", "secret_name", "secret_text", "url_credentials"]

_NAME = re.compile(
    r"passw|passphrase|pwd|secret|token(?!iz)|api_?key|access_?key|private|credential|authorization|signature|salt|dsn|cookie"
    r"|connection_?string|webhook|(?:^|_)(?:key|auth|pass|pat|jwt)(?:$|_)"
)

# Shapes that are credentials wherever they stand.
_CREDENTIALS = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"[a-z][a-z0-9+.-]{0,20}://[^\s/?#@]+@",  # user, or user and password
        r"[a-z][a-z0-9+.-]{0,20}://[^\s@/]*:(?![0-9]*/)[^\s@]*@",  # a password with a slash in it
        r"-----BEGIN [A-Z ]*PRIVATE KEY-----",
        r"\beyJ[\w-]{8,}\.[\w-]+\.",  # JSON Web Token
        r"SCRAM-SHA-256\$|\bmd5[0-9a-f]{32}\b|\$(?:2[abxy]|5|6|y|argon2\w*)\$|\b(?:pbkdf2|scrypt|bcrypt)[_:$]",  # hashed passwords
        r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b|\bgh[pousr]_\w{20,}|\bglpat-|\bxox[abeprs]-|\bsk[-_][\w-]{16,}|\bAIza[\w-]{30,}",
        r"hooks\.slack\.com/services/|\b[0-9]{8,10}:[\w-]{35}\b|discord(?:app)?\.com/api/webhooks/",
        r"(?:passw(?:or)?d|pwd|passphrase|secret|token|api[_-]?key)[\"']?\s*[=:]\s*[\"']?[^\s\"']",
    )
)

_RUN = re.compile(r"[A-Za-z0-9+/=_-]+")
_SYMBOLS = re.compile(r"[!#$%^*]")

_PLACEHOLDER = re.compile(
    r"<.*>|\{\{.*\}\}|\$\{.*\}|x{3,}|\*{3,}|\.{3,}|(?:.*[-_])?x{4,}|.*[-_ ]here"
    r"|.*(?:change|replace|fill)[-_ ]?(?:me|this|it|in)(?![a-z]).*|.*replace[-_ ]?with.*|.*(?:put|insert|enter)[-_ ]?(?:your|here).*"
    r"|(?:.*[^a-z])?your[-_ ].*|(?:.*[^a-z])?your(?:api|secret|token|key|password|domain|host|user|name|email).*"
    r"|(?:.*[^a-z])?(?:todo|tbd|fixme|undecided|placeholder|dummy)(?:[^a-z].*)?|(?:.*[@/.])?example\.(?:com|org|net)(?:[:/].*)?",
    re.DOTALL,
)

_WELL_KNOWN = (
    r"admin(?:istrator)?|airflow|app(?:lication)?|celery|changeit|clickhouse|database|db|default|demo|dev(?:elopment)?|docker|elastic|example|fernet"
    r"|flask|foobar|grafana|guest|hunter2|iloveyou|influxdb|insecure|kafka|letmein|master|minio(?:admin)?|mlflow|mongo|mysql|neo4j|none|null|oracle"
    r"|pass(?:w[o0]rd)?|postgres(?:ql)?|prometheus|prod(?:uction)?|qwerty|rabbitmq|redis|root|sa|sample(?:-key)?|test(?:ing)?|toor|trustno1|user"
    r"|welcome|zabbix|(?:super|my|jwt)?[-_]?(?:super)?[-_]?secret[-_]?(?:key|password)?|jwt|django-insecure-.*"
)
_DEFAULT = re.compile(r"(?:%s)[-_!.@]*[0-9]{0,4}[!.]*" % _WELL_KNOWN, re.DOTALL)
# What is longer is cut here: nobody types a secret of this length, and looking at it would take long.
_LONGEST = 4096
_SEQUENCES = ("01234567890123456789", "abcdefghijklmnopqrstuvwxyz", "qwertyuiopasdfghjklzxcvbnm", "9876543210")


def secret_name(name: str) -> bool:
    """Whether a setting, a header or a key of this name is, by its name, a secret."""
    return _NAME.search(name.lower().replace("-", "_")) is not None


def holds_credentials(text: str) -> bool:
    """Whether there is something in `text` that has the shape of a credential."""
    return any(pattern.search(text) for pattern in _CREDENTIALS)


def secret_text(text: str) -> bool:
    """Whether `text` holds a credential, or looks as if somebody had rolled dice for it."""
    if holds_credentials(text):
        return True
    if len(text) >= 8 and _SYMBOLS.search(text) and re.search("[0-9]", text) and re.search("[A-Za-z]", text):
        return True
    return any(map(_random, _RUN.findall(text)))


def _random(run: str) -> bool:
    """Whether letters and digits (no space, no dot) are mixed as no word is."""
    run = max(run.split("/"), key=len) if len(run) < 40 else run
    digits, upper, lower = (len(re.findall(kind, run)) for kind in ("[0-9]", "[A-Z]", "[a-z]"))
    if len(run) >= 16 and digits >= 2 and upper + lower >= 2:
        return _spread(run) >= 3.0
    if len(run) >= 24 and digits == len(run):
        return True
    return len(run) >= 16 and upper >= 4 and lower >= 4 and "_" not in run and _spread(run) >= 3.5


def url_credentials(text: str) -> t.Optional[tuple[str, str]]:
    """(user, password) of a URL, percent-decoded; None where `text` is no URL with a password."""
    scheme, separator, rest = text.partition("://")
    if not separator or not re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]*", scheme):
        return None
    # urlsplit() would quote the text in its errors. A password may hold what it should not, so the last @ counts.
    userinfo, at, _host = rest.rpartition("@")
    user, colon, password = userinfo.partition(":")
    if not at or not colon or not password:
        return None
    return urllib.parse.unquote(user), urllib.parse.unquote(password)


def is_placeholder(text: str) -> bool:
    """Whether `text` (or the password of the URL that it is) stands where somebody was to put a value of their own."""
    return any(_PLACEHOLDER.fullmatch(one.strip().lower()) for one in _judged(text))


def is_default(text: str) -> bool:
    """Whether `text`, or the password of the URL that it is, is a placeholder or what everybody tries first."""
    credentials = url_credentials(text)
    if credentials and credentials[0].lower() == credentials[1].lower():
        return True
    return is_placeholder(text) or any(_well_known(one.strip().lower()) for one in _judged(text))


def _judged(text: str) -> list[str]:
    credentials = url_credentials(text)
    return [one[:_LONGEST] for one in ([text, credentials[1]] if credentials else [text])]


def _well_known(text: str) -> bool:
    if _DEFAULT.fullmatch(text) or len(set(text)) <= 1:
        return True
    return any(text in sequence for sequence in _SEQUENCES)


def entropy(text: str) -> float:
    """An estimate of the bits that guessing `text` takes, rather too low than too high for what was rolled.

    The lower of two: how evenly its characters are spread, and how evenly the steps from one to the next are (0 in "abcdef");
    of a text that repeats itself, the part that is repeated counts.
    """
    text = _unit(text[:_LONGEST])
    if len(text) < 2:
        return 0.0
    steps = [ord(after) - ord(before) for before, after in zip(text, text[1:])]
    return len(text) * min(_spread(text), _spread(steps))


def _unit(text: str) -> str:
    """The shortest text of which `text` is a repetition, cut off anywhere."""
    for length in range(1, len(text) // 2 + 1):
        if text == (text[:length] * (len(text) // length + 1))[: len(text)]:
            return text[:length]
    return text


def _spread(symbols: t.Sequence[t.Hashable]) -> float:
    """Shannon's entropy in bits for each of `symbols`."""
    total = len(symbols)
    return 0.0 - sum(count / total * math.log2(count / total) for count in Counter(symbols).values())
