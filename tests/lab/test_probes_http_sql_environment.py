"""The probes http, sql, environment and prometheus on real hosts: what is good, what is bad, and what cannot be looked at."""

from __future__ import annotations

import json
import typing as t
import urllib.parse

import pytest

from .conftest import APP, DATA, await_, lab, on
from .probing import error, observations, observed, value

pytestmark = [pytest.mark.long, pytest.mark.usefixtures("served")]

WATCH = "lab-watch"
HEALTH = "http://127.0.0.1/api/v1/health"
NOTES = "http://127.0.0.1/api/v1/notes"
SIDE = "http://127.0.0.1:8099"
PROMETHEUS = "http://127.0.0.1:9090"
FOREIGN = "https://evil.example.org"

# Pages beside the application that do what an application should not.
PAGES = r"""
limit_req_zone $server_port zone=probes:1m rate=1r/s;
server {
    listen 127.0.0.1:8099;
    root /var/www/probes;
    default_type text/plain;
    location = /limited { limit_req zone=probes burst=4 nodelay; limit_req_status 429; try_files /page =404; }
    location = /page { add_header Set-Cookie "session=abcdef; HttpOnly" always; }
    location = /moved { return 301 https://shop.example.org/start?token=abc; }
    location = /loop { return 302 /loop; }
    location = /echo { add_header Access-Control-Allow-Origin $http_origin always; return 200 "{}"; }
    location = /any { add_header Access-Control-Allow-Origin * always; return 200 "{}"; }
    location = /trace {
        return 500 'Traceback (most recent call last):\n  File "/srv/app/main.py", line 3\npsycopg.OperationalError: postgresql://a:b@10.0.0.5/x';
    }
    location = /down { return 503; }
    location = /key { if ($http_x_api_key = "") { return 401; } return 200 '{"echo": "$http_x_api_key", "items": [{"id": 7}]}'; }
}
"""


@pytest.fixture(scope="module")
def pages(served: None) -> t.Iterator[None]:
    on(APP, "sh", "-c", "mkdir -p /var/www/probes && echo page >/var/www/probes/page")
    on(APP, "sh", "-c", "cat >/etc/nginx/conf.d/probes.conf && nginx -tq && systemctl reload nginx", given=PAGES)
    await_(lambda: "8099" in on(APP, "ss", "-Hltn"), seconds=10)
    try:
        yield
    finally:
        on(APP, "sh", "-c", "rm -rf /etc/nginx/conf.d/probes.conf /var/www/probes; systemctl reload nginx")


# HTTP: the application behind nginx, and pages that misbehave


def test_status_of_the_application(fleet: None) -> None:
    assert value(APP, "http", fact="status", url=HEALTH) == 200
    assert value(APP, "http", fact="status", url="http://127.0.0.1/nowhere") == 404
    assert value(APP, "process", fact="listening", port=80) == "nginx"
    assert value(APP, "http", fact="status", url=NOTES, method="POST", body="{broken") == 422
    assert value(APP, "http", fact="status", url=NOTES, method="POST", body={"text": ""}) == 422
    assert "Connection refused" in error(APP, "http", fact="status", url="http://127.0.0.1:9/")
    assert error(APP, "http", fact="status", url="https://127.0.0.1:80/")


def test_json_of_the_application(fleet: None) -> None:
    assert value(APP, "http", fact="json", url=HEALTH, path="status") == "healthy"
    assert value(APP, "http", fact="status", url=NOTES, method="POST", body={"text": "probed"}) == 201
    assert value(APP, "http", fact="json", url=NOTES, path="notes.0.text") == "probed"
    assert "the answer has no notes.5000" in error(APP, "http", fact="json", url=NOTES, path="notes.5000")
    assert "did not answer with JSON" in error(APP, "http", fact="json", url="http://127.0.0.1/metrics", path="x")


def test_headers_and_redirects(pages: None) -> None:
    assert value(APP, "http", fact="header", url=HEALTH, name="Server") == "nginx"
    assert value(APP, "http", fact="header", url=HEALTH, name="X-Powered-By") == ""
    assert value(APP, "http", fact="header", url=SIDE + "/page", name="Set-Cookie") == "session=********; HttpOnly"
    assert "status 503" in error(APP, "http", fact="header", url=SIDE + "/down", name="X-Powered-By")
    assert value(APP, "http", fact="redirect", url=HEALTH) == ""
    assert value(APP, "http", fact="redirect", url=SIDE + "/moved") == "https://shop.example.org/start"
    assert value(APP, "http", fact="redirect", url=SIDE + "/moved", permanent=True) == "https://shop.example.org/start"
    assert value(APP, "http", fact="redirect", url=SIDE + "/loop").endswith("/loop")
    assert value(APP, "http", fact="redirect", url=SIDE + "/loop", permanent=True) == ""
    assert "status 404" in error(APP, "http", fact="redirect", url=SIDE + "/nowhere")


