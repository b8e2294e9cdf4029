"""What the control host is brought: the variables that Ansible sees here, and no way of the operator's to the hosts."""

from __future__ import annotations

import json
import pathlib
import tarfile
import typing as t

import yaml

from .conftest import Untouched

VARIABLES = "inventories/lab/group_vars"
WAY = "inventories/lab/host_vars/lab-data/zz_drift.yml"
PACK: list[dict[str, t.Any]] = [
    {
        "hosts": "lab-app",
        "gather_facts": False,
        "tasks": [
            {"gonogo.preflight.project_archive": {}, "register": "packed"},
            {"ansible.builtin.copy": {"src": "{{ packed.path }}", "dest": "{{ kept }}", "mode": "0600"}, "delegate_to": "localhost", "connection": "local"},
        ],
    }
]


def _packed(project: Untouched, tmp_path: pathlib.Path) -> dict[str, str]:
    """Path in the archive to the text of that file."""
    PACK[0]["vars"] = {"kept": str(tmp_path / "archive")}
    (tmp_path / "pack.yml").write_text(yaml.safe_dump(PACK))
    done = project.play(str(tmp_path / "pack.yml"))
    assert done.code == 0, done.output
    with tarfile.open(tmp_path / "archive") as archive:
        return {entry.name: t.cast(t.Any, archive.extractfile(entry)).read().decode() for entry in archive}


def test_variables_behind_a_link_are_brought(project: Untouched, tmp_path: pathlib.Path) -> None:
    (project.root / VARIABLES).rename(project.root / "shared")
    (project.root / VARIABLES).symlink_to("../../shared")
    brought = _packed(project, tmp_path)
    assert brought[VARIABLES + "/all/main.yml"] == (project.root / "shared" / "all" / "main.yml").read_text()


def test_the_operators_way_to_a_host_does_not_travel(project: Untouched, tmp_path: pathlib.Path) -> None:
    own = {
        "ansible_ssh_args": "-o ProxyJump=bastion",
        "ansible_sftp_extra_args": "-o ProxyJump=bastion",
        "ansible_ssh_host": "127.0.0.1",
        "ansible_ssh_port": 22012,
        "ansible_ssh_private_key": "the operator's",
        "ansible_password": "the operator's",
    }
    (project.root / WAY).parent.parent.mkdir()
    project.edit("inventories/lab/host_vars/lab-data.yml", lambda _: dict(own, ansible_ssh_user="ops", ansible_user="nobody"))
    way = json.loads(_packed(project, tmp_path)[WAY])
    assert [way[name] for name in (*own, "ansible_ssh_user")] == [None] * 7
    assert (way["ansible_host"], way["ansible_port"], way["ansible_user"]) == ("172.30.77.12", 22, "ops")
