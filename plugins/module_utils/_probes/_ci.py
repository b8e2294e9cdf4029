# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a CI run left behind: JUnit results, coverage (Cobertura XML, JSON of coverage.py, lcov), the summary of k6 and the list of runs."""

from __future__ import annotations

import datetime
import json
import math
import re
import typing as t
import xml.parsers.expat
from dataclasses import dataclass, field

from ._base import PLACE, Observation, Probe, ProbeError
from ._files import age_of, contents, looked_at, matching_path, now, seconds_of, shown

__all__ = ["CiProbe", "Element", "elements", "parse_coverage", "parse_junit", "parse_load", "parse_runs", "written_at"]

T = t.TypeVar("T")

_LARGEST = 32 * 1024 * 1024
_MOST_FILES = 500
_DEEPEST = 100
_STATES_ITS_TIME = ("age", "coverage", "failed", "passed", "tests")
_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


@dataclass
class Element:
    """One element of an XML document; text is not kept."""

    name: str
    attributes: t.Mapping[str, str]
    children: list[Element] = field(default_factory=list)


class CiProbe(Probe):
    SEES = PLACE
    ARGUMENTS = {
        "fact": {
            "type": "str",
            "required": True,
            "choices": ["age", "coverage", "failed", "load_failed", "load_rate", "passed", "pipeline", "tests"],
        },
        "path": {"type": "str", "required": True},
        "within": {"type": "str"},
        "commit": {"type": "str"},
    }

    def observe(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        """Look once; a result that is older than `within` is an error, since it tells of something else than what is asked about."""
        seen = super().observe(arguments)
        if arguments.get("within"):
            allowed = seconds_of(arguments["within"], "within")
            age, how = _age(arguments["path"], states=arguments["fact"] in _STATES_ITS_TIME)
            if age > allowed:
                raise ProbeError("%s: made %.1f h ago, and no result counts that is older than %s" % (how, age / 3600, arguments["within"]))
        return seen

    def fact_tests(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        """{"tests", "failures", "errors", "skipped"}: numbers over all JUnit files that `path` names."""
        counts, evidence = _counted(arguments["path"])
        return Observation(counts, evidence)

    def fact_failed(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        """How many tests failed or ended with an error, a number; where none ran, nothing can be said of failures."""
        counts, evidence = _counted(arguments["path"])
        if counts["tests"] <= counts["skipped"] and not counts["failures"] + counts["errors"]:
            raise ProbeError("%s: no test ran" % evidence)
        return Observation(counts["failures"] + counts["errors"], evidence)

    def fact_passed(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        """How many tests ran and passed, a number."""
        counts, evidence = _counted(arguments["path"])
        return Observation(max(0, counts["tests"] - counts["failures"] - counts["errors"] - counts["skipped"]), evidence)

    def fact_age(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        """Seconds since the oldest of the files that `path` names was made: by the time it gives itself, else by the file's own."""
        return Observation(*_age(arguments["path"]))

    def fact_coverage(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        """Covered lines in percent, 0 to 100, of the one coverage file that `path` names."""
        (percent, kind), place = _of_one(arguments["path"], parse_coverage)
        return Observation(percent, "%s, %s" % (place, kind))

    def fact_load_rate(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        """Requests a second that a run of k6 made, whether they failed or not: of the summary that `path` names."""
        (rate, failed), place = _of_one(arguments["path"], parse_load)
        return Observation(rate, "%s, %s %% of the requests failed" % (place, failed))

    def fact_load_failed(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        """How many percent of the requests of a run of k6 failed: of the summary that `path` names."""
        (rate, failed), place = _of_one(arguments["path"], parse_load)
        return Observation(failed, "%s, %s requests a second" % (place, rate))

    def fact_pipeline(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        """How the last runs for `commit` ended, one of each workflow, a list without repetition; "unfinished" for one that has not."""
        commit = str(arguments.get("commit") or "").lower()
        if not _COMMIT.fullmatch(commit):
            raise ProbeError("`commit` is %r; it is the whole hash of a commit" % commit[:80])
        found, place = _of_one(arguments["path"], lambda data: parse_runs(data, commit))
        return Observation(found, "%s, runs for commit %s" % (place, commit))


def _of_one(path: str, parse: t.Callable[[bytes], T]) -> tuple[T, str]:
    """(what `parse` makes of the one file that `path` names, the file as evidence names it)."""
    found = _files(path)
    if len(found) != 1:
        raise ProbeError("%d files match %s, and one is asked about" % (len(found), path))
    try:
        return parse(contents(found[0], _LARGEST)), shown(found[0])
    except ProbeError as error:
        raise ProbeError("%s: %s" % (shown(found[0]), error)) from None


def _age(path: str, *, states: bool = True) -> tuple[float, str]:
    """(seconds since the oldest of the files was made, evidence); `states`: what the file says of it comes before the file's own time."""
    moments = []
    for one in _files(path):
        try:
            stated = written_at(contents(one, _LARGEST)) if states else None
        except ProbeError as error:
            raise ProbeError("%s: %s" % (shown(one), error)) from None
        how = "the time it states" if stated is not None else "time of the file"
        moments.append((looked_at(one).st_mtime if stated is None else stated, one, how))
    oldest, one, how = min(moments)
    return age_of(oldest, now(), one), "%s, %s, the oldest of %d" % (shown(one), how, len(moments))


def _files(path: str) -> list[str]:
    found = matching_path(path)
    if len(found) > _MOST_FILES:
        raise ProbeError("%d files match %s, which is more than are read" % (len(found), path))
    return found


def _counted(path: str) -> tuple[dict[str, int], str]:
    total = {"tests": 0, "failures": 0, "errors": 0, "skipped": 0}
    found = _files(path)
    for one in found:
        try:
            counts = parse_junit(contents(one, _LARGEST))
        except ProbeError as error:
            raise ProbeError("%s: %s" % (shown(one), error)) from None
        total = {name: total[name] + counts[name] for name in total}
    evidence = "%s: %s" % (shown(found[0]) if len(found) == 1 else "%d files" % len(found), ", ".join("%d %s" % (total[name], name) for name in total))
    return total, evidence


def elements(data: bytes) -> Element:
    """The root element of an XML document; raises ProbeError on anything else.

    A document type is refused: by its entities a small document becomes a large one or names other files. What writes
    JUnit and coverage files has no need of one.
    """
    parser = xml.parsers.expat.ParserCreate(namespace_separator=" ")
    root = Element("", {})
    stack = [root]

    def start(name: str, attributes: dict[str, str]) -> None:
        if len(stack) > _DEEPEST:
            raise ProbeError("nested too deeply")
        element = Element(name.rpartition(" ")[2], attributes)
        stack[-1].children.append(element)
        stack.append(element)

    def end(_name: str) -> None:
        stack.pop()

    def document_type(*_what: t.Any) -> None:
        raise ProbeError("has a document type (DOCTYPE), which is refused")

    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.StartDoctypeDeclHandler = document_type
    try:
        parser.Parse(data, True)
    except xml.parsers.expat.ExpatError as error:
        raise ProbeError("is not XML, or not all of it: line %d" % error.lineno) from None
    except (ValueError, LookupError, UnicodeError):
        raise ProbeError("is not XML that can be read") from None
    return root.children[0]


def parse_junit(data: bytes) -> dict[str, int]:
    """{"tests", "failures", "errors", "skipped"} of a JUnit file; raises ProbeError when it has no test.

    The cases are counted. Where the file itself says that more failed than it lists, what it says holds.
    """
    root = elements(data)
    if root.name not in ("testsuites", "testsuite"):
        raise ProbeError("is no JUnit file: its root is %r" % root.name[:80])
    listed = {"tests": 0, "failures": 0, "errors": 0, "skipped": 0}
    stated = {"failures": 0, "errors": 0}
    suites = [root]
    while suites:
        suite = suites.pop()
        suites += [child for child in suite.children if child.name == "testsuite"]
        cases = [child for child in suite.children if child.name == "testcase"]
        # The sums of a suite include those of the suites in it: only the innermost are added.
        if not any(child.name == "testsuite" for child in suite.children):
            stated = {name: stated[name] + _whole(suite, name) for name in stated}
        for case in cases:
            inside = {child.name for child in case.children}
            outcome = next((name for tag, name in (("error", "errors"), ("failure", "failures"), ("skipped", "skipped")) if tag in inside), "")
            listed["tests"] += 1
            if outcome:
                listed[outcome] += 1
        # An error of a whole suite, outside its cases.
        listed["errors"] += sum(child.name == "error" for child in suite.children)
    if not listed["tests"]:
        raise ProbeError("has no test")
    return {**listed, **{name: max(listed[name], stated[name]) for name in stated}}


def _whole(element: Element, name: str) -> int:
    text = element.attributes.get(name, "0").strip()
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise ProbeError("says %r for %s, which is no number" % (text[:20], name))
    return int(text)


def parse_coverage(data: bytes) -> tuple[float, str]:
    """(percent of lines covered, the format) of a coverage file; raises ProbeError when it has no line to cover."""
    head = data.lstrip(b"\xef\xbb\xbf \t\r\n")
    if head.startswith(b"<"):
        return _cobertura(elements(data)), "Cobertura XML"
    if head.startswith(b"{"):
        return _coverage_py(data), "JSON of coverage.py"
    return _lcov(data), "lcov"


def _cobertura(root: Element) -> float:
    if root.name != "coverage" or "line-rate" not in root.attributes:
        raise ProbeError("is no Cobertura file: its root is %r" % root.name[:80])
    if "lines-valid" in root.attributes and not _whole(root, "lines-valid"):
        raise ProbeError("has no line to cover")
    if not any(child.name == "packages" and child.children for child in root.children):
        raise ProbeError("lists no package")
    try:
        return _percent(float(root.attributes["line-rate"]) * 100)
    except ValueError:
        raise ProbeError("has a line rate that is no number") from None


def _coverage_py(data: bytes) -> float:
    totals = _document(data).get("totals")
    totals = totals if isinstance(totals, dict) else {}
    percent, statements = totals.get("percent_covered"), totals.get("num_statements")
    if isinstance(percent, bool) or isinstance(statements, bool) or not isinstance(percent, (int, float)) or not isinstance(statements, int):
        raise ProbeError("is no JSON of coverage.py: it has no totals")
    if statements <= 0:
        raise ProbeError("has no line to cover")
    return _percent(percent)


def _document(data: bytes) -> dict[str, t.Any]:
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        raise ProbeError("is not JSON, or not all of it") from None
    if not isinstance(document, dict):
        raise ProbeError("is no JSON object")
    return document


def _lcov(data: bytes) -> float:
    """Of tracefiles (geninfo(1)): LF lines found and LH lines hit of each record, which ends with end_of_record."""
    sums = {b"LF": 0, b"LH": 0}
    records = ended = 0
    for line in data.splitlines():
        key, _colon, value = line.strip().partition(b":")
        records += key == b"SF"
        ended += key == b"end_of_record"
        if key in sums:
            if not (value.isdigit() and len(value) < 10):
                raise ProbeError("has a count that is no number")
            sums[key] += int(value)
    if not records:
        raise ProbeError("is neither Cobertura XML, JSON of coverage.py nor lcov")
    if records != ended:
        raise ProbeError("is cut off: %d records and %d ends" % (records, ended))
    if not sums[b"LF"]:
        raise ProbeError("has no line to cover")
    return _percent(sums[b"LH"] * 100 / sums[b"LF"])


def parse_load(data: bytes) -> tuple[float, float]:
    """(requests a second, percent of them that failed) of what `k6 run --summary-export`, or its handleSummary(), writes.

    Raises ProbeError when no request was made, or it does not say how many failed.
    """
    metrics = _document(data).get("metrics")
    values = []
    for name, keys in (("http_reqs", ("count",)), ("http_reqs", ("rate",)), ("http_req_failed", ("value", "rate"))):
        metric = metrics.get(name) if isinstance(metrics, dict) else None
        # handleSummary() gets them one level further down.
        metric = metric.get("values", metric) if isinstance(metric, dict) else None
        value = next((metric[key] for key in keys if key in metric), None) if isinstance(metric, dict) else None
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < 1e12:
            raise ProbeError("is no summary of k6: it has no number for %s" % name)
        values.append(value)
    count, rate, failed = values
    if not count:
        raise ProbeError("has no request")
    return round(float(rate), 4), _percent(failed * 100)


def parse_runs(data: bytes, commit: str) -> list[str]:
    """How the newest run of each workflow for `commit` ended, of what `gh run list --json conclusion,headSha,workflowName,createdAt` says.

    gh lists the newest first. Raises ProbeError when there is no run for this commit.
    """
    try:
        listed = json.loads(data)
    except (ValueError, RecursionError):
        raise ProbeError("is not JSON, or not all of it") from None
    newest: dict[str, tuple[str, str]] = {}
    for run in listed if isinstance(listed, list) else [listed]:
        fields = [run.get(name, "") for name in ("headSha", "conclusion", "workflowName", "createdAt")] if isinstance(run, dict) else []
        if not fields or not all(isinstance(one, str) for one in fields) or "conclusion" not in run or not fields[0]:
            raise ProbeError("is no list of runs, each with headSha and conclusion")
        head, conclusion, workflow, created = fields
        if head.lower() == commit and (workflow not in newest or created > newest[workflow][0]):
            newest[workflow] = created, conclusion or "unfinished"
    if not newest:
        raise ProbeError("has no run for commit %s" % commit)
    return sorted({conclusion for _created, conclusion in newest.values()})


def _percent(number: float) -> float:
    try:
        fits = math.isfinite(number) and 0 <= number <= 100
    except OverflowError:
        fits = False
    if not fits:
        raise ProbeError("says a share that is not between 0 and 100 percent")
    return round(float(number), 4)


def written_at(data: bytes) -> t.Optional[float]:
    """When a result says that it was made, seconds since the epoch; the earliest of several, None where it does not say.

    A time without a zone is taken for UTC. Raises ProbeError on what is no result, and on a time that cannot be read.
    """
    head = data.lstrip(b"\xef\xbb\xbf \t\r\n")
    stated: list[str] = []
    if head.startswith(b"<"):
        left = [elements(data)]
        if left[0].name == "coverage":
            _cobertura(left[0])
        else:
            parse_junit(data)
        while left:
            element = left.pop()
            if element.name in ("testsuites", "testsuite", "coverage"):
                left += element.children
                stated += [element.attributes["timestamp"]] if element.attributes.get("timestamp") else []
    else:
        parse_coverage(data)
        meta = _document(data).get("meta") if head.startswith(b"{") else None
        stated = [str(meta["timestamp"])] if isinstance(meta, dict) and "timestamp" in meta else []
    return min(map(_moment, stated)) if stated else None


def _moment(text: str) -> float:
    text = text.strip()
    try:
        if text.isascii() and text.isdigit():
            # Cobertura's own: milliseconds; others write seconds into the same attribute.
            number = float(text[:20])
            return number / 1000 if number > 1e11 else number
        # Python 3.9 and 3.10 read neither a Z nor a fraction of other than three or six digits.
        whole, _dot, rest = text.replace("Z", "+00:00").partition(".")
        zone = next((rest[at:] for at, letter in enumerate(rest) if letter in "+-"), "")
        moment = datetime.datetime.fromisoformat(whole + zone)
        return (moment if moment.tzinfo else moment.replace(tzinfo=datetime.timezone.utc)).timestamp()
    except (ValueError, OverflowError):
        raise ProbeError("states the time %r, which cannot be read" % text[:40]) from None
