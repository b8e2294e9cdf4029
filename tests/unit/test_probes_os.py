# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the os probe says of the kernel's settings, of systemd and of unattended updates: now, and after a boot."""

from __future__ import annotations

import contextlib
import os
import types

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.gonogo.preflight.plugins.module_utils._probes import _os, _os_kernel, _os_systemd, _os_unattended
from ansible_collections.gonogo.preflight.plugins.module_utils._probes._base import ProbeError

UBUNTU, DEBIAN = "255-ubuntu24.04", "257-debian13"


def look(**arguments):
    return _os.OsProbe({}).observe(arguments)


def value(**arguments):
    return look(**arguments).value


def error(**arguments):
    with pytest.raises(ProbeError) as raised:
        look(**arguments)
    return str(raised.value)


@pytest.fixture
def answers(monkeypatch):
    """Let the commands of a module answer: a word of the command line to a text, or to an error."""

    def install(module, by_word, status=0):
        def output(arguments, **_options):
            line = " ".join(arguments)
            answer = next(text for word, text in by_word.items() if word in line)
            if isinstance(answer, Exception):
                raise answer
            return answer

        monkeypatch.setattr(module, "output_of", output)
        if hasattr(module, "finished"):
            monkeypatch.setattr(
                module, "finished", lambda arguments, **_options: (status, output(arguments), "dpkg-query: no packages found" if status else "")
            )

    return install


@pytest.fixture
def files(monkeypatch):
    """Let a module read these texts; what is not among them does not exist."""

    def install(module, texts):
        def read(path, *, missing=None):
            if path in texts:
                return texts[path]
            if missing is None:
                raise ProbeError("%s does not exist" % path)
            return missing

        monkeypatch.setattr(module, "read_text", read)
        return texts

    return install


# sysctl


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("vm.overcommit_memory", "vm/overcommit_memory"),
        ("net/ipv4/ip_forward", "net/ipv4/ip_forward"),
        ("net.ipv4.conf.eno1/100.rp_filter", "net/ipv4/conf/eno1.100/rp_filter"),
        ("net/ipv4/conf/eno1.100/rp_filter", "net/ipv4/conf/eno1.100/rp_filter"),
    ],
)
def test_names_of_sysctl(name, path):
    assert _os_kernel.as_path(name) == path


def test_assignments_of_sysctl():
    text = "# a comment\n; another\n\nvm.overcommit_memory = 1\n-net.ipv4.conf.all.rp_filter\n-net.ipv4.conf.*.rp_filter=2\nkernel.printk = 4  4 1\t7\n"
    assert _os_kernel.parse_sysctl(text) == [
        ("vm/overcommit_memory", "1"),
        ("net/ipv4/conf/all/rp_filter", None),
        ("net/ipv4/conf/*/rp_filter", "2"),
        ("kernel/printk", "4 4 1 7"),
    ]


@pytest.mark.parametrize("text", ["vm.overcommit_memory\n", "<html>502</html>\n", "= 1\n", "a b = 1\n"])
def test_a_line_that_is_no_assignment_is_an_error(text):
    with pytest.raises(ProbeError, match=r"sysctl\.d has the line"):
        _os_kernel.parse_sysctl(text)


@given(st.text())
def test_sysctl_is_read_or_an_error(text):
    try:
        rules = _os_kernel.parse_sysctl(text)
    except ProbeError:
        return
    assert all(_os_kernel.planned(name, rules) is not None or value is None for name, value in rules[-1:] if "*" not in name and "?" not in name)


@pytest.mark.parametrize(
    ("case", "path", "expected"),
    [
        (UBUNTU, "kernel/kptr_restrict", "1"),
        (UBUNTU, "fs/protected_symlinks", "1"),
        (UBUNTU, "vm/overcommit_memory", None),
        (DEBIAN, "kernel/pid_max", "4194304"),
        (DEBIAN, "fs/protected_symlinks", None),
    ],
)
def test_what_the_distribution_sets_at_boot(captured, case, path, expected):
    assert _os_kernel.planned(path, _os_kernel.parse_sysctl(captured("systemd-%s-sysctl-default" % case))) == expected


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ([("a/b/c", "1"), ("a/b/c", "2")], "2"),
        ([("a/b/c", "1"), ("a/*/c", "2")], "1"),
        ([("a/*/c", "1"), ("a/b*/c", "2")], "2"),
        ([("a/*/c", "1"), ("a/b/c", None)], None),
        ([("a/b/c", None), ("a/b/c", "3")], "3"),
        ([("a/b/c", "3"), ("a/b/c", None)], None),
        ([("a/*/c", "1"), ("a/b*/c", "2"), ("a/*/c", "1")], "2"),  # what says the same again stays where it was
        ([("a/*/c", "1"), ("a/b*/c", "2"), ("a/*/c", "3")], "3"),
        ([("a/*", "1")], None),  # a star stops at a separator
        ([("*/b/c", "1")], "1"),
        ([], None),
    ],
)
def test_which_assignment_holds(rules, expected):
    assert _os_kernel.planned("a/b/c", rules) == expected


