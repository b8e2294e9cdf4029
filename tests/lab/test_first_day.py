"""The first day, as its user types it: the collection from its archive, a project made by init, one host of their own.

Nothing here knows the checkout but the archive, and what stands for the user's own: a key, an application's image.
"""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import typing as t
import urllib.request
import uuid

import pytest
import yaml

from tests.support import ROOT

from .conftest import lab, on

WATCH, ADDRESS, GATEWAY = "lab-watch", "172.30.77.13", "172.30.77.1"
HOST = "one"
HEALTH = "/api/v1/health"

# What the host of the lab is like, and what its application needs: the reference application, in the project's Compose file.
DECISIONS = {
    "prod/group_vars/all/main.yml": {
        "  - UNDECIDED": "  - " + GATEWAY,
        "postgresql_user: UNDECIDED": "postgresql_user: gonogo",
        # No time server is in reach of every lab: the host follows its own clock.
        "# os_ntp_pools: []": "os_ntp_pools: []\nos_ntp_serve_to: [127.0.0.1/32]",
        "  redis: {port: 6379, from: app, hosts: cache}\n": "  redis: {port: 6379, from: app, hosts: cache}\n  ntp: {port: 123, protocol: udp, from: app}\n",
    },
    "prod/group_vars/all/deploy.yml": {
        "deploy_project: UNDECIDED": "deploy_project: notes",
        "# deploy_image_archive": "deploy_image_archive",
        "# docker_daemon_options": "docker_daemon_options",
    },
    "app/compose.yml": {"${APP_PORT}:UNDECIDED": "${APP_PORT}:8000", "[CMD, UNDECIDED]": "[CMD, python3, -m, app.healthcheck]"},
    "checklists/launch.yml": {
        "{at_least: UNDECIDED} # number": "{at_least: 2} # number",
        "{at_least: UNDECIDED, as: size, tolerance: 7%}": "{at_least: 2GB, as: size, tolerance: 7%}",
        "{at_least: UNDECIDED, as: size, tolerance: 12%}": "{at_least: 8GB, as: size, tolerance: 12%}",
        "{contains: [UNDECIDED]}": "{contains: [notes]}",
        "  - id: os.ntp.synced": "  - id: os.ntp.synced\n    expect: {equals: own clock}",
    },
    "checklists/catalogue/launch.yml": {"{{ preflight_address }}UNDECIDED": "{{ preflight_address }}" + HEALTH},
}


# A registry that asks for a password, given on standard input, with the image $1 in it; prints the image by its digest there.
REGISTRY = """
export DEBIAN_FRONTEND=noninteractive DOCKER_CONFIG=/run/push
read -r password
apt-get install -qy --no-install-recommends docker-registry apache2-utils >&2
printf %s "$password" | htpasswd -nBi robot >/etc/docker/registry/htpasswd
cat >/etc/docker/registry/config.yml <<'YAML'
version: 0.1
storage: {filesystem: {rootdirectory: /var/lib/docker-registry}}
http: {addr: 127.0.0.1:5000}
auth: {htpasswd: {realm: lab, path: /etc/docker/registry/htpasswd}}
YAML
systemctl restart docker-registry
timeout 60 bash -c 'until { true </dev/tcp/127.0.0.1/5000; } 2>/dev/null; do sleep 0.1; done'
printf %s "$password" | docker login --username robot --password-stdin 127.0.0.1:5000 >&2
docker tag "$1" 127.0.0.1:5000/notes:1
docker push --quiet 127.0.0.1:5000/notes:1 >&2
docker image inspect --format '{{range .RepoDigests}}{{println .}}{{end}}' "$1" | grep ^127.0.0.1
docker rmi 127.0.0.1:5000/notes:1 >&2
rm -r "$DOCKER_CONFIG"
"""


@dataclasses.dataclass(frozen=True)
class User:
    """Somebody with a home directory, a terminal, and ansible-playbook on the path."""

    home: pathlib.Path
    programs: pathlib.Path

    @property
    def launch(self) -> pathlib.Path:
        return self.home / "launch"

    def types(self, line: str, *, given: t.Optional[str] = None) -> subprocess.CompletedProcess[str]:
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "PYTHON", "VIRTUAL_ENV"))}
        environment.update(HOME=str(self.home), PATH="%s:/usr/bin:/bin" % self.programs)
        where = self.launch if self.launch.is_dir() else self.home
        return subprocess.run(shlex.split(line), cwd=where, env=environment, input=given, capture_output=True, text=True, timeout=1200, check=False)

    def succeeds(self, line: str, *, given: t.Optional[str] = None) -> str:
        done = self.types(line, given=given)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def report(self) -> dict[str, t.Any]:
        return dict(json.loads((self.launch / "reports/latest/results.json").read_text()))

    def decides(self, path: str, decisions: t.Mapping[str, str]) -> None:
        """Replace parts of a file, each of which must stand there once."""
        text = (self.launch / path).read_text()
        for left, decided in decisions.items():
            assert text.count(left) == 1, "%s has %r %d times" % (path, left, text.count(left))
            text = text.replace(left, decided)
        (self.launch / path).write_text(text)


