# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The base image of a lab host: a bare server, with the packages the roles install downloaded beforehand."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from datetime import datetime, timezone
from pathlib import Path

import bootstrap
import machine
from engine import Engine
from shell import STATE, LabError, say

PLATFORM = os.environ.get("GONOGO_LAB_IMAGE") or "debian:13"
DISTRIBUTION = bootstrap.DISTRIBUTIONS.get(PLATFORM)
MIRROR = os.environ.get("GONOGO_LAB_MIRROR") or (DISTRIBUTION.mirror if DISTRIBUTION else "")
SECURITY_MIRROR = os.environ.get("GONOGO_LAB_SECURITY_MIRROR") or (DISTRIBUTION.security_mirror if DISTRIBUTION else "")
EXTRA_PACKAGES = os.environ.get("GONOGO_LAB_PACKAGES", "")

REPOSITORY = "gonogo-lab"
STALE_DAYS = 7

_PREPARE = Path(__file__).with_name("prepare-image.sh")
_AUTHORITIES = Path("/usr/local/share/ca-certificates")
_LOG = STATE / "image.log"


def tag() -> str:
    """Name of the image that this recipe gives on this machine."""
    recipe = hashlib.sha256(_PREPARE.read_bytes())
    for part in (PLATFORM, MIRROR, SECURITY_MIRROR, EXTRA_PACKAGES):
        recipe.update(part.encode() + b"\0")
    for certificate in sorted(_AUTHORITIES.glob("*.crt")):
        recipe.update(certificate.read_bytes())
    return f"{REPOSITORY}:{PLATFORM.replace(':', '-').replace('/', '-')}-{recipe.hexdigest()[:12]}"


def ensure(engine: Engine, *, rebuild: bool = False) -> str:
    """Tag of the image, which is made first where it does not exist or `rebuild` is set."""
    name = tag()
    inspected = engine.try_docker("image", "inspect", name)
    if inspected.returncode == 0 and not rebuild:
        created = json.loads(inspected.stdout)[0]["Created"][:19]
        age = datetime.now(timezone.utc) - datetime.fromisoformat(created).replace(tzinfo=timezone.utc)
        if age.days >= STALE_DAYS:
            say(f"The image is {age.days} days old, so hosts have updates to fetch: python3 lab/lab.py image --rebuild")
        return name
    machine.require_disk(Path(engine.docker("info", "--format", "{{.DockerRootDir}}")))
    _LOG.write_text("")
    base = _made(engine, DISTRIBUTION) if DISTRIBUTION else _pulled(engine)
    say("Image 2/2: installing what a bare server has, downloading what the roles install (about 2 minutes)")
    _prepare(engine, base, name)
    _remove_older(engine, name)
    return name


def remove_all(engine: Engine) -> None:
    for image in set(engine.docker("image", "ls", "--quiet", REPOSITORY).split()):
        engine.docker("image", "rm", "--force", image)


def _remove_older(engine: Engine, name: str) -> None:
    """Remove what earlier recipes of this platform gave; an image that a host still runs from stays."""
    platform = name.rpartition("-")[0]
    for other in engine.docker("image", "ls", "--format", "{{.Repository}}:{{.Tag}}", REPOSITORY).split():
        if other.startswith(f"{platform}-") and other != name:
            engine.try_docker("image", "rm", other)


def _made(engine: Engine, distribution: bootstrap.Distribution) -> str:
    say(f"Image 1/2: {PLATFORM} ({distribution.suite}) with mmdebstrap (about 15 s)")
    tree = STATE / "rootfs.tar"
    with tree.open("wb") as output, _LOG.open("ab") as log:
        made = bootstrap.make(distribution, MIRROR, output, log)
    if not made:
        raise LabError(f"mmdebstrap cannot make {PLATFORM} from {MIRROR} (all of it: {_LOG}):\n{_log_tail()}")
    base = f"{REPOSITORY}:base"
    engine.docker("import", str(tree), base)
    tree.unlink()
    return base


def _pulled(engine: Engine) -> str:
    if engine.try_docker("image", "inspect", PLATFORM).returncode == 0:
        say(f"Image 1/2: {PLATFORM} is there already")
        return PLATFORM
    say(f"Image 1/2: pulling {PLATFORM}")
    pulled = engine.try_docker("pull", "--quiet", PLATFORM)
    if pulled.returncode != 0:
        raise LabError(
            f"{PLATFORM} cannot be pulled, because no container registry answers: {pulled.stderr.strip()}\n"
            "Run this where a registry answers, or load the image first (python3 lab/lab.py docker load -i FILE), "
            f"or set GONOGO_LAB_IMAGE to what is made without a registry: {', '.join(bootstrap.DISTRIBUTIONS)}."
        )
    return PLATFORM


def _prepare(engine: Engine, base: str, name: str) -> None:
    container = f"{REPOSITORY}-image"
    engine.try_docker("rm", "--force", container)
    mounts = ["--volume", f"{_PREPARE}:/prepare-image.sh:ro"]
    if any(_AUTHORITIES.glob("*.crt")):
        mounts += ["--volume", f"{_AUTHORITIES}:/authorities:ro"]
    settings = {"MIRROR": MIRROR, "SECURITY_MIRROR": SECURITY_MIRROR, "EXTRA_PACKAGES": EXTRA_PACKAGES}
    environment = [part for key, value in settings.items() for part in ("--env", f"{key}={value}")]
    command = [
        "run",
        "--name",
        container,
        "--network",
        "host",
        *mounts,
        *environment,
        base,
        "/bin/sh",
        "/prepare-image.sh",
    ]
    try:
        with _LOG.open("a") as log:
            made = subprocess.run([*engine.command, *command], stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, check=False)
        if made.returncode != 0:
            raise LabError(f"The image {name} cannot be made (all of it: {_LOG}):\n{_log_tail()}")
        changes = ['CMD ["/lib/systemd/systemd"]', "ENV container=docker", *(f"ENV {key}=" for key in settings)]
        engine.docker("commit", *(part for change in changes for part in ("--change", change)), container, name)
    finally:
        engine.try_docker("rm", "--force", container)
        engine.try_docker("image", "rm", f"{REPOSITORY}:base")


def _log_tail() -> str:
    return "\n".join(_LOG.read_text(errors="replace").splitlines()[-15:])
