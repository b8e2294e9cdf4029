"""What people excuse and what they answer, with a real deployment behind the gate."""

from __future__ import annotations

import datetime

import pytest

from tests.support import REPORTS, Project

from .conftest import DATA, containers, take_away


def _in_days(number: int) -> datetime.date:
    """The day so many days from now; midnight may pass between two tests."""
    return datetime.datetime.now(datetime.timezone.utc).date() + datetime.timedelta(days=number)


def test_a_waived_failure_lets_through_and_its_real_result_is_in_every_report(broken_redis: None, project: Project) -> None:
    soon = _in_days(3)
    waiver = {"item": "redis.aof", "subjects": [DATA], "reason": "it moves to another disk", "owner": "Ada Lovelace", "expires": soon}
    project.edit("policy/lab/waivers.yml", lambda waivers: dict(waivers, waivers=[waiver]))
    done = project.play("playbooks/verify.yml")
    assert done.code == 0, done.output
    result = done.result("redis.aof", DATA)
    assert (done.report["verdict"], result["status"], result["outcome"], result["observed"]) == ("GO", "fail", "waived", "no")
    assert (result["by"], result["until"]) == ("Ada Lovelace", str(soon))
    assert "SOON      waiver of Ada Lovelace for redis.aof on lab-data ends in 4 days" in " ".join(done.output.split("\n")), done.output
    latest = REPORTS / "latest"
    assert "found no; expected yes" in (latest / "checklist.md").read_text()
    assert 'type="waived"' in (latest / "junit.xml").read_text()
    assert "it moves to another disk" in (latest / "report.html").read_text()


@pytest.mark.long
def test_nothing_is_deployed_before_people_have_answered(fleet: None, project: Project) -> None:
    take_away()
    project.edit("checklists/demo.yml", lambda checklist: dict(checklist, items=[*checklist["items"], {"id": "ops.oncall"}]))
    people = {"people": {"operations": ["Ada Lovelace"]}, "attestations": []}
    project.edit("policy/lab/attestations.yml", lambda _: people)
    done = project.play()
    assert done.code != 0 and containers() == [], done.output
    assert [one["item"] for one in done.report["results"] if one["outcome"] not in ("pass", "not_applicable")] == ["ops.oncall"]
    answer = {"item": "ops.oncall", "by": "Ada Lovelace", "at": _in_days(0), "evidence": "https://rota.example", "expires": _in_days(3)}
    project.edit("policy/lab/attestations.yml", lambda _: dict(people, attestations=[answer]))
    done = project.play()
    assert done.code == 0 and len(containers()) == 1, done.output
