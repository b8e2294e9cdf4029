# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write checklists/schema.json, by which editors check and complete catalogues and checklists: from what the loader itself goes by."""

from __future__ import annotations

import json
import pathlib
import sys
import typing as t

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / ".collections"))

from ansible_collections.gonogo.preflight.plugins.module_utils import _expect  # noqa: E402
from ansible_collections.gonogo.preflight.plugins.module_utils._probes import PROBES  # noqa: E402
from ansible_collections.gonogo.preflight.plugins.module_utils._questions import DOORS  # noqa: E402
from ansible_collections.gonogo.preflight.plugins.plugin_utils import _catalogue, _checklists  # noqa: E402

Schema = t.Dict[str, t.Any]
TEXT: Schema = {"type": "string", "pattern": r"\S"}
NAMES: Schema = {"type": "array", "items": TEXT, "minItems": 1}
TEMPLATE: Schema = {"type": "string", "pattern": r"\{\{|\{%"}
CONTAINERS = {"list": "array", "dict": "object"}


def mapping(properties: Schema, required: t.Sequence[str] = ()) -> Schema:
    return {"type": "object", "properties": properties, "required": list(required), "additionalProperties": False}


def expectation() -> Schema:
    modifiers: Schema = {"as": {"enum": sorted(_expect.TYPES)}, "tolerance": TEXT}
    operators: Schema = {name: {} for name in _expect.OPERATORS}
    return {**mapping({**operators, **modifiers}), "oneOf": [{"required": [name]} for name in operators]}


def argument(spec: t.Mapping[str, t.Any]) -> Schema:
    """What the loader accepts: the choices or the type, or a template that becomes one."""
    if "choices" in spec:
        return {"anyOf": [{"enum": list(spec["choices"])}, TEMPLATE]}
    kind = spec.get("type", "str")
    if kind == "raw":
        return {}
    # Ansible's argument specs turn numbers into text and the other way round.
    return {"type": [CONTAINERS[kind], "string"] if kind in CONTAINERS else ["string", "number", "boolean"]}


def arguments() -> list[Schema]:
    """For each probe: with this `probe`, `with` has these keys."""
    found = []
    for name, probe in sorted(PROBES.items()):
        properties = {key: argument(spec) for key, spec in probe.ARGUMENTS.items()}
        required = [key for key, spec in probe.ARGUMENTS.items() if spec.get("required")]
        condition = {"properties": {"probe": {"const": name}}, "required": ["probe"]}
        found.append({"if": condition, "then": {"properties": {"with": mapping(properties, required)}}})
    return found


def common() -> Schema:
    """What both the catalogue and a checklist say of an item."""
    low, high = _catalogue.LIMIT
    return {
        "id": {"type": "string", "pattern": "^%s$" % _catalogue.ID.pattern},
        "severity": {"enum": list(_catalogue.SEVERITIES)},
        "hosts": TEXT,
        "per": {"enum": list(_catalogue.PER)},
        "from": TEXT,
        "limit": {"type": "number", "minimum": low, "maximum": high},
        "expect": {"$ref": "#/$defs/expectation"},
        "who": NAMES,
        "holds": {"type": "string", "pattern": "^%s$" % _catalogue.DAYS.pattern},
    }


def item() -> Schema:
    texts = dict.fromkeys(("title", "asks", "why", "needs", "fixed_by", "variable", "remedy", "question", "evidence", "not_by"), TEXT)
    choices: Schema = {
        "class": {"enum": list(_catalogue.CLASSES)},
        "stage": {"enum": list(DOORS)},
        "about": {"enum": list(_catalogue.ABOUT)},
        "probe": {"enum": sorted(PROBES)},
        "with": {"type": "object"},
    }
    described = mapping({**texts, **choices, **common()}, _catalogue.DESCRIBED)
    ways = [_catalogue.OF_A_PROBE, _catalogue.OF_NO_PROBE, _catalogue.OF_A_QUESTION]
    set_by = {"if": {"properties": {"class": {"const": "provision"}}, "required": ["class"]}, "then": {"required": ["fixed_by"]}}
    return {**described, "oneOf": [{"required": list(way)} for way in ways], "allOf": [*arguments(), set_by]}


def choice() -> Schema:
    keys = {"area": TEXT, "not_applicable": TEXT, **common()}
    return {**mapping({key: keys[key] for key in _checklists.CHOICE_KEYS}), "oneOf": [{"required": ["id"]}, {"required": ["area"], "maxProperties": 1}]}


def schema() -> Schema:
    items: Schema = {"type": "array", "items": {"anyOf": [{"$ref": "#/$defs/item"}, {"$ref": "#/$defs/choice"}]}}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Catalogue or checklist of gonogo.preflight",
        **mapping({"title": TEXT, "items": items}, ["items"]),
        "$defs": {"item": item(), "choice": choice(), "expectation": expectation()},
    }


if __name__ == "__main__":
    (ROOT / "checklists/schema.json").write_text(json.dumps(schema(), indent=1) + "\n")
