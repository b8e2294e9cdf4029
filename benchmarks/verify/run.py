"""Measures verification beside other ways to check the same, and writes the table to docs/benchmarks.md.

Every repetition runs each row once, so that what else the machine does falls on all of them alike; the table has medians.
A row whose program does not find every assertion met ends the benchmark: a check that fails quickly is not a quick check.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import pathlib
import platform
import re
import statistics
import subprocess
import sys
import time
import typing as t

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

from benchmarks.verify import fixture
from benchmarks.verify.fixture import ASSERTIONS, HERE, ON_HOST, PORT, ROOT, WORK, Fleet

DOCUMENT = ROOT / "docs" / "benchmarks.md"
COUNTS = (1, 5, 20)
SHARED = len(ASSERTIONS)
Seconds = dict[str, list[float]]

PING = "`ansible-playbook` with one `ping`"
DEMO = "gonogo.preflight, the whole demo checklist, GO"
VERIFY = "gonogo.preflight, the shared assertions, GO"
PLAIN = "plain Ansible tasks, pipelined"
SLOW_INFRA = "testinfra over SSH, as shipped"
INFRA = "testinfra over SSH, with ControlPath"
ENGINE = "the engine of gonogo.preflight"
GOSS = "goss"


def ansible(playbook: str, inventory: pathlib.Path) -> list[str]:
    return ["ansible-playbook", playbook, "-i", str(inventory)]


def infra(options: str) -> list[str]:
    """testinfra's program, with a further line in its ssh configuration."""
    config = WORK / ("ssh-%s.conf" % ("path" if options else "plain"))
    lines = ["User ops", "Port %d" % PORT, "IdentityFile %s/.lab/id_ed25519" % ROOT, "UserKnownHostsFile %s/.lab/known_hosts" % ROOT, options]
    config.write_text("Host 127.0.0.1\n" + "".join("  %s\n" % line for line in lines if line))
    pytest = [str(ROOT / ".venv-bench/bin/python"), *["-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", "/dev/null"]]
    return [*pytest, "--hosts=ssh://127.0.0.1", "--ssh-config=%s" % config, "--sudo", str(HERE / "test_plain.py")]


def go(output: str, answers: int = 0) -> bool:
    """Whether the run's own report says GO and every item was answered and met: `answers` of them, where that is known."""
    path = re.search(r"\S+/results\.json", output)
    report = json.loads((ROOT / path.group()).read_text()) if path else {"verdict": "none", "results": []}
    outcomes = [one["outcome"] for one in report["results"]]
    return report["verdict"] == "GO" and set(outcomes) <= {"pass", "not_applicable"} and answers in (0, outcomes.count("pass"))


def rows(count: int) -> dict[str, tuple[list[str], t.Callable[[str], bool]]]:
    """Name of a row to its program and what its output must say."""
    fleet, passed = Fleet(count), "%d passed" % SHARED
    found = {
        PING: (ansible(str(HERE / "ping.yml"), fleet.inventory("demo")), lambda output: output.count("ok=1 ") == count),
        DEMO: (ansible("playbooks/verify.yml", fleet.inventory("demo")), go),
        VERIFY: (ansible("playbooks/verify.yml", fleet.inventory("shared")), lambda output: go(output, SHARED * count)),
    }
    if count > 1:
        return found
    return {
        **found,
        PLAIN: (ansible(str(WORK / "plain.yml"), fleet.inventory("demo")), lambda output: "ok=%d " % SHARED in output),
        SLOW_INFRA: (infra(""), lambda output: passed in output),
        INFRA: (infra("ControlPath %s/control-%%C" % WORK), lambda output: passed in output),
    }


def timed(program: list[str], sound: t.Callable[[str], bool]) -> float:
    """Seconds of one run; ends the benchmark where it did not find every assertion met."""
    began = time.monotonic()
    done = subprocess.run(program, cwd=ROOT, capture_output=True, text=True, check=False)
    seconds = time.monotonic() - began
    if done.returncode or not sound(done.stdout):
        raise SystemExit("%s\nended with status %d:\n%s%s" % (" ".join(program), done.returncode, done.stdout, done.stderr))
    return seconds


def measured(count: int, repetitions: int) -> Seconds:
    programs = rows(count)
    found: Seconds = {name: [] for name in programs}
    for repetition in range(-1, repetitions):
        for name, (program, sound) in programs.items():
            seconds = timed(program, sound)
            # The first round opens connections and fills caches for all of them.
            if repetition >= 0:
                found[name].append(seconds)
        print("%d names: round %d of %d" % (count, repetition + 1, repetitions), flush=True)
    return found


def on_host(repetitions: int) -> Seconds:
    programs = [
        *(ENGINE, "cd %s && python3 engine.py items.json" % ON_HOST),
        *(GOSS, "cd %s && goss --gossfile goss.yaml validate --format tap" % ON_HOST),
    ]
    return dict(json.loads(fixture.on_host("python3", "%s/on_host.py" % ON_HOST, str(repetitions), *programs)))


def table(title: str, seconds: Seconds, base: str) -> list[str]:
    unit = statistics.median(seconds[base])
    lines = [title, "", "| | median | fastest - slowest | times |", "|---|---|---|---|"]
    for name, one in seconds.items():
        median = statistics.median(one)
        lines.append("| %s | %.2f s | %.2f - %.2f s | %.2f |" % (name, median, min(one), max(one), median / unit))
    return [*lines, ""]


def machine() -> str:
    version = subprocess.run(["ansible", "--version"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()[0]
    load = "%.1f" % os.getloadavg()[0]
    core = re.sub(r"[^\d.rcab]", "", version.partition("core")[2])
    return "Measured on %s: %d cores, load %s at the start, Linux %s, ansible-core %s on Python %s." % (
        datetime.date.today().isoformat(),
        os.cpu_count() or 0,
        load,
        ".".join(platform.release().split(".")[:2]),
        core,
        platform.python_version(),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repetitions", type=int, default=7)
    parser.add_argument("--names", type=int, nargs="+", default=list(COUNTS))
    parser.add_argument("--dry", action="store_true", help="print the tables and leave docs/benchmarks.md alone")
    options = parser.parse_args()
    where = machine()
    fixture.prepare(options.names)
    lines = [where, "Medians of %d interleaved rounds after one that is not counted." % options.repetitions, ""]
    for count in options.names:
        title = "**%d inventory name%s**, from the controller; %d shared assertions a name" % (count, "" if count == 1 else "s", SHARED)
        lines += table(title, measured(count, options.repetitions), PING)
    lines += table("**On the host itself**, without a controller; the same %d assertions" % SHARED, on_host(3 * options.repetitions), GOSS)
    print("\n".join(lines))
    if not options.dry:
        text = DOCUMENT.read_text()
        begin, end = "<!-- begin: written by benchmarks/verify/run.py -->\n", "<!-- end -->"
        DOCUMENT.write_text(text[: text.index(begin) + len(begin)] + "\n".join(lines) + text[text.index(end) :])


if __name__ == "__main__":
    main()
