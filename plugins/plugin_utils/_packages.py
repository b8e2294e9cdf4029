# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Packages that a role needs: which of them dpkg has, and what to say where the others cannot be had. Pure."""

from __future__ import annotations

import re
import shlex
import typing as t

__all__ = ["ENVIRONMENT", "UPDATE", "OutageError", "failure", "installed", "is_of_sources", "is_unlisted", "question"]

# Ubuntu's needrestart, which apt calls in the end, restarts what runs with old files since 24.04, or asks: it is to do neither.
# https://discourse.ubuntu.com/t/needrestart-changes-in-ubuntu-24-04-service-restarts/44671
ENVIRONMENT = {"NEEDRESTART_MODE": "l", "NEEDRESTART_SUSPEND": "1"}


UPDATE = "timeout 60 apt-get -q update 2>&1 | grep -E '^[EW]:' | head -n 3"
"""What apt itself says of sources that cannot be reached, which the module `apt` leaves out where python-apt has no words for it."""


_REACH = (
    "Try `apt-get update` on the host; where it cannot reach its package sources (/etc/apt), name a mirror that it can reach under os_apt_mirror in the"
    " inventory, or a proxy under os_apt_proxy, and provision with --tags os, or bring the packages by hand (`dpkg -i`); then run this again."
)


class OutageError(Exception):
    """dpkg cannot be asked; the message says what it answered."""


def question(names: t.Sequence[str]) -> str:
    """The command that `installed` reads."""
    return shlex.join(["dpkg-query", "--show", "--showformat", "${db:Status-Abbrev}${Package}\\n", *names])


def installed(status: int, output: str, errors: str) -> set[str]:
    """Names of the packages that are installed, held ones too, out of the answer to `question`.

    dpkg-query ends with 1 where it does not know one of the names, and with 2 where it cannot look (dpkg-query(1), EXIT STATUS).

    :raises OutageError: where it could not look.
    """
    if status not in (0, 1):
        raise OutageError("`dpkg-query` ended with %d: %s" % (status, errors.strip() or output.strip()))
    rows = [line.split() for line in output.splitlines()]
    return {row[1] for row in rows if len(row) == 2 and row[0] in ("ii", "hi")}


def is_unlisted(message: str) -> bool:
    """Whether apt does not know a package. A dry run does not fetch the lists, and a bare host has none."""
    return "No package matching" in message


def is_of_sources(message: str) -> bool:
    """Whether apt failed as it fetched the lists of its sources."""
    return "apt cache" in message


def _is_outage(message: str) -> bool:
    """Whether sources are out of reach, or have not what is asked; a full disk and a lock that another apt holds are neither."""
    return (is_of_sources(message) and not re.search(r"\block\b", message)) or is_unlisted(message) or "Failed to fetch" in message


def failure(missing: t.Sequence[str], message: str) -> str:
    """What to say where apt did not install `missing`; addresses of sources may have a password in them."""
    said = re.sub(r"//[^/\s@]+@", "//********@", message).strip() or "no message"
    mend = _REACH if _is_outage(message) else "Mend that on the host, and run this again."
    return "%s could not be installed, and what runs was left alone: %s -- %s" % (", ".join(missing), said, mend)
