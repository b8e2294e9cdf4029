# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import time
import typing as t

from ansible.errors import AnsibleConnectionFailure

from ansible_collections.gonogo.preflight.plugins.module_utils._children import Child, ready
from ansible_collections.gonogo.preflight.plugins.module_utils._comparison import TO_COMPARE
from ansible_collections.gonogo.preflight.plugins.module_utils._engine import CALL_LIMIT, observe
from ansible_collections.gonogo.preflight.plugins.module_utils._questions import CONTROLLER, ONGOING, Item
from ansible_collections.gonogo.preflight.plugins.module_utils._verdict import Question
from ansible_collections.gonogo.preflight.plugins.plugin_utils._action import PreflightAction
from ansible_collections.gonogo.preflight.plugins.plugin_utils._asking import (
    AskingError,
    answer_of,
    arguments_of,
    as_asked,
    error_of,
    secret_of,
    to_compare,
)
from ansible_collections.gonogo.preflight.plugins.plugin_utils._context import Project, item_for, project_questions
from ansible_collections.gonogo.preflight.plugins.plugin_utils._fingerprints import NoKeyError, challenge_of, compares, taken

_STARTED_LATE = 10.0
_NO_PIPELINING = "its secret would be written to a file on the host; set pipelining = true in ansible.cfg, under [ssh_connection], and do not keep remote files"

Pair = t.Tuple[Question, Item, t.Dict[str, t.Any]]
Answer = t.Dict[str, t.Any]


