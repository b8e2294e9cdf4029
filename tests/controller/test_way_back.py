"""What a run that may lock itself out goes by: how it tries to get in again, and whom fail2ban never bans."""

from __future__ import annotations

import pathlib
import typing as t

import pytest

from tests.support import ROOT, Played

from .conftest import Untouched

OPTIONS = "inventories/lab/group_vars/all/ssh.yml"
JUMP = "-o ProxyJump=bastion.example.com"
OURS = "-o ControlMaster=no -o ControlPath=none -o ConnectTimeout=5"

# Lets everybody in but the connection that has to be a new one.
SSH = """#!/bin/sh
echo "$*" >>'%s'
case "$*" in
  *" -O "*|"-o ControlPersist") exit 0 ;;
  *ControlPath=none*) exit 255 ;;
esac
for last; do :; done
exec /bin/sh -c "$last"
"""


@pytest.fixture
def called(project: Untouched) -> pathlib.Path:
    """The file in which the SSH program writes down how it was called."""
    log = project.root / "calls"
    (project.root / "ssh").write_text(SSH % log)
    return log


def confirmed(project: Untouched, role: str, *arguments: str, **options: t.Any) -> Played:
    """A play that has to prove that a new connection gets in, which it does not."""
    include = {"name": "Prove it", "ansible.builtin.include_role": {"name": "gonogo.preflight." + role, "tasks_from": "confirm.yml"}}
    variables = {role + "_revert_after": 2, "__%s_applied" % role: {"reasons": ["of this test"]}}
    project.edit("confirm.yml", lambda _: [{"name": "Confirm", "hosts": "lab-app", "gather_facts": False, "vars": variables, "tasks": [include]}])
    return project.play(str(project.root / "confirm.yml"), *arguments, **options)


def besides(called: pathlib.Path) -> list[str]:
    """What ssh was called with, each time that it was to make a new connection, behind the options for that."""
    return [line.partition(OURS)[2] for line in called.read_text().splitlines() if OURS in line]


@pytest.mark.parametrize("role", ["ssh", "ufw"])
def test_a_number_of_the_command_line_is_text_and_counts_as_a_number(project: Untouched, called: pathlib.Path, role: str) -> None:
    done = confirmed(project, role, "-e", role + "_revert_after=2")
    assert done.code != 0 and "no new ssh connection got in within 1 s of the change (of this test)" in " ".join(done.output.split()), done.output
    assert len(besides(called)) > 0


@pytest.mark.parametrize(("seconds", "said"), [("60", ""), ("19", "ufw_revert_after is 19 s")])
def test_the_time_for_the_way_back_is_a_number_as_text_too(project: Untouched, seconds: str, said: str) -> None:
    include = {"name": "Check", "ansible.builtin.include_role": {"name": "gonogo.preflight.ufw", "tasks_from": "assert.yml"}}
    project.edit("check.yml", lambda _: [{"name": "Check", "hosts": "lab-app", "gather_facts": False, "tasks": [include]}])
    done = project.play(str(project.root / "check.yml"), "-e", "ufw_revert_after=" + seconds)
    assert (done.code != 0) is bool(said) and said in " ".join(done.output.split()), done.output


@pytest.mark.parametrize("role", ["ssh", "ufw"])
@pytest.mark.parametrize("by", ["variable", "environment", "command line", "nothing"])
def test_a_new_connection_goes_the_way_that_all_others_go(project: Untouched, called: pathlib.Path, role: str, by: str) -> None:
    if by == "variable":
        project.edit(OPTIONS, lambda variables: {**variables, "ansible_ssh_extra_args": JUMP})
    arguments = ["--ssh-extra-args", JUMP] if by == "command line" else []
    environment = {"ANSIBLE_SSH_EXTRA_ARGS": JUMP} if by == "environment" else {}
    done = confirmed(project, role, *arguments, environment=environment)
    assert done.code != 0 and "no new ssh connection got in within 1 s of the change (of this test)" in " ".join(done.output.split()), done.output
    found = besides(called)
    assert found and {words.startswith(" " + JUMP) for words in found} == {by != "nothing"}, found


def test_no_host_is_banned_by_another_at_any_of_its_addresses(project: Untouched) -> None:
    addresses = {"lab-app": ["2001:db8::11"], "lab-data": ["2001:db8::12", "198.51.100.12"]}
    for host, more in addresses.items():
        project.edit("inventories/lab/host_vars/%s.yml" % host, lambda variables, more=more: {**(variables or {}), "preflight_more_addresses": more})
    files = [ROOT / "roles/fail2ban" / name / "main.yml" for name in ("defaults", "vars")]
    found = project.filled_in({"ignored": "{{ __fail2ban_ignore }}"}, vars_files=files[1:])
    own = ["127.0.0.0/8", "::1"]
    assert found["lab-app"]["ignored"] == [*own, "172.30.77.12", "2001:db8::12", "198.51.100.12", "172.30.77.1"]
    assert found["lab-data"]["ignored"] == [*own, "172.30.77.11", "2001:db8::11", "172.30.77.1"]
