# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A changed task is told by the thing it would change; no content leaves its result."""

from __future__ import annotations

import json
import typing as t
from dataclasses import asdict

import pytest

from ansible_collections.gonogo.preflight.plugins.plugin_utils._changes import Change, changes_of, merged

SIMULATED = """\
Inst libhiredis1 (1.2.0 Debian:13/stable [amd64])
Inst python3-redis (6.1.0 Debian:13/stable [all])
Conf python3-redis (6.1.0 Debian:13/stable [all])
"""
UPDATES = "Inst tzdata [2025a-1] (2025b-1 Debian:13/stable [all])\nRemv oldlib [1.0]\n"


def named(action: str, result: dict[str, t.Any], **arguments: t.Any) -> list[tuple[str, str, str]]:
    found = changes_of("db1", "redis", "Have it", action, {"changed": True, **result}, arguments)
    return [(one.kind, one.name, one.detail) for one in found]


@pytest.mark.parametrize(
    ("action", "result", "arguments", "expected"),
    [
        ("ansible.builtin.template", {"invocation": {"module_args": {"dest": "/etc/x"}}}, {}, ("file", "/etc/x", "would be written")),
        ("ansible.builtin.copy", {"invocation": {"dest": "/etc/x"}}, {}, ("file", "/etc/x", "would be written")),
        ("ansible.builtin.file", {"path": "/etc/x", "invocation": {"module_args": {"state": "absent"}}}, {}, ("file", "/etc/x", "would be removed")),
        ("ansible.builtin.copy", {}, {"dest": "{{ secret_place }}/x"}, ("step", "Have it", "would change")),
        ("ansible.builtin.copy", {"invocation": "CENSORED: no_log is set"}, {"dest": "/etc/x"}, ("file", "/etc/x", "would be written")),
        (
            "ansible.builtin.systemd_service",
            {"name": "chrony", "invocation": {"module_args": {"state": "started", "enabled": True}}},
            {},
            ("unit", "chrony", "is not started and enabled at boot"),
        ),
        (
            "ansible.builtin.systemd_service",
            {"invocation": {"module_args": {"name": "chrony", "state": "restarted"}}},
            {},
            ("unit", "chrony", "does not do what its files say; would be restarted"),
        ),
        ("ansible.builtin.apt", {"stdout": SIMULATED}, {"name": ["python3-redis"]}, ("package", "python3-redis", "would be installed")),
        ("ansible.builtin.apt", {}, {"name": "python3-redis"}, ("package", "python3-redis", "would be installed")),
        (
            "gonogo.preflight.packages",
            {"stdout": SIMULATED, "missing": ["python3-redis"]},
            {"names": ["python3-redis", "git"]},
            ("package", "python3-redis", "would be installed"),
        ),
        ("gonogo.preflight.packages", {"missing": ["git"]}, {"names": ["python3-redis", "git"]}, ("package", "git", "would be installed")),
        (
            "gonogo.preflight.ufw_exposure",
            {"reasons": ["8080/tcp: allowed by UFW's rule `allow 8080/tcp`, declared nowhere"]},
            {},
            ("firewall rule", "8080/tcp: allowed by UFW's rule `allow 8080/tcp`, declared nowhere", "would be mended"),
        ),
        (
            "gonogo.preflight.sshd_settings",
            {"reasons": ["/etc/ssh/sshd_config.d/00-gonogo.conf differs"]},
            {},
            ("SSH server", "/etc/ssh/sshd_config.d/00-gonogo.conf differs", "would be mended"),
        ),
        ("community.general.timezone", {}, {"name": "UTC"}, ("setting", "time zone", "would be set")),
        ("community.postgresql.postgresql_user", {}, {"name": "gonogo", "password": "s3cret!"}, ("database role", "gonogo", "would be made or changed")),
        ("ansible.builtin.command", {"cmd": ["swapoff", "--all"]}, {}, ("step", "Have it", "would change")),
    ],
)
def test_things_are_named(action: str, result: dict[str, t.Any], arguments: dict[str, t.Any], expected: tuple[str, str, str]) -> None:
    assert named(action, result, **arguments) == [expected]


def test_updates_and_removals_are_told_apart() -> None:
    expected = [("update", "tzdata", "from 2025a-1 is pending"), ("package", "oldlib", "would be removed")]
    assert named("ansible.builtin.apt", {"stdout": UPDATES}, upgrade="dist") == expected


def test_a_loop_names_only_the_entries_that_would_change() -> None:
    results = [{"changed": False, "path": "/a"}, {"changed": True, "path": "/b"}]
    assert named("ansible.builtin.file", {"results": results}) == [("file", "/b", "would be written")]


def test_content_diff_and_password_never_leave_the_result() -> None:
    result = {"changed": True, "diff": {"after": "s3cret!"}, "content": "s3cret!", "invocation": {"dest": "/etc/x", "content": "s3cret!"}}
    found = changes_of("db1", "redis", "Have it", "ansible.builtin.copy", result, {"content": "s3cret!", "password": "s3cret!"})
    assert found and "s3cret!" not in json.dumps([asdict(one) for one in found])


def change(kind: str, name: str, *, role: str = "redis", host: str = "db1", follows: bool = False) -> Change:
    return Change(host, role, "task", kind, name, "", follows)


def test_what_follows_from_another_change_is_no_thing_of_its_own() -> None:
    written, restarted = change("file", "/etc/x"), change("unit", "redis", follows=True)
    assert merged([written, restarted]) == [written]
    other_role = change("unit", "chrony", role="os", follows=True)
    other_host = change("unit", "redis", host="db2", follows=True)
    assert merged([written, other_role, other_host]) == [written, other_role, other_host], "nothing explains these"
    assert merged([restarted, written]) == [restarted, written], "a cause comes before its consequence"


def test_a_thing_is_named_once() -> None:
    assert merged([change("unit", "redis"), change("unit", "redis")]) == [change("unit", "redis")]
