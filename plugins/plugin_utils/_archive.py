# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The project and the collection as one archive, the same bytes for the same content; without Ansible."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import tarfile
import typing as t

from ._files import files
from ._yaml import InputError, load

__all__ = ["Member", "collection_files", "collection_version", "inventory_files", "pack", "tree"]

Member = t.Tuple[str, t.Union[str, bytes]]
"""(path in the archive, path of the file to copy, or its content as bytes)."""

COLLECTION_PLACE = "collections/ansible_collections/gonogo/preflight"
_COLLECTION = ("galaxy.yml", "MANIFEST.json", "FILES.json", "LICENSE", "README.md", "checklists", "meta", "playbooks", "plugins", "roles")
_ENDINGS = ("", ".yml", ".yaml", ".json")


def tree(source: str, place: str) -> list[Member]:
    """Every file at or below `source`, to lie at or below `place`; without hidden files and compiled Python."""
    if not os.path.lexists(source):
        raise InputError(source, 0, "does not exist, so it cannot be brought to the control host")
    found = (path for path in files(source, hidden=False) if not path.endswith(".pyc"))
    return [(os.path.normpath(os.path.join(place, os.path.relpath(path, source))), path) for path in found]


def collection_files(collection: str) -> list[Member]:
    """The collection as Ansible looks for it, from a checkout or from where it is installed."""
    present = [name for name in _COLLECTION if os.path.exists(os.path.join(collection, name))]
    return [member for name in present for member in tree(os.path.join(collection, name), os.path.join(COLLECTION_PLACE, name))]


def collection_version(collection: str) -> str:
    """From MANIFEST.json where the collection is installed, from galaxy.yml in a checkout."""
    manifest = os.path.join(collection, "MANIFEST.json")
    if os.path.exists(manifest):
        return str(load(manifest)["collection_info"]["version"])
    return str(load(os.path.join(collection, "galaxy.yml"))["version"])


def inventory_files(inventory: str, place: str, connections: t.Mapping[str, t.Mapping[str, t.Any]]) -> list[Member]:
    """The directory of the inventory, with `connections` as the last word on the variables of each host.

    Ansible reads host_vars/<host>/ and, where that exists, no file beside it; a file becomes the first one of the directory.
    """
    own = {os.path.join(place, "host_vars", host + ending): host for host in connections for ending in _ENDINGS}
    found: list[Member] = []
    for path, source in tree(inventory, place):
        if path in own:
            ending = os.path.splitext(path)[1] if path != os.path.join(place, "host_vars", own[path]) else ""
            path = os.path.join(place, "host_vars", own[path], "00_inventory" + ending)
        found.append((path, source))
    for host, variables in connections.items():
        found.append((os.path.join(place, "host_vars", host, "zz_drift.yml"), (json.dumps(variables, indent=1) + "\n").encode()))
    return found


def pack(members: t.Iterable[Member], path: str) -> str:
    """Write the archive, readable by the owner alone; returns the fingerprint of its content."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as archive:
        for name, source in sorted(dict(members).items()):
            _add(archive, name, source)
    # Neither times nor owners: unchanged content has an unchanged fingerprint.
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(gzip.compress(content.getvalue(), mtime=0))
    return hashlib.sha256(content.getvalue()).hexdigest()


def _add(archive: tarfile.TarFile, name: str, source: t.Union[str, bytes]) -> None:
    entry = tarfile.TarInfo(name)
    entry.mode = 0o600
    if isinstance(source, str):
        entry.mode = 0o700 if os.access(source, os.X_OK) else 0o600
        with open(source, "rb") as file:
            source = file.read()
    entry.size = len(source)
    archive.addfile(entry, io.BytesIO(source))