def test_cors(pages: None) -> None:
    assert value(APP, "http", fact="cors", url=NOTES, origin=FOREIGN) == "refused"
    assert value(APP, "http", fact="cors", url=SIDE + "/echo", origin=FOREIGN) == "echoed"
    assert value(APP, "http", fact="cors", url=SIDE + "/any", origin=FOREIGN) == "any"
    assert "status 404" in error(APP, "http", fact="cors", url=SIDE + "/nowhere", origin=FOREIGN)


def test_latency_and_limits(pages: None) -> None:
    assert 0 < value(APP, "http", fact="latency", url=HEALTH, requests=20, percentile=95) < 5
    assert "request 1 of 3 was answered with status 503" in error(APP, "http", fact="latency", url=SIDE + "/down", requests=3, percentile=95)
    assert value(APP, "http", fact="limited", url=HEALTH, requests=30) == 0
    assert value(APP, "http", fact="limited", url=SIDE + "/limited", requests=30) >= 20
    assert "status 503" in error(APP, "http", fact="limited", url=SIDE + "/down", requests=3)


def test_what_errors_tell(pages: None) -> None:
    assert value(APP, "http", fact="leaks", url=NOTES, method="POST", body="{broken") == []
    seen = observed(APP, "http", fact="leaks", url=SIDE + "/trace")
    assert {"stack trace", "connection string", "database error", "file path", "internal address"} <= set(seen["value"]), seen
    assert "a:b@" not in json.dumps(seen)
    assert "no error of its own to look at" in error(APP, "http", fact="leaks", url=HEALTH)


def test_a_secret_is_sent_and_not_shown(pages: None) -> None:
    secrets = {"key of lab-app": "planted-key-0123"}
    ask = {"url": SIDE + "/key", "secret": "key of lab-app", "header": "X-Api-Key"}
    with_key, inside, repeated = observations(
        APP, "http", {"fact": "status", **ask}, {"fact": "json", "path": "items.0.id", **ask}, {"fact": "json", "path": "echo", **ask}, secrets=secrets
    )
    assert (with_key["value"], inside["value"]) == (200, 7)
    assert "repeats the secret" in repeated["error"] and "planted" not in json.dumps([with_key, inside, repeated])
    assert value(APP, "http", fact="status", url=SIDE + "/key") == 401
    assert "no value was given" in error(APP, "http", fact="status", **ask)


# Environment: the settings of the release that serves, in its file and in its container


def _settings() -> dict[str, str]:
    """The settings of the release that serves, as its file has them between single quotes."""
    lines = on(APP, "cat", "/opt/gonogo/app/current/app.env").splitlines()
    return {name: text.strip("'") for name, equals, text in (line.partition("=") for line in lines if not line.startswith("#")) if equals}


def _container() -> str:
    (name,) = on(APP, "docker", "ps", "--filter", "label=com.docker.compose.project=app", "--format", "{{.Names}}").split()
    return name


@pytest.mark.parametrize("place", ["file", "container"])
def test_settings_of_the_release_that_serves(fleet: None, place: str) -> None:
    where = {"path": "/opt/gonogo/app/current/app.env"} if place == "file" else {"container": _container()}
    password = {"name": "DATABASE_URL", "part": "password", **where}
    asked: list[dict[str, t.Any]] = [
        {"fact": "present", "name": "DATABASE_URL", **where},
        {"fact": "length", **password},
        {"fact": "entropy", **password},
        {"fact": "default", **password},
        {"fact": "reused", **password},
        {"fact": "placeholders", **where},
        {"fact": "present", "name": "ABSENT", **where},
        {"fact": "value", "name": "DATABASE_URL", **where},
        {"fact": "length", "name": "ABSENT", **where},
    ]
    answers = observations(APP, "environment", *asked)
    present, length, bits, default, reused, placeholders, absent, refused, missing = answers
    assert (present["value"], length["value"], default["value"], absent["value"]) == (True, 40, "own", False), answers
    assert (reused["value"], placeholders["value"]) == ([], []) and bits["value"] >= 120, answers
    assert "it is not shown" in refused["error"] and "ABSENT is not set" in missing["error"]
    secrets = [str(urllib.parse.urlsplit(url).password) for url in _settings().values()]
    assert len(secrets) == 2 and all(len(one) == 40 and one not in json.dumps(answers) for one in secrets)


