# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the PromQL of the catalogue makes of good, bad and missing series. Prometheus' own promtool evaluates it, which `make unit` fetches;
what keeps a query from passing for ever is looked for in its text everywhere."""

from __future__ import annotations

import os
import pathlib
import re
import shutil
import subprocess
import sys

import jinja2
import pytest
import yaml

from ansible_collections.gonogo.preflight.plugins.module_utils import _expect
from ansible_collections.gonogo.preflight.plugins.plugin_utils._catalogue import COLLECTION, load_catalogue

CATALOGUE = load_catalogue([str(pathlib.Path(COLLECTION) / "checklists")])
QUERIES = {item.id: item for item in CATALOGUE.values() if item.probe == "prometheus" and item.arguments["fact"] == "query"}
OWNERS = {
    "deploy_project": "app",
    "preflight_address": "192.0.2.10",
    "app_feature_cache_query": "sum(features_cached)",
    "bot_predictions_query": "sum(predictions)",
    "db_instances": "db.*",
    "postgresql_database": "app",
}
NOTHING = None
"""No series, or what is no number: an error of the probe."""


def query_of(name, **variables):
    environment = jinja2.Environment(autoescape=False, undefined=jinja2.StrictUndefined)  # noqa: S701 - it becomes no page
    return environment.from_string(QUERIES[name].arguments["query"]).render({**OWNERS, **variables})


def buckets(metric, *, of, job="app", **bounds):
    """A histogram that grows by `of` requests a minute, of which so many lie within each bound (`le_0_5`)."""
    lines = {"%s_count{job='%s'}" % (metric, job): of, "%s_bucket{job='%s',le='+Inf'}" % (metric, job): of}
    lines.update({"%s_bucket{job='%s',le='%s'}" % (metric, job, key[3:].replace("_", ".")): value for key, value in bounds.items()})
    return {series: "0+%sx60" % step for series, step in lines.items()}


def requests(label="status", **statuses):
    return {"http_requests_total{job='app',%s='%s'}" % (label, key[1:]): "0+%dx60" % step for key, step in statuses.items()}


API = "http_request_duration_seconds"
ML = "prediction_duration_seconds"
MONTH = 12 * 24 * 30
NODE = "up{job='node',instance='192.0.2.%d:9100'}"
STARTED = "process_start_time_seconds{job='app',instance='a'}"
DB = ("pg_stat_activity_count", "pg_stat_statements_seconds_total", "pg_stat_database_deadlocks")

# tools/setup.sh puts one beside the Python of the tests.
PROMTOOL = shutil.which("promtool", path=os.pathsep.join([os.path.dirname(sys.executable), os.environ.get("PATH", "")])) or ""

# What there is to see (series to promtool's notation, a sample a minute), and what the query makes of it after an hour.
SCENARIOS = {
    "node exporter of this host": ("obs.node_exporter", {NODE % 10: "1x60", NODE % 11: "0x60"}, 1),
    "node exporter of another host": ("obs.node_exporter", {NODE % 11: "1x60"}, 0),
    "node exporter that is down": ("obs.node_exporter", {NODE % 10: "0x60", NODE % 11: "1x60"}, 0),
    "fresh samples": ("obs.flowing", {"up{job='app',instance='a'}": "1x60"}, 0),
    "fresh samples of one target, the other down": ("obs.flowing", {"up{job='app',instance='a'}": "1x60", "up{job='app',instance='b'}": "0x60"}, 3600),
    "no target": ("obs.flowing", {"up{job='other'}": "1x60"}, NOTHING),
    "samples that ended": ("obs.flowing", {"up{job='app',instance='a'}": "1x57"}, 180),
    "every metric of the database": ("obs.track.db", {name + "{db='%d'}" % number: "1x60" for name in DB for number in (1, 2)}, 0),
    "a metric of the database missing": ("obs.track.db", dict.fromkeys(DB[:2], "1x60"), 1),
    "no metric of the database": ("obs.track.db", {"up": "1x60"}, 3),
    "API, all within both bounds": ("kpi.latency.api.p99", buckets(API, of=1000, le_0_5=1000, le_1_0=1000), 100),
    "API, slower than the last bound": ("kpi.latency.api", buckets(API, of=1000, le_0_5=100, le_1_0=200), 20),
    "API, a bound written as Prometheus 2 has it": ("kpi.latency.api", buckets(API, of=1000, le_1=960), 96),
    "API, no such bound": ("kpi.latency.api", buckets(API, of=1000, le_0_5=1000, le_5=1000), NOTHING),
    "API, no such bound for p99": ("kpi.latency.api.p99", buckets(API, of=1000, le_1_0=1000), NOTHING),
    "API without requests": ("kpi.latency.api", buckets(API, of=0, le_1_0=0), NOTHING),
    "predictions": ("kpi.latency.ml", buckets(ML, of=1000, le_0_01=950), 95),
    "predictions, no such bound": ("kpi.latency.ml", buckets(ML, of=1000, le_0_1=1000), NOTHING),
    "predictions on average": ("kpi.latency.ml.average", {**buckets(ML, of=1000), ML + "_sum{job='app'}": "0+5x60"}, 0.005),
    "predictions that stay slow": ("roll.latency", buckets(ML, of=1000, le_0_02=100), 10),
    "predictions, no bound of 20 ms": ("roll.latency", buckets(ML, of=1000, le_0_025=1000), NOTHING),
    "no error": ("kpi.errors", requests(_200=1000), 0),
    "errors": ("kpi.errors", requests(_200=975, _500=25), 2.5),
    "errors, grouped": ("roll.errors", requests(_2xx=950, _5xx=50), 5),
    "errors under another label": ("kpi.errors", requests(label="code", _200=500, _500=500), NOTHING),
    "errors under another label, during the watch": ("roll.errors", requests(label="status_code", _500=500), NOTHING),
    "errors in words": ("kpi.errors", requests(_success=500, _failure=500), NOTHING),
    "started once": ("roll.crashes", {STARTED: "1000x60", "up{job='app',instance='a'}": "1x60"}, 0),
    "started again and again": ("roll.crashes", {STARTED: "1000+60x60", "up{job='app',instance='a'}": "1x60"}, 60),
    "dead before it is scraped": ("roll.crashes", {STARTED: "1000x57", "up{job='app',instance='a'}": "1x57 0x3"}, NOTHING),
    "never scraped": ("roll.crashes", {"up{job='app',instance='a'}": "0x60"}, NOTHING),
}


def evaluated(tmp_path, name, series, *, interval="1m", at="60m", value=NOTHING):
    """promtool's complaint about the query, "" where it returns `value`."""
    expected = [] if value is NOTHING else [{"labels": "{}", "value": value}]
    case = {
        "interval": interval,
        "input_series": [{"series": one, "values": values} for one, values in series.items()],
        # NaN equals nothing, itself included.
        "promql_expr_test": [{"expr": "({0}) == ({0})".format(query_of(name)), "eval_time": at, "exp_samples": expected}],
    }
    path = tmp_path / "test.yml"
    path.write_text(yaml.safe_dump({"evaluation_interval": interval, "tests": [case]}))
    done = subprocess.run([PROMTOOL, "test", "rules", str(path)], capture_output=True, text=True, timeout=60, check=False)
    return "" if done.returncode == 0 else done.stdout + done.stderr


