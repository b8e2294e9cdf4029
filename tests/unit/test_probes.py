# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Probes that read commands and files, on captured outputs of the real tools; one that cannot look never has a value."""

from __future__ import annotations

import os
import time

import pytest

from ansible_collections.gonogo.preflight.plugins.module_utils._probes import (
    _base,
    _docker,
    _fail2ban,
    _hardware,
    _os,
    _sshd,
    _ufw,
)
from ansible_collections.gonogo.preflight.plugins.module_utils._probes._base import ProbeError, output_of

GARBAGE = ["", "\n", "\0\0\0", "<html>502 Bad Gateway</html>", "Segmentation fault", "é\n" * 3]


@pytest.fixture
def commands(monkeypatch, captured):
    """Let a probe's commands answer with captured outputs: words of the command line to the name of a capture, or an error."""

    def install(module, answers):
        def output(arguments, **_options):
            line = " ".join(arguments)
            answer = next(answers[words] for words in answers if words in line)
            if isinstance(answer, Exception):
                raise answer
            return captured(answer)

        monkeypatch.setattr(module, "output_of", output)

    return install


def value(kind, **arguments):
    return kind({}).observe(arguments).value


def error(kind, **arguments):
    with pytest.raises(ProbeError) as raised:
        kind({}).observe(arguments)
    return str(raised.value)


PARSERS = [
    (_docker.parse_unit, ()),
    (_fail2ban.parse_jails, ()),
    (_fail2ban.parse_actions, ()),
    (_hardware.parse_meminfo, ()),
    (_hardware.parse_mount, ("/",)),
    (_hardware.parse_default_interface, ()),
    (_os.parse_pending, ()),
    (_os.parse_release, ()),
    (_os.parse_swaps, ()),
    (_os.parse_tracking, ()),
    (_ufw.parse_verbose, ()),
]


@pytest.mark.parametrize("text", GARBAGE)
@pytest.mark.parametrize(("parse", "more"), PARSERS)
def test_garbage_is_an_error_and_no_observation(parse, more, text):
    with pytest.raises(ProbeError):
        parse(text, *more)


# Running a command


def test_a_command_runs_in_the_c_locale_and_without_a_shell(monkeypatch):
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    monkeypatch.setenv("PATH", "/nonexistent")
    assert "LC_ALL=C\n" in output_of(["env"])
    assert output_of(["echo", "$HOME; exit"]) == "$HOME; exit\n"


def test_a_command_that_is_not_installed_names_its_package():
    with pytest.raises(ProbeError) as raised:
        output_of(["no-such-command"], package="some-package")
    assert (str(raised.value), raised.value.remedy) == ("no-such-command is not installed", "apt-get install some-package")


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("echo first; echo last >&2; exit 3", "ended with status 3: last"),
        ("echo only; exit 3", "ended with status 3: only"),
        ("exit 3", "ended with status 3: no message"),
        ("kill -SEGV $$", "ended with status -11: no message"),
    ],
)
def test_a_command_that_fails_says_how(script, message):
    with pytest.raises(ProbeError) as raised:
        output_of(["sh", "-c", script])
    assert message in str(raised.value)


def test_a_status_may_be_part_of_the_answer():
    assert output_of(["sh", "-c", "echo disabled; exit 1"], accept=(0, 1)) == "disabled\n"


def test_a_command_that_hangs_is_an_error_within_its_limit(monkeypatch):
    monkeypatch.setattr(_base, "_COMMAND_LIMIT", 0.2)
    began = time.monotonic()
    with pytest.raises(ProbeError, match="gave no answer within"):
        output_of(["sleep", "60"])
    assert time.monotonic() - began < 5


def test_a_warning_that_says_that_something_was_not_seen_is_an_error():
    """apt leaves out what it may not read, and ends with status 0."""
    warning = "W: Unable to read /etc/apt/sources.list.d/own.list - open (13: Permission denied)"
    script = ["sh", "-c", "echo '0 upgraded'; echo '%s' >&2" % warning]
    assert output_of(script) == "0 upgraded\n"
    with pytest.raises(ProbeError) as raised:
        output_of(script, refuse="Unable to read")
    assert str(raised.value).endswith("did not see everything: %s" % warning)


