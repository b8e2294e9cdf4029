# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ci probe on real JUnit and coverage files, whole, cut off and hostile."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.gonogo.preflight.plugins.module_utils._probes import _ci
from ansible_collections.gonogo.preflight.plugins.module_utils._probes._base import ProbeError


def look(fact, path, **more):
    return _ci.CiProbe({}).observe({"fact": fact, "path": str(path), **more})


def value(fact, path, **more):
    return look(fact, path, **more).value


def error(fact, path, **more):
    with pytest.raises(ProbeError) as raised:
        look(fact, path, **more)
    return str(raised.value)


FACTS = ["tests", "failed", "passed", "age", "coverage"]

JUNIT = """<?xml version="1.0" encoding="utf-8"?>
<testsuites><testsuite name="unit" tests="6" failures="1" errors="1" skipped="1" timestamp="%s">
<properties><property name="x" value="y"/></properties>
<testcase name="a" time="0.1"/><testcase name="b"><failure message="no">at &lt;x&gt;</failure></testcase>
<testcase name="c"><error/></testcase><testcase name="d"><skipped/></testcase><testcase name="e"/><testcase name="f"><system-out>said</system-out></testcase>
</testsuite></testsuites>
"""
COUNTS = {"tests": 6, "failures": 1, "errors": 1, "skipped": 1}
PASSING = '<testsuite name="s" tests="2" failures="0" errors="0"><testcase name="a"/><testcase name="b"/></testsuite>'
COBERTURA = '<coverage line-rate="%s" lines-valid="%s" timestamp="%s"><packages><package name="p"><classes/></package></packages></coverage>'
LCOV = "TN:\nSF:/a.py\nDA:1,1\nLF:3\nLH:2\nend_of_record\nSF:/b.py\nLF:1\nLH:1\nend_of_record\n"
COVERAGE_PY = {"meta": {"version": "7.6", "timestamp": "2026-11-20T10:00:00.5"}, "files": {}, "totals": {"percent_covered": 87.5, "num_statements": 8}}


@pytest.fixture
def write(tmp_path):
    def install(name, text):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return install


# JUnit


def test_results_of_one_file(write):
    path = write("junit.xml", JUNIT % "2026-11-20T10:00:00")
    assert value("tests", path) == COUNTS
    assert (value("failed", path), value("passed", path)) == (2, 3)
    assert look("failed", path).evidence == "%s: 6 tests, 1 failures, 1 errors, 1 skipped" % path


def test_results_of_several_files(write, tmp_path):
    write("a.xml", JUNIT % "")
    write("b.xml", PASSING)
    assert value("tests", tmp_path / "*.xml") == {**COUNTS, "tests": 8}
    assert value("passed", tmp_path / "*.xml") == 5
    assert look("failed", tmp_path / "*.xml").evidence.startswith("2 files: 8 tests")


def test_what_pytest_itself_writes(tmp_path):
    (tmp_path / "test_x.py").write_text(
        "import pytest\ndef test_a(): pass\ndef test_b(): assert 0\n@pytest.mark.skip\ndef test_c(): pass\n"
        "@pytest.fixture\ndef broken(): raise OSError\ndef test_d(broken): pass\n"
        "@pytest.fixture\ndef late():\n    yield\n    raise OSError\ndef test_e(late): pass\n"
    )
    began = time.time()
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", os.devnull, "--rootdir", ".", "--junitxml=r.xml", "test_x.py"]
    subprocess.run(command, cwd=tmp_path, capture_output=True, check=False)
    assert value("tests", tmp_path / "r.xml") == {"tests": 5, "failures": 1, "errors": 2, "skipped": 1}
    assert (value("failed", tmp_path / "r.xml"), value("passed", tmp_path / "r.xml")) == (3, 1)
    assert 0 <= value("age", tmp_path / "r.xml") <= time.time() - began + 1


