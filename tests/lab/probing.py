"""Ask a probe on a host of the lab, the way a run does: through the module `gonogo.preflight.observe`, without judging."""

from __future__ import annotations

import json
import os
import subprocess
import typing as t

from tests.support import ROOT

# lab-watch has a group in this inventory alone.
_INVENTORIES = {"lab-watch": "inventories/fleet"}


def observations(host: str, probe: str, *asked: t.Mapping[str, t.Any], secrets: t.Optional[t.Mapping[str, str]] = None) -> list[dict[str, t.Any]]:
    """One answer for each of `asked` (what stands in `with`), in one call: what they share is shared as in a run."""
    items = [{"id": "item.%d" % number, "subject": host, "probe": probe, "with": dict(with_)} for number, with_ in enumerate(asked)]
    options = json.dumps({"items": json.dumps(items), "secrets": json.dumps(dict(secrets or {}))})
    done = subprocess.run(
        ["ansible", host, "-i", _INVENTORIES.get(host, "inventories/lab"), "-b", "-m", "gonogo.preflight.observe", "-a", options],
        cwd=ROOT,
        env=dict(os.environ, ANSIBLE_STDOUT_CALLBACK="minimal", ANSIBLE_CALLBACK_RESULT_FORMAT="json", ANSIBLE_NOCOLOR="1"),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    _head, found, body = done.stdout.partition("%s | SUCCESS => " % host)
    assert done.returncode == 0 and found, done.stdout + done.stderr
    result, _end = json.JSONDecoder().raw_decode(body)
    answers: list[dict[str, t.Any]] = result["answers"]
    assert [answer["id"] for answer in answers] == [item["id"] for item in items], answers
    return answers


def observed(host: str, probe: str, /, **with_: t.Any) -> dict[str, t.Any]:
    """The answer to one question: `value` and `evidence`, or `error` and `remedy`."""
    return observations(host, probe, with_)[0]


def value(host: str, probe: str, /, **with_: t.Any) -> t.Any:
    """What was seen; a probe that could not look fails the test."""
    answer = observed(host, probe, **with_)
    assert "error" not in answer, answer
    return answer["value"]


def error(host: str, probe: str, /, **with_: t.Any) -> str:
    """Why the probe could not look; an observation fails the test."""
    answer = observed(host, probe, **with_)
    assert "value" not in answer, answer
    return str(answer["error"])