def test_mode_of_the_settings(fleet: None) -> None:
    assert value(APP, "environment", fact="mode", path="/opt/gonogo/app/current/app.env") == "0600 root:root"
    assert "No such file" in error(APP, "environment", fact="mode", path="/opt/gonogo/app/current/nowhere.env")


@pytest.fixture
def planted(fleet: None) -> t.Iterator[str]:
    """A file of settings with every mistake, and the example that it was made from."""
    text = "ENVIRONMENT=production\nSECRET_KEY=changeme\nA_TOKEN='q7Wm2xZp9Lc4Vt6Rb8Nj'\nB_URL=redis://:q7Wm2xZp9Lc4Vt6Rb8Nj@cache/0\n"
    on(APP, "sh", "-c", "umask 022; mkdir -p /root/planted; cat >/root/planted/.env", given=text)
    on(APP, "sh", "-c", "cat >/root/planted/.env.example", given="ENVIRONMENT=dev\nSECRET_KEY=changeme\nDEBUG=true\n")
    try:
        yield "/root/planted/.env"
    finally:
        on(APP, "rm", "-r", "/root/planted")


def test_settings_with_every_mistake(planted: str) -> None:
    example = {"path": planted, "example": planted + ".example"}
    answers = observations(
        APP,
        "environment",
        {"fact": "value", "name": "ENVIRONMENT", "path": planted},
        {"fact": "default", "name": "SECRET_KEY", "path": planted},
        {"fact": "reused", "name": "SECRET_KEY", **example},
        {"fact": "reused", "name": "A_TOKEN", "path": planted},
        {"fact": "placeholders", "path": planted},
        {"fact": "missing_keys", **example},
        {"fact": "mode", "path": planted},
        {"fact": "length", "name": "SECRET_KEY", "path": planted},
    )
    assert [answer.get("value") for answer in answers] == [
        "production",
        "default",
        ["SECRET_KEY in %s.example" % planted],
        ["B_URL"],
        ["SECRET_KEY"],
        ["DEBUG"],
        "0644 root:root",
        8,
    ], answers
    assert "q7Wm2xZp" not in json.dumps(answers)


def test_a_container_that_does_not_run_or_is_not_there(fleet: None) -> None:
    image = on(APP, "docker", "inspect", "--format", "{{.Image}}", _container()).strip()
    on(APP, "docker", "create", "--name", "probes-stopped", image)
    try:
        assert "container probes-stopped is created, not running" in error(APP, "environment", fact="present", name="PATH", container="probes-stopped")
    finally:
        on(APP, "docker", "rm", "probes-stopped")
    assert "there is no container probes-stopped" in error(APP, "environment", fact="placeholders", container="probes-stopped")


# SQL


def _database() -> str:
    return str(value(DATA, "sql", fact="scalar", query="SELECT datname FROM pg_database WHERE datallowconn AND NOT datistemplate AND datname <> 'postgres'"))


def test_queries(fleet: None) -> None:
    database = _database()
    answers = observations(
        DATA,
        "sql",
        {"fact": "scalar", "query": "SELECT current_database()", "database": database},
        {"fact": "scalar", "query": "SELECT current_setting('server_version_num')::numeric / 10000 >= 15;"},
        {"fact": "scalar", "query": "SELECT interval '90 minutes'"},
        {"fact": "scalar", "query": "SELECT 1.50::numeric"},
        {"fact": "scalar", "query": "SELECT count(*) FROM pg_database WHERE datname LIKE 'temp%'"},
        {"fact": "rows", "query": "SELECT * FROM generate_series(1, 2500)"},
        {"fact": "rows", "query": "SELECT 1 WHERE false"},
        {"fact": "rows", "query": "VALUES (1), (2)"},
    )
    assert [answer.get("value") for answer in answers] == [database, True, 5400.0, 1.5, 2, 2500, 0, 2], answers


