# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether every item can be asked of every subject: what its templates become, with the variables of the inventory alone."""

from __future__ import annotations

import typing as t

from ..module_utils._verdict import Question
from ._action import PreflightAction
from ._asking import AskingError, arguments_of, secret_of
from ._context import item_for

__all__ = ["unaskable"]


def unaskable(action: PreflightAction, asked: t.Sequence[Question]) -> list[str]:
    """A sentence for each item that cannot be asked, with file and line: undefined variables, wrong types, missing credentials.

    What is wrong on many hosts is said once. No host is touched.
    """
    found: dict[tuple[str, str, str], list[str]] = {}
    for question in asked:
        if not question.asks_somebody or question.subject not in action.inventory.hosts:
            continue
        variables = action.variables_of(question.subject, preflight_vantage=question.vantage)
        item = item_for(action.project, question.item, question.subject, action.thresholds)
        try:
            secret_of(question, arguments_of(item, variables, action._loader), variables, action._loader)
        except AskingError as error:
            found.setdefault((item.origin, item.id, str(error)), []).append(question.subject)
    return ["%s: item %s on %s: %s" % (origin, item, ", ".join(hosts), error) for (origin, item, error), hosts in found.items()]
