"""Every item that a role of the host sets, out of the catalogue: it fails on a bare host, passes after the role, fails when a hand breaks
what it asks about, alone and by its name, and passes again after the role. The order of these tests is the order of a host's life.

An item that is new in the catalogue needs a line in breaks.py, or in WITHOUT with the reason why the lab cannot show it.
"""

from __future__ import annotations

import itertools
import pathlib
import typing as t

import pytest
import yaml

from tests.support import ROOT, Played, Project, copied_project

from .breaks import TABLE
from .conftest import APP, DATA, lab, on

pytestmark = pytest.mark.long

AREAS = ("hardware", "os", "docker", "firewall", "ssh", "accounts")
# Whatever these set belongs here, in which area it may be.
SETTING = ("os", "accounts", "docker", "ufw", "ssh", "fail2ban")
ROLES = (*SETTING, "nginx", "probe_libraries")
MACHINE = "a figure of the machine; unit tests hold it against what is asked"

PROVISION, VERIFY = "playbooks/provision.yml", "playbooks/verify.yml"

WITHOUT: dict[str, str] = {
    "docker.version": "no package source of the lab has an engine that is too old; unit tests hold the version against the minimum",
    "docker.prune.ran": "what it asks is days; unit tests hold the age against them, and test_docker has the service fail",
    "gpu.toolkit.installed": "the lab has no GPU",
    "infra.gpu.model": "the lab has no GPU",
    "infra.cpu.cores": MACHINE,
    "infra.ram.total": MACHINE,
    "infra.disk.capacity": MACHINE,
    "infra.disk.free": MACHINE,
    "infra.disk.nvme": MACHINE,
    "infra.net.bandwidth": MACHINE,
    "net.connectivity": "what is in reach is the machine's; test_probes_host tries what answers and what does not",
    "net.dns.domain": "no name of the world leads to the lab; test_os asks for names that it has",
    "net.dns.records": "no name of the world leads to the lab; test_os asks for names that it has",
    "os.release": "a host has one distribution; unit tests hold others against the list",
    "os.kernel": "the machine's",
    "os.services.current": "a warning, and no role restarts services of others; test_os has one that runs what is gone",
    "os.ptrace": "of Yama, which the machine's kernel may lack",
}

# Items that pass on a bare host, whatever is done to it.
BARE_IS_RIGHT = {
    "fw.ssh.reachable": "a bare host shuts nobody out",
    "os.journal": "Debian keeps it",
    "os.unattended.reboot": "nothing reboots by itself",
}

# What two systems ask in words of their own is asked once here; of these, in a checklist without the others.
TWINS = {
    "net.security.validated": ["fw.others.blocked"],
    "cloud.sg": ["fw.ufw.enabled"],
    "log.rotation": ["docker.daemon.config"],
    "sec.iam.least": ["accounts.declared", "accounts.sudo", "accounts.docker", "accounts.uid0"],
}

# It names what the items of the firewall find too, and is asked beside them as a warning; its own breaks are those that they do not see.
REVIEW = "net.exposure.reviewed"


def _catalogue() -> dict[str, dict[str, t.Any]]:
    """The items that this file has to know, by id."""
    found = {}
    for path in sorted((ROOT / "checklists" / "catalogue").glob("*.yml")):
        for item in yaml.safe_load(path.read_text())["items"]:
            if (path.stem in AREAS and item["class"] in ("provision", "observe")) or item.get("fixed_by") in SETTING:
                found[item["id"]] = item
    return found


CATALOGUE = _catalogue()
BREAKS = [pytest.param(item, one, id="%s-%d" % (item, number)) for item, row in TABLE.items() for number, one in enumerate(row.breaks, 1)]


def test_the_table_knows_every_item() -> None:
    assert set(CATALOGUE) == TABLE.keys() | WITHOUT.keys(), "a line for each item is missing here, or one too many"
    assert not TABLE.keys() & WITHOUT.keys()
    assert BARE_IS_RIGHT.keys() <= TABLE.keys() and TWINS.keys() <= TABLE.keys()


