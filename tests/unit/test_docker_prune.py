# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The program that removes what no release needs: what it keeps, what it removes, and when it removes nothing at all."""

from __future__ import annotations

import importlib.util
import json
import os
import pathlib
import time

import pytest

PROGRAM = pathlib.Path(__file__).resolve().parents[2] / "roles" / "docker" / "files" / "gonogo-docker-prune.py"
SPEC = importlib.util.spec_from_file_location("gonogo_docker_prune", PROGRAM)
prune = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(prune)

NEVER = "0001-01-01T00:00:00Z"
NOW = time.time()
DAY = 86400.0


def at(days_ago):
    return time.strftime("%Y-%m-%dT%H:%M:%S.123456789Z", time.gmtime(NOW - days_ago * DAY))


def digest(letter):
    return "sha256:" + letter * 64


def image(letter, *tags, digests=()):
    return {"Id": digest(letter), "RepoTags": list(tags), "RepoDigests": list(digests)}


def container(name, of, status="running", *, days=0.0, project="", place=""):
    labels = {label: value for label, value in ((prune.PROJECT, project), (prune.WORKING_DIRECTORY, str(place))) if value}
    return {
        "Id": name,
        "Name": "/" + name,
        "Image": of["Id"],
        "Created": at(days),
        "Config": {"Image": of["Id"], "Labels": labels},
        "State": {"Status": status, "FinishedAt": at(days) if status == "exited" else NEVER},
    }


class Engine:
    """A docker client over lists; it refuses what Docker refuses."""

    def __init__(self):
        self.images, self.containers, self.asked = [], [], []
        self.broken = ""

    def __call__(self, *arguments):
        self.asked.append(arguments)
        if self.broken and self.broken in " ".join(arguments):
            raise prune.PruneError("docker: engine is gone")
        kind, action, *rest = arguments
        if (kind, action) == ("builder", "prune"):
            return "Total:\t0B\n"
        if action == "ls":
            return "\n".join(one["Id"] for one in getattr(self, kind + "s"))
        one = rest[-1]
        if action == "inspect":
            return json.dumps([self._find(kind, one)])
        assert action == "rm" and len(rest) == 1, "nothing is forced, and no volume goes with a container: %s" % (arguments,)
        found = self._find(kind, one)
        if kind == "container":
            self.containers.remove(found)
            return one
        names = found["RepoTags"] + found["RepoDigests"]
        if any(other["Image"] == found["Id"] for other in self.containers):
            raise prune.PruneError("conflict: image is being used")
        if one == found["Id"] and len(names) > 1:
            raise prune.PruneError("conflict: image is referenced in multiple repositories")
        for key in ("RepoTags", "RepoDigests"):
            found[key] = [name for name in found[key] if name != one]
        if not found["RepoTags"]:
            self.images.remove(found)
        return one

    def _find(self, kind, name):
        for one in getattr(self, kind + "s"):
            if name in (one["Id"], *one.get("RepoTags", ()), *one.get("RepoDigests", ())):
                return one
        raise prune.PruneError("Error response from daemon: No such %s: %s" % (kind, name))

    def left(self):
        return sorted(one["Id"][7:8] for one in self.images), sorted(one["Id"] for one in self.containers)


@pytest.fixture
def engine(monkeypatch, tmp_path):
    engine = Engine()
    monkeypatch.setattr(prune, "docker", engine)
    monkeypatch.setattr(prune, "MEMORY", str(tmp_path / "unused.json"))
    return engine


@pytest.fixture
def project(tmp_path):
    """A project of four releases of which the second serves and the first was confirmed; the images are a, b, c, d."""
    directory = tmp_path / "opt" / "app"
    for number, letter in enumerate("abcd"):
        release = directory / "releases" / ("1.0.%d" % number)
        release.mkdir(parents=True)
        (release / "compose.yml").write_text("services: {api: {image: '${APP_IMAGE}'}, cache: {image: 'redis:7@%s'}}\n" % digest("e"))
        (release / ".env").write_text("APP_IMAGE=%s\nCOMPOSE_PROJECT_NAME=shop\n" % digest(letter))
        os.utime(release, (NOW - 100 + number, NOW - 100 + number))
    (directory / "current").symlink_to(directory / "releases" / "1.0.1")
    (directory / "confirmed").symlink_to(directory / "releases" / "1.0.0")
    return directory


