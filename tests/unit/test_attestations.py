# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What people answer: one current answer of somebody who may give it, in reviewed data, and nothing else, is a pass."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import json
import re
import time

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.gonogo.preflight.plugins.module_utils._questions import Attest, Item, questions
from ansible_collections.gonogo.preflight.plugins.module_utils._verdict import Attestation, Waiver, decide
from ansible_collections.gonogo.preflight.plugins.plugin_utils._attestations import load_attestations, request
from ansible_collections.gonogo.preflight.plugins.plugin_utils._yaml import InputError

DAY = 86400.0
NOW = datetime.datetime(2026, 11, 22, 3, 0, tzinfo=datetime.timezone.utc).timestamp()
GROUPS = {"all": ["app1", "gpu1"], "gpu": ["gpu1"]}
ONCALL = Item(
    id="ops.oncall",
    title="Somebody is on call",
    area="people",
    why="Alerts must wake somebody.",
    asks="On-call rotation established",
    cls="attest",
    stage="host",
    severity="block",
    hosts="all",
    per="deployment",
    looks_from="people",
    probe="",
    arguments={},
    expect={},
    source="catalogue",
    attest=Attest("Is a rotation agreed?", ("operations",), 30, "link to the schedule"),
)
APPROVAL = dataclasses.replace(ONCALL, id="ci.approval", attest=dataclasses.replace(ONCALL.attest, release=True))
DEPLOYED = dataclasses.replace(APPROVAL, id="sign.completed")
VERIFIED = dataclasses.replace(APPROVAL, id="sign.verified", attest=dataclasses.replace(APPROVAL.attest, not_by="sign.completed"))
DRIVER = dataclasses.replace(ONCALL, id="gpu.driver", hosts="gpu", per="host")
PROBED = dataclasses.replace(ONCALL, id="redis.aof", attest=None, probe="redis", expect={"equals": "yes"})
ITEMS = {item.id: item for item in (ONCALL, DRIVER, PROBED, APPROVAL, DEPLOYED, VERIFIED)}
ANSWER = {"item": "ops.oncall", "by": "Ada", "at": datetime.date(2026, 11, 20), "evidence": "https://x.example", "expires": datetime.date(2026, 12, 20)}
APPROVED = {**ANSWER, "item": "ci.approval", "version": "1.4.0"}
PEOPLE = {"operations": ["Ada", "Grace"]}


@pytest.fixture
def attestations(tmp_path):
    def of(*entries, asked=("ops.oncall",), **document):
        content = {"people": PEOPLE, "attestations": list(entries), **document}
        (tmp_path / "attestations.yml").write_text(yaml.safe_dump(content, sort_keys=False))
        return load_attestations(str(tmp_path), ITEMS, asked)

    return of


def rows(given, *, items=(ONCALL,), answers=(), waivers=(), now=NOW):
    return decide("start", questions(items, GROUPS, {}), answers, attestations=given, waivers=waivers, started=now - 60, now=now).rows


# What counts


def test_a_current_answer_passes_with_who_when_what_and_until(attestations):
    (row,) = rows(attestations(ANSWER).given)
    assert (row.question.subject, row.question.vantage, row.status, row.outcome, row.through) == ("deployment", "people", "pass", "pass", True)
    assert (row.observed, row.evidence, row.by) == ("answered by Ada on 2026-11-20", "https://x.example", "Ada")
    assert row.until == datetime.datetime(2026, 12, 21, tzinfo=datetime.timezone.utc).timestamp()
    assert row.origin.endswith("attestations.yml:6")


def test_it_holds_to_the_end_of_its_last_day(attestations):
    given = attestations(ANSWER).given
    end = datetime.datetime(2026, 12, 21, tzinfo=datetime.timezone.utc).timestamp()
    assert rows(given, now=end - 1)[0].through
    (row,) = rows(given, now=end)
    assert (row.status, row.through, row.reason) == ("missing", False, "the answer of Ada of 2026-11-20 held until 2026-12-20")


