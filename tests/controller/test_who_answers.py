"""Nobody answers for the hosts: here every SSH connection fails, and whatever passes came from somewhere else."""

from __future__ import annotations

import pathlib

import pytest

from .conftest import Untouched

LOCAL = """
- hosts: all
  gather_facts: false
  %s
  tasks:
    - gonogo.preflight.verify:
    - gonogo.preflight.gate:
"""


@pytest.mark.parametrize(
    ("keyword", "arguments", "environment"),
    [
        ("connection: local", (), {}),
        ("vars: {ansible_connection: local}", (), {}),
        ("strategy: linear", (), {"ANSIBLE_TRANSPORT": "local"}),
        ("strategy: linear", ("-c", "local"), {}),
    ],
    ids=["connection of the play", "variable of the play", "environment", "command line"],
)
def test_the_controller_does_not_answer_for_a_host(
    project: Untouched, tmp_path: pathlib.Path, keyword: str, arguments: tuple[str, ...], environment: dict[str, str]
) -> None:
    playbook = tmp_path / "play.yml"
    playbook.write_text(LOCAL % keyword)
    done = project.play(str(playbook), *arguments, environment=environment)
    assert done.code != 0, done.output
    assert not any(one["status"] == "pass" for one in done.report.get("results", [])), done.output
    assert "inventory does not say" in done.output or "not what its inventory says" in done.output, done.output


@pytest.mark.parametrize("name", ["controller", "outside"])
def test_a_host_called_like_a_vantage_is_refused(project: Untouched, name: str) -> None:
    project.edit("inventories/lab/hosts.yml", lambda data: _add(data, name))
    assert "%r is the name of a host or group" % name in project.refused().output


def _add(data: dict, name: str) -> dict:
    data["all"]["children"]["app"]["hosts"][name] = {"preflight_address": "192.0.2.9"}
    return data


def test_a_report_that_cannot_be_written_is_not_status_0(project: Untouched, tmp_path: pathlib.Path) -> None:
    """The board is shown by a callback, whose errors Ansible takes for warnings."""
    playbook = tmp_path / "play.yml"
    playbook.write_text("- hosts: all\n  gather_facts: false\n  tasks: [{gonogo.preflight.gate: {}, ignore_errors: true}]\n")
    done = project.play(str(playbook))
    assert done.code != 0
    assert done.report["verdict"] == "NO-GO"


def test_without_the_board_a_gated_run_is_refused(project: Untouched) -> None:
    done = project.play("playbooks/site.yml", environment={"ANSIBLE_CALLBACKS_ENABLED": "ansible.posix.timer"})
    assert done.code != 0
    assert "gonogo.preflight.board is not enabled" in done.output
    assert not project.calls.exists()
