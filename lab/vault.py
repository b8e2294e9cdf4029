# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's passwords: made once, kept only in a file that ansible-vault has encrypted; every inventory of lab hosts has them."""

from __future__ import annotations

import os
import secrets
import string

from shell import CHECKOUT, STATE, LabError, run, say

PASSWORD = STATE / "vault_password"
SECRETS = CHECKOUT / "inventories/lab/group_vars/all/secrets.yml"

# Other shapes of the same fleet share its variables. Links to directories are not allowed in a collection, so git has none.
LINKS = tuple(CHECKOUT / "inventories" / shape / "group_vars" for shape in ("fleet", "one"))

_NAMES = ("postgresql_password", "redis_password")
_LENGTH = 40


def ensure() -> None:
    for link in LINKS:
        if not link.is_symlink():
            link.symlink_to("../lab/group_vars")
    if PASSWORD.exists() and SECRETS.exists():
        return
    ansible_vault = CHECKOUT / ".venv/bin/ansible-vault"
    if not ansible_vault.exists():
        raise LabError(f"{ansible_vault} does not exist; `make setup` makes it.")
    with open(PASSWORD, "w", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
        file.write(_random() + "\n")
    plain = "---\n" + "".join(f"{name}: {_random()}\n" for name in _NAMES)
    # The password file is the one that ansible.cfg names.
    configured = ["env", f"ANSIBLE_CONFIG={CHECKOUT / 'ansible.cfg'}", str(ansible_vault)]
    SECRETS.parent.mkdir(parents=True, exist_ok=True)
    SECRETS.unlink(missing_ok=True)
    run([*configured, "encrypt", "--encrypt-vault-id", "default", "--output", str(SECRETS), "-"], stdin=plain)
    say(f"New passwords for the lab: {SECRETS.relative_to(CHECKOUT)}, encrypted with {PASSWORD.relative_to(CHECKOUT)}")


def remove() -> None:
    for made in (SECRETS, *LINKS):
        made.unlink(missing_ok=True)


def _random() -> str:
    return "".join(secrets.choice(string.ascii_letters + string.digits) for _letter in range(_LENGTH))
