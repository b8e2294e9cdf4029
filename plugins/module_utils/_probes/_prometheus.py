# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Prometheus over its HTTP API (https://prometheus.io/docs/prometheus/latest/querying/api/): targets, alerting rules, queries.

A series that does not exist is "absent" or an error, and never 0.
"""

from __future__ import annotations

import json
import math
import typing as t
import urllib.parse

from ._base import Observation, ProbeError
from ._http import CREDENTIALS, HttpClient, document_of, needed

__all__ = ["PrometheusProbe", "count_of_alerts", "number_of", "series_of", "state_of_rule"]

# The worse comes first.
_STATES = ("firing", "pending", "inactive")


class PrometheusProbe(HttpClient):
    ARGUMENTS = {
        "fact": {"type": "str", "required": True, "choices": ["alerts", "query", "rule", "target"]},
        "url": {"type": "str", "required": True},
        **CREDENTIALS,
        "job": {"type": "str"},
        "name": {"type": "str"},
        "query": {"type": "str"},
    }

    def fact_target(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        """Whether the targets of `job` are scraped: "up" (all of them), "down" (one at least is not), "absent" (there is none)."""
        job = needed(arguments, "job")
        # A string of PromQL is escaped like one of Go, and so like one of JSON; only what is ASCII needs to be.
        series = series_of(self._api(arguments, "query", query="up{job=%s}" % json.dumps(job, ensure_ascii=False)))
        down = [one for one in series if number_of(one) != 1]
        state = "absent" if not series else "down" if down else "up"
        return Observation(state, "up of job %s: %d of %d targets" % (job, len(series) - len(down), len(series)))

    def fact_rule(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        """State of the alerting rule `name`: "firing", "pending", "inactive", "absent"; of several rules the worst.

        A rule that cannot be evaluated, or was not yet, is an error.
        """
        name = needed(arguments, "name")
        data = self._api(arguments, "rules", **{"type": "alert", "rule_name[]": name})
        return Observation(state_of_rule(data, name), "alerting rules called %s" % name)

    def fact_alerts(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        """How many alerting rules are loaded and evaluated; recording rules, which alert nobody, are not counted.

        One that cannot be evaluated, or was not yet, is an error.
        """
        return Observation(count_of_alerts(self._api(arguments, "rules", type="alert")), "alerting rules")

    def fact_query(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        """The number that an instant query returns: a scalar, or the one series of a vector."""
        query = needed(arguments, "query")
        data = self._api(arguments, "query", query=query)
        if isinstance(data, dict) and data.get("resultType") == "scalar":
            return Observation(_finite(data.get("result"), query), "instant query, a scalar")
        series = series_of(data)
        if len(series) != 1:
            raise ProbeError("%s returned %s; a query returns one" % (query, "%d series" % len(series) if series else "no series: what it asks for is absent"))
        return Observation(_finite(series[0], query), "instant query, one series")

    def _api(self, arguments: t.Mapping[str, t.Any], endpoint: str, **parameters: str) -> t.Any:
        """`data` of an answer of the API; raises ProbeError with Prometheus' own word, and where it warns that something is missing."""
        base = arguments["url"].rstrip("/")
        if "?" in base or "#" in base:
            raise ProbeError("`url` is the address of Prometheus, as in http://127.0.0.1:9090, without a query")
        url = "%s/api/v1/%s" % (base, endpoint)
        answer = self.ask(arguments, "%s?%s" % (url, urllib.parse.urlencode(parameters)))
        try:
            document = document_of(answer, url)
        except ProbeError:
            raise ProbeError("%s was answered with status %d and without JSON; is it Prometheus?" % (url, answer.status)) from None
        if not isinstance(document, dict) or document.get("status") != "success" or answer.status != 200:
            said = document.get("error") if isinstance(document, dict) else None
            raise ProbeError("Prometheus refuses with status %d: %s" % (answer.status, said or "no message"))
        if document.get("warnings"):
            raise ProbeError("Prometheus warns: %s" % document["warnings"])
        return document.get("data")


def series_of(data: t.Any) -> list[t.Any]:
    """The samples, [time, value], of an instant vector; raises ProbeError for anything else."""
    if not isinstance(data, dict) or data.get("resultType") != "vector" or not isinstance(data.get("result"), list):
        raise ProbeError("Prometheus did not answer with an instant vector; a range is given to a function that makes one number of it")
    series = []
    for one in data["result"]:
        if not isinstance(one, dict) or "value" not in one:
            raise ProbeError("Prometheus answered with a series that has no value (a native histogram?)")
        series.append(one["value"])
    return series


def number_of(sample: t.Any) -> float:
    """The number of a sample [time, "1.5"]; raises ProbeError."""
    try:
        _time, text = sample
        return float(text)
    except (TypeError, ValueError):
        raise ProbeError("Prometheus answered with a sample that is none") from None


def _finite(sample: t.Any, query: str) -> float:
    number = number_of(sample)
    if not math.isfinite(number):
        raise ProbeError("%s returned %s, as a division by nothing does" % (query, number))
    return int(number) if number == int(number) and abs(number) < 2**53 else number


def count_of_alerts(data: t.Any) -> int:
    """How many alerting rules are among `data` of /api/v1/rules; raises ProbeError, also where one of them is not evaluated."""
    try:
        names = [rule["name"] for group in data["groups"] for rule in group["rules"] if rule["type"] == "alerting"]
    except (TypeError, KeyError):
        raise ProbeError("Prometheus did not answer with rules") from None
    for name in names:
        state_of_rule(data, name)
    return len(names)


def state_of_rule(data: t.Any, name: str) -> str:
    """The worst state of the alerting rules `name` among `data` of /api/v1/rules; raises ProbeError."""
    try:
        rules = [rule for group in data["groups"] for rule in group["rules"] if rule["name"] == name and rule["type"] == "alerting"]
        healths = [(rule["health"], rule.get("lastError") or "no message") for rule in rules]
        states = [rule["state"] for rule in rules]
    except (TypeError, KeyError):
        raise ProbeError("Prometheus did not answer with rules") from None
    for health, said in healths:
        if health != "ok":
            raise ProbeError("rule %s is not evaluated: health %s, %s" % (name, health, said))
    if any(state not in _STATES for state in states):
        raise ProbeError("rule %s is in an unknown state" % name)
    return min(states, key=_STATES.index) if states else "absent"
