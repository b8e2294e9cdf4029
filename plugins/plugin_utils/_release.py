# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Releases of a Compose application on one host: start one, and put the one before it back.

Only the actions `release` and `confirm` use this, and nothing else in the collection calls Compose.
"""

from __future__ import annotations

import posixpath
import typing as t
from dataclasses import dataclass

from ansible.errors import AnsibleActionFail

from ._action import PreflightAction

__all__ = ["Releases"]

Result = t.Dict[str, t.Any]


@dataclass(frozen=True)
class Releases:
    """The releases of one Compose project below `directory` on the host: releases/<id>/ and the link `current`."""

    action: PreflightAction
    project: str
    directory: str
    wait: int

    def _module(self, name: str, arguments: dict[str, t.Any]) -> Result:
        return t.cast(
            Result,
            self.action._execute_module(module_name=name, module_args=arguments, task_vars=self.action.task_vars),
        )

    def source(self, release: str) -> str:
        return posixpath.join(self.directory, "releases", release)

    def current(self) -> str:
        """The release that serves, or "" before the first."""
        stat = self._module("ansible.builtin.stat", {"path": posixpath.join(self.directory, "current"), "get_checksum": False})
        if stat.get("failed") or "stat" not in stat:
            # Without an answer, "there is none" would take away the release that serves.
            raise AnsibleActionFail("cannot tell which release serves: %s" % stat.get("msg"))
        return posixpath.basename(str(stat["stat"].get("lnk_source") or ""))

    def start(self, release: str) -> Result:
        """Bring the project to `release` and wait until every service is healthy."""
        return self._module(
            "community.docker.docker_compose_v2",
            {
                "project_src": self.source(release),
                "project_name": self.project,
                "state": "present",
                "pull": "never",
                "remove_orphans": True,
                "wait": True,
                "wait_timeout": self.wait,
            },
        )

    def remove(self, release: str) -> Result:
        """Take away what `release` started; volumes stay."""
        return self._module(
            "community.docker.docker_compose_v2",
            {"project_src": self.source(release), "project_name": self.project, "state": "absent"},
        )

    def mark(self, release: str) -> Result:
        """Let `current` name `release`."""
        return self._module(
            "ansible.builtin.file",
            {"src": self.source(release), "dest": posixpath.join(self.directory, "current"), "state": "link"},
        )

    def unmark(self) -> Result:
        """No release serves."""
        return self._module("ansible.builtin.file", {"path": posixpath.join(self.directory, "current"), "state": "absent"})

    def put_back(self, previous: str, failed: str) -> str:
        """Undo `failed`: start `previous` again and wait until it is healthy, or remove all where there is none.

        Returns what came of it, as the end of a sentence.
        """
        if not previous:
            undone = self.remove(failed)
            if undone.get("failed"):
                return "and taking it away failed: %s" % undone.get("msg")
            unmarked = self.unmark()
            if unmarked.get("failed"):
                return "it was taken away, but `current` still names it: %s" % unmarked.get("msg")
            return "it was taken away"
        undone = self.start(previous)
        if undone.get("failed"):
            return "and putting back release %s failed: %s" % (previous, undone.get("msg"))
        marked = self.mark(previous)
        if marked.get("failed"):
            return "release %s serves again, but `current` could not be set: %s" % (previous, marked.get("msg"))
        return "release %s was put back and is healthy" % previous