class ActionModule(PreflightAction):
    """Ask this host its questions in one call, and write the answers to the spool before anything else happens."""

    OPTIONS = {
        "door": {"type": "str", "choices": ["start", "live"], "default": "start"},
        "vantage": {"type": "str", "choices": ["host", "outside"], "default": "host"},
        "ongoing": {"type": "bool", "default": False},
    }

    _secrets: dict[str, str]
    _fingerprints: list[dict[str, str]]

    def act(self) -> dict[str, t.Any]:
        self.assert_own_connection()
        project, run = self.project, self.current_run()
        door, vantage = self.options["door"], self.options["vantage"]
        asked = [one for one in project_questions(project, self.groups, self.thresholds, self._is_mine) if one.asks_somebody]
        if not asked:
            return {"changed": False, "counts": {}}
        secrets = self.secrets_of(*{self.host, *(one.subject for one in asked)})
        pairs, answers = self._prepare(project, asked, secrets)
        reason = "the call ended without an answer"
        asking: list[Answer] = []
        try:
            asking = self._ask(pairs, secrets)
        except AnsibleConnectionFailure as error:
            reason = "unreachable: %s" % error
            raise
        finally:
            # Also when the task's own time-out ends this.
            answers += asking or [error_of(question, reason, secrets) for question, _item, _asked in pairs]
            run.put_fingerprints(self.host, door, vantage, self._fingerprints)
            run.put_answers(self.host, door, vantage, answers)
        counts = {status: sum(one["status"] == status for one in answers) for status in ("pass", "fail", "error", TO_COMPARE)}
        return {"changed": False, "counts": counts}

    def _is_mine(self, subject: str, vantage: str, door: str) -> bool:
        """On itself, a host answers for itself and has the controller look at it; outside, it looks at the others."""
        if door != self.options["door"] and not (self.options["ongoing"] and door == ONGOING):
            return False
        if self.options["vantage"] == "outside":
            return vantage == self.host and subject != self.host
        return subject == self.host and vantage in (self.host, CONTROLLER)

    def _prepare(self, project: Project, asked: list[Question], secrets: list[str]) -> tuple[list[Pair], list[Answer]]:
        """(what can be asked, errors for what cannot)."""
        pairs, answers = [], []
        self._secrets, self._fingerprints = {}, []
        for question in asked:
            item = item_for(project, question.item, question.subject, self.thresholds)
            try:
                variables = self.variables_of(question.subject, preflight_vantage=question.vantage)
                arguments = arguments_of(item, variables, self._loader)
                self._secrets.update(secret_of(question, arguments, variables, self._loader))
                one = as_asked(item, question, arguments)
                if compares(item.probe, arguments):
                    self._secrets[one["with"]["secret"]] = challenge_of(item.id)
            except (AskingError, NoKeyError) as error:
                answers.append(error_of(question, str(error), secrets))
            else:
                pairs.append((question, item, one))
        return pairs, answers

    def _ask(self, pairs: list[Pair], secrets: list[str]) -> list[Answer]:
        """The controller's own look runs beside the call to the host."""
        here = [pair for pair in pairs if pair[0].vantage == CONTROLLER]
        there = [pair for pair in pairs if pair[0].vantage != CONTROLLER]
        child = None
        if here:
            items = [asked for _question, _item, asked in here]
            secrets_here = self._meant_by(items)
            child = Child(lambda send: send(observe(items, secrets=secrets_here)))
        answers = []
        try:
            if there:
                answers = self._judged(there, self._observe_on_host([asked for _question, _item, asked in there]), secrets)
        finally:
            if child is not None:
                observations = _collected(child)
                child.close()
                answers += self._judged(here, observations, secrets)
        return answers

    def _meant_by(self, items: list[dict[str, t.Any]]) -> dict[str, str]:
        """The secrets that these items name, and no others."""
        return {item["with"]["secret"]: self._secrets[item["with"]["secret"]] for item in items if item["with"].get("secret")}

    def _observe_on_host(self, items: list[dict[str, t.Any]]) -> list[t.Any]:
        secrets = self._meant_by(items)
        if secrets and not self._is_pipelining_enabled("new"):
            # Without pipelining the arguments of a module lie in a file on the host.
            told = [item for item in items if item["with"].get("secret")]
            asked = [item for item in items if item not in told]
            return [*_errors(told, _NO_PIPELINING), *(self._observe_on_host(asked) if asked else ())]
        result = self._execute_module(
            module_name="gonogo.preflight.observe",
            module_args={"items": json.dumps(items), "secrets": json.dumps(secrets)},
            task_vars=self.task_vars,
        )
        answers = result.get("answers")
        if isinstance(answers, list):
            return answers
        return _errors(items, "the check did not run on this host: %s" % (result.get("msg") or result.get("module_stderr") or "no answer"))

    def _judged(self, pairs: list[Pair], observations: list[t.Any], secrets: list[str]) -> list[Answer]:
        """Exactly one answer for each question asked; what was not asked is dropped."""
        answers = []
        for question, item, asked in pairs:
            found = [one for one in observations if isinstance(one, dict) and (one.get("id"), one.get("subject")) == (item.id, question.subject)]
            if len(found) != 1:
                answers.append(error_of(question, "%d answers came back for this item" % len(found)))
            elif compares(item.probe, asked["with"]):
                answers.append(self._to_compare(found[0], item, question, asked["with"], secrets))
            else:
                answers.append(answer_of(found[0], item, question, secrets))
        return answers

    def _to_compare(self, observation: Answer, item: Item, question: Question, asked: dict[str, t.Any], secrets: list[str]) -> Answer:
        """The answer of what is compared; its fingerprint goes to a file of its own."""
        challenge = self._secrets[asked["secret"]]
        # In half: so an answer would repeat one of the two that it is made of.
        hidden = [challenge[:64], challenge[64:], *secrets]
        if "error" in observation or "value" not in observation:
            return answer_of(observation, item, question, hidden)
        try:
            fingerprint = taken(observation["value"], question, challenge, shared_by=asked.get("shared_by") or "")
        except ValueError as error:
            return error_of(question, "%s %s" % (self.host, error))
        self._fingerprints.append(fingerprint)
        return to_compare(observation, item, question, token=fingerprint["token"], secrets=hidden)


def _errors(items: list[dict[str, t.Any]], error: str) -> list[t.Any]:
    return [{"id": item["id"], "subject": item["subject"], "error": error} for item in items]


def _collected(child: Child) -> list[t.Any]:
    """The one message of the child that looks from the controller; nothing when it does not come in time."""
    deadline = time.monotonic() + CALL_LIMIT + _STARTED_LATE
    while not child.finished and time.monotonic() < deadline:
        if ready([child], deadline - time.monotonic()):
            try:
                messages = child.read()
            except ValueError:
                return []
            for message in messages:
                return list(message)
    return []
