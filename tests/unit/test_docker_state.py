# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one look of the role docker: what it sees, and that it starts nothing by looking."""

from __future__ import annotations

import json

import pytest

from ansible_collections.gonogo.preflight.plugins.module_utils import _docker_state
from ansible_collections.gonogo.preflight.plugins.module_utils._docker_state import StateError

PACKAGES = "docker.io\tinstalled\ncontainerd\tinstalled\ndocker-ce\tconfig-files\nchrony\tinstalled\n"
UNITS = "Id=docker.service\nActiveState=%s\nUnitFileState=enabled\n\nId=gonogo-docker-prune.timer\nActiveState=active\nUnitFileState=\n"
INFO = {
    "ServerVersion": "26.1.5+dfsg1",
    "LiveRestoreEnabled": True,
    "LoggingDriver": "json-file",
    "ContainersRunning": 2,
    "ClientInfo": {"Plugins": [{"Name": "buildx", "Version": "v0.13.1"}, {"Name": "compose", "Version": "v2.26.1-4"}]},
}


@pytest.fixture
def host(monkeypatch, tmp_path):
    """Commands of a host, and the paths that are looked at, below a directory of the test."""
    monkeypatch.setattr(_docker_state, "DAEMON", str(tmp_path / "daemon.json"))
    monkeypatch.setattr(_docker_state, "MEMORY", str(tmp_path / "unused.json"))
    monkeypatch.setattr(_docker_state, "SNAP", (str(tmp_path / "snap"),))
    asked = []

    def look(*, state="active", info=None, started="@2000000000", packages=PACKAGES, **answers):
        said = {
            "dpkg-query": packages,
            "show -p Id,": UNITS % state,
            "docker info": json.dumps(INFO if info is None else info),
            "show -p ExecMainStartTimestamp": "ExecMainStartTimestamp=%s\n" % started,
        }

        def run(command):
            line = " ".join(command)
            asked.append(line)
            for words, out in said.items():
                if words in line:
                    return answers.get(command[0].replace("-", "_"), (0, out, ""))
            raise AssertionError(line)

        return _docker_state.look(run, packages=["docker.io", "docker-ce"], key=str(tmp_path / "docker.asc"))

    look.asked, look.place = asked, tmp_path
    return look


def test_a_host_as_the_role_makes_it(host):
    (host.place / "daemon.json").write_text('{"live-restore": true}\n')
    (host.place / "unused.json").touch()
    assert host() == {
        "packages": ["docker.io"],
        "broken": [],
        "snap": [],
        "active": True,
        "enabled": True,
        "given_up": False,
        "answers": True,
        "version": "26.1.5+dfsg1",
        "compose_version": "2.26.1-4",
        "running": 2,
        "live_restore": True,
        "daemon": '{"live-restore": true}\n',
        "unapplied": [],
        "timer": {"active": True, "enabled": False},
        "pruned": True,
        "fingerprints": [],
    }


@pytest.mark.parametrize("state", ["inactive", "failed", "activating"])
def test_an_engine_that_does_not_run_is_not_asked(host, state):
    seen = host(state=state)
    assert seen["given_up"] is (state == "failed")
    assert (seen["active"], seen["answers"], seen["version"], seen["compose_version"], seen["unapplied"]) == (False, False, "", "0", [])
    assert not any("docker info" in line for line in host.asked)


@pytest.mark.parametrize("answer", [(1, "{}", "Cannot connect"), (124, "", ""), (0, "{}", ""), (0, "not json", "")])
def test_an_engine_that_runs_and_does_not_answer(host, answer):
    seen = host(timeout=answer)
    assert (seen["active"], seen["answers"]) == (True, False)


def test_what_the_engine_has_not_read(host):
    (host.place / "daemon.json").write_text('{"live-restore": false}\n')
    assert host(started="@1000000000")["unapplied"] == [
        "live-restore is false in the file, true in the engine",
        "the file was changed after the engine began",
    ]


def test_a_file_that_is_not_valid_is_about_to_be_written_anew(host):
    (host.place / "daemon.json").write_text("{")
    assert host()["unapplied"] == []


def test_the_keys_that_a_package_source_is_trusted_by(host, captured):
    (host.place / "docker.asc").write_text(captured("debian-archive-keyring-2023.3-debian12-trixie-automatic"))
    assert host()["fingerprints"] == ["04B54C3CDCA79751B16BC6B5225629DF75B188BD"]
    (host.place / "docker.asc").write_text("<html>404 Not Found</html>")
    assert host()["fingerprints"] == []


def test_what_dpkg_has_not_finished(host):
    seen = host(packages=PACKAGES + "docker-cli\thalf-configured\nman-db\ttriggers-pending\n")
    assert seen["broken"] == ["docker-cli"]


def test_the_snap(host):
    (host.place / "snap").mkdir()
    assert host()["snap"] == [str(host.place / "snap")]


@pytest.mark.parametrize("text", ["", "\0\0", "<html>502 Bad Gateway</html>", "docker.io installed\n"])
def test_garbage_is_an_error_and_no_state(text):
    with pytest.raises(StateError):
        _docker_state.parse_packages(text)
    with pytest.raises(StateError):
        _docker_state.parse_units(text)


def test_a_command_that_fails_is_named(host):
    with pytest.raises(StateError, match=r"`dpkg-query --show` ended with status 2: database locked"):
        host(dpkg_query=(2, "", "database locked\n"))


def test_captured_states(captured):
    assert _docker_state.parse_packages(captured("dpkg-query-1.22.22-debian13-status"))[0] >= {"docker.io", "docker-cli", "docker-compose", "containerd"}
    assert _docker_state.parse_units(captured("systemctl-257-debian13-docker-and-timer")) == [
        {"active": True, "failed": False, "enabled": True},
        {"active": True, "failed": False, "enabled": True},
    ]
    assert _docker_state.compose_version(json.loads(captured("docker-26.1.5-debian13-info"))) == "2.26.1-4"


def test_a_client_without_compose():
    assert _docker_state.compose_version({}) == "0"
    assert _docker_state.compose_version({"ClientInfo": {"Plugins": [{"Name": "buildx", "Version": "v0.13.1"}]}}) == "0"
    assert _docker_state.compose_version({"ClientInfo": {"Plugins": None}}) == "0"
