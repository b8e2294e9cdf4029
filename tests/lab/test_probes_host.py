"""The probes file, schedule, network, process, git, ci, logs and command on real hosts: what is good, what is bad, and what cannot be looked at."""

from __future__ import annotations

import contextlib
import json
import typing as t

import pytest

from .conftest import APP, DATA, await_, containers, on
from .probing import error, observed, value

pytestmark = [pytest.mark.long, pytest.mark.usefixtures("served")]

PLACE = "/srv/probes-host"


def write(host: str, path: str, text: str) -> None:
    on(host, "sh", "-c", 'mkdir -p "$(dirname "$1")" && cat >"$1"', "sh", path, given=text)


@contextlib.contextmanager
def changed(host: str, change: str, back: str) -> t.Iterator[None]:
    on(host, "sh", "-c", change)
    try:
        yield
    finally:
        on(host, "sh", "-c", back)


@pytest.fixture(autouse=True)
def place(fleet: None) -> t.Iterator[None]:
    for host in (APP, DATA):
        on(host, "install", "-d", PLACE)
    yield
    for host in (APP, DATA):
        on(host, "rm", "-rf", PLACE)


# file


def test_a_file_as_it_is() -> None:
    write(DATA, PLACE + "/report.txt", "seen\n")
    on(DATA, "sh", "-c", "cd %s && chown redis:adm report.txt && chmod 0640 report.txt && touch -d '2 hours ago' report.txt && ln -s report.txt link" % PLACE)
    for path in ("/report.txt", "/link"):
        assert value(DATA, "file", fact="owner", path=PLACE + path) == "redis:adm"
        assert value(DATA, "file", fact="mode", path=PLACE + path) == "0640"
    assert 7200 <= value(DATA, "file", fact="age", path=PLACE + "/report.txt") < 7500
    assert value(DATA, "file", fact="size", path=PLACE + "/report.txt") == 5
    sum_ = on(DATA, "sha256sum", PLACE + "/report.txt").split()[0]
    assert value(DATA, "file", fact="checksum", path=PLACE + "/report.txt") == sum_
    assert "a link to %s/report.txt" % PLACE in observed(DATA, "file", fact="exists", path=PLACE + "/link")["evidence"]


def test_a_file_that_is_not_there() -> None:
    assert value(DATA, "file", fact="exists", path=PLACE + "/absent") is False
    assert error(DATA, "file", fact="age", path=PLACE + "/absent") == "%s/absent does not exist" % PLACE


def test_the_newest_backup() -> None:
    for age in (1, 30, 60):
        on(DATA, "touch", "-d", "%d hours ago" % age, "%s/%d.dump" % (PLACE, age))
    assert value(DATA, "file", fact="count", path=PLACE, glob="*.dump") == 3
    assert 3600 <= value(DATA, "file", fact="newest", path=PLACE, glob="*.dump") < 3900
    assert value(DATA, "file", fact="count", path=PLACE, glob="*.gz") == 0
    assert error(DATA, "file", fact="newest", path=PLACE, glob="*.gz") == "nothing in %s matches *.gz" % PLACE
    assert "does not exist" in error(DATA, "file", fact="count", path=PLACE + "/absent", glob="*")


def test_a_value_of_a_file_that_a_role_wrote() -> None:
    assert value(APP, "file", fact="value", path="/etc/fail2ban/jail.d/gonogo.local", format="ini", key="sshd.enabled") == "true"
    assert "there is no sshd.absent" in error(APP, "file", fact="value", path="/etc/fail2ban/jail.d/gonogo.local", format="ini", key="sshd.absent")


def test_a_secret_is_not_read() -> None:
    password = on(DATA, "cat", "/etc/gonogo/redis-password").strip()
    for fact in ("value", "checksum"):
        said = error(DATA, "file", fact=fact, path="/etc/gonogo/redis-password", format="text")
        assert "looks as if it held a secret" in said and password not in said
    write(DATA, PLACE + "/settings.json", json.dumps({"cache": {"password": password, "port": 6379}}))
    assert value(DATA, "file", fact="value", path=PLACE + "/settings.json", key="cache.port") == 6379
    answer = observed(DATA, "file", fact="value", path=PLACE + "/settings.json", key="cache")
    assert "looks like a secret" in answer["error"] and password not in json.dumps(answer)


