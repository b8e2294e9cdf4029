"""Every service that a release declares has to be up, and the checklist names none of them."""

from __future__ import annotations

import pathlib
import typing as t

import pytest
import yaml

from tests.support import ROOT, Played, Project, copied_project, play

from .conftest import APP, await_, containers, on
from .probing import error, value

pytestmark = pytest.mark.long

CURRENT = "/opt/gonogo/app/current"
ITEM = "app.compose.healthy"


def with_workers(compose: t.Any) -> t.Any:
    """The example's Compose file with a second service, of which there are two containers, and a third one that nobody asked for."""
    api = compose["services"]["api"]
    worker = {key: api[key] for key in api if key != "ports"}
    compose["services"]["worker"] = {**worker, "deploy": {"replicas": 2}}
    compose["services"]["debug"] = {**worker, "profiles": ["debug"]}
    return compose


@pytest.fixture(scope="module")
def workers(fleet: None, tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[Project]:
    project = copied_project(tmp_path_factory.mktemp("workers"))
    (project.root / "compose.yml").write_text(yaml.safe_dump(with_workers(yaml.safe_load((ROOT / "examples/app/compose.yml").read_text()))))
    file = str(pathlib.Path(project.root, "compose.yml"))
    project.edit("inventories/lab/group_vars/all/deploy.yml", lambda variables: {**variables, "deploy_compose_file": file})
    yield project
    assert play("playbooks/deploy.yml").code == 0


def released(project: Project) -> Played:
    done = project.play()
    assert done.code == 0, done.output
    return done


def not_up(**more: str) -> t.Any:
    return value(APP, "docker", fact="release", project="app", path=more.pop("path", CURRENT))


def worker() -> list[str]:
    return on(APP, "docker", "ps", "-q", "--filter", "label=com.docker.compose.service=worker").split()


def test_a_release_with_other_services_passes_without_an_edit_of_the_checklist(workers: Project) -> None:
    result = released(workers).result(ITEM, APP)
    assert (result["status"], result["expected"], result["observed"]) == ("pass", "none", "none")
    assert result["evidence"].endswith(": api, worker") and len(containers()) == 3


def test_a_service_that_is_not_up_is_named_and_the_release_mends_it(workers: Project) -> None:
    released(workers)
    on(APP, "docker", "stop", "--time", "1", worker()[0])
    assert not_up() == ["worker: exited"]
    on(APP, "sh", "-c", "docker rm -f %s" % worker()[0])
    assert not_up() == ["worker: exited, 1 of 2 containers"]
    on(APP, "sh", "-c", "docker ps -aq --filter label=com.docker.compose.service=worker | xargs docker rm -f")
    assert not_up() == ["worker: no container"]
    on(APP, "docker", "pause", containers()[0])
    assert not_up() == ["api: paused", "worker: no container"]
    on(APP, "docker", "unpause", containers()[0])
    assert released(workers).result(ITEM, APP)["status"] == "pass" and not_up() == []


def test_no_container_at_all_is_no_pass(workers: Project) -> None:
    released(workers)
    on(APP, "sh", "-c", "docker ps -aq --filter label=com.docker.compose.project=app | xargs docker rm -f")
    assert not_up() == ["api: no container", "worker: no container"]


def test_what_was_started_beside_the_release_is_named(workers: Project) -> None:
    released(workers)
    image = on(APP, "docker", "inspect", "--format", "{{.Image}}", containers()[0]).strip()
    labels = ("com.docker.compose.project=app", "com.docker.compose.service=old", "com.docker.compose.oneoff=False")
    on(APP, "docker", "run", "-d", "--name", "release-old", *(word for label in labels for word in ("--label", label)), image)
    try:
        assert not_up() == ["old: not a service of the release"]
    finally:
        on(APP, "docker", "rm", "-f", "release-old")


def test_without_a_release_or_with_one_that_cannot_be_read_nothing_passes(workers: Project) -> None:
    released(workers)
    assert error(APP, "docker", fact="release", project="app", path="/opt/gonogo/app/nowhere").endswith("does not exist: no release serves")
    on(APP, "sh", "-ec", "mkdir -p /srv/release; cp -L %s/compose.yml /srv/release" % CURRENT)
    try:
        # Without the settings beside it, Compose does not know the image.
        assert "Compose cannot read the release in /srv/release" in error(APP, "docker", fact="release", project="app", path="/srv/release")
        on(APP, "sh", "-c", "echo 'services: {}' >/srv/release/compose.yml")
        said = error(APP, "docker", fact="release", project="app", path="/srv/release")
        assert "declares no service" in said or "Compose cannot read" in said
    finally:
        on(APP, "rm", "-r", "/srv/release")


def test_a_service_that_was_to_end_is_up_once_it_has_ended_well(workers: Project) -> None:
    """What Compose makes of depends_on: the work of a service that others wait for is done when it has ended."""
    released(workers)
    image = on(APP, "docker", "inspect", "--format", "{{.Image}}", containers()[0]).strip()
    once = {"image": image, "pull_policy": "never", "healthcheck": {"disable": True}, "restart": "no"}
    services = {
        "migrate": {**once, "command": ["python3", "-c", "raise SystemExit(0)"]},
        "api": {**once, "command": ["sleep"], "depends_on": {"migrate": {"condition": "service_completed_successfully"}}},
    }
    on(APP, "install", "-d", "/srv/release")
    on(APP, "sh", "-c", "cat >/srv/release/compose.yml", given=yaml.safe_dump({"services": services}))
    compose = "docker compose --project-directory /srv/release --project-name once "
    try:
        on(APP, "sh", "-c", compose + "create")
        asked = {"fact": "release", "project": "once", "path": "/srv/release"}
        assert value(APP, "docker", **asked) == ["api: created", "migrate: created"]
        on(APP, "sh", "-c", compose + "start migrate")
        await_(lambda: value(APP, "docker", **asked) == ["api: created"], seconds=30)
    finally:
        on(APP, "sh", "-c", compose + "down; rm -r /srv/release")
