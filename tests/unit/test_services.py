# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a release declares against the containers that there are: every service is there and healthy, or is named."""

from __future__ import annotations

import json
import types

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.gonogo.preflight.plugins.module_utils._probes import _base, _docker
from ansible_collections.gonogo.preflight.plugins.module_utils._probes._base import ProbeError
from ansible_collections.gonogo.preflight.plugins.module_utils._services import Service, declared, not_up

HEALTHY = {"Running": True, "Status": "running", "Health": {"Status": "healthy"}}
STARTING = {"Running": True, "Status": "running", "Health": {"Status": "starting"}}
UNCHECKED = {"Running": True, "Status": "running", "Health": None}
DEAD = {"Running": False, "Status": "exited", "ExitCode": 1, "Health": {"Status": "healthy"}}
ENDED = {"Running": False, "Status": "exited", "ExitCode": 0}
RESTARTING = {"Running": True, "Status": "restarting", "ExitCode": 0, "Health": {"Status": "healthy"}}

API, TWO, ONCE = Service(), Service(replicas=2), Service(ends=True)


@pytest.mark.parametrize(
    ("services", "containers", "faults"),
    [
        ({"api": API}, [("api", HEALTHY)], []),
        ({"web": API, "worker": TWO}, [("worker", HEALTHY), ("web", HEALTHY), ("worker", HEALTHY)], []),
        ({"api": API}, [], ["api: no container"]),
        ({"web": API, "api": API}, [], ["api: no container", "web: no container"]),
        ({"api": API, "worker": API}, [("api", HEALTHY)], ["worker: no container"]),
        ({"api": API}, [("api", STARTING)], ["api: starting"]),
        ({"api": API}, [("api", UNCHECKED)], ["api: no health check"]),
        ({"api": API}, [("api", DEAD)], ["api: exited"]),
        ({"api": API}, [("api", ENDED)], ["api: exited"]),
        ({"api": API}, [("api", RESTARTING)], ["api: restarting"]),
        ({"worker": TWO}, [("worker", HEALTHY)], ["worker: 1 of 2 containers"]),
        ({"worker": TWO}, [("worker", HEALTHY), ("worker", DEAD)], ["worker: exited"]),
        ({"worker": TWO}, [("worker", DEAD)], ["worker: exited, 1 of 2 containers"]),
        ({"api": API}, [("api", HEALTHY), ("api", HEALTHY)], ["api: 2 of 1 containers"]),
        ({"worker": Service(replicas=0), "api": API}, [("api", HEALTHY)], []),
        ({"worker": Service(replicas=0)}, [("worker", HEALTHY)], ["worker: 1 of 0 containers"]),
        ({"migrate": ONCE}, [("migrate", ENDED)], []),
        ({"migrate": ONCE}, [("migrate", DEAD)], ["migrate: exited"]),
        ({"migrate": ONCE}, [("migrate", HEALTHY)], ["migrate: healthy"]),
        ({"migrate": ONCE}, [("migrate", RESTARTING)], ["migrate: restarting"]),
        ({"migrate": ONCE}, [], ["migrate: no container"]),
        ({"api": API}, [("api", HEALTHY), ("old", HEALTHY)], ["old: not a service of the release"]),
    ],
)
def test_what_is_not_up(services, containers, faults):
    assert not_up(services, containers) == faults


@given(st.dictionaries(st.sampled_from("abc"), st.integers(1, 2), min_size=1), st.data())
def test_nothing_but_each_service_healthy_in_its_number_is_up(services, data):
    wanted = [(name, HEALTHY) for name, number in services.items() for _one in range(number)]
    kept = data.draw(st.lists(st.sampled_from(wanted), unique_by=id, max_size=len(wanted)) if len(wanted) > 1 else st.just([]))
    states = [(name, data.draw(st.sampled_from([HEALTHY, STARTING, UNCHECKED, DEAD, RESTARTING]))) for name, _state in kept]
    up = not not_up({name: Service(replicas=number) for name, number in services.items()}, states)
    assert up == (sorted(name for name, _state in wanted) == sorted(name for name, state in states if state is HEALTHY) and len(states) == len(wanted))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "[]",
        "{}",
        '{"services": null}',
        '{"services": []}',
        '{"services": {"api": null}}',
        '{"services": {"api": "x"}}',
        '{"services": {"api": {"scale": "2"}}}',
        '{"services": {"api": {"scale": true}}}',
        '{"services": {"api": {"deploy": {"replicas": -1}}}}',
        '{"services": {"api": {"depends_on": ["db"]}}}',
        '{"services": {"api": {"depends_on": {"db": {}}}}}',
        '{"services": {"api"',
        "[" * 100000,
    ],
)
def test_what_compose_does_not_say_is_an_error_that_quotes_nothing(text):
    with pytest.raises(ValueError, match="^Compose does not say which services there are$"):
        declared(text)