# schedule

UNITS = {
    "gng-works.service": "[Service]\nType=oneshot\nExecStart=/bin/true\n",
    "gng-works.timer": "[Timer]\nOnCalendar=Mon..Fri 04:00\n[Install]\nWantedBy=timers.target\n",
    "gng-fails.service": "[Service]\nType=oneshot\nExecStart=/bin/sh -c 'test -e %s/works'\n" % PLACE,
    "gng-fails.timer": "[Timer]\nOnActiveSec=1d\nOnUnitActiveSec=90min\n",
    "gng-never.service": "[Service]\nType=oneshot\nExecStart=/bin/true\n",
    "gng-never.timer": "[Timer]\nOnCalendar=2099-01-01\n",
    "gng-lasts.service": "[Service]\nType=oneshot\nExecStart=/bin/sleep 120\n",
}


@pytest.fixture
def units() -> t.Iterator[None]:
    for name, text in UNITS.items():
        write(DATA, "/etc/systemd/system/" + name, text)
    on(DATA, "systemctl", "daemon-reload")
    on(DATA, "systemctl", "enable", "--now", "gng-works.timer")
    # systemd forgets a service that has ended, unless something that is loaded names it.
    on(DATA, "systemctl", "start", "gng-fails.timer")
    yield
    on(DATA, "systemctl", "disable", "--now", "gng-works.timer")
    on(DATA, "systemctl", "stop", *UNITS)
    on(DATA, "systemctl", "reset-failed", "gng-*", check=False)
    on(DATA, "sh", "-c", "rm -f /etc/systemd/system/gng-*; systemctl daemon-reload")


def test_timers(units: None) -> None:
    assert value(DATA, "schedule", fact="timer", name="gng-works") == {"exists": True, "enabled": True, "active": True}
    assert value(DATA, "schedule", fact="timer", name="gng-never") == {"exists": True, "enabled": False, "active": False}
    assert value(DATA, "schedule", fact="timer", name="gng-absent") == {"exists": False, "enabled": False, "active": False}


def test_intervals(units: None) -> None:
    assert value(DATA, "schedule", fact="interval", name="gng-works") == 3 * 86400
    assert value(DATA, "schedule", fact="interval", name="gng-fails") == 5400
    assert value(DATA, "schedule", fact="interval", name="logrotate") == 86400
    assert "does not repeat" in error(DATA, "schedule", fact="interval", name="gng-never")
    assert "not-found" in error(DATA, "schedule", fact="interval", name="gng-absent")


def test_the_last_success(units: None) -> None:
    assert "knows of no success" in error(DATA, "schedule", fact="last_success", name="gng-never")
    on(DATA, "systemctl", "start", "gng-works.service")
    assert 0 <= value(DATA, "schedule", fact="last_success", name="gng-works") < 60


def test_a_failure_is_no_success(units: None) -> None:
    on(DATA, "systemctl", "start", "gng-fails.service", check=False)
    said = error(DATA, "schedule", fact="last_success", name="gng-fails")
    assert "gng-fails.service failed last (exit-code, status 1), and the journal knows of no success before" in said
    on(DATA, "touch", PLACE + "/works")
    on(DATA, "systemctl", "start", "gng-fails.service")
    assert observed(DATA, "schedule", fact="last_success", name="gng-fails")["evidence"] == "gng-fails.service ended with success"
    on(DATA, "rm", PLACE + "/works")
    on(DATA, "systemctl", "start", "gng-fails.service", check=False)
    on(DATA, "journalctl", "--sync")
    answer = observed(DATA, "schedule", fact="last_success", name="gng-fails")
    assert 0 <= answer["value"] < 120 and "the journal has its last success" in answer["evidence"]


def test_a_run_that_is_not_over_is_no_success(units: None) -> None:
    on(DATA, "systemctl", "start", "--no-block", "gng-lasts.service")
    await_(lambda: "activating" in on(DATA, "systemctl", "show", "-p", "ActiveState", "gng-lasts.service"), seconds=10)
    assert "is activating now" in error(DATA, "schedule", fact="last_success", name="gng-lasts.service")


