# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What daemon.json asks for against what the engine does, and what the probe makes of the two."""

from __future__ import annotations

import json
import os
import pathlib
import types

import pytest

from ansible_collections.gonogo.preflight.plugins.module_utils import _docker_daemon, _expect
from ansible_collections.gonogo.preflight.plugins.module_utils._docker_daemon import DaemonError
from ansible_collections.gonogo.preflight.plugins.module_utils._probes import _docker
from ansible_collections.gonogo.preflight.plugins.module_utils._probes._base import ProbeError
from ansible_collections.gonogo.preflight.plugins.plugin_utils._catalogue import COLLECTION, load_catalogue

POOLS = [{"base": "172.28.0.0/16", "size": 24}]
OPTIONS = {
    "live-restore": True,
    "log-driver": "json-file",
    "log-opts": {"max-size": "10m", "max-file": "5"},
    "default-address-pools": POOLS,
    "mtu": 1500,
}
INFO = {
    "ID": "x",
    "LiveRestoreEnabled": True,
    "LoggingDriver": "json-file",
    "DefaultAddressPools": [{"Base": "172.28.0.0/16", "Size": 24}],
    "Runtimes": {"runc": {}, "io.containerd.runc.v2": {}},
    "DefaultRuntime": "runc",
    "Driver": "overlay2",
    "DockerRootDir": "/var/lib/docker",
    "Debug": False,
}


def test_an_engine_that_follows_its_file_differs_in_nothing():
    assert _docker_daemon.differing(OPTIONS, INFO) == []
    assert _docker_daemon.differing({}, {}) == []


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"live-restore": False}, "live-restore is false in the file, true in the engine"),
        ({"log-driver": "local"}, 'log-driver is "local" in the file, "json-file" in the engine'),
        ({"default-address-pools": [{"base": "172.28.0.0/16", "size": 26}]}, "default-address-pools is "),
        ({"default-runtime": "nvidia"}, 'default-runtime is "nvidia" in the file, "runc" in the engine'),
        ({"storage-driver": "vfs"}, 'storage-driver is "vfs" in the file, "overlay2" in the engine'),
        ({"data-root": "/srv/docker"}, 'data-root is "/srv/docker" in the file, "/var/lib/docker" in the engine'),
        ({"debug": True}, "debug is true in the file, false in the engine"),
        ({"runtimes": {"nvidia": {"path": "nvidia-container-runtime"}}}, "the engine does not have the runtimes nvidia"),
    ],
)
def test_an_engine_that_does_something_else_says_what(options, said):
    (found,) = _docker_daemon.differing({**OPTIONS, **options}, INFO)
    assert found.startswith(said)


def test_what_the_engine_does_not_tell_of_was_read_if_it_began_later():
    def why(changed_at, started_at):
        return _docker_daemon.unapplied(OPTIONS, INFO, changed_at=changed_at, started_at=started_at)

    assert why(100.9, 100) == [] and why(90.0, 100) == [] and why(90.0, None) == []
    assert why(101.0, 100) == ["the file was changed after the engine began"]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (OPTIONS, 10_000_000),
        ({"log-opts": {"max-size": "1.5g"}}, 1_500_000_000),
        ({"log-opts": {"max-size": "100MB"}}, 100_000_000),
        ({"log-opts": {"max-size": "4096"}}, 4096),
        ({"log-opts": {"max-size": "-1"}}, None),
        ({"log-opts": {"max-file": "3"}}, None),
        ({}, None),
        ({"log-driver": "local"}, 20_000_000),
        ({"log-driver": "local", "log-opts": {"max-size": "5m"}}, 5_000_000),
        ({"log-driver": "journald"}, 0),
    ],
)
def test_size_at_which_a_log_is_rotated(options, expected):
    assert _docker_daemon.log_max_size(options) == expected


@pytest.mark.parametrize("size", ["ten", "10x", "10 megabytes"])
def test_a_size_that_docker_would_not_read_is_an_error(size):
    with pytest.raises(DaemonError, match="is no size"):
        _docker_daemon.log_max_size({"log-opts": {"max-size": size}})


@pytest.mark.parametrize("text", ["", "{", "live-restore: true", "[]", "null"])
def test_a_file_that_is_no_object_is_an_error(text):
    with pytest.raises(DaemonError, match=r"/etc/docker/daemon\.json"):
        _docker_daemon.parse_options(text)


def test_the_engine_of_a_host_that_the_role_made(captured):
    info = json.loads(captured("docker-26.1.5-debian13-info"))
    assert _docker_daemon.differing(OPTIONS, info) == []
    assert _docker_daemon.parse_started(captured("systemctl-257-debian13-docker-started")) == 1795379227
    assert _docker.parse_version(captured("dockerd-26.1.5-debian13-version")) == "26.1.5+dfsg1"


