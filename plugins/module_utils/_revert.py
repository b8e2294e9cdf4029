# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The way back from a change that may lock everybody out: files are kept, and a timer of systemd, or the next boot, puts them back
unless it is disarmed."""

from __future__ import annotations

import contextlib
import os
import shutil
import typing as t

__all__ = ["Run", "Way", "replace"]

Run = t.Callable[[t.Sequence[str]], t.Tuple[int, str, str]]
"""Runs a command in the C locale and returns (status, output, errors)."""

# `mv` decides the race between the timer and the confirmation: one of the two finds the mark.
_BEGIN = """#!/bin/sh
# Written by gonogo.preflight: puts back what was there before a change that nobody confirmed.
cd {store} && mv armed reverted || exit 0
"""


_UNITS = "/etc/systemd/system"

# A boot loses the timer, and the host then comes up with what nobody confirmed.
_AT_BOOT = """\
[Unit]
Description=Put back what was there before a change that nobody confirmed
ConditionPathExists={store}/armed
After={after}

[Service]
Type=oneshot
ExecStart=/bin/sh {store}/revert

[Install]
WantedBy=multi-user.target
"""


class Way:
    """One way back; it outlives this process, the connection and the controller.

    :arg unit: name of the timer.
    :arg store: directory that keeps what was there before, as `before/NAME`.
    :arg keeps: each path to keep, and its NAME.
    :arg optional: those of them that may be absent.
    :arg script: shell commands that put it back, run in `store`.
    :arg after: units that the next boot starts before it puts it back.
    :arg error: what is raised where the way back cannot be armed.
    :arg adds: notes that every call adds a line to, while the others stay those of the first change.
    """

    def __init__(
        self,
        run: Run,
        *,
        unit: str,
        store: str,
        keeps: t.Mapping[str, str],
        script: str,
        after: t.Sequence[str],
        error: type[Exception],
        optional: t.Sequence[str] = (),
        adds: t.Sequence[str] = (),
    ) -> None:
        self._run = run
        self._unit = unit
        self._store = store
        self._keeps = keeps
        self._optional = optional
        self._adds = adds
        self._text = _BEGIN.format(store=store) + script
        self._error = error
        self._at_boot = unit + "-at-boot.service"
        self._boot_text = _AT_BOOT.format(store=store, after=" ".join(after))
        self._mark = os.path.join(store, "armed")
        self._script = os.path.join(store, "revert")

    def pending(self) -> bool:
        """Whether a change waits for its confirmation."""
        return os.path.exists(self._mark) and self._run(["systemctl", "is-active", "--quiet", self._unit + ".timer"])[0] == 0

    def arm(self, seconds: int, *, active: bool, notes: t.Optional[t.Mapping[str, str]] = None) -> None:
        """Keep what is there now, with a file `before/active` where it is `active`, and put it back in `seconds`, or at the next boot.

        While a change is pending, what to go back to stays the one before that change.

        :arg notes: name and text of further files that `script` finds in `before`.
        """
        earlier = self.pending()
        if earlier:
            self._add(notes or {})
        else:
            self._keep(active, notes or {})
        self._run(["systemctl", "stop", self._unit + ".timer"])
        self._run(["systemctl", "reset-failed", self._unit + ".service", self._unit + ".timer"])
        timer = ["--on-active=%d" % seconds, "--timer-property=AccuracySec=1s", "--unit=" + self._unit, "--collect"]
        status, output, errors = self._run(["systemd-run", *timer, "/bin/sh", self._script])
        if status == 0:
            return
        if earlier:
            # Its timer is stopped, and nobody has confirmed it.
            self.revert()
            done = "nothing was changed but that what an earlier run left unconfirmed is taken back"
        else:
            # A boot would put back what nobody has changed.
            os.unlink(self._mark)
            done = "nothing was changed"
        raise self._error("%s, systemd-run cannot arm the way back: %s" % (done, (errors or output).strip()))

    def confirm(self) -> bool:
        """Keep the change. False when the timer was first and what was there before is back."""
        try:
            os.rename(self._mark, os.path.join(self._store, "confirmed"))
        except FileNotFoundError:
            return False
        self._run(["systemctl", "stop", self._unit + ".timer"])
        return True

    def revert(self) -> None:
        """Put back now what was there before."""
        self._run(["/bin/sh", self._script])
        self._run(["systemctl", "stop", self._unit + ".timer"])

    def _add(self, notes: t.Mapping[str, str]) -> None:
        for name in self._adds:
            path, text = os.path.join(self._store, "before", name), notes.get(name, "")
            kept = ""
            if os.path.exists(path):
                with open(path, encoding="utf-8") as file:
                    kept = file.read()
            if text and text not in kept.splitlines(keepends=True):
                replace(path, kept + text)

    def _keep(self, active: bool, notes: t.Mapping[str, str]) -> None:
        before = os.path.join(self._store, "before")
        # While there is less than all of it, no boot may put it back.
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._mark)
        shutil.rmtree(before, ignore_errors=True)
        os.makedirs(before, mode=0o700)
        os.chmod(self._store, 0o700)
        # cp, because shutil.copytree keeps no owners.
        for source, copy in self._keeps.items():
            if source in self._optional and not os.path.lexists(source):
                continue
            status, _output, errors = self._run(["cp", "-a", source, os.path.join(before, copy)])
            if status != 0:
                raise self._error("nothing was changed, %s cannot be kept: %s" % (source, errors.strip()))
        if active:
            replace(os.path.join(before, "active"), "")
        for name, text in notes.items():
            replace(os.path.join(before, name), text)
        replace(self._script, self._text)
        self._enable()
        replace(self._mark, "")

    def _enable(self) -> None:
        path = os.path.join(_UNITS, self._at_boot)
        if os.path.exists(path):
            with open(path, encoding="utf-8") as file:
                if file.read() == self._boot_text:
                    return
        replace(path, self._boot_text)
        os.chmod(path, 0o644)
        status, _output, errors = self._run(["systemctl", "enable", self._at_boot])
        if status != 0:
            os.unlink(path)
            raise self._error("nothing was changed, %s cannot be enabled: %s" % (self._at_boot, errors.strip()))


def replace(path: str, text: str) -> None:
    """Write `path` so that a reader finds the old text or the new one; its mode stays, 0600 for a new file."""
    fresh = path + ".gonogo"
    with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    if os.path.exists(path):
        shutil.copymode(path, fresh)
    os.replace(fresh, path)
