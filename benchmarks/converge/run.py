"""Measures how long provisioning takes, on a bare host and on one that is as it should be, and writes the tables to docs/benchmarks.md.

A run on the bare host that fails, or one afterwards that changes something, ends the benchmark.
"""

from __future__ import annotations

import argparse
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

from benchmarks.converge.record import OTHER, Record, parse
from benchmarks.verify.fixture import ROOT
from benchmarks.verify.run import DOCUMENT, machine

HERE = pathlib.Path(__file__).parent
HOST, INVENTORY = "lab-watch", "inventories/one"
BEGIN, END = "<!-- begin: written by benchmarks/converge/run.py -->\n", "<!-- end of converge -->"

# What makes a bare host one that may be reached and run containers; the others are services.
HOSTS_AND_ACCESS = [role for role in ("accounts", "os", "ssh", "ufw", "fail2ban", "docker", "hardware") if (ROOT / "roles" / role).is_dir()]
SLOWEST = 10


def lab(*arguments: str) -> None:
    subprocess.run([sys.executable, "lab/lab.py", *arguments], cwd=ROOT, check=True)


def provisioned(*arguments: str) -> Record:
    """One run of provision.yml; ends the benchmark where it fails."""
    command = ["ansible-playbook", "playbooks/provision.yml", "-i", INVENTORY, *arguments]
    with tempfile.NamedTemporaryFile("r", prefix="gonogo-record-", encoding="utf-8") as record:
        environment = {
            **os.environ,
            "GONOGO_RECORD": record.name,
            "ANSIBLE_CALLBACK_PLUGINS": str(HERE),
            "ANSIBLE_CALLBACKS_ENABLED": "gonogo.preflight.board,recorder",
        }
        began = time.monotonic()
        done = subprocess.run(command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        wall = time.monotonic() - began
        if done.returncode:
            raise SystemExit("%s\nended with status %d:\n%s%s" % (" ".join(command), done.returncode, done.stdout, done.stderr))
        return parse(record.read(), wall)


def converged(repetitions: int, *arguments: str) -> list[Record]:
    """Runs on a host that is as it should be; the first is not counted, since it may still see what the bare run could not."""
    found = []
    for repetition in range(-1, repetitions):
        run = provisioned(*arguments)
        if repetition >= 0:
            if run.changed:
                raise SystemExit("a run on a converged host changed %d tasks" % run.changed)
            found.append(run)
        print("no-op%s: round %d of %d, %.1f s" % (" ".join(("", *arguments)), repetition + 1, repetitions, run.wall), flush=True)
    return found


def row(name: str, cold: list[float], warm: list[list[float]], cold_calls: str, warm_calls: str) -> str:
    seconds = [sum(run) for run in warm]
    spread = "%.1f s (%.1f - %.1f)" % (statistics.median(seconds), min(seconds), max(seconds))
    return "| %s | %.1f s | %s | %s | %s |" % (name, sum(cold), cold_calls, spread, warm_calls)


def counted(run: Record, roles: list[str]) -> str:
    """Tasks that asked the host, and the module calls they made."""
    tasks = [task for task in run.of(roles) if task.calls]
    return "%d / %d" % (len(tasks), sum(task.calls for task in tasks))


def by_role(cold: Record, warm: list[Record]) -> list[str]:
    lines = ["| | bare host | tasks / calls | converged host | tasks / calls |", "|---|---|---|---|---|"]
    for name in cold.roles():
        seconds = [[task.seconds for task in run.of([name])] for run in warm]
        calls = counted(cold, [name]), counted(warm[0], [name])
        lines.append(row(name if name == OTHER else "`%s`" % name, [task.seconds for task in cold.of([name])], seconds, *calls))
    calls = counted(cold, cold.roles()), counted(warm[0], warm[0].roles())
    lines.append(row("all, from the command to the prompt", [cold.wall], [[run.wall] for run in warm], *calls))
    return [*lines, ""]


def hosts_and_access(warm: list[Record]) -> list[str]:
    roles = [*HOSTS_AND_ACCESS, OTHER]
    seconds = [run.wall for run in warm]
    said = "**Hosts and access alone** (`--tags %s`), on a converged host: %.1f s from the command to the prompt (%.1f - %.1f), tasks / calls %s."
    return [said % (",".join(HOSTS_AND_ACCESS), statistics.median(seconds), min(seconds), max(seconds), counted(warm[0], roles)), ""]


def slowest(title: str, run: Record) -> list[str]:
    lines = [title, "", "| task | role | | calls |", "|---|---|---|---|"]
    lines += ["| %s | %s | %.1f s | %d |" % (task.name, task.role, task.seconds, task.calls) for task in run.slowest(SLOWEST)]
    return [*lines, ""]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--dry", action="store_true", help="print the tables and leave docs/benchmarks.md alone")
    options = parser.parse_args()
    where = machine()
    lab("up", HOST)
    lab("reset", HOST)
    cold = provisioned()
    print("bare host: %.1f s" % cold.wall, flush=True)
    warm = converged(options.repetitions)
    lines = [where, "One bare run, and medians of %d runs on the converged host after one that is not counted." % options.repetitions, ""]
    lines += by_role(cold, warm)
    lines += hosts_and_access(converged(options.repetitions, "--tags", ",".join(HOSTS_AND_ACCESS)))
    lines += slowest("**The ten slowest tasks on a bare host**", cold) + slowest("**The ten slowest tasks on a converged host**", warm[0])
    print("\n".join(lines))
    if not options.dry:
        text = DOCUMENT.read_text(encoding="utf-8")
        DOCUMENT.write_text(text[: text.index(BEGIN) + len(BEGIN)] + "\n".join(lines) + text[text.index(END) :], encoding="utf-8")


if __name__ == "__main__":
    main()
