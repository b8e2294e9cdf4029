# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make a home directory in which ansible-test can fill its virtual environments from a package index alone.

ansible-test downloads pip's bootstrap program from a site of its own, and passes no PIP_* variable on. Python carries a pip:
a program of the expected name installs that one, and the pip settings of this machine are written to the home's pip.conf.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

from ansible_test._internal.python_requirements import get_venv_packages

BOOTSTRAP = """\
import subprocess
import sys

subprocess.run([sys.executable, "-m", "ensurepip", "--default-pip"], stdout=subprocess.DEVNULL, check=True)
words = [word for word in sys.argv[1:] if word not in ("--no-setuptools", "--no-wheel")]
sys.exit(subprocess.run([sys.executable, "-m", "pip", "install", *words]).returncode)
"""


def pip_settings() -> dict[str, str]:
    """What pip is told on this machine, by files and by the environment."""
    listing = subprocess.run([sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=True).stdout
    found = re.findall(r"^(?:global|install|:env:)\.([\w-]+)=(.*)$", listing, re.MULTILINE)
    return {name: ast.literal_eval(value) for name, value in found}


def main() -> None:
    home = Path(sys.argv[1])
    version = get_venv_packages(SimpleNamespace(version="{}.{}".format(*sys.version_info)))["pip"]
    bootstrap = home / f".ansible/test/cache/get_pip_{version.replace('.', '_')}.py"
    bootstrap.parent.mkdir(parents=True, exist_ok=True)
    bootstrap.write_text(BOOTSTRAP)
    configuration = home / ".config/pip/pip.conf"
    configuration.parent.mkdir(parents=True, exist_ok=True)
    settings = {**pip_settings(), "quiet": "2"}
    lines = (f"{name} = {' '.join(value.split())}\n" for name, value in settings.items())
    configuration.write_text("[global]\n" + "".join(lines))


if __name__ == "__main__":
    main()
