# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Items of the catalogue, asked as they stand there: what is right passes, and what only looks right does not."""

from __future__ import annotations

import json
import os
import pathlib
import re
import time
import types

import jinja2
import jinja2.nativetypes
import pytest

from ansible_collections.gonogo.preflight.plugins.module_utils import _expect
from ansible_collections.gonogo.preflight.plugins.module_utils._probes import PROBES, _docker, _http
from ansible_collections.gonogo.preflight.plugins.module_utils._probes._base import ProbeError
from ansible_collections.gonogo.preflight.plugins.plugin_utils._catalogue import COLLECTION, load_catalogue
from ansible_collections.gonogo.preflight.plugins.plugin_utils._checklists import load_checklist

CHECKLISTS = pathlib.Path(COLLECTION) / "checklists"
CATALOGUE = load_catalogue([str(CHECKLISTS)])
TEMPLATES = jinja2.nativetypes.NativeEnvironment(undefined=jinja2.StrictUndefined)
HOST = {
    "inventory_dir": "/srv/shop/prod",
    "inventory_hostname": "app1",
    "preflight_address": "192.0.2.11",
    "deploy_project": "shop",
    "deploy_version": "1.4.0",
    "app_predict_sample": {"team": "a"},
}


def filled(item, **variables):
    """The arguments of an item for a host with these variables."""

    def fill(value):
        if isinstance(value, str):
            return TEMPLATES.from_string(value).render({**HOST, **variables}) if "{{" in value else value
        if isinstance(value, list):
            return [fill(one) for one in value]
        return {key: fill(one) for key, one in value.items()} if isinstance(value, dict) else value

    return fill(dict(CATALOGUE[item].arguments))


def met(item, system="", /, *, secrets=None, **variables):
    """Whether what the item's probe sees is what it expects, in the catalogue or in the checklist of `system`."""
    items = {one.id: one for one in load_checklist(str(CHECKLISTS / (system + ".yml")), CATALOGUE)} if system else CATALOGUE
    seen = PROBES[items[item].probe](secrets or {}).observe(filled(item, **variables))
    return _expect.judge(seen.value, items[item].expect)


# Requests with a credential

WITH_TOKEN = [name for name, item in CATALOGUE.items() if "app_token" in str(item.arguments.get("secret"))]


def test_the_items_that_send_a_token_are_known():
    assert {"app.predict.ok", "app.predict.range", "app.predict.latency", "ml.latency", "appsec.input_validation", "appsec.error_leak"} == set(WITH_TOKEN)


@pytest.mark.parametrize("item", WITH_TOKEN)
def test_without_a_token_the_request_goes_without_one(item, monkeypatch):
    sent = []

    def exchange(_method, _url, headers, _body, _query):
        sent.append(headers)
        return _http.Answer(400 if "appsec" in item else 200, (), b'{"probability": 0.5}', 0.001)

    monkeypatch.setattr(_http, "_exchange", exchange)
    assert met(item) and "Authorization" not in sent[-1]
    assert met(item, secrets={"app_token": "Bearer abc"}, app_token="Bearer abc") and sent[-1]["Authorization"] == "Bearer abc"
    assert met(item, secrets={"app_token": "abc"}, app_token="abc", app_token_header="X-Key") and sent[-1]["X-Key"] == "abc"


def test_a_role_is_not_proven_by_what_anybody_is_refused(monkeypatch):
    monkeypatch.setattr(_http, "_exchange", lambda *_request: _http.Answer(403, (), b"", 0.001))
    with pytest.raises(ProbeError, match="no value was given for the secret app_readonly_token"):
        met("appsec.authz")
    assert met("appsec.authz", secrets={"app_readonly_token": "Bearer abc"}, app_readonly_token="Bearer abc")


# The public address


@pytest.mark.parametrize("item", ["app.health.public", "appsec.rate_limit"])
def test_users_are_asked_about_where_they_come_in(item):
    assert filled(item)["url"] == "http://192.0.2.11/api/v1/health"
    assert filled(item, app_domain="shop.example.org", app_health_path="/health")["url"] == "https://shop.example.org/health"


def test_the_word_of_the_health_check_is_looked_for_where_it_is():
    assert filled("app.health.public", app_health_status_path="state.word")["path"] == "state.word"
    assert filled("appsec.cors", app_health_path="/health")["url"] == "http://127.0.0.1:8000/health"


