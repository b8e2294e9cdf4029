"""The os role on one bare host, item by item: what fails before, passes after, fails alone when it is broken by hand, and is mended."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import time
import typing as t

import pytest
import yaml

from tests.support import ROOT, Played, Project, copied_project

from .breaks import JOURNALD, NOT_PENDING, PENDING, TABLE
from .conftest import await_, lab, on
from .probing import error, observed, value

pytestmark = pytest.mark.long

WATCH, HOST = "lab-watch", "launch-pad"
PROVISION, VERIFY = "playbooks/provision.yml", "playbooks/verify.yml"
SNAPSHOT = (ROOT / "tests" / "lab" / "snapshot.sh").read_text()
LIVE = "sysctl -a 2>/dev/null | grep -E 'overcommit_memory|protected_|_restrict|redirects|source_route|rp_filter'; systemctl show -p DefaultLimitNOFILESoft"

CATALOGUE = {item["id"]: item for name in ("os", "hardware") for item in yaml.safe_load((ROOT / "checklists/catalogue" / (name + ".yml")).read_text())["items"]}
PROVISIONED = {name for name, item in CATALOGUE.items() if item.get("fixed_by") == "os"}
# Of Yama, which the machine's kernel may lack.
ASKED = sorted(name for name, item in CATALOGUE.items() if item.get("probe") in ("os", "hardware") and name not in ("os.ptrace", "infra.gpu.model"))
# What a bare host of the lab has right by itself, or sees of the machine that it runs on.
RIGHT_ALREADY = {"os.updated", "os.timezone.utc", "os.swap.off", "os.journal", "os.unattended.reboot"}

ROLE_FILES = (
    "/etc/sysctl.d/gonogo.conf /etc/tmpfiles.d/gonogo.conf /etc/systemd/system.conf.d/gonogo.conf /etc/systemd/journald.conf.d/gonogo.conf "
    "/etc/security/limits.d/gonogo.conf /etc/apt/apt.conf.d/52gonogo-unattended-upgrades"
)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """One host that carries every group, asked what it is itself. It follows its own clock."""
    made = copied_project(tmp_path_factory.mktemp("os"))
    (made.inventory / "hosts.yml").write_text((ROOT / "inventories/one/hosts.yml").read_text())
    made.edit("policy/lab/gate.yml", lambda gate: dict(gate, fleet=yaml.safe_load((ROOT / "policy/one/gate.yml").read_text())["fleet"]))
    made.edit("policy/lab/waivers.yml", lambda _: {"waivers": [], "not_applicable": []})
    expected = {"os.ntp.synced": {"one_of": ["own clock", "synchronised"]}}
    items = [{"id": name, **({"expect": expected[name]} if name in expected else {})} for name in ASKED]
    made.edit("checklists/demo.yml", lambda _: {"title": "Host", "items": items})
    return made


def provision(project: Project, *arguments: str, fails: bool = False) -> Played:
    done = project.play(PROVISION, "--tags", "os", "--diff", *arguments)
    assert (done.code != 0) is fails, done.output
    return done


def failing(project: Project) -> dict[str, str]:
    """{item: what was found} of all that fails or cannot be looked at, those apart that only warn."""
    results = project.play(VERIFY).report["results"]
    assert {one["item"] for one in results} >= set(ASKED)
    return {one["item"]: str(one["observed"]) for one in results if one["status"] != "pass" and one["severity"] == "block" and one["item"] in ASKED}


def shell(script: str, *, check: bool = True) -> str:
    return on(WATCH, "sh", "-c", script, check=check)


def snapshot() -> str:
    return shell(SNAPSHOT + LIVE, check=False)


@pytest.fixture(scope="module")
def bare(project: Project) -> None:
    lab("up", "--fresh", WATCH, timeout=1800)


@pytest.fixture(scope="module")
def before(bare: None, project: Project) -> dict[str, t.Any]:
    """What a bare host fails, and what a dry run says to it and leaves of it."""
    was = snapshot()
    found = {"failing": failing(project), "dry": provision(project, "--check")}
    return {**found, "left": snapshot() == was}


@pytest.fixture(scope="module")
def converged(before: dict[str, t.Any], project: Project) -> Played:
    return provision(project)


def test_a_bare_host_fails_what_the_role_sets(before: dict[str, t.Any]) -> None:
    assert PROVISIONED - RIGHT_ALREADY - {"os.ptrace"} <= set(before["failing"])
    assert set(before["failing"]) <= PROVISIONED | {"os.reboot"}


def test_a_dry_run_on_a_bare_host_tells_and_changes_nothing(before: dict[str, t.Any]) -> None:
    dry = before["dry"]
    assert dry.changed() >= 5, dry.output
    for words in ("+APT::Periodic::Unattended-Upgrade", "+-net.ipv4.tcp_syncookies = 1", "+DefaultLimitNOFILE=16384:524288"):
        assert words in dry.output
    assert re.search(r"NEW packages will be installed:[^:]*\bunattended-upgrades\b", dry.output), dry.output
    assert "/proc/sys/net/ipv4/conf/all/send_redirects = 0" in dry.output
    assert before["left"]


def test_a_provisioned_host_passes_and_a_second_run_changes_nothing(converged: Played, project: Project) -> None:
    assert converged.changed() >= 5
    assert failing(project) == {}
    dry = provision(project, "--check")
    assert dry.changed() == 0, dry.output
    again = provision(project)
    assert again.changed() == 0, again.output


def test_everything_passes_after_a_reboot(converged: Played, project: Project) -> None:
    lab("restart", WATCH)
    assert failing(project) == {}
    assert provision(project).changed() == 0


def test_one_run_mends_all_that_hands_have_broken(converged: Played, project: Project) -> None:
    # Whoever reboots a host or sets its time is no role.
    broken = {item: row for item, row in TABLE.items() if item in PROVISIONED - {"os.ntp.offset"}}
    for row in broken.values():
        shell(row.breaks[-1])
    try:
        assert broken.keys() <= failing(project).keys()
        was = snapshot()
        dry = provision(project, "--check")
        assert dry.changed() >= 6, dry.output
        assert snapshot() == was
        done = provision(project)
        assert done.changed() >= 6
        assert failing(project) == {}
        assert provision(project).changed() == 0
    finally:
        for row in broken.values():
            shell(row.after, check=False)


def test_a_kernel_that_a_reboot_would_start(converged: Played, project: Project) -> None:
    """Where no file says so, as on Debian: a newer kernel of the same flavour is installed."""
    running = os.uname().release
    flavour = re.fullmatch(r"[\d.]+(?:[+~]\w+)*(?:-\d+)?-([A-Za-z].*)", running)
    if not flavour:
        pytest.skip("the machine's kernel %s has no flavour" % running)
    name = "linux-image-99.1.2-" + flavour[1]
    shell(
        "mkdir -p /root/k/DEBIAN && printf 'Package: %s\\nVersion: 99.1.2-1\\nArchitecture: all\\nMaintainer: nobody\\nDescription: x\\n' "
        ">/root/k/DEBIAN/control && dpkg-deb --build /root/k /root/k.deb && dpkg -i /root/k.deb" % name
    )
    try:
        assert value_of("reboot") == ["kernel %s runs, 99.1.2-%s is installed" % (running, flavour[1])]
        assert set(failing(project)) == {"os.reboot"}
    finally:
        shell("dpkg --purge %s; rm -r /root/k /root/k.deb" % name)


def value_of(fact: str, **more: t.Any) -> t.Any:
    return value(WATCH, "os", fact=fact, **more)


def test_a_service_that_runs_what_is_gone(converged: Played, project: Project) -> None:
    assert value_of("outdated") == []
    shell("cp /bin/sleep /usr/local/bin/gng-sleep && systemd-run --quiet --unit=gng-old /usr/local/bin/gng-sleep 300 && sleep 1 && rm /usr/local/bin/gng-sleep")
    try:
        assert value_of("outdated") == ["gng-old.service"]
        report = project.play(VERIFY).report
        (row,) = (one for one in report["results"] if one["item"] == "os.services.current")
        assert (row["status"], row["outcome"]) == ("fail", "warned")
    finally:
        shell("systemctl stop gng-old")


def test_settings_that_journald_has_not_read_do_not_count(converged: Played) -> None:
    shell("sleep 2; touch " + JOURNALD)
    assert "has run since before" in error(WATCH, "os", fact="journal_limit")
    shell("systemctl restart systemd-journald")
    assert value_of("journal_limit") == 2 * 2**30


def test_a_chronyd_that_runs_on_with_what_its_file_had_before_is_restarted(converged: Played, project: Project) -> None:
    """As a run leaves it that was killed between the file and the restart, with another pool."""
    path = "/etc/chrony/chrony.conf"
    shell("cp {0} /root/right; echo 'pool old.invalid iburst' >>{0}; systemctl restart chrony; sleep 1; cat /root/right >{0}; rm /root/right".format(path))
    before = shell("systemctl show -p MainPID chrony")
    done = provision(project)
    assert done.changed() == 1, done.output
    assert shell("systemctl show -p MainPID chrony") != before
    assert failing(project) == {}
    assert provision(project).changed() == 0


def test_what_is_held_is_neither_updated_nor_pending(converged: Played, project: Project) -> None:
    shell(PENDING)
    try:
        project.edit("inventories/lab/group_vars/all/held.yml", lambda _: {"os_held_packages": ["gng-dummy"]})
        # A dry run cannot see that what it would hold is then not updated.
        assert provision(project, "--check").changed() == 2
        assert provision(project).changed() == 1
        assert provision(project).changed() == 0
        assert shell("dpkg-query -W -f '${Version}' gng-dummy") == "1"
        assert value_of("pending", held=["gng-dummy"]) == [] and value_of("pending") == ["gng-dummy"]
        assert failing(project) == {}
        project.edit("inventories/lab/group_vars/all/held.yml", lambda _: {"os_held_packages": []})
        assert set(failing(project)) == {"os.updated"}, "a hold that nobody declares hides no update"
    finally:
        (project.inventory / "group_vars/all/held.yml").unlink()
        shell("apt-mark unhold gng-dummy;" + NOT_PENDING)


def test_what_updates_without_a_hand_leave_alone_the_role_leaves_alone_too(converged: Played, project: Project) -> None:
    file = "inventories/lab/group_vars/all/blacklist.yml"
    shell(PENDING)
    try:
        project.edit(file, lambda _: {"os_unattended_blacklist": ["docker", "gng-"]})
        provision(project, "--check")
        provision(project)
        assert shell("dpkg-query -W -f '${Version}' gng-dummy") == "1"
        seen = observed(WATCH, "os", fact="pending", blacklist=["docker", "gng-"])
        assert seen["value"] == [] and "left to the operator by os_upgrade_blacklist: gng-dummy" in seen["evidence"]
        assert provision(project).changed() == 0
        project.edit(file, lambda data: {**data, "os_upgrade_blacklist": []})
        assert provision(project).changed() == 1
        assert shell("dpkg-query -W -f '${Version}' gng-dummy") == "2"
    finally:
        (project.root / file).unlink()
        shell(NOT_PENDING)
    provision(project)
    assert provision(project).changed() == 0


def test_a_limit_of_one_user_or_group_is_seen(converged: Played, project: Project) -> None:
    """It goes before the role's line, which is for all, in whichever file it stands."""
    for line in ("deploy - nofile 1024", "@users soft nofile 1024"):
        shell("echo '%s' >/etc/security/limits.d/00-own.conf" % line)
        try:
            assert set(failing(project)) == {"os.limits"}
            assert observed(WATCH, "os", fact="open_files")["value"] == 1024
        finally:
            shell("rm /etc/security/limits.d/00-own.conf")
    assert failing(project) == {}