@pytest.mark.parametrize(
    ("text", "counts"),
    [
        (PASSING, (2, 0, 0, 0)),
        ("<testsuites><testsuite><testsuite>%s</testsuite></testsuite><testsuite><testcase name='x'/></testsuite></testsuites>" % PASSING, (3, 0, 0, 0)),
        ("<testsuite failures='2' errors='1'><testcase/></testsuite>", (1, 2, 1, 0)),
        ("<testsuite failures='2'><testsuite failures='2'><testcase/><testcase/></testsuite></testsuite>", (2, 2, 0, 0)),
        ("<testsuite><testcase/><error>collection</error></testsuite>", (1, 0, 1, 0)),
        ("<testsuite><testcase><failure/><error/></testcase></testsuite>", (1, 0, 1, 0)),
        ('<j:testsuite xmlns:j="urn:x"><j:testcase><j:failure/></j:testcase></j:testsuite>', (1, 1, 0, 0)),
        ('<?xml version="1.0" encoding="ISO-8859-1"?><testsuite name="\xe9"><testcase/></testsuite>'.encode("latin-1"), (1, 0, 0, 0)),
    ],
)
def test_forms_of_junit(write, text, counts):
    assert tuple(value("tests", write("junit.xml", text)).values()) == counts


@pytest.mark.parametrize("fact", ["tests", "failed", "passed"])
@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is not XML, or not all of it"),
        ("plain", "is not XML, or not all of it"),
        ((JUNIT % "")[:-20], "is not XML, or not all of it"),
        ("<html><testcase/></html>", "is no JUnit file: its root is 'html'"),
        ("<testsuites/>", "has no test"),
        ("<testsuite tests='5' failures='0'/>", "has no test"),
        ("<testsuite failures='many'><testcase/></testsuite>", "which is no number"),
        ("<testsuite failures='-1'><testcase/></testsuite>", "which is no number"),
        ("<a>" * 200 + "</a>" * 200, "nested too deeply"),
        ('<?xml version="1.0" encoding="klingon"?><testsuite/>', "is not XML"),
    ],
)
def test_what_is_no_result_is_an_error_and_no_zero(write, fact, text, said):
    path = write("junit.xml", text)
    assert error(fact, path).startswith(str(path)) and said in error(fact, path)


LAUGHS = '<?xml version="1.0"?><!DOCTYPE t [<!ENTITY a "lol">%s]><testsuite><testcase name="&z;"/></testsuite>' % "".join(
    '<!ENTITY %s "&%s;&%s;&%s;&%s;">' % (b, a, a, a, a) for a, b in zip("abcdefghijklmnopqrstuvwxy", "bcdefghijklmnopqrstuvwxyz")
)
OUTSIDE = '<!DOCTYPE t [<!ENTITY x SYSTEM "file:///etc/hostname">]><testsuite><testcase>&x;</testcase></testsuite>'


@pytest.mark.parametrize("text", [LAUGHS, OUTSIDE, '<!DOCTYPE coverage SYSTEM "http://127.0.0.1:9/x.dtd">' + COBERTURA % (1, 1, 1)])
@pytest.mark.parametrize("fact", FACTS)
def test_a_document_type_is_refused(write, fact, text):
    began = time.monotonic()
    assert "DOCTYPE" in error(fact, write("a.xml", text))
    assert time.monotonic() - began < 2


# Coverage


