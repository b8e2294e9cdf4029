"""Runs on the host: times programs side by side, each several times in turn, and prints their seconds as JSON.

python3 on_host.py REPETITIONS NAME PROGRAM [NAME PROGRAM ...]; a program is a shell command that must end with 0.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time


def timed(program: str) -> float:
    began = time.monotonic()
    done = subprocess.run(["sh", "-c", program], capture_output=True, text=True, check=False)
    seconds = time.monotonic() - began
    if done.returncode:
        raise SystemExit("%s: status %d\n%s%s" % (program, done.returncode, done.stdout, done.stderr))
    return seconds


def main() -> None:
    repetitions = int(sys.argv[1])
    programs = dict(zip(sys.argv[2::2], sys.argv[3::2]))
    for program in programs.values():
        timed(program)
    found: dict[str, list[float]] = {name: [] for name in programs}
    for _repetition in range(repetitions):
        for name, program in programs.items():
            found[name].append(timed(program))
    print(json.dumps(found))


if __name__ == "__main__":
    main()
