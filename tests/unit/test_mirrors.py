# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/mirrors.md has every variable that says where a role fetches something."""

from __future__ import annotations

import pathlib
import re

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]


def test_the_page_of_mirrors_has_every_place_that_a_role_fetches_from():
    fetched = {}
    for file in (ROOT / "roles").glob("*/defaults/main.yml"):
        names = yaml.safe_load(file.read_text(encoding="utf-8")) or {}
        fetched.update({name: file.parts[-3] for name in names if re.search(r"_(archive|index|key|mirror|proxy)$", name)})
    table = [line for line in (ROOT / "docs" / "mirrors.md").read_text(encoding="utf-8").splitlines() if line.startswith("| ")][1:]
    assert {"docker_vendor_mirror", "docker_vendor_key", "os_apt_mirror", "drift_index"} <= set(fetched)
    for name, role in fetched.items():
        assert any("`%s`" % name in line and line.endswith("| `%s` |" % role) for line in table), name
