# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The directory of one run: what was asked, what was answered, what came of it.

Answers never travel in variables or facts: an extra variable replaces a registered one, and a fact cache serves
yesterday's. They are files of this run, whose name comes from the process that runs the playbook and from nothing
that a variable can set.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import subprocess
import tempfile
import time
import typing as t
import urllib.parse
from dataclasses import asdict, dataclass

from ..module_utils._comparison import well_formed
from ..module_utils._verdict import Question

__all__ = ["Provision", "Run", "forget_fingerprints_of_the_dead", "reports_directory"]

_FINGERPRINTS = "fingerprints"
_COMPARED = "compared"


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


def run_name(started: float, pid: int) -> str:
    """The name of the run that process `pid` began at `started`, seconds since the epoch; by name, runs are in order."""
    return "%s-%d" % (time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(started)), pid)


def forget_fingerprints_of_the_dead(reports: str) -> None:
    """Remove the fingerprints that killed runs left behind, as far as they can be removed, and nothing else of those runs."""
    for name in os.listdir(reports) if os.path.isdir(reports) else ():
        directory = os.path.join(reports, name, _FINGERPRINTS)
        # `latest` is a link to a run that may be this one.
        if not os.path.islink(os.path.join(reports, name)) and os.path.isdir(directory) and not _plays(name):
            shutil.rmtree(directory, ignore_errors=True)


def _plays(name: str) -> bool:
    """Whether the process of the run `name` is alive."""
    pid = name.rpartition("-")[2]
    try:
        return run_name(_process_started(int(pid)), int(pid)) == name
    except (ValueError, OSError, subprocess.CalledProcessError):
        return False


def write_json(path: str, data: t.Any) -> None:
    write_text(path, json.dumps(data, indent=1, sort_keys=False) + "\n")


