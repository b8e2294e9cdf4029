# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""fail2ban: the jails that run, asked of the server itself (an active unit with a dead jail bans nobody)."""

from __future__ import annotations

import re
import shutil
import typing as t

from ._base import Observation, Probe, ProbeError, output_of

__all__ = ["Fail2banProbe", "parse_actions", "parse_jails", "programs_of"]

_SEARCH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

# The program that each of fail2ban's stock ban actions calls; without it the server answers "1" and bans nobody.
_PROGRAMS = {"nftables": "nft", "iptables": "iptables", "ufw": "ufw", "firewallcmd": "firewall-cmd"}


class Fail2banProbe(Probe):
    ARGUMENTS = {
        "fact": {"type": "str", "required": True, "choices": ["jail"]},
        "jail": {"type": "str", "required": True},
    }

    def fact_jail(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        """{"running": whether the server runs the jail, "can_ban": whether its action's program is installed}."""
        jail = arguments["jail"]
        try:
            actions = parse_actions(output_of(["fail2ban-client", "get", jail, "actions"], package="fail2ban"))
        except ProbeError:
            # No server, or no such jail.
            jails = parse_jails(output_of(["fail2ban-client", "status"], package="fail2ban"))
            if jail in jails:
                raise
            return Observation({"running": False, "can_ban": False}, "jails running: %s" % (", ".join(jails) or "none"))
        programs = programs_of(actions)
        missing = [program for program in programs if not shutil.which(program, path=_SEARCH)]
        evidence = "ban action %s" % (", ".join(actions) or "none")
        if missing:
            evidence += ", whose program %s is not installed" % ", ".join(missing)
        return Observation({"running": True, "can_ban": bool(programs) and not missing}, evidence)


def parse_jails(text: str) -> list[str]:
    """The jail list of `fail2ban-client status`."""
    match = re.search(r"Jail list:[ \t]*(.*)", text)
    if not match:
        raise ProbeError("fail2ban-client status has no jail list")
    return [jail.strip() for jail in match.group(1).split(",") if jail.strip()]


def parse_actions(text: str) -> list[str]:
    """The action names of `fail2ban-client get JAIL actions`: the line below the heading; none where it says so."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if len(lines) == 2 and lines[0].endswith("has the following actions:"):
        return [name.strip() for name in lines[1].split(",")]
    if len(lines) == 1 and lines[0].startswith("No actions for jail"):
        return []
    raise ProbeError("fail2ban-client does not say which actions the jail has")


def programs_of(actions: t.Sequence[str]) -> list[str]:
    """The programs that the ban actions among `actions` call; the others only tell somebody.

    Raises ProbeError when it knows none of them: whether they ban cannot be told.
    """
    found = [program for action in actions for prefix, program in _PROGRAMS.items() if action.startswith(prefix)]
    if actions and not found:
        raise ProbeError("the program of ban action %s is not known" % ", ".join(actions))
    return found