@pytest.mark.parametrize(
    ("name", "text", "percent"),
    [
        ("a.xml", COBERTURA % ("0.8571", "10", "1"), 85.71),
        ("a.xml", COBERTURA % ("0", "10", "1"), 0),
        ("a.xml", COBERTURA % ("1", "10", "1"), 100),
        ("a.json", json.dumps(COVERAGE_PY), 87.5),
        ("lcov.info", LCOV, 75.0),
    ],
)
def test_coverage(write, name, text, percent):
    assert value("coverage", write(name, text)) == pytest.approx(percent)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is neither"),
        ("plain", "is neither"),
        ("<coverage/>", "is no Cobertura file"),
        (JUNIT % "", "is no Cobertura file"),
        (COBERTURA % ("1", "0", "1"), "has no line to cover"),
        ('<coverage line-rate="1"><packages/></coverage>', "lists no package"),
        (COBERTURA % ("many", "1", "1"), "no number"),
        (COBERTURA % ("nan", "1", "1"), "not between 0 and 100"),
        (COBERTURA % ("85.7", "1", "1"), "not between 0 and 100"),
        ("{", "is not JSON"),
        ("{}", "has no totals"),
        (json.dumps({"totals": {"percent_covered": "87", "num_statements": 1}}), "has no totals"),
        (json.dumps({"totals": {"percent_covered": 100, "num_statements": 0}}), "has no line to cover"),
        (json.dumps({"totals": {"percent_covered": True, "num_statements": 5}}), "has no totals"),
        ('{"totals": {"percent_covered": 1e999, "num_statements": 1}}', "not between 0 and 100"),
        ('{"totals": {"percent_covered": %s, "num_statements": 1}}' % ("9" * 400), "not between 0 and 100"),
        (LCOV[:-15], "is cut off"),
        ("SF:a\nLF:0\nLH:0\nend_of_record\n", "has no line to cover"),
        ("SF:a\nLF:x\nend_of_record\n", "no number"),
        ("SF:a\nLF:1\nLH:2\nend_of_record\n", "not between 0 and 100"),
    ],
)
def test_what_is_no_coverage_is_an_error(write, text, said):
    assert said in error("coverage", write("a", text))


def test_the_coverage_of_two_files_is_an_error(write, tmp_path):
    write("a.info", LCOV)
    write("b.info", LCOV)
    assert "2 files match" in error("coverage", tmp_path / "*.info")


# Age and input


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.xml", JUNIT % "%s"),
        ("a.xml", COBERTURA % (1, 1, "%s")),
        ("a.json", json.dumps({**COVERAGE_PY, "meta": {"timestamp": "%s"}})),
    ],
)
@pytest.mark.parametrize("form", ["%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%dT%H:%M:%S.123456789+00:00", "seconds", "milliseconds"])
def test_age_is_by_the_time_that_a_result_states(write, name, text, form):
    moment = int(time.time()) - 7200
    stated = {"seconds": "%d" % moment, "milliseconds": "%d000" % moment}.get(form) or time.strftime(form, time.gmtime(moment))
    assert 7200 <= value("age", write(name, text % stated)) < 7260


def test_age_is_that_of_the_oldest_and_by_the_file_where_none_is_stated(write, tmp_path):
    old, new = write("a.info", LCOV), write("b.info", LCOV)
    os.utime(old, (time.time() - 3600,) * 2)
    assert value("age", new) < 60
    seen = look("age", tmp_path / "*.info")
    assert 3600 <= seen.value < 3660 and seen.evidence == "%s, time of the file, the oldest of 2" % old


@pytest.mark.parametrize("text", ["", "plain", "<html/>", "<testsuite/>", "{}", LCOV[:-15], (JUNIT % "")[:-9]])
def test_what_is_no_result_has_no_age(write, text):
    path = write("junit.xml", text)
    assert error("age", path).startswith("%s: " % path)


def test_a_copy_made_today_is_as_old_as_it_says(write):
    assert value("age", write("a.xml", JUNIT % "2020-01-01T00:00:00Z")) > 86400 * 365


@pytest.mark.parametrize(
    ("stated", "said"),
    [("yesterday", "cannot be read"), ("2026-13-01T00:00:00", "cannot be read"), ("10:00", "cannot be read"), ("99999999999999999999", "in the future")],
)
def test_a_time_that_cannot_be_read_is_an_error(write, stated, said):
    assert said in error("age", write("a.xml", JUNIT % stated))


def test_a_result_of_the_future_is_an_error(write):
    stated = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 7200))
    assert "in the future" in error("age", write("a.xml", JUNIT % stated))


