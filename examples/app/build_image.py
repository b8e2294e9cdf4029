#!/usr/bin/env python3
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Build the image of the reference application from Debian packages, without a registry and without an engine.

Two layers, Debian with the packages of the framework and the application's files, are written as an archive for
`docker load` (https://github.com/moby/docker-image-spec). Everything that varies is fixed, so that the same packages
and the same files give the same image id anywhere: the id is the SHA-256 of the image's configuration, which holds
the SHA-256 of each layer.
"""

from __future__ import annotations

import argparse
import fcntl
import gzip
import hashlib
import io
import json
import os
import platform
import shutil
import subprocess
import sys
import tarfile
import time
from collections import deque
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Callable, Iterator

HERE = Path(__file__).resolve().parent
STATE = HERE.parents[1] / ".lab" / "app"
VERSION = "1.0.0"
REPOSITORY = "gonogo-example-app"

EPOCH = 1754697600  # 2025-08-09, the release of Debian 13: the date of every file that is not older
UID = 10001
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
ROOM = 1_000_000_000

SUITE = "trixie"
MIRROR = os.environ.get("GONOGO_LAB_MIRROR") or "http://deb.debian.org/debian"
SECURITY_MIRROR = os.environ.get("GONOGO_LAB_SECURITY_MIRROR") or "http://deb.debian.org/debian-security"
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
PACKAGES = (
    "python3",
    "python3-fastapi",
    "python3-uvicorn",
    "python3-asyncpg",
    "python3-redis",
    "python3-prometheus-client",
)
LEFT_OUT = (
    "/usr/share/doc/*",
    "/usr/share/info/*",
    "/usr/share/lintian/*",
    "/usr/share/locale/*",
    "/usr/share/man/*",
    "/usr/lib/*/gconv/*",
)
HOOKS = (
    f'echo "app:x:{UID}:{UID}::/nonexistent:/usr/sbin/nologin" >> "$1/etc/passwd"',
    f'echo "app:x:{UID}:" >> "$1/etc/group"',
    # What differs from machine to machine or from run to run, and what only apt and debconf would read again.
    'rm -rf "$1"/etc/hostname "$1"/etc/resolv.conf "$1"/var/log/* "$1"/var/cache/* "$1"/var/lib/dpkg/*-old',
    'find "$1" -xdev -type f -perm /6000 -exec chmod a-s {} +',
)


# /tmp may be a small tmpfs that is mounted nodev.
BUILD_ENVIRONMENT = (f"SOURCE_DATE_EPOCH={EPOCH}", "TMPDIR=/var/tmp", "LC_ALL=C.UTF-8")

Say = Callable[[str], None]


class BuildError(Exception):
    """Why there is no image, and how to mend it."""


def bootstrap_command(mirror: str, security_mirror: str) -> list[str]:
    """The mmdebstrap call that writes the lower layer to its standard output."""
    return [
        "mmdebstrap",
        "--mode=root",
        "--format=tar",
        # Named outright: Ubuntu trusts other keys, an older Debian may not know this suite's.
        f"--keyring={KEYRING}",
        "--variant=essential",
        f"--include={','.join(PACKAGES)}",
        *(f"--dpkgopt=path-exclude={pattern}" for pattern in LEFT_OUT),
        "--dpkgopt=path-include=/usr/share/doc/*/copyright",
        *(f"--customize-hook={hook}" for hook in HOOKS),
        "--skip=output/dev",
        SUITE,
        "-",
        f"deb {mirror} {SUITE} main",
        f"deb {mirror} {SUITE}-updates main",
        f"deb {security_mirror} {SUITE}-security main",
    ]


def application_layer(directory: Path) -> bytes:
    """A tar of the package `app` under /srv, the same bytes whoever checked it out."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name in ("srv", "srv/app"):
            tar.addfile(_member(name, tarfile.DIRTYPE, 0o755))
        for path in sorted(directory.glob("*.py")):
            content = path.read_bytes()
            tar.addfile(_member(f"srv/app/{path.name}", tarfile.REGTYPE, 0o644, len(content)), io.BytesIO(content))
    return buffer.getvalue()


def image_config(diff_ids: list[str], version: str, architecture: str) -> bytes:
    """The image's configuration; its SHA-256 is the image id."""
    created = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(EPOCH))
    config = {
        "created": created,
        "architecture": architecture,
        "os": "linux",
        "config": {
            "User": f"{UID}:{UID}",
            "ExposedPorts": {"8000/tcp": {}},
            "Env": [
                "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                "PYTHONDONTWRITEBYTECODE=1",
                f"APP_VERSION={version}",
            ],
            "Cmd": ["python3", "-m", "app"],
            "WorkingDir": "/srv",
            "StopSignal": "SIGTERM",
            "Labels": {
                "org.opencontainers.image.title": REPOSITORY,
                "org.opencontainers.image.version": version,
                "org.opencontainers.image.licenses": "GPL-3.0-or-later",
            },
        },
        "rootfs": {"type": "layers", "diff_ids": diff_ids},
        "history": [
            {"created": created, "created_by": f"mmdebstrap {SUITE}: {' '.join(PACKAGES)}"},
            {"created": created, "created_by": "the application"},
        ],
    }
    return json.dumps(config, sort_keys=True).encode()