def test_no_answer_is_missing():
    (row,) = rows(())
    assert (row.status, row.outcome, row.through, row.reason) == ("missing", "missing", False, "nobody has answered it")


def test_an_answer_from_the_future_is_missing(attestations):
    (row,) = rows(attestations(ANSWER).given, now=NOW - 5 * DAY)
    assert (row.through, row.reason) == (False, "the answer of Ada is dated 2026-11-20, which is to come")


def test_two_answers_are_none(attestations):
    (row,) = rows(attestations(ANSWER).given * 2)
    assert (row.through, row.reason) == (False, "it is answered 2 times")


def test_an_answer_to_another_item_or_host_is_none(attestations):
    given = attestations({**ANSWER, "item": "gpu.driver", "subjects": ["app1"]}).given
    assert [row.through for row in rows(given, items=(ONCALL, DRIVER))] == [False, False]


def test_each_host_is_answered_for_where_each_is_asked(attestations):
    given = attestations({**ANSWER, "item": "gpu.driver", "subjects": ["gpu1"]}).given
    (row,) = rows(given, items=(DRIVER,))
    assert (row.question.subject, row.through) == ("gpu1", True)


def test_a_host_cannot_answer_for_people():
    """Whatever lies in the spool under an item's name."""
    (question,) = questions((ONCALL,), GROUPS, {})
    forged = {"item": "ops.oncall", "subject": "deployment", "vantage": "people", "digest": question.digest, "status": "pass", "observed": "yes", "at": NOW}
    (row,) = rows((), answers=[forged])
    assert (row.status, row.through) == ("missing", False)


def test_a_missing_answer_cannot_be_waived():
    waiver = Waiver("waiver", "ops.oncall", "later", "ann", (), NOW + DAY)
    assert not rows((), waivers=[waiver])[0].through


def test_what_does_not_apply_is_not_asked_of_people():
    (row,) = rows((), waivers=[Waiver("not_applicable", "ops.oncall", "a laboratory", "ann")])
    assert (row.outcome, row.through, row.reason) == ("not_applicable", True, "a laboratory (ann)")


def test_an_item_of_an_empty_group_blocks():
    (row,) = rows((), items=(dataclasses.replace(DRIVER, hosts="none"),))
    assert (row.question.subject, row.through) == ("group none", False)


@given(
    at=st.floats(NOW - 9e8, NOW + 9e8),
    expires=st.floats(NOW - 9e8, NOW + 9e8),
    subjects=st.sampled_from([(), ("deployment",), ("app1",)]),
    item=st.sampled_from(["ops.oncall", "gpu.driver"]),
    count=st.integers(0, 2),
)
def test_nothing_but_one_current_answer_passes(at, expires, subjects, item, count):
    (row,) = rows([Attestation(item, "Ada", at, expires, "x", subjects)] * count)
    assert row.through == (count == 1 and item == "ops.oncall" and subjects != ("app1",) and at <= NOW + DAY and expires > NOW)


# What is about one release


def about(given, version):
    asked = questions((APPROVAL,), GROUPS, {}, version=version)
    (row,) = decide("start", asked, (), attestations=given, started=NOW - 60, now=NOW).rows
    return row


def test_an_answer_about_the_release_that_is_deployed_counts(attestations):
    row = about(attestations(APPROVED).given, "1.4.0")
    assert (row.through, row.observed) == (True, "answered by Ada on 2026-11-20 about 1.4.0")
    assert row.question.expected == "answered by operations within the last 30 days about the version that is deployed"


@pytest.mark.parametrize(
    ("version", "reason"),
    [
        ("1.5.0", "the answer of Ada is about version 1.4.0, and 1.5.0 is deployed"),
        ("1.4", "the answer of Ada is about version 1.4.0, and 1.4 is deployed"),
        ("", "the answer of Ada is about version 1.4.0, and the inventory does not name one version for all hosts (deploy_version)"),
    ],
)
def test_an_answer_about_another_release_is_missing(attestations, version, reason):
    row = about(attestations(APPROVED).given, version)
    assert (row.status, row.through, row.reason) == ("missing", False, reason)