@pytest.fixture(scope="module")
def asking(tmp_path_factory: pytest.TempPathFactory) -> t.Callable[[str], Project]:
    """A project whose checklist asks the items of the table: those of `item`'s side, where two systems ask the same."""
    made: dict[tuple[bool, bool], Project] = {}

    def project(item: str = "") -> Project:
        twin = item in TWINS
        side = twin, item == REVIEW
        if side not in made:
            made[side] = copied_project(pathlib.Path(tmp_path_factory.mktemp("items")))
            left_out = set(itertools.chain.from_iterable(TWINS.values())) if twin else set(TWINS)
            # What the catalogue only warns of is held as hard as the rest.
            asked = [one for one in (*TABLE, "docker.version", "docker.prune.ran") if one not in left_out]
            items = [{"id": one, "severity": "warn" if one == REVIEW != item else "block"} for one in asked]
            made[side].edit("checklists/demo.yml", lambda _demo: {"title": "Items that roles set", "items": items})
        return made[side]

    return project


def _blocking(done: Played) -> dict[str, str]:
    """Item to outcome of what keeps the door shut."""
    assert done.report, done.output
    return {one["item"]: one["outcome"] for one in done.report["results"] if one["outcome"] in ("fail", "error", "missing")}


def _apply(project: Project, roles: t.Iterable[str], *arguments: str) -> Played:
    done = project.play(PROVISION, "--tags", ",".join(roles), *arguments)
    assert done.code == 0, done.output
    return done


@pytest.fixture(scope="module")
def bare() -> None:
    lab("up", timeout=1200)
    lab("reset", APP, DATA, timeout=1200)
    for row in TABLE.values():
        if row.bare:
            on(row.host, "sh", "-c", row.bare + " || systemctl is-active gng-stray")


@pytest.fixture(scope="module")
def provisioned(bare: None, asking: t.Callable[[str], Project]) -> None:
    for row in TABLE.values():
        if not row.mended:
            on(row.host, "sh", "-c", row.after, check=False)
    _apply(asking(""), ROLES)


@pytest.mark.parametrize("twin", ["", *TWINS], ids=lambda twin: twin or "all")
def test_a_bare_host_fails(bare: None, asking: t.Callable[[str], Project], twin: str) -> None:
    done = asking(twin).play(VERIFY)
    asked = [twin] if twin else [item for item in TABLE if item not in TWINS]
    answers = {item: done.result(item, TABLE[item].host)["status"] for item in asked}
    assert {item for item, status in answers.items() if status == "pass"} == set(asked) & BARE_IS_RIGHT.keys()


def test_after_the_roles_everything_passes(provisioned: None, asking: t.Callable[[str], Project]) -> None:
    for row in TABLE.values():
        on(row.host, "sh", "-c", row.after, check=False)
    for side in ("", *TWINS):
        done = asking(side).play(VERIFY)
        assert (done.code, _blocking(done)) == (0, {}), done.output
    assert done.result(REVIEW, APP)["status"] == "pass", done.result(REVIEW, APP)


def test_a_second_run_changes_nothing(provisioned: None, asking: t.Callable[[str], Project]) -> None:
    assert _apply(asking(""), ROLES).changed() == 0
    assert _apply(asking(""), ROLES, "--check", "--diff").changed() == 0


@pytest.mark.parametrize(("item", "breaks"), BREAKS)
def test_broken_by_hand_it_fails_alone_and_the_role_mends_it(provisioned: None, asking: t.Callable[[str], Project], item: str, breaks: str) -> None:
    """That it is mended is seen by the next one, which is alone again, and at the end."""
    row, project = TABLE[item], asking(item)
    on(row.host, "sh", "-ec", breaks)
    try:
        done = project.play(VERIFY)
        assert done.code != 0
        assert _blocking(done).keys() == {item}, _blocking(done)
        result = done.result(item, row.host)
        assert result["remedy"] and item in done.output, result
    finally:
        mended = _apply(project, [CATALOGUE[item]["fixed_by"]], "--limit", row.host).changed() if row.mended else None
        on(row.host, "sh", "-c", row.after, check=False)
    assert mended != 0 or breaks in row.silent, "the role left it as it was"


def test_in_the_end_everything_passes_again(provisioned: None, asking: t.Callable[[str], Project]) -> None:
    for side in ("", *TWINS):
        done = asking(side).play(VERIFY)
        assert (done.code, _blocking(done)) == (0, {}), done.output


def test_after_a_reboot_everything_passes(provisioned: None, asking: t.Callable[[str], Project]) -> None:
    for host in (DATA, APP):
        lab("restart", host)
    # A clock is synchronised some seconds after the boot.
    on(APP, "chronyc", "waitsync", "30", "0", "0", "2")
    done = asking("").play(VERIFY)
    assert (done.code, _blocking(done)) == (0, {}), done.output
    assert done.result(REVIEW, APP)["status"] == "pass", done.result(REVIEW, APP)
