"""What the probes of a host need is installed there by the role probe_libraries, where the chosen checklist asks for it, and nowhere else."""

from __future__ import annotations

import typing as t

import pytest

from tests.support import Project

from .conftest import APP, DATA, on
from .probing import error, value

pytestmark = pytest.mark.long

OWN, CHECKLIST = "checklists/catalogue/own.yml", "checklists/demo.yml"
PLACE = "/srv/probe-libraries"
TREE = "git init -q -b main && git -c user.name=Ada -c user.email=ada@example.com commit -q --allow-empty -m first"
ASKED = [
    {"id": "own.branch", "probe": "git", "with": {"fact": "branch", "path": PLACE + "/tree"}, "expect": {"equals": "main"}},
    {"id": "own.image", "probe": "file", "with": {"fact": "value", "path": PLACE + "/a.yml", "key": "services.web.image"}, "expect": {"equals": "app"}},
]


def installed(host: str) -> list[str]:
    shown = on(host, "dpkg-query", "--show", "--showformat", "${db:Status-Abbrev}${Package}\n", "git", "python3-yaml", check=False)
    return [line.split()[1] for line in shown.splitlines() if line.startswith("ii")]


@pytest.fixture
def without(fleet: None) -> t.Iterator[None]:
    """Hosts without both packages, before the test and after it."""
    purge = "apt-get purge -qy git python3-yaml; rm -rf " + PLACE
    for host in (APP, DATA):
        on(host, "sh", "-c", purge)
    on(DATA, "install", "-d", PLACE + "/tree")
    on(DATA, "sh", "-c", "cat >%s/a.yml" % PLACE, given="services: {web: {image: app}}\n")
    yield
    for host in (APP, DATA):
        on(host, "sh", "-c", purge)


def test_the_role_installs_what_the_checklist_asks_with_and_the_probes_answer(without: None, project: Project) -> None:
    assert error(DATA, "git", fact="branch", path=PLACE + "/tree") == "git is not installed"
    assert "library missing" in error(DATA, "file", fact="value", path=PLACE + "/a.yml", key="services.web.image")
    described = {"title": "t", "why": "w", "class": "observe", "stage": "host", "hosts": "db"}
    project.edit(OWN, lambda _: {"items": [{**described, **one} for one in ASKED]})
    project.edit(CHECKLIST, lambda data: {**data, "items": [*data["items"], *({"id": one["id"]} for one in ASKED)]})
    done = project.play("playbooks/provision.yml", "--tags", "probe_libraries")
    assert done.code == 0, done.output
    assert (installed(APP), installed(DATA)) == ([], ["git", "python3-yaml"])
    on(DATA, "sh", "-ec", "cd %s/tree && %s" % (PLACE, TREE))
    assert value(DATA, "git", fact="branch", path=PLACE + "/tree") == "main"
    assert value(DATA, "file", fact="value", path=PLACE + "/a.yml", key="services.web.image") == "app"
    done = project.play("playbooks/verify.yml")
    assert {done.result(one["id"], DATA)["status"] for one in ASKED} == {"pass"}, done.output
    again = project.play("playbooks/provision.yml", "--tags", "probe_libraries")
    assert (again.code, again.changed()) == (0, 0), again.output


def test_where_nothing_asks_for_them_they_are_not_installed(without: None, project: Project) -> None:
    done = project.play("playbooks/provision.yml", "--tags", "probe_libraries")
    assert (done.code, done.changed()) == (0, 0), done.output
    assert (installed(APP), installed(DATA)) == ([], [])
