# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Break Redis persistence on a lab host, see that nothing is deployed, mend it with the command of the report."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import engine as engines
from engine import Engine
from shell import CHECKOUT, LabError, say

ITEM, SUBJECT = "redis.aof", "lab-data"
# The password is read on the host and passed in the environment, so that it stands in no argument list.
REDIS_CLI = 'REDISCLI_AUTH="$(cat /etc/gonogo/redis-password)" exec redis-cli "$@"'


def demonstrate(engine: Engine) -> None:
    if not _application(engine):
        say("The application is not running yet: deploying it first")
        _expect(_play("site.yml") == 0, "playbooks/site.yml did not end with GO; `make demo` shows why")
    before = _application(engine)

    say(f"Breaking {SUBJECT}: redis-cli CONFIG SET appendonly no")
    _redis(engine, "CONFIG", "SET", "appendonly", "no")
    try:
        remedy = _refused(engine, before)
        say(f"Mending it with the command of the report: {remedy}")
        _expect(_run(["bash", "-c", remedy]) == 0, "the command of the report failed")
    except BaseException:
        _redis(engine, "CONFIG", "SET", "appendonly", "yes")
        raise
    say("Deploying once more")
    _expect(_play("deploy.yml") == 0, "deploy.yml did not end with GO although Redis is mended")
    say("GO again")


def _refused(engine: Engine, before: str) -> str:
    """Try to deploy, prove that it was refused for the right reason; return the command that mends it."""
    say("Trying to deploy")
    _expect(_play("deploy.yml") != 0, "deploy.yml ended with status 0 although Redis is broken")
    report = json.loads((CHECKOUT / "reports/latest/results.json").read_text())
    _expect(report["verdict"] == "NO-GO", f"the verdict is {report['verdict']}")
    result = _result(report)
    _expect(result["status"] == "fail", f"{ITEM} on {SUBJECT} is {result['status']}")
    _expect(_application(engine) == before, "the running containers changed")
    say(f"NO-GO, as it should be: {ITEM} on {SUBJECT} is {result['observed']}, expected {result['expected']}")
    say("Nothing was deployed: the application's containers are the ones from before")
    remedy: str = result["remedy"]
    return remedy


def _result(report: dict[str, Any]) -> dict[str, Any]:
    found: list[dict[str, Any]] = [one for one in report["results"] if (one["item"], one["subject"]) == (ITEM, SUBJECT)]
    _expect(len(found) == 1, f"the report has {len(found)} results of {ITEM} on {SUBJECT}")
    return found[0]


def _application(engine: Engine) -> str:
    """Ids and start times of the application's running containers, one a line."""
    docker = ["docker", "ps", "--no-trunc", "--filter", "label=com.docker.compose.project", "--format", "{{.ID}} {{.CreatedAt}}"]
    return engine.try_docker("exec", "lab-app", *docker).stdout.strip()


def _redis(engine: Engine, *words: str) -> None:
    answer = engine.docker("exec", SUBJECT, "sh", "-c", REDIS_CLI, "sh", *words)
    _expect(answer == "OK", f"Redis on {SUBJECT} answered {answer!r}")


def _play(playbook: str) -> int:
    return _run(["ansible-playbook", f"playbooks/{playbook}", "-i", "inventories/lab"])


def _run(command: list[str]) -> int:
    environment = {**os.environ, "PATH": f"{CHECKOUT / '.venv/bin'}:{os.environ['PATH']}"}
    return subprocess.run(command, cwd=CHECKOUT, env=environment, check=False).returncode


def _expect(met: bool, otherwise: str) -> None:
    if not met:
        raise LabError(f"the demonstration failed: {otherwise}")


def main() -> int:
    try:
        engine = engines.find()
        if engine is None:
            raise LabError("The lab is down. Start it with `make lab`.")
        demonstrate(engine)
    except LabError as problem:
        print(f"demo-nogo: {problem}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
