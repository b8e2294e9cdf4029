# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The way back from a change of the firewall: armed before it, taken by exactly one of timer and confirmation."""

from __future__ import annotations

import subprocess

import pytest

from ansible_collections.gonogo.preflight.plugins.module_utils import _revert, _ufw_host
from ansible_collections.gonogo.preflight.plugins.module_utils._ufw_host import FirewallError, Guard, Host, openings

AT_BOOT = "gonogo-ufw-revert-at-boot.service"


class Machine:
    """Runs nothing; remembers what was run, and whether the timer is active."""

    def __init__(self):
        self.ran = []
        self.active = False
        self.broken = ""

    def __call__(self, command):
        self.ran.append(" ".join(command))
        if self.broken and command[0] == self.broken:
            return 1, "", "%s is broken" % command[0]
        if command[0] == "systemd-run":
            self.active = True
        if command[:2] == ["systemctl", "stop"]:
            self.active = False
        if command[:2] == ["systemctl", "is-active"]:
            return (0 if self.active else 3), "", ""
        return 0, "", ""


@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.setattr(_ufw_host, "STORE", str(tmp_path / "ufw"))
    monkeypatch.setattr(_revert, "_UNITS", str(tmp_path))
    return tmp_path / "ufw"


def test_the_old_firewall_is_kept_before_the_timer_is_armed(store):
    machine = Machine()
    Guard(machine).arm(60, active=True)
    kept = [i for i, line in enumerate(machine.ran) if line.startswith("cp -a")]
    armed = [i for i, line in enumerate(machine.ran) if line.startswith("systemd-run")]
    assert len(kept) == 2
    assert max(kept) < armed[0]
    assert "--on-active=60 --timer-property=AccuracySec=1s" in machine.ran[armed[0]]
    assert (store / "before" / "active").exists()
    assert oct(store.stat().st_mode & 0o777) == "0o700"


def test_an_inactive_firewall_goes_back_to_inactive(store):
    Guard(Machine()).arm(60, active=False)
    assert not (store / "before" / "active").exists()


def test_a_boot_in_between_takes_the_change_back_too(store, tmp_path):
    machine = Machine()
    Guard(machine).arm(60, active=True)
    unit = (tmp_path / AT_BOOT).read_text()
    assert "ConditionPathExists=%s/armed\n" % store in unit
    assert "ExecStart=/bin/sh %s/revert\n" % store in unit
    enabled, armed = machine.ran.index("systemctl enable " + AT_BOOT), machine.ran.index(next(one for one in machine.ran if "systemd-run" in one))
    assert enabled < armed
    machine.ran.clear()
    Guard(machine).arm(60, active=True)
    assert "systemctl enable " + AT_BOOT not in machine.ran


def test_nothing_is_changed_where_the_boot_could_not_take_it_back(store, tmp_path):
    def run(command):
        return (1, "", "read-only") if command[:2] == ["systemctl", "enable"] else (0, "", "")

    for _again in range(2):
        with pytest.raises(FirewallError, match="nothing was changed, %s cannot be enabled: read-only" % AT_BOOT):
            Guard(run).arm(60, active=True)
    assert not (store / "armed").exists()


def test_rules_that_ufw_does_not_know_come_back_too(store):
    line = ["iptables", "-I", "INPUT", "-m", "comment", "--comment", "it's mine", "-j", "ACCEPT"]
    Guard(Machine()).arm(60, active=True, notes=openings([line]))
    assert (store / "before" / "openings").read_text() == "iptables -I INPUT -m comment --comment 'it'\"'\"'s mine' -j ACCEPT\n"
    assert "sh before/openings" in (store / "revert").read_text()


@pytest.mark.parametrize("program", ["cp", "systemd-run"])
def test_nothing_is_changed_where_the_way_back_cannot_be_armed(store, program):
    machine = Machine()
    machine.broken = program
    with pytest.raises(FirewallError, match="nothing was changed"):
        Guard(machine).arm(60, active=True)
    # Otherwise the next boot would put back what nobody has changed.
    assert not (store / "armed").exists()