# Operating system


@pytest.mark.parametrize(
    ("text", "release"),
    [
        ("ID=debian\nVERSION_ID=13\n", "debian 13"),
        ("VERSION_ID='24.04'\nID='ubuntu'\n", "ubuntu 24.04"),
        ('NAME="x"\nID_LIKE="debian"\nID="rocky"\nVERSION_ID="9.4"', "rocky 9.4"),
    ],
)
def test_release(text, release):
    assert _os.parse_release(text) == release


@pytest.mark.parametrize(("name", "release"), [("os-release-13-debian", "debian 13"), ("os-release-24.04-ubuntu", "ubuntu 24.04")])
def test_captured_release(captured, name, release):
    assert _os.parse_release(captured(name)) == release


@pytest.mark.parametrize("text", ["ID=debian\n", "VERSION_ID=13\n", "ID=\nVERSION_ID=13\n"])
def test_half_a_release_is_an_error(text):
    with pytest.raises(ProbeError):
        _os.parse_release(text)


@pytest.mark.parametrize(
    ("name", "packages", "kept_back"),
    [
        ("apt-3.0.4-debian13-none", [], 0),
        ("apt-3.0.4-debian13-pending", ["openssl-provider-legacy", "libssl3t64", "openssl"], 0),
        ("apt-2.8.4-ubuntu24.04-pending", ["base-files", "tzdata"], 0),
        ("apt-2.8.4-ubuntu24.04-kept-back", ["base-files"], 1),
    ],
)
def test_pending(captured, name, packages, kept_back):
    assert _os.parse_pending(captured(name)) == (packages, kept_back)


def test_pending_counts_what_is_new_or_downgraded():
    text = "1 upgraded, 2 newly installed, 1 downgraded, 3 to remove and 0 not upgraded.\nInst a (1)\nInst b (1)\nInst c (1)\nInst d (1)\nRemv e [1]\n"
    assert _os.parse_pending(text) == (["a", "b", "c", "d"], 0)


def test_pending_that_lists_fewer_than_it_counts_is_an_error(captured):
    whole = captured("apt-3.0.4-debian13-pending")
    cut = "".join(line for line in whole.splitlines(keepends=True) if not line.startswith("Inst openssl "))
    with pytest.raises(ProbeError, match="lists 2 packages, and its summary says: 3 upgraded"):
        _os.parse_pending(cut)


@pytest.fixture
def apt(tmp_path):
    """(directory of lists, stamp), as apt leaves them."""
    lists, stamp = tmp_path / "lists", tmp_path / "stamp"
    (lists / "partial").mkdir(parents=True)
    (lists / "deb.debian.org_debian_dists_trixie_InRelease").touch()
    return lists, stamp


def test_lists_are_as_new_as_the_last_success_that_can_be_seen(apt):
    lists, stamp = apt
    os.utime(lists, (1000, 1000))
    assert _os.fetched_at(str(lists), str(stamp)) == 1000
    stamp.touch()
    os.utime(stamp, (3000, 3000))
    assert _os.fetched_at(str(lists), str(stamp)) == 3000
    os.utime(stamp, (500, 500))
    assert _os.fetched_at(str(lists), str(stamp)) == 1000


def test_an_update_that_failed_does_not_make_lists_new(apt):
    lists, stamp = apt
    os.utime(lists, (1000, 1000))
    os.utime(lists / "partial", (9000, 9000))
    assert _os.fetched_at(str(lists), str(stamp)) == 1000


def test_no_lists_are_an_error(apt, tmp_path):
    lists, stamp = apt
    next(lists.glob("*InRelease")).unlink()
    for place in (lists, tmp_path / "absent"):
        with pytest.raises(ProbeError) as raised:
            _os.fetched_at(str(place), str(stamp))
        assert raised.value.remedy == "apt-get update"


