"""The lab's own promises: hosts on demand, and hosts that a checkout left behind when it was deleted."""

from __future__ import annotations

import pathlib
import subprocess
import sys
import typing as t

import pytest

from tests.support import ROOT

from .conftest import lab

WATCH = "lab-watch"
FORMAT = '{{index .Config.Labels "gonogo.lab.checkout"}} {{.State.Status}}'


def _left_behind(owner: pathlib.Path) -> None:
    image = lab("status").split("image ")[1].split()[0]
    lab("docker", "rm", "--force", WATCH, check=False)
    lab("docker", "create", "--name", WATCH, "--label", "gonogo.lab.checkout=%s" % owner, image, "true")


@pytest.fixture
def removed() -> t.Iterator[None]:
    lab("up", timeout=1200)
    yield
    lab("docker", "rm", "--force", WATCH, check=False)
    lab("remove", WATCH)


def test_a_host_of_a_checkout_that_is_gone_is_taken_over(removed: None, tmp_path: pathlib.Path) -> None:
    _left_behind(tmp_path / "deleted")
    said = lab("up", WATCH)
    assert "lab-watch: removing the one of the checkout %s, which is gone" % (tmp_path / "deleted") in said
    assert lab("docker", "inspect", "--format", FORMAT, WATCH).strip() == "%s running" % ROOT
    assert WATCH in (ROOT / ".lab/known_hosts").read_text()
    lab("remove", WATCH)
    assert WATCH not in lab("docker", "ps", "--all", "--format", "{{.Names}}").split()
    assert WATCH not in lab("docker", "volume", "ls", "--quiet")
    assert WATCH not in (ROOT / ".lab/known_hosts").read_text()


def test_a_host_of_a_checkout_that_exists_is_left_alone(removed: None, tmp_path: pathlib.Path) -> None:
    _left_behind(tmp_path)
    done = subprocess.run([sys.executable, "lab/lab.py", "up", WATCH], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "belongs to the checkout %s: run `make clean` there first" % tmp_path in done.stderr
    assert lab("docker", "inspect", "--format", FORMAT, WATCH).strip() == "%s created" % tmp_path


def test_plain_up_does_not_start_a_host_on_demand(removed: None) -> None:
    lab("docker", "rm", "--force", WATCH, check=False)
    lab("up")
    assert WATCH not in lab("docker", "ps", "--all", "--format", "{{.Names}}").split()
    lab("status")
