# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether hosts have the same secret: found, told, never a pass by default, and neither value nor digest is anywhere."""

from __future__ import annotations

import dataclasses
import hashlib
import hmac
import json
import os
import pathlib
import stat
import subprocess
import sys
import time

import hypothesis
import pytest
from hypothesis import strategies as st

from ansible_collections.gonogo.preflight.plugins.module_utils._comparison import TO_COMPARE, compared
from ansible_collections.gonogo.preflight.plugins.module_utils._engine import observe
from ansible_collections.gonogo.preflight.plugins.module_utils._fingerprint import challenge, key_of, opened, sealed
from ansible_collections.gonogo.preflight.plugins.module_utils._verdict import Question, Waiver, decide
from ansible_collections.gonogo.preflight.plugins.plugin_utils import _fingerprints
from ansible_collections.gonogo.preflight.plugins.plugin_utils._board import board
from ansible_collections.gonogo.preflight.plugins.plugin_utils._report import Report
from ansible_collections.gonogo.preflight.plugins.plugin_utils._run import Run, forget_fingerprints_of_the_dead, run_name

SAME = "q7Wm2xZp9Lc4Vt6Rb8Nj3Hd5Gk1Fs0Ya"
OWN = "Ue4Tr6Yw8Qs1Ad3Fg5Hj7Kl9Zx0Cv2Bn"
ITEM = "env.secret_key.own"
EMPTY = {"empty": True}
RUN_KEY = bytes(range(32))


def question(subject, **more):
    told = {"door": "start", "severity": "block", "title": "A key of its own", "area": "environment", "expected": "none", "source": "catalogue"}
    return Question(**{"item": ITEM, "subject": subject, "vantage": subject, "digest": "of " + subject, **told, **more})


def unjudged(subject, token="t", **more):
    base = {"item": ITEM, "subject": subject, "vantage": subject, "digest": "of " + subject, "at": time.time()}
    return {**base, "status": TO_COMPARE, "seconds": 0.1, "evidence": "SECRET_KEY", "expect": EMPTY, "token": token + subject, **more}


def fingerprint(subject, label, token="t", **more):
    return {"item": ITEM, "subject": subject, "token": token + subject, "key": "k", "label": label, **more}


# What a host sends


def test_a_fingerprint_is_the_hmac_of_the_value_under_the_key_of_the_item():
    given = challenge(RUN_KEY, ITEM)
    key = hmac.new(RUN_KEY, ITEM.encode(), hashlib.sha256).digest()
    assert opened(sealed(SAME, given), given) == hmac.new(key, SAME.encode(), hashlib.sha256).hexdigest()


def test_equal_values_are_seen_as_equal_by_who_asked_alone():
    one, other = challenge(RUN_KEY, ITEM), challenge(RUN_KEY, ITEM)
    assert opened(sealed(SAME, one), one) == opened(sealed(SAME, other), other) != opened(sealed(OWN, other), other)
    # What travels, and may be printed by Ansible, differs each time.
    assert sealed(SAME, one) != sealed(SAME, other)
    assert key_of(one) == key_of(other)


def test_fingerprints_of_another_item_or_run_have_nothing_in_common():
    one, item, run = challenge(RUN_KEY, ITEM), challenge(RUN_KEY, "env.other"), challenge(b"\0" * 32, ITEM)
    assert len({opened(sealed(SAME, given), given) for given in (one, item, run)}) == 3
    assert len({key_of(given) for given in (one, item, run)}) == 3


@hypothesis.given(st.text(alphabet=st.characters(exclude_categories=["Cs"])), st.text(alphabet=st.characters(exclude_categories=["Cs"])))
def test_two_values_have_one_fingerprint_exactly_when_they_are_one(one, other):
    given = challenge(RUN_KEY, ITEM)
    assert (opened(sealed(one, given), given) == opened(sealed(other, given), given)) is (one == other)


@pytest.mark.parametrize("answer", [None, 5, True, [], {}, "", "x" * 64, "0" * 63, "0" * 65, "A" * 64, "0" * 64 + "\n", SAME])
def test_what_is_no_fingerprint_is_refused_without_being_quoted(answer):
    with pytest.raises(ValueError, match=r"^sent what is no fingerprint$"):
        opened(answer, challenge(RUN_KEY, ITEM))


