# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Removes containers, images and build cache that no release needs. Volumes and networks are never removed.

What stays: everything of the projects that have releases here, as far as containers go; images that a container uses, that the
release which serves, the confirmed one or one of the newest names, or that are named by --image; and whatever has been of no use
for less than --days. Since Docker does not tell how long that is for an image, it is noted here, from run to run.
"""

from __future__ import annotations

import argparse
import datetime
import glob
import json
import os
import re
import subprocess
import sys
import time
import typing as t

__all__ = ["PruneError", "due", "kept_texts", "main", "names", "of_project", "project_directories", "stopped_since"]

MEMORY = "/var/lib/gonogo-docker-prune/unused.json"
# What names images: not app.env, which is for the application and its secrets.
FILES = ("compose.yml", ".env")
WORKING_DIRECTORY = "com.docker.compose.project.working_dir"
PROJECT = "com.docker.compose.project"
DAY = 86400.0
STOPPED = ("exited", "dead", "created")

_DIGEST = re.compile(r"[0-9a-f]{64}")
_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)")

Inspected = t.Mapping[str, t.Any]


class PruneError(Exception):
    """It cannot be told what is still needed; nothing that might be is removed."""


def docker(*arguments: str) -> str:
    """Standard output of the docker client; raises PruneError."""
    done = subprocess.run(["docker", *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode:
        raise PruneError("docker %s: %s" % (" ".join(arguments[:3]), done.stderr.strip() or "status %d" % done.returncode))
    return done.stdout


def inspected(kind: str, ids: t.Sequence[str]) -> list[Inspected]:
    """What the engine says of each of `ids`; those that are gone meanwhile are left out."""
    found: list[Inspected] = []
    for one in ids:
        try:
            found += json.loads(docker(kind, "inspect", one))
        except PruneError as error:
            if "no such" not in str(error).lower():
                raise
    return found


# Releases


def project_directories(patterns: t.Sequence[str], containers: t.Sequence[Inspected]) -> list[str]:
    """Directories of projects with releases: those of `patterns`, and those that a container comes from, wherever they are."""
    found = {os.path.realpath(path) for pattern in patterns for path in glob.glob(pattern)}
    for container in containers:
        releases, _slash, _release = _labels(container).get(WORKING_DIRECTORY, "").rstrip("/").rpartition("/")
        if os.path.basename(releases) == "releases":
            found.add(os.path.realpath(os.path.dirname(releases)))
    return sorted(path for path in found if os.path.isdir(os.path.join(path, "releases")))


def kept_releases(directory: str, keep: int) -> list[str]:
    """Directories of the releases that may serve again: those that the links name, and the newest `keep`.

    Raises PruneError for a link that leads nowhere: the release that serves is then unknown.
    """
    releases = os.path.join(directory, "releases")
    found = set()
    for name in ("current", "confirmed"):
        link = os.path.join(directory, name)
        target = os.path.realpath(link)
        # Before the first release that passed, `confirmed` names releases/ itself.
        if os.path.islink(link) and target != os.path.realpath(releases):
            if not os.path.isfile(os.path.join(target, "compose.yml")):
                raise PruneError("%s names no release: %s" % (link, target))
            found.add(target)
    whole = [entry.path for entry in os.scandir(releases) if entry.is_dir() and os.path.isfile(os.path.join(entry.path, "compose.yml"))]
    whole.sort(key=lambda path: os.stat(path).st_mtime, reverse=True)
    found.update(map(os.path.realpath, whole[:keep]))
    return sorted(found)


def kept_texts(directories: t.Sequence[str], keep: int) -> dict[str, str]:
    """{release: what names its images} of all projects; raises PruneError for a release that cannot be read."""
    found = {}
    for directory in directories:
        try:
            for release in kept_releases(directory, keep):
                found[release] = "\n".join(_text(os.path.join(release, name)) for name in FILES)
        except OSError as error:
            raise PruneError("cannot read the releases of %s: %s" % (directory, error)) from None
    return found


def _text(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except FileNotFoundError:
        if path.endswith("compose.yml"):
            raise
        return ""


# Containers


def _labels(container: Inspected) -> t.Mapping[str, str]:
    return container["Config"].get("Labels") or {}


def of_project(container: Inspected, directories: t.Sequence[str], texts: t.Mapping[str, str]) -> bool:
    """Whether a container belongs to a project that has releases here."""
    labels = _labels(container)
    if PROJECT not in labels:
        return False
    place = os.path.realpath(labels.get(WORKING_DIRECTORY) or "/nonexistent")
    names_ = {os.path.basename(directory) for directory in directories}
    for text in texts.values():
        names_.update(re.findall(r"^COMPOSE_PROJECT_NAME=['\"]?([^'\"\s]+)", text, re.MULTILINE))
    return labels[PROJECT] in names_ or any(place.startswith(directory + "/") for directory in directories)


def moment(text: str) -> float:
    """Seconds since the epoch of a time as Docker writes it, in UTC; 0 for the year 1, its word for never."""
    found = _TIME.match(text)
    if not found:
        raise PruneError("%r is no time" % text)
    when = datetime.datetime.strptime(found.group(1), "%Y-%m-%dT%H:%M:%S").replace(tzinfo=datetime.timezone.utc)
    return max(0.0, when.timestamp())


def stopped_since(container: Inspected) -> t.Optional[float]:
    """Since when a container has not run, None where it does, or may again by itself."""
    state = container["State"]
    if state["Status"] not in STOPPED:
        return None
    # One that never ran has never finished.
    return max(moment(container["Created"]), moment(state["FinishedAt"]))


# Images


def names(text: str, image: Inspected) -> bool:
    """Whether `text` names the image, by its id, one of its digests or one of its tags."""
    references = [*(image.get("RepoTags") or []), *(image.get("RepoDigests") or [])]
    digests = {digest for one in [image["Id"], *references] for digest in _DIGEST.findall(one)}
    if any(digest in text for digest in digests):
        return True
    for tag in image.get("RepoTags") or []:
        # A name without a tag means this one.
        bare = tag[: -len(":latest")] if tag.endswith(":latest") else ""
        if tag in text or (bare and re.search(r"(?<![\w.-])%s(?![\w.:/@-])" % re.escape(bare), text)):
            return True
    return False


def due(unused: t.Sequence[str], memory: t.Mapping[str, float], *, now: float, days: float) -> tuple[list[str], dict[str, float]]:
    """(ids that have been of no use for `days`, since when each has been, for the next run)."""
    since = {one: min(float(memory.get(one, now)), now) for one in unused}
    return [one for one in unused if now - since[one] >= days * DAY], since


def used_images(containers: t.Sequence[Inspected], images: t.Sequence[Inspected]) -> set[str]:
    """Ids of images that a container is made of, whether it runs or not."""
    ids = {container["Image"] for container in containers}
    said = {container["Config"].get("Image") or "" for container in containers}
    return {image["Id"] for image in images if image["Id"] in ids or said & {image["Id"], *(image.get("RepoTags") or []), *(image.get("RepoDigests") or [])}}


def remove_image(image: Inspected) -> None:
    """Take away every name of the image, and with the last one the image; never by force, so that one in use stays."""
    for reference in [*(image.get("RepoTags") or []), *(image.get("RepoDigests") or [])] or [image["Id"]]:
        try:
            docker("image", "rm", reference)
        except PruneError as error:
            # With its tag went the digest, or it went by itself with what was made of it.
            if "no such image" not in str(error).lower():
                raise


# The run


def read_memory(path: str) -> dict[str, float]:
    """What the runs before noted; nothing where there were none, or the file is spoilt: then everything has time anew."""
    try:
        with open(path, encoding="utf-8") as file:
            found = json.load(file)
        return {str(one): float(since) for one, since in found.items()}
    except (OSError, ValueError, AttributeError, TypeError):
        return {}


def write_memory(path: str, since: t.Mapping[str, float]) -> None:
    with open(path + ".next", "w", encoding="utf-8") as file:
        json.dump(since, file)
    os.replace(path + ".next", path)


def say(words: str) -> None:
    print(words, flush=True)


def prune_containers(containers: t.Sequence[Inspected], directories: t.Sequence[str], texts: t.Mapping[str, str], *, now: float, days: float) -> None:
    for container in containers:
        since = stopped_since(container)
        if since is not None and now - since >= days * DAY and not of_project(container, directories, texts):
            # Without --volumes: what a volume holds is nobody's to remove here.
            docker("container", "rm", container["Id"])
            say("removed container %s (%s)" % (container["Name"].lstrip("/"), container["Config"].get("Image")))


def prune_images(kept: str, *, now: float, days: float) -> None:
    images = inspected("image", sorted(set(docker("image", "ls", "--quiet", "--no-trunc").split())))
    containers = inspected("container", docker("container", "ls", "--all", "--quiet", "--no-trunc").split())
    used = used_images(containers, images)
    unused = [image for image in images if image["Id"] not in used and not names(kept, image)]
    ids, since = due([image["Id"] for image in unused], read_memory(MEMORY), now=now, days=days)
    problems = []
    for image in unused:
        if image["Id"] in ids:
            try:
                remove_image(image)
                del since[image["Id"]]
                say("removed image %s" % ", ".join(image.get("RepoTags") or image.get("RepoDigests") or [image["Id"]]))
            except PruneError as error:
                problems.append(str(error))
    write_memory(MEMORY, since)
    say("%d images, %d of them of no use, %d removed" % (len(images), len(unused), len(ids) - len(problems)))
    if problems:
        raise PruneError("; ".join(problems))


def prune_cache(days: float) -> None:
    said = docker("builder", "prune", "--all", "--force", "--filter", "until=%dh" % max(1, int(days * 24)))
    say("build cache: %s" % (said.strip().splitlines() or ["nothing"])[-1])


def main(arguments: t.Optional[t.Sequence[str]] = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--days", type=float, required=True)
    parser.add_argument("--keep", type=int, required=True)
    parser.add_argument("--image", action="append", default=[])
    parser.add_argument("directories", nargs="*")
    options = parser.parse_args(arguments)
    now = time.time()
    problems = []
    try:
        containers = inspected("container", docker("container", "ls", "--all", "--quiet", "--no-trunc").split())
        directories = project_directories(options.directories, containers)
        texts = kept_texts(directories, options.keep)
        prune_containers(containers, directories, texts, now=now, days=options.days)
        prune_images("\n".join([*texts.values(), *options.image]), now=now, days=options.days)
    except PruneError as error:
        problems.append(str(error))
    try:
        prune_cache(options.days)
    except PruneError as error:
        problems.append(str(error))
    for problem in problems:
        print("gonogo-docker-prune: %s" % problem, file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