# Limits


class Bucket:
    """A token bucket, as nginx's limit_req with nodelay: `rate` a second, `burst` beyond it."""

    def __init__(self, rate, burst):
        self._rate, self._burst, self._excess, self._last = rate, burst, 0.0, 0.0

    def lets_through(self, now):
        excess = max(0.0, self._excess - (now - self._last) * self._rate)
        self._last = now
        if excess > self._burst:
            self._excess = excess
            return False
        self._excess = excess + 1
        return True


class Window:
    """So many in each window of a minute, the first of which begins with the first request."""

    def __init__(self, most):
        self._most, self._counts = most, {}

    def lets_through(self, now):
        count = self._counts.get(now // 60, 0)
        self._counts[now // 60] = count + 1
        return count < self._most


class Nothing:
    def lets_through(self, _now):
        return True


@pytest.fixture
def limited_by(monkeypatch):
    """limited_by(limiter, seconds for an answer): what the probe asks, in a time of its own."""

    def install(limiter, seconds=0.002):
        clock = types.SimpleNamespace(now=0.0)

        def sleep(duration):
            clock.now += duration

        def exchange(*_request):
            clock.now += seconds
            return _http.Answer(200 if limiter.lets_through(clock.now) else 429, (), b"", seconds)

        monkeypatch.setattr(_http, "time", types.SimpleNamespace(monotonic=lambda: clock.now, sleep=sleep))
        monkeypatch.setattr(_http, "_exchange", exchange)

    return install


@pytest.mark.parametrize("limiter", [lambda: Bucket(100 / 60, 20), lambda: Bucket(100 / 60, 0), lambda: Bucket(1, 50), lambda: Window(100)])
@pytest.mark.parametrize("system", ["sports", "odds", "trading"])
def test_a_hundred_requests_a_minute_are_a_limit(limited_by, limiter, system):
    limited_by(limiter())
    assert met("appsec.rate_limit", system)


@pytest.mark.parametrize(
    "limiter", [lambda: Bucket(100, 20), lambda: Bucket(10, 20), lambda: Bucket(10, 0), lambda: Bucket(200 / 60, 20), lambda: Window(130), Nothing]
)
@pytest.mark.parametrize("seconds", [0.0005, 0.002, 0.02, 0.1])
@pytest.mark.parametrize("system", ["sports", "odds"])
def test_a_larger_limit_is_not_the_one_that_was_asked_for(limited_by, limiter, seconds, system):
    limited_by(limiter(), seconds)
    assert not met("appsec.rate_limit", system)


@pytest.mark.parametrize(("limiter", "passes"), [(lambda: Bucket(10, 20), True), (lambda: Window(130), True), (Nothing, False)])
def test_where_no_figure_is_asked_any_limit_that_is_met_is_one(limited_by, limiter, passes):
    limited_by(limiter())
    assert met("appsec.rate_limit", "trading") is passes


def test_a_server_that_is_too_slow_has_not_limited(limited_by):
    limited_by(Nothing(), 0.5)
    with pytest.raises(ProbeError, match="too slow, or its limiter delays them and refuses none"):
        met("appsec.rate_limit")


# README and change log


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("## 1.4.0 (2026-11-20)\n", True),
        ("- [1.4.0]\n", True),
        ("v1.4.0\n", True),
        ("", False),
        ("## 11.4.0\n## 1.4.01\n## 1x4x0\n## Unreleased\n", False),
    ],
)
def test_the_change_log_names_the_version_that_is_deployed(tmp_path, text, named):
    (tmp_path / "CHANGELOG.md").write_text(text)
    assert met("docs.changelog", project_directory=str(tmp_path)) is named


def test_a_change_log_that_is_not_there_names_nothing(tmp_path):
    assert not met("docs.changelog", project_directory=str(tmp_path))


def test_a_readme_has_something_in_it(tmp_path):
    with pytest.raises(ProbeError, match="does not exist"):
        met("docs.readme", project_directory=str(tmp_path))
    (tmp_path / "README.md").write_text("")
    assert not met("docs.readme", project_directory=str(tmp_path))
    (tmp_path / "README.md").write_text("# Shop\n")
    assert met("docs.readme", project_directory=str(tmp_path))


# Logs

