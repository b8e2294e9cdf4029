# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The last resort: a command of the catalogue, for what no other probe sees. Its author answers for it that it changes nothing."""

from __future__ import annotations

import os
import re
import typing as t

from .._secrecy import holds_credentials, secret_name, secret_text
from ._base import PLACE, Observation, Probe, ProbeError, finished

__all__ = ["CommandProbe", "masked", "runnable"]

_MASK = "***"
_LONGEST = 1000
_NOT_STARTED = 126
_MARGIN = 1.0
_SLOW = "see by hand how long it takes; `limit` gives an item up to 60 s, which it shares with all that is asked in the same call"
_SHELLS = ("sh", "bash", "dash", "ash", "zsh", "ksh", "csh", "tcsh", "fish", "busybox")


class CommandProbe(Probe):
    SEES = PLACE
    ARGUMENTS = {
        "fact": {"type": "str", "required": True, "choices": ["lines", "output", "status"]},
        "argv": {"type": "list", "elements": "str", "required": True},
        "accept": {"type": "list", "elements": "int", "default": [0]},
    }

    def fact_status(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        """Exit status of the command, a number; one that a signal ended, or that could not be started, has none."""
        status, _out, shown = self._ran(arguments)
        return Observation(status, "`%s`" % shown)

    def fact_output(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        """First line of standard output, "" where there is none; the command must end with a status of `accept` (0)."""
        out, shown = self._said(arguments)
        line = (out.splitlines() or [""])[0].strip()
        if len(line) > _LONGEST:
            raise ProbeError("`%s` answered with a line of more than %d characters" % (shown, _LONGEST))
        if holds_credentials(line):
            raise ProbeError("`%s` answered with what looks like a secret; it is not shown" % shown)
        return Observation(line, "first line of `%s`" % shown)

    def fact_lines(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        """How many lines of standard output are not blank; the command must end with a status of `accept` (0)."""
        out, shown = self._said(arguments)
        return Observation(sum(bool(line.strip()) for line in out.splitlines()), "lines of `%s`" % shown)

    def _said(self, arguments: t.Mapping[str, t.Any]) -> tuple[str, str]:
        """(standard output, the command as it may be shown); what it says on standard error could hold anything and is not kept."""
        status, out, shown = self._ran(arguments)
        if status not in (arguments.get("accept") or [0]):
            raise ProbeError("`%s` ended with status %d" % (shown, status))
        return out, shown

    def _ran(self, arguments: t.Mapping[str, t.Any]) -> tuple[int, str, str]:
        """(status, standard output, the command as it may be shown)."""
        argv = runnable(arguments)
        shown = masked(argv)
        # Ended here, the command is named; ended by the engine at the item's limit, the probe would be said to hang.
        limit = max(0.1, self.limit - min(_MARGIN, self.limit / 5))
        status, out, _err = finished(argv, shown=shown, limit=limit, remedy=_SLOW)
        if status == _NOT_STARTED:
            raise ProbeError("`%s` could not be started" % shown)
        if status < 0:
            raise ProbeError("`%s` was ended by signal %d" % (shown, -status))
        return status, out, shown


def runnable(arguments: t.Mapping[str, t.Any]) -> list[str]:
    """The words of the command; raises ProbeError for what is none, whatever the host is like."""
    argv = arguments.get("argv") or []
    if not argv or not argv[0] or any("\0" in word for word in argv):
        raise ProbeError("`argv` is a list of words, the program first")
    if "/" in argv[0] and not os.path.isabs(argv[0]):
        raise ProbeError("%s is neither the name of a program nor an absolute path" % argv[0])
    if os.path.basename(argv[0]) in _SHELLS:
        raise ProbeError("%s is a shell, and a command is run without one" % argv[0])
    return list(argv)


def masked(argv: t.Sequence[str]) -> str:
    """The command with *** for each argument, or value of one, that looks like a secret or follows a name that does."""
    words = [argv[0]]
    hidden = False
    for word in argv[1:]:
        name, equals, value = word.partition("=")
        option = re.sub("^-+", "", name)
        if hidden and not word.startswith("-"):
            words.append(_MASK)
        elif equals and (secret_name(option) or secret_text(value)):
            words.append("%s=%s" % (name if not secret_text(name) else _MASK, _MASK))
        elif secret_text(word):
            words.append(_MASK)
        else:
            words.append(word)
        # The value of such an option is the next word: --password VALUE, -p VALUE, -u name:VALUE, -H VALUE.
        hidden = word.startswith("-") and not equals and (secret_name(option) or option in ("p", "a", "u", "H", "W", "user", "header"))
    return " ".join(words)