REFUSED = [
    ("CREATE TABLE probed (x int)", "syntax error"),
    ("DELETE FROM pg_class RETURNING 1", "syntax error"),
    ("WITH gone AS (DELETE FROM pg_class RETURNING 1) SELECT count(*) FROM gone", "data-modifying"),
    ("SELECT set_config('transaction_read_only', 'off', false)", "must be set before any query"),
    ("SELECT lo_create(0)", "read-only transaction"),
    ("SELECT pg_sleep(9)", "statement timeout"),
    ("SELECT 1; DROP TABLE notes", "one statement"),
    ("SELECT NULL::int", "NULL"),
    ("SELECT 1 WHERE false", "no row"),
    ("SELECT generate_series(1, 2)", "more than one row"),
    ("SELECT rolpassword FROM pg_authid WHERE rolpassword IS NOT NULL LIMIT 1", "it is not shown"),
    ("SELECT rolpassword::int FROM pg_authid WHERE rolpassword IS NOT NULL LIMIT 1", "(not shown, it holds a secret)"),
    ("SELECT 'NaN'::float8", "no number"),
    ("SELECT '\\x00'::bytea", "no plain data"),
    ("SELECT nothing FROM nowhere", "does not exist"),
]


@pytest.mark.parametrize(("query", "said"), REFUSED)
def test_what_is_no_answer(fleet: None, query: str, said: str) -> None:
    message = error(DATA, "sql", fact="scalar", query=query)
    assert said in message and "SCRAM-SHA-256" not in message


def test_no_query_opens_the_way_for_the_next(fleet: None) -> None:
    """All of one call share a connection."""
    first, second, third = observations(
        DATA,
        "sql",
        {"fact": "scalar", "query": "SELECT set_config('default_transaction_read_only', 'off', false)"},
        {"fact": "scalar", "query": "SELECT current_setting('transaction_read_only') || current_setting('statement_timeout')"},
        {"fact": "scalar", "query": "SELECT lo_create(0)"},
    )
    assert first["value"] == "off" and second["value"] == "on5s"
    assert "read-only transaction" in third["error"]


def test_over_the_network_with_a_password(fleet: None) -> None:
    ask = {"fact": "scalar", "query": "SELECT current_user", "host": "127.0.0.1", "user": "probed", "database": _database(), "sslmode": "prefer"}
    on(DATA, "su", "postgres", "-c", "psql -q", given="CREATE ROLE probed LOGIN PASSWORD 'planted-0123';\n")
    try:
        (right,) = observations(DATA, "sql", {**ask, "secret": "p"}, secrets={"p": "planted-0123"})
        (wrong,) = observations(DATA, "sql", {**ask, "secret": "p"}, secrets={"p": "planted-9999"})
        (without,) = observations(DATA, "sql", ask)
    finally:
        on(DATA, "su", "postgres", "-c", "psql -q", given="DROP ROLE probed;\n")
    assert right["value"] == "probed", right
    assert "password authentication failed" in wrong["error"] and "planted" not in wrong["error"]
    assert "no password was given" in without["error"]


def test_a_server_that_is_down(fleet: None) -> None:
    on(DATA, "systemctl", "stop", "postgresql@*")
    try:
        assert "PostgreSQL does not answer" in error(DATA, "sql", fact="rows", query="SELECT 1")
    finally:
        on(DATA, "systemctl", "start", "postgresql")
    await_(lambda: "value" in observed(DATA, "sql", fact="rows", query="SELECT 1"), seconds=30)


# Prometheus


CONFIGURATION = """
global: {scrape_interval: 1s, evaluation_interval: 1s}
rule_files: [/etc/prometheus/probes.yml]
scrape_configs:
  - job_name: prometheus
    static_configs: [{targets: ["127.0.0.1:9090"]}]
  - job_name: nobody
    static_configs: [{targets: ["127.0.0.1:9"]}]
"""
RULES = """
groups:
  - name: probes
    rules:
      - {alert: Firing, expr: "vector(1)"}
      - {alert: Pending, expr: "vector(1)", for: 1h}
      - {alert: Inactive, expr: "vector(1) > 2"}
      - {alert: Broken, expr: "prometheus_build_info * on() up"}
      - {alert: Slow, expr: "prometheus_http_request_duration_seconds_sum>2*3600", for: 5m}
      - {alert: Errors, expr: "0.05 < (sum(rate(prometheus_http_requests_total{code=~'5..'}[5m])) / sum(rate(prometheus_http_requests_total[5m])))"}
      - {alert: Failures, expr: "sum(increase(prometheus_rule_evaluation_failures_total[60m])) > 1e6"}
      - {alert: Joined, expr: "up > 1 and up < 3"}
      - {alert: Down, expr: "up == 7"}
      - {alert: Low, expr: "sum(up) < -1"}
      - {record: Recorded, expr: "sum(up) > 1"}
"""


