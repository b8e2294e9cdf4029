# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a recorded run says of its roles: times add up, and a call belongs to the task that made it."""

from __future__ import annotations

import json
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

from benchmarks.converge.record import OTHER, parse


def lines(*events):
    return "".join(json.dumps(event) + "\n" for event in events)


def task(role, name, at):
    return {"event": "task", "role": role, "task": name, "at": at}


def call(role, name):
    return {"event": "call", "role": role, "task": name, "module": "m", "seconds": 0.1}


RUN = lines(
    task("", "Gather facts", 10.0),
    call("", "Gather facts"),
    task("docker", "See", 11.5),
    call("docker", "See"),
    task("docker", "Configure", 12.0),
    call("docker", "Configure"),
    call("docker", "Configure"),
    task("ufw", "Say", 14.0),
    {"event": "end", "changed": 0, "at": 14.25},
)


def test_a_run_by_role_and_by_task():
    run = parse(RUN, wall=6.0)
    assert (run.wall, run.changed, run.roles()) == (6.0, 0, [OTHER, "docker", "ufw"])
    assert [(one.name, one.seconds, one.calls) for one in run.tasks] == [
        ("Gather facts", 1.5, 1),
        ("See", 0.5, 1),
        ("Configure", 2.0, 2),
        ("Say", 0.25, 0),
    ]
    assert [one.name for one in run.of(["docker"])] == ["See", "Configure"]
    assert [one.name for one in run.slowest(2)] == ["Configure", "Gather facts"]


@pytest.mark.parametrize("text", ["", lines(task("docker", "See", 1.0))])
def test_a_run_that_was_cut_off_is_no_measurement(text):
    with pytest.raises(ValueError, match="no end"):
        parse(text, wall=1.0)
