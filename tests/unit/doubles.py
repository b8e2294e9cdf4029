# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Doubles of systemctl and journalctl: programs of those names that answer from a file, in the words of the real ones."""

from __future__ import annotations

import json
import pathlib
import sys

SYSTEMCTL = """#!%s -ES
import json, sys
state = json.load(open(%r))
assert sys.argv[1] == "show", sys.argv
assert sys.argv[-2] == "--", sys.argv
absent = {"LoadState": "not-found", "ActiveState": "inactive", "SubState": "dead", "Result": "success", "ExecMainStatus": "0"}
unit = state["units"].get(sys.argv[-1], absent)
if unit == "broken":
    sys.exit("Failed to connect to bus: Connection refused")
for word in sys.argv[2:-2]:
    name = word.partition("=")[2]
    values = unit.get(name, [] if name.startswith("Timers") else "")
    for value in values if isinstance(values, list) else [values]:
        print(name + "=" + value)
"""

JOURNALCTL = """#!%s -ES
import json, sys
state = json.load(open(%r))
if state.get("refuses"):
    sys.exit(state["refuses"])
if state.get("warns"):
    print(state["warns"], file=sys.stderr)
entries, last = state["journal"], None
for word in sys.argv[1:]:
    name, _equals, value = word.partition("=")
    if name == "--since":
        entries = [one for one in entries if int(one["__REALTIME_TIMESTAMP"]) >= float(value[1:]) * 1e6]
    elif name == "--until":
        entries = [one for one in entries if int(one["__REALTIME_TIMESTAMP"]) <= float(value[1:]) * 1e6]
    elif name == "--unit":
        entries = [one for one in entries if one.get("_SYSTEMD_UNIT") == value]
    elif name == "--lines" or word.isdigit():
        last = int(value or word)
    elif name.isupper():
        entries = [one for one in entries if one.get(name) == value]
for one in entries[-last:] if last else entries:
    print(json.dumps(one))
"""


class Systemd:
    """The state that the doubles tell of; each change is seen by the next command."""

    def __init__(self, directory: pathlib.Path) -> None:
        self._file = directory / "state.json"
        self._state: dict = {"units": {}, "journal": []}
        for name, source in (("systemctl", SYSTEMCTL), ("journalctl", JOURNALCTL)):
            program = directory / name
            program.write_text(source % (sys.executable, str(self._file)))
            program.chmod(0o755)
        self._write()

    def _write(self) -> None:
        self._file.write_text(json.dumps(self._state))

    def unit(self, name: str, **properties: object) -> None:
        known = {"LoadState": "loaded", "ActiveState": "inactive", "SubState": "dead", "Result": "success", "ExecMainStatus": "0"}
        self._state["units"][name] = {**known, **properties}
        self._write()

    def broken(self, name: str) -> None:
        self._state["units"][name] = "broken"
        self._write()

    def entry(self, moment: float, message: object = "", **fields: str) -> None:
        self._state["journal"].append({"__REALTIME_TIMESTAMP": "%d" % (moment * 1e6), "MESSAGE": message, **fields})
        self._write()

    def say(self, **words: str) -> None:
        self._state.update(words)
        self._write()