@pytest.fixture
def kernel(tmp_path, monkeypatch, answers, files):
    """A kernel with these settings, and what sysctl.d has."""
    monkeypatch.setattr(_os_kernel, "_SYS", str(tmp_path))
    monkeypatch.setattr(_os_kernel, "_UFW", ("ufw.conf", "default", "ufw-sysctl.conf"))
    monkeypatch.setattr(_os_kernel, "_APPORT_WANTED", str(tmp_path / "units/*.wants/apport.service"))
    monkeypatch.setattr(_os_kernel, "_APPORT_MASK", str(tmp_path / "units/apport.service"))
    monkeypatch.setattr(_os_kernel, "_CONTAINER", str(tmp_path / "container"))
    texts = files(_os_kernel, {})

    def install(live, text, **more):
        for name, one in live.items():
            path = tmp_path / name.replace(".", "/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("%s\n" % one)
        answers(_os_kernel, {"--cat-config": text})
        texts.update(more)

    return install


def test_a_setting_is_what_it_is_now_and_after_a_boot(kernel):
    kernel({"vm.overcommit_memory": 1, "kernel.printk": "4\t4\t1\t7"}, "vm.overcommit_memory = 1\nkernel.printk=4 4 1 7\n")
    assert value(fact="setting", name="vm.overcommit_memory") == "1"
    assert value(fact="setting", name="kernel/printk") == "4 4 1 7"


def test_a_setting_that_the_next_boot_changes(kernel):
    kernel({"vm.overcommit_memory": 1}, "vm.overcommit_memory = 0\n")
    assert value(fact="setting", name="vm.overcommit_memory") == "1 now, 0 after a boot"
    kernel({}, "")
    assert value(fact="setting", name="vm.overcommit_memory") == "1 now, and no file keeps it"


def test_a_setting_that_this_kernel_does_not_have_is_an_error(kernel):
    kernel({}, "kernel.yama.ptrace_scope = 1\n")
    assert error(fact="setting", name="kernel.yama.ptrace_scope") == "this kernel has no setting kernel.yama.ptrace_scope"


@pytest.mark.parametrize("name", [None, "", "swappiness", "../../etc/passwd", "vm.*", "vm//x"])
def test_a_setting_has_a_name(name):
    assert "needs `name`" in error(fact="setting", name=name)


OF_DEBIAN = "linux-sysctl-defaults-4.12.1-debian13-default"
INTERFACES = ("all", "default", "eth0")
# What the role os writes: the pattern of the checklist, and beside it what a file of Debian's takes out of every pattern.
BY_THE_ROLE = """\
-net.ipv4.conf.all.%(name)s = %(value)s
-net.ipv4.conf.default.%(name)s = %(value)s
-net.ipv4.conf.*.%(name)s = %(value)s
"""


def by_the_role(**values):
    return "".join(BY_THE_ROLE % {"name": name, "value": value} for name, value in values.items())


def of_interfaces(**values):
    return {"net.ipv4.conf.%s.%s" % (one, name): value for one in INTERFACES for name, value in values.items()}


def test_a_file_of_debian_takes_all_interfaces_together_out_of_every_pattern(kernel, captured):
    values = {"accept_source_route": 0, "rp_filter": 2, "send_redirects": 0}
    pattern = "".join("-net.ipv4.conf.*.%s = %d\n" % pair for pair in values.items())
    kernel(of_interfaces(**values), captured(OF_DEBIAN) + pattern)
    told = [one for one in value(fact="settings") if one.startswith("net.ipv4.conf.")]
    assert "net.ipv4.conf.all.rp_filter=2 (kept by no file)" in told and "net.ipv4.conf.*.rp_filter=2" not in told
    assert "net.ipv4.conf.all.accept_source_route=0 (kept by no file)" in told and "net.ipv4.conf.*.send_redirects=0" in told
    kernel({}, captured(OF_DEBIAN) + by_the_role(**values))
    assert {"net.ipv4.conf.*.%s=%d" % pair for pair in values.items()} <= set(value(fact="settings"))


def test_a_value_in_hexadecimal_is_what_the_kernel_tells(kernel, captured):
    kernel({"kernel.sysrq": 438}, captured(OF_DEBIAN))
    assert value(fact="setting", name="kernel.sysrq") == "438"


LIVE = {
    "kernel.dmesg_restrict": 1,
    "net.ipv4.conf.all.accept_redirects": 0,
    "net.ipv4.conf.default.accept_redirects": 0,
    "net.ipv4.conf.eth0.accept_redirects": 0,
}
TEXT = "kernel.dmesg_restrict = 1\n-net.ipv4.conf.*.accept_redirects = 0\n"


def test_settings_that_are_as_their_files_say(kernel):
    kernel(LIVE, TEXT)
    assert value(fact="settings") == ["kernel.dmesg_restrict=1", "net.ipv4.conf.*.accept_redirects=0"]


def test_an_interface_that_went_away_while_it_was_looked_at_does_not_count(kernel, monkeypatch):
    kernel(LIVE, TEXT)
    real = _os_kernel._live
    monkeypatch.setattr(_os_kernel, "_live", lambda path: None if "eth0" in path else real(path))
    assert value(fact="settings") == ["kernel.dmesg_restrict=1", "net.ipv4.conf.*.accept_redirects=0"]


def test_settings_that_differ_are_told_with_both_values(kernel):
    kernel(dict(LIVE, **{"kernel.dmesg_restrict": 0, "net.ipv4.conf.eth0.accept_redirects": 1}), TEXT + "kernel.yama.ptrace_scope = 1\n-kernel.no*.such = 2\n")
    assert value(fact="settings") == [
        "kernel.dmesg_restrict=0 (1 after a boot)",
        "kernel.yama.ptrace_scope (not in this kernel)",
        "net.ipv4.conf.eth0.accept_redirects=1 (0 after a boot)",
    ]


@pytest.fixture
def apport(tmp_path):
    """apport.service, enabled as its package does it."""
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib/apport.service").write_text("[Unit]\nConditionVirtualization=!container\n")
    (tmp_path / "units/multi-user.target.wants").mkdir(parents=True)
    (tmp_path / "units/multi-user.target.wants/apport.service").symlink_to(tmp_path / "lib/apport.service")
    return tmp_path


@pytest.mark.parametrize(("live", "told"), [(2, "fs.suid_dumpable=2"), (0, "fs.suid_dumpable=0 (2 after a boot)")])
def test_apport_sets_its_own_after_sysctl_at_every_boot(kernel, apport, live, told):
    kernel({"fs.suid_dumpable": live}, "fs.suid_dumpable = 0\n")
    seen = look(fact="settings")
    assert seen.value == [told]
    assert "apport.service, which is enabled, sets fs.suid_dumpable=2 at every boot" in seen.evidence
    assert "apport.service" in look(fact="setting", name="fs.suid_dumpable").evidence


@pytest.mark.parametrize("how", ["disabled", "masked", "removed", "in a container"])
def test_an_apport_that_no_boot_starts_sets_nothing(kernel, apport, how):
    if how == "disabled":
        (apport / "units/multi-user.target.wants/apport.service").unlink()
    elif how == "masked":
        (apport / "units/apport.service").symlink_to(os.devnull)
    elif how == "removed":
        (apport / "lib/apport.service").unlink()
    else:
        (apport / "container").write_text("lxc\n")
    kernel({"fs.suid_dumpable": 0}, "fs.suid_dumpable = 0\n")
    seen = look(fact="settings")
    assert (seen.value, "apport" in seen.evidence) == (["fs.suid_dumpable=0"], False)


@pytest.mark.parametrize("open_", ["all", "eth0"])
def test_a_pattern_of_which_one_is_open_now_and_after_a_boot_is_told_line_by_line(kernel, open_):
    one = "net.ipv4.conf.%s.accept_redirects" % open_
    kernel(dict(LIVE, **{one: 1}), TEXT + "%s = 1\n" % one)
    told = ["net.ipv4.conf.%s.accept_redirects=%d" % (name, name == open_) for name in INTERFACES]
    assert value(fact="settings") == ["kernel.dmesg_restrict=1", *told]


def test_a_kernel_without_ipv6_has_nothing_of_it_to_close(kernel):
    kernel(LIVE, TEXT + "-net.ipv6.conf.*.accept_redirects = 0\n-net.ipv4.none.*.x = 1\n")
    assert value(fact="settings") == ["kernel.dmesg_restrict=1", "net.ipv4.conf.*.accept_redirects=0", "net.ipv6.conf.*.accept_redirects=0"]


@pytest.mark.parametrize(
    ("switch", "default", "told"),
    [
        ("ENABLED=yes\n", "IPT_SYSCTL=ufw-sysctl.conf\n", "1 now, 0 after a boot"),
        ("ENABLED=yes\n", "", "1 now, 0 after a boot"),
        ("ENABLED=no\n", "IPT_SYSCTL=ufw-sysctl.conf\n", "1"),
        ("ENABLED=yes\n", "IPT_SYSCTL=/etc/other.conf\n", "1"),
    ],
)
def test_what_ufw_sets_when_it_starts_holds(kernel, switch, default, told):
    kernel(
        {"net.ipv4.tcp_sack": 1},
        "net.ipv4.tcp_sack = 1\n",
        **{"ufw.conf": switch, "default": default, "ufw-sysctl.conf": "# UFW\nnet/ipv4/tcp_sack=0\n"},
    )
    assert value(fact="setting", name="net.ipv4.tcp_sack") == told


def test_a_sysctl_that_does_not_answer_is_an_error(kernel, answers):
    kernel(LIVE, TEXT)
    answers(_os_kernel, {"--cat-config": ProbeError("/usr/lib/systemd/systemd-sysctl is not installed")})
    for asked in ({"fact": "settings"}, {"fact": "setting", "name": "kernel.dmesg_restrict"}):
        assert "is not installed" in error(**asked)


# Transparent huge pages

ENABLED = "/sys/kernel/mm/transparent_hugepage/enabled"


@pytest.mark.parametrize("release", [UBUNTU, DEBIAN])
def test_what_tmpfiles_writes(captured, release):
    text = captured("systemd-%s-tmpfiles-configured" % release)
    assert _os_kernel.parse_tmpfiles(text, ENABLED) == "madvise"
    assert _os_kernel.parse_tmpfiles(text, ENABLED.replace("enabled", "defrag")) is None
    assert _os_kernel.parse_tmpfiles(text + "w %s - - - - always\n" % ENABLED, ENABLED) == "madvise", "of several lines the first"


BUILT = "CONFIG_TRANSPARENT_HUGEPAGE=y\nCONFIG_TRANSPARENT_HUGEPAGE_ALWAYS=y\n# CONFIG_TRANSPARENT_HUGEPAGE_MADVISE is not set\n"


@pytest.mark.parametrize(
    ("line", "built", "expected"),
    [
        ("root=/dev/vda1 quiet", BUILT, "always"),
        ("root=/dev/vda1 transparent_hugepage=never", BUILT, "never"),
        ("transparent_hugepage=always transparent_hugepage=madvise", BUILT, "madvise"),
        ("transparent_hugepage=nonsense", BUILT, "always"),
        ("quiet", "", None),
    ],
)
def test_what_the_kernel_begins_with(line, built, expected):
    assert _os_kernel.parse_boot_huge_pages(line, built) == expected


@pytest.mark.parametrize(
    ("live", "rule", "line", "told"),
    [
        ("always [madvise] never", "w- %s - - - - madvise\n", "", "madvise"),
        ("always madvise [never]", "w- %s - - - - never\n", "", "never"),
        ("[always] madvise never", "w- %s - - - - madvise\n", "", "always now, madvise after a boot"),
        ("always [madvise] never", "", "transparent_hugepage=madvise", "madvise"),
        ("always [madvise] never", "", "", "madvise now, and nothing is known to keep it"),
    ],
)
def test_huge_pages_now_and_after_a_boot(monkeypatch, answers, files, live, rule, line, told):
    monkeypatch.setattr(_os_kernel.os.path, "exists", lambda path: True)
    answers(_os_kernel, {"systemd-tmpfiles": "# a file\n" + (rule % ENABLED if rule else "")})
    files(_os_kernel, {ENABLED: live + "\n", "/proc/cmdline": line + "\n"})
    assert value(fact="thp") == told


def test_a_kernel_without_huge_pages_uses_none(monkeypatch):
    monkeypatch.setattr(_os_kernel.os.path, "exists", lambda path: False)
    monkeypatch.setattr(_os_kernel.os.path, "isdir", lambda path: True)
    assert value(fact="thp") == "never"
    monkeypatch.setattr(_os_kernel.os.path, "isdir", lambda path: False)
    assert error(fact="thp") == "/sys/kernel/mm is not there"


# A reboot that is due

KERNELS_UBUNTU, KERNELS_DEBIAN = "dpkg-query-1.22.6-ubuntu24.04-kernels", "dpkg-query-1.22.22-debian13-kernels"


def test_installed_kernels(captured):
    assert _os_kernel.parse_kernels(captured(KERNELS_UBUNTU)) == {"6.8.0-31-generic": "6.8.0-31.31", "6.8.0-151-generic": "6.8.0-151.151"}
    assert _os_kernel.parse_kernels(captured(KERNELS_DEBIAN)) == {
        "6.12.107+deb13-cloud-amd64": "6.12.107-1",
        "6.12.117+deb13-cloud-amd64": "6.12.117-1",
    }
    assert _os_kernel.parse_kernels("") == {}
    others = "rc  linux-image-6.1.0-9-amd64 6.1.27-1\nhi  linux-image-6.1.0-28-amd64 6.1.119-1\nii  linux-image-6.1.0-28-amd64-dbg 6.1.119-1\n"
    assert _os_kernel.parse_kernels(others) == {"6.1.0-28-amd64": "6.1.119-1"}


@pytest.mark.parametrize("text", ["\n", "<html>\n", "ii  bash 5.2\n", "dpkg-query: error: failed to open\n"])
def test_kernels_that_cannot_be_read_are_an_error(text):
    with pytest.raises(ProbeError, match="dpkg-query has the line"):
        _os_kernel.parse_kernels(text)


@pytest.mark.parametrize(
    ("text", "package"),
    [
        ("Ubuntu 6.8.0-31.31-generic 6.8.1\n", "6.8.0-31.31"),
        ("Ubuntu 6.11.0-29.29~24.04.1-generic 6.11.11\n", "6.11.0-29.29~24.04.1"),
        (
            "Linux version 6.12.107+deb13-cloud-amd64 (debian-kernel@lists.debian.org) (x86_64-linux-gnu-gcc-14 (Debian 14.2.0-19) 14.2.0, "
            "GNU ld (GNU Binutils for Debian) 2.44) #1 SMP PREEMPT_DYNAMIC Debian 6.12.107-1 (2026-10-30)\n",
            "6.12.107-1",
        ),
        ("Linux version 6.18.44-fc-v669 (root@builder) (gcc 12.2.0) #1 SMP PREEMPT_DYNAMIC @0\n", ""),
        ("", ""),
    ],
)
def test_the_package_of_the_running_kernel(text, package):
    assert _os_kernel.running_package(text) == package


@pytest.mark.parametrize(
    ("release", "package", "kernels", "expected"),
    [
        ("6.8.0-31-generic", "6.8.0-31.31", KERNELS_UBUNTU, "6.8.0-151-generic"),
        ("6.8.0-151-generic", "6.8.0-151.151", KERNELS_UBUNTU, ""),
        ("6.8.0-151-generic", "6.8.0-151.149", KERNELS_UBUNTU, "6.8.0-151.151"),  # the same release, built anew
        ("6.8.0-31-lowlatency", "", KERNELS_UBUNTU, ""),  # another flavour
        ("6.12.107+deb13-cloud-amd64", "6.12.107-1", KERNELS_DEBIAN, "6.12.117+deb13-cloud-amd64"),
        ("6.12.117+deb13-cloud-amd64", "6.12.117-1", KERNELS_DEBIAN, ""),
        ("6.12.117+deb13-amd64", "6.12.117-1", KERNELS_DEBIAN, ""),
        ("6.18.44-fc-v669", "", KERNELS_DEBIAN, ""),
        ("6.18.44-fc-v669", "", "", ""),
        ("6.18.44", "", KERNELS_DEBIAN, ""),
    ],
)
def test_a_kernel_that_a_reboot_would_start(captured, release, package, kernels, expected):
    found = _os_kernel.parse_kernels(captured(kernels)) if kernels else {}
    assert _os_kernel.newer_kernel(release, package, found) == expected


def test_releases_are_compared_number_by_number():
    kernels = {"6.1.0-9-amd64": "1", "6.1.0-28-amd64": "2", "6.12.9+bpo-amd64": "3"}
    assert _os_kernel.newer_kernel("6.1.0-9-amd64", "", kernels) == "6.12.9+bpo-amd64"
    assert _os_kernel.newer_kernel("6.12.9+bpo-amd64", "", kernels) == ""


@pytest.fixture
def booted(monkeypatch, tmp_path, answers):
    """A host that runs a kernel, has others installed, and may say that it wants a reboot."""

    def install(release, version, kernels, packages=None):
        marker = tmp_path / "reboot-required"
        if packages is not None:
            marker.touch()
            (tmp_path / "reboot-required.pkgs").write_text(packages)
        monkeypatch.setattr(_os_kernel, "_REBOOT", str(marker))
        monkeypatch.setattr(_os_kernel.os, "uname", lambda: types.SimpleNamespace(release=release))
        monkeypatch.setattr(_os_kernel, "read_text", lambda path, missing=None: version if path == "/proc/version" else _read(path, missing))
        answers(_os_kernel, {"linux-image-*": kernels}, status=0 if kernels else 1)
        return str(marker)

    def _read(path, missing):
        return open(path).read() if os.path.exists(path) and str(tmp_path) in path else missing

    return install


def test_a_newer_kernel_wants_a_reboot_where_no_file_says_so(booted, captured):
    booted("6.12.107+deb13-cloud-amd64", "... Debian 6.12.107-1 (2026-10-30)", captured(KERNELS_DEBIAN))
    assert value(fact="reboot") == ["kernel 6.12.107-1 runs, 6.12.117+deb13-cloud-amd64 is installed"]


def test_a_package_that_wants_a_reboot(booted, captured):
    marker = booted("6.12.117+deb13-cloud-amd64", "... Debian 6.12.117-1 (2026-11-12)", captured(KERNELS_DEBIAN), "libc6\ndbus\nlibc6\n")
    assert value(fact="reboot") == ["%s (dbus, libc6)" % marker]


def test_no_reboot_is_due(booted, captured):
    booted("6.12.117+deb13-cloud-amd64", "... Debian 6.12.117-1 (2026-11-12)", captured(KERNELS_DEBIAN))
    assert value(fact="reboot") == []
    booted("6.18.44-fc-v669", "Linux version 6.18.44-fc-v669", "")
    seen = look(fact="reboot")
    assert (seen.value, "no kernel is installed by a package" in seen.evidence) == ([], True)


def test_a_dpkg_that_fails_is_no_answer(booted, answers, monkeypatch):
    booted("6.18.44-fc-v669", "", "")
    monkeypatch.setattr(_os_kernel, "finished", lambda *_arguments, **_options: (2, "", "dpkg-query: error: parsing file"))
    assert "ended with status 2" in error(fact="reboot")
    monkeypatch.setattr(_os_kernel, "finished", lambda *_arguments, **_options: (1, "", "something else"))
    assert "ended with status 1" in error(fact="reboot")


def test_the_running_kernel():
    assert value(fact="kernel") == os.uname().release


# Open files

LIMITS = """\
# <domain> <type> <item> <value>
*               soft    core            0
#*              soft    nofile          10
#@student       hard    nofile          20
"""
WITH_RIGHTS, WITHOUT = "CapEff:\t000001ffffffffff\n", "CapEff:\t000001fffeffffff\n"
OF_THE_FIRST = (
    "Limit                     Soft Limit           Hard Limit           Units     \nMax open files            %s                %s                files     \n"
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (LIMITS, {}),
        (LIMITS + "* soft nofile 65536\n", {"logins": 65536}),
        (LIMITS + "* - nofile 65536\nroot soft nofile unlimited\n", {"logins": 65536, "logins of root": 2**30}),
        ("* soft nofile 1000\n* soft nofile 2000\n", {"logins": 2000}),
        ("* hard nofile 1000\n", {}),
        ("* soft nofile 65536\ndeploy - nofile 1024\n", {"logins": 65536, "logins of deploy": 1024}),
        ("@docker SOFT NoFile 1024\n1000:1010 soft nofile 2048\n", {"logins of @docker": 1024, "logins of 1000:1010": 2048}),
        ("deploy -\ndeploy soft nproc 10\n", {}),
    ],
)
def test_limits_of_logins(text, expected):
    assert _os_systemd.parse_limits(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (LIMITS, {}),
        (LIMITS + "* soft nofile 65536\n", {}),
        ("* hard nofile 1024\n", {"logins": 1024}),
        ("* hard nofile 1024\n* - nofile 4096\nroot hard nofile unlimited\n", {"logins": 4096, "logins of root": 2**30}),
    ],
)
def test_what_logins_may_have_at_most(text, expected):
    assert _os_systemd.parse_limits(text, kind="hard") == expected


