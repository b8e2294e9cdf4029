# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The git probe on real repositories, some of which try to have it run something."""

from __future__ import annotations

import contextlib
import os
import pathlib
import pwd
import shutil
import subprocess
import tempfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.gonogo.preflight.plugins.module_utils._probes import _git
from ansible_collections.gonogo.preflight.plugins.module_utils._probes._base import ProbeError

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")

OWN = {
    "PATH": os.environ["PATH"],
    "HOME": "/nonexistent",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_AUTHOR_NAME": "Ada",
    "GIT_AUTHOR_EMAIL": "ada@example.com",
    "GIT_COMMITTER_NAME": "Ada",
    "GIT_COMMITTER_EMAIL": "ada@example.com",
}


def git(path, *words):
    return subprocess.run(["git", "-C", str(path), *words], env=OWN, capture_output=True, text=True, check=True).stdout.strip()


def look(fact, path, **more):
    return _git.GitProbe({}).observe({"fact": fact, "path": str(path), **more})


def value(fact, path, **more):
    return look(fact, path, **more).value


def error(fact, path, **more):
    with pytest.raises(ProbeError) as raised:
        look(fact, path, **more)
    return str(raised.value)


ARGUMENTS = {"ignored": {"names": [".env"]}, "tracked": {"glob": "*"}}
FACTS = ["head", "branch", "tag", "clean", "ignored", "tracked"]


@pytest.fixture
def repo(tmp_path):
    path = tmp_path / "app"
    path.mkdir()
    git(path, "init", "-q", "-b", "main")
    (path / ".gitignore").write_text("*.log\n/.env\nbuild/\n")
    (path / "app.py").write_text("print(1)\n")
    (path / "conf").mkdir()
    (path / "conf" / "ü x.pem").write_text("certificate\n")
    git(path, "add", ".")
    git(path, "commit", "-qm", "first")
    return path


def test_head_branch_and_tags(repo):
    head = git(repo, "rev-parse", "HEAD")
    assert value("head", repo) == head and len(head) == 40
    assert value("branch", repo) == "main"
    assert value("tag", repo) == []
    git(repo, "tag", "v1.0")
    git(repo, "tag", "-a", "release", "-m", "x")
    assert value("tag", repo) == ["release", "v1.0"]
    git(repo, "checkout", "-q", "--detach")
    assert value("branch", repo) == ""
    (repo / "app.py").write_text("print(2)\n")
    git(repo, "commit", "-qam", "second")
    assert value("head", repo) != head and value("tag", repo) == []


def test_clean(repo):
    seen = look("clean", repo)
    assert (seen.value, seen.evidence) == (True, "git status of %s: nothing" % repo)
    (repo / "seen.log").write_text("ignored")
    assert value("clean", repo) is True


def _changed(repo):
    (repo / "app.py").write_text("print(2)\n")


def _staged(repo):
    (repo / "app.py").write_text("print(2)\n")
    git(repo, "add", "app.py")


def _added(repo):
    (repo / "conf" / "new").write_text("x")


def _removed(repo):
    (repo / "app.py").unlink()


def _executable(repo):
    (repo / "app.py").chmod(0o755)


def _changed_and_hidden_by_settings(repo):
    for setting, to in (("status.showUntrackedFiles", "no"), ("diff.ignoreSubmodules", "all"), ("core.untrackedCache", "true")):
        git(repo, "config", setting, to)
    (repo / "new").write_text("x")


@pytest.mark.parametrize("change", [_changed, _staged, _added, _removed, _executable, _changed_and_hidden_by_settings])
def test_not_clean(repo, change):
    change(repo)
    seen = look("clean", repo)
    assert seen.value is False and "1 changed or not tracked" in seen.evidence


@pytest.mark.parametrize("flag", ["--assume-unchanged", "--skip-worktree"])
def test_a_file_that_git_was_told_not_to_look_at_is_no_clean_tree(repo, flag):
    git(repo, "update-index", flag, "app.py")
    (repo / "app.py").write_text("print(2)\n")
    assert "was told not to look at 1 files" in error("clean", repo)


def test_a_check_writes_nothing(repo):
    os.utime(repo / "app.py", (1, 1))
    before = {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in repo.rglob("*")}
    for fact in FACTS:
        value(fact, repo, **ARGUMENTS.get(fact, {}))
    assert {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in repo.rglob("*")} == before


