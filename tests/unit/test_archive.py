# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a control host is brought: the project with another way to each host, and the same bytes for the same content."""

from __future__ import annotations

import os
import pathlib
import tarfile

import pytest

from ansible_collections.gonogo.preflight.plugins.plugin_utils._archive import collection_files, collection_version, inventory_files, pack, tree
from ansible_collections.gonogo.preflight.plugins.plugin_utils._yaml import InputError

CHECKOUT = pathlib.Path(__file__).resolve().parents[2]


def written(root: pathlib.Path, **files: str) -> None:
    for path, content in files.items():
        file = root / path.replace("__", "/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)


@pytest.mark.parametrize("name", ["db1", "db1.yml", "db1.yaml", "db1.json", "db1/main.yml"])
def test_the_way_to_a_host_is_the_last_word_on_its_variables(tmp_path: pathlib.Path, name: str) -> None:
    file = tmp_path / "prod" / "host_vars" / name
    file.parent.mkdir(parents=True)
    file.write_text("ansible_host: 192.0.2.1\n")
    places = [path for path, _source in inventory_files(str(tmp_path / "prod"), "prod", {"db1": {"ansible_host": "10.0.0.1"}})]
    kept = {"db1": "00_inventory", "db1/main.yml": "main.yml"}.get(name, "00_inventory" + pathlib.Path(name).suffix)
    assert places == ["prod/host_vars/db1/" + kept, "prod/host_vars/db1/zz_drift.yml"]


def test_the_same_content_makes_the_same_archive(tmp_path: pathlib.Path) -> None:
    written(tmp_path / "a", x="1", y__z="2")
    first = pack(tree(str(tmp_path / "a"), "prod"), str(tmp_path / "first"))
    os.utime(tmp_path / "a" / "x", (1, 1))
    assert pack(tree(str(tmp_path / "a"), "prod"), str(tmp_path / "second")) == first
    assert (tmp_path / "first").read_bytes() == (tmp_path / "second").read_bytes()
    assert os.stat(tmp_path / "first").st_mode & 0o077 == 0
    written(tmp_path / "a", x="changed")
    assert pack(tree(str(tmp_path / "a"), "prod"), str(tmp_path / "third")) != first


def test_programs_stay_programs_and_nothing_hidden_is_brought(tmp_path: pathlib.Path) -> None:
    written(tmp_path / "prod", hosts="#!/bin/sh\n", plain="", **{".vault-password": "secret", "__pycache__/x.pyc": ""})
    (tmp_path / "prod" / "hosts").chmod(0o755)
    pack(tree(str(tmp_path / "prod"), "prod"), str(tmp_path / "archive"))
    with tarfile.open(tmp_path / "archive") as archive:
        assert {entry.name: oct(entry.mode) for entry in archive} == {"prod/hosts": "0o700", "prod/plain": "0o600"}


def test_what_a_link_leads_to_is_brought(tmp_path: pathlib.Path) -> None:
    written(tmp_path, shared__all__main="1", prod__hosts="")
    (tmp_path / "prod" / "group_vars").symlink_to("../shared")
    pack(tree(str(tmp_path / "prod"), "prod"), str(tmp_path / "archive"))
    with tarfile.open(tmp_path / "archive") as archive:
        assert {entry.name for entry in archive if entry.isfile()} == {"prod/hosts", "prod/group_vars/all/main"}


def test_what_does_not_exist_is_refused_by_name(tmp_path: pathlib.Path) -> None:
    with pytest.raises(InputError, match="images.*does not exist"):
        tree(str(tmp_path / "images"), "images")
    (tmp_path / "images").symlink_to("nowhere")
    with pytest.raises(InputError, match="images: is a link to nowhere"):
        tree(str(tmp_path / "images"), "images")


def test_the_collection_holds_what_a_run_needs() -> None:
    places = {path.partition("/preflight/")[2] for path, _source in collection_files(str(CHECKOUT))}
    assert {"galaxy.yml", "meta/runtime.yml", "playbooks/provision.yml", "plugins/callback/changes.py", "checklists/demo.yml"} <= places
    assert not [path for path in places if path.startswith(("tests/", "inventories/", "lab/", "."))]


def test_the_version_is_told_of_a_checkout_and_of_what_is_installed(tmp_path: pathlib.Path) -> None:
    (tmp_path / "galaxy.yml").write_text("version: 1.2.3\n")
    assert collection_version(str(tmp_path)) == "1.2.3"
    (tmp_path / "MANIFEST.json").write_text('{"collection_info": {"version": "2.0.0"}}')
    assert collection_version(str(tmp_path)) == "2.0.0"
