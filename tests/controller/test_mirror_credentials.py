"""No role takes an address with a password in it, and none says the password while it refuses it."""

from __future__ import annotations

import typing as t

import pytest

from .conftest import Untouched

PASSWORD = "correct-horse"
FACTS = {"distribution": "Debian", "distribution_release": "trixie", "distribution_major_version": "13", "default_ipv4": {}}
ROLES = {
    "os": ("os_apt_mirror", "os_apt_security_mirror", "os_apt_proxy"),
    "docker": ("docker_vendor_mirror", "docker_vendor_key"),
    "drift": ("drift_index",),
}
CASES = [(role, name) for role, names in ROLES.items() for name in names]


def asserted(project: Untouched, role: str, **variables: t.Any) -> str:
    """What the first stage of the role says on one host, in one line."""
    include = {"name": "Refuse", "ansible.builtin.include_role": {"name": "gonogo.preflight." + role, "tasks_from": "assert.yml"}}
    asked = {**variables, "ansible_facts": FACTS}
    project.edit("asserted.yml", lambda _: [{"name": "Assert", "hosts": "lab-app", "gather_facts": False, "vars": asked, "tasks": [include]}])
    done = project.play(str(project.root / "asserted.yml"), "--diff", "-vv")
    assert done.code != 0, done.output
    return " ".join(done.output.split())


@pytest.mark.parametrize(("role", "name"), CASES)
@pytest.mark.parametrize(
    "address", ["http://apt:%s@mirror.example.com/debian" % PASSWORD, "https://%s@mirror.example.com" % PASSWORD], ids=["password", "user"]
)
def test_an_address_with_credentials_is_refused_by_the_name_of_its_variable(project: Untouched, role: str, name: str, address: str) -> None:
    if role == "drift":
        project.edit("inventories/lab/hosts.yml", lambda hosts: {"all": {"children": {**hosts["all"]["children"], "control": {"hosts": {"lab-app": None}}}}})
    said = asserted(project, role, **{name: address})
    assert name in said and ("/etc/pip.conf" if role == "drift" else "/etc/apt/auth.conf.d") in said, said
    assert PASSWORD not in said and not project.calls.exists()


@pytest.mark.parametrize("role", ["os", "docker"])
def test_an_address_without_is_none_of_its_business(project: Untouched, role: str) -> None:
    """What is refused instead comes later, and is that the host cannot be asked."""
    variables: dict[str, t.Any] = dict.fromkeys(ROLES[role], "http://mirror.example.com:8080/debian")
    if role == "os":
        variables["os_open_files"] = 1
    said = asserted(project, role, **variables)
    assert "auth.conf" not in said, said
    assert "os_open_files is 1" in said if role == "os" else project.calls.exists()