def test_what_is_ignored(repo):
    names = [".env", "conf/.env", "x.log", "build/", "app.py", "ü x.log", "none of these"]
    assert value("ignored", repo, names=names) == ["conf/.env", "app.py", "none of these"]


def test_a_file_that_is_tracked_is_not_ignored_whatever_the_rules_say(repo):
    (repo / ".env").write_text("A=1\n")
    git(repo, "add", "-f", ".env")
    assert value("ignored", repo, names=[".env"]) == [".env"]


@pytest.mark.parametrize(
    ("glob", "files"),
    [
        ("*.py", ["app.py"]),
        ("*.pem", ["conf/ü x.pem"]),
        ("conf/*", ["conf/ü x.pem"]),
        ("conf", ["conf/ü x.pem"]),
        ("/*.pem", []),
        ("*.key", []),
        (".git*", [".gitignore"]),
        ("**", [".gitignore", "app.py", "conf/ü x.pem"]),
        (":(exclude)app.py", []),
    ],
)
def test_what_is_tracked(repo, glob, files):
    assert value("tracked", repo, glob=glob) == files


def test_nothing_tracked_at_all_is_no_proof_that_no_secret_is(tmp_path):
    git(tmp_path, "init", "-q")
    assert "tracks no file at all" in error("tracked", tmp_path, glob="*.key")


@pytest.mark.parametrize("fact", ["head", "clean", "tag"])
def test_a_repository_without_a_commit_is_an_error(tmp_path, fact):
    git(tmp_path, "init", "-q")
    assert error(fact, tmp_path)


@pytest.mark.parametrize("fact", FACTS)
def test_what_is_no_work_tree_is_an_error(tmp_path, repo, fact):
    more = ARGUMENTS.get(fact, {})
    assert "does not exist" in error(fact, tmp_path / "absent", **more)
    (tmp_path / "plain").mkdir()
    assert "not a git repository" in error(fact, tmp_path / "plain", **more)
    assert "not a git repository" in error(fact, repo / "conf", **more)
    git(tmp_path, "clone", "-q", "--bare", str(repo), "bare.git")
    assert error(fact, tmp_path / "bare.git", **more)
    (repo / ".git" / "HEAD").write_text("garbage")
    assert error(fact, repo, **more)


def test_the_repository_above_does_not_answer_for_a_directory_in_it(repo):
    (repo / "vendor").mkdir()
    assert "not a git repository" in error("head", repo / "vendor")


def test_a_work_tree_that_lies_elsewhere_does_not_answer(repo, tmp_path):
    (tmp_path / "other").mkdir()
    git(repo, "config", "core.worktree", str(tmp_path / "other"))
    assert "is not the top directory of its work tree" in error("clean", repo)


def test_a_link_to_a_work_tree_is_stated(repo, tmp_path):
    (tmp_path / "current").symlink_to(repo)
    seen = look("branch", tmp_path / "current")
    assert (seen.value, seen.evidence) == ("main", "HEAD of %s (a link to %s)" % (tmp_path / "current", repo))


def test_a_linked_work_tree_and_what_the_caller_has_set(repo, tmp_path, monkeypatch):
    git(repo, "worktree", "add", "-q", "-b", "next", str(tmp_path / "next"))
    for name, to in (("GIT_DIR", str(repo / ".git")), ("GIT_WORK_TREE", str(repo)), ("GIT_INDEX_FILE", "/nonexistent"), ("GIT_CONFIG_PARAMETERS", "x")):
        monkeypatch.setenv(name, to)
    assert value("branch", tmp_path / "next") == "next"
    assert value("clean", tmp_path / "next") is True


@pytest.mark.parametrize(
    ("fact", "more"), [("ignored", {}), ("ignored", {"names": []}), ("ignored", {"names": [""]}), ("tracked", {}), ("tracked", {"glob": "/"})]
)
def test_a_fact_without_what_it_needs(repo, fact, more):
    assert error(fact, repo, **more).startswith("fact %s needs `" % fact)


def test_a_name_outside_the_work_tree_is_an_error(repo):
    assert "is outside repository" in error("ignored", repo, names=["../x"])


# What a repository has git run