@pytest.mark.parametrize("fact", FACTS)
def test_a_result_that_is_not_there_is_an_error(tmp_path, fact, monkeypatch):
    assert "does not exist" in error(fact, tmp_path / "junit.xml")
    assert "nothing matches" in error(fact, tmp_path / "*.xml")
    assert "does not exist" in error(fact, tmp_path / "absent" / "*.xml")
    assert "is not an absolute path" in error(fact, "reports/*.xml")
    assert "is not a regular file" in error(fact, tmp_path)
    monkeypatch.setattr(_ci, "_LARGEST", 10)
    (tmp_path / "a.xml").write_text(PASSING)
    assert "is larger than the 10 bytes" in error(fact, tmp_path / "a.xml")


def test_more_files_than_are_read_are_an_error(write, tmp_path, monkeypatch):
    monkeypatch.setattr(_ci, "_MOST_FILES", 1)
    write("a.xml", PASSING)
    write("b.xml", PASSING)
    assert "2 files match" in error("tests", tmp_path / "*.xml")


BYTES = st.one_of(
    st.binary(max_size=80),
    st.text(alphabet="<>/=\"'&;![]{}:, \nabtestcoverageSFLH019.-", max_size=120).map(str.encode),
    st.sampled_from([JUNIT.encode(), LCOV.encode(), json.dumps(COVERAGE_PY).encode(), (COBERTURA % (1, 1, 1)).encode()]).flatmap(
        lambda whole: st.tuples(st.integers(0, len(whole)), st.binary(max_size=3)).map(lambda cut: whole[: cut[0]] + cut[1] + whole[cut[0] + 2 :])
    ),
)


@pytest.mark.parametrize(
    "parse", [_ci.parse_junit, _ci.parse_coverage, _ci.parse_load, lambda data: _ci.parse_runs(data, "0" * 40), _ci.written_at, _ci.elements]
)
@given(data=BYTES)
def test_a_parser_answers_or_raises_its_own_error(parse, data):
    with contextlib.suppress(ProbeError):
        parse(data)


# What did not run, and what is old

SKIPPED = "<testsuite><testcase name='a'><skipped/></testcase><testcase name='b'><skipped/></testcase></testsuite>"


def test_where_every_test_was_skipped_none_failed_and_none_passed(write, tmp_path):
    path = write("junit.xml", SKIPPED)
    assert error("failed", path) == "%s: 2 tests, 0 failures, 0 errors, 2 skipped: no test ran" % path
    assert (value("passed", path), value("tests", path)["skipped"]) == (0, 2)
    write("more.xml", PASSING)
    assert value("failed", tmp_path / "*.xml") == 0


def test_a_collection_that_failed_is_a_failure_although_no_test_ran(write):
    assert value("failed", write("junit.xml", SKIPPED.replace("</testsuite>", "<error/></testsuite>"))) == 1


@pytest.mark.parametrize("fact", ["tests", "failed", "passed"])
def test_a_result_that_is_too_old_is_an_error_by_the_time_that_it_states(write, fact):
    made = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(time.time() - 3600))
    path = write("junit.xml", JUNIT % made)
    assert look(fact, path, within="2h") == look(fact, path)
    assert re.search("made 1.0 h ago, and no result counts that is older than 30min$", error(fact, path, within="30min"))
    assert "`within` is 'soon'" in error(fact, path, within="soon")


def test_a_result_without_a_time_is_as_old_as_its_file(write):
    for fact, path in (("failed", write("lint.xml", PASSING)), ("coverage", write("lcov.info", LCOV)), ("load_rate", write("load.json", json.dumps(K6)))):
        look(fact, path, within="1min")
        os.utime(path, (time.time() - 3600,) * 2)
        assert "made 1.0 h ago" in error(fact, path, within="1min")


# Load

K6 = {
    "metrics": {
        "http_reqs": {"count": 6060, "rate": 101.00012345},
        "http_req_failed": {"value": 0.25, "passes": 1515, "fails": 4545},
        "http_req_duration": {"avg": 12.1, "p(95)": 30.2},
    },
    "root_group": {"name": "", "path": ""},
}
HANDLED = {"metrics": {name: {"type": "x", "contains": "default", "values": K6["metrics"][name]} for name in ("http_reqs", "http_req_failed")}}
HANDLED["metrics"]["http_req_failed"] = {"type": "rate", "values": {"rate": 0.25, "passes": 1515, "fails": 4545}}