# The probe


@pytest.fixture
def host(monkeypatch, tmp_path):
    """A host with one release and an engine; `says` is what Compose makes of the release."""
    double = types.SimpleNamespace(containers=[], says=(0, '{"services": {"api": {}, "worker": {}}}', ""), ran=[], path=str(tmp_path))

    def ran(arguments, **options):
        double.ran.append((list(arguments), options))
        return double.says

    monkeypatch.setattr(_docker, "finished", ran)
    monkeypatch.setattr(_docker.DockerProbe, "_containers", lambda _self, _arguments: double.containers)
    return double


def seen(host, **more):
    return _docker.DockerProbe({}).observe({"fact": "release", "project": "app", "path": host.path, **more})


def error(host, **more):
    with pytest.raises(ProbeError) as raised:
        seen(host, **more)
    return str(raised.value), raised.value.remedy


def test_what_is_not_up_of_the_release(host):
    host.containers = [("api", HEALTHY)]
    observation = seen(host)
    assert observation.value == ["worker: no container"]
    assert observation.evidence == "containers of Compose project app, against the services of %s: api, worker" % host.path
    command = ["docker", "compose", "--project-directory", host.path, "--project-name", "app", "config", "--format", "json"]
    assert host.ran == [(command, {"package": "docker-compose", "environment": {}})]


def test_no_container_is_no_pass(host):
    assert seen(host).value == ["api: no container", "worker: no container"]


def test_without_a_release_there_is_nothing_to_hold_containers_against(host):
    assert error(host, path=host.path + "/current")[0] == "%s/current does not exist: no release serves" % host.path
    assert host.ran == []


@pytest.mark.parametrize(
    ("says", "message"),
    [
        ((15, "", "service api: postgresql://a:Zebra7@db is no port"), "Compose cannot read the release in {} (status 15)"),
        ((0, "Zebra7", ""), "Compose does not say which services there are in {}"),
        ((0, '{"services": {}}', ""), "the release in {} declares no service"),
    ],
)
def test_what_compose_cannot_read_is_an_error_without_a_word_of_it(host, says, message):
    host.says = says
    said, remedy = error(host)
    assert said == message.format(host.path)
    assert remedy == "docker compose --project-directory %s --project-name app config --quiet" % host.path


@pytest.mark.parametrize("without", ["path", "project"])
def test_what_the_fact_needs(monkeypatch, without):
    arguments = {"fact": "release", "project": "app", "path": "/"}
    with pytest.raises(ProbeError, match="fact release needs `%s`" % without):
        _docker.DockerProbe({}).observe({**arguments, without: None})


def test_compose_that_is_not_installed_is_named(monkeypatch, tmp_path):
    monkeypatch.setattr(_docker.DockerProbe, "_containers", lambda _self, _arguments: [])
    monkeypatch.setattr(_base.shutil, "which", lambda *_arguments, **_more: None)
    with pytest.raises(ProbeError, match="docker is not installed") as raised:
        _docker.DockerProbe({}).observe({"fact": "release", "project": "app", "path": str(tmp_path)})
    assert raised.value.remedy == "apt-get install docker-compose"


CAPTURED = [("2.26.1-debian13-config", {"api": API, "migrate": ONCE, "worker": TWO})]


@pytest.mark.parametrize(("name", "services"), CAPTURED)
def test_what_compose_says_of_a_release(captured, name, services):
    assert declared(captured("docker-compose-" + name)) == services
    assert json.loads(captured("docker-compose-" + name))["name"] == "app"
