"""Servers that are down, stopped, unreachable or without their library: an error or a failure, in time, never a pass."""

from __future__ import annotations

import contextlib
import time
import typing as t

import pytest

from tests.support import Project, play

from .conftest import APP, DATA, containers, on, take_away

VERIFY, DEPLOY = "playbooks/verify.yml", "playbooks/deploy.yml"

SIGSTOP = "pkill -STOP -x {0}"
SIGCONT = "pkill -CONT -x {0}"
HIDE = "f=$(python3 -c 'import {0}; print({0}.__path__[0])') && mv $f $f.hidden"
SHOW = "f=$(ls -d /usr/lib/python3/dist-packages/{0}.hidden) && mv $f ${{f%.hidden}}"


@contextlib.contextmanager
def broken(host: str, breaks: str, mends: str) -> t.Iterator[None]:
    on(host, "sh", "-c", breaks)
    try:
        yield
    finally:
        on(host, "sh", "-c", mends)


FAULTS = [
    ("Redis stopped by SIGSTOP", DATA, SIGSTOP.format("redis-server"), SIGCONT.format("redis-server"), "redis.version"),
    ("PostgreSQL stopped by SIGSTOP", DATA, SIGSTOP.format("postgres"), SIGCONT.format("postgres"), "pg.version"),
    ("Redis down", DATA, "systemctl stop redis-server", "systemctl start redis-server", "redis.version"),
    ("PostgreSQL down", DATA, "systemctl stop postgresql@*", "systemctl start postgresql", "pg.version"),
    ("Docker down", APP, "systemctl stop docker.socket docker", "systemctl start docker", "docker.daemon.running"),
    ("redis library missing", DATA, HIDE.format("redis"), SHOW.format("redis"), "redis.version"),
    ("psycopg2 library missing", DATA, HIDE.format("psycopg2"), SHOW.format("psycopg2"), "pg.version"),
    ("docker library missing", APP, HIDE.format("docker"), SHOW.format("docker"), "docker.version"),
    (
        "packets to Redis dropped",
        DATA,
        "iptables -I INPUT -i lo -p tcp --dport 6379 -j DROP",
        "iptables -D INPUT -i lo -p tcp --dport 6379 -j DROP",
        "redis.version",
    ),
    ("fail2ban up with its jail gone", APP, "fail2ban-client stop sshd", "systemctl restart fail2ban", "fw.fail2ban"),
]


# Close relatives of others: shown by `make test-long`.
RELATIVES = ("PostgreSQL stopped by SIGSTOP", "PostgreSQL down", "psycopg2 library missing", "docker library missing")


@pytest.mark.parametrize(
    ("name", "host", "breaks", "mends", "item"),
    [pytest.param(*fault, id=fault[0], marks=[pytest.mark.long] * (fault[0] in RELATIVES)) for fault in FAULTS],
)
def test_a_fault_is_no_go_within_its_limit_and_nothing_is_deployed(fleet: None, name: str, host: str, breaks: str, mends: str, item: str) -> None:
    serving = containers()
    with broken(host, breaks, mends):
        began = time.monotonic()
        done = play(DEPLOY)
        took = time.monotonic() - began
    assert done.code != 0, done.output
    result = done.result(item, host)
    assert result["status"] in ("fail", "error"), result
    assert result["outcome"] == result["status"] and result["remedy"], result
    # A call may take 60 s (the engine's own limit), the rest of the run about 10 s.
    assert took < 110, "%.0f s" % took
    assert on(host, "pgrep", "-fc", "AnsiballZ_observe", check=False).strip() in ("0", ""), "a probe was left behind"
    assert {one for one in containers() if one not in serving} == set()


def test_all_failures_of_all_hosts_are_reported_in_one_run(fleet: None) -> None:
    with (
        broken(DATA, "systemctl stop redis-server", "systemctl start redis-server"),
        broken(APP, "fail2ban-client stop sshd", "systemctl restart fail2ban"),
        broken(DATA, "ln -sfn /usr/share/zoneinfo/Asia/Tokyo /etc/localtime", "ln -sfn /usr/share/zoneinfo/Etc/UTC /etc/localtime"),
    ):
        done = play(VERIFY)
    assert done.code != 0
    failed = {(one["item"], one["subject"]) for one in done.report["results"] if one["outcome"] in ("fail", "error")}
    assert {("redis.version", DATA), ("redis.aof", DATA), ("fw.fail2ban", APP), ("os.timezone.utc", DATA)} <= failed
    for word in ("redis.aof", "fw.fail2ban", "os.timezone.utc", "Asia/Tokyo"):
        assert word in done.output


def test_a_port_that_docker_publishes_past_the_firewall_is_seen_from_outside(fleet: None) -> None:
    """DOCKER-USER is emptied, which is how a port gets past UFW."""
    publish = (
        "docker run -d --rm --name stray -p 8081:8000 --entrypoint python3 $(docker inspect -f '{{.Image}}' $(docker ps -q | head -1)) -m http.server 8000"
    )
    with broken(APP, "iptables -F DOCKER-USER; %s" % publish, "docker rm -f stray; ufw reload"):
        done = play(VERIFY)
    assert done.code != 0
    assert "8081" in done.result("fw.others.blocked", APP)["observed"]


@pytest.mark.long
def test_a_failed_role_is_no_go_under_its_tasks_name_and_the_host_is_verified_all_the_same(fleet: None, project: Project) -> None:
    take_away()
    project.edit("inventories/lab/group_vars/cache.yml", lambda _: {"redis_maxmemory": "plenty"})
    done = project.play("playbooks/site.yml")
    assert done.code != 0 and containers() == [], done.output
    provisioned = done.result("run.provisioned", DATA)
    assert provisioned["status"] == "fail" and "task" in provisioned["observed"]
    assert done.result("pg.version", DATA)["status"] == "pass"
    assert done.result("run.provisioned", APP)["status"] == "pass"


def test_provisioning_alone_fails_where_a_role_failed(fleet: None, project: Project) -> None:
    project.edit("inventories/lab/group_vars/cache.yml", lambda _: {"redis_maxmemory": "plenty"})
    done = project.play("playbooks/provision.yml", "--tags", "redis")
    assert done.code != 0, done.output
    assert "provisioning of lab-data stopped at task" in done.output