# Who has the key


def forked(work):
    """What `work` returns in a forked child, as text."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(writing, str(work()).encode())
        finally:
            os._exit(0)
    os.close(writing)
    os.waitpid(child, 0)
    with os.fdopen(reading) as said:
        return said.read()


def asked_for_a_key():
    try:
        return key_of(_fingerprints.challenge_of(ITEM))
    except _fingerprints.NoKeyError as error:
        return "refused: %s" % error


def test_every_worker_of_a_run_has_its_one_key(monkeypatch):
    monkeypatch.setattr(_fingerprints, "_keys", {})
    assert "refused" in forked(asked_for_a_key)
    _fingerprints.begin()
    first = forked(asked_for_a_key)
    _fingerprints.begin()
    assert len(first) == 16 and forked(asked_for_a_key) == first


def test_a_worker_cannot_make_a_key_of_its_own(monkeypatch):
    """Two workers with a key each would find that no secret is like another."""
    monkeypatch.setattr(_fingerprints, "_keys", {})

    def work():
        _fingerprints.begin()
        return asked_for_a_key()

    assert "this run has no key" in forked(work)


# A run, from the files of its hosts to its reports


class Fleet:
    """Hosts whose environment files the real engine reads, asked as the action `verify` asks them."""

    def __init__(self, root):
        self.root = root
        self.run = Run(str(root / "reports"), os.getpid())
        self.said = []
        self.asked = []
        self.shared_by = {}

    def hosts(self, **values):
        self.asked = [question(subject) for subject in values]
        self.run.put_questions(self.asked, {"environment": "lab", "checklist": "demo", "waivers": [], "attestations": [], "problems": []})
        for subject, value in values.items():
            self.ask(subject, value)
        self.run.put_event("gate.start", {"door": "start", "go": True})
        return self

    def ask(self, subject, value):
        path = self.root / (subject + ".env")
        path.write_text("SECRET_KEY=%s\n" % value)
        given = _fingerprints.challenge_of(ITEM)
        asked = {"id": ITEM, "subject": subject, "probe": "environment", "limit": 15.0}
        asked["with"] = {"fact": "fingerprint", "path": str(path), "name": "SECRET_KEY", "part": "value", "secret": "challenge"}
        (seen,) = observe([asked], secrets={"challenge": given})
        base = {"item": ITEM, "subject": subject, "vantage": subject, "digest": "of " + subject, "at": time.time()}
        self.said += [json.dumps(seen), given]
        if "error" in seen:
            self.run.put_answers(subject, "start", "host", [dict(base, status="error", error=seen["error"])])
            return
        taken = _fingerprints.taken(seen["value"], question(subject), given, shared_by=self.shared_by.get(subject, ""))
        self.run.put_fingerprints(subject, "start", "host", [taken])
        more = {"status": TO_COMPARE, "evidence": seen["evidence"], "expect": EMPTY, "token": taken["token"]}
        self.run.put_answers(subject, "start", "host", [dict(base, **more)])

    def rows(self):
        return {row.question.subject: (row.status, row.observed, row.reason) for row in self.report().rows}

    def report(self):
        return Report.of(self.run, ["start"], time.time())

    def digests(self):
        key = hmac.new(RUN_KEY, ITEM.encode(), hashlib.sha256).digest()
        return {value: hmac.new(key, value.encode(), hashlib.sha256).hexdigest() for value in (SAME, OWN)}

    def text(self):
        """Everything that lies in the run's directory."""
        root = pathlib.Path(self.run.directory)
        return {str(path.relative_to(root)): path.read_text() for path in root.rglob("*") if path.is_file()}


@pytest.fixture
def fleet(tmp_path, monkeypatch):
    monkeypatch.setitem(_fingerprints._keys, os.getppid(), RUN_KEY)
    return Fleet(tmp_path)


SHARED = {"app1": SAME, "app2": OWN, "app3": SAME}
FOUND = {"app1": ("fail", "app3", ""), "app2": ("pass", "none", ""), "app3": ("fail", "app1", "")}


