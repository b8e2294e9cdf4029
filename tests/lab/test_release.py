"""Releases: one that does not become healthy is taken away, and the one before it serves again."""

from __future__ import annotations

import json
import os
import pathlib
import signal
import subprocess
import typing as t
import urllib.request

import pytest

from tests.support import REPORTS, ROOT, Project, copied_project, play

from .conftest import APP, await_, confirmed_release, containers, current_release, on, take_away

HEALTH = "http://127.0.0.1:22080/api/v1/health"
DEPLOY = "playbooks/deploy.yml"


def _unhealthy(variables: t.Any) -> t.Any:
    """A release whose database does not exist."""
    variables["deploy_version"] = "1.0.1"
    variables["deploy_environment"]["DATABASE_URL"] = variables["deploy_environment"]["DATABASE_URL"].replace("{{ postgresql_database }}", "nowhere")
    variables["deploy_wait"] = 40
    return variables


@pytest.fixture
def unhealthy(fleet: None, project: Project) -> Project:
    project.edit("inventories/lab/group_vars/all/deploy.yml", _unhealthy)
    return project


def _live_no_go(project: Project) -> None:
    project.edit(
        "inventories/lab/group_vars/all/thresholds.yml",
        lambda variables: {
            "lab_thresholds": dict(variables["lab_thresholds"], **{"app.health.public": {"equals": "perfect"}}),
            "preflight_thresholds": "{{ lab_thresholds }}",
        },
    )


def _kill_before_it_is_confirmed(project: Project) -> str:
    """Deploy, and kill the run once its release was started; the release."""
    before = set(REPORTS.glob("2*"))
    command = ["ansible-playbook", DEPLOY, "-i", str(project.inventory)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True) as run:
        try:
            release = await_(lambda: next(filter(None, map(_started, set(REPORTS.glob("2*")) - before)), ""), seconds=120)
        finally:
            os.killpg(run.pid, signal.SIGKILL)
    return str(release)


def _started(report: pathlib.Path) -> str:
    event = report / "events" / "release.lab-app.json"
    recorded = json.loads(event.read_text()) if event.exists() else {}
    return str(recorded["release"]) if recorded.get("outcome") == "started" else ""


def _healthy() -> bool:
    with urllib.request.urlopen(HEALTH, timeout=10) as answer:
        return bool(json.load(answer)["status"] == "healthy")


def test_an_unhealthy_release_is_replaced_by_the_one_before(unhealthy: Project) -> None:
    assert play(DEPLOY).code == 0
    before = current_release()
    done = unhealthy.play()
    assert done.code != 0, done.output
    assert done.report["verdict"] == "NO-GO"
    assert "release %s was put back and is healthy" % before in done.output
    assert current_release() == before
    assert len(containers()) == 1 and _healthy()


@pytest.mark.long
def test_an_unhealthy_first_release_is_taken_away(unhealthy: Project) -> None:
    take_away()
    done = unhealthy.play()
    assert done.code != 0, done.output
    assert "it was taken away" in done.output
    assert containers() == [] and current_release() == ""
    assert play(DEPLOY).code == 0 and _healthy()


@pytest.mark.long
def test_a_release_that_fails_once_it_serves_is_rolled_back(fleet: None, project: Project) -> None:
    """Healthy by its own health check, but not what the checklist asks of it: door live."""
    assert play(DEPLOY).code == 0
    before = current_release()
    # Another port: nginx has to hand requests on to the new release, and then to the old one again.
    project.edit("inventories/lab/group_vars/all/deploy.yml", lambda variables: dict(variables, deploy_version="1.0.2", deploy_port=8001))
    _live_no_go(project)
    done = project.play()
    assert done.code != 0, done.output
    assert done.report["doors"] == {"start": "GO", "live": "NO-GO"}
    assert "release %s was put back and is healthy" % before in done.output
    assert done.result("app.health.public", APP)["remedy"].endswith("docker compose --project-name app logs --tail 50")
    assert current_release() == before and _healthy()


def test_a_run_that_was_killed_while_it_deployed_converges_next_time(fleet: None) -> None:
    """The link still names nothing; the containers are half there."""
    take_away()
    on("lab-app", "sh", "-c", "ls -d /opt/gonogo/app/releases/* | head -1 | xargs -I{} docker compose --project-directory {} -p app create", check=False)
    done = play(DEPLOY)
    assert done.code == 0, done.output
    assert current_release() and _healthy()


@pytest.mark.long
def test_a_release_that_was_never_confirmed_is_not_what_is_put_back(unhealthy: Project, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Its run was killed before door live: neither its own next run nor that of another release takes it for good."""
    assert play(DEPLOY).code == 0
    good = current_release()
    assert confirmed_release() == good
    killed = copied_project(tmp_path_factory.mktemp("killed"))
    killed.edit("inventories/lab/group_vars/all/deploy.yml", lambda variables: dict(variables, deploy_version="1.0.4", deploy_port=8001))
    bad = _kill_before_it_is_confirmed(killed)
    assert (current_release(), confirmed_release()) == (bad, good) and bad != good
    seen = play("playbooks/verify.yml")
    found = seen.result("app.release.confirmed", "lab-app")
    assert (seen.code, found["status"], found["observed"]) == (0, "fail", bad), seen.output

    failing = unhealthy.play()
    assert failing.code != 0 and "release %s was put back and is healthy" % good in failing.output, failing.output
    assert current_release() == good and _healthy()

    assert _kill_before_it_is_confirmed(killed) == bad == current_release()
    _live_no_go(killed)
    again = killed.play()
    assert again.code != 0 and again.report["doors"] == {"start": "GO", "live": "NO-GO"}, again.output
    assert "release %s was put back and is healthy" % good in again.output
    assert (current_release(), confirmed_release()) == (good, good)
    assert len(containers()) == 1 and _healthy()


@pytest.mark.long
def test_a_first_release_that_was_never_confirmed_is_taken_away(fleet: None, project: Project) -> None:
    take_away()
    _kill_before_it_is_confirmed(project)
    assert current_release() and not confirmed_release()
    _live_no_go(project)
    done = project.play()
    assert done.code != 0 and "it was taken away" in done.output, done.output
    assert containers() == [] and current_release() == ""
    assert play(DEPLOY).code == 0 and confirmed_release() == current_release() != ""


@pytest.mark.long
def test_on_a_host_without_the_link_the_release_that_serves_counts_as_confirmed(fleet: None, project: Project) -> None:
    """As hosts are from before the link `confirmed`."""
    assert play(DEPLOY).code == 0
    on(APP, "rm", "/opt/gonogo/app/confirmed")
    _live_no_go(project)
    refused = project.play()
    assert refused.code != 0 and "is the one that was confirmed last, so nothing was put back" in refused.output, refused.output
    assert len(containers()) == 1 and _healthy()
    assert [play(DEPLOY).changed(), play(DEPLOY).changed()] == [1, 0]
    assert confirmed_release() == current_release()


@pytest.mark.long
def test_what_a_killed_run_left_is_mended_and_no_more_is_changed(fleet: None) -> None:
    """Killed between moving the link and nginx's reload, or between the login to the registry and its end."""
    assert play(DEPLOY).code == 0
    on(APP, "touch", "-h", "/opt/gonogo/app/current")
    on(APP, "sh", "-c", "mkdir -m 700 /run/gonogo-registry && echo '{}' >/run/gonogo-registry/config.json")
    assert [play(DEPLOY).changed(), play(DEPLOY).changed()] == [2, 0]
    assert on(APP, "sh", "-c", "ls -d /run/gonogo-registry 2>/dev/null || true") == "" and _healthy()
