"""Every item that a role of the host sets, out of the catalogue: it fails on a bare host, passes after the role, fails when a hand breaks
what it asks about, alone and by its name, and passes again after the role. The order of these tests is the order of a host's life.

An item that is new in the catalogue needs a line in TABLE, or in WITHOUT with the reason why the lab cannot show it.
"""

from __future__ import annotations

import dataclasses
import pathlib
import typing as t

import pytest
import yaml

from tests.support import ROOT, Played, Project, copied_project

from .conftest import APP, DATA, lab, on

pytestmark = pytest.mark.long

AREAS = ("hardware", "os", "docker", "firewall")
# Whatever these set belongs here, in which area it may be.
SETTING = ("os", "docker", "ufw", "fail2ban")
ROLES = (*SETTING, "nginx", "probe_libraries")

# The machine that runs Ansible, as the hosts see it.
CONTROLLER = yaml.safe_load((ROOT / "inventories/lab/group_vars/all/main.yml").read_text())["fail2ban_ignore"][0]

PROVISION, VERIFY = "playbooks/provision.yml", "playbooks/verify.yml"
STRAY = "systemd-run --quiet --collect --unit=gng-stray python3 -m http.server %d"
SILENCED = "iptables -D ufw-user-input -p tcp --dport %d -j ACCEPT"


@dataclasses.dataclass(frozen=True)
class Row:
    """How an item is broken by hand; its role puts it back.

    :ivar breaks: shell commands, each of which breaks the item and no other one that is blocking.
    :ivar host: where.
    :ivar bare: what makes it fail on a bare host on which it would pass by luck; "" where it fails there.
    :ivar after: what puts back, once the role has run, what is not the role's, such as a stray program.
    :ivar role: the role that puts it back, where the item does not name it.
    """

    breaks: t.Sequence[str]
    host: str = APP
    bare: str = ""
    after: str = "true"
    role: str = ""


OLD_LISTS = "touch -d '5 days ago' /var/lib/apt/lists /var/lib/apt/periodic/update-success-stamp"

TABLE: dict[str, Row] = {
    # Operating system
    "os.updated": Row([OLD_LISTS], bare=OLD_LISTS),
    "os.timezone.utc": Row(["ln -sfn /usr/share/zoneinfo/Asia/Tokyo /etc/localtime"], bare="ln -sfn /usr/share/zoneinfo/Asia/Tokyo /etc/localtime"),
    "os.ntp.synced": Row(["systemctl stop chrony"]),
    "os.swap.off": Row(["echo '/swap.img none swap sw 0 0' >>/etc/fstab"], bare="echo '/swap.img none swap sw 0 0' >>/etc/fstab"),
    # Docker
    "docker.compose.version": Row(["apt-get -qy purge docker-compose"]),
    "docker.daemon.running": Row(["systemctl disable docker"]),
    # Firewall
    "fw.ufw.enabled": Row(
        [
            "ufw --force disable",
            "systemctl disable ufw",
            "ufw default allow incoming",
            "iptables -I INPUT -p tcp --dport 99 -j ACCEPT",
            "ip6tables -I INPUT -j ACCEPT",
            "ip6tables -P INPUT ACCEPT",
        ]
    ),
    "fw.ufw.logging": Row(["ufw logging off"]),
    "fw.ufw.sysctl": Row(["echo net/ipv4/ip_forward=0 >>/etc/ufw/sysctl.conf", "sysctl -qw net.ipv4.conf.all.accept_redirects=1"]),
    # The machine that runs Ansible gets in, so that the role can mend it; the neighbour that looks does not.
    "fw.ssh.reachable": Row(["iptables -I ufw-user-input -p tcp -s %s --dport 22 -j ACCEPT; " % CONTROLLER + SILENCED % 22]),
    "fw.http80": Row(["ufw delete allow 80/tcp", "ufw insert 1 deny 80"]),
    "fw.https443": Row(["ufw deny 443/tcp"]),
    "fw.others.blocked": Row(["ufw allow 8081/tcp; " + STRAY % 8081], bare=STRAY % 8081, after="systemctl stop gng-stray"),
    "net.security.validated": Row([SILENCED % 443], bare=STRAY % 8081),
    "cloud.sg": Row(["ufw --force disable"]),
    "db.private.network": Row(
        ["iptables -I ufw-user-input -p tcp --dport 5432 -j ACCEPT; " + STRAY % 5432], host=DATA, bare=STRAY % 5432, after="systemctl stop gng-stray"
    ),
    "fw.fail2ban": Row(
        [
            "fail2ban-client stop sshd",
            "fail2ban-client stop nginx-botsearch",
            "systemctl disable fail2ban",
            "fail2ban-client set sshd delaction nftables",
            "fail2ban-client set sshd banip 203.0.113.9; sleep 2; nft delete table inet f2b-table",
        ],
        after="fail2ban-client unban --all",
    ),
}

