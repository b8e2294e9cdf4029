# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The items of the catalogue that the module firewall_check asks. Pure."""

from __future__ import annotations

import typing as t

from ._check import Check
from ._expect import Expectation
from ._exposure import ANY

__all__ = ["checks_of"]

Options = t.Mapping[str, t.Any]

_NONE: Expectation = {"empty": True}
_OPEN: Expectation = {"contains": [ANY]}
_UFW = "apply the role gonogo.preflight.ufw"
_FAIL2BAN = "apply the role gonogo.preflight.fail2ban"
_EXPOSURE = "declare the port, or stop what listens on it (ss -ltunp), then apply the role gonogo.preflight.ufw"
_PUBLIC = {80: "fw.http80", 443: "fw.https443"}


def checks_of(options: Options) -> list[Check]:
    """What the options of the module ask: the firewall always, ports of the web where they are open to all, jails where they are named."""
    return [*_firewall(options), *_public(options), *(_jails(options) if options["jails"] else ())]


def _firewall(options: Options) -> list[Check]:
    on: Expectation = {"equals": {"active": True, "boot": True, "incoming": "deny", "bypassed": []}}
    exposure = {"fact": "disagreements", "rules": options["rules"], "networks": options["container_networks"]}
    return [
        Check("fw.ufw.enabled", "ufw", {"fact": "state"}, on, mend=_UFW),
        Check("fw.ufw.logging", "ufw", {"fact": "logging"}, {"equals": options["logging"]}, option="logging", mend=_UFW),
        Check("fw.ufw.sysctl", "ufw", {"fact": "sysctl"}, _NONE, mend=_UFW),
        Check("net.exposure.reviewed", "exposure", exposure, _NONE, option="rules", mend=_EXPOSURE),
    ]


def _public(options: Options) -> list[Check]:
    ports = sorted({rule["port"] for rule in options["rules"] if rule["source"] == ANY and rule["protocol"] == "tcp"})
    return [Check(_PUBLIC[port], "ufw", {"fact": "port", "port": port}, _OPEN, option="rules", mend=_UFW) for port in ports if port in _PUBLIC]


def _jails(options: Options) -> list[Check]:
    asked = {"fact": "jails", "jails": options["jails"], "max_retries": options["max_retries"]}
    return [Check("fw.fail2ban", "fail2ban", asked, _NONE, option="jails", mend=_FAIL2BAN)]
