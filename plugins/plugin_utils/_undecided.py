# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a new project leaves to its people: every value that still holds the word UNDECIDED is refused by name."""

from __future__ import annotations

import typing as t

import yaml

from ._files import files
from ._yaml import shown

__all__ = ["undecided", "yaml_files"]

_WORD = "UNDECIDED"
_ENDINGS = (".yml", ".yaml", ".json")
_NO_OWNERS = ("all", "vars", "expect", "with")


def undecided(places: t.Iterable[str]) -> list[str]:
    """A sentence for each undecided value in the YAML files of `places` (files and directories): file, line, key and meaning."""
    sentences = []
    for path in yaml_files(places):
        try:
            with open(path, encoding="utf-8", errors="replace") as file:
                text = file.read()
        except OSError:
            continue  # Whoever needs this file says so.
        if _WORD in text:
            sentences += _in_file(path, text)
    return sentences


def yaml_files(places: t.Iterable[str]) -> t.Iterator[str]:
    """The paths of `places` that are files, and of the YAML files below those that are directories; raises InputError as `files` does."""
    for place in dict.fromkeys(places):
        yield from (path for path in files(place, hidden=True) if path == place or path.endswith(_ENDINGS))


def _in_file(path: str, text: str) -> list[str]:
    lines = text.splitlines()
    try:
        # Nodes and not data: a file may hold tags of Ansible's own, such as !vault.
        found = list(_scalars(yaml.compose(text), ()))
    except yaml.YAMLError:
        return ["%s holds the word %s, and is not valid YAML" % (shown(path), _WORD)]
    return [_sentence(path, lines[node.start_mark.line], node.start_mark.line + 1, keys) for node, keys in found if _WORD in node.value]


def _scalars(node: t.Any, keys: tuple[str, ...]) -> t.Iterator[tuple[yaml.ScalarNode, tuple[str, ...]]]:
    """Every single value below `node`, with the keys that lead to it; an entry of a list counts by its id or item."""
    if isinstance(node, yaml.ScalarNode):
        yield node, keys
    elif isinstance(node, yaml.SequenceNode):
        for entry in node.value:
            yield from _scalars(entry, (*keys[:-1], _name(entry)) if _name(entry) else keys)
    elif isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield from _scalars(value, (*keys, str(key.value)))


def _name(node: t.Any) -> str:
    pairs = node.value if isinstance(node, yaml.MappingNode) else ()
    return next((str(value.value) for key, value in pairs if key.value in ("id", "item")), "")


def _sentence(path: str, line: str, number: int, keys: tuple[str, ...]) -> str:
    """The comment at the end of the line says what the value means."""
    _value, _hash, meaning = line.partition(" # ")
    owner = next((" of %s" % key for key in reversed(keys[:-1]) if key not in _NO_OWNERS), "")
    return "%s:%d: %s%s is undecided%s" % (shown(path), number, keys[-1] if keys else "a value", owner, ": " + meaning.strip() if meaning else "")
