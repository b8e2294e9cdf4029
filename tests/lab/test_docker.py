"""The role docker, item by item: a bare host fails, the role mends it, a hand breaks it again; what runs goes on whatever fails."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import typing as t

import pytest
import yaml

from tests.support import ROOT, Played, Project, copied_project, play

from .breaks import compose_package
from .conftest import containers, killed_when, lab, on, outage, take_away
from .probing import value

pytestmark = pytest.mark.long

HOST = "lab-watch"
PROVISION, VERIFY, DEPLOY = "playbooks/provision.yml", "playbooks/verify.yml", "playbooks/deploy.yml"
VARIABLES = "inventories/lab/host_vars/%s.yml" % HOST
TAGS = ("--tags", "docker,probe_libraries")
SNAPSHOT = (ROOT / "tests" / "lab" / "snapshot.sh").read_text()

# All that is asked of Docker on a host.
ITEMS = [
    *("docker.version", "docker.compose.version", "docker.daemon.running", "docker.daemon.config"),
    *("docker.snap", "docker.prune", "docker.prune.ran", "log.rotation"),
]
COMPOSE = ["compose.healthcheck", "compose.restart", "compose.pinned", "compose.privileged", "compose.limits", "compose.ports"]


def _only_docker(root: pathlib.Path) -> Project:
    """A project of one host, lab-watch, that is asked what concerns Docker and nothing else."""
    project = copied_project(root)
    settings = yaml.safe_load((ROOT / "inventories/one/hosts.yml").read_text())["all"]["hosts"]["launch-pad"]
    empty: dict[str, t.Any] = {group: {"hosts": {}} for group in ("db", "cache", "monitoring", "gpu")}
    project.edit("inventories/lab/hosts.yml", lambda _: {"all": {"children": {"app": {"hosts": {HOST: settings}}, **empty}}})
    project.edit("policy/lab/gate.yml", lambda gate: dict(gate, checklist="docker", fleet={"app": [HOST], **dict.fromkeys(empty, [])}))
    project.edit("policy/lab/waivers.yml", lambda _: {"waivers": [], "not_applicable": []})
    project.edit("checklists/docker.yml", lambda _: {"title": "Docker", "items": [{"id": item, "severity": "block"} for item in ITEMS]})
    return project


@pytest.fixture
def one(tmp_path: pathlib.Path) -> Project:
    return _only_docker(tmp_path)


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Project:
    lab("up", HOST, timeout=1200)
    lab("reset", HOST)
    return _only_docker(tmp_path_factory.mktemp("docker"))


@pytest.fixture(scope="module")
def role(bare: Project) -> Played:
    """The role, applied once to the bare host."""
    return bare.play(PROVISION, *TAGS)


def unmet(done: Played) -> dict[str, str]:
    """{item: what was found} of all that holds the gate shut."""
    held = [one for one in done.report["results"] if one["outcome"] not in ("pass", "not_applicable", "warned", "waived")]
    return {one["item"]: one.get("error") or one["observed"] for one in held}


def variables(project: Project, **values: t.Any) -> None:
    (project.inventory / "host_vars").mkdir(exist_ok=True)
    project.edit(VARIABLES, lambda _: values)


def applied(project: Project, *arguments: str) -> Played:
    done = project.play(PROVISION, *TAGS, *arguments)
    assert done.code == 0, done.output
    return done


def info(field: str, host: str = HOST) -> str:
    return on(host, "docker", "info", "--format", "{{.%s}}" % field).strip()


def engine(host: str = HOST) -> str:
    """The process of the engine that runs, so that a restart is seen."""
    return on(host, "systemctl", "show", "-p", "MainPID", "--value", "docker").strip()


IMPORT = """
cd "$(mktemp -d)"
echo "$1" >name
tar c . | docker import - "$1" >/dev/null
docker image inspect --format '{{.Id}}' "$1"
"""


def image(name: str) -> str:
    """A small image of its own, made on the host; its id."""
    return on(HOST, "sh", "-euc", IMPORT, "sh", name).strip()


SLEEPER = """
docker container inspect sleeper >/dev/null 2>&1 || docker run --detach --name sleeper --volume /usr:/usr:ro --volume /lib:/lib:ro \\
  --volume /lib64:/lib64:ro gonogo-sleeper /usr/bin/sleep 86400 >/dev/null
