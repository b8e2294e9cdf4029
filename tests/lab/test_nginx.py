"""nginx in front of the application: the only way in, and never in the way of a release."""

from __future__ import annotations

import urllib.error
import urllib.request

import pytest

from tests.support import ROOT, Played, Project, play

from .conftest import APP, await_, containers, on, take_away

pytestmark = pytest.mark.usefixtures("served")

HEALTH = "http://127.0.0.1:22080/api/v1/health"
UPSTREAM = "/opt/gonogo/app/current/upstream.conf"


def provision(project: Project) -> Played:
    return project.play("playbooks/provision.yml", "--tags", "nginx", "--limit", APP)


def image() -> str:
    """The image of the application, by its id."""
    return (ROOT / ".lab/app/image_id").read_text().strip()


def status() -> int:
    try:
        with urllib.request.urlopen(HEALTH, timeout=10) as answer:
            assert answer.headers["Server"] == "nginx"
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def test_the_application_is_published_to_nginx_alone(fleet: None) -> None:
    (container,) = containers()
    assert on(APP, "docker", "inspect", "--format", '{{(index (index .NetworkSettings.Ports "8000/tcp") 0).HostIp}}', container).strip() == "127.0.0.1"
    assert status() == 200


@pytest.mark.long
def test_without_a_release_nginx_says_so_until_one_is_deployed(fleet: None) -> None:
    take_away()
    on(APP, "systemctl", "reload", "nginx")
    await_(lambda: status() == 503, seconds=20)
    assert play("playbooks/deploy.yml").code == 0
    assert status() == 200


@pytest.mark.long
def test_files_that_nginx_has_not_read_are_read(fleet: None, project: Project) -> None:
    """As a run leaves them that is killed between writing and reloading."""
    on(APP, "sh", "-c", "echo 'set $application 127.0.0.1:9;' >/etc/nginx/unread; touch /etc/nginx/conf.d/gonogo.conf")
    read = on(APP, "systemctl", "show", "--property=StateChangeTimestampMonotonic", "nginx")
    assert provision(project).changed() == 1
    assert on(APP, "systemctl", "show", "--property=StateChangeTimestampMonotonic", "nginx") != read
    assert provision(project).changed() == 0
    on(APP, "rm", "/etc/nginx/unread")


@pytest.mark.parametrize("upstream", ["/etc/passwd", "/nowhere; nonsense"])
def test_a_configuration_that_nginx_refuses_does_not_replace_the_old_one(fleet: None, project: Project, upstream: str) -> None:
    before = on(APP, "cat", "/etc/nginx/conf.d/gonogo.conf")
    project.edit("inventories/lab/group_vars/app.yml", lambda variables: {**variables, "nginx_upstream": upstream})
    done = provision(project)
    assert done.code != 0 and "failed to validate" in done.output, done.output
    assert on(APP, "cat", "/etc/nginx/conf.d/gonogo.conf") == before
    assert status() == 200


@pytest.mark.long
def test_who_holds_the_port_is_named(fleet: None, project: Project) -> None:
    """As on a host whose application published the port by itself before nginx came."""
    on(APP, "systemctl", "stop", "nginx")
    on(APP, "docker", "run", "--detach", "--name", "holder", "--publish", "80:8000", "--entrypoint", "sleep", image(), "600")
    try:
        done = provision(project)
        assert done.code != 0 and 'Port 80 is held by: users:(("docker-proxy"' in done.output, done.output
    finally:
        on(APP, "docker", "rm", "--force", "holder")
    assert provision(project).code == 0
    assert status() == 200


@pytest.mark.long
def test_a_release_is_taken_back_where_nginx_does_not_take_it(fleet: None, project: Project) -> None:
    """Something else on the host broke nginx's configuration, so that it cannot be reloaded."""
    before = on(APP, "cat", UPSTREAM)
    on(APP, "sh", "-c", "echo nonsense >/etc/nginx/conf.d/broken.conf")
    try:
        project.edit("inventories/lab/group_vars/all/deploy.yml", lambda variables: dict(variables, deploy_version="1.0.3", deploy_port=8002))
        done = project.play()
    finally:
        on(APP, "rm", "/etc/nginx/conf.d/broken.conf")
    assert done.code != 0 and "could not be put behind nginx" in done.output, done.output
    assert on(APP, "cat", UPSTREAM) == before
    assert status() == 200
