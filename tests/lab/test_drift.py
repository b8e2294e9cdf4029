"""A control host that looks for drift by itself: what it names, and that nothing that happens to it is left behind as green."""

from __future__ import annotations

import json
import pathlib
import subprocess
import typing as t

import pytest
import yaml

from tests.support import ROOT, Played, Project, copied_project, play

from .conftest import APP, DATA, await_, lab, on

pytestmark = pytest.mark.long

WATCH, ADDRESS = "lab-watch", "172.30.77.13"
STATE = "/var/lib/gonogo-drift"
METRICS = "/var/lib/prometheus/node-exporter/gonogo_drift.prom"
BREAK = {
    APP: "systemctl disable --now chrony && ufw allow 8080/tcp && sed -i s/^bantime.*/bantime\\ =\\ 5/ /etc/fail2ban/jail.d/gonogo.local",
    DATA: "dpkg --purge --force-depends python3-redis",
}


def _with_a_control_host(root: pathlib.Path) -> Project:
    project = copied_project(root)
    own = root / "ssh_config"
    own.touch()
    host = {WATCH: {"ansible_port": 22013, "preflight_address": ADDRESS}}
    clock = {"port": 123, "protocol": "udp", "from": "control", "hosts": "monitoring"}

    def with_host(inventory: dict[str, t.Any]) -> dict[str, t.Any]:
        inventory["all"]["children"]["control"] = {"hosts": host}
        # What only the operator has, and a play's own `become` does not overrule.
        inventory["all"]["children"]["db"]["hosts"][DATA].update(ansible_become=True, ansible_ssh_args="-o ControlPersist=60s -F %s" % own)
        return inventory

    project.edit("inventories/lab/hosts.yml", with_host)
    main = "inventories/lab/group_vars/all/main.yml"
    project.edit(main, lambda values: dict(values, preflight_exposure=dict(values["preflight_exposure"], ntp_control=clock)))
    project.edit("policy/lab/gate.yml", lambda gate: dict(gate, fleet=dict(gate["fleet"], control=[WATCH])))
    return project


def _applied(project: Project, playbook: str, *arguments: str) -> Played:
    done = project.play("playbooks/%s.yml" % playbook, *arguments)
    assert done.code == 0, done.output
    return done