def test_security_updates_that_a_hand_has_left_out_are_named(converged: Played, project: Project) -> None:
    shell("""echo 'Unattended-Upgrade::Package-Blacklist { "lib|linux|open"; };' >/etc/apt/apt.conf.d/99-own""")
    try:
        found = failing(project)
        assert set(found) == {"os.unattended"} and "openssh-server" in str(found)
        assert provision(project).changed() == 0
    finally:
        shell("rm /etc/apt/apt.conf.d/99-own")
    assert failing(project) == {}


def test_what_a_container_cannot_set_is_said_and_is_neither_a_change_nor_a_failure(converged: Played, project: Project) -> None:
    shell("sysctl -qw vm.overcommit_memory=0 && mount --bind /proc/sys /proc/sys && mount -o remount,bind,ro /proc/sys")
    try:
        done = provision(project)
        assert done.changed() == 0, done.output
        assert "/proc/sys/vm/overcommit_memory is 0, not 1: read-only here" in done.output
        assert set(failing(project)) == {"os.overcommit"}
    finally:
        shell("umount /proc/sys && sysctl -qw vm.overcommit_memory=1")


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"os_unattended_reboot": "sometimes"}, "os_unattended_reboot is 'sometimes'; it is never, or a time of the day"),
        ({"os_unattended_reboot": "idle 25:00"}, "os_unattended_reboot is 'idle 25:00'"),
        ({"os_open_files": 2000000000}, "os_open_files is 2000000000; it is a number from 1024 to 1048576"),
        ({"os_sysctl_options": {"net.ipv4.ip_forward": 0}}, "net.ipv4.ip_forward=0: it takes the network from containers"),
        ({"os_sysctl_options": {"net.ipv4.conf.all.rp_filter": 1}}, "net.ipv4.conf.all.rp_filter=1"),
        ({"os_sysctl": ["kernel.dmesg_restrict"]}, "kernel.dmesg_restrict: os_sysctl"),
    ],
)
def test_what_would_do_harm_is_refused_by_name(converged: Played, project: Project, variables: dict[str, t.Any], words: str) -> None:
    was = snapshot()
    project.edit("inventories/lab/group_vars/all/harm.yml", lambda _: variables)
    try:
        assert words in " ".join(provision(project, fails=True).output.split())
    finally:
        (project.inventory / "group_vars/all/harm.yml").unlink()
    assert snapshot() == was