@pytest.fixture
def trap(repo, tmp_path):
    """A program that leaves a trace, and a repository of which every setting that names a program names it."""
    trace, program = tmp_path / "trace", tmp_path / "program"
    program.write_text("#!/bin/sh\necho ran >>%s\ncat\n" % trace)
    program.chmod(0o755)
    (repo / ".gitattributes").write_text("*.py filter=evil diff=evil\n")
    git(repo, "add", ".")
    git(repo, "commit", "-qm", "attributes")
    (repo / ".git" / "hooks").mkdir(exist_ok=True)
    for hook in ("post-index-change", "fsmonitor-watchman", "reference-transaction", "post-checkout", "pre-commit"):
        shutil.copy(program, repo / ".git" / "hooks" / hook)
    settings = ["core.fsmonitor", "core.pager", "core.sshCommand", "core.editor", "core.askPass", "pager.status", "pager.tag", "gpg.program"]
    settings += ["diff.external", "diff.evil.command", "diff.evil.textconv", "filter.evil.clean", "filter.evil.smudge", "filter.evil.process"]
    for setting in settings:
        git(repo, "config", setting, str(program))
    git(repo, "config", "filter.evil.required", "true")
    git(repo, "config", "alias.status", "!" + str(program))
    git(repo, "config", "core.hooksPath", str(repo / ".git" / "hooks"))
    # git looks into a file whose times have changed, which is when filters run.
    os.utime(repo / "app.py", (1, 1))
    return repo, trace


def test_the_trap_works(trap):
    repo, trace = trap
    with contextlib.suppress(subprocess.SubprocessError):
        git(repo, "status")
    assert trace.exists()


@pytest.mark.parametrize("fact", FACTS)
def test_nothing_that_a_repository_names_is_run(trap, fact):
    repo, trace = trap
    value(fact, repo, **ARGUMENTS.get(fact, {}))
    assert not trace.exists()


def test_a_filter_that_is_not_run_does_not_hide_a_change(trap):
    repo, trace = trap
    assert value("clean", repo) is True
    (repo / "app.py").write_text("print(2)\n")
    assert value("clean", repo) is False
    assert not trace.exists()


# Whose repository it is


@pytest.fixture
def nobodys(repo):
    if os.geteuid() != 0:
        pytest.skip("only root gives a repository away")
    nobody = pwd.getpwnam("nobody")
    # Others may not enter pytest's own directory.
    with tempfile.TemporaryDirectory() as directory:
        os.chmod(directory, 0o755)
        given = pathlib.Path(shutil.copytree(repo, pathlib.Path(directory) / "app"))
        for path in (given, *given.rglob("*")):
            os.chown(path, nobody.pw_uid, nobody.pw_gid)
        yield given


@pytest.mark.parametrize("fact", FACTS)
def test_root_asks_as_the_owner(nobodys, fact):
    assert value(fact, nobodys, **ARGUMENTS.get(fact, {})) is not None
    assert {path.stat().st_uid for path in nobodys.rglob("*")} == {pwd.getpwnam("nobody").pw_uid}


def test_a_repository_that_is_partly_somebody_elses_is_refused(nobodys):
    os.chown(nobodys, 0, 0)
    assert error("clean", nobodys) == "git does not trust %s: root, who asks, does not own all of it" % nobodys


def test_an_owner_without_an_account_is_an_error(nobodys):
    os.chown(nobodys, 54321, 54321)
    assert "belongs to user 54321, who has no account" in error("clean", nobodys)


def test_a_host_without_git_is_told_its_package(repo, monkeypatch):
    monkeypatch.setattr("ansible_collections.gonogo.preflight.plugins.module_utils._probes._base._PATH", "/nonexistent")
    with pytest.raises(ProbeError) as raised:
        look("head", repo)
    assert (str(raised.value), raised.value.remedy) == ("git is not installed", "apt-get install git")


@pytest.mark.parametrize("text", ["garbage", "M", "MM\0", "1234\0"])
def test_a_status_that_is_none_is_an_error(text):
    with pytest.raises(ProbeError):
        _git.parse_status(text)


@given(st.one_of(st.text(), st.text(alphabet="M ?\0a/", max_size=40)))
def test_a_status_is_read_or_an_error(text):
    with contextlib.suppress(ProbeError):
        assert all(_git.parse_status(text))