@pytest.mark.parametrize(("days", "old"), [(0, False), (1.9, False), (2.1, True), (400, True), (-0.005, False), (-1, True)])
def test_old_lists_say_nothing_about_what_is_pending(apt, commands, monkeypatch, days, old):
    lists, stamp = apt
    moment = time.time() - days * 86400
    os.utime(lists, (moment, moment))
    monkeypatch.setattr(_os, "_LISTS", str(lists))
    monkeypatch.setattr(_os, "_STAMP", str(stamp))
    monkeypatch.setattr(_os, "_REBOOT", str(stamp))
    commands(_os, {"dpkg-query": "dpkg-query-1.22.22-debian13-installed", "apt-cache": "apt-3.0.4-debian13-none", "apt-get": "apt-3.0.4-debian13-none"})
    if old:
        assert "days ago (at most 2)" in error(_os.OsProbe, fact="pending")
    else:
        assert value(_os.OsProbe, fact="pending") == []


POLICY = "bash:\n  Installed: 5.2\n  Candidate: %s\n  Version table:\n *** 5.2 500\n"


def test_installed_packages(captured):
    assert _os.parse_installed(captured("dpkg-query-1.22.22-debian13-installed")) == ["base-files", "bash", "libc6:amd64", "openssl"]
    assert _os.parse_installed("ii  bash\nrc  nano\nun  vim\nhi  zsh\n") == ["bash", "zsh"]


@pytest.mark.parametrize("line", ["iU  nano", "iF  nano", "iH  nano", "it  nano", "iiR nano", "ii ", "nonsense"])
def test_a_package_that_is_half_installed_leaves_it_to_the_simulation(line):
    assert _os.parse_installed("ii  bash\n%s\n" % line) == []


def test_what_apt_would_choose(captured):
    assert _os.parse_newest(captured("apt-3.0.4-debian13-policy"), 4)
    assert not _os.parse_newest(captured("apt-3.0.4-debian13-policy"), 5), "one of them has no entry"
    assert _os.parse_newest(POLICY % "5.2", 1)
    for other in ("5.3", "5.1", "(none)", ""):
        assert not _os.parse_newest(POLICY % other, 1)


@pytest.mark.parametrize(
    ("policy", "check", "simulated"),
    [
        (POLICY % "5.2", "Reading package lists...\n", False),
        (POLICY % "5.3", "", True),
        ("", "", True),
        (POLICY % "5.2", ProbeError("Unmet dependencies"), True),
    ],
)
def test_updates_are_simulated_unless_it_is_certain_that_there_are_none(apt, captured, monkeypatch, policy, check, simulated):
    lists, stamp = apt
    os.utime(lists)
    monkeypatch.setattr(_os, "_LISTS", str(lists))
    monkeypatch.setattr(_os, "_STAMP", str(stamp))
    monkeypatch.setattr(_os, "_REBOOT", str(stamp) + ".none")
    answers = {"dpkg-query": "ii  bash\n", "policy": policy, "check": check, "full-upgrade": captured("apt-3.0.4-debian13-pending")}

    def output(arguments, **_options):
        answer = next(answers[word] for word in answers if word in arguments)
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(_os, "output_of", output)
    assert value(_os.OsProbe, fact="pending") == (["openssl-provider-legacy", "libssl3t64", "openssl"] if simulated else [])


def test_a_reboot_that_is_due_is_pending(apt, commands, monkeypatch, tmp_path):
    lists, stamp = apt
    (tmp_path / "reboot-required").touch()
    monkeypatch.setattr(_os, "_LISTS", str(lists))
    monkeypatch.setattr(_os, "_STAMP", str(stamp))
    monkeypatch.setattr(_os, "_REBOOT", str(tmp_path / "reboot-required"))
    commands(_os, {"dpkg-query": "dpkg-query-1.22.22-debian13-installed", "apt-cache": "apt-3.0.4-debian13-none", "apt-get": "apt-3.0.4-debian13-none"})
    assert value(_os.OsProbe, fact="pending") == ["reboot"]


@pytest.mark.parametrize(
    ("name", "leap", "reference", "clock"),
    [
        ("chronyc-4.6.1-debian13-synchronised", "Normal", "172.30.77.12", "synchronised"),
        ("chronyc-4.6.1-debian13-local", "Normal", "7F7F0101", "own clock"),
        ("chronyc-4.5-ubuntu24.04-local", "Normal", "7F7F0101", "own clock"),
        ("chronyc-4.6.1-debian13-unsynchronised", "Not synchronised", "00000000", "not synchronised"),
    ],
)
def test_time(commands, captured, name, leap, reference, clock):
    assert _os.parse_tracking(captured(name)) == (leap, reference)
    commands(_os, {"chronyc": name})
    assert value(_os.OsProbe, fact="clock") == clock