@pytest.mark.parametrize("text", ["* soft nofile many\n", "root - nofile -2\n"])
def test_a_limit_that_is_no_number_is_an_error(text):
    with pytest.raises(ProbeError, match="nofile is"):
        _os_systemd.parse_limits(text)


@pytest.mark.parametrize(("case", "expected"), [("default", None), ("configured", "65536:524288")])
@pytest.mark.parametrize("release", [UBUNTU, DEBIAN])
def test_what_systemd_gives_services(captured, release, case, expected):
    found = _os_systemd.parse_configuration(captured("systemd-%s-system-%s" % (release, case)), "Manager")
    assert found.get("DefaultLimitNOFILE") == expected


def test_a_later_assignment_holds_and_an_empty_one_takes_back():
    text = "[Manager]\nDefaultLimitNOFILE=1\n[Other]\nDefaultLimitNOFILE=7\n# [Manager]\n[Manager]\nDefaultLimitNOFILE=2\n"
    assert _os_systemd.parse_configuration(text, "Manager") == {"DefaultLimitNOFILE": "2"}
    assert _os_systemd.parse_configuration(text + "DefaultLimitNOFILE=\n", "Manager") == {"DefaultLimitNOFILE": ""}


@pytest.mark.parametrize("text", ["<html>", "DefaultLimitNOFILE=1\n", "[Manager]\nnonsense\n", "\0\0"])
def test_a_configuration_that_nobody_understands_is_an_error(text):
    with pytest.raises(ProbeError, match="the configuration of systemd has the line"):
        _os_systemd.parse_configuration(text, "Manager")


