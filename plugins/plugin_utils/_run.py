# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The directory of one run: what was asked, what was answered, what came of it.

Answers never travel in variables or facts: an extra variable replaces a registered one, and a fact cache serves
yesterday's. They are files of this run, whose name comes from the process that runs the playbook and from nothing
that a variable can set.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import time
import typing as t
from dataclasses import asdict, dataclass

from ..module_utils._verdict import Question

__all__ = ["Provision", "Run", "reports_directory"]


def _process_started(pid: int) -> float:
    """When process `pid` began, whole seconds since the epoch."""
    try:
        with open("/proc/%d/stat" % pid, encoding="ascii", errors="replace") as stat:
            ticks = int(stat.read().rpartition(")")[2].split()[19])
        with open("/proc/stat", encoding="ascii") as stat:
            boot = next(int(line.split()[1]) for line in stat if line.startswith("btime "))
        return float(boot + ticks // os.sysconf("SC_CLK_TCK"))
    except OSError:
        shown = subprocess.run(["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, check=True, env={"LC_ALL": "C"})
        return time.mktime(time.strptime(" ".join(shown.stdout.decode().split())))


def reports_directory(config_file: t.Optional[str]) -> str:
    """Where the runs are kept: `reports` beside the ansible.cfg in use, or in the working directory."""
    return os.path.join(os.path.dirname(config_file) if config_file else os.getcwd(), "reports")


def write_json(path: str, data: t.Any) -> None:
    write_text(path, json.dumps(data, indent=1, sort_keys=False) + "\n")


def write_text(path: str, text: str) -> None:
    """Write whole or not at all; readable by the owner alone."""
    descriptor, temporary = tempfile.mkstemp(dir=os.path.dirname(path), prefix=".writing-")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def _read_json(path: str) -> t.Any:
    with open(path, encoding="utf-8") as file:
        return json.load(file)


@dataclass(frozen=True)
class Provision:
    """How far provisioning one host has come: begun, finished, or failed at `task`."""

    host: str
    state: str
    task: str = ""
    message: str = ""


class Run:
    """The run of the playbook process `pid`.

    :ivar started: when it began, seconds since the epoch.
    """

    def __init__(self, reports: str, pid: int) -> None:
        self.started = _process_started(pid)
        self.id = "%s-%d" % (time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(self.started)), pid)
        self.reports = reports
        self.directory = os.path.join(reports, self.id)

    def path(self, *names: str) -> str:
        """The path of a file of this run; its directory is made where it is missing."""
        path = os.path.join(self.directory, *names)
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        return path

    @property
    def exists(self) -> bool:
        return os.path.isdir(self.directory)

    def link_latest(self) -> None:
        """Let `reports/latest` name this run."""
        temporary = os.path.join(self.reports, ".latest-%s" % self.id)
        os.symlink(self.id, temporary)
        os.replace(temporary, os.path.join(self.reports, "latest"))

    def put_answers(self, host: str, door: str, vantage: str, answers: t.Sequence[t.Mapping[str, t.Any]]) -> None:
        write_json(self.path("spool", "%s.%s.%s.json" % (host, door, vantage)), {"run": self.id, "answers": list(answers)})

    def answers(self) -> list[t.Mapping[str, t.Any]]:
        """Every answer in this run's spool; a file of another run, or one that cannot be read, is no answer."""
        found: list[t.Mapping[str, t.Any]] = []
        for document in self._documents("spool"):
            if document.get("run") == self.id:
                found.extend(answer for answer in document.get("answers", []) if isinstance(answer, dict))
        return found

    def _documents(self, name: str) -> t.Iterator[dict[str, t.Any]]:
        directory = os.path.join(self.directory, name)
        for entry in sorted(os.listdir(directory)) if os.path.isdir(directory) else []:
            if not entry.endswith(".json"):
                continue
            try:
                document = _read_json(os.path.join(directory, entry))
            except (OSError, ValueError):
                continue
            if isinstance(document, dict):
                yield document

    def put_questions(self, questions: t.Sequence[Question], context: t.Mapping[str, t.Any]) -> None:
        """Keep what is asked, so that a report can be written also when the run dies."""
        write_json(self.path("questions.json"), {"context": dict(context), "questions": [asdict(one) for one in questions]})

    def questions(self) -> tuple[list[Question], dict[str, t.Any]]:
        """(questions, context) as put; empty when none were."""
        try:
            document = _read_json(os.path.join(self.directory, "questions.json"))
        except OSError:
            return [], {}
        return [Question(**one) for one in document["questions"]], document["context"]

    def put_provision(self, record: Provision) -> None:
        write_json(self.path("provision", "%s.json" % record.host), asdict(record))

    def provisions(self) -> list[Provision]:
        return [Provision(**document) for document in self._documents("provision")]

    def put_event(self, name: str, data: t.Mapping[str, t.Any]) -> None:
        """Keep what an action did: "gate.start", "release.<host>", "confirm.<host>"."""
        write_json(self.path("events", name + ".json"), dict(data, at=time.time()))

    def events(self, prefix: str) -> list[dict[str, t.Any]]:
        """What actions did, for the names that begin with `prefix`, oldest first."""
        found = []
        directory = os.path.join(self.directory, "events")
        for entry in os.listdir(directory) if os.path.isdir(directory) else []:
            if entry.startswith(prefix):
                found.append(dict(_read_json(os.path.join(directory, entry)), name=entry[: -len(".json")]))
        return sorted(found, key=lambda event: float(event["at"]))
