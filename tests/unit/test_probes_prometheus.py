# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The prometheus probe: what is absent is absent or an error, never 0.

The API is a double here, a real HTTP server that answers what it is told; Prometheus itself is asked in tests/lab.
"""

from __future__ import annotations

import http.server
import json
import threading
import urllib.parse

import pytest

from ansible_collections.gonogo.preflight.plugins.module_utils._probes import _http, _prometheus
from ansible_collections.gonogo.preflight.plugins.module_utils._probes._base import ProbeError
from ansible_collections.gonogo.preflight.plugins.module_utils._probes._prometheus import delay_of_rule, state_of_rule, threshold_of_rule


class PrometheusDouble(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Api)
        self.requests = []
        self.status, self.body = 200, b""
        self.url = "http://127.0.0.1:%d" % self.server_address[1]

    def says(self, data, status=200, **more):
        self.status, self.body = status, json.dumps({"status": "success", "data": data, **more}).encode()


class Api(http.server.BaseHTTPRequestHandler):
    def do_GET(self):  # noqa: N802 (the name that http.server looks for)
        place, _question, query = self.path.partition("?")
        self.server.requests.append((place, dict(urllib.parse.parse_qsl(query)), dict(self.headers)))
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(len(self.server.body)))
        self.end_headers()
        self.wfile.write(self.server.body)

    def log_message(self, *_arguments):
        """Nothing on standard error."""


@pytest.fixture
def prometheus(monkeypatch):
    monkeypatch.setattr(_http, "_TIMEOUT", 5.0)
    double = PrometheusDouble()
    thread = threading.Thread(target=double.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield double
    double.shutdown()
    double.server_close()
    thread.join(5)
    assert not thread.is_alive()


def ask(double, fact, /, **more):
    return _prometheus.PrometheusProbe(more.pop("secrets", {})).observe({"fact": fact, "url": double.url, **more})


def error(double, fact, /, **more):
    with pytest.raises(ProbeError) as raised:
        ask(double, fact, **more)
    return str(raised.value)


def vector(*values):
    return {"resultType": "vector", "result": [{"metric": {"instance": str(number)}, "value": [1790000000.1, one]} for number, one in enumerate(values)]}


def alerts(*rules):
    return {"groups": [{"name": "g", "rules": [{"type": "alerting", "health": "ok", **rule} for rule in rules]}]}


# Targets


@pytest.mark.parametrize(
    ("values", "value", "evidence"),
    [
        ((), "absent", "0 of 0 targets"),
        (("1",), "up", "1 of 1 targets"),
        (("0",), "down", "0 of 1 targets"),
        (("1", "1"), "up", "2 of 2 targets"),
        (("1", "0"), "down", "1 of 2 targets"),
        (("NaN",), "down", "0 of 1 targets"),
    ],
)
def test_target(prometheus, values, value, evidence):
    prometheus.says(vector(*values))
    seen = ask(prometheus, "target", job="app")
    assert (seen.value, seen.evidence) == (value, "up of job app: " + evidence)
    assert prometheus.requests[0][:2] == ("/api/v1/query", {"query": 'up{job="app"}'})


def test_a_job_is_text_in_the_query_and_no_part_of_it(prometheus):
    prometheus.says(vector())
    ask(prometheus, "target", job='a"} or vector(1) #\\')
    assert prometheus.requests[0][1] == {"query": 'up{job="a\\"} or vector(1) #\\\\"}'}


# Rules


@pytest.mark.parametrize(
    ("rules", "value"),
    [
        ((), "absent"),
        (({"name": "Down", "state": "inactive"},), "inactive"),
        (({"name": "Down", "state": "pending"},), "pending"),
        (({"name": "Down", "state": "firing"},), "firing"),
        (({"name": "Down", "state": "inactive"}, {"name": "Down", "state": "firing"}, {"name": "Down", "state": "pending"}), "firing"),
        (({"name": "Other", "state": "firing"},), "absent"),
        (({"name": "Other", "state": "firing", "health": "err"}, {"name": "Down", "state": "inactive"}), "inactive"),
        (({"name": "Down", "type": "recording"},), "absent"),
    ],
)
def test_rule(prometheus, rules, value):
    prometheus.says(alerts(*rules))
    assert ask(prometheus, "rule", name="Down").value == value
    assert prometheus.requests[0][:2] == ("/api/v1/rules", {"type": "alert", "rule_name[]": "Down"})


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ({"health": "err", "lastError": "many-to-many matching", "state": "inactive"}, "rule Down is not evaluated: health err, many-to-many matching"),
        ({"health": "unknown", "state": "inactive"}, "rule Down is not evaluated: health unknown, no message"),
        ({"state": "unknown"}, "rule Down is in an unknown state"),
        ({"state": None}, "rule Down is in an unknown state"),
        ({}, "did not answer with rules"),
    ],
)
def test_a_rule_that_is_not_evaluated_is_an_error(prometheus, rule, message):
    prometheus.says(alerts({"name": "Down", **rule}))
    assert message in error(prometheus, "rule", name="Down")


@pytest.mark.parametrize("data", [None, [], {}, {"groups": None}, {"groups": [{}]}, {"groups": [{"rules": [{}]}]}, {"groups": [None]}, "x"])
@pytest.mark.parametrize("fact", ["rule", "threshold", "delay"])
def test_what_are_no_rules_is_an_error(prometheus, fact, data):
    prometheus.says(data)
    assert "did not answer with rules" in error(prometheus, fact, name="Down")


# What a rule compares with, and how long it waits


def loaded(query, **more):
    return {"name": "Slow", "state": "inactive", "duration": 300, "query": query, **more}


@pytest.mark.parametrize(
    ("query", "more", "value"),
    [
        ("latency > 2", {}, 2),
        ("latency >= 0.02", {}, 0.02),
        ("0.02 < latency", {}, 0.02),
        ("time() - age > 6 * 3600", {}, 21600),
        ("errors > 0.05", {"ratio": True}, 5),
        ("errors > 0.07", {"ratio": True}, 7),
        ("errors > 0.075", {"ratio": True}, 7.5),
        ("errors > 5", {"ratio": True}, 500),
        ("free < 0.2", {"fires": "below", "ratio": True}, 20),
        ("x > -1", {}, -1),
        ("increase(failures[1h]) > 2", {"window": "1h"}, 2),
        ("increase(a[1h]) + increase(b[60m]) > 2", {"window": 3600}, 2),
    ],
)
def test_threshold(prometheus, query, more, value):
    prometheus.says(alerts(loaded(query), {"name": "Other", "state": "inactive", "query": "x > 99"}))
    seen = ask(prometheus, "threshold", name="Slow", **more)
    assert (seen.value, type(seen.value)) == (value, type(value))
    assert seen.evidence == "the expression of alerting rule Slow, which fires %s it" % more.get("fires", "above")
    assert prometheus.requests[0][:2] == ("/api/v1/rules", {"type": "alert", "rule_name[]": "Slow"})


@pytest.mark.parametrize(
    ("rules", "more", "message"),
    [
        ([], {}, "no alerting rule called Slow is loaded"),
        ([{"name": "Slower", "query": "x > 1"}], {}, "no alerting rule called Slow is loaded"),
        ([loaded("x > 1", type="recording")], {}, "no alerting rule called Slow is loaded"),
        ([loaded("x > 1", health="err", lastError="many-to-many")], {}, "rule Slow is not evaluated: health err, many-to-many"),
        ([loaded("x > 1", health="unknown")], {}, "rule Slow is not evaluated: health unknown, no message"),
        ([loaded("x > 1"), loaded("x > 1", health="unknown")], {}, "rule Slow is not evaluated: health unknown"),
        ([loaded("x")], {}, "rule Slow has no threshold: its expression compares nothing"),
        ([loaded("x > 1 and y > 2")], {}, "rule Slow has no threshold: its expression joins several conditions"),
        ([loaded("x > y")], {}, "rule Slow has no threshold: its expression compares with no number"),
        ([loaded("x > bool 1")], {}, "compares with `bool`"),
        ([loaded("x == 0")], {}, "rule Slow fires where it is == 0, and not above a number"),
        ([loaded("x != 0")], {}, "rule Slow fires where it is != 0, and not above a number"),
        ([loaded("x < 1")], {}, "rule Slow fires where it is < 1, and not above a number"),
        ([loaded("1 > x")], {}, "rule Slow fires where it is < 1, and not above a number"),
        ([loaded("x > 1")], {"fires": "below"}, "rule Slow fires where it is > 1, and not below a number"),
        ([loaded("x > 1"), loaded("x > 2")], {}, "rules called Slow compare with different numbers: 1, 2"),
        ([loaded("increase(x[5m]) > 1")], {"window": "1h"}, "rule Slow does not look at the last 3600 s alone: its ranges are 300 s"),
        ([loaded("increase(x[5m]) + increase(y[1h]) > 1")], {"window": "1h"}, "its ranges are 300 s, 3600 s"),
        ([loaded("x > 1")], {"window": "1h"}, "its ranges are none"),
        ([loaded("x > 1")], {"window": "soon"}, "`window` is 'soon'; it is a duration"),
        ([loaded(None)], {}, "Prometheus does not say what rule Slow asks"),
        ([{"name": "Slow"}], {}, "Prometheus does not say what rule Slow asks"),
    ],
)
def test_a_rule_without_a_threshold_is_an_error(prometheus, rules, more, message):
    prometheus.says(alerts(*rules))
    assert message in error(prometheus, "threshold", name="Slow", **more)


def test_rules_of_one_name_that_agree_have_one_threshold(prometheus):
    prometheus.says(alerts(loaded("x > 0.10"), loaded("y > 0.1")))
    assert ask(prometheus, "threshold", name="Slow").value == 0.1


@pytest.mark.parametrize(("durations", "value"), [([0], 0), ([300], 300), ([60, 3600, 300], 3600), ([0.5], 0.5)])
def test_delay(prometheus, durations, value):
    prometheus.says(alerts(*(loaded("x", duration=one) for one in durations)))
    seen = ask(prometheus, "delay", name="Slow")
    assert (seen.value, seen.evidence) == (value, "`for` of alerting rule Slow")


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ([], "no alerting rule called Slow is loaded"),
        ([loaded("x", health="err")], "rule Slow is not evaluated: health err"),
        *(([loaded("x", duration=one)], "Prometheus does not say how long rule Slow waits") for one in (None, "5m", True, -1)),
        ([loaded("x", duration=1), loaded("x", duration=None)], "Prometheus does not say how long rule Slow waits"),
    ],
)
def test_a_rule_whose_delay_is_not_known_is_an_error(prometheus, rules, message):
    prometheus.says(alerts(*rules))
    assert message in error(prometheus, "delay", name="Slow")


@pytest.fixture
def answers(captured):
    """`data` of a captured answer of /api/v1/rules."""
    return lambda name: json.loads(captured("prometheus-2.53.3-debian13-" + name))["data"]


@pytest.mark.parametrize(
    ("name", "more", "value"),
    [
        ("ErrorRateHigh", {"ratio": True}, 5),
        ("DataStale", {}, 21600),
        ("DataCollectionFailing", {"window": 3600.0}, 2.5),
        ("Requests", {}, 1000000),
    ],
)
def test_thresholds_as_prometheus_prints_them(answers, name, more, value):
    assert threshold_of_rule(answers("rules"), name, "above", **more) == value


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("ServiceDown", "fires where it is == 0"),
        ("Joined", "joins several conditions"),
        ("Broken", "is not evaluated: health err"),
        ("job:up:sum", "is loaded"),
        ("Absent", "is loaded"),
    ],
)
def test_rules_of_prometheus_without_a_threshold(answers, name, message):
    with pytest.raises(ProbeError, match=message):
        threshold_of_rule(answers("rules"), name, "above")
    with pytest.raises(ProbeError, match="no alerting rule called"):
        threshold_of_rule(answers("rules-none"), name, "above")


def test_delays_and_states_as_prometheus_says_them(answers):
    rules = answers("rules")
    assert [delay_of_rule(rules, name) for name in ("ErrorRateHigh", "DataStale", "DataCollectionFailing", "ServiceDown")] == [300, 0, 90, 60]
    assert [state_of_rule(rules, name) for name in ("ErrorRateHigh", "Joined", "Absent")] == ["inactive", "firing", "absent"]


def test_what_is_wrong_with_a_rule_has_a_remedy(prometheus):
    for rules, words in (([], "rule_files of prometheus.yml"), ([loaded("x")], "one comparison with a number")):
        prometheus.says(alerts(*rules))
        with pytest.raises(ProbeError) as raised:
            ask(prometheus, "threshold", name="Slow")
        assert words in raised.value.remedy


@pytest.mark.parametrize(
    ("rules", "value"),
    [
        ((), 0),
        (({"name": "job:requests:rate5m", "type": "recording"},), 0),
        (({"name": "Down", "state": "inactive"}, {"name": "Down", "state": "firing"}, {"name": "job:requests:rate5m", "type": "recording"}), 2),
    ],
)
def test_alerts_are_counted_and_recording_rules_are_not(prometheus, rules, value):
    prometheus.says(alerts(*rules))
    assert ask(prometheus, "alerts").value == value
    assert prometheus.requests[0][:2] == ("/api/v1/rules", {"type": "alert"})


def test_a_rule_that_is_not_evaluated_counts_for_nothing(prometheus):
    prometheus.says(alerts({"name": "Up", "state": "inactive"}, {"name": "Down", "state": "inactive", "health": "err", "lastError": "many-to-many"}))
    assert "rule Down is not evaluated: health err, many-to-many" in error(prometheus, "alerts")
    prometheus.says({"groups": [{"rules": [{}]}]})
    assert "did not answer with rules" in error(prometheus, "alerts")


# Queries


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (vector("0"), 0),
        (vector("12"), 12),
        (vector("0.995"), 0.995),
        (vector("-1e3"), -1000),
        (vector("1e300"), 1e300),
        ({"resultType": "scalar", "result": [1790000000, "42"]}, 42),
    ],
)
def test_query(prometheus, data, value):
    prometheus.says(data)
    assert ask(prometheus, "query", query="sum(rate(x[5m])) > 1").value == value
    assert prometheus.requests[0][:2] == ("/api/v1/query", {"query": "sum(rate(x[5m])) > 1"})


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (vector(), "returned no series: what it asks for is absent"),
        (vector("1", "2"), "returned 2 series"),
        (vector("NaN"), "returned nan, as a division by nothing does"),
        (vector("+Inf"), "returned inf"),
        ({"resultType": "scalar", "result": [1790000000, "NaN"]}, "returned nan"),
        ({"resultType": "scalar", "result": None}, "a sample that is none"),
        ({"resultType": "matrix", "result": []}, "did not answer with an instant vector"),
        ({"resultType": "string", "result": [1, "x"]}, "did not answer with an instant vector"),
        ({"resultType": "vector", "result": None}, "did not answer with an instant vector"),
        ({"resultType": "vector", "result": [{"metric": {}, "histogram": [1, {}]}]}, "a series that has no value"),
        (vector("many"), "a sample that is none"),
        (vector(None), "a sample that is none"),
        (None, "did not answer with an instant vector"),
    ],
)
def test_what_is_no_number_is_an_error(prometheus, data, message):
    prometheus.says(data)
    assert message in error(prometheus, "query", query="x")


# The server

FACTS = [
    ("alerts", {}),
    ("target", {"job": "app"}),
    ("rule", {"name": "Down"}),
    ("threshold", {"name": "Down"}),
    ("delay", {"name": "Down"}),
    ("query", {"query": "x"}),
]


@pytest.mark.parametrize(("fact", "more"), FACTS)
@pytest.mark.parametrize(
    ("status", "body", "message"),
    [
        (
            400,
            b'{"status": "error", "errorType": "bad_data", "error": "parse error: unexpected end of input"}',
            "status 400: parse error: unexpected end of input",
        ),
        (503, b'{"status": "error", "errorType": "unavailable", "error": "not ready"}', "status 503: not ready"),
        (200, b'{"status": "error"}', "Prometheus refuses with status 200: no message"),
        (500, b'{"status": "success", "data": {"resultType": "vector", "result": [], "groups": []}}', "refuses with status 500"),
        (200, b"[]", "refuses with status 200"),
        (404, b"404 page not found", "status 404 and without JSON; is it Prometheus?"),
        (302, b"", "status 302 and without JSON"),
        (200, b'{"status": "success", "data"', "status 200 and without JSON"),
        (200, b'{"status": "success", "warnings": ["partial response"], "data": {}}', "Prometheus warns: ['partial response']"),
    ],
)
def test_a_server_that_does_not_answer_the_question_is_an_error(prometheus, fact, more, status, body, message):
    prometheus.status, prometheus.body = status, body
    assert message in error(prometheus, fact, **more)


@pytest.mark.parametrize(("fact", "more"), FACTS)
def test_a_server_that_is_not_there_is_an_error(prometheus, fact, more):
    prometheus.shutdown()
    prometheus.server_close()
    assert "Connection refused" in error(prometheus, fact, **more)


@pytest.mark.parametrize(("fact", "needed"), [("target", "job"), ("rule", "name"), ("threshold", "name"), ("delay", "name"), ("query", "query")])
def test_what_a_fact_needs(prometheus, fact, needed):
    assert error(prometheus, fact) == "fact %s needs `%s`" % (fact, needed)
    assert prometheus.requests == []


@pytest.mark.parametrize("end", ["?a=1", "#x", "/?a"])
def test_an_address_with_a_query_is_refused(prometheus, end):
    prometheus.url += end
    assert "`url` is the address of Prometheus" in error(prometheus, "query", query="x")


def test_a_prefix_and_a_secret(prometheus):
    prometheus.says(vector("1"))
    prometheus.url += "/prometheus/"
    assert ask(prometheus, "query", query="x", secret="token of watch1", secrets={"token of watch1": "s3cret"}).value == 1
    place, _query, headers = prometheus.requests[0]
    assert (place, headers["Authorization"]) == ("/prometheus/api/v1/query", "Bearer s3cret")


def test_without_its_secret_nothing_is_asked(prometheus):
    assert error(prometheus, "query", query="x", secret="token") == "no value was given for the secret token"
    assert prometheus.requests == []
