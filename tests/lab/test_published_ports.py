"""Docker's published ports obey the declared exposure, whichever of Docker and UFW started last."""

from __future__ import annotations

import json
import typing as t

import pytest
import yaml

from tests.support import ROOT, play

from .conftest import APP, DATA, await_, on

SERVER = "gonogo-test-published"
DECLARED, UNDECLARED = 8443, 8088

REACHED = """
import socket, sys
try:
    socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=2).close()
    print(True)
except OSError:
    print(False)
"""


def reached(host: str, port: int, address: str = "172.30.77.11") -> bool:
    return on(host, "python3", "-c", REACHED, address, str(port)).strip() == "True"


def firewalled(exposure: dict[str, t.Any]) -> None:
    done = play("tests/lab/playbooks/ufw.yml", "-e", json.dumps({"firewalled": APP, "preflight_exposure": exposure}))
    assert done.code == 0, done.output


@pytest.fixture(scope="module")
def declared(fleet: None) -> t.Iterator[None]:
    exposure = yaml.safe_load((ROOT / "inventories/lab/group_vars/all/main.yml").read_text())["preflight_exposure"]
    firewalled({**exposure, "published": {"port": DECLARED, "from": "any", "hosts": "app", "publisher": "docker"}})
    yield
    firewalled(exposure)


@pytest.fixture(scope="module", autouse=True)
def _server(declared: None) -> t.Iterator[None]:
    """A container on lab-app that publishes a declared port and one that is not declared."""
    image = on(APP, "docker", "images", "--quiet").split()[0]
    ports = [word for port in (DECLARED, UNDECLARED) for word in ("--publish", "%d:8000" % port)]
    serve = ["--entrypoint", "python3", image, "-m", "http.server", "8000"]
    on(APP, "docker", "run", "--detach", "--rm", "--name", SERVER, *ports, *serve)
    await_(lambda: reached(APP, UNDECLARED), seconds=20)
    yield
    on(APP, "docker", "rm", "--force", SERVER)


@pytest.mark.parametrize(
    "started_last",
    [
        pytest.param([], id="as-provisioned"),
        pytest.param(["ufw", "reload"], id="ufw"),
        pytest.param(["systemctl", "restart", "docker"], id="docker"),
        pytest.param(["sh", "-c", "ufw --force disable; ufw --force enable"], id="ufw-off-and-on"),
    ],
)
def test_only_the_declared_port_is_open_from_outside(started_last: list[str]) -> None:
    if started_last:
        on(APP, *started_last)
    assert reached(DATA, DECLARED)
    assert not reached(DATA, UNDECLARED)
    assert reached(APP, UNDECLARED), "the port is closed to the host itself too, so this test shows nothing"


def test_a_container_is_not_reached_past_its_published_port() -> None:
    address = on(APP, "docker", "inspect", "--format", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", SERVER).strip()
    on(DATA, "ip", "route", "replace", address + "/32", "via", "172.30.77.11")
    try:
        assert not reached(DATA, 8000, address)
        assert reached(APP, 8000, address)
    finally:
        on(DATA, "ip", "route", "delete", address + "/32")


def test_a_container_gets_out() -> None:
    on(APP, "docker", "exec", SERVER, "python3", "-c", REACHED.replace("print(False)", "sys.exit(1)"), "172.30.77.12", "22")
