# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the check modules share: ask items of the catalogue of the host that the module runs on, and judge them as the gate does.

A check module lists `Check` objects, made of its options, and hands them to `checked`::

    def main():
        module = AnsibleModule(argument_spec=SPEC, supports_check_mode=True)
        result = checked(checks_of(module.params), enforce=module.params["enforce"])
        (module.fail_json if result["failed"] else module.exit_json)(**result)
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ._engine import ITEM_LIMIT, observe
from ._expect import Expectation, ExpectationError, check, judge, seen, text
from ._probes import PROBES

__all__ = ["Check", "checked", "results_of"]

Result = dict[str, t.Any]
Observe = t.Callable[[t.Sequence[t.Mapping[str, t.Any]]], t.Sequence[t.Mapping[str, t.Any]]]


@dataclass(frozen=True)
class Check:
    """One item of the catalogue, as a module asks it.

    :ivar item: its id; probe, arguments and expectation are those of the catalogue (a unit test holds them to it), but
        for what an option of the module sets.
    :ivar option: the option that sets the expectation or an argument, for errors over its value.
    :ivar mend: what mends a failure.
    """

    item: str
    probe: str
    arguments: t.Mapping[str, t.Any]
    expect: Expectation
    option: str = ""
    mend: str = ""
    limit: float = ITEM_LIMIT


def checked(checks: t.Sequence[Check], *, enforce: bool, ask: Observe = observe) -> Result:
    """The module's result: {"changed", "failed", "passed", "results", "msg"}.

    Not `enforce`: what is not met is only reported. An option that no observation could be held against fails all the same.
    """
    try:
        results = results_of(checks, ask=ask)
    except ExpectationError as error:
        return {"changed": False, "failed": True, "passed": False, "results": [], "msg": str(error)}
    unmet = [one for one in results if one["status"] != "pass"]
    passed = bool(results) and not unmet
    msg = "; ".join(map(_line, unmet)) if results else "nothing was asked"
    return {
        "changed": False,
        "failed": enforce and not passed,
        "passed": passed,
        "results": results,
        "msg": msg or "%d of %d checks passed" % (len(results), len(results)),
    }


def results_of(checks: t.Sequence[Check], *, ask: Observe = observe) -> list[Result]:
    """One result for each check, in their order: {"id", "status", "observed", "expected", "evidence", "error", "remedy"}.

    `status` is pass, fail or error; texts are those of a report, "" where there are none. Raises ExpectationError, with the
    option, before anything is looked at.
    """
    for one in checks:
        try:
            check(one.expect)
        except ExpectationError as error:
            raise ExpectationError("%s: %s" % (one.option or one.item, error)) from None
    answers = ask([_asked(one) for one in checks]) if checks else []
    return [_judged(one, _answer_to(one, answers)) for one in checks]


def _asked(one: Check) -> dict[str, t.Any]:
    """What the engine gets; arguments that are left out have the probe's defaults, as in `verify`."""
    defaults = {name: spec.get("default") for name, spec in PROBES[one.probe].ARGUMENTS.items()}
    return {"id": one.item, "subject": "", "probe": one.probe, "with": {**defaults, **one.arguments}, "limit": one.limit}


def _answer_to(one: Check, answers: t.Sequence[t.Mapping[str, t.Any]]) -> t.Mapping[str, t.Any]:
    found = [answer for answer in answers if answer.get("id") == one.item]
    return found[0] if len(found) == 1 else {"error": "%d answers came back for this item" % len(found)}


def _judged(one: Check, answer: t.Mapping[str, t.Any]) -> Result:
    result = {"id": one.item, "status": "error", "observed": "", "expected": text(one.expect), "evidence": "", "error": "", "remedy": one.mend}
    if "error" in answer or "value" not in answer:
        result["error"] = answer.get("error", "the probe gave neither a value nor an error")
        result["remedy"] = answer.get("remedy") or one.mend
        return result
    result["observed"], result["evidence"] = seen(answer["value"], one.expect), answer.get("evidence", "")
    try:
        result["status"] = "pass" if judge(answer["value"], one.expect) else "fail"
    except ExpectationError as error:
        result["error"] = str(error)
    return result


def _line(result: Result) -> str:
    """What is not met, in one line: "docker.version: found 20.10.5, expected at least 24.0 (mend: ...)"."""
    said = result["error"] or "found %s, expected %s" % (result["observed"], result["expected"])
    return "%s: %s%s" % (result["id"], said, " (mend: %s)" % result["remedy"] if result["remedy"] else "")
