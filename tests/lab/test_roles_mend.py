"""What a hand or a killed run left different from the files is mended by the next run of the role, which says so."""

from __future__ import annotations

import pytest

from tests.support import Played, play

from .conftest import APP, DATA, on, redis

pytestmark = pytest.mark.long


def apply(tag: str, *arguments: str) -> Played:
    done = play("playbooks/provision.yml", "--tags", tag, *arguments)
    assert done.code == 0, done.output
    return done


def test_redis_gets_its_persistence_back_without_losing_a_key(fleet: None) -> None:
    redis("SET", "gonogo-test", "precious")
    redis("CONFIG", "SET", "appendonly", "no")
    redis("CONFIG", "SET", "maxmemory-policy", "noeviction")
    seen = apply("redis", "--check", "--diff")
    assert "+appendonly yes" in seen.output
    assert redis("CONFIG", "GET", "appendonly").split()[1] == "no", "check mode changed something"
    assert apply("redis").changed() == 1
    assert apply("redis").changed() == 0
    on(DATA, "systemctl", "restart", "redis-server")
    assert redis("GET", "gonogo-test").strip() == "precious"
    assert redis("CONFIG", "GET", "maxmemory-policy").split()[1] == "allkeys-lru"
    redis("DEL", "gonogo-test")


def test_redis_starts_again_after_a_mistake_in_its_file(fleet: None) -> None:
    on(DATA, "sh", "-c", "echo nonsense >>/etc/redis/gonogo.conf; systemctl stop redis-server")
    assert apply("redis").changed() == 2
    assert redis("PING").strip() == "PONG"


def test_postgresql_reads_the_rules_that_a_killed_run_left_unread(fleet: None) -> None:
    hba = "/etc/postgresql/*/main/pg_hba.conf"
    on(DATA, "sh", "-c", "sed -i '/^# BEGIN gonogo/,/^# END gonogo/d' %s && systemctl reload postgresql@*-main.service" % hba)
    assert apply("postgresql").changed() == 2
    on(DATA, "sh", "-c", "touch " + hba)
    assert apply("postgresql").changed() == 1
    assert apply("postgresql").changed() == 0


def test_postgresql_listens_where_its_file_says(fleet: None) -> None:
    on(DATA, "su", "postgres", "-c", "psql -qc \"ALTER SYSTEM SET listen_addresses = 'localhost'\"")
    on(DATA, "systemctl", "restart", "postgresql@*-main.service")
    on(DATA, "su", "postgres", "-c", 'psql -qc "ALTER SYSTEM RESET listen_addresses"')
    assert apply("postgresql").changed() == 1
    assert "172.30.77.12:5432" in on(DATA, "ss", "-ltn")


def test_docker_does_what_its_file_says(fleet: None) -> None:
    on(APP, "sh", "-c", "cp -a /etc/docker/daemon.json /root/kept && echo '{}' >/etc/docker/daemon.json && systemctl restart docker")
    on(APP, "sh", "-c", "mv /root/kept /etc/docker/daemon.json")
    assert apply("docker").changed() == 1
    assert on(APP, "docker", "info", "--format", "{{.LiveRestoreEnabled}}").strip() == "true"


@pytest.mark.parametrize("host", [APP, DATA])
def test_chrony_uses_the_servers_of_its_file(fleet: None, host: str) -> None:
    on(host, "sh", "-c", "cp -a /etc/chrony/chrony.conf /root/kept && echo driftfile /dev/null >/etc/chrony/chrony.conf")
    on(host, "sh", "-c", "systemctl restart chrony && mv /root/kept /etc/chrony/chrony.conf")
    apply("os")
    assert "Leap status     : Normal" in on(host, "chronyc", "tracking")