def test_the_hosts_that_share_a_secret_are_named_before_and_after_the_fingerprints_are_gone(fleet):
    fleet.hosts(**SHARED)
    assert fleet.rows() == FOUND
    assert (pathlib.Path(fleet.run.directory) / "fingerprints").is_dir()
    fleet.run.settle_fingerprints()
    assert not (pathlib.Path(fleet.run.directory) / "fingerprints").exists()
    assert fleet.rows() == FOUND
    fleet.run.settle_fingerprints()
    assert fleet.rows() == FOUND and not fleet.report().go


def test_secrets_of_their_own_are_a_go(fleet):
    fleet.hosts(app1=SAME, app2=OWN)
    assert fleet.report().go
    assert "compared with app2" in fleet.report().rows[0].evidence
    fleet.run.settle_fingerprints()
    assert fleet.report().go


def test_neither_value_nor_digest_nor_key_is_in_any_file_of_the_run_in_what_a_host_says_or_on_the_board(fleet):
    fleet.hosts(**SHARED)
    digests = fleet.digests()
    held = fleet.text()
    # The search below would find them: this is where they are while the run goes on.
    found = {name for name, text in held.items() if any(digest in text for digest in digests.values())}
    assert found == {"fingerprints/%s.start.host.json" % name for name in SHARED}
    assert sum(text.count(digests[SAME]) for text in held.values()) == 2
    spool = pathlib.Path(fleet.run.directory, "spool").iterdir()
    fleet.report().write()
    shown = [*(path.read_text() for path in spool), *(line.text for line in board(fleet.report(), fleet.report().write()))]
    shown += [pathlib.Path(path).read_text() for path in fleet.report().write()]
    fleet.run.settle_fingerprints()
    report = fleet.report()
    shown += [*fleet.text().values(), *(pathlib.Path(path).read_text() for path in report.write()), *fleet.text().values()]
    said = fleet.said[::2]
    hidden = [SAME, OWN, *digests.values(), RUN_KEY.hex(), hmac.new(RUN_KEY, ITEM.encode(), hashlib.sha256).hexdigest()]
    assert len(said) == 3 and len(shown) > 10 and any("app3" in text for text in shown)
    for secret in hidden:
        assert not any(secret in text for text in [*shown, *said])
    # What was sent is noise, but nothing keeps it either; nor the bits that open it.
    for sent, given in zip(said, fleet.said[1::2]):
        assert not any(json.loads(sent)["value"] in text or given[64:] in text for text in shown)


def sharing(**hosts):
    """{subject: (status, observed, evidence)} where each of `hosts` is (label, shared_by)."""
    answers, asked = [unjudged(name) for name in hosts], [question(name) for name in hosts]
    held = [fingerprint(name, label, **({} if shared_by is None else {"shared_by": shared_by})) for name, (label, shared_by) in hosts.items()]
    return {one["subject"]: (one["status"], one.get("observed", one.get("error")), one["evidence"]) for one in compared(answers, asked, held)}


def test_parts_of_one_thing_may_share_what_others_may_not():
    found = sharing(app1=("a", "production"), app2=("a", "production"), stage=("a", "staging"), other=("b", "staging"))
    assert {name: row[:2] for name, row in found.items()} == {
        "app1": ("fail", "stage"),
        "app2": ("fail", "stage"),
        "stage": ("fail", "app1, app2"),
        "other": ("pass", "none"),
    }
    assert found["app1"][2] == "SECRET_KEY; compared with stage, other; app2 may have the same, as a part of production"
    alone = sharing(app1=("a", "production"), app2=("a", "production"))
    assert alone["app1"] == ("pass", "none", "SECRET_KEY; compared with no other; app2 may have the same, as a part of production")


@pytest.mark.parametrize(("one", "other"), [(None, None), ("", ""), ("production", ""), (None, "production"), ("production", "Production")])
def test_what_nobody_says_of_both_lets_them_share_nothing(one, other):
    assert {row[:1] for row in sharing(app1=("a", one), app2=("a", other)).values()} == {("fail",)}


def test_a_part_that_cannot_be_read_is_no_pass_for_the_others():
    answers, asked = [unjudged("app1")], [question("app1"), question("app2")]
    (found,) = compared(answers, asked, [fingerprint("app1", "a", shared_by="production")])
    assert found["error"] == "not compared with app2: no fingerprint"


