"""What the role os makes of its variables."""

from __future__ import annotations

import typing as t

import pytest

from tests.support import ROOT

from .conftest import Untouched

FILES = [ROOT / "roles/os/defaults/main.yml", ROOT / "roles/os/vars/main.yml"]
APP = "lab-app"


def made_of(project: Untouched, template: str, **variables: t.Any) -> t.Any:
    """What a template of the role is on one host, with these variables instead of the defaults."""
    project.edit("own.yml", lambda _: variables)
    return project.filled_in({"made": template}, vars_files=[*FILES, project.root / "own.yml"])[APP]["made"]


def test_all_interfaces_and_new_ones_are_written_out_beside_a_pattern_for_interfaces(project: Untouched) -> None:
    settings = made_of(project, "{{ __os_sysctl }}")
    names = ("ipv4.%s.rp_filter", "ipv4.%s.accept_redirects", "ipv4.%s.accept_source_route", "ipv4.%s.send_redirects", "ipv6.%s.accept_redirects")
    for name in names:
        values = {settings["net." + name % ("conf." + one)] for one in ("*", "all", "default")}
        assert values == {"2" if "rp_filter" in name else "0"}
    assert settings["net.ipv4.tcp_syncookies"] == "1" and not [name for name in settings if "all" in name and "conf.all." not in name]


def test_what_the_inventory_writes_out_stays_beside_a_pattern(project: Untouched) -> None:
    own = {
        "os_sysctl": ["net.ipv4.conf.*.send_redirects=0", "net/ipv6/conf/*/accept_ra=0", "kernel.kptr_restrict=1"],
        "os_sysctl_options": {"net.ipv4.conf.all.send_redirects": 1},
        "os_overcommit_memory": "1",
        "os_ptrace_scope": "1",
    }
    assert made_of(project, "{{ __os_sysctl }}", **own) == {
        "kernel.kptr_restrict": "1",
        "kernel.yama.ptrace_scope": "1",
        "net.ipv4.conf.*.send_redirects": "0",
        "net.ipv4.conf.all.send_redirects": 1,
        "net.ipv4.conf.default.send_redirects": "0",
        "net/ipv6/conf/*/accept_ra": "0",
        "net/ipv6/conf/all/accept_ra": "0",
        "net/ipv6/conf/default/accept_ra": "0",
        "vm.overcommit_memory": "1",
    }


@pytest.mark.parametrize(("blacklist", "wrong"), [([""], 1), (["docker", ".*"], 1), (["docker", "nvidia"], 0), ([], 0)])
def test_what_leaves_every_package_alone_is_refused(project: Untouched, blacklist: list[str], wrong: int) -> None:
    said = made_of(project, "{{ __os_wrong }}", os_upgrade_blacklist=blacklist)
    assert len(said) == wrong and all("os_upgrade_blacklist" in one for one in said)


RUNNING, SOURCE = ["enabled", "active"], "^,*,time.example,2,6,17,10,0.1,0.1,0.1"


@pytest.mark.parametrize(
    ("said", "differs"),
    [
        ([*RUNNING, SOURCE], False),
        ([*RUNNING, "/etc/chrony/chrony.conf", SOURCE], True),
        ([*RUNNING, SOURCE.replace("time.", "other.")], True),
        (["disabled", "active", SOURCE], True),
        (["enabled", "inactive"], True),
        ([], True),
    ],
)
def test_chrony_is_restarted_where_it_does_not_do_what_its_file_says(project: Untouched, said: list[str], differs: bool) -> None:
    own = {"os_ntp_servers": ["time.example"], "os_ntp_serve_to": [], "__os_chrony_live": {"stdout_lines": said}}
    assert made_of(project, "{{ __os_chrony_differs }}", **own) is differs


INSTALLED = ["ii  bash", "ii  docker.io", "hi  nvidia-driver-570", "rc  docker-ce", "ii  runc", "ii  libdocker"]


@pytest.mark.parametrize(
    ("blacklist", "alone"),
    [(["docker", "nvidia-", "runc"], ["docker.io", "nvidia-driver-570", "runc"]), (["ba|z"], ["bash"]), (["nginx"], []), ([], [])],
)
def test_what_the_upgrade_leaves_alone_is_what_is_installed_of_the_blacklist(project: Untouched, blacklist: list[str], alone: list[str]) -> None:
    own = {"os_unattended_blacklist": blacklist, "__os_dpkg": {"stdout_lines": INSTALLED}}
    assert made_of(project, "{{ __os_left_alone }}", **own) == alone


@pytest.mark.parametrize(
    ("packages", "virtualization", "own", "off"),
    [
        (["bash", "apport"], "kvm", {}, True),
        (["bash"], "kvm", {}, False),
        (["apport"], "container", {}, False),
        (["apport"], "kvm", {"os_sysctl_options": {"fs.suid_dumpable": 2}}, False),
    ],
)
def test_apport_is_switched_off_where_it_would_undo_a_setting(
    project: Untouched, packages: list[str], virtualization: str, own: dict[str, t.Any], off: bool
) -> None:
    facts = {"distribution": "Ubuntu", "virtualization_role": "guest", "virtualization_type": virtualization}
    assert made_of(project, "{{ __os_apport }}", os_packages=packages, ansible_facts=facts, **own) is off