def write_archive(target: Path, config: bytes, base: Path, application: bytes) -> str:
    """Write a `docker load` archive and return the image id. The tag keeps `docker image prune` off the release."""
    digest = hashlib.sha256(config).hexdigest()
    manifest = [
        {
            "Config": f"{digest}.json",
            "RepoTags": [f"{REPOSITORY}:{digest[:12]}"],
            "Layers": ["base.tar", "application.tar"],
        }
    ]
    with (
        replacing(target) as partial,
        partial.open("wb") as raw,
        gzip.GzipFile("", "wb", compresslevel=1, fileobj=raw, mtime=EPOCH) as compressed,
        tarfile.open(fileobj=compressed, mode="w|", format=tarfile.PAX_FORMAT) as tar,
    ):
        for name, content in (
            ("manifest.json", json.dumps(manifest).encode()),
            (f"{digest}.json", config),
            ("application.tar", application),
        ):
            tar.addfile(_member(name, tarfile.REGTYPE, 0o644, len(content)), io.BytesIO(content))
        with base.open("rb") as layer:
            tar.addfile(_member("base.tar", tarfile.REGTYPE, 0o644, base.stat().st_size), layer)
    return f"sha256:{digest}"


def read_archive_id(archive: Path) -> str:
    """Compute the image id from the archive's own bytes; raise BuildError when a layer is not the one it names."""
    small: dict[str, bytes] = {}
    digests: dict[str, str] = {}
    try:
        with tarfile.open(archive, mode="r|gz") as tar:
            for member in tar:
                content = tar.extractfile(member)
                if content is None:
                    continue
                if member.name.endswith(".json"):
                    small[member.name] = content.read()
                else:
                    digests[member.name] = _sha256(content)
        manifest = json.loads(small["manifest.json"])[0]
        config = small[manifest["Config"]]
        named = json.loads(config)["rootfs"]["diff_ids"]
        found = [f"sha256:{digests[layer]}" for layer in manifest["Layers"]]
    except (OSError, EOFError, tarfile.TarError, ValueError, LookupError) as error:
        raise BuildError(f"{archive} is not a readable image archive: {error!r}") from error
    if found != named:
        raise BuildError(f"{archive} is damaged: its layers are {found}, its configuration names {named}")
    return f"sha256:{hashlib.sha256(config).hexdigest()}"


def build(output: Path, *, version: str, refresh: bool) -> str:
    """Bring `image.tar.gz` and `image_id` under `output` up to date, and return the image id."""
    started = time.monotonic()

    def say(text: str) -> None:
        print(f"[{time.monotonic() - started:6.1f} s] {text}", flush=True)

    architecture = ARCHITECTURES.get(platform.machine())
    if architecture is None:
        raise BuildError(f"no Debian packages are known for {platform.machine()}; known: {', '.join(ARCHITECTURES)}")
    for directory in (output, STATE / "cache"):
        directory.mkdir(parents=True, exist_ok=True)
    with locked(STATE / "cache" / "lock"):
        base = root_file_system(architecture, refresh=refresh, say=say)
        base_digest = base.with_suffix(".sha256").read_text().strip()
        application = application_layer(HERE / "app")
        diff_ids = [f"sha256:{base_digest}", f"sha256:{hashlib.sha256(application).hexdigest()}"]
        config = image_config(diff_ids, version, architecture)
        wanted = f"sha256:{hashlib.sha256(config).hexdigest()}"
        archive, pin, checksum = output / "image.tar.gz", output / "image_id", output / "image.tar.gz.sha256"
        if _read(pin) == wanted and archive.is_file() and _read(checksum) == _sha256_file(archive):
            say(f"image is up to date: {wanted}")
            return wanted
        say("writing the image archive")
        write_archive(archive, config, base, application)
        if read_archive_id(archive) != wanted:
            raise BuildError(f"{archive} does not carry the image that was written to it; is the disk sound?")
        checksum.write_text(_sha256_file(archive) + "\n")
        pin.write_text(wanted + "\n")
    say(f"image is ready: {wanted}, {archive.stat().st_size / 1e6:.0f} MB in {archive}")
    return wanted


