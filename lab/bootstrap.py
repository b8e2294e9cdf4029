# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Root file systems that are made of a distribution's packages, without a container registry."""

from __future__ import annotations

import os
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import machine
from shell import LabError, run

UBUNTU_KEYRING = Path("/usr/share/keyrings/ubuntu-archive-keyring.gpg")


@dataclass(frozen=True)
class Distribution:
    """Where the packages of one release come from."""

    suite: str
    mirror: str
    security_mirror: str


DEBIAN = Distribution("trixie", "http://deb.debian.org/debian", "http://deb.debian.org/debian-security")
UBUNTU = Distribution("noble", "http://archive.ubuntu.com/ubuntu", "http://security.ubuntu.com/ubuntu")

DISTRIBUTIONS = {"debian:13": DEBIAN, "ubuntu:24.04": UBUNTU}


def make(distribution: Distribution, mirror: str, tree: BinaryIO, log: BinaryIO) -> bool:
    """Write a minimal root file system to `tree`, as a tar archive, and what mmdebstrap says to `log`; whether it came to its end."""
    machine.require("mmdebstrap", machine.DEBIAN_KEYRING)
    with tempfile.TemporaryDirectory() as directory:
        # apt reads the keys as a user of its own.
        os.chmod(directory, 0o755)
        keyring = machine.DEBIAN_KEYRING if distribution is DEBIAN else str(_ubuntu_keyring(Path(directory)))
        command = ["mmdebstrap", "--variant=apt", f"--keyring={keyring}", distribution.suite, "-", mirror]
        made = subprocess.run([*machine.as_root(), *command], stdin=subprocess.DEVNULL, stdout=tree, stderr=log, check=False)
    return made.returncode == 0


def _ubuntu_keyring(directory: Path) -> Path:
    """Ubuntu's keys; Debian 12 has no package of them, and that of Debian 13 is unpacked."""
    if UBUNTU_KEYRING.exists():
        return UBUNTU_KEYRING
    keyring, archive = directory / UBUNTU_KEYRING.name, directory / "keyring.tar"
    unpack = ["--variant=extract", "--include=ubuntu-keyring", f"--keyring={machine.DEBIAN_KEYRING}"]
    run([*machine.as_root(), "mmdebstrap", *unpack, DEBIAN.suite, str(archive), DEBIAN.mirror])
    with keyring.open("wb") as output:
        unpacked = subprocess.run(["tar", "-xOf", str(archive), f".{UBUNTU_KEYRING}"], stdout=output, check=False)
    if unpacked.returncode != 0:
        raise LabError(f"Debian's package ubuntu-keyring has no {UBUNTU_KEYRING}.")
    return keyring