def test_an_answer_that_names_no_release_counts_for_none():
    given = [Attestation("ci.approval", "Ada", NOW - DAY, NOW + DAY, "x")]
    assert [about(given, version).through for version in ("1.4.0", "")] == [False, False]


def test_a_request_names_the_release(attestations):
    for version, written in (("1.4.0", "1.4.0"), ("", "<deploy_version of the release>")):
        (question,) = questions((APPROVAL,), GROUPS, {}, version=version)
        (entry,) = yaml.safe_load(request(attestations(), APPROVAL, question).partition(": ")[2])
        assert entry["version"] == written


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"version": None}, "`version` is missing: the answer is about one release, whose deploy_version it names"),
        ({"version": " "}, "`version` is missing"),
        ({"version": 1.4}, "`version` is 1.4, not text; put it in quotes"),
        ({"version": "<the version>"}, "`version` still is the placeholder"),
        ({"item": "ops.oncall"}, "item ops.oncall: `version` does not go with an item that is about no release"),
    ],
)
def test_an_answer_about_a_release_names_it(attestations, changes, message):
    with pytest.raises(InputError) as raised:
        attestations({**APPROVED, **changes})
    assert message in str(raised.value)


def test_two_people_answer_what_takes_two(attestations):
    deployed, verified = {**APPROVED, "item": "sign.completed"}, {**APPROVED, "item": "sign.verified"}
    assert len(attestations(deployed, {**verified, "by": "Grace"}).given) == 2
    for entries in ((deployed, verified), (verified, deployed)):
        with pytest.raises(InputError, match=r"item sign\.verified: `by` is 'Ada', who answered sign\.completed at .*; it takes another person"):
            attestations(*entries)
    with pytest.raises(InputError, match=r"item sign\.verified: `item` needs the answer to sign\.completed too"):
        attestations(verified)
    assert VERIFIED.expected.endswith(", and not by who answered sign.completed")


# What may be written

MISTAKES = {
    "unknown item": ({"item": "ops.oncal"}, "`item` is 'ops.oncal'; did you mean 'ops.oncall'?"),
    "no item": ({"item": None}, "`item` is 'None'; known: ci.approval, gpu.driver, ops.oncall, sign.completed, sign.verified"),
    "an item of a probe": ({"item": "redis.aof"}, "item redis.aof: is answered by probe redis; nobody can attest it"),
    "unknown key": ({"until": 1}, "item ops.oncall: unknown key 'until'"),
    "nobody": ({"by": None}, "`by` is missing: an answer names who gave it and what shows it"),
    "somebody else": ({"by": "Mallory"}, "`by` is 'Mallory', who holds no role that may answer (operations): Ada, Grace"),
    "no evidence": ({"evidence": " "}, "`evidence` is missing"),
    "a placeholder": ({"evidence": "see <link to the schedule>"}, "`evidence` still is the placeholder; name link to the schedule"),
    "no day": ({"at": None}, "`at` is None, not a date such as 2027-01-31"),
    "a moment": ({"at": datetime.datetime(2026, 11, 20, 3)}, "not a date such as 2027-01-31"),
    "no end": ({"expires": "never"}, "`expires` is 'never', not a date"),
    "an end too late": ({"expires": datetime.date(2026, 12, 21)}, "`expires` is 2026-12-21; an answer of 2026-11-20 holds at most 30 days"),
    "an end before the answer": ({"expires": datetime.date(2026, 11, 19)}, "`expires` is 2026-11-19"),
    "subjects of what is asked once": ({"subjects": ["app1"]}, "`subjects` does not go with an item that is asked once"),
    "no subjects where each host is asked": ({"item": "gpu.driver"}, "`subjects` is None; it is a list of names"),
    "empty subjects": ({"item": "gpu.driver", "subjects": []}, "`subjects` is empty"),
}


