# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every probe kind shares: the shape of an observation, the error of a probe that could not look, running a command."""

from __future__ import annotations

import os
import shutil
import typing as t
from dataclasses import dataclass

from .._command import CommandHungError, CommandTooLongError, run

__all__ = ["HOST", "NETWORK", "PLACE", "Observation", "Probe", "ProbeError", "Secrets", "UnansweredError", "finished", "output_of", "read_text"]

Secrets = t.Mapping[str, str]

_COMMAND_LIMIT = 12.0
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True)
class Observation:
    """What a probe saw.

    :ivar value: plain data (text, number, boolean, list, mapping) that an expectation is held against; never a secret.
    :ivar evidence: one line that says where the value was read.
    """

    value: t.Any
    evidence: str = ""


class ProbeError(Exception):
    """The probe could not look. This is an answer of its own, never "nothing there".

    :ivar remedy: the command or step that lets it look, or "".
    """

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.remedy = remedy


class UnansweredError(ProbeError):
    """The server gave no answer at all; asking it again for the next item would take as long and say the same."""


HOST, PLACE, NETWORK = "host", "place", "network"


class Probe:
    """One kind of probe; an object serves the items of one kind in one call and keeps what they share.

    ARGUMENTS is the argument spec (in Ansible's form) of an item's `with`; `fact` selects what is observed.
    SEES is what an answer is about: HOST, the machine that the probe runs on; PLACE, files and programs there, which may also be
    those of the controller; NETWORK, what an argument names, wherever the probe runs.
    COMPARED: facts that answer a challenge with a sealed fingerprint, which the controller compares between subjects.
    STAGES: fact to the stages in which there is something that it can look at; any, for a fact that is not listed.

    :ivar limit: seconds that the item which is being asked may take. The engine sets it, and kills whoever is not done by then.
    """

    ARGUMENTS: t.ClassVar[t.Mapping[str, t.Mapping[str, t.Any]]] = {}
    SEES: t.ClassVar[str] = HOST
    COMPARED: t.ClassVar[tuple[str, ...]] = ()
    STAGES: t.ClassVar[t.Mapping[str, tuple[str, ...]]] = {}

    def __init__(self, secrets: Secrets) -> None:
        self.secrets = secrets
        self.limit = 15.0
        self._unanswered: dict[tuple[t.Any, ...], UnansweredError] = {}

    def observe(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        """Look once; raises ProbeError when it cannot.

        Facts are methods named `fact_<name>`. A server that did not answer one of them is not asked again.
        """
        server = tuple(arguments.get(name) for name in ("host", "port", "user", "database"))
        if server in self._unanswered:
            raise self._unanswered[server]
        method: t.Callable[[t.Mapping[str, t.Any]], Observation] = getattr(self, "fact_" + arguments["fact"])
        try:
            return method(arguments)
        except UnansweredError as error:
            self._unanswered[server] = error
            raise


def finished(
    arguments: t.Sequence[str],
    *,
    package: str = "",
    user: str = "",
    environment: t.Optional[t.Mapping[str, str]] = None,
    shown: str = "",
    limit: t.Optional[float] = None,
    remedy: str = "",
    given: str = "",
) -> tuple[int, str, str]:
    """(exit status, standard output, standard error) of a command run in the C locale, without a shell; a signal's number is negative.

    :arg user: the account to run it as where the probe runs as root.
    :arg environment: what it gets instead of the probe's own environment.
    :arg shown: the command as an error names it, where its arguments are not for everybody.
    :arg limit: seconds that it may take, 12 by default.
    :arg remedy: what helps where it takes longer.
    :arg given: its standard input, up to 4 KiB.

    Raises ProbeError when it is not installed (naming `package`), takes longer than `limit` or says more than 64 MiB.
    """
    limit = _COMMAND_LIMIT if limit is None else limit
    shown = shown or " ".join(arguments)
    path = shutil.which(arguments[0], path=_PATH)
    if path is None:
        raise ProbeError("%s is not installed" % arguments[0], "apt-get install %s" % package if package else "")
    environment = dict(os.environ if environment is None else environment, LC_ALL="C", PATH=_PATH)
    try:
        status, out, err = run(path, arguments, environment=environment, limit=limit, user=user, given=given.encode())
    except CommandHungError:
        raise ProbeError("`%s` gave no answer within %.3g s" % (shown, limit), remedy) from None
    except CommandTooLongError:
        raise ProbeError("`%s` said more than a probe reads" % shown) from None
    return status, out.decode(errors="replace"), err.decode(errors="replace")


def output_of(
    arguments: t.Sequence[str],
    *,
    accept: t.Sequence[int] = (0,),
    package: str = "",
    user: str = "",
    refuse: str = "",
    environment: t.Optional[t.Mapping[str, str]] = None,
    given: str = "",
) -> str:
    """Standard output of a command, run as `finished` does.

    Raises ProbeError as that does, and when the command ends with a status that is not in `accept`, or has `refuse` among
    its warnings.
    """
    shown = " ".join(arguments)
    status, out, err = finished(arguments, package=package, user=user, environment=environment, given=given)
    if status not in accept:
        said = (err or out).strip().splitlines()
        raise ProbeError("`%s` ended with status %d: %s" % (shown, status, said[-1] if said else "no message"))
    for line in err.splitlines() if refuse else ():
        if refuse in line:
            raise ProbeError("`%s` did not see everything: %s" % (shown, line.strip()))
    return out


def read_text(path: str, *, missing: t.Optional[str] = None) -> str:
    """Text of the file at `path`; `missing` where there is none. Raises ProbeError when it cannot be read."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except FileNotFoundError:
        if missing is not None:
            return missing
        raise ProbeError("%s does not exist" % path) from None
    except OSError as error:
        raise ProbeError("cannot read %s: %s" % (path, error.strerror)) from None