@pytest.mark.parametrize(
    ("live", "drop_in", "limits", "capabilities", "expected"),
    [
        ("65536", "65536:524288", "* soft nofile 65536\nroot soft nofile 65536\n", WITH_RIGHTS, 65536),
        ("65536", "65536:524288", "", WITH_RIGHTS, 65536),
        ("infinity", "infinity", "", WITH_RIGHTS, 2**30),
        ("1024", "65536:524288", "* soft nofile 65536\nroot soft nofile 65536\n", WITH_RIGHTS, 1024),  # not read yet
        ("65536", "", "* soft nofile 65536\nroot soft nofile 65536\n", WITH_RIGHTS, 1024),  # forgotten at the next boot
        ("65536", "65536", "* soft nofile 4096\nroot soft nofile 65536\n", WITH_RIGHTS, 4096),
        ("65536", "65536", "* soft nofile 65536\nroot soft nofile 8192\n", WITH_RIGHTS, 8192),
        ("65536", "65536:524288", "", WITHOUT, 32768),  # more than the container may give
        ("65536", "65536", "* hard nofile 1024\n* soft nofile 65536\nroot soft nofile 65536\n", WITH_RIGHTS, 1024),  # lowered by PAM
        ("65536", "65536", "* hard nofile 1024\n", WITH_RIGHTS, 1024),
        ("65536", "65536", "* soft nofile 65536\nroot hard nofile 2048\n", WITH_RIGHTS, 2048),
        ("65536", "65536", "* hard nofile 1024\n* hard nofile 65536\n", WITH_RIGHTS, 65536),  # the last one counts
        ("65536", "65536", "@staff hard nofile 1024\n", WITH_RIGHTS, 1024),
        ("65536", "65536", "* soft nofile 65536\ndeploy - nofile 1024\n", WITH_RIGHTS, 1024),  # one user's goes before those of all
        ("65536", "65536", "deploy - nofile 1024\n* soft nofile 65536\n", WITH_RIGHTS, 1024),
        ("65536", "65536", "@docker soft nofile 2048\n* soft nofile 65536\n", WITH_RIGHTS, 2048),
        ("65536", "65536", "* soft nofile 4096\n@docker hard nofile 70000\n", WITH_RIGHTS, 4096),
        ("65536", "65536", "* soft nofile 65536\ndeploy soft nofile unlimited\n", WITH_RIGHTS, 65536),
        ("65536", "65536", "* soft nofile 65536\ndeploy soft nproc 10\n", WITH_RIGHTS, 65536),
    ],
)
def test_how_many_files_may_be_open(monkeypatch, answers, files, live, drop_in, limits, capabilities, expected):
    configuration = "[Manager]\n" + ("DefaultLimitNOFILE=%s\n" % drop_in if drop_in else "")
    answers(_os_systemd, {"show": "DefaultLimitNOFILE=524288\nDefaultLimitNOFILESoft=%s\n" % live, "cat-config": configuration})
    monkeypatch.setattr(_os_systemd.glob, "glob", lambda _pattern: ["gonogo.conf"])
    texts = {"/etc/security/limits.conf": LIMITS, "gonogo.conf": limits, "/proc/1/status": capabilities, "/proc/1/limits": OF_THE_FIRST % (32768, 32768)}
    files(_os_systemd, texts)
    assert value(fact="open_files") == expected