WITHOUT: dict[str, str] = {
    "docker.version": "no package source of the lab has an engine that is too old; unit tests hold the version against the minimum",
    "docker.user.group": "no role sets it yet",
    "fw.ssh.only22": "no role sets it yet",
    "gpu.toolkit.installed": "the lab has no GPU",
    "log.rotation": "broken by hand it is docker's file that differs, which test_roles_mend shows; a failure is a warning",
}

# Items that pass on a bare host, whatever is done to it.
BARE_IS_RIGHT = {"fw.ssh.reachable": "a bare host shuts nobody out"}

# What two systems ask in words of their own is asked once here; of the second, in a checklist without the first.
TWINS = {"net.security.validated": "fw.others.blocked", "cloud.sg": "fw.ufw.enabled"}


def _catalogue() -> dict[str, dict[str, t.Any]]:
    """The items that this file has to know, by id."""
    found = {}
    for path in sorted((ROOT / "checklists" / "catalogue").glob("*.yml")):
        for item in yaml.safe_load(path.read_text())["items"]:
            if (path.stem in AREAS and item["class"] == "provision") or item.get("fixed_by") in SETTING:
                found[item["id"]] = item
    return found


CATALOGUE = _catalogue()
BREAKS = [pytest.param(item, one, id="%s: %s" % (item, one)) for item, row in TABLE.items() for one in row.breaks]


def test_the_table_knows_every_item() -> None:
    assert set(CATALOGUE) == TABLE.keys() | WITHOUT.keys(), "a line for each item is missing here, or one too many"
    assert not TABLE.keys() & WITHOUT.keys()
    assert BARE_IS_RIGHT.keys() <= TABLE.keys() and TWINS.keys() <= TABLE.keys()


@pytest.fixture(scope="module")
def asking(tmp_path_factory: pytest.TempPathFactory) -> t.Callable[[str], Project]:
    """A project whose checklist asks the items of the table: those of `item`'s side, where two systems ask the same."""
    made: dict[bool, Project] = {}

    def project(item: str = "") -> Project:
        twin = item in TWINS
        if twin not in made:
            made[twin] = copied_project(pathlib.Path(tmp_path_factory.mktemp("items")))
            left_out = set(TWINS.values() if twin else TWINS)
            items: list[t.Any] = [{"id": one} for one in (*TABLE, "docker.version") if one not in left_out]
            items.append({"id": "net.exposure.reviewed", "severity": "warn"})
            made[twin].edit("checklists/demo.yml", lambda _demo: {"title": "Items that roles set", "items": items})
        return made[twin]

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
    _apply(asking(""), ROLES)


@pytest.mark.parametrize("twin", ["", *TWINS], ids=lambda twin: twin or "all")
def test_a_bare_host_fails(bare: None, asking: t.Callable[[str], Project], twin: str) -> None:
    done = asking(twin).play(VERIFY)
    asked = [twin] if twin else [item for item in TABLE if item not in TWINS]
    answers = {item: done.result(item, TABLE[item].host)["status"] for item in asked}
    assert {item for item, status in answers.items() if status == "pass"} == set(asked) & BARE_IS_RIGHT.keys()


def test_after_the_roles_everything_passes(provisioned: None, asking: t.Callable[[str], Project]) -> None:
    on(APP, "systemctl", "stop", "gng-stray")
    on(DATA, "systemctl", "stop", "gng-stray")
    for side in ("", *TWINS):
        done = asking(side).play(VERIFY)
        assert (done.code, _blocking(done)) == (0, {}), done.output
    assert done.result("net.exposure.reviewed", APP)["status"] == "pass", done.result("net.exposure.reviewed", APP)


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
        mended = _apply(project, [row.role or CATALOGUE[item]["fixed_by"]], "--limit", row.host)
        on(row.host, "sh", "-c", row.after)
    assert mended.changed() > 0, mended.output


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
    assert done.result("net.exposure.reviewed", APP)["status"] == "pass", done.result("net.exposure.reviewed", APP)
