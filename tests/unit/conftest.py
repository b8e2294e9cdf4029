# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Unit tests import the collection by its full name, without Ansible and without an installed collection."""

from __future__ import annotations

import atexit
import pathlib
import shutil
import sys
import tempfile

import hypothesis
import pytest

CHECKOUT = pathlib.Path(__file__).resolve().parents[2]
CAPTURED = pathlib.Path(__file__).parent / "captured"


def _name_the_collection() -> None:
    """`ansible_collections.gonogo.preflight` is this checkout, for the child processes of a test too."""
    root = pathlib.Path(tempfile.mkdtemp(prefix="gonogo-collections-"))
    atexit.register(shutil.rmtree, root)
    (root / "ansible_collections" / "gonogo").mkdir(parents=True)
    (root / "ansible_collections" / "gonogo" / "preflight").symlink_to(CHECKOUT)
    sys.path.insert(0, str(root))


_name_the_collection()

# Derandomized, so that a change that breaks nothing cannot fail; no deadline, since the machine may be busy.
hypothesis.settings.register_profile("checkout", deadline=None, derandomize=True, database=None, max_examples=300)
hypothesis.settings.load_profile("checkout")


@pytest.fixture
def captured():
    """The text of a captured output of a real tool, by `<tool>-<version>-<os>-<case>`."""
    return lambda name: (CAPTURED / (name + ".txt")).read_text(encoding="utf-8")
