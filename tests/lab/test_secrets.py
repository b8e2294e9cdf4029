"""Planted secrets are searched for in everything a run leaves behind or shows."""

from __future__ import annotations

import pathlib
import subprocess
import threading
import typing as t
import uuid

import pytest
import yaml

from tests.support import REPORTS, ROOT, play

from .conftest import APP, DATA, on, take_away

# Reads the secrets from standard input, so that they are in no argument list, and looks at those of all others.
WATCH = r"""
import glob, os, sys, time
needles = [line.strip().encode() for line in sys.stdin if line.strip()]
print("watching for %d" % len(needles), flush=True)
end = time.monotonic() + 600
while not os.path.exists("/run/stop-watching") and time.monotonic() < end:
    for path in glob.glob("/proc/[0-9]*/cmdline"):
        try:
            line = open(path, "rb").read()
        except OSError:
            continue
        if any(needle in line for needle in needles):
            print(line.replace(b"\0", b" ")[:300].decode(errors="replace"), flush=True)
"""

# Prints "<place> <number of the needle>" for each find.
SEARCH = r"""
import subprocess, sys
needles = [line.strip().encode() for line in sys.stdin if line.strip()]
journal = subprocess.run(["journalctl", "--no-pager", "-o", "cat"], capture_output=True).stdout
for number, needle in enumerate(needles):
    if needle in journal:
        print("journal", number)
    for root in ("/var/log", "/tmp", "/var/tmp", "/root/.ansible", "/home/ops"):
        done = subprocess.run(["grep", "-rlaF", "-f", "/dev/stdin", root], input=needle, capture_output=True)
        for path in done.stdout.decode().split():
            if not path.startswith("/var/log/journal"):
                print(path, number)
"""


@pytest.fixture(scope="module")
def secrets() -> list[str]:
    """The lab's generated passwords."""
    shown = subprocess.run(["ansible-vault", "view", "inventories/lab/group_vars/all/secrets.yml"], cwd=ROOT, capture_output=True, text=True, check=True)
    values = [str(value) for value in yaml.safe_load(shown.stdout).values()]
    assert len(values) >= 2 and all(len(value) >= 32 for value in values)
    return values


def _watch(host: str, secrets: list[str], seen: list[str]) -> threading.Thread:
    given = "\n".join(secrets) + "\n"
    thread = threading.Thread(target=lambda: seen.append(on(host, "python3", "-c", WATCH, check=False, given=given)))
    thread.start()
    return thread


def _holds(text: str, secrets: t.Iterable[str]) -> bool:
    return any(secret in text for secret in secrets)


def test_no_secret_is_shown_or_left_behind(fleet: None, secrets: list[str], tmp_path: pathlib.Path) -> None:
    take_away()
    on(APP, "rm", "-rf", "/opt/gonogo/app/releases")
    seen: list[str] = []
    watchers = [_watch(host, secrets, seen) for host in (APP, DATA)]
    log = tmp_path / "ansible.log"
    try:
        done = play("playbooks/site.yml", "-vvvv", "--diff", environment={"ANSIBLE_LOG_PATH": str(log)})
    finally:
        for host in (APP, DATA):
            on(host, "touch", "/run/stop-watching")
        for watcher in watchers:
            watcher.join()
        for host in (APP, DATA):
            on(host, "rm", "/run/stop-watching")
    assert done.code == 0, done.output[-4000:]
    assert not _holds(done.output, secrets)
    assert not _holds(log.read_text(), secrets)
    assert "".join(seen).split("\n") == ["watching for %d" % len(secrets)] * 2 + [""], "in a process list"
    for report in (REPORTS / "latest").resolve().rglob("*.*"):
        assert not _holds(report.read_text(), secrets), report
    for host in (APP, DATA):
        # One needle that must be found: a search that finds nothing because it is broken would pass otherwise.
        planted = "planted-%s" % uuid.uuid4().hex
        on(host, "sh", "-c", "cat > /var/tmp/planted && logger -f /var/tmp/planted", given=planted)
        found = on(host, "python3", "-c", SEARCH, given="\n".join([*secrets, planted])).split("\n")
        on(host, "rm", "/var/tmp/planted")
        assert sorted(found) == ["", "/var/tmp/planted %d" % len(secrets), "journal %d" % len(secrets)]


def test_no_secret_is_shown_when_things_fail(fleet: None, secrets: list[str]) -> None:
    on(DATA, "systemctl", "stop", "redis-server", "postgresql")
    try:
        done = play("playbooks/deploy.yml", "-vvvv", "--diff")
    finally:
        on(DATA, "systemctl", "start", "redis-server", "postgresql")
    assert done.code != 0
    assert not _holds(done.output, secrets)
    for report in (REPORTS / "latest").resolve().rglob("*.*"):
        assert not _holds(report.read_text(), secrets), report