def test_a_leap_second_leaves_the_clock_synchronised(captured, monkeypatch):
    text = captured("chronyc-4.6.1-debian13-synchronised").replace("Normal", "Insert second")
    monkeypatch.setattr(_os, "output_of", lambda *_arguments, **_options: text)
    assert value(_os.OsProbe, fact="clock") == "synchronised"


def test_a_silent_chrony_is_an_error(commands):
    commands(_os, {"chronyc": ProbeError("506 Cannot talk to daemon")})
    assert error(_os.OsProbe, fact="clock") == "506 Cannot talk to daemon"


@pytest.mark.parametrize(
    ("target", "zone"),
    [
        ("zoneinfo/Etc/UTC", "UTC"),
        ("zoneinfo/UTC", "UTC"),
        ("zoneinfo/Zulu", "UTC"),
        ("zoneinfo/Etc/Universal", "UTC"),
        ("zoneinfo/Europe/Berlin", "Europe/Berlin"),
        ("zoneinfo/America/Argentina/Ushuaia", "America/Argentina/Ushuaia"),
    ],
)
def test_time_zone_of_a_link(tmp_path, target, zone):
    file = tmp_path / target
    file.parent.mkdir(parents=True)
    file.touch()
    (tmp_path / "localtime").symlink_to(target)
    assert _os.zone_of(str(tmp_path / "localtime")) == zone


def test_time_zone_of_a_link_to_a_link(tmp_path):
    """Debian's UTC leads to Etc/UTC."""
    (tmp_path / "zoneinfo/Etc").mkdir(parents=True)
    (tmp_path / "zoneinfo/Etc/UTC").touch()
    (tmp_path / "zoneinfo/UTC").symlink_to("Etc/UTC")
    (tmp_path / "localtime").symlink_to(tmp_path / "zoneinfo/UTC")
    assert _os.zone_of(str(tmp_path / "localtime")) == "UTC"


def test_without_a_link_the_zone_is_utc(tmp_path):
    assert _os.zone_of(str(tmp_path / "localtime")) == "UTC"


@pytest.mark.parametrize("make", ["file", "dangling", "elsewhere"])
def test_a_zone_without_a_name_is_an_error(tmp_path, make):
    path = tmp_path / "localtime"
    if make == "file":
        path.write_bytes(b"TZif2")
    elif make == "dangling":
        path.symlink_to("zoneinfo/UTC")
    else:
        (tmp_path / "UTC").touch()
        path.symlink_to("UTC")
    with pytest.raises(ProbeError) as raised:
        _os.zone_of(str(path))
    assert raised.value.remedy == "timedatectl set-timezone UTC"


SWAPS = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n"
FSTAB = "# <file system> <mount point>\nUUID=1 / ext4 errors=remount-ro 0 1\n\n#/old none swap sw 0 0\nUUID=2\tnone\tswap\tsw\t0\t0\n/swap.img none swap\n"


def test_swap_is_what_is_used_and_what_the_next_boot_brings_back(monkeypatch):
    texts = {"/proc/swaps": SWAPS + "/dev/sda2                               partition\t2097148\t0\t-2\n", "/etc/fstab": FSTAB}
    monkeypatch.setattr(_os, "_read", lambda path, missing=None: texts[path])
    assert value(_os.OsProbe, fact="swap") == ["/dev/sda2", "UUID=2 (fstab)", "/swap.img (fstab)"]
    texts.update({"/proc/swaps": SWAPS, "/etc/fstab": ""})
    assert value(_os.OsProbe, fact="swap") == []


# Hardware

