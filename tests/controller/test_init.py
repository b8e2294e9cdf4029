"""The project that init makes: complete, refused by name until it is decided, and never written over anything."""

from __future__ import annotations

import os
import pathlib
import re
import shutil
import subprocess
import typing as t

import pytest
import yaml

from tests.support import ROOT

PROJECT = ROOT / "examples" / "project"
SECRETS = "prod/group_vars/all/secrets.yml"


def _run(directory: pathlib.Path, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    settings = dict(os.environ, ANSIBLE_COLLECTIONS_PATH=str(ROOT / ".collections"), **environment)
    settings.pop("ANSIBLE_CONFIG", None)
    return subprocess.run(command, cwd=directory, env=settings, capture_output=True, text=True, timeout=300, check=False)


def _init(directory: pathlib.Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return _run(directory, "ansible-playbook", "gonogo.preflight.init", *arguments)


class Made(t.NamedTuple):
    """A new project, everything that its making has shown, and its files."""

    launch: pathlib.Path
    output: str
    files: set[pathlib.Path]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    directory = tmp_path_factory.mktemp("first day")
    done = _init(directory, "-e", "dest=launch", "-vvvv", "--diff")
    assert done.returncode == 0, done.stdout + done.stderr
    launch = directory / "launch"
    return Made(launch, done.stdout + done.stderr, {path.relative_to(launch) for path in launch.rglob("*") if path.is_file()})


@pytest.fixture
def launch(made: Made) -> pathlib.Path:
    return made.launch


def _passwords(launch: pathlib.Path) -> dict[str, str]:
    shown = _run(launch, "ansible-vault", "view", SECRETS)
    assert shown.returncode == 0, shown.stderr
    return dict(yaml.safe_load(shown.stdout))


def test_every_file_is_there(made: Made) -> None:
    files = {path.relative_to(PROJECT) for path in PROJECT.rglob("*") if path.is_file()}
    assert len(files) > 10
    assert made.files == files | {pathlib.Path(SECRETS), pathlib.Path(".vault-password")}


def test_the_passwords_are_random_encrypted_and_shown_nowhere(made: Made) -> None:
    launch, output, _files = made
    passwords = _passwords(launch)
    assert sorted(passwords) == ["postgresql_password", "redis_password"]
    assert (launch / SECRETS).read_text().startswith("$ANSIBLE_VAULT;")
    opener = launch / ".vault-password"
    secrets = [*passwords.values(), opener.read_text().strip()]
    assert len(set(secrets)) == 3 and all(re.fullmatch("[A-Za-z0-9]{40}", one) for one in secrets)
    assert not any(one in output for one in secrets)
    assert opener.stat().st_mode & 0o777 == 0o600
    assert "/.vault-password" in (launch / ".gitignore").read_text().split()


def test_everything_undecided_is_refused_by_name_before_a_host_is_touched(launch: pathlib.Path, tmp_path: pathlib.Path) -> None:
    ssh = tmp_path / "ssh"
    ssh.write_text("#!/bin/sh\ntouch '%s'\nexit 255\n" % (tmp_path / "called"))
    ssh.chmod(0o755)
    done = _run(launch, "ansible-playbook", "site.yml", "-i", "prod", ANSIBLE_SSH_EXECUTABLE=str(ssh))
    assert done.returncode != 0 and not (tmp_path / "called").exists()
    places = []
    for path in launch.rglob("*.yml"):
        lines = path.read_text().splitlines() if path.name != "secrets.yml" else []
        places += ["%s:%d: " % (path.relative_to(launch), number) for number, line in enumerate(lines, 1) if "UNDECIDED" in line.partition(" # ")[0]]
    assert len(places) >= 14
    for place in places:
        named = re.search(r"- %s[\w.]+( of [\w.]+)? is undecided: \w" % re.escape(place), done.stdout + done.stderr)
        assert named, "%s is not named, or not with its meaning:\n%s" % (place, done.stdout)


def test_ansible_pull_finds_the_playbook_and_begins_with_this_host(launch: pathlib.Path, tmp_path: pathlib.Path) -> None:
    repository, elsewhere = tmp_path / "launch.git", tmp_path / "elsewhere"
    elsewhere.mkdir()
    shutil.copytree(launch, repository, ignore=shutil.ignore_patterns("reports"))
    author = ["-c", "user.name=a", "-c", "user.email=a@example.com"]
    for command in (["init", "-q"], ["add", "-A"], [*author, "commit", "-qm", "a"]):
        subprocess.run(["git", *command], cwd=repository, check=True)
    documented = re.search(r"ansible-pull -U (\S+) (.*)\n", (ROOT / "docs" / "drift.md").read_text())
    assert documented
    command = ["ansible-pull", "-U", str(repository), "-d", str(tmp_path / "pulled"), *documented.group(2).split()]
    done = _run(elsewhere, *command, ANSIBLE_VAULT_PASSWORD_FILE=str(launch / ".vault-password"))
    said = done.stdout + done.stderr
    assert "TASK [Validate]" in said and "fatal: [app1]" in said, said
    assert re.search(r"this project: \d+ undecided; replace the word UNDECIDED", said), "it is the project that was fetched"
    assert "data1" not in said.partition("PLAY RECAP")[2]
    assert not (tmp_path / "pulled" / ".vault-password").exists(), "git ignores it"


@pytest.mark.parametrize("content", ["a file", "a hidden file", "the project", "no directory"])
def test_what_is_there_is_never_written_over(launch: pathlib.Path, tmp_path: pathlib.Path, content: str) -> None:
    target = launch if content == "the project" else tmp_path / "launch"
    if content == "no directory":
        target.write_text("keep me")
    elif content != "the project":
        target.mkdir()
        (target / (".hidden" if "hidden" in content else "notes.txt")).write_text("keep me")
    before = {path: path.read_bytes() for path in [target, *target.rglob("*")] if path.is_file()}
    done = _init(target.parent, "-e", "dest=launch")
    assert done.returncode != 0
    assert "dest is %s, which exists and %s" % (target, "is no directory" if content == "no directory" else "holds ") in done.stdout
    assert {path: path.read_bytes() for path in [target, *target.rglob("*")] if path.is_file()} == before


def test_without_a_directory_it_says_what_to_type(tmp_path: pathlib.Path) -> None:
    done = _init(tmp_path)
    assert done.returncode != 0 and "ansible-playbook gonogo.preflight.init -e dest=launch" in done.stdout


def test_passwords_without_their_opener_are_left_alone(launch: pathlib.Path, tmp_path: pathlib.Path) -> None:
    (tmp_path / "secrets.yml").write_text("precious")
    playbook = tmp_path / "play.yml"
    arguments = {"path": str(tmp_path / "secrets.yml"), "password_file": str(tmp_path / "opener"), "names": ["a"]}
    playbook.write_text(yaml.safe_dump([{"hosts": "localhost", "gather_facts": False, "tasks": [{"gonogo.preflight.vaulted_secrets": arguments}]}]))
    done = _run(tmp_path, "ansible-playbook", "play.yml")
    assert done.returncode != 0 and "neither was changed" in done.stdout
    assert (tmp_path / "secrets.yml").read_text() == "precious" and not (tmp_path / "opener").exists()


def test_the_project_asks_for_the_archive_of_this_version() -> None:
    (wanted,) = yaml.safe_load((PROJECT / "requirements.yml").read_text())["collections"]
    galaxy = yaml.safe_load((ROOT / "galaxy.yml").read_text())
    assert wanted == {"name": "%(namespace)s-%(name)s-%(version)s.tar.gz" % galaxy, "type": "file"}
