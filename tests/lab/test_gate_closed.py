"""Every way in which plain Ansible deploys although verification did not pass: here each ends without a deployment.

Redis on lab-data has lost its persistence, which no host of the deployment play can see by itself. A row passes when the
exit status is not 0 and lab-app has no container of the application.
"""

from __future__ import annotations

import dataclasses
import json
import pathlib
import subprocess
import typing as t

import pytest

from tests.support import REPORTS, ROOT, Project, play

from .conftest import APP, DATA, await_, containers, lab, on, redis, take_away

PLAYBOOKS = ROOT / "tests" / "lab" / "playbooks"
SITE, DEPLOY = "playbooks/site.yml", "playbooks/deploy.yml"
RELEASE_TASK = "Take the verdict and start the release on GO"

# Here the threshold really is another one; the gate refuses the run for that.
ALTERED = ("add_host_threshold.yml", "group_by.yml")
REFUSALS = ("NO-GO", "NO VERDICT", "is not enabled", "cannot be delegated", "cannot be looped", "is no host of the inventory", "not what its inventory says")


@dataclasses.dataclass(frozen=True)
class Row:
    name: str
    arguments: tuple[str, ...] = ()
    playbook: str = DEPLOY
    environment: tuple[tuple[str, str], ...] = ()
    answers: str = ""
    # A close relative of another row: shown by `make test-long`.
    long: bool = False


ROWS = (
    Row("nothing special"),
    Row("--tags deploy", ("--tags", "deploy")),
    Row("--tags that match nothing", ("--tags", "nothing"), long=True),
    Row("--skip-tags verify", ("--skip-tags", "verify")),
    Row("--skip-tags always", ("--skip-tags", "always"), long=True),
    Row("--skip-tags always,verify", ("--skip-tags", "always,verify"), long=True),
    Row("--start-at-task", ("--start-at-task", RELEASE_TASK)),
    Row("--step that declines verification", ("--step",), answers="n\n" * 6 + "c\n"),
    Row("--limit to the good host", ("--limit", APP)),
    Row("--limit to the bad host", ("--limit", DATA), long=True),
    Row("--check", ("--check",)),
    Row("-e replaces the threshold", ("-e", '{"preflight_thresholds": {"redis.aof": {"one_of": ["yes", "no"]}}}')),
    Row("-e replaces a registered result", ("-e", "verified=true", "-e", "verdict=GO"), "registered.yml"),
    Row("-e replaces groups and hostvars", ("-e", '{"groups": {"all": ["lab-app"], "app": ["lab-app"]}, "hostvars": {}}')),
    Row("-e replaces groups, validation skipped", ("--skip-tags", "always", "-e", '{"groups": {"all": ["lab-app"], "app": ["lab-app"]}}'), long=True),
    Row("-e replaces the threshold, validation skipped", ("--skip-tags", "always", "-e", "preflight_thresholds={}"), long=True),
    Row("-e replaces the door", ("-e", "verify_door=live"), long=True),
    Row("-e from a file", ("-e", "@%s" % (PLAYBOOKS / "vars" / "extra.yml")), long=True),
    Row("-e moves the connection", ("-e", "ansible_connection=local"), long=True),
    Row("strategy free from the environment", environment=(("ANSIBLE_STRATEGY", "free"),)),
    Row("strategy host_pinned from the environment", environment=(("ANSIBLE_STRATEGY", "host_pinned"),), long=True),
    Row("any_errors_fatal, deployment on localhost", (), "any_errors_fatal.yml", long=True),
    Row("max_fail_percentage 0", (), "max_fail_percentage.yml", long=True),
    Row("block and rescue around the check", (), "rescue.yml"),
    Row("errors ignored", (), "ignore_errors.yml", long=True),
    Row("a hosts pattern that matches nothing", (), "no_hosts.yml"),
    Row("strategy free in the play", (), "free.yml", long=True),
    Row(
        "another callback instead of the board",
        ("--limit", APP, "--skip-tags", "verify,deploy"),
        environment=(("ANSIBLE_CALLBACKS_ENABLED", "timer"),),
        long=True,
    ),
    Row("a loop variable called inventory_hostname", (), "looped.yml", long=True),
    Row("a threshold set as a fact", (), "set_fact.yml"),
    Row("a play and a fact that call the host managed and its group empty", (), "managed.yml"),
    Row("-e calls every host managed, validation skipped", ("--skip-tags", "always", "-e", '{"preflight_managed": true}')),
    Row("-e maps the group to the good host, validation skipped", ("--skip-tags", "always", "-e", '{"preflight_groups": {"cache": ["app"]}}'), long=True),
    Row("add_host calls the host managed", (), "add_host.yml"),
    Row("add_host maps the group to the good host", (), "add_host_groups.yml", long=True),
    Row("add_host sets the threshold", (), "add_host_threshold.yml"),
    Row("group_by puts the host where another threshold is set", (), "group_by.yml", long=True),
    Row("the good host asked under the bad one's name", (), "other_address.yml"),
    Row("the good host asked under the bad one's name, by arguments of SSH", (), "other_ssh_args.yml", long=True),
    Row("the good host asked under the bad one's name, by the socket of its connection", (), "other_socket.yml", long=True),
    Row("verification delegated to another host", (), "delegated.yml"),
    Row("verification under a condition that is false", (), "skipped.yml"),
    Row("a host that is changed after it was verified", (), "changed_after_verification.yml"),
    Row("site.yml without its roles", ("--skip-tags", "os,accounts,ufw,ssh,docker,nginx,fail2ban,postgresql,redis,probe_libraries"), SITE),
)


