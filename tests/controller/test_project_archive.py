"""What the control host is brought: the variables that Ansible sees here, and no way of the operator's to the hosts."""

from __future__ import annotations

import pathlib
import tarfile
import typing as t

import yaml

from .conftest import Untouched

VARIABLES = "inventories/lab/group_vars"
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
