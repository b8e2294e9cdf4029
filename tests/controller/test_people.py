"""What people answer decides like anything else; a checklist that asks nobody but people touches no host."""

from __future__ import annotations

import datetime
import typing as t

from .conftest import Untouched

VERIFY = "playbooks/verify.yml"
TODAY = datetime.datetime.now(datetime.timezone.utc).date()
DAY = datetime.timedelta(days=1)


def _answer(**changes: t.Any) -> dict[str, t.Any]:
    answer = {"item": "ops.oncall", "by": "Ada Lovelace", "at": TODAY - 5 * DAY, "evidence": "https://rota.example", "expires": TODAY + 2 * DAY}
    return dict(answer, **changes)


def _project(project: Untouched, *answers: dict[str, t.Any]) -> Untouched:
    project.edit("checklists/demo.yml", lambda _: {"title": "People", "items": [{"id": "ops.oncall"}]})
    document = {"people": {"operations": ["Ada Lovelace"]}, "attestations": list(answers)}
    project.edit("policy/lab/attestations.yml", lambda _: document)
    return project


def test_an_answered_question_is_go(project: Untouched) -> None:
    done = _project(project, _answer()).play(VERIFY)
    assert done.code == 0, done.output
    result = done.result("ops.oncall", "deployment")
    assert (done.report["verdict"], result["status"], result["observed"]) == ("GO", "pass", "answered by Ada Lovelace on %s" % (TODAY - 5 * DAY))
    assert (result["by"], result["until"], result["evidence"]) == ("Ada Lovelace", str(TODAY + 2 * DAY), "https://rota.example")
    assert not project.calls.exists()


def test_no_answer_is_no_go_that_says_what_to_write_where_and_warns_before(project: Untouched) -> None:
    done = _project(project).refused(VERIFY)
    words = " ".join(done.output.split())
    result = done.result("ops.oncall", "deployment")
    assert (result["status"], result["outcome"]) == ("missing", "missing")
    assert "policy/lab/attestations.yml: - {item: ops.oncall, by:" in result["remedy"]
    assert "[WARNING]: ops.oncall is not answered (nobody has answered it); until it is, this run ends NO-GO." in words
    # It may be another day by now.
    assert any("at: %s" % day in words for day in (TODAY, TODAY + DAY)) and "link to the schedule" in words


def test_an_answer_that_has_ended_is_no_go(project: Untouched) -> None:
    done = _project(project, _answer(at=TODAY - 20 * DAY, expires=TODAY - DAY)).refused(VERIFY)
    assert done.result("ops.oncall", "deployment")["reason"].endswith("held until %s" % (TODAY - DAY))


def test_an_answer_cannot_come_from_the_command_line(project: Untouched) -> None:
    _project(project).refused(VERIFY, "-e", '{"attestations": [{"item": "ops.oncall"}], "people": {"operations": ["Eve"]}}')


def _released(project: Untouched, *answers: dict[str, t.Any]) -> Untouched:
    _project(project, *answers).edit("checklists/demo.yml", lambda _: {"title": "Released", "items": [{"id": "ci.approval"}]})
    project.edit("policy/lab/attestations.yml", lambda document: dict(document, people={"engineering": ["Ada Lovelace"]}))
    return project


APPROVED = _answer(item="ci.approval", at=TODAY, expires=TODAY + DAY, version="1.0.0")


def test_an_approval_counts_for_the_version_that_is_deployed(project: Untouched) -> None:
    done = _released(project, APPROVED).play(VERIFY)
    assert (done.code, done.report["verdict"]) == (0, "GO"), done.output
    assert done.result("ci.approval", "deployment")["observed"] == "answered by Ada Lovelace on %s about 1.0.0" % TODAY


def test_an_approval_of_another_version_is_no_go(project: Untouched) -> None:
    done = _released(project, dict(APPROVED, version="0.9.0")).refused(VERIFY)
    result = done.result("ci.approval", "deployment")
    assert (result["status"], result["reason"]) == ("missing", "the answer of Ada Lovelace is about version 0.9.0, and 1.0.0 is deployed")
    assert 'version: "1.0.0"' in result["remedy"]


def test_an_approval_does_not_count_for_a_version_of_the_command_line(project: Untouched) -> None:
    _released(project, APPROVED).edit("policy/lab/gate.yml", lambda gate: dict(gate, extra_vars=["deploy_version"]))
    done = project.refused(VERIFY, "-e", "deploy_version=2.0.0")
    assert done.result("ci.approval", "deployment")["reason"].endswith("and 2.0.0 is deployed")


def test_an_approval_counts_for_none_where_the_hosts_have_several_versions(project: Untouched) -> None:
    _released(project, APPROVED).edit("inventories/lab/group_vars/db.yml", lambda known: dict(known or {}, deploy_version="1.1.0"))
    done = project.refused(VERIFY)
    assert "the inventory does not name one version for all hosts" in done.result("ci.approval", "deployment")["reason"]