@pytest.mark.parametrize("document", [K6, HANDLED])
def test_a_run_of_k6_says_how_much_was_borne(write, document):
    path = write("load.json", json.dumps(document))
    assert (value("load_rate", path), value("load_failed", path)) == (101.0001, 25.0)
    assert look("load_rate", path).evidence == "%s, 25.0 %% of the requests failed" % path


@pytest.mark.parametrize(
    ("name", "metric", "said"),
    [
        ("http_req_failed", None, "no number for http_req_failed"),
        ("http_req_failed", {"value": "0"}, "no number for http_req_failed"),
        ("http_req_failed", {"value": False}, "no number for http_req_failed"),
        ("http_req_failed", {"value": 1.5}, "not between 0 and 100 percent"),
        ("http_reqs", {"count": 0, "rate": 0}, "has no request"),
        ("http_reqs", {"count": 5}, "no number for http_reqs"),
        ("http_reqs", {"count": 5, "rate": float("nan")}, "no number for http_reqs"),
        ("http_reqs", [], "no number for http_reqs"),
    ],
)
@pytest.mark.parametrize("fact", ["load_rate", "load_failed"])
def test_a_summary_that_lacks_something_is_an_error(write, fact, name, metric, said):
    assert said in error(fact, write("load.json", json.dumps({"metrics": {**K6["metrics"], name: metric}})))


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"metrics": []}', '{"metrics":', PASSING])
def test_what_is_no_summary_is_an_error(write, text):
    assert "is no" in error("load_rate", write("load.json", text)) and "is no" in error("load_failed", write("load.json", text))


# The list of runs

COMMIT, OTHER = "0123456789abcdef0123456789abcdef01234567", "f" * 40


def run(conclusion="success", head=COMMIT, workflow="test", at="2026-11-20T10:00:00Z"):
    return {"conclusion": conclusion, "headSha": head, "workflowName": workflow, "createdAt": at}


@pytest.mark.parametrize(
    ("runs", "seen"),
    [
        ([run()], ["success"]),
        (run(), ["success"]),
        ({"conclusion": "success", "headSha": COMMIT}, ["success"]),
        ([run(head=COMMIT.upper())], ["success"]),
        ([run("failure", head=OTHER), run()], ["success"]),
        ([run("failure"), run(workflow="deploy")], ["failure", "success"]),
        ([run(at="2026-11-20T11:00:00Z"), run("failure")], ["success"]),
        ([run("failure"), run(at="2026-11-20T11:00:00Z")], ["success"]),
        ([run("failure", at="2026-11-20T11:00:00Z"), run()], ["failure"]),
        ([{"conclusion": "failure", "headSha": COMMIT}, {"conclusion": "success", "headSha": COMMIT}], ["failure"]),
        ([run("")], ["unfinished"]),
    ],
)
def test_how_the_runs_for_a_commit_ended(write, runs, seen):
    assert value("pipeline", write("pipeline.json", json.dumps(runs)), commit=COMMIT) == seen


def test_a_run_for_another_commit_is_none(write):
    path = write("pipeline.json", json.dumps([run(head=OTHER)]))
    assert error("pipeline", path, commit=COMMIT) == "%s: has no run for commit %s" % (path, COMMIT)
    assert "has no run" in error("pipeline", write("pipeline.json", "[]"), commit=COMMIT)


@pytest.mark.parametrize("commit", [None, "", "main", COMMIT[:12], COMMIT + "0", 1])
def test_a_commit_is_named_in_full(write, commit):
    assert "it is the whole hash of a commit" in error("pipeline", write("pipeline.json", json.dumps([run()])), commit=commit)


@pytest.mark.parametrize(
    "text", ["", "{}", "[1]", '["success"]', "success", '[{"headSha": "%s"}]' % COMMIT, '[{"conclusion": "success"}]', '[{"conclusion": null, "headSha": "x"}]']
)
def test_what_is_no_list_of_runs_is_an_error(write, text):
    assert "is n" in error("pipeline", write("pipeline.json", text), commit=COMMIT)
