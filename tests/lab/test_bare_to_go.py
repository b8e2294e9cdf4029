"""From bare hosts to a deployed application, and again: the order of these tests is the order of a user's first day."""

from __future__ import annotations

import json
import re
import time
import urllib.request
from xml.etree import ElementTree

import pytest

from tests.support import REPORTS, ROOT, Played, play

from .conftest import APP, DATA, containers, current_release, lab, on

SITE = "playbooks/site.yml"
HEALTH = "http://127.0.0.1:22080/api/v1/health"

SNAPSHOT = (ROOT / "tests" / "lab" / "snapshot.sh").read_text()


@pytest.fixture(scope="module")
def bare() -> None:
    lab("up", "--fresh", timeout=1800)


def _snapshot(host: str) -> str:
    return on(host, "sh", "-c", SNAPSHOT, check=False)


@pytest.fixture(scope="module")
def first(bare: None) -> Played:
    return play(SITE)


@pytest.mark.long
def test_check_mode_on_bare_hosts_changes_nothing_and_does_not_fail_in_a_role(bare: None) -> None:
    before = {host: _snapshot(host) for host in (APP, DATA)}
    done = play("playbooks/provision.yml", "--check", "--diff")
    assert done.code == 0, done.output
    assert done.changed() > 0, "a bare host has everything to change"
    for host in (APP, DATA):
        assert _snapshot(host) == before[host]


@pytest.mark.long
def test_check_mode_of_the_whole_ends_with_no_go_on_bare_hosts(bare: None) -> None:
    done = play(SITE, "--check")
    assert done.code != 0
    assert done.report["verdict"] == "NO-GO"
    assert done.result("pg.version", DATA)["status"] == "error"


def test_bare_hosts_go_in_one_command(first: Played) -> None:
    assert first.code == 0, first.output
    assert first.report["verdict"] == "GO"
    assert first.report["doors"] == {"start": "GO", "live": "GO"}
    assert len(containers()) == 1


def test_the_health_page_answers_to_a_client_outside(first: Played) -> None:
    with urllib.request.urlopen(HEALTH, timeout=10) as answer:
        assert json.load(answer)["status"] == "healthy"


def test_every_result_says_what_was_found_when_and_by_whom(first: Played) -> None:
    for result in first.report["results"]:
        if result["outcome"] == "not_applicable":
            assert result["reason"]
            continue
        assert result["observed"] and result["expected"] and result["subject"], result
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", result["at"]), result


def test_at_least_two_items_look_from_another_host(first: Played) -> None:
    outside = {one["item"] for one in first.report["results"] if one["vantage"] not in (one["subject"], "", "controller")}
    assert {"fw.ssh.reachable", "fw.others.blocked"} <= outside


def test_what_the_inventory_relaxes_is_shown_as_relaxed(first: Played) -> None:
    relaxed = {one["item"]: one["relaxed"] for one in first.report["results"] if one["relaxed"]}
    assert relaxed["infra.cpu.cores"] == "at least 24"
    assert relaxed["os.release"] == "one of ubuntu 24.04"


def test_the_checklist_is_written_with_ticked_boxes(first: Played) -> None:
    text = (REPORTS / "latest" / "checklist.md").read_text()
    assert text.startswith("# GO: lab, checklist demo")
    assert "- [x] `redis.aof`" in text and "- [-]" in text and "- [ ]" not in text


def test_the_run_shows_its_phases_and_how_far_it_is(first: Played) -> None:
    lines = first.output.splitlines()
    assert any(re.fullmatch(r"\[ *\d+:\d\d\] Verify every host", line) for line in lines), first.output
    progress = [re.fullmatch(r"\[.*\]   (\S+): (\d+) answers: .* \((\d+) of (\d+)\)", line) for line in lines]
    found = [match.groups() for match in progress if match]
    assert {host for host, _items, _answered, _owed in found} == {APP, DATA}
    asked = sum(one["vantage"] not in ("", "people") and one["item"] != "run.provisioned" for one in first.report["results"])
    assert found[-1][2:] == (str(asked), str(asked))


def test_the_report_for_browsers_and_the_one_for_ci_are_written(first: Played) -> None:
    latest = REPORTS / "latest"
    assert "<title>GO: lab, checklist demo</title>" in (latest / "report.html").read_text()
    suites = ElementTree.parse(latest / "junit.xml").getroot()
    assert (suites.get("failures"), suites.get("errors")) == ("0", "0")
    assert int(suites.get("tests", "0")) == len(first.report["results"]) + 1


@pytest.mark.long
def test_the_second_run_changes_nothing(first: Played) -> None:
    before = containers()
    done = play(SITE)
    assert done.code == 0, done.output
    assert done.changed() == 0, done.output
    assert done.report["verdict"] == "GO"
    assert containers() == before


@pytest.mark.long
def test_check_mode_on_converged_hosts_is_go_and_changes_nothing(first: Played) -> None:
    before = containers()
    done = play(SITE, "--check", "--diff")
    assert done.code == 0, done.output
    assert containers() == before


@pytest.mark.long
def test_verification_leaves_the_hosts_as_they_are(first: Played) -> None:
    before = {host: _snapshot(host) for host in (APP, DATA)}
    assert play("playbooks/verify.yml").code == 0
    for host in (APP, DATA):
        assert _snapshot(host) == before[host]


def test_a_reboot_keeps_everything(first: Played) -> None:
    release = current_release()
    for host in (APP, DATA):
        lab("restart", host)
    end = time.monotonic() + 120
    while "healthy" not in on(APP, "docker", "ps", "--format", "{{.Status}}", check=False).replace("unhealthy", ""):
        assert time.monotonic() < end, on(APP, "docker", "ps", "-a", check=False)
    done = play("playbooks/deploy.yml")
    assert done.code == 0, done.output
    assert done.changed() == 0 and current_release() == release
