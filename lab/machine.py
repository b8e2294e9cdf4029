# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The machine the lab runs on: its rights, packages, disk space, network interface and swap."""

from __future__ import annotations

import os
import re
import shutil
import socket
from pathlib import Path

from shell import LabError, find_program, run, say

DISK_FLOOR_GIB = 8

DEBIAN_KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"

# Program or file, the packages that bring it, and what the lab needs it for.
PACKAGES = {
    "dockerd": (("docker.io", "docker-cli", "iptables"), "Docker Engine, in which the lab hosts run"),
    "mmdebstrap": (("mmdebstrap",), "makes images without a container registry"),
    DEBIAN_KEYRING: (("debian-archive-keyring",), "proves that their packages, and Ubuntu's keys, are from Debian"),
    "ssh": (("openssh-client",), "how Ansible reaches the lab hosts"),
}


def as_root() -> list[str]:
    """The command prefix that makes a command run as root: nothing, or sudo."""
    if os.geteuid() == 0:
        return []
    if shutil.which("sudo") and run(["sudo", "-n", "true"], check=False).returncode == 0:
        return ["sudo", "-n"]
    raise LabError(
        "The lab needs root: to install system packages and to start Docker Engine.\n"
        f"This is user {os.environ.get('USER', os.geteuid())} and `sudo -n true` does not work.\n"
        "Run the same command as root, or allow this user sudo without a password."
    )


def require(*names: str) -> None:
    """Install the packages of those programs and files that are not there, saying which and why."""
    missing = {name: PACKAGES[name] for name in names if not _present(name)}
    if not missing:
        return
    if not shutil.which("apt-get"):
        raise LabError(f"Not found: {', '.join(missing)}. The lab installs packages with apt (Debian, Ubuntu); install these by hand.")
    for packages, why in missing.values():
        say(f"Installing system packages {', '.join(packages)}: {why}")
    apt_get = [*as_root(), "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-q"]
    run([*apt_get, "update"])
    # Only Debian 13 and newer split docker-cli from docker.io.
    known = set(run(["apt-cache", "pkgnames"]).stdout.split())
    wanted = [package for packages, _why in missing.values() for package in packages if package in known]
    run([*apt_get, "install", "--yes", "--no-install-recommends", *wanted])
    still = [name for name in missing if not _present(name)]
    if still:
        raise LabError(f"apt-get installed {', '.join(wanted)}, but {', '.join(still)} is still not there.")


def _present(name: str) -> bool:
    return Path(name).exists() if name.startswith("/") else find_program(name) is not None


def require_disk(path: Path) -> None:
    while not path.exists():
        path = path.parent
    free = shutil.disk_usage(path).free / 2**30
    if free < DISK_FLOOR_GIB:
        raise LabError(
            f"The lab needs {DISK_FLOOR_GIB} GiB of free disk space below {path}; {free:.1f} GiB are free.\n"
            "Free some space there, then run the same command again."
        )


def outgoing_mtu() -> int:
    """MTU of the interface of the default route; Docker's own default (1500) hangs TLS where it is smaller."""
    for line in Path("/proc/net/route").read_text().splitlines()[1:]:
        interface, destination = line.split()[:2]
        if destination == "00000000":
            return int(Path(f"/sys/class/net/{interface}/mtu").read_text())
    return 1500


def require_free_port(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise LabError(
                f"Port 127.0.0.1:{port}, which the lab publishes, is taken by {_listener(port)} ({error.strerror}).\n"
                "Stop that process and run the same command again."
            ) from error


def _listener(port: int) -> str:
    """The process that listens on a port, as `ss` names it; needs root for other users' processes."""
    if not find_program("ss"):
        return "another process"
    listing = run(["ss", "-Hltnp", f"sport = :{port}"], check=False).stdout
    found = re.search(r'"([^"]+)",pid=(\d+)', listing)
    return f"{found[1]} (process {found[2]})" if found else "another process"