# Lines of proc_pid_mountinfo(5): ext4 on NVMe, LVM, a path with a space, one mount that covers another, btrfs.
MOUNTS = """\
22 1 259:2 / / rw,relatime shared:1 - ext4 /dev/nvme0n1p2 rw
23 22 0:21 / /proc rw,relatime shared:2 - proc proc rw
24 22 253:0 / /var rw,relatime shared:3 - xfs /dev/mapper/vg0-var rw
25 22 8:1 / /mnt/my\\040disk rw,relatime - ext4 /dev/sda1 rw
26 22 0:40 / /data rw,relatime - tmpfs tmpfs rw
27 22 8:17 / /data rw,relatime - ext4 /dev/sdb1 rw
28 22 0:55 /@home /home rw,relatime shared:9 - btrfs /dev/nvme1n1p1 rw,subvol=/@home
"""


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/", ("/dev/nvme0n1p2", "ext4")),
        ("/usr/lib", ("/dev/nvme0n1p2", "ext4")),
        ("/var/lib/docker", ("/dev/mapper/vg0-var", "xfs")),
        ("/variant", ("/dev/nvme0n1p2", "ext4")),
        ("/mnt/my disk/x", ("/dev/sda1", "ext4")),
        ("/data", ("/dev/sdb1", "ext4")),
        ("/home/ann", ("/dev/nvme1n1p1", "btrfs")),
    ],
)
def test_mount_of_a_path(path, expected):
    assert _hardware.parse_mount(MOUNTS, path) == expected


@pytest.mark.parametrize(("path", "expected"), [("/var/lib", ("overlay", "overlay")), ("/etc/hostname", ("/dev/vda", "ext4")), ("/tmp/x", ("tmpfs", "tmpfs"))])
def test_captured_mounts_of_a_container(captured, path, expected):
    assert _hardware.parse_mount(captured("proc-6.18-debian13-mountinfo"), path) == expected


@pytest.fixture
def block(tmp_path):
    """A tree like /sys/class/block: links to devices, whose partitions lie in them."""
    devices, block = tmp_path / "devices", tmp_path / "block"
    block.mkdir()

    def disk(name, *, rotational=0, partitions=(), slaves=()):
        (devices / name / "queue").mkdir(parents=True)
        (devices / name / "queue" / "rotational").write_text("%d\n" % rotational)
        (block / name).symlink_to(devices / name)
        for partition in partitions:
            (devices / name / partition).mkdir()
            (devices / name / partition / "partition").write_text("1\n")
            (block / partition).symlink_to(devices / name / partition)
        (devices / name / "slaves").mkdir()
        for slave in slaves:
            (devices / name / "slaves" / slave).symlink_to(block / slave)

    disk("nvme0n1", partitions=["nvme0n1p1", "nvme0n1p2"])
    disk("nvme1n1")
    disk("sda", rotational=1, partitions=["sda1", "sda2"])
    disk("vda")
    disk("mmcblk0", partitions=["mmcblk0p1"])
    disk("md0", slaves=["sda2", "nvme0n1p2"])
    disk("md1", slaves=["nvme0n1p1", "nvme1n1"])
    disk("dm-0", slaves=["md0"])
    disk("dm-1", slaves=["nvme0n1p2"])
    return str(block)


@pytest.mark.parametrize(
    ("name", "disks", "kinds"),
    [
        ("nvme0n1p2", ["nvme0n1"], ["nvme"]),
        ("nvme1n1", ["nvme1n1"], ["nvme"]),
        ("sda1", ["sda"], ["hdd"]),
        ("vda", ["vda"], ["ssd"]),
        ("mmcblk0p1", ["mmcblk0"], ["ssd"]),
        ("dm-1", ["nvme0n1"], ["nvme"]),
        ("md1", ["nvme0n1", "nvme1n1"], ["nvme", "nvme"]),
        ("dm-0", ["nvme0n1", "sda"], ["nvme", "hdd"]),
    ],
)
def test_disks_below_a_device(block, name, disks, kinds):
    assert _hardware.disks_of(name, block) == disks
    assert [_hardware.kind_of(disk, block) for disk in disks] == kinds


@pytest.mark.parametrize(("source", "expected"), [("/dev/dm-0", "hdd and nvme"), ("/dev/md1", "nvme"), ("/dev/sda1", "hdd")])
def test_kind_of_the_disks_of_a_path(block, monkeypatch, source, expected):
    monkeypatch.setattr(_hardware, "_BLOCK", block)
    real = _hardware._read
    monkeypatch.setattr(_hardware, "_read", lambda path: "1 0 8:1 / / rw - ext4 %s rw\n" % source if path.startswith("/proc") else real(path))
    assert value(_hardware.HardwareProbe, fact="disk_kind", path="/") == expected