def test_when_the_engine_began():
    assert _docker_daemon.parse_started("ExecMainStartTimestamp=@1700000000\n") == 1700000000
    assert _docker_daemon.parse_started("ExecMainStartTimestamp=\n") is None
    for text in ("", "\0\0", "<html>502 Bad Gateway</html>"):
        with pytest.raises(DaemonError):
            _docker_daemon.parse_started(text)


@pytest.fixture
def host(monkeypatch, tmp_path):
    """A host with this daemon.json (None: none) and an engine that says this of itself, and began `age` seconds after the file was written."""
    file = tmp_path / "daemon.json"
    monkeypatch.setattr(_docker, "DAEMON", str(file))

    def make(options, info=None, *, age=60, active=True, logs=()):
        running = [types.SimpleNamespace(name="c%d" % number, attrs={"HostConfig": {"LogConfig": one}}) for number, one in enumerate(logs, 1)]
        containers = types.SimpleNamespace(list=lambda ignore_removed: running)
        info = INFO if info is None else info
        if options is not None:
            file.write_text(options if isinstance(options, str) else json.dumps(options))
        began = int(os.stat(file).st_ctime) + age if file.exists() else 0
        said = {
            "ExecMainStartTimestamp": "ExecMainStartTimestamp=@%d\n" % began,
            "ActiveState": "ActiveState=%s\nUnitFileState=enabled\n" % ("active" if active else "inactive"),
            "dockerd": "Docker version 26.1.5+dfsg1, build a72d7cd\n",
        }
        monkeypatch.setattr(_docker, "output_of", lambda command, **_options: next(said[word] for word in said if word in command))
        monkeypatch.setattr(_docker.DockerProbe, "client", lambda self: types.SimpleNamespace(info=lambda: info, containers=containers))
        return _docker.DockerProbe({})

    return make


def observe(probe, fact):
    return probe.observe({"fact": fact})


def test_a_host_as_the_role_makes_it(host):
    probe = host(OPTIONS)
    assert observe(probe, "config").value == {"applied": True, "live_restore": True, "logs_rotated": True}
    assert observe(probe, "log_max_size").value == 10_000_000
    assert observe(probe, "address_pools").value == ["172.28.0.0/16"]
    assert observe(probe, "runtimes").value == ["io.containerd.runc.v2", "runc"]
    assert observe(probe, "storage").value == "overlay2"


@pytest.mark.parametrize(
    ("options", "info", "age", "wrong"),
    [
        (None, INFO, 60, ["applied", "live_restore", "logs_rotated"]),
        ({}, {**INFO, "LiveRestoreEnabled": False}, 60, ["live_restore", "logs_rotated"]),
        ({**OPTIONS, "debug": True}, INFO, 60, ["applied"]),
        (OPTIONS, INFO, -60, ["applied"]),
        (OPTIONS, {**INFO, "LiveRestoreEnabled": False}, 60, ["applied", "live_restore"]),
        ({**OPTIONS, "log-driver": "local"}, INFO, 60, ["applied", "logs_rotated"]),
        ({**OPTIONS, "log-opts": {}}, INFO, 60, ["logs_rotated"]),
    ],
)
def test_file_and_engine_are_both_looked_at(host, options, info, age, wrong):
    seen = observe(host(options, info, age=age), "config")
    assert sorted(name for name, met in seen.value.items() if not met) == wrong


def test_the_evidence_says_why(host):
    said = observe(host({**OPTIONS, "debug": True}, age=-60), "config").evidence
    assert said.endswith("; debug is true in the file, false in the engine; the file was changed after the engine began")


@pytest.mark.parametrize("fact", ["config", "log_max_size"])
@pytest.mark.parametrize(("options", "said"), [("{", "is not valid JSON"), ({**OPTIONS, "log-opts": {"max-size": "ten"}}, "no size")])
def test_a_file_that_cannot_be_read_is_an_error(host, fact, options, said):
    with pytest.raises(ProbeError, match=said):
        observe(host(options), fact)


@pytest.mark.parametrize(
    ("options", "age", "said"),
    [(OPTIONS, -60, "has not read"), ({**OPTIONS, "log-driver": "local"}, 60, "has not read")],
)
def test_a_size_that_does_not_hold_is_an_error(host, options, age, said):
    with pytest.raises(ProbeError, match=said):
        observe(host(options, age=age), "log_max_size")