def test_a_hard_limit_that_lowers_logins_is_in_the_evidence(monkeypatch, answers, files):
    answers(_os_systemd, {"show": "DefaultLimitNOFILESoft=65536\n", "cat-config": "[Manager]\nDefaultLimitNOFILE=65536\n"})
    monkeypatch.setattr(_os_systemd.glob, "glob", lambda _pattern: ["own.conf"])
    files(_os_systemd, {"own.conf": "* soft nofile 65536\n* hard nofile 1024\n", "/proc/1/status": WITH_RIGHTS})
    told = "logins 1024 (hard nofile of /etc/security/limits.conf or /etc/security/limits.d), logins of root 65536"
    assert look(fact="open_files").evidence == "services 65536, services after a boot 65536, " + told


def test_whose_line_it_is_is_in_the_evidence(monkeypatch, answers, files):
    answers(_os_systemd, {"show": "DefaultLimitNOFILESoft=65536\n", "cat-config": "[Manager]\nDefaultLimitNOFILE=65536\n"})
    monkeypatch.setattr(_os_systemd.glob, "glob", lambda _pattern: ["own.conf"])
    files(_os_systemd, {"own.conf": "* soft nofile 65536\n@docker soft nofile 1024\ndeploy hard nofile 2048\n", "/proc/1/status": WITH_RIGHTS})
    assert look(fact="open_files").evidence.endswith(
        "logins of root 65536, logins of @docker 1024, logins of deploy 2048 (hard nofile of /etc/security/limits.conf or /etc/security/limits.d)"
    )