CRITICAL = [
    '{"level":"critical","event":"disk"}',
    '{"event": "x", "level": "fatal"}',
    '{"severity": "CRITICAL", "message": "x"}',
    '{"levelname": "CRITICAL"}',
    'time="2026-11-20T10:00:00Z" level=fatal msg="no database"',
    "2026-11-20 10:00:00,123 - app - CRITICAL - no database",
    "CRITICAL:root:no database",
    "2026-11-20T10:00:00Z [critical ] no database [app]",
    "2026/11/20 10:00:00 [emerg] 1#1: bind() failed",
    "<CRIT> no database",
    "panic: runtime error: index out of range",
    "fatal error: all goroutines are asleep",
    "Fatal: cannot read the model",
    "FATAL:  password authentication failed for user",
    "thread 'main' panicked at src/main.rs:4:5",
    "Traceback (most recent call last):",
    '{"level": "error", "exception": "Traceback (most recent call last):\\n..."}',
]
HARMLESS = [
    '{"level": "info", "event": "scan finished", "critical": 0, "fatal": false}',
    "INFO: 0 critical findings",
    '192.0.2.1 - "GET /api/v1/alerts/critical?panic=1 HTTP/1.1" 200',
    "a non-fatal: it was tried again",
    "level=error msg=timeout",
    "critical path of the plan took 3 s",
    "severity=info alert=none",
]


def critical(line):
    return re.search(filled("log.no_critical")["pattern"], line) is not None


@pytest.mark.parametrize("line", CRITICAL)
def test_a_critical_line_is_one_in_whatever_form(line):
    assert critical(line)


@pytest.mark.parametrize("line", HARMLESS)
def test_the_word_alone_is_no_critical_line(line):
    assert not critical(line)


@pytest.mark.parametrize(
    ("lines", "passes"),
    [
        (['{"level": "info", "event": "x"}'] * 19 + ["Started"], True),
        (['{"event": "x", "level":30}'], True),
        (['{"level": "info"}'] + ["plain"] * 99, False),
        (['{"level": "info", "event": "x"}'] * 18 + ["plain"] * 2, False),
    ],
)
def test_nearly_all_lines_are_structured(monkeypatch, lines, passes):
    moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(time.time() - 60))
    data = "".join("%s.5Z %s\r\n" % (moment, line) for line in lines).encode()
    container = types.SimpleNamespace(attrs={"Created": moment + "Z"}, logs=lambda **_how: iter([data]))
    client = types.SimpleNamespace(containers=types.SimpleNamespace(get=lambda _name: container))
    monkeypatch.setattr(_docker.DockerProbe, "client", lambda _self: client)
    assert met("log.structured") is passes


# Results of CI

COMMIT = "0123456789abcdef0123456789abcdef01234567"
SKIPPED = "<testsuite><testcase><skipped/></testcase></testsuite>"
FAILED = "<testsuite><testcase><failure/></testcase></testsuite>"
PASSED = "<testsuite><testcase/></testsuite>"
RESULTS = {
    "test.unit.passed": "junit-unit.xml",
    "test.integration": "junit-integration.xml",
    "test.ml": "junit-ml.xml",
    "test.live_api.passed": "junit-live-api.xml",
    "ci.lint": "lint.xml",
    "ci.types": "mypy.xml",
}


@pytest.mark.parametrize("item", RESULTS)
def test_results_count_where_something_ran_and_lately(tmp_path, item):
    path = tmp_path / RESULTS[item]
    ask = {"ci_artifacts": str(tmp_path)}
    path.write_text(FAILED)
    assert not met(item, **ask)
    path.write_text(SKIPPED)
    with pytest.raises(ProbeError, match="no test ran"):
        met(item, **ask)
    path.write_text(PASSED)
    assert met(item, **ask)
    os.utime(path, (time.time() - 8 * 86400,) * 2)
    if item == "test.live_api.passed":
        assert met(item, **ask) and not met("test.live_api", **ask)
        return
    with pytest.raises(ProbeError, match="older than 7d"):
        met(item, **ask)
    assert met(item, ci_results_within="14d", **ask)