def test_a_policy_for_reboots_and_settings_of_ones_own(converged: Played, project: Project) -> None:
    own = {"os_unattended_reboot": "idle 03:30", "os_sysctl_options": {"net.core.somaxconn": 4097}}
    project.edit("inventories/lab/group_vars/all/own.yml", lambda _: own)
    try:
        assert provision(project).changed() == 3
        assert value_of("unattended_reboot") == "idle 03:30"
        assert value_of("setting", name="net.core.somaxconn") == "4097"
    finally:
        (project.inventory / "group_vars/all/own.yml").unlink()
    assert provision(project).changed() == 2


@pytest.fixture(scope="module")
def system(bare: None) -> tuple[str, str]:
    """The distribution and the name of its release, such as debian and trixie."""
    name, release = shell(". /etc/os-release; echo $ID $VERSION_CODENAME").split()
    return name, release


def test_an_outage_of_the_package_sources_leaves_what_runs_alone_and_names_the_mend(converged: Played, project: Project, system: tuple[str, str]) -> None:
    nowhere = "http://127.0.0.1:9/archive"
    own, security = "/etc/apt/sources.list.d/%s.sources" % system[0], nowhere + ("-security" if system[0] == "debian" else "")
    running = shell("systemctl show -p MainPID chrony systemd-journald ssh; sha256sum %s" % ROLE_FILES)
    sources = shell("cat " + own)
    project.edit("inventories/lab/group_vars/all/mirror.yml", lambda _: {"os_apt_mirror": nowhere})
    try:
        said = " ".join(provision(project, fails=True).output.split())
    finally:
        (project.inventory / "group_vars/all/mirror.yml").unlink()
    assert "os_apt_mirror (%s) and os_apt_security_mirror (%s)" % (nowhere, security) in said
    assert "name a mirror that it can reach under os_apt_mirror" in said and "What runs was left alone" in said
    assert shell("systemctl show -p MainPID chrony systemd-journald ssh; sha256sum %s" % ROLE_FILES) == running
    assert "URIs: " + nowhere in shell("cat /etc/apt/sources.list.d/gonogo.sources; ! test -e " + own)
    provision(project)
    assert shell("cat %s; ls /etc/apt/sources.list.d" % own) == sources + "%s.sources\n" % system[0]
    assert provision(project).changed() == 0
    assert failing(project) == {}