promtool = pytest.mark.skipif(not PROMTOOL, reason="promtool is not installed")


@promtool
@pytest.mark.parametrize("case", SCENARIOS)
def test_a_query_counts_what_it_should_and_has_no_value_where_it_cannot(tmp_path, case):
    name, series, value = SCENARIOS[case]
    assert evaluated(tmp_path, name, series, value=value) == ""


@promtool
@pytest.mark.parametrize(("samples", "value"), [("1x%d" % MONTH, 100), ("_x%d 1x1" % (MONTH - 1), NOTHING)], ids=["a month", "five minutes"])
def test_a_month_of_uptime_needs_a_month_of_samples(tmp_path, samples, value):
    assert evaluated(tmp_path, "kpi.uptime", {"probe_success{job='blackbox'}": samples}, interval="5m", at="%dm" % (MONTH * 5), value=value) == ""


@promtool
@pytest.mark.parametrize("name", QUERIES)
def test_every_query_is_promql(tmp_path, name):
    told = evaluated(tmp_path, name, {"up": "1x60"})
    assert "parse error" not in told and "could not parse" not in told


# What the outcome of a scenario means, where it is not plain


@pytest.mark.parametrize(
    ("name", "passing", "failing"),
    [
        ("obs.node_exporter", [1], [0]),
        ("obs.flowing", [0, 30], [31, 1.7e9]),
        ("obs.track.db", [0], [1, 3]),
        ("obs.track.app", [0], [1]),
        ("obs.track.predictions", [0], [1]),
        ("kpi.latency.api", [95, 100], [94.9, 20, 0]),
        ("kpi.latency.api.p99", [99, 100], [98.9, 95]),
        ("kpi.latency.ml", [95], [94.9]),
        ("kpi.latency.ml.average", [0.0099], [0.01]),
        ("roll.latency", [95], [94.9]),
        ("roll.crashes", [2], [3]),
    ],
)
def test_what_the_value_of_a_query_means(name, passing, failing):
    assert [_expect.judge(value, CATALOGUE[name].expect) for value in [*passing, *failing]] == [True] * len(passing) + [False] * len(failing)