def test_cron() -> None:
    assert value(DATA, "schedule", fact="cron", pattern="gng-backup") is False
    with changed(DATA, "echo '30 2 * * * root /usr/local/bin/gng-backup' >/etc/cron.d/gng; chmod 0644 /etc/cron.d/gng", "rm /etc/cron.d/gng"):
        assert value(DATA, "schedule", fact="cron", pattern="gng-backup$") is True
        with changed(DATA, "systemctl stop cron", "systemctl start cron"):
            assert "cron does not run" in error(DATA, "schedule", fact="cron", pattern="gng-backup")
        with changed(DATA, "chmod 0666 /etc/cron.d/gng", "chmod 0644 /etc/cron.d/gng"):
            assert "others than its owner may write it" in error(DATA, "schedule", fact="cron", pattern="gng-backup")


# network

# Answers 192.0.2.7 to every question for an address of version 4, nothing else of names with "bare", and knows no name with "none".
NAMESERVER = r"""
import socket
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind(("127.0.0.1", 53))
while True:
    question, client = server.recvfrom(512)
    end = question.index(b"\0", 12) + 5
    asked, kind = question[12:end], question[end - 4 : end - 2]
    found = kind == b"\0\1" and b"bare" not in asked and b"none" not in asked
    flags = b"\x81\x83" if b"none" in asked else b"\x81\x80"
    answer = b"\xc0\x0c\0\1\0\1\0\0\0\0\0\4" + bytes([192, 0, 2, 7])
    server.sendto(question[:2] + flags + b"\0\1" + (b"\0\1" if found else b"\0\0") + b"\0\0\0\0" + asked + (answer if found else b""), client)
"""


@pytest.fixture
def nameserver() -> t.Iterator[None]:
    write(DATA, PLACE + "/nameserver.py", NAMESERVER)
    on(DATA, "systemd-run", "--quiet", "--unit=gng-nameserver", "python3", PLACE + "/nameserver.py")
    # The file is a mount of the container: it is written, not replaced.
    on(DATA, "sh", "-c", "cp /etc/resolv.conf %s/resolv.conf; printf 'nameserver 127.0.0.1\\noptions timeout:1 attempts:1\\n' >/etc/resolv.conf" % PLACE)
    await_(lambda: "127.0.0.1:53" in on(DATA, "ss", "-Hlun"), seconds=10)
    yield
    on(DATA, "sh", "-c", "cat %s/resolv.conf >/etc/resolv.conf; systemctl stop gng-nameserver" % PLACE)


def test_names(nameserver: None) -> None:
    assert value(DATA, "network", fact="dns", name="app.example.com") == ["192.0.2.7"]
    for name, words in (("none.example.com", "no such name"), ("bare.example.com", "the name has no such address")):
        answer = observed(DATA, "network", fact="dns", name=name)
        assert answer["value"] == [] and words in answer["evidence"], answer


def test_a_resolver_that_does_not_answer_is_an_error(nameserver: None) -> None:
    on(DATA, "systemctl", "kill", "--signal=STOP", "gng-nameserver")
    try:
        assert "the resolver does not answer for app.example.com" in error(DATA, "network", fact="dns", name="app.example.com")
        assert "does not answer" in error(DATA, "network", fact="tcp", targets=["app.example.com:22"])
    finally:
        on(DATA, "systemctl", "kill", "--signal=CONT", "gng-nameserver")


def test_targets_that_answer_refuse_or_are_silent() -> None:
    drop = "iptables -%s INPUT -i lo -p tcp --dport 9998 -j DROP"
    with changed(DATA, drop % "I", drop % "D"):
        answer = observed(DATA, "network", fact="tcp", targets=["127.0.0.1:22", "127.0.0.1:9997", "127.0.0.1:9998", "172.30.77.11:22"])
    assert answer["value"] == ["127.0.0.1:9997", "127.0.0.1:9998"], answer
    assert "9997: Connection refused" in answer["evidence"] and "9998: no answer" in answer["evidence"]


