"""Releases: one that does not become healthy is taken away, and the one before it serves again."""

from __future__ import annotations

import json
import typing as t
import urllib.request

import pytest

from tests.support import Project, play

from .conftest import APP, containers, current_release, on, take_away

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


def test_an_unhealthy_first_release_is_taken_away(unhealthy: Project) -> None:
    take_away()
    done = unhealthy.play()
    assert done.code != 0, done.output
    assert "it was taken away" in done.output
    assert containers() == [] and current_release() == ""
    assert play(DEPLOY).code == 0 and _healthy()


def test_a_release_that_fails_once_it_serves_is_rolled_back(fleet: None, project: Project) -> None:
    """Healthy by its own health check, but not what the checklist asks of it: door live."""
    assert play(DEPLOY).code == 0
    before = current_release()
    # Another port: nginx has to hand requests on to the new release, and then to the old one again.
    project.edit("inventories/lab/group_vars/all/deploy.yml", lambda variables: dict(variables, deploy_version="1.0.2", deploy_port=8001))
    project.edit(
        "inventories/lab/group_vars/all/thresholds.yml",
        lambda variables: {
            "lab_thresholds": dict(variables["lab_thresholds"], **{"app.health.public": {"equals": "perfect"}}),
            "preflight_thresholds": "{{ lab_thresholds }}",
        },
    )
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
