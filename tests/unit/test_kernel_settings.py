# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings of the running kernel: what differs is set, and what cannot be set is told and is no change."""

from __future__ import annotations

import os

import pytest

from ansible_collections.gonogo.preflight.plugins.module_utils import _kernel_settings
from ansible_collections.gonogo.preflight.plugins.module_utils._kernel_settings import change, chosen, differing

HUGE_PAGES = "kernel/mm/transparent_hugepage/enabled"


@pytest.fixture
def kernel(tmp_path):
    """Trees like /proc/sys and /sys."""
    roots = {"sysctl": str(tmp_path / "proc"), "sysfs": str(tmp_path / "sys")}

    def install(**files):
        for path, text in files.items():
            file = tmp_path / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        return roots

    install.read = lambda path: (tmp_path / path).read_text()
    return install


@pytest.mark.parametrize(
    ("text", "value"),
    [("1\n", "1"), ("4\t4\t1\t7\n", "4 4 1 7"), ("always [madvise] never\n", "madvise"), ("[always] madvise never\n", "always"), ("\n", "")],
)
def test_the_value_that_is_chosen(text, value):
    assert chosen(text) == value


def test_a_number_is_compared_as_the_kernel_tells_it(kernel):
    roots = kernel(**{"proc/kernel/sysrq": "438\n", "proc/kernel/printk": "4\t4\t1\t7\n"})
    assert differing({"sysctl": {"kernel.sysrq": "0x1b6", "kernel.printk": " 4 4  1 7"}}, roots) == []
    assert [one.value for one in differing({"sysctl": {"kernel.sysrq": "0x01"}}, roots)] == ["1"]


def test_what_differs_is_set(kernel):
    roots = kernel(**{"proc/vm/overcommit_memory": "0\n", "proc/kernel/printk": "4\t4\t1\t7\n", "sys/" + HUGE_PAGES: "[always] madvise never\n"})
    wanted = {"sysctl": {"vm.overcommit_memory": 1, "kernel.printk": "4 4 1 7"}, "sysfs": {HUGE_PAGES: "madvise"}}
    found = differing(wanted, roots)
    assert [(one.live, one.value, one.refused) for one in found] == [("0", "1", ""), ("always", "madvise", "")]
    assert change(found) == []
    assert (kernel.read("proc/vm/overcommit_memory"), kernel.read("sys/" + HUGE_PAGES)) == ("1\n", "madvise\n")
    assert differing(wanted, roots) == []


def test_a_pattern_is_all_that_it_matches(kernel):
    conf = "proc/net/ipv4/conf/%s/accept_redirects"
    roots = kernel(**{conf % "all": "0\n", conf % "eth0": "1\n", conf % "docker0": "1\n", "proc/net/ipv4/tcp_syncookies": "1\n"})
    found = differing({"sysctl": {"net.ipv4.conf.*.accept_redirects": "0", "net.ipv9.*.x": "1"}}, roots)
    assert [one.path.split("/")[-2] for one in found] == ["docker0", "eth0"]


def test_a_name_that_is_written_out_goes_before_a_pattern(kernel):
    conf = "net.ipv4.conf.%s.accept_redirects"
    roots = kernel(**{"proc/net/ipv4/conf/all/accept_redirects": "1\n", "proc/net/ipv4/conf/eth0/accept_redirects": "1\n"})
    found = differing({"sysctl": {conf % "*": "0", conf % "all": "1"}}, roots)
    assert [(one.path.split("/")[-2], one.value) for one in found] == [("eth0", "0")]
    assert change(found) == [] and differing({"sysctl": {conf % "*": "0", conf % "all": "1"}}, roots) == []


def test_what_the_kernel_does_not_have_is_told(kernel):
    (found,) = differing({"sysctl": {"kernel.yama.ptrace_scope": "1"}}, kernel())
    assert (found.live, found.refused) == (None, "this kernel does not have it")
    assert change([found]) == [found]


def test_what_is_read_only_is_told_and_not_tried(kernel, monkeypatch):
    roots = kernel(**{"proc/vm/overcommit_memory": "0\n"})
    monkeypatch.setattr(_kernel_settings.os, "access", lambda *_arguments: False)
    (found,) = differing({"sysctl": {"vm.overcommit_memory": "1"}}, roots)
    assert found.refused == "read-only here"
    assert change([found]) == [found]
    assert kernel.read("proc/vm/overcommit_memory") == "0\n"


def test_what_the_kernel_refuses_is_told(kernel, monkeypatch):
    roots = kernel(**{"proc/vm/overcommit_memory": "0\n"})
    found = differing({"sysctl": {"vm.overcommit_memory": "7"}}, roots)

    def refusing(path, mode="r", **options):
        if mode == "w":
            raise OSError(22, "Invalid argument")
        return open(path, mode, **options)

    monkeypatch.setattr(_kernel_settings, "open", refusing, raising=False)
    (failed,) = change(found)
    assert (failed.live, failed.refused) == ("0", "Invalid argument")


def test_an_interface_that_went_away_is_no_failure(kernel):
    roots = kernel(**{"proc/net/ipv4/conf/veth1/rp_filter": "0\n"})
    (found,) = differing({"sysctl": {"net.ipv4.conf.*.rp_filter": "2"}}, roots)
    os.unlink(found.path)
    os.rmdir(os.path.dirname(found.path))
    assert change([found]) == []


def test_a_value_that_does_not_stay_is_told(kernel, monkeypatch):
    roots = kernel(**{"proc/net/ipv4/tcp_mem": "0\n"})
    found = differing({"sysctl": {"net.ipv4.tcp_mem": "1"}}, roots)
    monkeypatch.setattr(_kernel_settings, "chosen", lambda _text: "9")
    (failed,) = change(found)
    assert failed.refused == "it stays 9"