CERTIFICATES = """
set -e
cd {place}
openssl req -x509 -newkey rsa:2048 -nodes -days 2 -keyout ca.key -out ca.pem -subj '/CN=Lab authority'
openssl req -newkey rsa:2048 -nodes -keyout app.key -out app.csr -subj /CN=localhost
echo subjectAltName=DNS:localhost >app.ext
openssl x509 -req -in app.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile app.ext -out app.pem
systemd-run --quiet --unit=gng-tls openssl s_server -accept 127.0.0.1:8443 -cert {place}/app.pem -key {place}/app.key -www
"""


def test_a_certificate_is_verified_by_what_the_host_trusts() -> None:
    trust = "cp %s/ca.pem /usr/local/share/ca-certificates/gng-lab.crt && update-ca-certificates" % PLACE
    forget = "rm -f /usr/local/share/ca-certificates/gng-lab.crt && update-ca-certificates --fresh"
    with changed(DATA, CERTIFICATES.format(place=PLACE), "systemctl stop gng-tls"):
        await_(lambda: "127.0.0.1:8443" in on(DATA, "ss", "-Hltn"), seconds=10)
        urls = ["https://localhost:8443/", "https://localhost:22/"]
        answer = observed(DATA, "network", fact="https", urls=urls)
        assert answer["value"] == urls and "certificate:" in answer["evidence"], answer
        with changed(DATA, trust, forget):
            assert value(DATA, "network", fact="https", urls=urls) == urls[1:]
            # The certificate is for localhost alone.
            assert value(DATA, "network", fact="https", urls=["https://127.0.0.1:8443/"]) == ["https://127.0.0.1:8443/"]


# process


def test_processes_of_a_service() -> None:
    assert value(DATA, "process", fact="count", name="redis-server") == 1
    assert value(DATA, "process", fact="user", name="redis-server") == ["redis"]
    assert value(DATA, "process", fact="user", pattern="^postgres: ") == ["postgres"]
    assert value(DATA, "process", fact="listening", port=6379) == "redis-server"
    assert value(DATA, "process", fact="listening", port=5432) == "postgres"
    assert value(DATA, "process", fact="listening", port=9997) == ""


def test_processes_of_a_service_that_is_down() -> None:
    with changed(DATA, "systemctl stop redis-server", "systemctl start redis-server"):
        assert value(DATA, "process", fact="count", name="redis-server") == 0
        assert error(DATA, "process", fact="user", name="redis-server") == "no process called redis-server runs"
        assert value(DATA, "process", fact="listening", port=6379) == ""


# git, and YAML: packages that a lab host does not have by itself


@pytest.fixture
def without_packages() -> None:
    on(DATA, "apt-get", "purge", "-qy", "git", "python3-yaml")


@pytest.fixture
def packages() -> t.Iterator[None]:
    on(DATA, "apt-get", "install", "-qy", "--no-install-recommends", "git", "python3-yaml")
    yield
    on(DATA, "apt-get", "purge", "-qy", "git", "python3-yaml")


def test_a_host_without_git_or_pyyaml_is_told_the_package(without_packages: None) -> None:
    write(DATA, PLACE + "/a.yml", "services: {web: {image: app}}\n")
    answer = observed(DATA, "git", fact="head", path=PLACE)
    assert (answer["error"], answer["remedy"]) == ("git is not installed", "apt-get install git")
    answer = observed(DATA, "file", fact="value", path=PLACE + "/a.yml", key="services.web.image")
    assert answer["error"].endswith("library missing: No module named 'yaml'") and answer["remedy"] == "apt-get install python3-yaml"


def test_a_value_of_yaml(packages: None) -> None:
    write(DATA, PLACE + "/a.yml", "services: {web: {image: app, ports: ['80:80']}}\n")
    assert value(DATA, "file", fact="value", path=PLACE + "/a.yml", key="services.web.ports.0") == "80:80"


def as_ops(script: str) -> str:
    return on(DATA, "runuser", "-u", "ops", "--", "sh", "-ec", "cd %s/tree; %s" % (PLACE, script))


