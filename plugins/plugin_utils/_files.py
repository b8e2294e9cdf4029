# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of a project as Ansible finds them: links to directories are followed."""

from __future__ import annotations

import os
import typing as t

from ._yaml import InputError

__all__ = ["files"]


def files(place: str, *, hidden: bool) -> t.Iterator[str]:
    """The paths of all files at or below `place`, sorted by directory, with or without the hidden ones; none where it does not exist.

    A link to a directory that it lies in leads to nothing new and is left out. Raises InputError for a link that leads
    nowhere, and for a directory that cannot be read.
    """
    _refuse_nowhere(place)
    if os.path.isdir(place):
        yield from _below(place, hidden, (os.path.realpath(place),))
    elif os.path.exists(place):
        yield place


def _below(directory: str, hidden: bool, above: tuple[str, ...]) -> t.Iterator[str]:
    """:param above: real paths of `directory` and of those that led to it, nearest first."""
    try:
        names = sorted(os.listdir(directory))
    except OSError as error:
        raise InputError(directory, 0, "cannot be read: %s" % error.strerror) from None
    for name in names:
        path = os.path.join(directory, name)
        if name.startswith(".") and (not hidden or not os.path.exists(path)):
            continue  # An editor's lock is a hidden link that leads nowhere.
        _refuse_nowhere(path)
        if not os.path.isdir(path):
            yield path
            continue
        real = os.path.realpath(path) if os.path.islink(path) else os.path.join(above[0], name)
        if real not in above:
            yield from _below(path, hidden, (real, *above))


def _refuse_nowhere(path: str) -> None:
    if os.path.islink(path) and not os.path.exists(path):
        raise InputError(path, 0, "is a link to %s, where nothing can be found; mend the link or remove it" % os.readlink(path))