def test_load_that_was_not_borne_is_none(tmp_path):
    for failed, passes in ((0, True), (0.01, True), (0.02, False), (1, False)):
        metrics = {"http_reqs": {"count": 6000, "rate": 101.0}, "http_req_failed": {"value": failed}}
        (tmp_path / "load.json").write_text(json.dumps({"metrics": metrics}))
        assert met("test.load", ci_artifacts=str(tmp_path))
        assert met("test.load.failed", ci_artifacts=str(tmp_path)) is passes


def test_a_green_run_of_another_commit_is_not_that_of_what_is_deployed(tmp_path):
    path = tmp_path / "pipeline.json"
    ask = {"ci_artifacts": str(tmp_path), "app_commit": COMMIT}
    path.write_text(json.dumps([{"conclusion": "success", "headSha": COMMIT}]))
    assert met("ci.workflow", **ask)
    path.write_text(json.dumps([{"conclusion": "failure", "headSha": COMMIT}]))
    assert not met("ci.workflow", **ask)
    path.write_text(json.dumps([{"conclusion": "success", "headSha": "f" * 40}]))
    with pytest.raises(ProbeError, match="has no run for commit 0123"):
        met("ci.workflow", **ask)


def test_coverage_is_that_of_a_late_run(tmp_path):
    path = tmp_path / "coverage.xml"
    document = '<coverage line-rate="%s" lines-valid="9"><packages><package/></packages></coverage>'
    for share, passes in (("0.801", True), ("0.8", False)):
        path.write_text(document % share)
        assert met("test.unit", ci_artifacts=str(tmp_path)) is passes
    os.utime(path, (time.time() - 8 * 86400,) * 2)
    with pytest.raises(ProbeError, match="older than 7d"):
        met("test.unit", ci_artifacts=str(tmp_path))


def test_a_dry_run_of_long_ago_is_none(tmp_path):
    path = tmp_path / "report.json"
    path.write_text('{"result": "passed"}')
    assert met("bot.dry_run", bot_dry_run_report=str(path))
    os.utime(path, (time.time() - 8 * 86400,) * 2)
    with pytest.raises(ProbeError, match="older than 7d"):
        met("bot.dry_run", bot_dry_run_report=str(path))


# Secrets in files

VAULT = "$ANSIBLE_VAULT;1.1;AES256\n%s\n3031\n" % ("6a" * 40)


@pytest.mark.parametrize(
    ("text", "encrypted"),
    [
        (VAULT, True),
        (VAULT.replace("1.1;AES256", "1.2;AES256;prod"), True),
        (VAULT.replace("\n", "\r\n"), True),
        (VAULT.rstrip("\n"), True),
        ("", False),
        ("$ANSIBLE_VAULT;1.1;AES256\n", False),
        ("postgresql_password: hunter2\n" + VAULT, False),
        ("\n" + VAULT, False),
        (VAULT + "redis_password: hunter2\n", False),
        ("---\npassword: !vault |\n  $ANSIBLE_VAULT;1.1;AES256\n  3031\ntoken: hunter2\n", False),
    ],
)
def test_a_file_of_secrets_is_encrypted_from_its_first_line_to_its_last(tmp_path, text, encrypted):
    (tmp_path / "secrets.yml").write_bytes(text.encode())
    assert met("appsec.secrets.encrypted_env", secrets_file=str(tmp_path / "secrets.yml")) is encrypted


def test_a_file_of_secrets_that_is_not_there_is_not_encrypted(tmp_path):
    assert not met("appsec.secrets.encrypted_env", secrets_file=str(tmp_path / "secrets.yml"))


# Keys of other services


@pytest.mark.parametrize(("item", "name", "sent"), [("ext.theoddsapi", "odds_api_key", "apiKey"), ("ext.weather", "weather_api_key", "appid")])
def test_a_key_is_tried_and_shown_nowhere(monkeypatch, item, name, sent):
    asked = []

    def exchange(_method, url, _headers, _body, query):
        asked.append((url, query))
        return _http.Answer(200 if query == {sent: "k3y"} else 401, (), b"", 0.001)

    monkeypatch.setattr(_http, "_exchange", exchange)
    ask = {"weather_url": "https://weather.example.org/v1?q=Oslo"}
    assert met(item, secrets={name: "k3y"}, **ask)
    assert not met(item, secrets={name: "other"}, **ask)
    assert all(url.startswith("https://") and "k3y" not in url for url, _query in asked)
    with pytest.raises(ProbeError, match="no value was given for the secret " + name):
        met(item, **ask)
