# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""By which settings of a Compose service whoever is in its container has the host. Pure.

The rule of mounts, in four lines:

- the socket of an engine or of the system's bus, and a directory that has one in it, in whatever way it is mounted;
- what holds keys and passwords of root (`_SECRET`), homes of people, disks and memory (`_DISKS`), also where it is read-only;
- what the host itself runs or is told by (`_OWN`), where it is writable; read-only, programs, /proc and /sys are no secret;
- everything else is the application's own.

A path counts as well where it is above or below one that is named.
"""

from __future__ import annotations

import posixpath
import re
import typing as t

__all__ = ["rights"]

Service = t.Mapping[str, t.Any]
Document = t.Mapping[str, t.Any]

_HOST_NAMESPACES = {"network_mode": "network", "pid": "processes", "ipc": "shared memory", "userns_mode": "users"}
# capabilities(7): each of these reads or writes what is not the container's, or loads code into the kernel. NET_ADMIN is not one of them: it
# is bound to a network of the container's own, and that of the host is named by itself.
_POWERS = ("ALL", "BPF", "DAC_READ_SEARCH", "SYS_ADMIN", "SYS_MODULE", "SYS_PTRACE", "SYS_RAWIO")
# Each takes away what stands between a process and the kernel: https://docs.docker.com/reference/cli/docker/container/run/#security-opt
_UNCONFINED = ("apparmor:unconfined", "seccomp:unconfined", "systempaths:unconfined")

_SOCKETS = ("docker.sock", "containerd.sock", "podman.sock", "crio.sock", "system_bus_socket")
_OF_SOCKETS = ("/run/containerd", "/run/dbus", "/run/systemd", "/var/run/containerd", "/var/run/dbus", "/var/run/systemd")
_SECRET = ("/etc/gshadow", "/etc/gshadow-", "/etc/shadow", "/etc/shadow-", "/etc/ssh", "/root", "/var/lib/containerd", "/var/lib/docker")
_OWN = (*("/bin", "/boot", "/etc", "/lib", "/lib32", "/lib64", "/libx32", "/proc", "/sbin", "/sys", "/usr", "/var/spool/cron"),)
_VOLUMES = "/var/lib/docker/volumes"
# Where log shippers read; who may write there could write elsewhere.
_LOGS = "/var/lib/docker/containers"
_HOME = re.compile(r"/home(/[^/]+(/\.(ssh|bash[^/]*|zsh[^/]*|profile|config|docker|gnupg)(/.*)?)?)?")
_DISKS = re.compile(
    r"/dev(/((sd|hd|vd|xvd)[a-z]+\d*|(sg|sr|md|dm-|nvme|ng|mmcblk|loop|nbd|rbd|zd|drbd|bcache|ram)\d[^/]*"
    r"|(mapper|disk|block|zvol|bsg)(/.*)?|md/.*|mem|kmem|port|kcore|core|oldmem))?"
)
# Of a line of devices.allow (cgroup v1, devices): all, any disk, and memory (major number 1).
_DEVICE_RULE = re.compile(r"a\b.*|b\b.*|c\s+(\*:.*|1:([124]\b|\*).*)")


def rights(document: Document, service: Service) -> list[str]:
    """Why the service is as good as root on the host, one phrase for each setting; none where it is not."""
    why = ["privileged"] if service.get("privileged") else []
    why += ["the host's %s" % words for key, words in _HOST_NAMESPACES.items() if service.get(key) == "host"]
    why += ["capability %s" % one for one in service.get("cap_add") or [] if re.sub("^CAP_", "", str(one).upper()) in _POWERS]
    why += [str(one) for one in service.get("security_opt") or [] if str(one).replace("=", ":", 1) in _UNCONFINED]
    why += ["device %s" % path for path in map(_device, service.get("devices") or []) if _DISKS.fullmatch(path)]
    why += ["devices %s" % rule for rule in service.get("device_cgroup_rules") or [] if _DEVICE_RULE.fullmatch(str(rule).strip())]
    why += ["mounts %s" % path for path, read_only in _mounts(document, service) if _gives_host(path, read_only=read_only)]
    return list(dict.fromkeys(why))


def _device(entry: t.Any) -> str:
    """The host's device of an entry, which older Composes write as SOURCE:TARGET:PERMISSIONS."""
    source = entry.get("source") if isinstance(entry, t.Mapping) else str(entry).partition(":")[0]
    return _path(str(source or ""))


def _mounts(document: Document, service: Service) -> t.Iterator[tuple[str, bool]]:
    """(path of the host, whether it is read-only) of each mount: a volume may be a directory of the host too, and secrets and configs are files of it."""
    volumes = document.get("volumes") or {}
    for mount in service.get("volumes") or []:
        source, read_only = str(mount.get("source") or ""), bool(mount.get("read_only"))
        if mount.get("type") == "volume":
            options = (volumes.get(source) or {}).get("driver_opts") or {}
            source, read_only = str(options.get("device") or ""), read_only or "ro" in str(options.get("o") or "").split(",")
        if source.startswith("/"):
            yield _path(source), read_only
    for kind in ("secrets", "configs"):
        for entry in service.get(kind) or []:
            name = entry.get("source") if isinstance(entry, t.Mapping) else entry
            source = str(((document.get(kind) or {}).get(name) or {}).get("file") or "")
            if source.startswith("/"):
                yield _path(source), True


def _path(text: str) -> str:
    # Two slashes at the beginning stay two (POSIX).
    return posixpath.normpath(re.sub("^/+", "/", text)) if text.startswith("/") else ""


def _gives_host(path: str, *, read_only: bool) -> bool:
    if posixpath.basename(path) in _SOCKETS or path in ("/run", "/var/run") or any(_within(one, path) or _within(path, one) for one in _OF_SOCKETS):
        return True
    if _DISKS.fullmatch(path) or _HOME.fullmatch(path):
        return True
    if path != _VOLUMES and _within(path, _VOLUMES) or read_only and _within(path, _LOGS):
        return False
    return any(_within(one, path) or _within(path, one) for one in (_SECRET if read_only else (*_OWN, *_SECRET)))


def _within(path: str, directory: str) -> bool:
    return path == directory or path.startswith(directory.rstrip("/") + "/")
