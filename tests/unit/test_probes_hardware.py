# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hardware and storage: what the kernel says of them, on captured files and on trees like /sys."""

from __future__ import annotations

import os

import pytest

from ansible_collections.gonogo.preflight.plugins.module_utils._probes import _hardware, _storage
from ansible_collections.gonogo.preflight.plugins.module_utils._probes._base import ProbeError


def value(**arguments):
    return _hardware.HardwareProbe({}).observe(arguments).value


def error(**arguments):
    with pytest.raises(ProbeError) as raised:
        _hardware.HardwareProbe({}).observe(arguments)
    return str(raised.value)


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
    assert _storage.parse_mount(MOUNTS, path)[:2] == expected


@pytest.mark.parametrize(("path", "expected"), [("/var/lib", ("overlay", "overlay")), ("/etc/hostname", ("/dev/vda", "ext4")), ("/tmp/x", ("tmpfs", "tmpfs"))])
def test_captured_mounts_of_a_container(captured, path, expected):
    assert _storage.parse_mount(captured("proc-6.18-debian13-mountinfo"), path)[:2] == expected


@pytest.fixture
def sys(tmp_path, monkeypatch):
    """A tree like /sys: links to devices, whose partitions lie in them."""
    devices, block, numbers = tmp_path / "devices", tmp_path / "class" / "block", tmp_path / "dev" / "block"
    for directory in (block, numbers):
        directory.mkdir(parents=True)

    def disk(name, *, rotational=0, partitions=(), slaves=(), uuid="", number=""):
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
        if uuid:
            (devices / name / "dm").mkdir()
            (devices / name / "dm" / "uuid").write_text(uuid + "\n")
        if number:
            (numbers / number).symlink_to(devices / name)

    disk("nvme0n1", partitions=["nvme0n1p1", "nvme0n1p2"])
    disk("nvme1n1")
    disk("sda", rotational=1, partitions=["sda1", "sda2"])
    disk("vda", number="254:0")
    disk("mmcblk0", partitions=["mmcblk0p1"])
    disk("md0", slaves=["sda2", "nvme0n1p2"], partitions=["md0p1"])
    disk("md1", slaves=["nvme0n1p1", "nvme1n1"])
    disk("dm-0", slaves=["md0"], uuid="LVM-Zz9")
    disk("dm-1", slaves=["nvme0n1p2"], uuid="CRYPT-LUKS2-0f3a-root")
    disk("dm-2", slaves=["dm-1"], uuid="LVM-Zz8")
    disk("dm-3", slaves=["nvme1n1"], uuid="CRYPT-VERITY-77aa-usr")
    disk("dm-4", slaves=["nvme1n1"], uuid="CRYPT-PLAIN-scratch")
    disk("md2", slaves=["dm-1", "dm-4"])
    disk("md3", slaves=["dm-1", "sda1"])
    pool = tmp_path / "fs" / "btrfs" / "6d3c-aa" / "devices"
    pool.mkdir(parents=True)
    for member in ("sda1", "nvme1n1"):
        (pool / member).symlink_to(block / member)
    (tmp_path / "fs" / "btrfs" / "features").mkdir()
    monkeypatch.setattr(_hardware, "_SYS", str(tmp_path))
    return tmp_path


@pytest.fixture
def block(sys):
    return str(sys / "class" / "block")


@pytest.fixture
def mounts(monkeypatch):
    """Let the probe see these mounts: lines of mountinfo from the directory on."""
    real = _hardware._read

    def install(*lines):
        text = "".join("%d 0 %s\n" % (number, line) for number, line in enumerate(lines))
        monkeypatch.setattr(_hardware, "_read", lambda path: text if path.startswith("/proc") else real(path))

    return install


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
        ("dm-2", ["nvme0n1"], ["nvme"]),
        ("md0p1", ["nvme0n1", "sda"], ["nvme", "hdd"]),
    ],
)
def test_disks_below_a_device(block, name, disks, kinds):
    assert _storage.disks_of(name, block) == disks
    assert [_storage.kind_of(disk, block) for disk in disks] == kinds


@pytest.mark.parametrize(("source", "expected"), [("/dev/dm-0", "hdd and nvme"), ("/dev/md1", "nvme"), ("/dev/sda1", "hdd"), ("/dev/root", "ssd")])
def test_kind_of_the_disks_of_a_path(sys, mounts, source, expected):
    """/dev/root is in no directory of devices; its number is the disk's."""
    mounts("%s / / rw - ext4 %s rw" % ("254:0" if source == "/dev/root" else "259:99", source))
    assert value(fact="disk_kind", path="/") == expected


def test_several_paths_are_one_question(sys, mounts):
    mounts("8:1 / / rw - ext4 /dev/nvme0n1p1 rw", "8:2 / /srv rw - xfs /dev/sda1 rw", "0:9 / /run rw - tmpfs tmpfs rw")
    assert value(fact="disk_kind", paths=["/", "/usr"]) == "nvme"
    seen = _hardware.HardwareProbe({}).observe({"fact": "disk_kind", "paths": ["/usr", "/srv"]})
    assert seen.value == "hdd and nvme"
    assert seen.evidence == "/usr is on nvme0n1; /srv is on sda"
    assert value(fact="disk_kind", paths=["/", "/run"]) == "nvme and tmpfs"