@pytest.fixture
def tree(packages: None) -> str:
    """A work tree of the account ops."""
    on(DATA, "install", "-d", "-o", "ops", PLACE + "/tree")
    as_ops("git init -q -b main; printf '/.env\\n' >.gitignore; echo 1 >app.py; git add .")
    as_ops("git -c user.name=Ada -c user.email=ada@example.com commit -qm first; git tag v1.0")
    return PLACE + "/tree"


def test_a_work_tree_of_somebody_else_is_asked_as_its_owner(tree: str) -> None:
    assert value(DATA, "git", fact="head", path=tree) == as_ops("git rev-parse HEAD").strip()
    assert value(DATA, "git", fact="branch", path=tree) == "main"
    assert value(DATA, "git", fact="tag", path=tree) == ["v1.0"]
    assert value(DATA, "git", fact="clean", path=tree) is True
    assert value(DATA, "git", fact="ignored", path=tree, names=[".env", "app.py"]) == ["app.py"]
    assert value(DATA, "git", fact="tracked", path=tree, glob="*.py") == ["app.py"]
    as_ops("echo 2 >app.py")
    answer = observed(DATA, "git", fact="clean", path=tree)
    assert answer["value"] is False and "app.py" in answer["evidence"]
    assert on(DATA, "find", tree, "!", "-user", "ops") == ""


def test_nothing_that_a_repository_names_is_run(tree: str) -> None:
    as_ops("printf '#!/bin/sh\\ntouch %s/tree/ran\\n' >.git/trap; chmod +x .git/trap" % PLACE)
    as_ops("for name in core.fsmonitor filter.x.clean core.pager; do git config $name %s/tree/.git/trap; done" % PLACE)
    as_ops("echo '*.py filter=x' >.git/info/attributes; touch app.py")
    for fact in ("clean", "head", "tag"):
        value(DATA, "git", fact=fact, path=tree)
    assert on(DATA, "ls", tree).split() == ["app.py"]


def test_a_work_tree_that_cannot_be_trusted_or_is_none(tree: str) -> None:
    on(DATA, "chown", "root", tree)
    assert "does not own all of it" in error(DATA, "git", fact="clean", path=tree)
    assert "not a git repository" in error(DATA, "git", fact="clean", path="/etc")
    assert "does not exist" in error(DATA, "git", fact="clean", path=PLACE + "/absent")


# ci

JUNIT = '<testsuite name="s" tests="2" failures="%d"><testcase name="a"/><testcase name="b">%s</testcase></testsuite>'


def test_results_of_a_run() -> None:
    write(DATA, PLACE + "/ci/a.xml", JUNIT % (0, ""))
    assert value(DATA, "ci", fact="failed", path=PLACE + "/ci/*.xml") == 0
    write(DATA, PLACE + "/ci/b.xml", JUNIT % (1, "<failure/>"))
    assert value(DATA, "ci", fact="tests", path=PLACE + "/ci/*.xml") == {"tests": 4, "failures": 1, "errors": 0, "skipped": 0}
    assert value(DATA, "ci", fact="passed", path=PLACE + "/ci/*.xml") == 3
    assert 0 <= value(DATA, "ci", fact="age", path=PLACE + "/ci/*.xml") < 120
    write(DATA, PLACE + "/lcov.info", "SF:a.py\nLF:4\nLH:3\nend_of_record\n")
    assert value(DATA, "ci", fact="coverage", path=PLACE + "/lcov.info") == 75


def test_results_that_are_not_there_or_not_whole() -> None:
    assert "nothing matches" in error(DATA, "ci", fact="failed", path=PLACE + "/*.xml")
    write(DATA, PLACE + "/a.xml", (JUNIT % (0, ""))[:-20])
    assert "is not XML, or not all of it" in error(DATA, "ci", fact="failed", path=PLACE + "/a.xml")
    write(DATA, PLACE + "/a.xml", "<!DOCTYPE testsuite [<!ENTITY a 'b'>]>" + JUNIT % (0, ""))
    assert "DOCTYPE" in error(DATA, "ci", fact="failed", path=PLACE + "/a.xml")


# logs