def test_a_device_that_sysfs_does_not_know_is_an_error(block):
    with pytest.raises(ProbeError, match="cannot read"):
        _hardware.kind_of("sdz", block)


def test_a_path_that_does_not_exist_yet_is_where_it_will_be(tmp_path):
    here = value(_hardware.HardwareProbe, fact="disk_bytes", path=str(tmp_path))
    assert value(_hardware.HardwareProbe, fact="disk_bytes", path=str(tmp_path / "not" / "there")) == here > 0


def test_memory(captured):
    assert _hardware.parse_meminfo(captured("proc-6.18-debian13-meminfo")) == 24684084 * 1024


def test_processors(monkeypatch):
    assert value(_hardware.HardwareProbe, fact="cpu_cores") == os.cpu_count()
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert "does not say" in error(_hardware.HardwareProbe, fact="cpu_cores")


def test_default_route(captured):
    text = captured("proc-6.18-debian13-route")
    assert _hardware.parse_default_interface(text) == "eth0"
    heading = text.splitlines()[0]
    rows = ["wlan0\t00000000\t0101A8C0\t0003\t0\t0\t600\t00000000", "eno1\t00000000\t0102A8C0\t0003\t0\t0\t100\t00000000"]
    assert _hardware.parse_default_interface("\n".join([heading, *rows])) == "eno1"
    with pytest.raises(ProbeError, match="no IPv4 default route"):
        _hardware.parse_default_interface(heading + "\neth0\t004D1EAC\t00000000\t0001\t0\t0\t0\t00FFFFFF\n")


@pytest.mark.parametrize(("speed", "expected"), [("10000\n", 10000), ("1000\n", 1000)])
def test_link_speed(monkeypatch, captured, speed, expected):
    monkeypatch.setattr(_hardware, "_read", lambda path: captured("proc-6.18-debian13-route") if path.startswith("/proc") else speed)
    assert value(_hardware.HardwareProbe, fact="link_mbits") == expected


@pytest.mark.parametrize("speed", ["-1\n", "", "unknown"])
def test_a_link_without_a_speed_is_an_error(monkeypatch, captured, speed):
    monkeypatch.setattr(_hardware, "_read", lambda path: captured("proc-6.18-debian13-route") if path.startswith("/proc") else speed)
    assert "eth0 does not report a link speed" in error(_hardware.HardwareProbe, fact="link_mbits")


# Firewall

UFW = "ufw-0.36.2-%s-%s"


@pytest.mark.parametrize("release", ["debian13", "ubuntu24.04"])
@pytest.mark.parametrize(
    ("port", "protocol", "sources"),
    [
        (22, "tcp", ["any"]),
        (80, "tcp", ["any"]),
        (443, "tcp", ["any"]),
        (443, "udp", []),
        (2222, "tcp", ["any"]),
        (9000, "tcp", ["any"]),
        (9100, "tcp", ["any"]),
        (9101, "tcp", ["192.0.2.7"]),
        (53, "udp", ["any"]),
        (5432, "tcp", ["172.30.77.11", "192.0.2.7", "2001:db8::/32"]),
        (6379, "tcp", ["10.0.0.0/8", "192.0.2.7"]),
        (25, "tcp", []),  # rejected before the host whose every connection is allowed
        (7777, "tcp", ["192.0.2.7"]),  # on one interface only
        (8443, "tcp", ["192.0.2.7"]),  # to one address only
        (8888, "tcp", ["192.0.2.7"]),  # from one port of the client only
        (8889, "tcp", ["192.0.2.7"]),
        (3000, "tcp", ["192.0.2.7"]),  # routed, not received
    ],
)
def test_where_a_port_is_allowed_from(commands, release, port, protocol, sources):
    commands(_ufw, {"ufw status": UFW % (release, "rules")})
    if protocol == "udp" and port == 443:
        sources = ["192.0.2.7"]
    assert value(_ufw.UfwProbe, fact="port", port=port, protocol=protocol) == sources