docker container inspect --format '{{.State.Status}} {{.State.StartedAt}} {{.State.Pid}}' sleeper
"""


def sleeper() -> str:
    """State, start and process of a container that sleeps; made where there is none."""
    if "gonogo-sleeper:latest" not in tags():
        image("gonogo-sleeper")
    found = on(HOST, "sh", "-euc", SLEEPER).strip()
    assert found.startswith("running "), found
    return found


def tags() -> set[str]:
    """The names of the images on the host."""
    return set(on(HOST, "docker", "images", "--format", "{{.Repository}}:{{.Tag}}").split())


# Bare, provisioned, provisioned again


def test_check_mode_on_a_bare_host_changes_nothing(bare: Project) -> None:
    before = on(HOST, "sh", "-c", SNAPSHOT, check=False)
    done = applied(bare, "--check", "--diff")
    assert done.changed() > 0, "a bare host has everything to change"
    assert on(HOST, "sh", "-c", SNAPSHOT, check=False) == before


def test_a_bare_host_fails_item_by_item(bare: Project) -> None:
    done = bare.play(VERIFY)
    assert done.code != 0 and done.report["verdict"] == "NO-GO"
    # What the role cannot cause, a bare host has right already.
    assert set(unmet(done)) == set(ITEMS) - {"docker.snap"}


def test_after_the_role_every_item_passes_and_nothing_is_left_to_change(role: Played, bare: Project) -> None:
    assert role.code == 0, role.output
    done = bare.play(VERIFY)
    assert done.code == 0 and done.report["verdict"] == "GO" and not unmet(done), done.output
    assert applied(bare).changed() == 0
    dry = applied(bare, "--check", "--diff")
    assert dry.changed() == 0, dry.output


def test_the_check_module_says_what_verify_says(role: Played, bare: Project) -> None:
    report = {one["item"]: (one["outcome"], one["observed"], one["expected"]) for one in bare.play(VERIFY).report["results"]}
    command = ["ansible", HOST, "-i", str(bare.inventory), "-b", "-m", "gonogo.preflight.docker_check"]
    environment = dict(os.environ, ANSIBLE_STDOUT_CALLBACK="minimal", ANSIBLE_CALLBACK_RESULT_FORMAT="json", ANSIBLE_NOCOLOR="1")
    for options, code in (({}, 0), ({"minimum_version": "99"}, 2), ({"minimum_version": "99", "enforce": False}, 0)):
        done = subprocess.run(
            [*command, *(["-a", json.dumps(options)] if options else [])], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=180, check=False
        )
        assert done.returncode == code, done.stdout + done.stderr
        result, _end = json.JSONDecoder().raw_decode(done.stdout[done.stdout.index("=> ") + 3 :])
        seen = {one["id"]: (one["status"], one["observed"], one["expected"]) for one in result["results"]}
        if options:
            assert seen.pop("docker.version")[0] == "fail" and not result["passed"]
            assert "docker.version: found " in result["msg"]
        # An age is another one a second later.
        assert {item: words for item, words in seen.items() if item != "docker.prune.ran"} == {
            item: words for item, words in report.items() if item in seen and item != "docker.prune.ran"
        }


# Settings of the engine


def test_settings_reach_file_and_engine_and_containers_live_on(role: Played, one: Project) -> None:
    variables(
        one,
        docker_runtimes={"slow": {"path": "/usr/bin/runc"}},
        docker_log_max_size="3m",
        docker_daemon_options={"debug": True, "log-opts": {"tag": "lab"}, "mtu": None},
    )
    started = sleeper()
    assert applied(one).changed() == 2
    written = json.loads(on(HOST, "cat", "/etc/docker/daemon.json"))
    assert written["log-opts"] == {"max-size": "3m", "max-file": "5", "tag": "lab"} and "mtu" not in written
    assert "slow" in info("Runtimes") and info("Debug") == "true"
    assert applied(one).changed() == 0
    assert sleeper() == started
    variables(one)
    assert applied(one).changed() == 2
    assert sleeper() == started
    on(HOST, "docker", "rm", "-f", "sleeper")


def test_settings_that_the_engine_does_not_start_with_are_taken_back(role: Played, one: Project) -> None:
    before = on(HOST, "cat", "/etc/docker/daemon.json")
    variables(one, docker_daemon_options={"storage-driver": "zfs"})
    done = one.play(PROVISION, *TAGS)
    assert done.code != 0
    assert "The engine does not run with these settings" in done.output and "docker_daemon_options" in done.output and "zfs" in done.output
    assert on(HOST, "cat", "/etc/docker/daemon.json") == before
    assert info("Driver") != "zfs"
    variables(one)
    assert applied(one).changed() == 0


def test_a_file_that_dockerd_cannot_read_is_refused(role: Played, one: Project) -> None:
    running = engine()
    variables(one, docker_daemon_options={"no-such-option": True})
    done = one.play(PROVISION, *TAGS)
    assert done.code != 0 and "failed to validate" in done.output
    assert engine() == running


def test_what_a_hand_or_a_killed_run_left_unread_is_read(role: Played, one: Project) -> None:
    """The file is as it should be; the engine began before."""
    running = engine()
    on(HOST, "touch", "/etc/docker/daemon.json")
    assert applied(one, "--check").changed() == 1
    assert engine() == running, "check mode restarted the engine"
    assert applied(one).changed() == 1
    assert engine() != running
    assert applied(one).changed() == 0


def test_a_stopped_engine_is_started_and_an_engine_that_is_not_enabled_is(role: Played, one: Project) -> None:
    on(HOST, "systemctl", "disable", "--now", "docker.service", "docker.socket")
    assert applied(one, "--check").changed() == 1
    assert applied(one).changed() == 1
    assert on(HOST, "systemctl", "is-enabled", "docker").strip() == "enabled"
    assert applied(one).changed() == 0


def test_an_engine_that_failed_over_a_broken_file_is_mended(role: Played, one: Project) -> None:
    """systemd has given up on it: three failures within a minute."""
    on(HOST, "sh", "-c", "echo '{' >/etc/docker/daemon.json; for i in 1 2 3 4; do systemctl restart docker; done", check=False)
    assert set(unmet(one.play(VERIFY))) == {"docker.daemon.running", "docker.daemon.config", "log.rotation"}
    assert applied(one).changed() == 3
    assert applied(one).changed() == 0
    assert not unmet(one.play(VERIFY))


def test_a_container_whose_log_is_never_rotated_is_named(role: Played, one: Project) -> None:
    """Settings of the engine are for new containers, and those of its driver for containers with that driver alone."""
    sleeper()
    assert not unmet(one.play(VERIFY))
    program = "--volume /usr:/usr:ro --volume /lib:/lib:ro --volume /lib64:/lib64:ro gonogo-sleeper /usr/bin/sleep 86400"
    variables(one, docker_daemon_options={"log-driver": "local"})
    applied(one)
    try:
        on(HOST, "sh", "-c", "docker run --detach --name silent --log-driver none " + program)
        assert not unmet(one.play(VERIFY)), "what is written nowhere fills no disk"
        on(HOST, "sh", "-c", "docker run --detach --name endless --log-driver json-file " + program)
        done = one.play(VERIFY)
        assert set(unmet(done)) == {"log.rotation"}
        assert done.result("log.rotation", HOST)["evidence"].endswith("never rotated, in containers that run: endless")
        variables(one)
        applied(one)
        assert set(unmet(one.play(VERIFY))) == {"log.rotation"}, "a container keeps what held when it was made"
    finally:
        on(HOST, "docker", "rm", "-f", "silent", "endless", "sleeper")
        variables(one)
        applied(one)
    assert not unmet(one.play(VERIFY))


def test_a_socket_that_everybody_may_write_to_is_named(role: Played) -> None:
    """Whoever connects may start a container; no role closes what somebody has opened, and the next start of the socket does."""
    people = {"people": [], "control": ""}
    everybody = "everybody by the mode of /run/docker.sock"
    try:
        assert everybody not in value(HOST, "accounts", fact="privileged", declared=people)
        on(HOST, "chmod", "0666", "/run/docker.sock")
        assert everybody in value(HOST, "accounts", fact="privileged", declared=people)
        on(HOST, "chmod", "0660", "/run/docker.sock")
        on(HOST, "chgrp", "users", "/run/docker.sock")
        on(HOST, "usermod", "--append", "--groups", "users", "games")
        assert "games in group users, which /run/docker.sock belongs to" in value(HOST, "accounts", fact="privileged", declared=people)
    finally:
        on(HOST, "sh", "-c", "chmod 0660 /run/docker.sock; chgrp docker /run/docker.sock; gpasswd --delete games users")


# What is refused


def test_the_snap_is_seen_and_refused(role: Played, one: Project) -> None:
    on(HOST, "mkdir", "-p", "/snap/docker")
    try:
        assert set(unmet(one.play(VERIFY))) == {"docker.snap"}
        done = one.play(PROVISION, *TAGS)
        assert done.code != 0 and "snap remove --purge docker" in done.output
    finally:
        on(HOST, "rm", "-r", "/snap")


def test_the_packages_of_the_other_source_are_named_and_left_alone(role: Played, one: Project) -> None:
    running = engine()
    variables(one, docker_source="vendor")
    done = one.play(PROVISION, *TAGS)
    assert done.code != 0
    assert "docker_source is vendor, but packages of the other source are installed" in done.output and "apt-get remove" in done.output
    assert engine() == running
    assert on(HOST, "sh", "-c", "ls /etc/apt/sources.list.d/docker.sources 2>/dev/null || true") == ""


def test_a_version_below_the_threshold_is_refused_with_the_variable(role: Played, one: Project) -> None:
    variables(one, docker_minimum_version="99.0")
    done = one.play(PROVISION, *TAGS)
    assert done.code != 0 and "99.0 (docker_minimum_version)" in " ".join(done.output.split())


# Outages and killed runs


def test_without_its_package_source_a_host_converges_and_its_engine_runs_on(role: Played, one: Project) -> None:
    running = engine()
    with outage(HOST):
        assert applied(one).changed() == 0
        on(HOST, "dpkg", "--remove", compose_package(HOST))
        done = one.play(PROVISION, *TAGS)
        assert done.code != 0
        assert "Docker could not be installed, and nothing that runs was touched" in " ".join(done.output.split())
        assert "/etc/apt" in done.output
        assert engine() == running
    assert applied(one).changed() == 1
    assert not unmet(one.play(VERIFY))


def test_a_run_that_was_killed_converges_next_time(bare: Project, one: Project) -> None:
    """Killed while packages are installed, and once the file was written."""
    lab("reset", HOST)
    command = ["ansible-playbook", PROVISION, "-i", str(one.inventory), *TAGS]
    killed_when(command, lambda: on(HOST, "sh", "-c", "pgrep -x dpkg || true").strip())
    killed_when(command, lambda: on(HOST, "sh", "-c", "ls /etc/docker/daemon.json 2>/dev/null || true").strip())
    assert applied(one).changed() > 0
    assert applied(one).changed() == 0
    assert not unmet(one.play(VERIFY))


def test_after_a_reboot_every_item_passes(role: Played, one: Project) -> None:
    lab("restart", HOST)
    done = one.play(VERIFY)
    assert done.code == 0 and not unmet(done), done.output
    assert applied(one).changed() == 0


# What no release needs


RELEASE = """
mkdir -p "$1" && cd "$1"
echo 'services: {web: {image: "${APP_IMAGE}"}}' >compose.yml
echo "APP_IMAGE=$2" >.env
touch -d "$3 hours ago" .
"""
EMPTIED = "docker ps -aq | xargs -r docker rm -f; docker volume rm -f kept; docker images -q | sort -u | xargs -r docker rmi -f; rm -rf /opt/gonogo"


@pytest.fixture
def releases(role: Played) -> t.Iterator[None]:
    """Five releases, each with an image of its own, shop:1 to shop:5; the third serves, the second was confirmed."""
    on(HOST, "sh", "-c", EMPTIED)
    for number in range(1, 6):
        on(HOST, "sh", "-euc", RELEASE, "sh", "/opt/gonogo/shop/releases/1.0.%d" % number, image("shop:%d" % number), str(9 - number))
    on(HOST, "sh", "-c", "cd /opt/gonogo/shop && ln -sfn $PWD/releases/1.0.3 current && ln -sfn $PWD/releases/1.0.2 confirmed")
    yield
    on(HOST, "sh", "-c", EMPTIED)


def _pruned(one: Project, **values: t.Any) -> set[str]:
    """Run the service with these variables; the tags of the images that are left."""
    variables(one, **values)
    applied(one)
    on(HOST, "systemctl", "start", "gonogo-docker-prune.service")
    return tags()


def test_what_the_last_releases_need_stays(releases: None, one: Project) -> None:
    image("stranger:1")
    used = image("used:1")
    on(HOST, "sh", "-c", "docker volume create kept && docker create --name stopped -v kept:/data %s true" % used)
    everything = {"shop:%d" % number for number in range(1, 6)} | {"stranger:1", "used:1"}

    # Nothing has been of no use for a week yet, whatever the age of an image.
    assert _pruned(one) == everything
    # 1.0.1 is the oldest, and neither serves nor was confirmed.
    assert _pruned(one, docker_prune_days=0, docker_prune_keep_releases=2) == everything - {"shop:1", "stranger:1", "used:1"}
    assert on(HOST, "docker", "ps", "-aq") == "", "a container that nobody needs stays"
    assert "kept" in on(HOST, "docker", "volume", "ls", "-q")
    assert _pruned(one, docker_prune_days=0, docker_prune_keep_releases=0) == {"shop:2", "shop:3"}


def test_a_link_that_leads_nowhere_stops_it_and_fails_its_service(releases: None, one: Project) -> None:
    image("stranger:1")
    on(HOST, "ln", "-sfn", "/opt/gonogo/shop/releases/gone", "/opt/gonogo/shop/current")
    variables(one, docker_prune_days=0)
    applied(one)
    on(HOST, "systemctl", "start", "gonogo-docker-prune.service", check=False)
    assert on(HOST, "systemctl", "is-failed", "gonogo-docker-prune.service", check=False).strip() == "failed"
    assert "names no release" in on(HOST, "journalctl", "-u", "gonogo-docker-prune", "-n", "5", "-o", "cat")
    assert "stranger:1" in tags()


def test_the_timer_can_be_switched_off(role: Played, one: Project) -> None:
    variables(one, docker_prune=False)
    applied(one)
    assert applied(one).changed() == 0
    assert set(unmet(one.play(VERIFY))) == {"docker.prune"}
    variables(one)
    applied(one)
    assert not unmet(one.play(VERIFY))


# Packages of the vendor


def test_packages_of_the_vendor_by_a_key_that_is_known(one: Project, tmp_path: pathlib.Path) -> None:
    lab("up", HOST, timeout=1200)
    lab("reset", HOST)
    on(HOST, "sh", "-c", "apt-get update -qq && apt-get install -qy --no-install-recommends gnupg")
    fingerprint, _newline, key = on(HOST, "python3", "-", given=(ROOT / "tests/lab/vendor_repository.py").read_text()).partition("\n")
    (tmp_path / "docker.asc").write_text(key)
    vendor = {"docker_source": "vendor", "docker_vendor_mirror": "file:/srv/docker", "docker_vendor_key": str(tmp_path / "docker.asc")}

    variables(one, **vendor)
    refused = one.play(PROVISION, *TAGS)
    said = " ".join(refused.output.split())
    assert refused.code != 0 and fingerprint in said and "docker_vendor_key_fingerprints" in said
    assert on(HOST, "sh", "-c", "ls /etc/apt/sources.list.d/docker.sources /etc/apt/keyrings/docker.asc 2>/dev/null || true") == ""

    variables(one, **vendor, docker_vendor_key_fingerprints=[fingerprint])
    assert applied(one, "--check", "--diff").changed() > 0
    assert applied(one).changed() > 0
    assert on(HOST, "dpkg-query", "--show", "--showformat", "${db:Status-Status}", "docker-ce") == "installed"
    done = one.play(VERIFY)
    assert done.code == 0 and not unmet(done), done.output
    # Neither the package source nor the key is asked for again.
    on(HOST, "mv", "/srv/docker", "/srv/gone")
    (tmp_path / "docker.asc").unlink()
    assert applied(one).changed() == 0

    variables(one)
    back = one.play(PROVISION, *TAGS)
    assert back.code != 0 and "docker_source is distribution, but packages of the other source are installed" in " ".join(back.output.split())


# A release whose Compose file is not as it should be


def _faulty(services: t.Any) -> t.Any:
    api = services["services"]["api"]
    for key in ("restart", "healthcheck", "mem_limit"):
        del api[key]
    api.update(privileged=True, ports=["8000:8000"])
    return services


def test_a_release_with_faults_in_its_compose_file_is_put_back(fleet: None, project: Project) -> None:
    take_away()
    assert play(DEPLOY).code == 0
    before = containers()
    file = project.root / "compose.yml"
    file.write_text(yaml.safe_dump(_faulty(yaml.safe_load((ROOT / "examples/app/compose.yml").read_text())), sort_keys=False))
    project.edit("inventories/lab/group_vars/all/deploy.yml", lambda data: dict(data, deploy_version="1.0.9", deploy_compose_file=str(file)))
    done = project.play(DEPLOY)
    assert done.code != 0 and done.report["doors"] == {"start": "GO", "live": "NO-GO"}, done.output
    assert set(unmet(done)) == {*COMPOSE, "app.compose.healthy"} - {"compose.pinned"}
    assert "put back" in done.output
    assert len(containers()) == len(before) == 1
    assert play(DEPLOY).code == 0