def write_text(path: str, text: str, *, mode: int = 0o600) -> None:
    """Write whole or not at all; readable by the owner alone, unless `mode` says otherwise."""
    descriptor, temporary = tempfile.mkstemp(dir=os.path.dirname(path), prefix=".writing-")
    try:
        # What a host sent may hold half a character (a lone surrogate), which must not cost the whole report.
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(text)
            os.fchmod(file.fileno(), mode)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def _read_mapping(path: str) -> dict[str, t.Any]:
    """The mapping in a JSON file; raises ValueError when it cannot be read or holds something else."""
    try:
        with open(path, encoding="utf-8") as file:
            document = json.load(file)
    except (OSError, RecursionError) as error:
        raise ValueError(str(error)) from None
    if not isinstance(document, dict):
        raise ValueError("no mapping")
    return document


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
        self.id = run_name(self.started, pid)
        self.reports = reports
        self.directory = os.path.join(reports, self.id)

    def path(self, *names: str) -> str:
        """The path of a file of this run; its directory is made where it is missing."""
        # A host may be called what no file can be.
        path = os.path.join(self.directory, *(urllib.parse.quote(name, safe="") for name in names))
        # One by one: makedirs gives its mode to the last directory alone.
        for directory in (self.reports, self.directory, os.path.dirname(path)):
            os.makedirs(directory, mode=0o700, exist_ok=True)
        return path

    @property
    def exists(self) -> bool:
        return os.path.isdir(self.directory)

    def link_latest(self) -> None:
        """Let `reports/latest` name this run."""
        temporary = os.path.join(self.reports, ".latest-%s" % self.id)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        os.symlink(self.id, temporary)
        os.replace(temporary, os.path.join(self.reports, "latest"))

    def put_answers(self, host: str, door: str, vantage: str, answers: t.Sequence[t.Mapping[str, t.Any]]) -> None:
        write_json(self.path("spool", "%s.%s.%s.json" % (host, door, vantage)), {"run": self.id, "answers": list(answers)})

    def forget_answers(self) -> None:
        """Drop every answer: what a host said of itself, or saw of another, no longer holds once one is being changed."""
        for path in [path for name in ("spool", _FINGERPRINTS, _COMPARED) for path in self._files(name)]:
            # Another host's action may be dropping the same file.
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)

    def answers(self) -> list[t.Mapping[str, t.Any]]:
        """Every answer in this run's spool; a file of another run, or one that cannot be read, is no answer."""
        return self._listed("spool", "answers")

    def put_fingerprints(self, host: str, door: str, vantage: str, fingerprints: t.Sequence[t.Mapping[str, str]]) -> None:
        """Keep the fingerprints of secrets apart from the answers, until they are settled."""
        if fingerprints:
            path = self.path(_FINGERPRINTS, "%s.%s.%s.json" % (host, door, vantage))
            write_json(path, {"run": self.id, "fingerprints": list(fingerprints)})

    def fingerprints(self) -> list[t.Mapping[str, t.Any]]:
        """What there is to compare: fingerprints, and what was kept of those that are settled."""
        return [*self._listed(_FINGERPRINTS, "fingerprints"), *self._listed(_COMPARED, "fingerprints")]

    def settle_fingerprints(self) -> None:
        """Remove the fingerprints, and keep which of them are equal: numbers take their place, and can be compared with no later ones."""
        directory = os.path.join(self.directory, _FINGERPRINTS)
        if not os.path.isdir(directory):
            return
        keys: dict[str, str] = {}
        numbers: dict[tuple[str, str, str], str] = {}
        try:
            kept = []
            for one in filter(well_formed, self._listed(_FINGERPRINTS, "fingerprints")):
                number = numbers.setdefault((one["item"], one["key"], one["label"]), str(len(numbers) + 1))
                kept.append(dict(one, key=keys.setdefault(one["key"], secrets.token_hex(8)), label=number))
            write_json(self.path(_COMPARED, secrets.token_hex(8) + ".json"), {"run": self.id, "fingerprints": kept})
        finally:
            shutil.rmtree(directory)

    def _listed(self, directory: str, key: str) -> list[t.Mapping[str, t.Any]]:
        """The mappings listed under `key` in the files of this run in `directory`."""
        found: list[t.Mapping[str, t.Any]] = []
        for path in self._files(directory):
            try:
                document = _read_mapping(path)
            except ValueError:
                continue
            entries = document.get(key)
            if document.get("run") == self.id and isinstance(entries, list):
                found.extend(entry for entry in entries if isinstance(entry, dict))
        return found

    def _files(self, name: str, prefix: str = "") -> list[str]:
        directory = os.path.join(self.directory, name)
        entries = sorted(os.listdir(directory)) if os.path.isdir(directory) else []
        return [os.path.join(directory, entry) for entry in entries if entry.startswith(prefix) and entry.endswith(".json")]

    def put_questions(self, questions: t.Sequence[Question], context: t.Mapping[str, t.Any]) -> None:
        """Keep what is asked, so that a report can be written also when the run dies."""
        write_json(self.path("questions.json"), {"context": dict(context), "questions": [asdict(one) for one in questions]})

    def questions(self) -> tuple[list[Question], dict[str, t.Any]]:
        """(questions, context) as put; empty when none were, or they cannot be read."""
        try:
            document = _read_mapping(os.path.join(self.directory, "questions.json"))
            questions = [Question(**dict(one, provenance=tuple(map(tuple, one["provenance"])))) for one in document["questions"]]
            return questions, dict(document["context"])
        except (ValueError, KeyError, TypeError):
            return [], {}

    def put_provision(self, record: Provision) -> None:
        write_json(self.path("provision", "%s.json" % record.host), asdict(record))

    def provisions(self) -> list[Provision]:
        """How far each host has come; a record that cannot be read is one of a host that did not finish."""
        found = []
        for path in self._files("provision"):
            try:
                found.append(Provision(**_read_mapping(path)))
            except (ValueError, TypeError):
                found.append(Provision(_name(path), "unreadable"))
        return found

    def put_event(self, name: str, data: t.Mapping[str, t.Any]) -> None:
        """Keep what an action did: "gate.start", "release.<host>", "confirm.<host>"."""
        write_json(self.path("events", name + ".json"), dict(data, at=time.time()))

    def events(self, prefix: str) -> list[dict[str, t.Any]]:
        """What actions did, for the names that begin with `prefix`, oldest first; "outcome" unreadable where it cannot be read."""
        found = []
        for path in self._files("events", prefix):
            name = _name(path)
            try:
                event = _read_mapping(path)
            except ValueError:
                host = name[len(prefix) :]
                event = {"host": host, "outcome": "unreadable", "message": "the record of this action cannot be read", "at": 0.0}
            found.append(dict(event, name=name))
        return sorted(found, key=lambda event: float(event["at"]))


def _name(path: str) -> str:
    return urllib.parse.unquote(os.path.basename(path)[: -len(".json")])