@pytest.mark.parametrize(
    ("rules", "sources"),
    [
        ([("80/tcp", "DENY", "any"), ("80/tcp", "ALLOW", "any")], []),
        ([("80/tcp", "ALLOW", "10.0.0.0/8"), ("80/tcp", "DENY", "any"), ("80/tcp", "ALLOW", "any")], ["10.0.0.0/8"]),
        ([("Anywhere", "REJECT", "any"), ("80/tcp", "ALLOW", "any")], []),
        ([("80/tcp", "DENY", "203.0.113.4"), ("80/tcp", "ALLOW", "any")], ["any"]),
        ([("443/tcp", "DENY", "any"), ("80/tcp", "ALLOW", "any")], ["any"]),
        ([("80/udp", "DENY", "any"), ("80", "ALLOW", "any")], ["any"]),
        ([("80/tcp", "ALLOW", "any"), ("80/tcp", "ALLOW", "10.0.0.0/8")], ["any"]),
    ],
)
def test_the_first_rule_that_matches_decides(rules, sources):
    assert _ufw.allowed_from(rules, 80, "tcp") == sources


def test_an_inactive_firewall_has_no_rules_to_tell(commands):
    commands(_ufw, {"ufw status": UFW % ("debian13", "inactive")})
    assert "ufw is inactive" in error(_ufw.UfwProbe, fact="port", port=22, protocol="tcp")
    assert "needs `port`" in error(_ufw.UfwProbe, fact="port", protocol="tcp")


@pytest.mark.parametrize(
    ("case", "unit", "switch", "expected"),
    [
        ("rules", "enabled\n", "ENABLED=yes\n", {"active": True, "boot": True, "incoming": "deny"}),
        ("rules", "disabled\n", "ENABLED=yes\n", {"active": True, "boot": False, "incoming": "deny"}),
        ("rules", "enabled\n", "ENABLED=no\n", {"active": True, "boot": False, "incoming": "deny"}),
        ("rules", "enabled\n", "#ENABLED=yes\n", {"active": True, "boot": False, "incoming": "deny"}),
        ("inactive", "enabled\n", "ENABLED=no\n", {"active": False, "boot": False, "incoming": ""}),
    ],
)
def test_state_of_the_firewall(monkeypatch, captured, tmp_path, case, unit, switch, expected):
    (tmp_path / "ufw.conf").write_text("# /etc/ufw/ufw.conf\n" + switch)
    monkeypatch.setattr(_ufw, "_CONFIGURATION", str(tmp_path / "ufw.conf"))
    monkeypatch.setattr(_ufw, "output_of", lambda line, **_options: unit if "is-enabled" in line else captured(UFW % ("debian13", case)))
    assert value(_ufw.UfwProbe, fact="state") == expected
    (tmp_path / "ufw.conf").unlink()
    assert "cannot read" in error(_ufw.UfwProbe, fact="state")


# SSH


@pytest.mark.parametrize(
    ("ss", "socket", "sshd", "ports"),
    [
        ("ss-6.15.0-debian13-sshd", "systemctl-257-debian13-ssh-socket-inactive", "sshd-10.0p2-debian13-effective", [22]),
        ("ss-6.15.0-debian13-sshd-two-ports", "systemctl-257-debian13-ssh-socket-inactive", "sshd-10.0p2-debian13-two-ports", [22, 2222]),
        # configured, and there after the next restart
        ("ss-6.15.0-debian13-sshd", "systemctl-257-debian13-ssh-socket-inactive", "sshd-10.0p2-debian13-two-ports", [22, 2222]),
        # a second sshd that nobody configured
        ("ss-6.15.0-debian13-sshd-two-ports", "systemctl-257-debian13-ssh-socket-inactive", "sshd-10.0p2-debian13-effective", [22, 2222]),
        # before the first connection systemd alone holds the port, and `sshd -T` does not work
        ("ss-6.1.0-ubuntu24.04-socket", "systemctl-255-ubuntu24.04-ssh-socket", None, [22]),
        ("ss-6.1.0-ubuntu24.04-socket-activated", "systemctl-255-ubuntu24.04-ssh-socket", "sshd-9.6p1-ubuntu24.04-effective", [22]),
        # a client forwards port 6010 (ssh -R), which its sshd listens on
        ("ss-6.1.0-ubuntu24.04-forwarded", "systemctl-255-ubuntu24.04-ssh-socket", "sshd-9.6p1-ubuntu24.04-effective", [22]),
    ],
)
def test_ports_of_ssh(commands, ss, socket, sshd, ports):
    commands(_sshd, {"ss ": ss, "ssh.socket": socket, "sshd -T": sshd or ProbeError("Missing privilege separation directory: /run/sshd")})
    assert value(_sshd.SshdProbe, fact="ports") == ports