@pytest.fixture(scope="module")
def prometheus() -> t.Iterator[None]:
    lab("up", "--fresh", WATCH, timeout=1200)
    install = "export DEBIAN_FRONTEND=noninteractive; apt-get update -q && apt-get install -qy --no-install-recommends prometheus"
    on(WATCH, "sh", "-c", install)
    on(WATCH, "sh", "-c", "cat >/etc/prometheus/probes.yml", given=RULES)
    on(WATCH, "sh", "-c", "cat >/etc/prometheus/prometheus.yml && systemctl restart prometheus", given=CONFIGURATION)
    await_(lambda: observed(WATCH, "prometheus", fact="rule", url=PROMETHEUS, name="Firing").get("value") == "firing", seconds=60)
    for job, state in (("prometheus", "up"), ("nobody", "down")):
        await_(lambda job=job, state=state: observed(WATCH, "prometheus", fact="target", url=PROMETHEUS, job=job).get("value") == state, seconds=60)
    await_(lambda: "health err" in observed(WATCH, "prometheus", fact="rule", url=PROMETHEUS, name="Broken").get("error", ""), seconds=60)
    yield
    lab("remove", WATCH)


def test_targets(prometheus: None) -> None:
    assert value(WATCH, "prometheus", fact="target", url=PROMETHEUS, job="prometheus") == "up"
    assert value(WATCH, "prometheus", fact="target", url=PROMETHEUS, job="nobody") == "down"
    assert value(WATCH, "prometheus", fact="target", url=PROMETHEUS, job='nowhere"} or up{job="prometheus') == "absent"


def test_rules(prometheus: None) -> None:
    for name, state in (("Firing", "firing"), ("Pending", "pending"), ("Inactive", "inactive"), ("Absent", "absent")):
        assert value(WATCH, "prometheus", fact="rule", url=PROMETHEUS, name=name) == state
    assert "rule Broken is not evaluated: health err" in error(WATCH, "prometheus", fact="rule", url=PROMETHEUS, name="Broken")
    assert "rule Broken is not evaluated: health err" in error(WATCH, "prometheus", fact="alerts", url=PROMETHEUS)


def test_thresholds_of_rules(prometheus: None) -> None:
    """As Prometheus prints an expression, which is not as it was written."""

    def threshold(name: str, **more: t.Any) -> t.Any:
        return observed(WATCH, "prometheus", fact="threshold", url=PROMETHEUS, name=name, **more)

    assert threshold("Slow")["value"] == 7200
    assert threshold("Errors", ratio=True)["value"] == 5
    assert threshold("Inactive")["value"] == 2
    assert threshold("Failures", window="1h")["value"] == 1000000
    assert threshold("Low", fires="below")["value"] == -1
    for name, said in (
        ("Absent", "no alerting rule called Absent is loaded"),
        ("Recorded", "no alerting rule called Recorded is loaded"),
        ("Broken", "rule Broken is not evaluated: health err"),
        ("Firing", "its expression compares nothing"),
        ("Joined", "joins several conditions"),
        ("Down", "rule Down fires where it is == 7"),
        ("Low", "rule Low fires where it is < -1, and not above"),
    ):
        assert said in threshold(name)["error"]
    assert "its ranges are 300 s" in threshold("Errors", window="1h")["error"]


def test_delays_of_rules(prometheus: None) -> None:
    for name, seconds in (("Slow", 300), ("Pending", 3600), ("Firing", 0)):
        assert value(WATCH, "prometheus", fact="delay", url=PROMETHEUS, name=name) == seconds
    assert "no alerting rule called Absent is loaded" in error(WATCH, "prometheus", fact="delay", url=PROMETHEUS, name="Absent")


def test_prometheus_queries(prometheus: None) -> None:
    assert value(WATCH, "prometheus", fact="query", url=PROMETHEUS, query='sum(up{job="prometheus"})') == 1
    assert value(WATCH, "prometheus", fact="query", url=PROMETHEUS, query="scalar(vector(0.5))") == 0.5
    for query, said in (
        ("absent_metric", "no series"),
        ("up", "2 series"),
        ("vector(0) / 0", "nan"),
        ("up[5m]", "instant vector"),
        ("sum(", "parse error"),
    ):
        assert said in error(WATCH, "prometheus", fact="query", url=PROMETHEUS, query=query)
    assert "Connection refused" in error(WATCH, "prometheus", fact="query", url="http://127.0.0.1:9", query="up")
    assert "is it Prometheus?" in error(WATCH, "prometheus", fact="query", url=PROMETHEUS + "/nowhere", query="up")
