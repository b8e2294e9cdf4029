# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Running programs, saying what happens, and stopping with a clear message."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
STATE = CHECKOUT / ".lab"

_started = time.monotonic()


class LabError(Exception):
    """Something is missing or broken; the text says what, and how to mend it."""


def say(text: str) -> None:
    print(f"[{time.monotonic() - _started:6.1f} s] {text}", flush=True)


def run(command: Sequence[str], *, stdin: str | None = None, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run a program to its end with its output captured; raise LabError when it fails and `check` is set."""
    done = subprocess.run(
        command,
        input=stdin,
        stdin=subprocess.DEVNULL if stdin is None else None,
        capture_output=True,
        text=True,
        check=False,
    )
    if check and done.returncode != 0:
        output = (done.stderr.strip() or done.stdout.strip())[-2000:]
        raise LabError(f"`{' '.join(command[:8])}` ended with status {done.returncode}:\n{output}")
    return done


def wait_for(what: str, ready: Callable[[], bool], *, seconds: float, evidence: Callable[[], str] = str) -> None:
    """Ask `ready` until it is true; after `seconds` raise LabError with what `evidence` says."""
    limit = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > limit:
            raise LabError(f"{what} is not ready after {seconds:.0f} s.\n{evidence()}".rstrip())
        time.sleep(0.1)


def find_program(name: str) -> str | None:
    """Like `which`, and also in the administrator's directories, which a plain user's PATH lacks."""
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/local/sbin:/usr/sbin:/sbin")