def test_nothing_that_listens_for_ssh_is_an_error(commands):
    quiet = {"ss ": "ss-6.1.0-ubuntu24.04-socket", "ssh.socket": "systemctl-257-debian13-ssh-socket-inactive", "sshd -T": "sshd-10.0p2-debian13-effective"}
    commands(_sshd, quiet)
    assert error(_sshd.SshdProbe, fact="ports") == "nothing listens for SSH; sshd -T says port 22"


# fail2ban

BANS = "fail2ban-1.1.0-debian13-%s"


@pytest.mark.parametrize(
    ("status", "actions", "installed", "expected"),
    [
        (BANS % "status", BANS % "actions", ["nft"], {"running": True, "can_ban": True}),
        ("fail2ban-1.0.2-ubuntu24.04-status", "fail2ban-1.0.2-ubuntu24.04-actions", ["nft"], {"running": True, "can_ban": True}),
        (BANS % "status", BANS % "actions", [], {"running": True, "can_ban": False}),
        (BANS % "status", BANS % "actions-with-mail", ["nft"], {"running": True, "can_ban": True}),
        (BANS % "status", BANS % "actions-none", ["nft"], {"running": True, "can_ban": False}),
        (BANS % "status-no-jail", ProbeError("the jail 'sshd' does not exist"), ["nft"], {"running": False, "can_ban": False}),
    ],
)
def test_a_jail(commands, monkeypatch, status, actions, installed, expected):
    commands(_fail2ban, {"client status": status, "client get sshd actions": actions})
    monkeypatch.setattr(_fail2ban.shutil, "which", lambda program, path: program if program in installed else None)
    assert value(_fail2ban.Fail2banProbe, fact="jail", jail="sshd") == expected


@pytest.mark.parametrize(
    ("actions", "programs"),
    [([], []), (["nftables-multiport"], ["nft"]), (["iptables-allports", "sendmail-whois"], ["iptables"]), (["ufw", "nftables"], ["ufw", "nft"])],
)
def test_programs_of_ban_actions(actions, programs):
    assert _fail2ban.programs_of(actions) == programs


def test_actions_none_of_which_is_known_are_an_error():
    with pytest.raises(ProbeError, match="the program of ban action sendmail-whois, hostsdeny is not known"):
        _fail2ban.programs_of(["sendmail-whois", "hostsdeny"])


def test_a_jail_whose_actions_cannot_be_read_is_an_error(commands):
    commands(_fail2ban, {"client status": BANS % "status", "client get sshd actions": ProbeError("no answer")})
    assert error(_fail2ban.Fail2banProbe, fact="jail", jail="sshd") == "no answer"


def test_a_dead_fail2ban_is_an_error(commands):
    commands(_fail2ban, {"client": ProbeError("Failed to access socket path")})
    assert error(_fail2ban.Fail2banProbe, fact="jail", jail="sshd") == "Failed to access socket path"


# Docker, as far as commands tell


@pytest.mark.parametrize(
    ("case", "expected"),
    [("docker", (True, True)), ("docker-stopped", (False, False)), ("absent", (False, False))],
)
def test_unit_of_docker(captured, case, expected):
    assert _docker.parse_unit(captured("systemctl-257-debian13-" + case)) == expected


@pytest.mark.parametrize(
    ("name", "version"),
    [("docker-compose-2.26.1-debian13-version", "2.26.1-4"), ("docker-compose-2.40.3-ubuntu24.04-version", "2.40.3+ds1-0ubuntu1~24.04.1")],
)
def test_version_of_compose(commands, name, version):
    commands(_docker, {"docker compose version": name})
    assert value(_docker.DockerProbe, fact="compose_version") == version