def run(project, *, days=0, keep=1, more=()):
    return prune.main(["--days", str(days), "--keep", str(keep), *more, "--", str(project.parent / "*")])


def remember(**letters):
    """Since how many days images have been of no use, as an earlier run noted it."""
    pathlib.Path(prune.MEMORY).write_text(json.dumps({digest(letter): NOW - days * DAY for letter, days in letters.items()}))


def test_images_of_the_releases_that_may_serve_again_stay(engine, project):
    engine.images = [image(letter) for letter in "abcdef"]
    assert run(project) == 0
    # a: confirmed, b: serves, d: the newest, e: beside them all. c and f are of no use.
    assert engine.left()[0] == ["a", "b", "d", "e"]


def test_as_many_of_the_newest_stay_as_is_said(engine, project):
    engine.images = [image(letter) for letter in "abcdef"]
    assert run(project, keep=2) == 0
    assert engine.left()[0] == ["a", "b", "c", "d", "e"]


def test_an_image_has_its_days_from_when_it_was_first_of_no_use(engine, project):
    engine.images = [image(letter) for letter in "abcdefg"]
    remember(c=8, f=6)
    assert run(project, days=7) == 0
    assert engine.left()[0] == ["a", "b", "d", "e", "f", "g"]
    noted = json.loads(pathlib.Path(prune.MEMORY).read_text())
    assert sorted(one[7:8] for one in noted) == ["f", "g"]
    assert noted[digest("f")] == pytest.approx(NOW - 6 * DAY, abs=5)


def test_an_image_that_was_of_use_meanwhile_begins_anew(engine, project):
    engine.images = [image("f")]
    remember(f=8)
    engine.containers = [container("job", engine.images[0])]
    assert run(project, days=7) == 0
    engine.containers = []
    assert run(project, days=7) == 0
    assert engine.left()[0] == ["f"]


def test_a_memory_that_is_spoilt_or_ahead_removes_nothing(engine, project):
    for text in ("", "[]", '{"x": "y"}', json.dumps({digest("f"): NOW + 100 * DAY})):
        engine.images = [image("f")]
        pathlib.Path(prune.MEMORY).write_text(text)
        assert run(project, days=7) == 0
        assert engine.left()[0] == ["f"]


@pytest.mark.parametrize("status", ["running", "exited", "created", "paused", "restarting"])
def test_an_image_that_a_container_is_made_of_stays(engine, project, status):
    engine.images = [image("f")]
    engine.containers = [container("job", engine.images[0], status)]
    assert run(project, days=7) == 0
    remember(f=8)
    assert run(project, days=7) == 0
    assert engine.left() == (["f"], ["job"])


def test_every_name_of_an_image_goes(engine, project):
    engine.images = [image("f", "team/app:1", "mirror/app:1", digests=["team/app@" + digest("9")])]
    assert run(project) == 0
    assert engine.left()[0] == []
    assert not any("--force" in asked for asked in engine.asked if asked[0] == "image")


def test_images_that_are_named_stay(engine, project):
    engine.images = [image("f", "team/base:1"), image("0", digests=["team/tool@" + digest("9")]), image("1", "team/x:1")]
    assert run(project, more=["--image", "team/base:1", "--image", "team/tool@" + digest("9")]) == 0
    assert engine.left()[0] == ["0", "f"]


def test_stopped_containers_go_but_those_of_a_project(engine, project, tmp_path):
    used = image("b")
    engine.images = [used]
    elsewhere = tmp_path / "srv" / "other"
    (elsewhere / "releases" / "2.0").mkdir(parents=True)
    (elsewhere / "releases" / "2.0" / "compose.yml").touch()
    engine.containers = [
        container("old", used, "exited", days=8),
        container("young", used, "exited", days=6),
        container("never-ran", used, "created", days=8),
        container("runs", used, days=8),
        container("paused", used, "paused", days=8),
        container("by-directory", used, "exited", days=8, project="x", place=project / "releases" / "1.0.0"),
        container("by-name", used, "exited", days=8, project="shop"),
        container("by-directory-name", used, "exited", days=8, project="app"),
        container("elsewhere", used, "exited", days=8, project="other", place=elsewhere / "releases" / "2.0"),
        container("stranger", used, "exited", days=8, project="playground", place="/home/ann/playground"),
    ]
    assert run(project, days=7) == 0
    assert engine.left()[1] == ["by-directory", "by-directory-name", "by-name", "elsewhere", "paused", "runs", "young"]