@pytest.mark.parametrize("shown", ["", "DefaultLimitNOFILE=524288\n", "DefaultLimitNOFILESoft=many\n"])
def test_a_systemd_that_does_not_say_is_an_error(answers, shown):
    answers(_os_systemd, {"show": shown, "cat-config": "[Manager]\n"})
    assert error(fact="open_files")


# Journal


@pytest.mark.parametrize(("case", "storage", "limit"), [("default", None, None), ("configured", "persistent", "1G")])
@pytest.mark.parametrize("release", [UBUNTU, DEBIAN])
def test_what_journald_is_told(captured, release, case, storage, limit):
    found = _os_systemd.parse_configuration(captured("systemd-%s-journald-%s" % (release, case)), "Journal")
    assert (found.get("Storage"), found.get("SystemMaxUse")) == (storage, limit)


@pytest.fixture
def journals(tmp_path, monkeypatch, answers, files):
    """Where the journal lies, and what journald is told."""
    places = [tmp_path / "var", tmp_path / "run"]
    descriptors = tmp_path / "proc/77/fd"
    monkeypatch.setattr(_os_systemd, "_PROC", str(tmp_path / "proc"))
    monkeypatch.setattr(_os_systemd, "_JOURNAL", tuple(map(str, places)))
    files(_os_systemd, {"/etc/machine-id": "3f1ab2d9\n"})

    def install(kept, fleeting, settings, began=0):
        descriptors.mkdir(parents=True, exist_ok=True)
        for place, there in zip(places, (kept, fleeting)):
            if there is not None:
                (place / "3f1ab2d9").mkdir(parents=True)
            if there:
                (descriptors / place.name).symlink_to(place / "3f1ab2d9" / "system.journal")
        answers(_os_systemd, {"cat-config": settings, "show": "MainPID=77\nExecMainStartTimestamp=@%d\n" % began})
        return tmp_path

    return install


@pytest.mark.parametrize(
    ("kept", "fleeting", "settings", "told"),
    [
        (True, False, "[Journal]\nStorage=persistent\n", "persistent"),
        (True, None, "[Journal]\n#Storage=auto\n", "persistent"),
        (None, True, "[Journal]\nStorage=auto\n", "volatile"),
        (None, True, "[Journal]\nStorage=persistent\n", "volatile now, persistent after a boot"),
        (True, True, "[Journal]\nStorage=persistent\n", "volatile now, persistent after a boot"),
        (True, False, "[Journal]\nStorage=volatile\n", "persistent now, volatile after a boot"),
        (None, None, "[Journal]\nStorage=none\n", "none"),
    ],
)
def test_where_the_journal_is_kept(journals, kept, fleeting, settings, told):
    journals(kept, fleeting, settings)
    assert value(fact="journal") == told


def test_a_journal_that_journald_has_left_is_not_where_it_is_kept(journals):
    place = journals(True, None, "[Journal]\nStorage=persistent\n")
    (place / "run/3f1ab2d9").mkdir(parents=True)
    (place / "run/3f1ab2d9/system.journal").touch()
    assert value(fact="journal") == "persistent"


def test_a_file_that_journald_closes_meanwhile_is_not_open(journals, monkeypatch):
    journals(True, None, "[Journal]\nStorage=persistent\n")
    listdir = os.listdir
    monkeypatch.setattr(_os_systemd.os, "listdir", lambda path: [*listdir(path), "closed"])
    assert value(fact="journal") == "persistent"


@pytest.mark.parametrize("shown", ["MainPID=\n", "MainPID=0\n", "MainPID=78\n"])
def test_a_journald_of_which_nothing_is_seen_is_an_error(journals, answers, shown):
    journals(True, None, "[Journal]\n")
    answers(_os_systemd, {"cat-config": "[Journal]\n", "show": shown})
    assert "systemd-journald" in error(fact="journal")


@pytest.mark.parametrize(("text", "size"), [("1G", 2**30), ("512M", 2**29), ("1.5K", 1536), ("1000", 1000), ("2T", 2**41), ("1GiB", 2**30)])
def test_sizes_of_journald(text, size):
    assert _os_systemd.parse_size(text) == size