def test_a_mirror_takes_the_place_of_the_sources_until_it_is_taken_away(converged: Played, project: Project, system: tuple[str, str]) -> None:
    name, release = system
    sources = shell("cat /etc/apt/sources.list.d/%s.sources" % name)
    mirror, security = re.findall(r"^URIs: (\S+)$", sources, re.MULTILINE)
    own = {"os_apt_mirror": mirror, "os_apt_security_mirror": security, "os_apt_components": ["main", "contrib" if name == "debian" else "universe"]}
    project.edit("inventories/lab/group_vars/all/mirror.yml", lambda _: own)
    try:
        provision(project)
        assert shell("cd /etc/apt/sources.list.d && ls").split() == sorted([name + ".sources.gonogo-aside", "gonogo.sources"])
        assert provision(project).changed() == 0
        # A run that was killed before it fetched the lists of the mirror.
        shell("touch -d '1 hour ago' /var/lib/apt/periodic/update-success-stamp; rm /var/lib/apt/lists/*_InRelease")
        provision(project)
        assert "_dists_%s_InRelease" % release in shell("ls /var/lib/apt/lists")
        assert failing(project) == {}
    finally:
        (project.inventory / "group_vars/all/mirror.yml").unlink()
    provision(project)
    assert shell("cat /etc/apt/sources.list.d/%s.sources; ls /etc/apt/sources.list.d" % name) == sources + name + ".sources\n"
    assert provision(project).changed() == 0


