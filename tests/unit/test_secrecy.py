# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What counts as a secret, as a default and as a placeholder."""

from __future__ import annotations

import random
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.gonogo.preflight.plugins.module_utils._secrecy import (
    entropy,
    holds_credentials,
    is_default,
    is_placeholder,
    secret_name,
    secret_text,
    url_credentials,
)

ALPHABET = string.ascii_letters + string.digits


def rolled(length, alphabet=ALPHABET, seed=1):
    return "".join(random.Random(seed).choices(alphabet, k=length))


@pytest.mark.parametrize(
    "name",
    [
        *("SECRET_KEY", "JWT_SECRET_KEY", "DB_PASSWORD", "PASSWD", "API_TOKEN", "ODDS_API_KEY", "apiKey", "AWS_ACCESS_KEY_ID", "PRIVATE_PEM"),
        *("SENTRY_DSN", "Authorization", "X-Api-Key", "Set-Cookie", "FERNET_KEY", "KEY", "DB_PASS", "SLACK_WEBHOOK_URL", "accessToken", "PASSWORD_SALT"),
    ],
)
def test_names_of_secrets(name):
    assert secret_name(name)


@pytest.mark.parametrize(
    "name",
    ["ENVIRONMENT", "DEBUG", "KELLY_FRACTION", "H2O_MAX_MEM_SIZE", "MONKEY", "COMPASS", "AUTHOR", "TOKENIZERS_PARALLELISM", "PASSENGERS", "X-Powered-By"],
)
def test_names_of_other_settings(name):
    assert not secret_name(name)


CREDENTIALS = [
    "postgresql://app:s3cret@db/app",
    "redis://:s3cret@cache:6379/0",
    "amqp://app:with/slash@mq",
    "https://0123abc@o1.ingest.example.org/2",
    "host=db user=app password=hunter2",
    "https://api.example.org/v4?apiKey=0123",
    '{"token": "abc"}',
    "-----BEGIN OPENSSH PRIVATE KEY-----",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.x",
    "SCRAM-SHA-256$4096:salt$stored:server",
    "md5" + "0123456789abcdef" * 2,
    "$2b$12$abcdefghijklmnopqrstuv",
    "AKIA" + "A" * 16,
    "https://hooks.slack.com/services/T0/B0/x",
    "123456789:" + "A" * 35,
]


@pytest.mark.parametrize("text", CREDENTIALS)
def test_credentials_by_their_shape(text):
    assert holds_credentials(text) and secret_text(text)


PLAIN = [
    *("", "production", "false", "0.25", "32g", "best_quality", "INFO", "Europe/Berlin", "http://mlflow:5000", "redis:6379", "ops@example.org", "a, b; c"),
    *("/opt/airflow/models/2026-10-01/model-v3.pkl", "postgresql+asyncpg", "2026-10-01T12:00:00+00:00", "http://127.0.0.1:8000/users/ada@example.org"),
    "https://a.example.org,https://b.example.org",
    "The quick brown fox jumps over the lazy dog",
]


@pytest.mark.parametrize("text", PLAIN)
def test_what_is_no_secret(text):
    assert not secret_text(text)


@pytest.mark.parametrize("seed", range(40))
@pytest.mark.parametrize(
    ("length", "alphabet"), [(24, ALPHABET), (32, ALPHABET), (32, string.hexdigits[:16]), (64, string.hexdigits[:16]), (40, ALPHABET + "+/")]
)
def test_what_was_rolled_looks_like_a_secret(seed, length, alphabet):
    assert secret_text(rolled(length, alphabet, seed))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("postgresql://app:p%40ss@db:5432/app", ("app", "p@ss")),
        ("redis://:s3cret@cache/0", ("", "s3cret")),
        ("redis://:with@at@cache/0", ("", "with@at")),
        ("redis://[::1:pass@", ("[", ":1:pass")),
        ("postgresql://app@db/app", None),
        ("http://db:5432/", None),
        ("app:secret@db", None),
        ("1://a:b@c", None),
        ("", None),
    ],
)
def test_credentials_of_a_url(text, value):
    assert url_credentials(text) == value


PLACEHOLDERS = [
    *("changeme", "CHANGE_ME", "change-this-in-production", "please_change_me_now", "<password>", "<YOUR KEY>", "your-api-key", "your_secret_key_here"),
    *("yourdomain.com", "https://your-app.example.org", "xxx", "sk-xxxxxxxx", "***", "...", "TODO", "todo: ask", "UNDECIDED", "REPLACE_ME", "placeholder"),
    *("replace-with-a-long-key", "put-your-key-here", "secret-key-here", "${SECRET}", "{{ secret }}", "https://api.example.com/v1", "ops@example.com"),
    *("postgresql://app:changeme@db/app", "dummy", "dummy-key"),
]


@pytest.mark.parametrize("text", PLACEHOLDERS)
def test_placeholders(text):
    assert is_placeholder(text) and is_default(text)


DEFAULTS = [
    *("password", "Password1", "postgres", "admin", "admin123", "airflow", "secret", "supersecret", "super-secret-key", "my_secret_key", "root", "minioadmin"),
    *("123456", "12345678", "1234567890", "abcdef", "qwerty", "qwerty123", "aaaaaaaa", "000000", "guest", "django-insecure-abc", " postgres "),
    *("postgresql://postgres:postgres@db/app", "redis://:redis@cache/0", "amqp://guest:guest@mq", "postgresql://ada:Ada@db/app"),
]


@pytest.mark.parametrize("text", DEFAULTS)
def test_defaults_are_no_placeholders(text):
    assert is_default(text) and not is_placeholder(text)


OWN = [
    *(rolled(32), rolled(64, string.hexdigits[:16]), "correct horse battery", "production-eu", "best_quality", "0.25", "reset-in-progress", "exchange_items"),
    "postgresql://app:%s@db/postgres" % rolled(32),
    "hourly",
    "there",
]


@pytest.mark.parametrize("text", OWN)
def test_values_of_their_own(text):
    assert not is_default(text) and not is_placeholder(text)


@pytest.mark.parametrize(
    ("text", "least", "most"),
    [
        ("", 0, 0),
        ("x", 0, 0),
        ("a" * 64, 0, 0),
        ("abcdefghijklmnopqrstuvwxyz", 0, 1),
        ("ab" * 32, 0, 2),
        ("password" * 8, 10, 30),
        ("changeme", 10, 25),
        (rolled(16), 50, 65),
        (rolled(32), 120, 165),
        (rolled(64, string.hexdigits[:16]), 210, 260),
    ],
)
def test_entropy(text, least, most):
    assert least <= entropy(text) <= most


@given(st.text(max_size=80))
def test_nothing_crashes_and_no_estimate_is_more_than_the_text_can_hold(text):
    for look in (holds_credentials, secret_text, is_placeholder, is_default, secret_name):
        assert look(text) in (True, False)
    url_credentials(text)
    assert 0 <= entropy(text) <= len(text) * 7


def test_a_long_text_is_looked_at_in_time():
    for text in ("a" * 1_000_000, "a." * 500_000, "://:" * 10_000, "your" * 100_000):
        for look in (secret_text, is_placeholder, is_default, entropy):
            look(text)
