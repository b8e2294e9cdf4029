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

# nginx reads where the application listens through the link `current`. One command moves the link and has it read; a run that is
# killed in between leaves a link that is newer than what nginx has read, and the next run has it read. So does a reload that fails,
# which systemd counts as one. nginx reloads behind the command's back: it is done once the old workers are leaving.
_RELOAD = """
workers=$(ps -o pid= --ppid "$(cat /run/nginx.pid 2>/dev/null || echo 0)" | xargs | tr ' ' ,)
systemctl reload-or-restart nginx || { touch -hcd '1 second' -- "$link"; exit 1; }
timeout 10 sh -c 'while ps -o args= -p "$1" | grep -qx "nginx: worker process"; do sleep 0.05; done' sh "${workers:-0}"
echo moved
"""
_SERVE = (
    """
release=$1 link=$2 confirmed=$3 nothing=$4
if [ "$(readlink -- "$link")" = "$release" ] && systemctl -q is-active nginx; then
  read=$(systemctl show --timestamp=us --property=StateChangeTimestamp --value nginx)
  unread=$(find "$link" -newermt "$read")
  [ -n "$unread" ] || exit 0
fi
[ -L "$confirmed" ] || ln -s -- "$(readlink -- "$link" || echo "$nothing")" "$confirmed"
ln -sfn -- "$release" "$link.next"
mv -fT -- "$link.next" "$link"
"""
    + _RELOAD
)
_SERVE_NOTHING = 'link=$1; rm -f -- "$link"' + _RELOAD
_CONFIRM = """
serving=$(readlink -- "$2" || echo nothing)
[ "$serving" = "$1" ] || { echo "$serving serves instead" >&2; exit 1; }
[ "$(readlink -- "$3")" != "$1" ] || exit 0
ln -sfn -- "$1" "$3.next"
mv -fT -- "$3.next" "$3"
echo moved
"""


@dataclass(frozen=True)
class Releases:
    """The releases of one Compose project below `directory` on the host: releases/<id>/, and two links.

    `current` names the release that serves, `confirmed` the last one that passed door live, or releases/ itself before the first.
    """

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

    def _link(self, name: str) -> str:
        return posixpath.join(self.directory, name)

    def _named_by(self, link: str) -> t.Optional[str]:
        """The release that the link names, "" where it names none, None where there is no such link."""
        stat = self._module("ansible.builtin.stat", {"path": self._link(link), "get_checksum": False})
        found = stat.get("stat", {})
        if found.get("exists") is False:
            return None
        if stat.get("failed") or "lnk_target" not in found:
            # Without an answer, "there is none" would take away the release that serves.
            raise AnsibleActionFail("cannot tell which release link %s names: %s" % (self._link(link), stat.get("msg") or "it is no link"))
        return posixpath.basename(str(found["lnk_target"]))

    def confirmed(self) -> str:
        """The release to put back: the last one that passed door live, "" before the first.

        Hosts that no run has confirmed since the link came into use have the release that served until then.
        """
        named = self._named_by("confirmed")
        return (self._named_by("current") or "") if named is None else named

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
        """Let `current` name `release`, and nginx hand requests on to it; changes nothing where both are so."""
        return self._command(_SERVE, self.source(release), self._link("current"), self._link("confirmed"), self.source(""))

    def serve_nothing(self) -> Result:
        """Let `current` name no release, and nginx answer that there is none."""
        return self._command(_SERVE_NOTHING, self._link("current"))

    def confirm(self, release: str) -> Result:
        """Let `confirmed` name `release`; fails where another one serves."""
        return self._command(_CONFIRM, self.source(release), self._link("current"), self._link("confirmed"))

    def _command(self, script: str, *arguments: str) -> Result:
        done = self._module("ansible.builtin.command", {"argv": ["sh", "-euc", script, "sh", *arguments]})
        if done.get("failed"):
            return dict(done, msg=done.get("stderr") or done.get("msg"))
        return dict(done, changed=bool(done.get("stdout")))

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