@pytest.fixture(scope="module")
def watched(fleet: None, tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[Project]:
    project = _with_a_control_host(tmp_path_factory.mktemp("drift"))
    lab("up", WATCH)
    # First the others admit the new host: it takes the time from one of them.
    _applied(project, "provision", "--tags", "ufw,fail2ban", "--limit", "%s,%s" % (APP, DATA))
    _applied(project, "provision", "--limit", WATCH)
    _applied(project, "drift")
    yield project
    on(WATCH, "systemctl", "stop", "gonogo-drift.timer", "gonogo-drift.service", check=False)
    _applied(project, "drift", "-e", "drift_state=absent")
    lab("docker", "rm", "--force", "--volumes", WATCH)
    play("playbooks/provision.yml", "--tags", "ufw,fail2ban")


def _last() -> dict[str, t.Any]:
    return json.loads(on(WATCH, "cat", STATE + "/last.json", check=False) or "{}")


def _look() -> dict[str, t.Any]:
    """Let systemd run it once; the summary of that run."""
    on(WATCH, "systemctl", "start", "gonogo-drift", check=False)
    return _last()


def _metric(name: str) -> float:
    lines = on(WATCH, "cat", METRICS).splitlines()
    return float(next(line.split()[1] for line in lines if line.startswith("gonogo_drift_%s " % name)))


def _journal() -> str:
    return on(WATCH, "journalctl", "-u", "gonogo-drift", "-u", "gonogo-drift-interrupted", "-o", "cat", "--no-pager")


def _begins() -> None:
    """Until a run has begun and Ansible is at work in it."""
    on(WATCH, "systemctl", "start", "--no-block", "gonogo-drift")
    _is_at_work()


def _is_at_work() -> None:
    await_(lambda: on(WATCH, "sh", "-c", "test -e %s/running.json && pgrep -x ansible-playboo" % STATE, check=False), seconds=60)


def _ended() -> dict[str, t.Any]:
    await_(lambda: on(WATCH, "sh", "-c", "test -e %s/running.json || echo ended" % STATE), seconds=90)
    return _last()


@pytest.fixture(scope="module")
def first(watched: Project) -> dict[str, t.Any]:
    found = _look()
    assert found["state"] == "green", json.dumps(found, indent=1)
    on(WATCH, "cp", "-a", METRICS, "/root/green.prom")
    return found


@pytest.fixture
def green(first: dict[str, t.Any]) -> dict[str, t.Any]:
    """The control host as a green run has left it."""
    on(WATCH, "cp", "-a", STATE + "/green.json", STATE + "/last.json")
    on(WATCH, "cp", "-a", "/root/green.prom", METRICS)
    assert _metric("green") == 1
    return first


def test_a_fleet_as_it_should_be_is_green(green: dict[str, t.Any]) -> None:
    assert green["verdict"] == "GO" and not green["changes"] and green["counts"]["pass"] > 0
    assert (_metric("green"), _metric("changes"), _metric("verdict_go")) == (1, 0, 1)
    assert on(WATCH, "stat", "-c", "%a", METRICS).strip() == "644"
    assert "lab: GREEN" in _journal()


def test_the_role_is_idempotent_and_honest(green: dict[str, t.Any], watched: Project) -> None:
    assert _applied(watched, "drift", "--check").changed() == 0
    assert _applied(watched, "drift").changed() == 0


def test_the_key_gets_in_from_the_control_host_alone(green: dict[str, t.Any]) -> None:
    lines = on(DATA, "cat", "/home/ops/.ssh/authorized_keys").splitlines()
    (line,) = [line for line in lines if line.endswith(" gonogo-drift")]
    assert line.startswith('from="%s",restrict ssh-ed25519 ' % ADDRESS)
    key = on(WATCH, "cat", "/etc/gonogo-drift/id_ed25519")
    login = "umask 077; cat >/run/key; ssh -i /run/key -o BatchMode=yes -o StrictHostKeyChecking=no ops@172.30.77.12 id 2>&1; rm /run/key"
    assert "Permission denied" in on(APP, "sh", "-c", login, given=key, check=False)
    assert on(WATCH, "sh", "-c", "stat -c %a /etc/gonogo-drift /etc/gonogo-drift/id_ed25519 /etc/gonogo-drift/vault-*").split() == ["700", "600", "600"]


def test_another_user_than_the_one_who_logs_in_is_not_given_the_key(green: dict[str, t.Any], watched: Project) -> None:
    done = watched.play("playbooks/drift.yml", "-e", "ansible_become=true")
    assert done.code != 0 and done.changed() == 0, done.output
    assert "The inventory logs in to lab-app as ops, and root was found there." in " ".join(done.output.split()), done.output
    for host in (APP, DATA, WATCH):
        assert "gonogo-drift" not in on(host, "sh", "-c", "cat /root/.ssh/authorized_keys || true")


def test_a_host_key_that_is_none_is_refused_by_name(green: dict[str, t.Any], watched: Project) -> None:
    file = "/etc/ssh/ssh_host_ed25519_key.pub"
    on(DATA, "sh", "-c", "cp -a %s %s.kept && echo ssh-ed25519 AAAA,10.0.0.2 >%s" % (file, file, file))
    try:
        done = watched.play("playbooks/drift.yml")
    finally:
        on(DATA, "mv", file + ".kept", file)
    assert done.code != 0 and "lab-data: its fact ssh_host_key_ed25519_public, 'AAAA,10.0.0.2', is no key" in " ".join(done.output.split()), done.output
    assert done.changed() == 0


def test_a_second_run_at_the_same_time_says_so(green: dict[str, t.Any]) -> None:
    before = on(WATCH, "stat", "-c", "%i %Y", METRICS)
    said = on(WATCH, "flock", STATE + "/lock", "gonogo-drift", "run")
    assert "another drift run is going on" in said
    assert on(WATCH, "stat", "-c", "%i %Y", METRICS) == before and _last() == green


def test_a_run_that_is_killed_is_not_green(green: dict[str, t.Any]) -> None:
    _begins()
    on(WATCH, "systemctl", "kill", "--signal=KILL", "--kill-whom=all", "gonogo-drift")
    found = _ended()
    assert found["state"] == "incomplete" and "killed by a signal" in found["reasons"][0]
    assert _metric("green") == 0 and found["since"] == green["run"]
    assert "INCOMPLETE, not known to be green" in _journal()


def test_a_run_that_hangs_is_stopped_and_not_green(green: dict[str, t.Any]) -> None:
    place = "/run/systemd/system/gonogo-drift.service.d"
    limit = "mkdir -p %s && printf '[Service]\\nTimeoutStartSec=1\\n' >%s/limit.conf && systemctl daemon-reload" % (place, place)
    on(WATCH, "sh", "-c", limit)
    try:
        found = _look()
    finally:
        on(WATCH, "sh", "-c", "rm -r %s && systemctl daemon-reload" % place)
    assert found["state"] == "incomplete" and "after the limit" in found["reasons"][0]
    assert _metric("green") == 0


def test_a_control_host_that_goes_down_in_a_run_comes_up_without_green(green: dict[str, t.Any]) -> None:
    _begins()
    lab("docker", "kill", WATCH)
    lab("up", WATCH)
    found = _ended()
    assert found["state"] == "incomplete" and "the control host went down" in found["reasons"][0]
    assert _metric("green") == 0 and _metric("running_since_timestamp_seconds") == 0


def test_a_run_that_was_missed_is_caught_up(watched: Project) -> None:
    on(WATCH, "systemctl", "stop", "gonogo-drift.timer")
    on(WATCH, "touch", "-d", "2 days ago", "/var/lib/systemd/timers/stamp-gonogo-drift.timer")
    on(WATCH, "systemctl", "start", "gonogo-drift.timer")
    _is_at_work()
    on(WATCH, "systemctl", "stop", "gonogo-drift.service")
    assert _ended()["state"] == "incomplete"


def test_a_wrong_vault_password_is_told_as_such(watched: Project) -> None:
    on(WATCH, "sh", "-c", "cd /etc/gonogo-drift && for file in vault-*; do cp $file kept-$file && echo wrong >$file; done")
    try:
        found = _look()
    finally:
        on(WATCH, "sh", "-c", "cd /etc/gonogo-drift && for file in vault-*; do mv kept-$file $file; done")
    assert found["state"] == "incomplete" and "Decryption failed" in " ".join(found["reasons"])
    assert _metric("green") == 0 and _metric("changes") != _metric("changes"), "NaN: nobody knows"


def test_a_host_that_is_gone_is_named(watched: Project) -> None:
    lab("disconnect", DATA)
    try:
        found = _look()
    finally:
        lab("connect", DATA)
    assert found["state"] == "incomplete" and any(reason.startswith(DATA + " is unreachable") for reason in found["reasons"])
    assert _metric("green") == 0


def test_node_exporter_serves_the_metrics(green: dict[str, t.Any]) -> None:
    on(WATCH, "apt-get", "install", "-qy", "--no-install-recommends", "prometheus-node-exporter", "curl")
    served = on(WATCH, "curl", "-sf", "http://127.0.0.1:9100/metrics")
    assert "\ngonogo_drift_green 1\n" in served and "\nnode_textfile_scrape_error 0\n" in served


def test_what_hands_changed_is_named_thing_by_thing(green: dict[str, t.Any], watched: Project) -> None:
    for host, command in BREAK.items():
        on(host, "sh", "-c", command)
    try:
        found = _look()
    finally:
        _applied(watched, "provision", "--tags", "os,ufw,fail2ban,redis")
    assert sorted((one["kind"], one["name"], one["host"]) for one in found["changes"]) == [
        ("file", "/etc/fail2ban/jail.d/gonogo.local", APP),
        ("firewall rule", "8080/tcp: allowed by UFW's rule `allow 8080/tcp`, declared nowhere", APP),
        ("package", "python3-redis", DATA),
        ("unit", "chrony", APP),
    ]
    assert {"os.ntp.synced", "redis.aof"} <= {one["item"] for one in found["turned"]}
    assert found["state"] == "drifted" and found["since"] == green["run"]
    assert (_metric("green"), _metric("changes")) == (0, 4)
    said = _journal()
    assert "unit: chrony, on lab-app: is not started" in said and "mend, in your project: ansible-playbook gonogo.preflight.provision" in said


def test_no_secret_is_left_in_runs_and_journal(watched: Project) -> None:
    shown = subprocess.run(["ansible-vault", "view", "inventories/lab/group_vars/all/secrets.yml"], cwd=ROOT, capture_output=True, text=True, check=True)
    password = (ROOT / ".lab" / "vault_password").read_text().strip()
    secrets = [*map(str, yaml.safe_load(shown.stdout).values()), password]
    planted = "planted-on-purpose"
    search = "{ journalctl --no-pager -o cat; grep -rha . /var/lib/gonogo-drift /var/log /tmp; } | grep -oaF -f /dev/shm/needles"
    command = "cat >/dev/shm/needles; logger %s; journalctl --sync; %s; rm /dev/shm/needles" % (planted, search)
    found = on(WATCH, "sh", "-c", command, given="\n".join([*secrets, planted]) + "\n")
    assert set(found.split()) == {planted}


def test_removed_is_removed(watched: Project) -> None:
    _applied(watched, "drift", "-e", "drift_state=absent")
    assert not on(
        WATCH, "sh", "-c", "ls -d /etc/gonogo-drift /opt/gonogo-drift %s %s 2>/dev/null; systemctl list-timers | grep gonogo || true" % (STATE, METRICS)
    )
    for host in (APP, DATA, WATCH):
        assert "gonogo-drift" not in on(host, "cat", "/home/ops/.ssh/authorized_keys")