def test_what_is_kept_in_part_is_put_back_by_no_boot(store):
    machine = Machine()
    Guard(machine).arm(60, active=True)
    # As a boot, or a run that was killed, leaves it.
    machine.active, machine.broken = False, "cp"
    with pytest.raises(FirewallError, match="nothing was changed"):
        Guard(machine).arm(60, active=True)
    assert not (store / "armed").exists()


def test_an_unconfirmed_change_that_loses_its_timer_is_taken_back_at_once(store):
    machine = Machine()
    guard = Guard(machine)
    guard.arm(60, active=True)
    machine.broken = "systemd-run"
    machine.ran.clear()
    with pytest.raises(FirewallError, match="what an earlier run left unconfirmed is taken back, systemd-run cannot arm the way back"):
        guard.arm(60, active=True)
    assert "/bin/sh %s/revert" % store in machine.ran


def test_a_second_change_goes_back_to_before_the_first(store):
    machine = Machine()
    guard = Guard(machine)
    guard.arm(60, active=False)
    machine.ran.clear()
    guard.arm(60, active=True)
    assert not [line for line in machine.ran if line.startswith("cp")]
    assert not (store / "before" / "active").exists()


def test_a_confirmed_change_stays(store):
    machine = Machine()
    guard = Guard(machine)
    guard.arm(60, active=True)
    assert guard.pending()
    assert guard.confirm()
    assert not guard.pending()
    assert not machine.active


def test_a_confirmation_after_the_timer_is_refused(store):
    guard = Guard(Machine())
    guard.arm(60, active=True)
    (store / "armed").rename(store / "reverted")
    assert not guard.confirm()


def test_the_timer_does_nothing_after_the_confirmation(store):
    guard = Guard(Machine())
    guard.arm(60, active=True)
    assert guard.confirm()
    done = subprocess.run(["/bin/sh", str(store / "revert")], check=False, capture_output=True)
    assert (done.returncode, (store / "reverted").exists()) == (0, False)


def test_a_firewall_that_is_not_installed_is_named():
    if not Host.installed():
        with pytest.raises(FirewallError, match="apt-get install ufw"):
            Host(Machine()).read()


def test_a_command_that_fails_is_shown(monkeypatch):
    monkeypatch.setattr(Host, "installed", staticmethod(lambda: True))
    machine = Machine()
    machine.broken = "iptables"
    with pytest.raises(FirewallError, match=r"`iptables -S` ended with 1: iptables is broken"):
        Host(machine).read()


@pytest.fixture
def host(tmp_path, monkeypatch):
    """A host whose UFW is on, and logs at level low."""
    (tmp_path / "ufw.conf").write_text("# /etc/ufw/ufw.conf\nENABLED=yes\nLOGLEVEL=low\n")
    (tmp_path / "net/ipv4").mkdir(parents=True)
    (tmp_path / "net/ipv4/tcp_rmem").write_text("4096\t131072\t6291456\n")
    monkeypatch.setattr(_ufw_host, "_UFW_CONF", str(tmp_path / "ufw.conf"))
    monkeypatch.setattr(_ufw_host, "_PROC_SYS", str(tmp_path))
    return tmp_path


def answering(answers):
    def run(command):
        return next((answers[words] for words in answers if words in " ".join(command)), (0, "", ""))

    return run


def test_the_firewall_as_it_is(host):
    answers = {"show added": (0, "Added user rules:\nufw allow 22/tcp\n", ""), "iptables -S": (0, "-P INPUT DROP\n", ""), "is-enabled": (1, "", "")}
    state = Host(answering(answers)).read(["net/ipv4/tcp_rmem", "net/ipv6/absent"])
    assert (state.added, state.enabled, state.service, state.logging) == (["allow 22/tcp"], True, False, "low")
    assert state.live[4] == ["-P INPUT DROP"]
    assert state.sysctls == {"net/ipv4/tcp_rmem": "4096\t131072\t6291456"}


def test_a_firewall_that_is_off_and_has_no_level(host):
    (host / "ufw.conf").write_text("ENABLED=no\n")
    state = Host(answering({})).read()
    assert (state.enabled, state.logging) == (False, "")


def test_the_rules_of_another_table_are_asked_for(host):
    asked = []
    Host(lambda command: (asked.append(" ".join(command)), (0, "", ""))[1]).live("-t", "nat")
    assert asked[0] == "iptables -t nat -S"
