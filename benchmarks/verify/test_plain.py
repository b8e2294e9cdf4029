"""The same assertions as testinfra has them: one test each, run as root over SSH."""

from __future__ import annotations

import pathlib

import pytest
import yaml

ASSERTIONS = yaml.safe_load((pathlib.Path(__file__).parent / "assertions.yml").read_text())["assertions"]


@pytest.mark.parametrize("shell", [pytest.param(one["shell"], id=one["item"]) for one in ASSERTIONS])
def test_item(host, shell):
    assert host.run("bash -c %s", shell).rc == 0
