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

from .._promql import NoComparisonError, comparison, ranges
from ._base import Observation, ProbeError
from ._files import seconds_of
from ._http import CREDENTIALS, HttpClient, document_of, needed

__all__ = ["PrometheusProbe", "count_of_alerts", "delay_of_rule", "number_of", "series_of", "state_of_rule", "threshold_of_rule"]

# The worse comes first.
_STATES = ("firing", "pending", "inactive")

# What an alert that fires above, or below, a number compares by.
_FIRES = {"above": (">", ">="), "below": ("<", "<=")}
_NOT_LOADED = "promtool check rules on its file; rule_files of prometheus.yml has to name it; systemctl reload prometheus"
_REWRITE = "write the rule as one comparison with a number, such as `... > 0.05`; what else it needs goes into what is compared"


class PrometheusProbe(HttpClient):
    ARGUMENTS = {
        "fact": {"type": "str", "required": True, "choices": ["alerts", "delay", "query", "rule", "target", "threshold"]},
        "url": {"type": "str", "required": True},
        **CREDENTIALS,
        "job": {"type": "str"},
        "name": {"type": "str"},
        "query": {"type": "str"},
        "fires": {"type": "str", "choices": ["above", "below"], "default": "above"},
        "ratio": {"type": "bool", "default": False},
        "window": {"type": "str"},
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
        name, data = self._rules(arguments)
        return Observation(state_of_rule(data, name), "alerting rules called %s" % name)

    def fact_alerts(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        """How many alerting rules are loaded and evaluated; recording rules, which alert nobody, are not counted.

        One that cannot be evaluated, or was not yet, is an error.
        """
        return Observation(count_of_alerts(self._api(arguments, "rules", type="alert")), "alerting rules")

    def fact_threshold(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        """The number from which on the alerting rule `name` fires, in percent where it is a `ratio`; no rule, or none that has one, is an error."""
        name, data = self._rules(arguments)
        window = seconds_of(arguments["window"], "window") if arguments.get("window") else None
        fires = arguments.get("fires") or "above"
        number = threshold_of_rule(data, name, fires, window=window, ratio=bool(arguments.get("ratio")))
        return Observation(number, "the expression of alerting rule %s, which fires %s it" % (name, fires))

    def fact_delay(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        """Seconds that the alerting rule `name` has to hold before it fires (`for`), of several rules the longest; no rule is an error."""
        name, data = self._rules(arguments)
        return Observation(delay_of_rule(data, name), "`for` of alerting rule %s" % name)

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

    def _rules(self, arguments: t.Mapping[str, t.Any]) -> tuple[str, t.Any]:
        """(the name asked for, `data` of /api/v1/rules), which may have other rules in it: Prometheus filters from 2.44 on."""
        name = needed(arguments, "name")
        return name, self._api(arguments, "rules", **{"type": "alert", "rule_name[]": name})

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


def _evaluated(data: t.Any, name: str) -> list[t.Mapping[str, t.Any]]:
    """The alerting rules `name` among `data` of /api/v1/rules; raises ProbeError, also for one that is not evaluated."""
    try:
        rules = [rule for group in data["groups"] for rule in group["rules"] if rule["name"] == name and rule["type"] == "alerting"]
        healths = [(rule["health"], rule.get("lastError") or "no message") for rule in rules]
    except (TypeError, KeyError):
        raise ProbeError("Prometheus did not answer with rules") from None
    for health, said in healths:
        if health != "ok":
            raise ProbeError("rule %s is not evaluated: health %s, %s" % (name, health, said))
    return rules


def _loaded(data: t.Any, name: str) -> list[t.Mapping[str, t.Any]]:
    rules = _evaluated(data, name)
    if not rules:
        raise ProbeError("no alerting rule called %s is loaded" % name, _NOT_LOADED)
    return rules


def state_of_rule(data: t.Any, name: str) -> str:
    """The worst state of the alerting rules `name` among `data` of /api/v1/rules; raises ProbeError."""
    rules = _evaluated(data, name)
    if any("state" not in rule for rule in rules):
        raise ProbeError("Prometheus did not answer with rules")
    states = [rule["state"] for rule in rules]
    if any(state not in _STATES for state in states):
        raise ProbeError("rule %s is in an unknown state" % name)
    return min(states, key=_STATES.index) if states else "absent"


def threshold_of_rule(data: t.Any, name: str, fires: str, *, window: t.Optional[float] = None, ratio: bool = False) -> float:
    """The number that the alerting rules `name` compare with; raises ProbeError where there is no such rule, or no one number.

    :param fires: "above" or "below" it; a rule that fires on the other side, or on one number alone, is an error.
    :param window: seconds that every range of the expression has to have.
    :param ratio: the number is one between 0 and 1, and is wanted in percent.
    """
    numbers = set()
    for rule in _loaded(data, name):
        expression = rule.get("query")
        if not isinstance(expression, str):
            raise ProbeError("Prometheus does not say what rule %s asks" % name)
        try:
            found, spans = comparison(expression), ranges(expression)
        except NoComparisonError as error:
            raise ProbeError("rule %s has no threshold: its expression %s" % (name, error), _REWRITE) from None
        if found.operator not in _FIRES[fires]:
            raise ProbeError("rule %s fires where it is %s %s, and not %s a number" % (name, found.operator, found.number, fires), _REWRITE)
        if window is not None and set(spans) != {window}:
            raise ProbeError(
                "rule %s does not look at the last %g s alone: its ranges are %s" % (name, window, _seconds(spans)), "write [%ds] for its range" % window
            )
        numbers.add(found.number * 100 if ratio else found.number)
    if len(numbers) != 1:
        told = ", ".join(map(str, sorted(numbers)))
        raise ProbeError("rules called %s compare with different numbers: %s" % (name, told), "give the one that is meant a name of its own")
    number = float(numbers.pop())
    if not math.isfinite(number):
        raise ProbeError("rule %s compares with a number that is too large" % name)
    return int(number) if number == int(number) and abs(number) < 2**53 else number


def delay_of_rule(data: t.Any, name: str) -> float:
    """Seconds of `for` of the alerting rules `name`, the longest; raises ProbeError where there is no such rule."""
    delays = [rule.get("duration") for rule in _loaded(data, name)]
    if any(isinstance(one, bool) or not isinstance(one, (int, float)) or not 0 <= one < math.inf for one in delays):
        raise ProbeError("Prometheus does not say how long rule %s waits" % name)
    return max(t.cast("list[float]", delays))


def _seconds(spans: t.Iterable[float]) -> str:
    return ", ".join("%g s" % one for one in sorted(set(spans))) or "none"