@pytest.mark.parametrize("case", MISTAKES)
def test_a_mistake_is_named_with_its_file_and_line(attestations, case):
    changes, message = MISTAKES[case]
    with pytest.raises(InputError) as raised:
        attestations({**ANSWER, **changes})
    assert re.search(r"attestations\.yml:\d+: ", str(raised.value))
    assert message in str(raised.value)


def test_a_second_answer_for_the_same_thing_is_refused(attestations):
    with pytest.raises(InputError, match=r"attestations\.yml:11: item ops\.oncall: is answered for deployment at .*:6 already; keep the newer"):
        attestations(ANSWER, {**ANSWER, "by": "Grace"})


@pytest.mark.parametrize(
    ("people", "message"),
    [
        (None, "needs `people`, which maps each role to the names"),
        (["Ada"], "needs `people`, which maps each role to the names"),
        ({"operation": ["Ada"]}, "'operation' is no role that an item asks; did you mean 'operations'?"),
        ({"operations": "Ada"}, "`people.operations` is 'Ada'; it is a list of names"),
        ({"operations": ["<a name>"]}, "`people.operations` still holds a placeholder"),
    ],
)
def test_people_hold_roles_that_are_asked(attestations, people, message):
    with pytest.raises(InputError) as raised:
        attestations(people=people)
    assert message in str(raised.value)


def test_the_file_may_be_absent_where_nobody_is_asked(tmp_path):
    assert load_attestations(str(tmp_path), ITEMS, ()).given == ()
    with pytest.raises(InputError, match=r"attestations\.yml: does not exist, and the checklist asks people ops\.oncall; begin it with"):
        load_attestations(str(tmp_path), ITEMS, ("ops.oncall",))


def test_what_is_asked_for_is_an_entry_as_it_stands_once_filled_in(attestations):
    """The words of the report, with names for the placeholders, load and pass."""
    empty = attestations()
    (question,) = questions((ONCALL,), GROUPS, {})
    asked = request(empty, ONCALL, question)
    assert asked.startswith("write under attestations in ")
    (entry,) = yaml.safe_load(asked.partition(": ")[2])
    assert (entry["by"], entry["evidence"]) == ("<Ada or Grace>", "<link to the schedule>")
    with pytest.raises(InputError):
        attestations(entry)
    (row,) = rows(attestations({**entry, "by": "Grace", "evidence": "https://x.example"}).given, now=time.time())
    assert row.through


def test_what_is_asked_for_names_the_host_and_the_role_that_nobody_holds(attestations):
    (question,) = questions((DRIVER,), GROUPS, {})
    (entry,) = yaml.safe_load(request(attestations(people={}), DRIVER, question).partition(": ")[2])
    assert (entry["subjects"], entry["by"]) == (["gpu1"], "<a name, put under people.operations first>")


WORDS = ["people", "operations", "attestations", "ops.oncall", "gpu.driver", "Ada", "app1", "", "<x>"]
SCALARS = st.sampled_from(WORDS) | st.none() | st.booleans() | st.integers() | st.floats() | st.dates() | st.datetimes() | st.text(max_size=4)
ANYTHING = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS), inner, max_size=3))


@given(st.dictionaries(st.sampled_from([*ANSWER, "subjects", "x"]), ANYTHING, max_size=4), ANYTHING)
def test_whatever_the_file_holds_the_only_error_is_one_that_names_it(tmp_path_factory, changes, people):
    directory = tmp_path_factory.mktemp("policy")
    for who in (PEOPLE, people):
        (directory / "attestations.yml").write_text(yaml.safe_dump({"people": who, "attestations": [{**ANSWER, **changes}]}, allow_unicode=True))
        with contextlib.suppress(InputError):
            json.dumps([dataclasses.asdict(one) for one in load_attestations(str(directory), ITEMS, ("ops.oncall",)).given])
