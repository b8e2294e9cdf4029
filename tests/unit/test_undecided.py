"""The word UNDECIDED: every value that holds it is named, with file, line and meaning, and nothing else is."""

from __future__ import annotations

import pathlib

import pytest

from ansible_collections.gonogo.preflight.plugins.plugin_utils._undecided import undecided
from ansible_collections.gonogo.preflight.plugins.plugin_utils._yaml import InputError


@pytest.fixture
def place(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "prod" / "group_vars").mkdir(parents=True)
    return tmp_path / "prod"


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("a: decided\n", []),
        ("a: decided # not UNDECIDED any more\n# b: UNDECIDED\n", []),
        ("---\nuser: UNDECIDED  # who logs in\n", ["prod/hosts.yml:2: user is undecided: who logs in"]),
        ("hosts:\n  app1:\n    address: UNDECIDED\n", ["prod/hosts.yml:3: address of app1 is undecided"]),
        ("all: {vars: {user: UNDECIDED}}\n", ["prod/hosts.yml:1: user is undecided"]),
        ("ignore: [10.0.0.1, UNDECIDED]\n", ["prod/hosts.yml:1: ignore is undecided"]),
        ("url: http://UNDECIDED/health\n", ["prod/hosts.yml:1: url is undecided"]),
        ("items:\n  - id: infra.cpu.cores\n    expect: {at_least: UNDECIDED}\n", ["prod/hosts.yml:3: at_least of infra.cpu.cores is undecided"]),
        ("key: !vault |\n  abc\nother: UNDECIDED\n", ["prod/hosts.yml:3: other is undecided"]),
        ("UNDECIDED: [\n", ["prod/hosts.yml holds the word UNDECIDED, and is not valid YAML"]),
        ("UNDECIDED\n", ["prod/hosts.yml:1: a value is undecided"]),
    ],
)
def test_every_undecided_value_is_named(place: pathlib.Path, text: str, sentences: list[str]) -> None:
    (place / "hosts.yml").write_text(text)
    assert undecided([str(place)]) == sentences


def test_directories_are_searched_to_the_bottom_and_places_that_are_missing_hold_nothing(place: pathlib.Path) -> None:
    (place / "group_vars" / "all.yml").write_text("a: UNDECIDED\n")
    (place / "README.md").write_text("Replace every UNDECIDED.\n")
    assert undecided([str(place), str(place), str(place / "nowhere")]) == ["prod/group_vars/all.yml:1: a is undecided"]


def test_a_directory_that_is_a_link_is_searched(place: pathlib.Path, tmp_path: pathlib.Path) -> None:
    (place / "group_vars").rmdir()
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared" / "all.yml").write_text("a: UNDECIDED\n")
    (place / "group_vars").symlink_to("../shared")
    assert undecided([str(place)]) == ["prod/group_vars/all.yml:1: a is undecided"]


def test_a_link_that_leads_nowhere_is_refused_by_name(place: pathlib.Path) -> None:
    (place / "host_vars").symlink_to("../shared")
    with pytest.raises(InputError, match="prod/host_vars: is a link to ../shared, where nothing can be found"):
        undecided([str(place)])


def test_a_file_may_be_named_itself(place: pathlib.Path) -> None:
    (place / "compose").write_text("image: UNDECIDED\n")
    assert undecided([str(place / "compose")]) == ["prod/compose:1: image is undecided"]
