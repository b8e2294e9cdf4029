# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""YAML files that people write: every mistake is reported with its file and line. Needs PyYAML, not Ansible."""

from __future__ import annotations

import os
import re
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
_MOST = 100_000

# How YAML 1.1, which PyYAML reads, tells what a text without quotes is; 1.2 and most people read only these as a number.
_RESOLVERS = yaml.SafeLoader.yaml_implicit_resolvers
_NUMBER = re.compile(r"[-+]?(?:(?:0|[1-9][0-9]*)(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?|[-+]?0x[0-9a-fA-F]+|[-+]?\.inf|\.nan", re.IGNORECASE)


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
        _refuse_surprises(path, text)
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


class _Level:
    """A mapping or list that is open: the key that waits for its value, the key that it is the value of itself, the item it describes.

    :ivar size: how many values it holds so far, what aliases stand for included.
    """

    def __init__(self, *, mapping: bool, under: str, anchor: t.Optional[str]) -> None:
        self.mapping, self.under, self.anchor = mapping, under, anchor
        self.size = 1
        self.key: t.Optional[str] = None
        self.item = ""


class _Reader:
    """Follows the events of a file, to say of which item and key it is that something is refused."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._open: list[_Level] = []
        self._sizes: dict[t.Optional[str], int] = {}

    def read(self, event: t.Any) -> None:
        """Raise InputError for what is read as something else than it looks like, or would take for ever."""
        is_key = bool(self._open) and self._open[-1].mapping and self._open[-1].key is None
        size = self._sizes.get(event.anchor, 1) if isinstance(event, yaml.AliasEvent) else 1
        if self._open and self._open[-1].size + size > _MOST:
            self._refuse(event, "holds more than %d values, with what aliases (*name) stand for; write out what is needed" % _MOST)
        if isinstance(event, yaml.ScalarEvent) and not is_key:
            self._refuse_surprise(event)
        if isinstance(event, yaml.CollectionEndEvent):
            self._closed(self._open.pop())
        elif isinstance(event, yaml.CollectionStartEvent):
            level = _Level(mapping=isinstance(event, yaml.MappingStartEvent), under=self._key(), anchor=event.anchor)
            self._passed("")
            self._open.append(level)
            if len(self._open) > _DEEPEST:
                self._refuse(event, "is nested more than %d levels deep" % _DEEPEST)
        elif isinstance(event, yaml.NodeEvent):
            if isinstance(event, yaml.ScalarEvent):
                self._sizes.pop(event.anchor, None)
            if self._open:
                self._open[-1].size += size
            self._passed(getattr(event, "value", ""))

    def _closed(self, level: _Level) -> None:
        if self._open:
            self._open[-1].size += level.size
        if level.anchor:
            self._sizes[level.anchor] = level.size

    def _passed(self, text: str) -> None:
        """Note what has come: a key, or the value of the last one; `text` is "" for what is no text."""
        if not self._open or not self._open[-1].mapping:
            return
        level = self._open[-1]
        if level.key in ("id", "item"):
            level.item = text
        level.key = text if level.key is None else None

    def _key(self) -> str:
        return (self._open[-1].key or self._open[-1].under) if self._open else ""

    def _refuse_surprise(self, event: yaml.ScalarEvent) -> None:
        """22:22 is read as 1342, 0755 as 493, and no as false."""
        # With quotes, or a tag of its own, it was meant so.
        if event.style or not event.implicit[0]:
            return
        text = event.value
        kind = next((tag.rpartition(":")[2] for tag, regexp in _RESOLVERS.get(text[:1], ()) if regexp.match(text)), "")
        if kind == "bool" and text.lower() not in ("true", "false"):
            read = "true" if text.lower() in ("yes", "on") else "false"
            self._refuse(event, "%s is read as %s; write %s, or put it in quotes where it is text" % (text, read, read))
        if kind in ("int", "float") and not _NUMBER.fullmatch(text):
            self._refuse(event, "%s is read as %s; write that, or put it in quotes where it is text" % (text[:80], _number_of(text)))

    def _refuse(self, event: t.Any, message: str) -> None:
        line = event.start_mark.line + 1 if event.start_mark else 0
        item = next((level.item for level in reversed(self._open) if level.item), "")
        key = self._key()
        raise InputError(self._path, line, "%s%s" % ("`%s`: " % key if key else "", message), item=item)


def _number_of(text: str) -> str:
    """What YAML 1.1 makes of `text`, as an error says it."""
    try:
        return str(yaml.safe_load(text)) if len(text) < 40 else "a number"
    except ValueError:
        return "a number"


def _refuse_surprises(path: str, text: str) -> None:
    """Before anything is made of `text`: PyYAML's C loader recurses without a limit, and a list of aliases of lists grows with every level."""
    reader = _Reader(path)
    for event in yaml.parse(text, Loader=_Loader):
        reader.read(event)


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
    if not isinstance(value, list) or not all(isinstance(one, str) and one.strip() for one in value):
        raise InputError(path, line, "`%s` is %r; it is a list of names" % (key, value), item=item)


def required(path: str, entry: Mapping, keys: t.Sequence[str], *, item: str, because: str = "") -> None:
    """Each of `keys` is text that says something."""
    for key in keys:
        if not isinstance(entry.get(key), str) or not entry[key].strip():
            raise InputError(path, entry.lines.get(key, entry.line), "`%s` is missing%s" % (key, because and ": " + because), item=item)