@pytest.mark.parametrize("row", [pytest.param(row, id=row.name, marks=[pytest.mark.long] * row.long) for row in ROWS])
def test_nothing_is_deployed(broken_redis: None, row: Row) -> None:
    playbook = row.playbook if "/" in row.playbook else str(PLAYBOOKS / row.playbook)
    done = play(playbook, *row.arguments, environment=dict(row.environment), answers=row.answers)
    assert done.code != 0, done.output
    assert containers() == [], done.output
    assert any(word in done.output for word in REFUSALS), done.output
    assert done.report.get("verdict") != "GO", done.output
    if row.playbook not in ALTERED:
        assert all(one["status"] != "pass" for one in done.report.get("results", []) if one["item"] == "redis.aof"), done.output


def test_a_second_inventory_is_refused(broken_redis: None, tmp_path: pathlib.Path) -> None:
    second = tmp_path / "second.yml"
    second.write_text("all: {vars: {preflight_thresholds: {redis.aof: {one_of: ['yes', 'no']}}}}\n")
    done = play(DEPLOY, "-i", str(second))
    assert done.code != 0 and containers() == [], done.output
    assert "2 inventories" in done.output


def test_yesterdays_answer_in_a_warm_fact_cache_does_not_count(fleet: None, tmp_path: pathlib.Path) -> None:
    cache = {"ANSIBLE_CACHE_PLUGIN": "jsonfile", "ANSIBLE_CACHE_PLUGIN_CONNECTION": str(tmp_path), "ANSIBLE_GATHERING": "smart"}
    good = play("playbooks/verify.yml", environment=cache)
    assert good.code == 0, good.output
    take_away()
    redis("CONFIG", "SET", "appendonly", "no")
    try:
        done = play(DEPLOY, "--skip-tags", "verify", environment=cache)
    finally:
        redis("CONFIG", "SET", "appendonly", "yes")
    assert done.code != 0 and containers() == [], done.output


def _without_data(inventory: t.Any) -> t.Any:
    for group in ("db", "cache", "monitoring"):
        inventory["all"]["children"][group]["hosts"] = {}
    return inventory


def test_a_host_removed_from_its_groups_is_missed(broken_redis: None, project: Project) -> None:
    project.edit("inventories/lab/hosts.yml", _without_data)
    done = project.play()
    assert done.code != 0 and containers() == [], done.output
    assert "lab-data: missing from group cache" in done.output


def test_an_empty_group_is_no_go(broken_redis: None, project: Project) -> None:
    project.edit("policy/lab/waivers.yml", lambda waivers: {"waivers": [], "not_applicable": []})
    redis("CONFIG", "SET", "appendonly", "yes")
    done = project.play()
    assert done.code != 0 and containers() == [], done.output
    assert "infra.gpu.model asks the hosts of group gpu, which has none" in done.output


@pytest.mark.parametrize(
    ("host", "stop", "start"),
    [
        (DATA, ("systemctl", "stop", "ssh.socket", "ssh.service"), ("systemctl", "start", "ssh.service")),
        (APP, ("systemctl", "stop", "ssh.socket", "ssh.service"), ("systemctl", "start", "ssh.service")),
    ],
    ids=["the host that deploys nothing", "the host that would deploy"],
)
@pytest.mark.parametrize(
    "playbook",
    [DEPLOY, *(pytest.param(str(PLAYBOOKS / name), id=name, marks=pytest.mark.long) for name in ("any_errors_fatal.yml", "max_fail_percentage.yml"))],
)
def test_an_unreachable_host_is_no_go(fleet: None, playbook: str, host: str, stop: tuple[str, ...], start: tuple[str, ...]) -> None:
    take_away()
    on(host, *stop, check=False)
    on(host, "pkill", "-f", "sshd", check=False)
    try:
        done = play(playbook)
    finally:
        on(host, *start)
    assert done.code != 0 and containers() == [], done.output
    if playbook == DEPLOY:
        assert done.report["verdict"] == "NO-GO"
        assert any(one["subject"] == host and one["status"] in ("error", "missing") for one in done.report["results"])


def test_a_frozen_host_is_no_go(fleet: None) -> None:
    """Its connections stay open and nothing comes back."""
    take_away()
    lab("pause", DATA)
    try:
        done = play(DEPLOY)
    finally:
        lab("unpause", DATA)
    assert done.code != 0 and containers() == [], done.output
    assert done.report["verdict"] == "NO-GO"


def test_a_killed_run_has_a_report_and_it_says_no_go(fleet: None) -> None:
    """The controller is killed as soon as its first answers are in the spool."""
    take_away()
    before = set(REPORTS.glob("2*"))
    process = subprocess.Popen(["ansible-playbook", DEPLOY, "-i", "inventories/lab"], cwd=ROOT, stdout=subprocess.DEVNULL)
    try:
        spool = await_(lambda: [path for run in set(REPORTS.glob("2*")) - before for path in run.glob("spool/*.json")], seconds=60)
    finally:
        process.kill()
        process.wait()
    report = json.loads((spool[0].parents[1] / "results.json").read_text())
    assert report["verdict"] == "NO-GO" and report["results"]
    assert "<title>NO-GO: " in (spool[0].parents[1] / "report.html").read_text()
    assert '<failure type="NO-GO"' in (spool[0].parents[1] / "junit.xml").read_text()
    assert containers() == []