# The same without promtool


@pytest.mark.parametrize("name", [name for name in QUERIES if name.startswith(("kpi.latency.", "roll.latency"))])
def test_no_answer_is_held_to_be_as_fast_as_the_last_bound_of_its_histogram(name):
    query = query_of(name)
    assert "histogram_quantile" not in query
    assert "_count" in query and ("le=" in query) is (name != "kpi.latency.ml.average")


@pytest.mark.parametrize("name", ["kpi.errors", "roll.errors"])
def test_errors_are_a_share_of_what_has_the_label(name):
    errors, requests_ = query_of(name, app_status_label="code").split("or vector(0)")
    assert 'code=~"5.."' in errors and 'code=~"[1-5].."' in requests_


def test_each_host_is_asked_for_by_its_own_target():
    item = QUERIES["obs.node_exporter"]
    assert (item.hosts, item.per, item.looks_from) == ("all", "host", "control")
    assert 'instance="192.0.2.10:9100"' in query_of("obs.node_exporter")


@pytest.mark.parametrize(
    ("name", "variable", "least"), [("obs.track.db", "prometheus_db_metrics", 3), ("obs.track.predictions", "prometheus_prediction_metrics", 2)]
)
@pytest.mark.parametrize("names", [["a"], ["a", "a"], ["a", "b", "c", "d", "e"]])
def test_every_metric_of_a_list_is_asked_for_and_a_short_list_lacks_some(name, variable, least, names):
    count, _minus, rest = query_of(name, **{variable: names}).partition(" - ")
    assert int(count) == max(least, len(set(names)))
    assert re.search('__name__=~"([^"]*)"', rest)[1] == "|".join(names)


def test_a_target_that_is_down_is_not_fresh_and_is_not_free_of_crashes():
    assert '* up{job="app"}' in query_of("obs.flowing")
    assert 'and on() (min(up{job="app"}) == 1)' in query_of("roll.crashes")
    assert (CATALOGUE["obs.app.scraped"].stage, CATALOGUE["obs.app.scraped"].expect) == ("live", {"equals": "up"})


def test_recording_rules_are_no_alerts_and_a_month_has_a_beginning():
    assert CATALOGUE["alert.thresholds"].arguments["fact"] == "alerts"
    assert "offset 29d" in query_of("kpi.uptime")
