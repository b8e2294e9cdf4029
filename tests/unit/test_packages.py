# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What dpkg says of packages, and what a role says where apt cannot have them."""

from __future__ import annotations

import pathlib

import pytest
import yaml

from ansible_collections.gonogo.preflight.plugins.plugin_utils._packages import (
    ENVIRONMENT,
    OutageError,
    failure,
    installed,
    is_of_sources,
    is_unlisted,
    question,
)

ROOT = pathlib.Path(__file__).resolve().parents[2]


def test_only_what_is_installed_counts():
    answer = "ii sudo\nhi procps\nrc nginx\niU ufw\niF redis-server\nun mawk\n"
    assert installed(1, answer, "dpkg-query: no packages found matching git\n") == {"sudo", "procps"}
    assert installed(0, "ii libc6\nii libc6\n", "") == {"libc6"}
    assert installed(1, "", "dpkg-query: no packages found matching git\n") == set()


def test_a_dpkg_that_cannot_look_is_an_error():
    for status in (2, 127):
        with pytest.raises(OutageError, match="ended with %d: cannot open" % status):
            installed(status, "", "cannot open\n")


def test_names_are_words_of_a_command():
    assert question(["sudo", "a; rm -r x"]) == "dpkg-query --show --showformat '${db:Status-Abbrev}${Package}\\n' sudo 'a; rm -r x'"


@pytest.mark.parametrize(
    ("message", "of_sources"),
    [("Failed to update apt cache after 5 retries: ", True), ("Failed to lock apt cache", True), ("'/usr/bin/apt-get install' failed: E: Unmet", False)],
)
def test_what_is_said_of_sources_is_asked_of_apt_too(message, of_sources):
    assert is_of_sources(message) is of_sources


def test_the_failure_hides_passwords_of_sources():
    said = failure(["nginx"], "E: Failed to fetch http://ada:s3cret@mirror.example/debian/InRelease, W: https://token@m.example/x")
    assert "http://********@mirror.example/debian" in said and "https://********@m.example/x" in said
    assert "s3cret" not in said and "token" not in said


def test_the_failure_names_packages_reason_and_mend():
    said = failure(["nginx", "acl"], "Failed to update apt cache: unknown reason\n")
    assert said.startswith("nginx, acl could not be installed, and what runs was left alone: Failed to update apt cache: unknown reason -- ")
    assert "os_apt_mirror" in said and "os_apt_proxy" in said and "--tags os" in said


@pytest.mark.parametrize(
    ("message", "outage"),
    [
        ("No package matching 'acl' is available", True),
        ("'/usr/bin/apt-get install' failed: E: Failed to fetch http://mirror.example/acl.deb", True),
        ("Failed to update apt cache: Release file is not valid yet (check your clock)", True),
        ("Failed to lock apt cache", False),
        ("'/usr/bin/apt-get install' failed: E: You don't have enough free space in /var/cache/apt/archives/.", False),
        ("E: dpkg was interrupted, you must manually run 'dpkg --configure -a' to correct the problem.", False),
    ],
)
def test_a_mirror_is_advised_where_the_sources_are_out_of_reach(message, outage):
    assert ("os_apt_mirror" in failure(["acl"], message)) is outage


def test_a_bare_host_in_a_dry_run():
    assert is_unlisted("No package matching 'nginx' is available") and not is_unlisted("Failed to update apt cache: unknown reason")


def test_no_task_that_asks_apt_has_needrestart_restart_what_runs():
    for role in ("os", "docker"):
        tasks = yaml.safe_load((ROOT / "roles" / role / "tasks" / "install.yml").read_text())
        blocks = [task for task in tasks if "ansible.builtin.apt" in str(task)]
        assert blocks and all(task["environment"] == ENVIRONMENT for task in blocks)


def test_no_role_but_os_and_docker_asks_apt_itself():
    """Those two look first, and name the variable in a rescue of their own."""
    found = set()
    for file in (ROOT / "roles").glob("*/tasks/*.yml"):
        if "ansible.builtin.apt:" in file.read_text():
            found.add(file.relative_to(ROOT / "roles").as_posix())
    assert found == {"os/tasks/install.yml", "docker/tasks/install.yml"}
    users = [task for file in (ROOT / "roles").glob("*/tasks/install.yml") for task in yaml.safe_load(file.read_text()) if "gonogo.preflight.packages" in task]
    assert len(users) == 9
    for task in users:
        assert task["gonogo.preflight.packages"]["known"] == "{{ os_packages | default(omit) }}", "a run with role os asks dpkg once for all"