def test_a_btrfs_lies_on_all_its_devices(sys, mounts):
    mounts("0:44 / / rw - btrfs /dev/sda1 rw")
    assert value(fact="disk_kind", path="/") == "hdd and nvme"
    mounts("0:44 / / rw - btrfs /dev/mmcblk0p1 rw")
    assert value(fact="disk_kind", path="/") == "ssd"


def test_an_overlay_lies_on_what_its_writable_layer_lies_on(sys, mounts, tmp_path):
    upper = tmp_path / "upper"
    upper.mkdir()
    line = "0:50 / / rw - overlay overlay rw,lowerdir=/x,upperdir=%s,workdir=/y"
    mounts(line % upper, "259:2 / %s rw - ext4 /dev/nvme1n1 rw" % tmp_path)
    assert value(fact="disk_kind", path="/") == "nvme"
    # In a container the layer is a path of the machine.
    for other in (line % "/nowhere/on/this/host", "0:50 / / rw - overlay overlay rw"):
        mounts(other)
        assert value(fact="disk_kind", path="/") == "overlay"
        assert value(fact="unencrypted", path="/") == ["/"]


@pytest.mark.parametrize(
    ("name", "expected"),
    [("dm-1", True), ("dm-2", True), ("dm-4", True), ("md2", True), ("md3", False), ("dm-0", False), ("dm-3", False), ("nvme0n1p1", False), ("vda", False)],
)
def test_encrypted_devices(block, name, expected):
    assert _storage.encrypted(name, block) is expected


def test_what_is_not_known_to_be_encrypted(sys, mounts):
    mounts("8:1 / / rw - ext4 /dev/dm-2 rw", "8:2 / /srv rw - xfs /dev/md3 rw", "0:9 / /run rw - tmpfs tmpfs rw", "0:44 / /var rw - btrfs /dev/sda1 rw")
    seen = _hardware.HardwareProbe({}).observe({"fact": "unencrypted", "paths": ["/usr", "/srv", "/run", "/var"]})
    assert seen.value == ["/srv", "/run", "/var"]
    assert seen.evidence == "/usr is on dm-2; /srv is on md3; /run is on tmpfs (tmpfs); /var is on nvme1n1, sda1"


@pytest.mark.parametrize(("answer", "expected"), [("aes-256-gcm\n", True), ("off\n", False), ("-\n", False), ("on\n", True)])
def test_zfs_encrypts_by_itself(sys, mounts, monkeypatch, answer, expected):
    asked = []
    monkeypatch.setattr(_hardware, "output_of", lambda line, **_options: asked.append(line[-1]) or answer)
    mounts("0:61 / / rw - zfs tank/db rw")
    assert value(fact="unencrypted", path="/") == ([] if expected else ["/"])
    assert asked == ["tank/db"]
    assert value(fact="disk_kind", path="/") == "zfs"


def test_zfs_that_does_not_answer_is_an_error(sys, mounts, monkeypatch):
    def silent(*_arguments, **_options):
        raise ProbeError("zfs is not installed")

    monkeypatch.setattr(_hardware, "output_of", silent)
    mounts("0:61 / / rw - zfs tank/db rw")
    assert error(fact="unencrypted", path="/") == "zfs is not installed"


def test_a_device_that_sysfs_does_not_know_is_an_error(block):
    with pytest.raises(ProbeError, match="does not exist"):
        _storage.kind_of("sdz", block)


def test_a_path_that_does_not_exist_yet_is_where_it_will_be(tmp_path):
    here = value(fact="disk_bytes", path=str(tmp_path))
    assert value(fact="disk_bytes", path=str(tmp_path / "not" / "there")) == here > 0
    seen = _hardware.HardwareProbe({}).observe({"fact": "disk_bytes", "paths": ["/proc/not/there", str(tmp_path)]})
    assert (seen.value, seen.evidence) == (here, "file system of %s; not there: /proc/not/there" % tmp_path)


@pytest.mark.parametrize("fact", ["disk_bytes", "disk_free"])
def test_of_several_file_systems_the_smallest_counts(monkeypatch, fact):
    class Stat:
        def __init__(self, blocks):
            self.f_frsize, self.f_blocks, self.f_bavail = 4096, blocks * 2, blocks

    monkeypatch.setattr(_hardware.os, "statvfs", lambda path: Stat({"/": 100, "/usr": 30}[path]))
    monkeypatch.setattr(_hardware, "_device", lambda path: {"/": 1, "/usr": 2, "/usr/bin": 2, "/etc": 1}[path])
    seen = _hardware.HardwareProbe({}).observe({"fact": fact, "paths": ["/", "/usr", "/usr/bin", "/etc"]})
    assert seen.value == 30 * 4096 * (2 if fact == "disk_bytes" else 1)
    assert seen.evidence == "file system of /usr, /usr/bin, of 2 the least"
    seen = _hardware.HardwareProbe({}).observe({"fact": fact, "paths": ["/", "/etc"]})
    assert (seen.value, seen.evidence) == (100 * 4096 * (2 if fact == "disk_bytes" else 1), "file system of /, /etc")


