"""Whom fail2ban may be told never to ban."""

from __future__ import annotations

from .conftest import Untouched

OWN = ["192.0.2.1", "FD00::/8", "10.0.0.0/8", "fd00::/8", "fc00::/7", "fe80::/10", "2001:db8::/32", "host.example"]
EVERYBODY = ["0.0.0.0/0", "0.0.0.0", "0.0.0.0/0.0.0.0", "::", "fc00::/6", "8.0.0.0/7", "::/0", "2000::/3", "2001::/15"]


def test_networks_that_strangers_come_from_are_refused_by_name(project: Untouched) -> None:
    include = {"name": "Refuse", "ansible.builtin.include_role": {"name": "gonogo.preflight.fail2ban", "tasks_from": "assert.yml"}}
    play = {"name": "Assert", "hosts": "lab-app", "gather_facts": False, "vars": {"fail2ban_ignore": OWN + EVERYBODY}, "tasks": [include]}
    project.edit("asserted.yml", lambda _: [play])
    done = project.play(str(project.root / "asserted.yml"))
    assert done.code != 0
    assert "fail2ban_ignore has %s, from which strangers come too" % ", ".join(EVERYBODY) in " ".join(done.output.split()), done.output
    assert not project.calls.exists()