def test_by_what_a_value_may_be_shared_is_text():
    assert {row[0] for row in sharing(app1=("a", ["production"]), app2=("a", ["production"])).values()} == {"error"}


def test_what_may_be_shared_is_still_known_once_fingerprints_are_settled(fleet):
    fleet.shared_by = {"app1": "production", "app2": "production"}
    fleet.hosts(app1=SAME, app2=SAME, app3=OWN)
    for _times in range(2):
        assert {row[0] for row in fleet.rows().values()} == {"pass"}
        fleet.run.settle_fingerprints()


def test_only_the_owner_reads_fingerprints(fleet):
    before = os.umask(0)
    try:
        fleet.hosts(**SHARED)
        directory = pathlib.Path(fleet.run.directory, "fingerprints")
        assert stat.S_IMODE(directory.stat().st_mode) == 0o700
        assert {stat.S_IMODE(path.stat().st_mode) for path in directory.iterdir()} == {0o600}
        fleet.run.settle_fingerprints()
    finally:
        os.umask(before)
    assert {stat.S_IMODE(path.stat().st_mode) for path in pathlib.Path(fleet.run.directory, "compared").iterdir()} == {0o600}


def test_who_cannot_be_read_costs_those_that_had_to_be_compared_with_it(fleet):
    fleet.hosts(app1=SAME, app2=OWN, app3="")
    assert {name: row[0] for name, row in fleet.rows().items()} == {"app1": "error", "app2": "error", "app3": "error"}
    assert fleet.rows()["app1"][2] == "not compared with app3: no fingerprint"
    assert "SECRET_KEY is set and empty" in fleet.rows()["app3"][2]


def test_a_run_in_which_all_is_asked_again_is_compared_anew(fleet):
    fleet.hosts(**SHARED)
    fleet.run.settle_fingerprints()
    fleet.hosts(app1=SAME, app2=OWN, app3=SAME + "x")
    assert {row[:2] for row in fleet.rows().values()} == {("pass", "none")}
    fleet.run.settle_fingerprints()
    assert {row[:2] for row in fleet.rows().values()} == {("pass", "none")}


def test_what_is_asked_again_is_not_compared_with_what_is_settled(fleet):
    """A number that took a fingerprint's place is unlike every later fingerprint, and says nothing of the values."""
    fleet.hosts(**SHARED)
    fleet.run.settle_fingerprints()
    fleet.ask("app1", SAME)
    assert {row[0] for row in fleet.rows().values()} == {"error"}
    assert "not compared with app2, app3: fingerprinted with another key" in fleet.rows()["app1"][2]
    fleet.run.settle_fingerprints()
    assert {row[0] for row in fleet.rows().values()} == {"error"}


def test_a_key_that_changed_within_the_run_is_no_pass(fleet, monkeypatch):
    fleet.hosts(app1=SAME, app2=SAME)
    monkeypatch.setitem(_fingerprints._keys, os.getppid(), b"\1" * 32)
    fleet.ask("app2", SAME)
    assert {row[0] for row in fleet.rows().values()} == {"error"}
    fleet.run.settle_fingerprints()
    assert {row[0] for row in fleet.rows().values()} == {"error"}


def test_fingerprints_that_are_lost_are_no_pass(fleet):
    fleet.hosts(app1=SAME, app2=OWN)
    os.unlink(fleet.run.path("fingerprints", "app2.start.host.json"))
    assert {row[0] for row in fleet.rows().values()} == {"error"}
    fleet.run.settle_fingerprints()
    assert {row[0] for row in fleet.rows().values()} == {"error"}