def test_releases_elsewhere_are_found_by_their_containers(engine, project, tmp_path):
    elsewhere = tmp_path / "srv" / "other"
    for number, letter in enumerate("01"):
        release = elsewhere / "releases" / ("2.%d" % number)
        release.mkdir(parents=True)
        (release / "compose.yml").write_text("image: %s\n" % digest(letter))
    engine.images = [image("0"), image("1"), image("2")]
    engine.containers = [container("web", engine.images[1], project="other", place=elsewhere / "releases" / "2.1")]
    assert run(project, keep=2) == 0
    assert engine.left()[0] == ["0", "1"]


@pytest.mark.parametrize("broken", ["current", "confirmed"])
def test_a_link_that_names_no_release_stops_everything_but_the_cache(engine, project, broken, capsys):
    (project / broken).unlink()
    (project / broken).symlink_to(project / "releases" / "gone")
    engine.images = [image("f")]
    engine.containers = [container("old", image("f"), "exited", days=90)]
    assert run(project) == 1
    assert engine.left() == (["f"], ["old"])
    assert "names no release" in capsys.readouterr().err
    assert any(asked[0] == "builder" for asked in engine.asked)


def test_before_the_first_release_was_confirmed(engine, project):
    (project / "confirmed").unlink()
    (project / "confirmed").symlink_to(str(project / "releases") + "/")
    engine.images = [image(letter) for letter in "abcd"]
    assert run(project) == 0
    assert engine.left()[0] == ["b", "d"]


def test_a_release_that_is_still_being_staged_counts_once_it_can_name_images(engine, project):
    (project / "releases" / "1.0.9").mkdir()
    engine.images = [image(letter) for letter in "abcd"]
    assert run(project) == 0
    assert engine.left()[0] == ["a", "b", "d"]


def test_a_release_that_cannot_be_read_stops_everything(engine, project, monkeypatch):
    def refuse(path):
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(prune, "_text", refuse)
    engine.images = [image("f")]
    assert run(project) == 1
    assert engine.left()[0] == ["f"]


@pytest.mark.parametrize("broken", ["container ls", "image ls", "image inspect", "image rm", "builder prune"])
def test_what_docker_refuses_is_a_failure(engine, project, broken, capsys):
    engine.images = [image("f")]
    engine.broken = broken
    assert run(project) == 1
    assert "engine is gone" in capsys.readouterr().err


def test_an_image_that_is_gone_meanwhile_is_no_failure(engine, project, monkeypatch):
    engine.images = [image("f")]
    found = engine._find
    monkeypatch.setattr(engine, "_find", lambda kind, name: found(kind, "gone"))
    assert run(project) == 0


def test_nothing_but_what_has_no_use_is_ever_asked_to_go(engine, project):
    engine.images = [image("f", "a:1")]
    run(project)
    assert {asked[:2] for asked in engine.asked} == {("container", "ls"), ("image", "ls"), ("image", "inspect"), ("image", "rm"), ("builder", "prune")}


def test_the_cache_keeps_its_days(engine, project):
    run(project, days=7)
    assert ("builder", "prune", "--all", "--force", "--filter", "until=168h") in engine.asked


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("image: redis:7", True),
        ("image: docker.io/library/redis:7", True),
        ("image: redis@sha256:" + "9" * 64, True),
        ("APP_IMAGE=sha256:" + "f" * 64, True),
        ("image: redis", False),
        ("image: redis:6", False),
        ("", False),
    ],
)
def test_how_a_release_names_an_image(text, expected):
    assert prune.names(text, image("f", "redis:7", digests=["redis@" + digest("9")])) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("image: redis\n", True),
        ("image: 'redis'", True),
        ("image: redis:latest", True),
        ("image: redis:7", False),
        ("image: redis-stack", False),
        ("image: my-redis", False),
    ],
)
def test_a_name_without_a_tag_is_the_latest(text, expected):
    assert prune.names(text, image("f", "redis:latest")) is expected


@pytest.mark.parametrize("text", ["", "yesterday", "1 hour ago"])
def test_a_time_that_cannot_be_read_is_an_error(text):
    with pytest.raises(prune.PruneError, match="is no time"):
        prune.moment(text)
