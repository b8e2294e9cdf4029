# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The roles of a host are for the same platforms, and have the stages that docs/architecture.md says."""

from __future__ import annotations

import pathlib

import pytest
import yaml

ROLES = pathlib.Path(__file__).resolve().parents[2] / "roles"
# These run where Ansible does, or are about a release.
OTHERS = {"deploy", "init", "verify"}
HOSTS = sorted({path.name for path in ROLES.iterdir()} - OTHERS)
STAGES = ("assert.yml", "install.yml", "configure.yml", "service.yml")
# Its package starts a jail, which must find its settings.
ORDERS = {"fail2ban": ("assert.yml", "configure.yml", "install.yml", "service.yml")}
LACKING = {
    "accounts": {"service.yml"},
    "probe_libraries": {"assert.yml", "configure.yml", "service.yml"},
    "redis": {"assert.yml"},
    "ssh": {"service.yml"},
}


@pytest.mark.parametrize("role", HOSTS)
def test_the_platforms(role):
    platforms = yaml.safe_load((ROLES / role / "meta" / "main.yml").read_text(encoding="utf-8"))["galaxy_info"]["platforms"]
    assert platforms == [{"name": "Debian", "versions": ["bookworm", "trixie"]}, {"name": "Ubuntu", "versions": ["noble"]}]


@pytest.mark.parametrize("role", HOSTS)
def test_the_stages_and_their_order(role):
    tasks = yaml.safe_load((ROLES / role / "tasks" / "main.yml").read_text(encoding="utf-8"))
    imported = [task["ansible.builtin.import_tasks"] for task in tasks]
    assert [one for one in imported if one in STAGES] == [one for one in ORDERS.get(role, STAGES) if one not in LACKING.get(role, ())]


def test_a_home_is_nobody_s_before_its_account_is_gone():
    """A run that is killed in between knows the account still, and comes back for it."""
    tasks = yaml.safe_load((ROLES / "accounts" / "tasks" / "remove.yml").read_text(encoding="utf-8"))
    home = next(number for number, task in enumerate(tasks) if task.get("ansible.builtin.file", {}).get("owner") == "root")
    account = next(number for number, task in enumerate(tasks) if task.get("ansible.builtin.user", {}).get("state") == "absent")
    assert home < account
