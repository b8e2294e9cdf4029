# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Releases of a Compose application on one host: start one, let nginx hand requests on to it, and put the one before it back.

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

# nginx reads where the application listens through the link `current`. One command moves the link and has it read, so that a
# run that is killed leaves neither undone. nginx reloads behind the command's back: it is done once the old workers are leaving.
_RELOAD = """
workers=$(ps -o pid= --ppid "$(cat /run/nginx.pid 2>/dev/null || echo 0)" | xargs | tr ' ' ,)
systemctl reload-or-restart nginx
timeout 10 sh -c 'while ps -o args= -p "$1" | grep -qx "nginx: worker process"; do sleep 0.05; done' sh "${workers:-0}"
"""
_SERVE = 'ln -sfn -- "$1" "$2.next"; mv -fT -- "$2.next" "$2"' + _RELOAD
_SERVE_NOTHING = 'rm -f -- "$1"' + _RELOAD


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

    @property
    def link(self) -> str:
        return posixpath.join(self.directory, "current")

    def current(self) -> str:
        """The release that serves, or "" before the first."""
        stat = self._module("ansible.builtin.stat", {"path": self.link, "get_checksum": False})
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

    def serve(self, release: str) -> Result:
        """Let `current` name `release`, and nginx hand requests on to it."""
        return self._command(_SERVE, self.source(release), self.link)

    def serve_nothing(self) -> Result:
        """Let `current` name no release, and nginx answer that there is none."""
        return self._command(_SERVE_NOTHING, self.link)

    def _command(self, script: str, *arguments: str) -> Result:
        done = self._module("ansible.builtin.command", {"argv": ["sh", "-euc", script, "sh", *arguments]})
        return dict(done, msg=done.get("stderr") or done.get("msg")) if done.get("failed") else done

    def put_back(self, previous: str, failed: str) -> str:
        """Undo `failed`: start `previous` again and wait until it is healthy, or remove all where there is none.

        Returns what came of it, as the end of a sentence.
        """
        if not previous:
            undone = self.remove(failed)
            if undone.get("failed"):
                return "and taking it away failed: %s" % undone.get("msg")
            emptied = self.serve_nothing()
            if emptied.get("failed"):
                return "it was taken away, but nginx could not be told: %s" % emptied.get("msg")
            return "it was taken away"
        undone = self.start(previous)
        if undone.get("failed"):
            return "and putting back release %s failed: %s" % (previous, undone.get("msg"))
        served = self.serve(previous)
        if served.get("failed"):
            return "release %s was started again, but nginx could not be told: %s" % (previous, served.get("msg"))
        return "release %s was put back and is healthy" % previous