@pytest.fixture(scope="module", params=["here", pytest.param("PyPI", marks=pytest.mark.long)])
def user(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> User:
    """The packages are those of requirements/controller.txt: as `make setup` installed them, or once more from the package index."""
    home = tmp_path_factory.mktemp("home")
    programs = pathlib.Path(sys.executable).parent
    if request.param == "PyPI":
        subprocess.run([sys.executable, "-m", "venv", home / "venv"], check=True)
        programs = home / "venv/bin"
        subprocess.run([programs / "pip", "install", "-qq", "--requirement", ROOT / "requirements/controller.txt"], check=True)
    return User(home, programs)


@pytest.fixture(scope="module")
def made(user: User) -> User:
    """The user has installed the collection from its archive and made a project."""
    subprocess.run(["ansible-galaxy", "collection", "build", "--output-path", user.home], cwd=ROOT, capture_output=True, check=True)
    (archive,) = user.home.glob("*.tar.gz")
    user.succeeds("ansible-galaxy collection install %s --no-deps" % archive.name)
    user.succeeds("ansible-playbook gonogo.preflight.init -e dest=launch")
    return user


@pytest.fixture(scope="module")
def decided(made: User) -> User:
    """Every decision is made as the project's README says: one host that carries every group, the image from an archive."""
    lab("up", "--fresh", WATCH, timeout=1200)
    login = {
        "ansible_host": "127.0.0.1",
        "ansible_port": 22013,
        "ansible_user": "ops",
        "ansible_ssh_private_key_file": str(ROOT / ".lab/id_ed25519"),
        "ansible_ssh_common_args": "-o UserKnownHostsFile=%s -o StrictHostKeyChecking=yes" % (ROOT / ".lab/known_hosts"),
        "ansible_python_interpreter": "/usr/bin/python3",
        "preflight_address": ADDRESS,
    }
    hosts = {"all": {"children": {"app": {"hosts": {HOST: login}}, "db": {"hosts": {HOST: None}}, "cache": {"hosts": {HOST: None}}}}}
    (made.launch / "prod/hosts.yml").write_text(yaml.safe_dump(hosts))
    made.decides("policy/prod/gate.yml", {"app: [app1]": "app: [one]", "db: [data1]": "db: [one]", "cache: [data1]": "cache: [one]"})
    for path, decisions in DECISIONS.items():
        made.decides(path, decisions)
    key = (ROOT / ".lab/id_ed25519.pub").read_text().strip()
    made.decides("prod/group_vars/all/accounts.yml", {"- UNDECIDED # your public key": "- %s # your public key" % key})
    made.decides("prod/group_vars/all/deploy.yml", {"deploy_image: UNDECIDED": "deploy_image: " + _image_id()})
    shutil.copy(ROOT / ".lab/app/image.tar.gz", made.launch / "app/image.tar.gz")
    return made


@pytest.fixture(scope="module")
def served(decided: User) -> User:
    """The one command of the first day has ended."""
    decided.succeeds("ansible-playbook site.yml -i prod")
    return decided


def test_the_archive_holds_what_its_users_need_and_nothing_of_the_work_on_it(made: User) -> None:
    (installed,) = made.home.glob(".ansible/collections/ansible_collections/gonogo/preflight")
    names = {path.name for path in installed.iterdir()}
    assert {"checklists", "docs", "meta", "playbooks", "plugins", "roles", "README.md"} <= names
    assert not {"lab", "tests", "tools", "inventories", "policy", "Makefile", "ansible.cfg", ".git"} & names


def test_a_colleague_installs_what_the_project_names(made: User, tmp_path: pathlib.Path) -> None:
    """From a copy of the project in which the archive is kept, as its requirements.yml says."""
    shutil.copytree(made.launch, tmp_path / "launch")
    for archive in made.home.glob("*.tar.gz"):
        shutil.copy(archive, tmp_path / "launch")
    colleague = User(tmp_path, made.programs)
    command = (tmp_path / "launch/requirements.yml").read_text().splitlines()[1].lstrip("# ")
    assert command.startswith("ansible-galaxy collection install ")
    colleague.succeeds(command)
    assert "Validate" in colleague.types("ansible-playbook site.yml -i prod").stdout


def test_a_bare_host_is_go_in_one_command(served: User) -> None:
    report = served.report()
    assert report["verdict"] == "GO" and report["doors"] == {"start": "GO", "live": "GO"}
    assert {one["subject"] for one in report["results"]} == {HOST}
    expected = {one["item"]: one["expected"] for one in report["results"]}
    assert expected["infra.cpu.cores"] == "at least 2", "the threshold of the project's own checklist"
    with urllib.request.urlopen("http://%s%s" % (ADDRESS, HEALTH), timeout=10) as answer:
        assert json.load(answer)["status"] == "healthy"


@pytest.mark.long
def test_the_command_on_the_board_mends_what_it_names_and_then_nothing_is_left_to_change(served: User) -> None:
    on(WATCH, "sh", "-c", 'REDISCLI_AUTH="$(cat /etc/gonogo/redis-password)" redis-cli CONFIG SET appendonly no')
    done = served.types("ansible-playbook gonogo.preflight.verify -i prod")
    assert done.returncode != 0
    assert [one["item"] for one in served.report()["results"] if one["outcome"] == "fail"] == ["redis.aof"], done.stdout
    (mend,) = re.findall(r"mend +(ansible-playbook (?:.*\\\n)*.*)", done.stdout)
    mend = re.sub(r"\s*\\\n\s*", " ", mend)
    assert mend == "ansible-playbook provision.yml -i prod --tags redis --limit one"
    served.succeeds(mend)
    recap = served.succeeds("ansible-playbook site.yml -i prod").partition("PLAY RECAP")[2]
    assert "changed=0 " in recap, recap
    assert served.report()["verdict"] == "GO"


@pytest.fixture
def registry(served: User) -> t.Iterator[tuple[str, str]]:
    """A registry on the host, which holds the application's image: the image by its digest there, and the password."""
    password = uuid.uuid4().hex
    pinned = on(WATCH, "sh", "-euc", REGISTRY, "sh", _image_id(), given=password + "\n").strip()
    yield pinned, password
    on(WATCH, "apt-get", "purge", "-qy", "docker-registry", "apache2-utils")


@pytest.mark.long
def test_a_release_is_pulled_from_a_private_registry(served: User, registry: tuple[str, str]) -> None:
    pinned, password = registry
    before = _serving()
    served.decides(
        "prod/group_vars/all/deploy.yml", {"deploy_image: " + _image_id(): "deploy_image: " + pinned, "# deploy_registry_user": "deploy_registry_user"}
    )
    _add_secret(served, "deploy_registry_password: wrong-" + password)
    done = served.types("ansible-playbook gonogo.preflight.deploy -i prod")
    assert done.returncode != 0 and "401 Unauthorized" in done.stdout, done.stdout
    assert _serving() == before, "nothing is started without its image"
    _add_secret(served, "deploy_registry_password: " + password)
    done = served.types("ansible-playbook gonogo.preflight.deploy -i prod -vvv")
    assert done.returncode == 0 and served.report()["verdict"] == "GO", done.stdout
    assert _serving() != before
    assert on(WATCH, "docker", "ps", "--no-trunc", "--format", "{{.Image}}").split() == [pinned]
    assert password not in done.stdout + done.stderr
    on(WATCH, "sh", "-c", "! ls -d /run/gonogo-registry /root/.docker/config.json 2>&1")


def _image_id() -> str:
    return (ROOT / ".lab/app/image_id").read_text().strip()


def _serving() -> str:
    return on(WATCH, "readlink", "/opt/gonogo/notes/current").strip()


def _add_secret(user: User, line: str) -> None:
    """What a person does with `ansible-vault edit`; a name that is there gets the new value."""
    path = user.launch / "prod/group_vars/all/secrets.yml"
    user.succeeds("ansible-vault decrypt %s" % path)
    name = line.partition(":")[0] + ":"
    kept = [one for one in path.read_text().splitlines() if not one.startswith(name)]
    path.write_text("\n".join([*kept, line]) + "\n")
    user.succeeds("ansible-vault encrypt %s" % path)
