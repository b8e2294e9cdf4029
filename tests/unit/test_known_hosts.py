# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Host keys from facts: each under its own host's address, and nothing that would be the key of another."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.gonogo.preflight.plugins.plugin_utils._known_hosts import KnownHostsError, known_hosts

WAYS = {"db1": {"host": "10.0.0.1", "port": 22}, "db2": {"host": "10.0.0.2", "port": "2222"}}
KEY = "AAAAC3NzaC1lZDI1NTE5AAAAIJ+/9w=="


def shown(**keys: t.Any) -> dict[str, t.Any]:
    """The variables of db1, which shows `keys`, and of db2, which was not asked."""
    return {"db1": {"ansible_facts": {"ssh_host_key_" + name: value for name, value in keys.items()}}, "db2": {}}


def test_each_key_stands_under_the_address_of_its_host() -> None:
    variables = shown(rsa_public="AAAAB3", rsa_public_keytype="ssh-rsa", ed25519_public=KEY, ed25519_public_keytype="ssh-ed25519")
    variables["db2"] = {"ansible_facts": {"ssh_host_key_ecdsa_public": "AAAAE2", "ssh_host_key_ecdsa_public_keytype": "ecdsa-sha2-nistp384"}}
    assert known_hosts(WAYS, variables).splitlines() == [
        "10.0.0.1 ssh-ed25519 " + KEY,
        "10.0.0.1 ssh-rsa AAAAB3",
        "[10.0.0.2]:2222 ecdsa-sha2-nistp384 AAAAE2",
    ]


def test_a_host_that_was_not_asked_gets_no_line() -> None:
    assert known_hosts(WAYS, {"db1": {}, "db2": {"ansible_facts": {}}}) == ""


@pytest.mark.parametrize(
    "key", ["AAAA\n10.0.0.2 ssh-ed25519 ATTACKER", "AAAA\n", "AAAA,", "AAAA 10.0.0.2", "A=A", "=", "", "AAAA\u0663", None, ["AAAA"], {"a": "b"}, 7]
)
def test_what_is_no_key_is_refused_by_name_of_host_and_fact(key: t.Any) -> None:
    with pytest.raises(KnownHostsError, match=r"^db1: its fact ssh_host_key_ed25519_public, .* is no key in base64"):
        known_hosts(WAYS, shown(ed25519_public=key, ed25519_public_keytype="ssh-ed25519"))


@pytest.mark.parametrize("keytype", ["ssh-ed25519 AAAA\n10.0.0.2 ssh-ed25519", "ssh-ed25519\n", "ssh-dss", "ssh-rsa", "", None, ["ssh-ed25519"]])
def test_a_type_that_is_not_that_of_the_fact_is_refused(keytype: t.Any) -> None:
    with pytest.raises(KnownHostsError, match=r"^db1: its fact ssh_host_key_ed25519_public_keytype, .* is none of ssh-ed25519"):
        known_hosts(WAYS, shown(ed25519_public=KEY, ed25519_public_keytype=keytype))
    with pytest.raises(KnownHostsError, match="public_keytype, None"):
        known_hosts(WAYS, shown(ed25519_public=KEY))