def test_what_root_alone_may_use_is_not_free(tmp_path):
    size, stat = value(fact="disk_bytes", path=str(tmp_path)), os.statvfs(tmp_path)
    assert 0 < value(fact="disk_free", path=str(tmp_path)) <= stat.f_bfree * stat.f_frsize <= size


@pytest.mark.parametrize("paths", [["var/lib"], [""], ["/a"] * 0 + ["/%d" % number for number in range(40)]])
@pytest.mark.parametrize("fact", ["disk_bytes", "disk_free", "disk_kind", "unencrypted"])
def test_paths_are_absolute_and_not_too_many(fact, paths):
    assert "needs absolute paths" in error(fact=fact, paths=paths)


def test_memory(captured):
    assert _hardware.parse_meminfo(captured("proc-6.18-debian13-meminfo")) == 24684084 * 1024


def test_processors(monkeypatch):
    assert value(fact="cpu_cores") == os.cpu_count()
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert "does not say" in error(fact="cpu_cores")


def test_default_route(captured):
    text = captured("proc-6.18-debian13-route")
    assert _hardware.parse_default_interface(text) == "eth0"
    heading = text.splitlines()[0]
    rows = ["wlan0\t00000000\t0101A8C0\t0003\t0\t0\t600\t00000000", "eno1\t00000000\t0102A8C0\t0003\t0\t0\t100\t00000000"]
    assert _hardware.parse_default_interface("\n".join([heading, *rows])) == "eno1"
    with pytest.raises(ProbeError, match="no IPv4 default route"):
        _hardware.parse_default_interface(heading + "\neth0\t004D1EAC\t00000000\t0001\t0\t0\t0\t00FFFFFF\n")


IPV6_ROUTES = """\
fd000000000000000000000000000000 40 00000000000000000000000000000000 00 00000000000000000000000000000000 00000100 00000001 00000000 00000001     eth0
00000000000000000000000000000000 00 00000000000000000000000000000000 00 fe800000000000000000000000000001 00000400 00000003 00000000 00450003     eno2
00000000000000000000000000000000 00 00000000000000000000000000000000 00 fe800000000000000000000000000001 00000064 00000003 00000000 00450003     eno1
00000000000000000000000000000000 00 00000000000000000000000000000000 00 00000000000000000000000000000000 ffffffff 00000001 00000000 00200200       lo
"""


def test_default_route_of_ipv6():
    assert _hardware.parse_default_interface6(IPV6_ROUTES) == "eno1"
    with pytest.raises(ProbeError, match="no default route, neither"):
        _hardware.parse_default_interface6("\n".join(line for line in IPV6_ROUTES.splitlines() if not line.endswith(("eno1", "eno2"))))


@pytest.fixture
def net(tmp_path, monkeypatch):
    """A tree like /sys/class/net: interface to what it says of its speed (None: refuses), and the interfaces below it."""
    monkeypatch.setattr(_hardware, "_SYS", str(tmp_path))

    def install(**interfaces):
        for name, (speed, *lower) in interfaces.items():
            directory = tmp_path / "class" / "net" / name
            directory.mkdir(parents=True)
            if speed is not None:
                (directory / "speed").write_text("%s\n" % speed)
            for below in lower:
                (directory / ("lower_" + below)).symlink_to(directory.parent / below)

    return install


@pytest.mark.parametrize(
    ("interfaces", "expected"),
    [
        ({"eth0": [10000]}, 10000),
        ({"eth0": [20000, "eno1", "eno2"], "eno1": [10000], "eno2": [10000]}, 20000),  # a bond, added up by the kernel
        ({"eth0": [-1, "eno1", "eno2"], "eno1": [10000], "eno2": [1000]}, 1000),
        ({"eth0": [None, "bond0"], "bond0": [-1, "eno1"], "eno1": [25000]}, 25000),  # a VLAN on a bond
    ],
)
def test_link_speed(net, captured, monkeypatch, interfaces, expected):
    net(**interfaces)
    real = _hardware._read
    monkeypatch.setattr(_hardware, "_read", lambda path: captured("proc-6.18-debian13-route") if path.startswith("/proc") else real(path))
    assert value(fact="link_mbits") == expected


@pytest.mark.parametrize(
    "interfaces",
    [{"eth0": [-1]}, {"eth0": [""]}, {"eth0": ["unknown"]}, {"eth0": [None]}, {"eth0": [0]}, {}, {"eth0": [-1, "a", "b"], "a": [1000], "b": [None]}],
)
def test_a_link_without_a_speed_is_an_error(net, captured, monkeypatch, interfaces):
    net(**interfaces)
    real = _hardware._read
    monkeypatch.setattr(_hardware, "_read", lambda path: captured("proc-6.18-debian13-route") if path.startswith("/proc") else real(path))
    with pytest.raises(ProbeError, match="eth0 does not report a link speed") as raised:
        value(fact="link_mbits")
    assert "iperf3" in raised.value.remedy