@pytest.mark.parametrize(
    ("options", "driver", "passes"),
    [
        ({"log-opts": {"max-size": "10m"}}, "json-file", True),
        ({"log-opts": {"max-size": "1g"}}, "json-file", False),
        ({"log-opts": {"max-size": "-1"}}, "json-file", False),
        ({"log-opts": {"max-file": "3"}}, "json-file", False),
        ({}, "json-file", False),
        (None, "json-file", False),
        ({"log-driver": "journald"}, "journald", False),
    ],
)
def test_logs_that_are_never_rotated_are_a_failure_and_no_error(host, options, driver, passes):
    item = load_catalogue([str(pathlib.Path(COLLECTION) / "checklists")])["log.rotation"]
    assert item.severity == "warn"
    seen = host(options, {**INFO, "LoggingDriver": driver, "LiveRestoreEnabled": False}).observe(dict(item.arguments))
    assert _expect.judge(seen.value, item.expect) is passes


TEN = {"Type": "json-file", "Config": {"max-size": "10m", "max-file": "3"}}


@pytest.mark.parametrize(
    ("logs", "size", "said"),
    [
        ([], 10_000_000, ""),
        ([TEN, {"Type": "local", "Config": {"max-size": "1m"}}], 10_000_000, ""),
        ([TEN, {"Type": "local", "Config": {}}], 20_000_000, "; most in the container c2"),
        ([{"Type": "json-file", "Config": {"max-size": "1g"}}, TEN], 1_000_000_000, "; most in the container c1"),
        ([{"Type": "none", "Config": {}}, {"Type": "journald", "Config": None}], 10_000_000, ""),
        ([TEN, {"Type": "json-file", "Config": {}}], 0, "; never rotated, in containers that run: c2"),
        ([{"Type": "json-file", "Config": {"max-size": "-1"}}, {"Type": "", "Config": None}], 0, "; never rotated, in containers that run: c1, c2"),
        ([{"Type": "local", "Config": {"max-size": "-1"}}], 0, "; never rotated, in containers that run: c1"),
        ([{"Type": "json-file", "Config": {"max-file": "3"}}] * 12, 0, ": c1, c10, c11, c12, c2, c3, c4, c5, c6, c7, ..."),
        ([None], 0, "; never rotated, in containers that run: c1"),
    ],
)
def test_logs_of_containers_that_run_are_looked_at(host, logs, size, said):
    seen = observe(host(OPTIONS, logs=logs), "log_max_size")
    assert seen.value == size
    assert seen.evidence.endswith(said or _docker.DAEMON)
    assert observe(host(OPTIONS, logs=logs), "config").value["logs_rotated"] is True, "which is about the settings of the engine"


def test_containers_do_not_make_up_for_an_engine_that_rotates_nothing(host):
    seen = observe(host({**OPTIONS, "log-opts": {}}, logs=[TEN]), "log_max_size")
    assert (seen.value, "without log-opts.max-size" in seen.evidence) == (0, True)


def test_a_container_whose_size_is_none_is_an_error(host):
    with pytest.raises(ProbeError, match="no size"):
        observe(host(OPTIONS, logs=[{"Type": "json-file", "Config": {"max-size": "ten"}}]), "log_max_size")


def test_the_engine_is_asked_once(host):
    asked = []
    probe = host(OPTIONS)
    containers = types.SimpleNamespace(list=lambda ignore_removed: [])
    probe.client = lambda: types.SimpleNamespace(info=lambda: asked.append(1) or INFO, containers=containers)
    for fact in ("config", "log_max_size", "runtimes", "storage"):
        observe(probe, fact)
    assert asked == [1]


def test_of_a_stopped_engine_file_and_program_are_judged(host):
    probe = host(OPTIONS, age=-60, active=False)
    probe.client = lambda: pytest.fail("asked the engine")
    assert observe(probe, "config").value == {"applied": True, "live_restore": True, "logs_rotated": True}
    assert observe(probe, "config").evidence.endswith("; the engine is stopped")
    assert observe(probe, "log_max_size").value == 10_000_000
    assert observe(probe, "version") == _docker.Observation("26.1.5+dfsg1", "dockerd --version; the engine is stopped")
    probe = host({**OPTIONS, "live-restore": False, "log-opts": {}}, active=False)
    assert observe(probe, "config").value == {"applied": True, "live_restore": False, "logs_rotated": False}


def test_traces_of_the_snap(monkeypatch, tmp_path):
    (tmp_path / "docker_2915.snap").touch()
    monkeypatch.setattr(_docker, "SNAP", (str(tmp_path / "docker"), str(tmp_path / "docker_*.snap")))
    assert observe(_docker.DockerProbe({}), "snap").value == [str(tmp_path / "docker_2915.snap")]
    (tmp_path / "docker_2915.snap").unlink()
    assert observe(_docker.DockerProbe({}), "snap").value == []