def test_lines_of_a_file() -> None:
    script = "for ago in '2 hours' '20 minutes' '1 minute'; do echo \"$(date -u -d \"$ago ago\" +%FT%TZ) ERROR $ago\"; done >app.log"
    on(DATA, "sh", "-c", "cd %s && %s" % (PLACE, script))
    assert value(DATA, "logs", fact="count", path=PLACE + "/app.log", pattern="ERROR", window="1h") == 2
    assert value(DATA, "logs", fact="count", path=PLACE + "/app.log", pattern="panic", window="1h") == 0
    assert "begins at" in error(DATA, "logs", fact="count", path=PLACE + "/app.log", pattern="ERROR", window="3h")
    on(DATA, "sh", "-c", "mv {0}/app.log {0}/app.log.1; gzip {0}/app.log.1; : >{0}/app.log".format(PLACE))
    assert value(DATA, "logs", fact="count", path=PLACE + "/app.log", pattern="ERROR", window="1h") == 2
    on(DATA, "rm", PLACE + "/app.log.1.gz")
    assert "has no line before" in error(DATA, "logs", fact="count", path=PLACE + "/app.log", pattern="ERROR", window="1h")
    assert "does not exist" in error(DATA, "logs", fact="count", path=PLACE + "/absent.log", pattern="ERROR", window="1h")


def test_lines_of_nginx() -> None:
    for _request in range(3):
        on(APP, "python3", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1/api/v1/health')")
    seen = value(APP, "logs", fact="count", path="/var/log/nginx/access.log", pattern='"GET /api/v1/health', window="2min", whole=False)
    assert seen >= 3


def test_lines_of_a_unit() -> None:
    write(DATA, "/etc/systemd/system/gng-speaks.service", "[Service]\nType=oneshot\nExecStart=/bin/sh -c 'echo ERROR gng; echo fine; echo ERROR gng'\n")
    with changed(DATA, "systemctl daemon-reload; systemctl start gng-speaks", "rm /etc/systemd/system/gng-speaks.service; systemctl daemon-reload"):
        on(DATA, "journalctl", "--sync")
        assert value(DATA, "logs", fact="count", unit="gng-speaks", pattern="^ERROR gng", window="30s") == 2
        assert value(DATA, "logs", fact="count", unit="gng-speaks", pattern="^panic", window="30s") == 0
        assert "begins at" in error(DATA, "logs", fact="count", unit="gng-speaks", pattern="ERROR", window="5000d")
    assert "not-found" in error(DATA, "logs", fact="count", unit="gng-speaks", pattern="ERROR", window="30s")


def test_lines_of_a_container() -> None:
    (container,) = containers()
    on(APP, "python3", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1/api/v1/health')")
    everything = on(APP, "sh", "-c", "docker logs --since 1h %s 2>&1" % container).splitlines()
    seen = value(APP, "logs", fact="count", container=container, pattern=".", window="2h", whole=False)
    assert seen >= len(everything) > 0
    assert value(APP, "logs", fact="count", container=container, pattern="no line says this", window="2h", whole=False) == 0
    assert "the logs of container gng-absent cannot be read: NotFound" in error(APP, "logs", fact="count", container="gng-absent", pattern=".", window="2min")


# command


def test_a_command() -> None:
    assert value(DATA, "command", fact="status", argv=["systemctl", "is-active", "--quiet", "redis-server"]) == 0
    assert value(DATA, "command", fact="status", argv=["systemctl", "is-active", "--quiet", "gng-absent"]) != 0
    assert value(DATA, "command", fact="output", argv=["redis-server", "--version"]).startswith("Redis server v=")
    assert value(DATA, "command", fact="lines", argv=["ls", "/etc/postgresql"]) == 1
    assert error(DATA, "command", fact="output", argv=["gng-absent"]) == "gng-absent is not installed"
    assert "ended with status 2" in error(DATA, "command", fact="lines", argv=["ls", PLACE + "/absent"])
    assert "is a shell" in error(DATA, "command", fact="status", argv=["sh", "-c", "true"])


def test_a_secret_among_the_arguments_is_not_shown() -> None:
    answer = observed(DATA, "command", fact="status", argv=["true", "--password", "Zebra7Quartz9Lamp"])
    assert answer["value"] == 0 and "Zebra7" not in json.dumps(answer)
