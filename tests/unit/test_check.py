# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a check module says is what the gate would have said, and nothing that could not be looked at passes."""

from __future__ import annotations

import pytest

from ansible_collections.gonogo.preflight.plugins.module_utils import _expect
from ansible_collections.gonogo.preflight.plugins.module_utils._check import Check, checked, results_of

NEW = Check("docker.version", "docker", {"fact": "version"}, {"at_least": "24.0", "as": "version"}, option="minimum_version", mend="upgrade it")
RUNS = Check("docker.daemon.running", "docker", {"fact": "daemon"}, {"equals": {"active": True}})


def answers(**by_item):
    """An engine that gives these answers, by item with dots for underscores."""
    return lambda items: [{"id": name.replace("_", "."), "subject": "", **answer} for name, answer in by_item.items()]


def test_what_is_met_passes_and_says_what_was_seen():
    result = checked([NEW], enforce=True, ask=answers(docker_version={"value": "26.1.5", "evidence": "GET /version"}))
    assert (result["passed"], result["failed"], result["changed"]) == (True, False, False)
    assert result["results"] == [
        {
            "id": "docker.version",
            "status": "pass",
            "observed": "26.1.5",
            "expected": "at least 24.0",
            "evidence": "GET /version",
            "error": "",
            "remedy": "upgrade it",
        }
    ]


@pytest.mark.parametrize(
    ("answer", "status", "said"),
    [
        ({"value": "20.10.5"}, "fail", "docker.version: found 20.10.5, expected at least 24.0 (mend: upgrade it)"),
        ({"value": ["24"]}, "error", "docker.version: "),
        ({"error": "stopped", "remedy": "start it"}, "error", "docker.version: stopped (mend: start it)"),
        ({"error": "stopped"}, "error", "docker.version: stopped (mend: upgrade it)"),
        ({}, "error", "docker.version: the probe gave neither a value nor an error (mend: upgrade it)"),
    ],
)
@pytest.mark.parametrize("enforce", [True, False])
def test_what_is_not_met_fails_only_where_that_is_enforced(answer, status, said, enforce):
    result = checked([NEW], enforce=enforce, ask=answers(docker_version=answer))
    assert (result["passed"], result["failed"]) == (False, enforce)
    assert result["results"][0]["status"] == status
    assert result["msg"].startswith(said)


def test_each_check_has_a_result_in_its_place():
    ask = answers(docker_daemon_running={"value": {"active": True}}, docker_version={"value": "26.1"}, other={"value": 1})
    assert [(one["id"], one["status"]) for one in results_of([NEW, RUNS], ask=ask)] == [("docker.version", "pass"), ("docker.daemon.running", "pass")]


@pytest.mark.parametrize("came", [[], [{"id": "docker.version", "value": "26.1"}] * 2])
def test_no_answer_and_two_answers_are_errors(came):
    result = checked([NEW], enforce=True, ask=lambda items: came)
    assert result["failed"] and "%d answers came back" % len(came) in result["msg"]


def test_nothing_asked_is_no_pass():
    result = checked([], enforce=True)
    assert (result["passed"], result["failed"], result["msg"]) == (False, True, "nothing was asked")


@pytest.mark.parametrize("enforce", [True, False])
def test_an_option_that_nothing_can_be_compared_with_fails_before_anything_is_looked_at(enforce):
    wrong = Check("docker.version", "docker", {"fact": "version"}, {"at_least": "new", "as": "version"}, option="minimum_version")
    result = checked([wrong], enforce=enforce, ask=lambda items: pytest.fail("looked"))
    assert result["failed"] and result["msg"].startswith("minimum_version: ")


def test_arguments_that_are_left_out_have_the_defaults_of_the_probe():
    asked = []
    results_of([Check("fw.port", "ufw", {"fact": "port", "port": 80}, {"contains": ["any"]})], ask=lambda items: asked.extend(items) or [])
    assert asked == [{"id": "fw.port", "subject": "", "probe": "ufw", "with": {"fact": "port", "port": 80, "protocol": "tcp"}, "limit": 15.0}]


def test_an_observation_is_judged_in_the_words_of_a_report():
    limit = Check("redis.maxmemory", "redis", {"fact": "config", "name": "maxmemory"}, {"equals": "2GB", "as": "size"})
    (result,) = results_of([limit], ask=answers(redis_maxmemory={"value": 1073741824}))
    assert (result["observed"], result["expected"]) == (_expect.seen(1073741824, limit.expect), _expect.text(limit.expect))


def test_the_engine_is_asked_where_nothing_else_is_said():
    nowhere = Check("file.there", "file", {"fact": "exists", "path": "/nowhere/at/all"}, {"equals": True})
    (result,) = results_of([nowhere])
    assert (result["status"], result["observed"]) == ("fail", "false")
