"""One verification of the lab with the ansible-core of the environment that runs this test."""

from __future__ import annotations

import pathlib
import re
import subprocess
import sys

import yaml

from tests.support import ROOT, play


def test_the_environment_is_its_own_and_supported() -> None:
    shown = subprocess.run(["ansible", "--version"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    version = re.search(r"\[core (\d+)\.(\d+)", shown)
    lowest = re.search(r"(\d+)\.(\d+)", yaml.safe_load((ROOT / "meta" / "runtime.yml").read_text())["requires_ansible"])
    assert version and lowest and tuple(map(int, version.groups())) >= tuple(map(int, lowest.groups()))
    assert str(pathlib.Path(sys.prefix) / "bin") in shown, shown


def test_the_lab_is_verified(fleet: None) -> None:
    done = play("playbooks/verify.yml")
    assert done.code == 0, done.output
    assert done.report["verdict"] == "GO"
    assert "[DEPRECATION WARNING]" not in done.output, done.output
    assert {one["outcome"] for one in done.report["results"]} == {"pass", "not_applicable"}
