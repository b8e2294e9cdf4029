"""The lab's hosts as tests see them: look at them, break them, mend them."""

from __future__ import annotations

import contextlib
import os
import pathlib
import re
import shlex
import signal
import subprocess
import sys
import time
import typing as t

import pytest
import yaml

from tests.support import ROOT, Played, Project, copied_project, play

APP, DATA = "lab-app", "lab-data"


def lab(*arguments: str, check: bool = True, given: t.Optional[str] = None, timeout: float = 300) -> str:
    """Standard output of `lab/lab.py`."""
    done = subprocess.run([sys.executable, "lab/lab.py", *arguments], cwd=ROOT, input=given, capture_output=True, text=True, timeout=timeout, check=False)
    if check and done.returncode:
        raise AssertionError("lab.py %s: %s%s" % (" ".join(arguments), done.stdout, done.stderr))
    return done.stdout


def on(host: str, *command: str, check: bool = True, given: t.Optional[str] = None) -> str:
    """Standard output of a command on a host, as root, without SSH."""
    return lab("exec", host, "--", *command, check=check, given=given)


def await_(look: t.Callable[[], t.Any], *, seconds: float) -> t.Any:
    """What `look` returns once it is true."""
    end = time.monotonic() + seconds
    while True:
        seen = look()
        if seen:
            return seen
        assert time.monotonic() < end, "not within %.0f s" % seconds
        time.sleep(0.05)


def awaited(condition: str) -> str:
    """A command for the shell of a host that ends once `condition` is true there, and fails after half a minute."""
    return "timeout 30 sh -c %s" % shlex.quote("until %s; do sleep 0.1; done" % condition)


def listened(port: int) -> str:
    """As `awaited`, for something that listens on a TCP port."""
    return awaited("ss -Hltn sport = :%d | grep -q ." % port)


# An sshd that has read its files anew has written its number anew.
RELOAD_SSH = "export was=$(stat -c %y /run/sshd.pid); systemctl reload ssh; " + awaited('now=$(stat -c %y /run/sshd.pid) && [ "$now" != "$was" ]')


def killed(arguments: t.Sequence[str], *, task: str, seconds: float, inventory: str = "inventories/lab") -> None:
    """A run of ansible-playbook that is killed, with all its children, so long after a task began."""
    command = ["ansible-playbook", *arguments, "-i", inventory]
    run = subprocess.Popen(
        command, cwd=ROOT, env=dict(os.environ, PYTHONUNBUFFERED="1"), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    )
    try:
        assert run.stdout is not None
        assert any(re.search(r"(TASK|HANDLER) \[.*%s" % task, line) or task in line for line in run.stdout), "the task was never begun"
        time.sleep(seconds)
        assert run.poll() is None, "the run was over already"
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(run.pid, signal.SIGKILL)
        run.wait()


def killed_when(command: t.Sequence[str], ready: t.Callable[[], t.Any], *, seconds: float = 300) -> None:
    """Start a run, and kill it, with its connections, as soon as `ready`."""
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True) as run:
        try:
            await_(ready, seconds=seconds)
        finally:
            os.killpg(run.pid, signal.SIGKILL)


NO_SOURCES = """
cp -a /etc/apt /root/apt
sed -i 's#^URIs:.*#URIs: http://127.0.0.1:9/debian#' /etc/apt/sources.list.d/*.sources
rm -rf /var/lib/apt/lists/*
touch -d '3 days ago' /var/lib/apt/lists /var/lib/apt/periodic/update-success-stamp
mv /var/cache/apt/archives /root/archives
mkdir -p /var/cache/apt/archives/partial
"""
SOURCES = """
rm -rf /etc/apt /var/cache/apt/archives
mv /root/apt /etc/apt
mv /root/archives /var/cache/apt/archives
apt-get update -qq
"""


@contextlib.contextmanager
def outage(host: str) -> t.Iterator[None]:
    """Every package source of a host leads nowhere, and what apt had of them is gone or old."""
    on(host, "sh", "-euc", NO_SOURCES)
    try:
        yield
    finally:
        on(host, "sh", "-c", SOURCES)


def containers() -> list[str]:
    """Ids of the application's containers on lab-app, running or not."""
    return on(APP, "docker", "ps", "-aq", "--no-trunc", "--filter", "label=com.docker.compose.project=app").split()


def current_release() -> str:
    return _named_by("current")


def confirmed_release() -> str:
    return _named_by("confirmed")


def _named_by(link: str) -> str:
    return on(APP, "readlink", "/opt/gonogo/app/" + link, check=False).strip().rpartition("/")[2]


def redis(*command: str) -> str:
    """A command to the Redis of lab-data; its password is read on the host and is in no argument list."""
    script = 'REDISCLI_AUTH="$(cat /etc/gonogo/redis-password)" exec redis-cli "$@"'
    return on(DATA, "sh", "-c", script, "sh", *command)


def take_away() -> None:
    """Remove the application from lab-app, so that whatever a run deploys is seen."""
    links = "/opt/gonogo/app/current /opt/gonogo/app/confirmed"
    on(APP, "sh", "-c", "docker ps -aq --filter label=com.docker.compose.project=app | xargs -r docker rm -f; rm -f " + links)


@pytest.fixture(scope="session", autouse=True)
def machine() -> t.Iterator[None]:
    """What a role sets in the kernel reaches the machine, which gets its own values back in the end."""
    catalogue = yaml.safe_load((ROOT / "checklists/catalogue/os.yml").read_text())["items"]
    (hardening,) = (item["expect"]["contains"] for item in catalogue if item["id"] == "os.sysctl")
    names = ["vm.overcommit_memory", *(line.partition("=")[0] for line in hardening if not line.startswith("net."))]
    paths = [pathlib.Path("/proc/sys") / name.replace(".", "/") for name in names]
    before = {path: path.read_text() for path in paths if path.exists()}
    yield
    for path, text in before.items():
        if path.read_text() != text:
            path.write_text(text)


def provisioned_fleet() -> Played:
    """Bring the fleet to the state in which a run of site.yml ends with GO."""
    done = play("playbooks/site.yml")
    assert done.code == 0, done.output
    return done


@pytest.fixture(scope="session")
def fleet() -> None:
    """Hosts on which site.yml ends with GO; made bare and converged where they are not."""
    lab("up", timeout=1200)
    if play("playbooks/deploy.yml").code != 0:
        provisioned_fleet()


@pytest.fixture(scope="module")
def served(fleet: None) -> None:
    """A release serves, whatever the tests before these took away."""
    done = play("playbooks/deploy.yml")
    assert done.code == 0, done.output


@pytest.fixture
def broken_redis(fleet: None) -> t.Iterator[None]:
    """A fleet without the application whose Redis has lost its persistence: every run must end with NO-GO."""
    take_away()
    redis("CONFIG", "SET", "appendonly", "no")
    try:
        yield
    finally:
        redis("CONFIG", "SET", "appendonly", "yes")


@pytest.fixture
def project(tmp_path: pathlib.Path) -> Project:
    return copied_project(tmp_path)
