# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the role os asks a host with a shell."""

from __future__ import annotations

import os
import pathlib
import subprocess

import pytest
import yaml

ROLE = pathlib.Path(__file__).resolve().parents[2] / "roles" / "os"
TASKS = {task["name"]: task for task in yaml.safe_load((ROLE / "tasks" / "service.yml").read_text())}


@pytest.fixture
def chrony(tmp_path):
    """What the role hears of a chronyd with this configuration and this file of its own, each of its age in seconds or None."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, said in (("systemctl", '[ "$1" = is-enabled ] && echo enabled || echo active'), ("chronyc", "echo ^,*,2.pool.example")):
        (programs / name).write_text("#!/bin/sh\n%s\n" % said)
        (programs / name).chmod(0o755)

    def ask(began):
        files = [tmp_path / "chrony.conf", tmp_path / "chronyd.pid"]
        files[0].write_text("pool 2.pool.example iburst\n")
        if began is not None:
            files[1].write_text("1\n")
            moment = os.stat(files[0]).st_ctime + began
            os.utime(files[1], (moment, moment))
        argv = TASKS["Ask chrony what it really does"]["ansible.builtin.command"]["argv"]
        assert argv[-2:] == ["/etc/chrony/chrony.conf", "/run/chrony/chronyd.pid"]
        path = "%s:%s" % (programs, os.environ["PATH"])
        done = subprocess.run([*argv[:-2], *map(str, files)], env={"PATH": path}, stdout=subprocess.PIPE, check=True, encoding="utf-8")
        return [line.replace(str(files[0]), "the file") for line in done.stdout.splitlines()]

    return ask


@pytest.mark.parametrize(("began", "told"), [(-5, ["the file"]), (-0.1, ["the file"]), (0.1, []), (5, []), (None, ["the file"])])
def test_a_chronyd_that_began_before_its_file_changed(chrony, began, told):
    assert chrony(began) == ["enabled", "active", *told, "^,*,2.pool.example"]


VARIABLES = yaml.safe_load((ROLE / "vars" / "main.yml").read_text())


@pytest.mark.parametrize("own", ["", "Package: nano\nPin: version 7*\nPin-Priority: -1\n"])
def test_what_an_upgrade_leaves_alone_is_pinned_before_the_pins_of_the_host(tmp_path, own):
    there = tmp_path / "of-the-host"
    if own:
        there.write_text(own)
    made = tmp_path / "made"
    command = ["sh", "-euc", VARIABLES["__os_pin"], "sh", str(made), str(there), "docker.io", "runc"]
    for _again in range(2):
        subprocess.run(command, check=True)
        assert (made / "preferences").read_text() == "Package: docker.io runc\nPin: release a=now\nPin-Priority: 30000\n\n" + own
        assert (made / "apt.conf").read_text() == 'Dir::Etc::preferences "%s/preferences";\n' % made


def test_systemd_is_kept_from_swap_before_fstab_has_none():
    """A run that is killed in between finds the lines of fstab again, and masks the target once more."""
    names = list(TASKS)
    mask, fstab = names.index("Have systemd find no swap by itself"), names.index("Have no swap in the table of file systems")
    assert mask < fstab
    assert TASKS[names[mask]]["when"] == TASKS[names[fstab]]["when"]
    assert TASKS[names[mask]]["ansible.builtin.command"]["argv"] == ["systemctl", "mask", "swap.target"]