def test_fingerprints_are_removed_also_where_nothing_can_be_kept_of_them(fleet, monkeypatch):
    fleet.hosts(app1=SAME, app2=OWN)

    def full(_descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        fleet.run.settle_fingerprints()
    assert not (pathlib.Path(fleet.run.directory) / "fingerprints").exists()
    assert {row[0] for row in fleet.rows().values()} == {"error"}


def test_provisioning_drops_fingerprints_with_the_answers(fleet):
    fleet.hosts(**SHARED)
    fleet.run.settle_fingerprints()
    fleet.hosts(**SHARED)
    fleet.run.forget_answers()
    assert fleet.run.fingerprints() == [] and {row[0] for row in fleet.rows().values()} == {"missing"}


@pytest.mark.parametrize("broken", [{"label": None}, {"label": ""}, {"key": None}, {"label": 5}, {"key": ["k"]}])
def test_what_is_no_fingerprint_is_not_made_one_by_settling(fleet, broken):
    fleet.hosts(app1=SAME, app2=OWN)
    (record,) = fleet.run._listed("fingerprints", "fingerprints")[1:]
    fleet.run.put_fingerprints("app2", "start", "host", [{**record, **broken}])
    for _time in range(2):
        assert {row[0] for row in fleet.rows().values()} == {"error"}
        fleet.run.settle_fingerprints()


def test_what_a_killed_run_left_is_removed_and_a_living_run_keeps_its_own(fleet):
    fleet.hosts(app1=SAME, app2=OWN)
    fleet.run.link_latest()
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        killed = Run(fleet.run.reports, process.pid)
        process.communicate(b"\n")
    # Its process id may be in use again, by a process that began later.
    recycled = run_name(fleet.run.started - 86400, os.getpid())
    for name in (killed.id, recycled):
        directory = pathlib.Path(fleet.run.reports, name, "fingerprints")
        directory.mkdir(parents=True)
        (directory / "app1.start.host.json").write_text("{}")
        (directory.parent / "results.json").write_text("{}")
    forget_fingerprints_of_the_dead(fleet.run.reports)
    forget_fingerprints_of_the_dead(fleet.run.reports + "/nowhere")
    assert {row[0] for row in fleet.rows().values()} == {"pass"}
    for name in (killed.id, recycled):
        assert os.listdir(os.path.join(fleet.run.reports, name)) == ["results.json"]


# Comparing


def judged(answers, fingerprints, asked=("app1", "app2"), **more):
    asked = [question(one) if isinstance(one, str) else one for one in asked]
    return {one["subject"]: one["status"] for one in compared(answers, asked, fingerprints, **more)}


GOOD = ([unjudged("app1"), unjudged("app2")], [fingerprint("app1", "a"), fingerprint("app2", "b")])


def test_the_good_case_of_the_cases_below():
    assert judged(*GOOD) == {"app1": "pass", "app2": "pass"}


BAD = {
    "no fingerprint of one": (GOOD[0], GOOD[1][:1]),
    "no fingerprint at all": (GOOD[0], []),
    "a fingerprint twice": (GOOD[0], [*GOOD[1], GOOD[1][1]]),
    "two fingerprints": (GOOD[0], [*GOOD[1], fingerprint("app2", "c")]),
    "one of another answer": (GOOD[0], [GOOD[1][0], fingerprint("app2", "b", token="other")]),
    "one of another item": (GOOD[0], [GOOD[1][0], fingerprint("app2", "b", item="env.other")]),
    "one of another subject": (GOOD[0], [GOOD[1][0], dict(GOOD[1][1], subject="app3")]),
    "one made with another key": (GOOD[0], [GOOD[1][0], fingerprint("app2", "b", key="other")]),
    "one without a label": (GOOD[0], [GOOD[1][0], fingerprint("app2", "")]),
    "one whose label is no text": (GOOD[0], [GOOD[1][0], fingerprint("app2", 5)]),
    "one without anything": (GOOD[0], [GOOD[1][0], {}]),
    "no answer of the other": (GOOD[0][:1], GOOD[1]),
    "two answers of the other": ([*GOOD[0], unjudged("app2", token="u")], [*GOOD[1], fingerprint("app2", "c", token="u")]),
    "an answer twice": ([*GOOD[0], GOOD[0][1]], GOOD[1]),
    "an error of the other": ([GOOD[0][0], unjudged("app2", status="error")], GOOD[1]),
    "a pass of the other that nobody compared": ([GOOD[0][0], unjudged("app2", status="pass")], GOOD[1]),
    "an answer to another question": ([GOOD[0][0], unjudged("app2", digest="old")], GOOD[1]),
    "an answer without a token": ([GOOD[0][0], {key: value for key, value in GOOD[0][1].items() if key != "token"}], GOOD[1]),
    "a token that is none": ([GOOD[0][0], dict(GOOD[0][1], token=None)], [GOOD[1][0], dict(GOOD[1][1], token=None)]),
}


@pytest.mark.parametrize("case", BAD)
def test_who_has_to_be_compared_with_what_is_not_there_does_not_pass(case):
    answers, fingerprints = BAD[case]
    found = judged([dict(one) for one in answers], fingerprints)
    assert found["app1"] == "error"
    # What claims to have passed without a comparison is decided like every answer; it is not what is tested here.
    assert found.get("app2") in (("pass",) if "that nobody compared" in case else ("error", None))


@pytest.mark.parametrize("expect", [None, "none", {}, {"minimum": 5}, {"at_least": 1}, 5, []])
def test_what_cannot_be_judged_is_an_error(expect):
    assert judged([unjudged("app1", expect=expect), unjudged("app2")], GOOD[1])["app1"] == "error"


def test_where_nobody_compared_the_verdict_takes_the_answer_for_none():
    (row,) = decide("start", [question("app1")], [unjudged("app1")], started=time.time() - 60, now=time.time()).rows
    assert (row.status, row.through) == ("error", False)


def test_what_is_shared_is_said_also_where_somebody_is_missing():
    asked = [question(one) for one in ("app1", "app2", "app3")]
    found = compared(GOOD[0], asked, [fingerprint("app1", "a"), fingerprint("app2", "a")])
    assert found[0]["error"] == "not compared with app3: no fingerprint; the same on app2"


def test_one_host_alone_is_compared_with_none_and_says_so():
    (found,) = compared([unjudged("app1")], [question("app1")], [fingerprint("app1", "a")])
    assert (found["status"], found["observed"]) == ("pass", "none")
    assert found["evidence"].endswith("compared with no other, since none is asked")


def test_whom_nobody_asks_is_not_waited_for():
    managed = question("db1", not_applicable="managed")
    assert judged(*GOOD, asked=("app1", "app2", managed)) == {"app1": "pass", "app2": "pass"}


def test_whom_the_item_does_not_apply_to_is_not_waited_for_but_compared_where_it_answered():
    excused = {(ITEM, "app2")}
    assert judged(GOOD[0][:1], GOOD[1][:1], excused=excused)["app1"] == "pass"
    assert judged(GOOD[0], [fingerprint("app1", "a"), fingerprint("app2", "a")], excused=excused)["app1"] == "fail"


@pytest.mark.parametrize(("kind", "status"), [("not_applicable", "pass"), ("waiver", "error")])
def test_a_waiver_excuses_one_host_and_not_those_that_needed_it(fleet, kind, status):
    fleet.hosts(app1=SAME, app2="")
    excuse = Waiver(kind, ITEM, "moving", "ann", ("app2",), None if kind == "not_applicable" else time.time() + 60)
    context = {"waivers": [dataclasses.asdict(excuse)], "attestations": [], "problems": []}
    fleet.run.put_questions(fleet.asked, context)
    assert {row.question.subject: row.status for row in fleet.report().rows}["app1"] == status
    assert {row.question.subject: row.through for row in fleet.report().rows}["app2"] is True


def test_other_answers_are_left_as_they_are():
    other = {"item": "redis.aof", "subject": "app1", "status": "pass", "observed": "yes"}
    assert compared([other], [question("app1")], []) == [other]
    assert compared([other, *GOOD[0]], [question("app1"), question("app2")], GOOD[1])[0] is other


def test_what_a_judged_answer_says_is_what_other_answers_say():
    for one in compared(*[GOOD[0], [question("app1"), question("app2")], GOOD[1]]):
        assert set(one) == {"item", "subject", "vantage", "digest", "at", "status", "seconds", "evidence", "observed"}


LABELS = st.lists(st.sampled_from(["a", "b", None]), min_size=1, max_size=5)


@hypothesis.given(LABELS)
def test_a_pass_is_unlike_everybody_and_everybody_is_there(labels):
    names = ["host%d" % number for number in range(len(labels))]
    held = [fingerprint(name, label) for name, label in zip(names, labels) if label]
    found = judged([unjudged(name) for name in names], held, asked=names)
    for name, label in zip(names, labels):
        assert (found[name] == "pass") is (None not in labels and labels.count(label) == 1)
        assert (found[name] == "fail") is (None not in labels and labels.count(label) > 1)
