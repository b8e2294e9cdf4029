# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""YAML files that people write: every mistake is reported with its file and line. Needs PyYAML, not Ansible."""

from __future__ import annotations

import os
import typing as t

import yaml

from ..module_utils._nearest import nearest

__all__ = ["InputError", "Mapping", "entries", "known_keys", "load", "names", "nearest", "one_of", "required", "shown"]

if t.TYPE_CHECKING:
    from yaml import SafeLoader as _Loader
else:
    _Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_YAML = "tag:yaml.org,2002:"
_TAGS = ("bool", "float", "int", "map", "merge", "null", "seq", "str", "timestamp")
_DEEPEST = 50


class InputError(Exception):
    """A file that a person wrote cannot be used; the message names file, line, item, what is wrong and what is right."""

    def __init__(self, path: str, line: int, message: str, *, item: str = "") -> None:
        where = "%s:%d" % (shown(path), line) if line else shown(path)
        super().__init__("%s: %s%s" % (where, "item %s: " % item if item else "", message))


class Mapping(t.Dict[str, t.Any]):
    """A mapping that knows the line it begins on and the line of each key."""

    line: int = 0
    lines: dict[str, int]


class _LineLoader(_Loader):
    """Refuses repeated keys, which YAML would resolve by losing one of them, and keeps lines."""

    file: str = ""

    def construct_object(self, node: t.Any, deep: bool = False) -> t.Any:
        """The data of `node`; raises InputError where PyYAML's own constructors fail, on what only looks like a date."""
        line, tag = node.start_mark.line + 1, node.tag.rpartition(":")[2]
        if node.tag.startswith(_YAML) and tag not in _TAGS:
            raise InputError(self.file, line, "YAML's !!%s is not used here" % tag)
        try:
            return super().construct_object(node, deep=deep)
        except (ValueError, KeyError, AttributeError) as error:
            message = "%s is no %s (%s); put it in quotes where it is text" % (str(node.value)[:80], tag, error)
            raise InputError(self.file, line, message) from None

    def construct_mapping_with_lines(self, node: t.Any) -> Mapping:
        """A Mapping; raises InputError for keys that are no text, stand twice, or merge others in."""
        result = Mapping()
        result.line = node.start_mark.line + 1
        result.lines = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if key_node.tag == _YAML + "merge":
                raise InputError(self.file, line, "merge keys (<<) are not used here; write the keys out")
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, str):
                raise InputError(self.file, line, "the key %r is not text; put it in quotes" % (key,))
            if key in result:
                raise InputError(self.file, line, "the key %r stands here twice (first in line %d)" % (key, result.lines[key]))
            result.lines[key] = line
            result[key] = self.construct_object(value_node, deep=True)
        return result


_LineLoader.add_constructor(_YAML + "map", _LineLoader.construct_mapping_with_lines)


def load(path: str) -> Mapping:
    """The mapping in the file at `path`, its mappings being Mapping objects.

    Raises InputError when the file cannot be read, is no YAML, or holds anything but one mapping.
    """
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read()
        _refuse_depth(path, text)
        loader = _LineLoader(text)
        loader.file = path
        try:
            data = loader.get_single_data()
        finally:
            loader.dispose()
    except OSError as error:
        raise InputError(path, 0, "cannot be read: %s" % error.strerror) from None
    except UnicodeDecodeError as error:
        raise InputError(path, 0, "is not UTF-8 text: %s" % error) from None
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 0
        raise InputError(path, line, "is not valid YAML: %s" % error.problem) from None
    except yaml.YAMLError as error:
        raise InputError(path, 0, "is not valid YAML: %s" % error) from None
    if not isinstance(data, Mapping):
        raise InputError(path, 1, "holds %s instead of a mapping" % ("nothing" if data is None else "a " + type(data).__name__))
    return data


def _refuse_depth(path: str, text: str) -> None:
    """PyYAML's C loader recurses without a limit: too many levels would end the process."""
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > _DEEPEST:
            line = event.start_mark.line + 1 if event.start_mark else 0
            raise InputError(path, line, "is nested more than %d levels deep" % _DEEPEST)


def shown(path: str) -> str:
    """`path` relative to the working directory where that is shorter."""
    relative = os.path.relpath(path)
    return path if relative.startswith("..") else relative


def entries(path: str, document: Mapping, key: str, *, only: bool = True) -> list[Mapping]:
    """The mappings of the list under `key`."""
    if only:
        known_keys(path, document, (key,))
    entries = document.get(key)
    if not isinstance(entries, list):
        raise InputError(path, document.lines.get(key, 1), "needs a list under %r" % key)
    for entry in entries:
        if not isinstance(entry, Mapping):
            raise InputError(path, document.lines[key], "%r holds %r, which is not a mapping" % (key, entry))
    return entries


def known_keys(path: str, entry: Mapping, known: t.Sequence[str], *, item: str = "") -> None:
    for key in entry:
        if key not in known:
            raise InputError(path, entry.lines[key], "unknown key %r; %s" % (key, nearest(key, known)), item=item)


def one_of(path: str, entry: Mapping, key: str, known: t.Sequence[str]) -> None:
    if key in entry and entry[key] not in known:
        message = "`%s` is %r; %s" % (key, entry[key], nearest(entry[key], known))
        raise InputError(path, entry.lines[key], message, item=str(entry.get("id", "")))


def names(path: str, line: int, key: str, value: t.Any, *, item: str = "") -> None:
    if not isinstance(value, list) or not all(isinstance(one, str) and one for one in value):
        raise InputError(path, line, "`%s` is %r; it is a list of names" % (key, value), item=item)


def required(path: str, entry: Mapping, keys: t.Sequence[str], *, item: str, because: str = "") -> None:
    """Each of `keys` is text that says something."""
    for key in keys:
        if not isinstance(entry.get(key), str) or not entry[key].strip():
            raise InputError(path, entry.lines.get(key, entry.line), "`%s` is missing%s" % (key, because and ": " + because), item=item)
