# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The program of the drift timer: provisions in check mode, verifies, and keeps, tells and measures what came of it.

run     one run; ends with 0 when green, 1 when something drifted, 2 when something is not known
settle  closes a run that died, so that it is not taken for the green one before it; for systemd
prove   log in everywhere, ask for nothing else; 0 when every host was reached
status  what the last run found
"""

from __future__ import annotations

import contextlib
import fcntl
import itertools
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import typing as t
from dataclasses import dataclass

from ._drift import GREEN, INCOMPLETE, died, metrics, summary, was_asked
from ._drift_text import LONGEST, text
from ._moment import stamp
from ._run import run_name, write_json, write_text

CONFIGURATION = "/etc/gonogo-drift/drift.json"
_CODES = {GREEN: 0, INCOMPLETE: 2}
_DRIFTED = 1
_RESULTS = {
    "timeout": "it was stopped after the limit of {limit} s",
    "signal": "it was killed by a signal",
    "core-dump": "it crashed",
    "oom-kill": "the kernel killed it for lack of memory",
    "exit-code": "it ended before its time; see journalctl -u gonogo-drift",
}

Data = t.Dict[str, t.Any]


@dataclass(frozen=True)
class Control:
    """What the role has set up on this host.

    :ivar project: link to the directory that holds inventory, policy, checklists and the collection.
    :ivar collection: version of that collection.
    :ivar state: directory that keeps the runs.
    :ivar programs: directory of ansible-playbook.
    :ivar limit: seconds after which systemd stops a run.
    """

    environment: str
    inventory: str
    project: str
    collection: str
    configuration: str
    state: str
    metrics: str
    programs: str
    keep: int
    limit: int

    def path(self, *names: str) -> str:
        return os.path.join(self.state, *names)

    def held(self) -> Data:
        """Which state of the project the fleet is held against, and since when it is here."""
        try:
            since, place = os.lstat(self.project).st_mtime, os.readlink(self.project)
        except OSError:  # Whoever took it away must not keep a run from being closed.
            since, place = 0.0, "none"
        return {"fingerprint": os.path.basename(place), "collection": self.collection, "since": since}

    def last(self, name: str) -> Data:
        """The summary of the last run ("last"), or of the last green one ("green"); {} where none can be read."""
        return _read(self.path(name + ".json"))

    def running(self) -> Data:
        """What was noted of the run that has begun and not ended; {} where there is none."""
        return _read(self.path("running.json"))


@dataclass(frozen=True)
class Played:
    """One finished run of ansible-playbook; `report` is its directory below reports/, "" where it made none."""

    name: str
    code: int
    report: str
    log: str

    def read(self, name: str) -> Data:
        return _read(os.path.join(self.report, name)) if self.report else {}

    def errors(self) -> list[str]:
        """The first error that Ansible has shown, or each of the mistakes that it lists below."""
        with open(self.log, encoding="utf-8", errors="replace") as log:
            lines = itertools.dropwhile(lambda line: not line.startswith(("[ERROR]", "ERROR!", "fatal:")), map(str.rstrip, log))
            first = next(lines, "no error was shown")
            listed = [line[2:] for line in itertools.takewhile(lambda line: line.startswith("- "), lines)]
        return [line[:LONGEST] for line in listed or [first]]


def _read(path: str) -> Data:
    try:
        with open(path, encoding="utf-8") as file:
            document = json.load(file)
    except (OSError, ValueError):
        return {}
    return document if isinstance(document, dict) else {}


def main(arguments: t.Sequence[str]) -> int:
    commands: dict[str, t.Callable[[Control], int]] = {"run": run, "settle": settle, "prove": prove, "status": status}
    if len(arguments) != 1 or arguments[0] not in commands:
        print(__doc__, file=sys.stderr)
        return 64
    os.umask(0o077)
    with open(CONFIGURATION, encoding="utf-8") as file:
        control = Control(**json.load(file))
    return commands[arguments[0]](control)


def run(control: Control) -> int:
    with _locked(control) as mine:
        if not mine:
            other = control.running()
            print("another drift run is going on%s; this one ends and changes nothing" % (" since " + stamp(other["started"]) if other else ""))
            return 0
        _close(control, "nothing was left of it when the next run began")
        began = _begin(control)
        found = _look(control, began)
        _keep(control, found)
        _prune(control)
        _say(text(found))
        return _CODES.get(found["state"], _DRIFTED)


def settle(control: Control) -> int:
    """Close a run that died; systemd says how in the environment, and at boot nothing."""
    # MONITOR_...: what a unit sees that systemd starts because another one failed.
    result = os.environ.get("SERVICE_RESULT") or os.environ.get("MONITOR_SERVICE_RESULT", "")
    with _locked(control) as mine:
        if not mine:
            return 0
        invocation = os.environ.get("MONITOR_INVOCATION_ID") or os.environ.get("INVOCATION_ID", "")
        if result not in ("", "success") and not control.running() and control.last("last").get("invocation") != invocation:
            _begin(control)  # It died before it could note that it began.
        _close(control, _RESULTS.get(result, "the control host went down, or systemd could not run it (%s)" % result).format(limit=control.limit))
    return 0


def prove(control: Control) -> int:
    with tempfile.TemporaryDirectory(dir=control.state) as directory:
        played = _play(control, directory, "provision", "--check", "--tags", "always")
        reasons = _unknown(control, played)
    for reason in reasons:
        print("not reached: %s" % reason)
    return 2 if reasons else 0


def status(control: Control) -> int:
    last, running = control.last("last"), control.running()
    if running:
        print("a run has begun at %s" % stamp(running["started"]))
    if not last:
        print("%s: no run has ended yet" % control.environment)
        return _CODES[INCOMPLETE]
    print("run %s, ended %s" % (last["run"], stamp(last["ended"])))
    print("\n".join(line for _needs, line in text(last)))
    held = control.held()
    if held != last.get("project"):
        print("  since then project %s was brought, %s, collection %s" % (held["fingerprint"], stamp(held["since"]), held["collection"]))
    return _CODES.get(last["state"], _DRIFTED)


@contextlib.contextmanager
def _locked(control: Control) -> t.Iterator[bool]:
    """Whether this process is the only one at work on this host."""
    os.makedirs(control.path("runs"), exist_ok=True)
    with open(control.path("lock"), "a", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True


def _begin(control: Control) -> Data:
    """Note that a run begins, where a reader of the metrics and the next start of this program see it."""
    now = time.time()
    name = run_name(now, os.getpid())
    began: Data = {
        "run": name,
        "environment": control.environment,
        "inventory": control.inventory,
        "invocation": os.environ.get("INVOCATION_ID", ""),
        "started": now,
        "kept": control.path("runs", name),
        "project": control.held(),
    }
    os.mkdir(began["kept"])
    write_json(control.path("running.json"), began)
    _measure(control)
    return began


def _look(control: Control, began: Data) -> Data:
    provision = _play(control, began["kept"], "provision", "--check")
    reasons = _unknown(control, provision)
    verify = _play(control, began["kept"], "verify")
    results = verify.read("results.json") or None
    if not results or not was_asked(results):
        told = tuple(reasons)
        reasons += ["nothing was verified: %s" % error for error in verify.errors() if not any(one.endswith(": " + error) for one in told)]
    return summary(
        began,
        time.time(),
        changes=provision.read("changes.json").get("changes", []),
        changes_known=not reasons,
        results=results,
        reasons=reasons,
        green=control.last("green"),
    )


def _play(control: Control, directory: str, name: str, *arguments: str) -> Played:
    """Run a playbook of the collection; its reports and its output stay below `directory`."""
    place = os.path.join(directory, name)
    os.mkdir(place)
    shutil.copy(control.configuration, os.path.join(place, "ansible.cfg"))
    project = os.path.realpath(control.project)
    environment = {
        "PATH": "%s:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" % control.programs,
        "HOME": os.environ.get("HOME", "/root"),
        "LC_ALL": "C.UTF-8",
        "ANSIBLE_CONFIG": os.path.join(place, "ansible.cfg"),
        # Beside what the configuration says: the project that this run began with, also when the role brings another meanwhile.
        "ANSIBLE_COLLECTIONS_PATH": os.path.join(project, "collections"),
        "ANSIBLE_HOME": control.path("ansible"),
        "ANSIBLE_LOCAL_TEMP": os.path.join(place, "tmp"),
    }
    log = os.path.join(place, "output.log")
    command = [os.path.join(control.programs, "ansible-playbook"), "gonogo.preflight." + name, "-i", control.inventory, *arguments]
    with open(log, "wb") as output:
        done = subprocess.run(command, cwd=project, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, check=False)
    reports = os.path.join(place, "reports")
    made = sorted(one for one in os.listdir(reports) if one[0].isdigit()) if os.path.isdir(reports) else []
    return Played(name, done.returncode, os.path.join(reports, made[-1]) if made else "", log)


def _unknown(control: Control, provision: Played) -> list[str]:
    """Why the dry run does not tell everything; empty where it came to its end on every host."""
    document = provision.read("changes.json")
    reasons = ["%s is unreachable: %s" % (host, why[:LONGEST]) for host, why in document.get("unreachable", {}).items()]
    records = os.path.join(provision.report, "provision")
    for entry in sorted(os.listdir(records)) if provision.report and os.path.isdir(records) else []:
        record = provision.read(os.path.join("provision", entry))
        if record.get("state") != "finished" and record.get("host") not in document.get("unreachable", {}):
            reasons.append("%s: check mode stopped at task %r: %s" % (record.get("host"), record.get("task"), record.get("message", "")[:LONGEST]))
    if not reasons and (provision.code or not document):
        reasons = ["provisioning in check mode did not come to its end: %s" % error for error in provision.errors()]
    return reasons


def _close(control: Control, reason: str) -> None:
    """End the run that has begun and not ended, where there is one: as it said itself, or as one that died."""
    began = control.running()
    if not began:
        return
    found = _read(os.path.join(began["kept"], "summary.json")) or died(began, time.time(), "the run died: " + reason, control.last("green"))
    _keep(control, found)
    _say(text(found))


def _keep(control: Control, found: Data) -> None:
    """In this order, so that whoever dies in the middle leaves a run that `_close` ends."""
    write_json(os.path.join(found["kept"], "summary.json"), found)
    write_text(os.path.join(found["kept"], "summary.txt"), "".join("%s\n" % line for _needs, line in text(found, whole=True)))
    write_json(control.path("last.json"), found)
    if found["state"] == GREEN:
        write_json(control.path("green.json"), found)
    _measure(control, ended=True)
    os.unlink(control.path("running.json"))
    for name in ("provision", "verify"):
        shutil.rmtree(os.path.join(found["kept"], name, "tmp"), ignore_errors=True)


def _measure(control: Control, *, ended: bool = False) -> None:
    running = None if ended else control.running().get("started")
    told = metrics(control.last("last"), running_since=running, green=control.last("green"), project=control.held())
    write_text(control.metrics, told, mode=0o644)


def _prune(control: Control) -> None:
    """Runs but the last ones and the last green one; projects that were replaced before the one in use was brought."""
    for name in sorted(os.listdir(control.path("runs")))[: -control.keep]:
        if name != control.last("green").get("run"):
            shutil.rmtree(control.path("runs", name))
    current = os.path.realpath(control.project)
    for entry in os.scandir(os.path.dirname(current)):
        if entry.path != current and entry.is_dir(follow_symlinks=False) and entry.stat().st_mtime < os.stat(current).st_mtime:
            shutil.rmtree(entry.path)


def _say(lines: t.Sequence[tuple[bool, str]]) -> None:
    """The journal takes the priority from the start of a line: error where it needs a person, else informational."""
    in_journal = "JOURNAL_STREAM" in os.environ
    for needs, line in lines:
        print(("<3>" if needs else "<6>") * in_journal + line)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