def root_file_system(architecture: str, *, refresh: bool, say: Say) -> Path:
    """Return the lower layer as a tar, made once for each recipe, with its digest in a file beside it."""
    command = bootstrap_command(MIRROR, SECURITY_MIRROR)
    recipe = json.dumps([command, EPOCH, architecture])
    base = STATE / "cache" / f"base-{hashlib.sha256(recipe.encode()).hexdigest()[:16]}.tar"
    digest = base.with_suffix(".sha256")
    if digest.is_file() and base.is_file() and not refresh:
        return base
    require_means(base.parent)
    say(f"making the root file system: Debian {SUITE}, {', '.join(PACKAGES)}")
    with replacing(base) as partial:
        bootstrap([*as_root(), "env", *BUILD_ENVIRONMENT, *command], partial, say)
        digest.unlink(missing_ok=True)
    digest.write_text(_sha256_file(base) + "\n")
    for stale in set(base.parent.glob("base-*")) - {base, digest}:
        stale.unlink()
    say(f"root file system is ready: {base.stat().st_size / 1e6:.0f} MB")
    return base


def require_means(directory: Path) -> None:
    for found, package in ((shutil.which("mmdebstrap"), "mmdebstrap"), (KEYRING.exists(), "debian-archive-keyring")):
        if not found:
            raise BuildError(f"{package} is not installed: apt-get install --no-install-recommends {package}")
    for place in (directory, Path("/var/tmp")):
        free = shutil.disk_usage(place).free
        if free < ROOM:
            raise BuildError(f"{place} has {free / 1e6:.0f} MB free, the build takes {ROOM / 1e6:.0f} MB: make room there")


def as_root() -> list[str]:
    """The command prefix that makes a command run as root: nothing, or sudo."""
    if os.geteuid() == 0:
        return []
    if shutil.which("sudo") and subprocess.run(["sudo", "-n", "true"], capture_output=True, check=False).returncode == 0:
        return ["sudo", "-n"]
    raise BuildError(
        "the root file system of the image is made as root, and `sudo -n true` does not work here: run this as root, or allow this user sudo without a password"
    )


def bootstrap(command: list[str], target: Path, say: Say) -> None:
    """Run mmdebstrap, passing its phases on; raise BuildError with its last words when it fails."""
    last: deque[str] = deque(maxlen=40)
    with (
        target.open("wb") as output,
        subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.PIPE, text=True, errors="replace") as process,
    ):
        assert process.stderr is not None
        for line in process.stderr:
            last.append(line.rstrip())
            if line.startswith("I: ") and line.endswith("...\n"):
                say(f"  {line[3:].rstrip()}")
    if process.returncode != 0:
        raise BuildError(f"mmdebstrap ended with status {process.returncode}; its last words:\n  " + "\n  ".join(last))


@contextmanager
def replacing(target: Path) -> Iterator[Path]:
    """Yield a path beside `target` that takes its place only when the block succeeds."""
    partial = target.with_name(f"partial-{target.name}")
    try:
        yield partial
        os.replace(partial, target)
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a lock, so that two builds in one checkout take turns."""
    with path.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _member(name: str, kind: bytes, mode: int, size: int = 0) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.mode, member.size, member.mtime = kind, mode, size, EPOCH
    return member


def _sha256(stream: IO[bytes]) -> str:
    digest = hashlib.sha256()
    for block in iter(lambda: stream.read(1 << 20), b""):
        digest.update(block)
    return digest.hexdigest()


def _sha256_file(path: Path) -> str:
    with path.open("rb") as stream:
        return _sha256(stream)


def _read(path: Path) -> str | None:
    return path.read_text().strip() if path.is_file() else None


def main() -> int:
    parser = argparse.ArgumentParser(description="Build the image of the reference application without a registry.")
    parser.add_argument("--output", type=Path, default=STATE, help="directory of image.tar.gz and image_id")
    parser.add_argument("--version", default=VERSION, help="version the image reports; another one is another release")
    parser.add_argument("--refresh", action="store_true", help="fetch the newest packages although nothing changed here")
    arguments = parser.parse_args()
    try:
        build(arguments.output, version=arguments.version, refresh=arguments.refresh)
    except (BuildError, OSError) as error:
        print(f"build_image.py: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
