# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From questions to what a probe is asked, and from its answers to what the spool keeps."""

from __future__ import annotations

import re
import time
import typing as t

from ansible.errors import AnsibleError
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.template import Templar, trust_as_template

from ..module_utils import _arguments, _expect
from ..module_utils._comparison import TO_COMPARE
from ..module_utils._probes import PROBES
from ..module_utils._questions import Item
from ..module_utils._verdict import Question
from ._action import mask
from ._catalogue import templated
from ._fingerprints import compares
from ._yaml import nearest

__all__ = ["AskingError", "answer_of", "arguments_of", "as_asked", "error_of", "secret_of", "to_compare"]


_UNDEFINED = re.compile(r"'([^']+)' is undefined")


class AskingError(Exception):
    """The item cannot be asked of this subject."""


def _resolved(value: t.Any, templar: Templar) -> t.Any:
    """`value` with its templates filled in; only strings with braces are touched."""
    if isinstance(value, dict):
        return {key: _resolved(one, templar) for key, one in value.items()}
    if isinstance(value, list):
        return [_resolved(one, templar) for one in value]
    return templar.template(trust_as_template(value)) if templated(value) else value


def _meant(error: str, variables: t.Mapping[str, t.Any]) -> str:
    """The variable that the writer of an undefined one may have meant, as the end of an error message."""
    undefined = _UNDEFINED.search(error)
    hint = nearest(undefined.group(1), variables) if undefined else ""
    return "; " + hint if hint.startswith("did you mean") else ""


def arguments_of(item: Item, variables: dict[str, t.Any], loader: t.Any) -> dict[str, t.Any]:
    """The probe's arguments for one subject, templated with its variables and of the declared types; raises AskingError."""
    try:
        given = _resolved(dict(item.arguments), Templar(loader=loader, variables=variables))
    except AnsibleError as error:
        raise AskingError("`with` cannot be filled in: %s%s" % (error, _meant(str(error), variables))) from None
    if templated(given):
        raise AskingError("`with` still holds braces after it was filled in")
    validated = ArgumentSpecValidator(dict(PROBES[item.probe].ARGUMENTS)).validate(given)
    if validated.error_messages:
        raise AskingError("`with`: %s" % "; ".join(validated.error_messages))
    wrong = _arguments.problem(item.probe, PROBES[item.probe].ARGUMENTS, given)
    if wrong:
        raise AskingError(wrong[1])
    arguments = dict(validated.validated_parameters)
    if compares(item.probe, arguments) and not compares(item.probe, item.arguments):
        raise AskingError("`with.fact` is a template, and %s is compared between hosts, which have to be asked the same; write it out" % arguments["fact"])
    return arguments


def secret_of(question: Question, arguments: dict[str, t.Any], variables: dict[str, t.Any], loader: t.Any) -> dict[str, str]:
    """The secret that the arguments name: {its name in this call: the value of the subject's variable}; raises AskingError.

    The name is the subject's own, since two hosts may have different passwords in the same variable.
    """
    name = arguments.get("secret")
    if not name:
        return {}
    try:
        value = Templar(loader=loader, variables=variables).template(variables.get(name))
    except AnsibleError:
        value = None
    if not isinstance(value, str) or not value:
        raise AskingError("the variable %s is missing, empty or no text; keep it in a vaulted file of the inventory" % name)
    return {"%s of %s" % (name, question.subject): value}


def as_asked(item: Item, question: Question, arguments: dict[str, t.Any]) -> dict[str, t.Any]:
    """What the engine gets: no expectation, since it judges nothing, and no secret."""
    secret = "challenge for %s" % item.id if compares(item.probe, arguments) else arguments.get("secret")
    if secret:
        arguments = dict(arguments, secret="%s of %s" % (secret, question.subject))
    return {"id": item.id, "subject": question.subject, "probe": item.probe, "with": arguments, "limit": item.limit}


def answer_of(observation: t.Mapping[str, t.Any], item: Item, question: Question, secrets: t.Sequence[str]) -> dict[str, t.Any]:
    """One observation, judged here and stamped with the controller's time, without any secret."""
    answer = _base(question)
    answer["seconds"] = observation.get("seconds", 0.0)
    if "error" in observation or "value" not in observation:
        error = observation.get("error", "the host sent neither a value nor an error")
        answer.update(status="error", error=mask(error, secrets), remedy=mask(observation.get("remedy", ""), secrets))
        return answer
    answer["observed"] = mask(_expect.seen(observation["value"], item.expect), secrets)
    answer["evidence"] = mask(observation.get("evidence", ""), secrets)
    try:
        answer["status"] = "pass" if _expect.judge(observation["value"], item.expect) else "fail"
    except _expect.ExpectationError as error:
        answer.update(status="error", error=mask(error, secrets))
    return answer


def to_compare(observation: t.Mapping[str, t.Any], item: Item, question: Question, *, token: str, secrets: t.Sequence[str]) -> dict[str, t.Any]:
    """The answer of which a fingerprint was taken, without it: judged when a verdict compares it with those of the other subjects.

    :param token: names the fingerprint that belongs to it.
    """
    return dict(
        _base(question),
        status=TO_COMPARE,
        seconds=observation.get("seconds", 0.0),
        evidence=mask(observation.get("evidence", ""), secrets),
        expect=dict(item.expect),
        token=token,
    )


def error_of(question: Question, error: str, secrets: t.Sequence[str] = ()) -> dict[str, t.Any]:
    """The answer of a question that could not be asked."""
    return dict(_base(question), status="error", error=mask(error, secrets))


def _base(question: Question) -> dict[str, t.Any]:
    return {
        "item": question.item,
        "subject": question.subject,
        "vantage": question.vantage,
        "digest": question.digest,
        "at": time.time(),
    }
