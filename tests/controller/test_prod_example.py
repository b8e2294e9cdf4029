"""The example production inventory is valid and asks for the real thresholds."""

from __future__ import annotations

import pathlib

from tests.support import play

REAL = {
    "infra.cpu.cores": "at least 24",
    "infra.ram.total": "at least 512GB (within 7%)",
    "infra.disk.capacity": "at least 2TB (within 12%)",
    "infra.disk.nvme": "nvme",
    "infra.gpu.model": r"matches \bNVIDIA RTX PRO 6000\b",
    "infra.net.bandwidth": "at least 1000",
    "os.release": "one of ubuntu 24.04",
}


def test_production_asks_for_the_real_thresholds_and_relaxes_none(tmp_path: pathlib.Path) -> None:
    ssh = tmp_path / "ssh"
    ssh.write_text("#!/bin/sh\nexit 255\n")
    ssh.chmod(0o755)
    done = play("playbooks/verify.yml", inventory="inventories/prod", environment={"ANSIBLE_SSH_EXECUTABLE": str(ssh)})
    assert done.code != 0, "no host answers"
    asked = {one["item"]: one["expected"] for one in done.report["results"]}
    assert {item: asked[item] for item in REAL} == REAL
    assert not any(one["relaxed"] for one in done.report["results"])
    assert not any(one["status"] == "pass" for one in done.report["results"])
    assert "no host was touched" not in done.output


def test_provisioning_production_without_passwords_is_refused() -> None:
    done = play("playbooks/site.yml", inventory="inventories/prod")
    assert done.code != 0
    assert "no host was touched" in done.output
    assert "redis_password" in done.output and "postgresql_password" in done.output