@pytest.mark.parametrize("point", ["/etc/apt/apt.conf.d/52gonogo-unattended-upgrades", "/etc/sysctl.d/gonogo.conf", "/etc/chrony/chrony.conf"])
def test_a_run_that_was_killed_is_finished_by_the_next(converged: Played, project: Project, point: str) -> None:
    shell("rm -f %s /etc/chrony/chrony.conf; sysctl -qw vm.overcommit_memory=0 net.ipv4.conf.all.send_redirects=1; systemctl daemon-reload" % ROLE_FILES)
    command = ["ansible-playbook", PROVISION, "-i", str(project.inventory), "--tags", "os"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True) as run:
        await_(lambda: shell("test -e %s && echo there" % shlex.quote(point), check=False), seconds=120)
        os.killpg(run.pid, signal.SIGKILL)
    time.sleep(2)
    provision(project)
    assert failing(project) == {}
    assert provision(project).changed() == 0
    assert shell("find /etc -name '*.gonogo-new' -o -name 'gonogo-test.conf'") == ""


def test_hardware_as_the_host_sees_it(converged: Played) -> None:
    paths = ["/var/lib/docker", "/var/lib/postgresql", "/opt/gonogo"]
    free = value(WATCH, "hardware", fact="disk_free", paths=paths)
    assert 0 < free <= value(WATCH, "hardware", fact="disk_bytes", paths=paths)
    seen = observed(WATCH, "hardware", fact="disk_kind", paths=paths)
    assert re.fullmatch(r"((hdd|nvme) and )?overlay( and ssd)?", seen["value"]), seen
    # A container does not see what its root file system lies on; nothing that is not seen is encrypted.
    assert "/var/lib/postgresql" in value(WATCH, "hardware", fact="unencrypted", paths=paths)
    assert "needs absolute paths" in error(WATCH, "hardware", fact="disk_free", paths=["var"])


def test_ports_of_others(converged: Played) -> None:
    shell("systemd-run --quiet --unit=gng-port python3 -m http.server 8080 --bind 127.0.0.1")
    try:
        await_(lambda: ":8080" in shell("ss -Hltn"), seconds=10)
        asked = {"fact": "foreign", "ports": [5432, 8000, 8080], "project": "app"}
        assert value(WATCH, "process", **asked) == ["8080 (python3)"]
        assert value(WATCH, "process", programs=["python3"], **asked) == []
    finally:
        shell("systemctl stop gng-port")


def test_where_a_name_leads(converged: Played) -> None:
    assert value(WATCH, "network", fact="foreign", name="localhost", addresses=["127.0.0.0/8", "::1"]) == []
    assert value(WATCH, "network", fact="foreign", name="localhost", addresses=["::1"]) == ["127.0.0.1"]
    assert "no such name" in error(WATCH, "network", fact="foreign", name="nobody.invalid", addresses=["::1"])
