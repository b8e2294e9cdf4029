# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of a project: links are followed, to an end, and one that leads nowhere is named."""

from __future__ import annotations

import os
import pathlib

import pytest

from ansible_collections.gonogo.preflight.plugins.plugin_utils._files import files
from ansible_collections.gonogo.preflight.plugins.plugin_utils._yaml import InputError


@pytest.fixture
def place(tmp_path: pathlib.Path) -> pathlib.Path:
    for name in ("prod/hosts", "shared/deep/all", "prod/.lock"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path / "prod"


def found(place: pathlib.Path, *, hidden: bool = False) -> list[str]:
    return [os.path.relpath(path, place) for path in files(str(place), hidden=hidden)]


def test_every_way_to_a_directory_is_followed(place: pathlib.Path) -> None:
    for name in ("group_vars", "host_vars"):
        (place / name).symlink_to("../shared")
    assert found(place) == ["group_vars/deep/all", "host_vars/deep/all", "hosts"]


@pytest.mark.parametrize("target", [".", "..", "../prod", "../shared/deep"])
def test_links_in_a_circle_end(place: pathlib.Path, target: str) -> None:
    (place / "loop").symlink_to(target)
    (place.parent / "shared" / "deep" / "back").symlink_to("../../prod")
    paths = found(place)
    assert "hosts" in paths and len(paths) == len(set(paths)) < 5


def test_hidden_files_are_found_on_request(place: pathlib.Path) -> None:
    (place / ".#hosts").symlink_to("ops@controller.4711")
    assert found(place) == ["hosts"]
    assert found(place, hidden=True) == [".lock", "hosts"]


@pytest.mark.parametrize("target", ["nowhere", "lost"])
def test_a_link_that_leads_nowhere_is_named(place: pathlib.Path, target: str) -> None:
    (place / "lost").symlink_to(target)
    with pytest.raises(InputError, match="/prod/lost: is a link to %s, where nothing can be found" % target):
        found(place)
    with pytest.raises(InputError, match="/prod/lost: is a link to"):
        found(place / "lost")


def test_a_directory_that_cannot_be_read_is_named(place: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(path: str) -> list[str]:
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(os, "listdir", denied)
    with pytest.raises(InputError, match="/prod: cannot be read: Permission denied"):
        found(place)


def test_what_does_not_exist_holds_nothing(place: pathlib.Path) -> None:
    assert found(place / "gone") == []
