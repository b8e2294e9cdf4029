"""The action `verify` and the module `observe`, as they are, around a secret that is compared between hosts."""

from __future__ import annotations

import dataclasses
import hashlib
import hmac
import importlib
import json
import os
import pathlib
import sys
import time
import types
import typing as t

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible.parsing.dataloader import DataLoader

from tests.support import ROOT

sys.path.insert(0, str(ROOT / ".collections"))
PLUGINS = "ansible_collections.gonogo.preflight.plugins."

SAME = "q7Wm2xZp9Lc4Vt6Rb8Nj3Hd5Gk1Fs0Ya"
OWN = "Ue4Tr6Yw8Qs1Ad3Fg5Hj7Kl9Zx0Cv2Bn"
ITEM = "env.secret_key.own"
RUN_KEY = bytes(range(32))
ITEM_KEY = hmac.new(RUN_KEY, ITEM.encode(), hashlib.sha256)


def plugin(name: str) -> t.Any:
    return importlib.import_module(PLUGINS + name)


@dataclasses.dataclass
class Asked:
    """A host that the action `verify` asked.

    :ivar printed: what its module wrote to its standard output, as Ansible prints it at -vvv.
    :ivar result: what the task returned.
    """

    printed: str
    result: dict[str, t.Any]


class Fleet:
    """Hosts whose connection is a call of the module in this process."""

    def __init__(self, root: pathlib.Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self.root, self.monkeypatch, self.capsys = root, monkeypatch, capsys
        self.verify, self.observe = plugin("action.verify"), plugin("modules.observe")
        self.run = plugin("plugin_utils._run").Run(str(root / "reports"), os.getpid())
        self.pipelining = True
        self.given: list[str] = []
        self.fact = "fingerprint"
        self.parts: dict[str, str] = {}
        self.answer: t.Callable[[dict[str, t.Any], dict[str, t.Any]], None] = lambda _answer, _arguments: None

    def _item(self) -> t.Any:
        described = {"id": ITEM, "title": "A key of its own", "area": "environment", "why": "", "asks": "", "cls": "observe", "stage": "host"}
        asked = {"hosts": "all", "per": "host", "looks_from": "host", "probe": "environment", "expect": {"empty": True}, "source": "catalogue"}
        arguments = {"fact": self.fact, "path": str(self.root / "{{ who }}.env"), "name": "SECRET_KEY", "shared_by": "{{ part }}"}
        return plugin("module_utils._questions").Item(**described, **asked, severity="block", arguments=arguments)

    def _execute(self, printed: list[str], module_args: dict[str, t.Any], **_more: t.Any) -> dict[str, t.Any]:
        with patch_module_args(module_args), pytest.raises(SystemExit):
            self.observe.main()
        shown = self.capsys.readouterr().out
        self.given += json.loads(module_args["secrets"]).values()
        result: dict[str, t.Any] = json.loads(shown)
        # Since ansible-core 2.22 a module hands back what is to be masked, and its output is not shown as it is.
        printed.append(shown if result.pop("_ansible_new_secrets", None) is None else json.dumps(result))
        for answer in result["answers"]:
            self.answer(answer, module_args)
        return result

    def ask(self, host: str, *everybody: str) -> Asked:
        item = self._item()
        questions = plugin("module_utils._questions").questions([item], {"all": everybody}, {})
        self.run.put_questions(questions, {"waivers": [], "attestations": [], "problems": []})
        printed: list[str] = []
        action = self.verify.ActionModule.__new__(self.verify.ActionModule)
        action.options = {"door": "start", "vantage": "host", "ongoing": False}
        action.task_vars = {"inventory_hostname": host}
        action._loader = DataLoader()
        policy = types.SimpleNamespace(managed=())
        doubles = {
            "project": types.SimpleNamespace(items=(item,), policy=policy),
            "thresholds": {one: {} for one in everybody},
            "inventory": types.SimpleNamespace(groups={"all": list(everybody)}),
            "assert_own_connection": lambda: None,
            "current_run": lambda: self.run,
            "secrets_of": lambda *_hosts: [],
            "variables_of": lambda subject, **_more: {"who": subject, "which": "fingerprint", "part": self.parts.get(subject, "")},
            "_is_pipelining_enabled": lambda _style: self.pipelining,
            "_execute_module": lambda **options: self._execute(printed, **options),
        }
        for name, double in doubles.items():
            action.__dict__[name] = double
        mine = [one for one in questions if action._is_mine(one.subject, one.vantage, one.door)]
        self.monkeypatch.setattr(self.verify, "project_questions", lambda *_arguments: mine)
        result = action.act()
        return Asked("".join(printed), result)

    def asked(self, **values: str) -> dict[str, Asked]:
        for host, value in values.items():
            (self.root / (host + ".env")).write_text("SECRET_KEY=%s\n" % value)
        return {host: self.ask(host, *values) for host in values}

    def rows(self) -> dict[str, tuple[str, str, str]]:
        report = plugin("plugin_utils._report").Report.of(self.run, ["start"], time.time())
        return {row.question.subject: (row.status, row.observed, row.reason) for row in report.rows}

    def text(self) -> dict[str, str]:
        """Every file of the run."""
        root = pathlib.Path(self.run.directory)
        return {str(path.relative_to(root)): path.read_text() for path in root.rglob("*") if path.is_file()}


@pytest.fixture
def fleet(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Fleet:
    monkeypatch.setitem(plugin("plugin_utils._fingerprints")._keys, os.getppid(), RUN_KEY)
    return Fleet(tmp_path, monkeypatch, capsys)


def test_who_shares_a_secret_is_found_and_the_task_says_only_that_it_will_be_compared(fleet: Fleet) -> None:
    done = fleet.asked(app1=SAME, app2=OWN, app3=SAME)
    counts = {"pass": 0, "fail": 0, "error": 0, "to compare": 1}
    assert [one.result for one in done.values()] == [{"changed": False, "counts": counts}] * 3
    found = {"app1": ("fail", "app3", ""), "app2": ("pass", "none", ""), "app3": ("fail", "app1", "")}
    assert fleet.rows() == found
    fleet.run.settle_fingerprints()
    assert fleet.rows() == found


def test_hosts_of_which_the_inventory_says_the_same_may_share_it(fleet: Fleet) -> None:
    fleet.parts = {"app1": "production", "app2": "production", "app3": "staging"}
    fleet.asked(app1=SAME, app2=SAME, app3=OWN)
    assert {row[:2] for row in fleet.rows().values()} == {("pass", "none")}
    fleet.asked(app1=SAME, app2=SAME, app3=SAME)
    assert [row[:2] for row in fleet.rows().values()] == [("fail", "app3"), ("fail", "app3"), ("fail", "app1, app2")]


def test_the_gate_compares_as_the_report_does(fleet: Fleet) -> None:
    fleet.asked(app1=SAME, app2=OWN, app3=SAME)
    asked, _context = fleet.run.questions()
    reviewed = types.SimpleNamespace(policy=types.SimpleNamespace(waivers=()), attestations=types.SimpleNamespace(given=()))
    verdict = plugin("plugin_utils._context").decide_now(fleet.run, reviewed, "start", asked, ())
    assert [(row.question.subject, row.status, row.observed) for row in verdict.rows] == [
        ("app1", "fail", "app3"),
        ("app2", "pass", "none"),
        ("app3", "fail", "app1"),
    ]


def test_nothing_that_ansible_can_print_and_nothing_in_the_spool_is_the_value_its_digest_or_the_key(fleet: Fleet) -> None:
    done = fleet.asked(app1=SAME, app2=OWN, app3=SAME)
    digests = [hmac.new(ITEM_KEY.digest(), value.encode(), hashlib.sha256).hexdigest() for value in (SAME, OWN)]
    during = fleet.text()
    assert sorted(name for name, text in during.items() if digests[0] in text) == ["fingerprints/app%d.start.host.json" % number for number in (1, 3)]
    plain = [text for name, text in during.items() if not name.startswith("fingerprints/")]
    fleet.run.settle_fingerprints()
    printed = [one.printed for one in done.values()]
    shown = [*printed, *(json.dumps(one.result) for one in done.values()), *plain, *fleet.text().values()]
    assert len(plain) == 4 and all('"answers"' in one and "judged there" in one for one in printed)
    assert len(fleet.given) == 3 and {given[:64] for given in fleet.given} == {ITEM_KEY.hexdigest()}
    for hidden in (SAME, OWN, *digests, RUN_KEY.hex(), ITEM_KEY.hexdigest(), *(given[64:] for given in fleet.given)):
        assert not any(hidden in text for text in shown)
    # Equal values look different on the way, too.
    assert len({json.loads(one)["answers"][0]["value"] for one in printed}) == 3


@pytest.mark.parametrize("value", [None, 5, "", "0" * 63, "G" * 64, ["0" * 64], SAME])
def test_a_host_that_sends_no_fingerprint_is_an_error_that_quotes_nothing(fleet: Fleet, value: t.Any) -> None:
    fleet.answer = lambda answer, _arguments: answer.update(value=value)
    fleet.asked(app1=SAME)
    assert fleet.rows() == {"app1": ("error", "", "app1 sent what is no fingerprint")}
    assert not (pathlib.Path(fleet.run.directory) / "fingerprints").exists()
    assert not any(SAME in text for text in fleet.text().values())


def test_a_host_that_repeats_what_it_was_given_does_not_bring_it_into_the_spool(fleet: Fleet) -> None:
    def repeats(answer: dict[str, t.Any], arguments: dict[str, t.Any]) -> None:
        (given,) = json.loads(arguments["secrets"]).values()
        told = "%s and %s" % (given[:64], given[64:])
        answer.update({"evidence": told} if answer["subject"] == "app1" else {"error": told, "remedy": told})

    fleet.answer = repeats
    fleet.asked(app1=SAME, app2=SAME)
    assert "********" in fleet.rows()["app2"][2]
    assert not any(ITEM_KEY.hexdigest() in text for text in fleet.text().values())


def test_a_host_that_invents_a_fingerprint_can_only_hide_what_it_shares_itself(fleet: Fleet) -> None:
    fleet.answer = lambda answer, _arguments: answer.update(value="0" * 64) if answer["subject"] == "app3" else None
    fleet.asked(app1=SAME, app2=SAME, app3=SAME)
    assert {host: row[:2] for host, row in fleet.rows().items()} == {"app1": ("fail", "app2"), "app2": ("fail", "app1"), "app3": ("pass", "none")}


def test_without_pipelining_the_key_is_not_sent(fleet: Fleet) -> None:
    fleet.pipelining = False
    done = fleet.asked(app1=SAME)
    assert done["app1"].printed == ""
    assert "its secret would be written to a file on the host" in fleet.rows()["app1"][2]


def test_without_the_callback_there_is_no_key_and_no_answer(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plugin("plugin_utils._fingerprints"), "_keys", {})
    fleet.asked(app1=SAME)
    assert "this run has no key to fingerprint with" in fleet.rows()["app1"][2]


def test_a_fact_that_is_a_template_is_not_compared(fleet: Fleet) -> None:
    """Then every host might be asked something else."""
    fleet.fact = "{{ which }}"
    fleet.asked(app1=SAME)
    assert "`with.fact` is a template" in fleet.rows()["app1"][2]


def test_the_callback_makes_the_key_and_settles_what_is_left(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    fingerprints, board = plugin("plugin_utils._fingerprints"), plugin("callback.board")
    monkeypatch.setattr(fingerprints, "_keys", {os.getppid(): RUN_KEY})
    monkeypatch.setattr(board, "load_project", lambda: None)
    monkeypatch.setattr(board, "current_run", lambda main_process: fleet.run)
    callback = board.CallbackModule()
    callback.v2_playbook_on_start(types.SimpleNamespace(get_plays=list))
    assert len(fingerprints._keys[os.getpid()]) == 32
    fleet.asked(app1=SAME, app2=SAME)
    callback.v2_playbook_on_stats(types.SimpleNamespace(failures={}, dark={}))
    assert not (pathlib.Path(fleet.run.directory) / "fingerprints").exists()
    assert fleet.rows()["app1"][:2] == ("fail", "app2")