def test_how_large_the_journal_may_become(journals):
    place = journals(True, False, "[Journal]\nSystemMaxUse=1G\n", began=2**31)
    assert value(fact="journal_limit") == 2**30
    journals(None, None, "[Journal]\n", began=2**31)
    size = os.statvfs(place)
    assert value(fact="journal_limit") == min(size.f_frsize * size.f_blocks // 10, 4 * 2**30)
    journals(None, None, "[Journal]\nSystemMaxUse=lots\n", began=2**31)
    assert "journald.conf has the size 'lots'" in error(fact="journal_limit")


def test_settings_that_journald_has_not_read_are_an_error(journals, tmp_path):
    drop_in = tmp_path / "journald.conf.d" / "gonogo.conf"
    drop_in.parent.mkdir()
    drop_in.write_text("[Journal]\nSystemMaxUse=1G\n")
    os.utime(drop_in, (5000, 5000))
    os.utime(drop_in.parent, (4000, 4000))
    text = "# %s\n[Journal]\nSystemMaxUse=1G\n" % drop_in
    journals(True, False, text, began=5000)
    assert value(fact="journal_limit") == 2**30
    journals(None, None, text, began=4990)
    with pytest.raises(ProbeError, match="has run since before .*gonogo.conf changed") as raised:
        value(fact="journal_limit")
    assert raised.value.remedy == "systemctl restart systemd-journald"
    os.utime(drop_in.parent, (6000, 6000))  # a file was taken away
    journals(None, None, text, began=5000)
    assert "journald.conf.d changed" in error(fact="journal_limit")


@pytest.mark.parametrize("shown", ["", "ExecMainStartTimestamp=\n", "ExecMainStartTimestamp=n/a\n"])
def test_a_journald_that_does_not_run_is_an_error(journals, answers, shown):
    answers(_os_systemd, {"cat-config": "[Journal]\n", "show": shown})
    assert error(fact="journal_limit")


# Swap units


def test_units_are_looked_for_where_the_generators_of_systemd_put_them():
    assert {"/run/systemd/generator", "/run/systemd/generator.late"} <= set(_os_systemd._UNITS)


@pytest.fixture
def units(tmp_path, monkeypatch):
    places = [tmp_path / name for name in ("etc", "run", "generator", "lib", "late")]
    for place in places:
        (place / "swap.target.wants").mkdir(parents=True)
        (place / "multi-user.target.wants").mkdir()
    monkeypatch.setattr(_os_systemd, "_UNITS", tuple(map(str, places)))
    monkeypatch.setattr(_os_systemd, "_OWN_UNITS", tuple(map(str, places[:2])))

    def unit(place, name, text="[Swap]\nWhat=/swap\n", wanted=True, by="swap"):
        (tmp_path / place / name).write_text(text)
        if wanted:
            (tmp_path / place / (by + ".target.wants") / name).symlink_to(tmp_path / place / name)

    unit.root = tmp_path
    return unit


def test_swap_that_systemd_brings_up(units):
    units("generator", "dev-zram0.swap")
    units("etc", "swap-own.swap")
    units("lib", "unused.swap", wanted=False)
    units("generator", "dev-sda2.swap", "[Unit]\nSourcePath=/etc/fstab\n")
    assert _os_systemd.swap_units() == ["dev-zram0.swap", "swap-own.swap"]


def test_a_partition_that_systemd_finds_by_itself_counts(units):
    units("late", "dev-sda3.swap", "[Unit]\nDocumentation=man:systemd-gpt-auto-generator(8)\n")
    assert _os_systemd.swap_units() == ["dev-sda3.swap"]


def test_a_masked_swap_target_brings_up_what_others_want_alone(units):
    units("late", "dev-sda3.swap")
    units("etc", "swap-own.swap", by="multi-user")
    (units.root / "etc" / "swap.target").symlink_to(os.devnull)
    assert _os_systemd.swap_units() == ["swap-own.swap"]


def test_swap_that_is_masked_or_disabled_stays_down(units):
    units("generator", "dev-zram0.swap")
    (units.root / "etc" / "dev-zram0.swap").symlink_to(os.devnull)
    units("etc", "swap-own.swap", wanted=False)
    assert _os_systemd.swap_units() == []


# Services of before an update

MAPS = """\
55d0a6c00000-55d0a6c28000 r--p 00000000 fd:00 1048 /usr/sbin/chronyd (deleted)
55d0a6c28000-55d0a6ce0000 r-xp 00028000 fd:00 1048 /usr/sbin/chronyd (deleted)
7f10c9a00000-7f10c9a22000 r-xp 00000000 fd:00 2096 /usr/lib/x86_64-linux-gnu/libc.so.6
7f10c9c00000-7f10c9c90000 r-xp 00000000 fd:00 2099 /usr/lib/x86_64-linux-gnu/libssl.so.3 (deleted)
7f10c9d00000-7f10c9d10000 rw-p 00000000 00:01 1024 /memfd:doublemapper (deleted)
7f10c9e00000-7f10c9e10000 rwxp 00000000 00:01 1025 /tmp/.gl1x2y (deleted)
7f10c9f00000-7f10c9f10000 r--p 00000000 fd:00 2101 /usr/lib/locale/locale-archive (deleted)
7ffd3a5c4000-7ffd3a5e5000 rw-p 00000000 00:00 0 [stack]
"""


def test_programs_and_libraries_that_are_gone():
    assert _os_systemd.parse_deleted(MAPS) == ["chronyd", "libssl.so.3"]
    assert _os_systemd.parse_deleted("") == []


@pytest.mark.parametrize(
    ("text", "unit"),
    [
        ("0::/system.slice/chrony.service\n", "chrony.service"),
        ("0::/system.slice/system-postgresql.slice/postgresql@17-main.service\n", "postgresql@17-main.service"),
        ("0::/system.slice/ssh.service/child\n", "ssh.service"),
        ("0::/init.scope\n", "init.scope"),
        ("0::/user.slice/user-1000.slice/session-3.scope\n", ""),
        ("0::/user.slice/user-1000.slice/user@1000.service/app.slice/x.service\n", ""),
        ("0::/\n", ""),
        ("12:cpu:/\n1:name=systemd:/system.slice/cron.service\n", "cron.service"),
    ],
)
def test_the_service_of_a_process(text, unit):
    assert _os_systemd.unit_of(text) == unit


def test_outdated_services(monkeypatch):
    texts = {
        "/proc/7/maps": MAPS,
        "/proc/7/cgroup": "0::/system.slice/chrony.service\n",
        "/proc/8/maps": "",
        "/proc/9/maps": MAPS,
        "/proc/9/cgroup": "0::/system.slice/docker.service\n",
    }
    monkeypatch.setattr(_os_systemd.os, "listdir", lambda _path: ["7", "8", "9", "10", "self"])
    monkeypatch.setattr(_os_systemd.os, "readlink", lambda path: "mnt:[2]" if path == "/proc/9/ns/mnt" else "mnt:[1]")

    def read(path, *, missing=None):
        if path not in texts:
            raise ProbeError("%s does not exist" % path)
        return texts[path]

    monkeypatch.setattr(_os_systemd, "read_text", read)
    seen = look(fact="outdated")
    assert (seen.value, seen.evidence) == (["chrony.service"], "chrony.service: chronyd, libssl.so.3")


def test_processes_that_cannot_be_looked_at_are_an_error(monkeypatch):
    def refused(_path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(_os_systemd.os, "readlink", refused)
    assert error(fact="outdated") == "cannot look at the processes of others: Permission denied"


# Updates without a hand

APT_UBUNTU, APT_DEBIAN = "apt-config-2.7.14-ubuntu24.04-", "apt-config-3.0.3-debian13-"
RUNNING = "ActiveState=active\nUnitFileState=enabled\n"


@pytest.fixture
def apt(monkeypatch, answers, captured):
    def install(name, timers=RUNNING, *, program=True):
        text = captured(name) if "\n" not in name else name
        answers(_os_unattended, {"apt-config": text, "systemctl": timers})
        monkeypatch.setattr(_os_unattended.os.path, "exists", lambda _path: program)

    return install


@pytest.mark.parametrize("system", [APT_UBUNTU, APT_DEBIAN])
@pytest.mark.parametrize("case", ["default", "configured"])
def test_security_updates_that_are_installed_every_day(apt, system, case):
    apt(system + case)
    assert value(fact="unattended") == []


@pytest.mark.parametrize("system", [APT_UBUNTU, APT_DEBIAN])
def test_what_keeps_security_updates_away(apt, system):
    apt(system + "off", "ActiveState=inactive\nUnitFileState=masked\n")
    assert value(fact="unattended") == [
        "APT::Periodic::Enable is 0",
        "APT::Periodic::Unattended-Upgrade is 0",
        "no origin of security updates is allowed (Unattended-Upgrade::Allowed-Origins, Origins-Pattern)",
        "apt-daily.timer is inactive and masked",
        "apt-daily-upgrade.timer is inactive and masked",
    ]


@pytest.mark.parametrize("system", [APT_UBUNTU, APT_DEBIAN])
def test_without_the_package_there_is_nothing(apt, system):
    apt(system + "absent", program=False)
    assert value(fact="unattended")[:3] == [
        "unattended-upgrades is not installed",
        "APT::Periodic::Update-Package-Lists is 0",
        "APT::Periodic::Unattended-Upgrade is 0",
    ]
    assert value(fact="unattended_reboot") == "never"
    assert value(fact="unattended_blacklist") == []


@pytest.mark.parametrize(
    ("period", "daily"), [("1", True), ("always", True), ("12h", True), ("1d", True), ("7", False), ("2d", False), ("0", False), ("", False), ("x", False)]
)
def test_a_period_is_a_day_at_most(captured, period, daily):
    options = _os_unattended.parse_apt_config(captured(APT_DEBIAN + "default").replace('Unattended-Upgrade "1"', 'Unattended-Upgrade "%s"' % period))
    assert (_os_unattended.obstacles(options) == []) is daily


def test_a_blacklist_of_everything_is_no_update(captured):
    text = captured(APT_DEBIAN + "default")
    every = [(pattern, True) for pattern in (".*", ".", "[a-z]", "..", ".+", "(?:)", "lib|[^l]")]
    for pattern, all_ in (("docker", False), ("", False), *every):
        options = _os_unattended.parse_apt_config(text + 'Unattended-Upgrade::Package-Blacklist:: "%s";\n' % pattern)
        assert bool(_os_unattended.obstacles(options)) is all_
    with pytest.raises(ProbeError, match="which is no regular expression"):
        _os_unattended.obstacles(_os_unattended.parse_apt_config(text + 'Unattended-Upgrade::Package-Blacklist:: "(";\n'))


@pytest.mark.parametrize(
    ("patterns", "declared", "found"),
    [
        (["docker", "nvidia-", "libnvidia-", "containerd"], [], []),
        (["openssh"], [], ["Unattended-Upgrade::Package-Blacklist has 'openssh', which leaves out openssh-server and is not declared"]),
        (["openssh", "openssh"], ["openssh"], []),
        (["linux-"], ["linux-"], []),
        (["linux-", "libc"], ["linux-"], ["Unattended-Upgrade::Package-Blacklist has 'libc', which leaves out libc6 and is not declared"]),
        (
            ["lib|linux|open"],
            [],
            [
                "Unattended-Upgrade::Package-Blacklist has 'lib|linux|open', which leaves out libc6, libssl3, libssl3t64, libsystemd0, linux-generic, "
                "linux-image-6.8.0-1-generic, linux-image-6.12.1-amd64, linux-image-amd64, linux-image-arm64, linux-image-generic, openssh-server, "
                "openssl and is not declared"
            ],
        ),
        ([".*"], [".*"], ["Unattended-Upgrade::Package-Blacklist names every package"]),
    ],
)
def test_what_is_left_out_of_security_updates_is_declared(apt, captured, patterns, declared, found):
    apt(captured(APT_DEBIAN + "default") + "".join('Unattended-Upgrade::Package-Blacklist:: "%s";\n' % one for one in patterns))
    assert value(fact="unattended", blacklist=declared) == found


@pytest.mark.parametrize("system", [APT_UBUNTU, APT_DEBIAN])
def test_what_is_left_alone_and_when_it_reboots(apt, system):
    apt(system + "configured")
    assert value(fact="unattended_blacklist") == ["containerd", "docker", "nvidia-"]
    assert value(fact="unattended_reboot") == "idle 02:30"
    apt(system + "default")
    assert (value(fact="unattended_blacklist"), value(fact="unattended_reboot")) == ([], "never")


@pytest.mark.parametrize(
    ("options", "policy"),
    [
        ('Unattended-Upgrade::Automatic-Reboot "True";\n', "always now"),
        ('Unattended-Upgrade::Automatic-Reboot "true";\nUnattended-Upgrade::Automatic-Reboot-Time "04:00";\n', "always 04:00"),
        ('unattended-upgrade::automatic-reboot "1";\nUnattended-Upgrade::Automatic-Reboot-WithUsers "no";\n', "idle now"),
        ('Unattended-Upgrade::Automatic-Reboot "false";\nUnattended-Upgrade::Automatic-Reboot-Time "04:00";\n', "never"),
    ],
)
def test_when_it_reboots(apt, captured, options, policy):
    apt(captured(APT_DEBIAN + "default") + options)
    assert value(fact="unattended_reboot") == policy


@given(st.text())
def test_options_of_apt_are_read_or_an_error(text):
    with contextlib.suppress(ProbeError):
        assert "apt::architecture" in _os_unattended.parse_apt_config(text)
