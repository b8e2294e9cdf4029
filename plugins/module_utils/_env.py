# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Environment files as Docker Compose reads them (https://docs.docker.com/reference/compose-file/services/#env_file-format)."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass, field

from ._secrecy import secret_text

__all__ = ["EnvError", "Setting", "env_file", "parse_env"]

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_LINE = re.compile(r"(?:export[ \t]+)?([A-Za-z_][A-Za-z0-9_.-]*)[ \t]*(?:=[ \t]*|(?=\n|\Z))")
_PASSED_ON = re.compile(r"[A-Z_][A-Z0-9_]*")
_BLANK = re.compile(r"(?:[ \t\r\n]+|#[^\n]*)+")
_BARE = re.compile(r"[^\n]*")
_REST = re.compile(r"[ \t\r]*(?:#[^\n]*)?(?:\n|\Z)")
_SINGLE = re.compile(r"'((?:[^'\\]|\\(?!'))*)'")
_DOUBLE = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", '"': '"', "\\": "\\", "$": "$"}
_REFERENCE = re.compile(r"\$[A-Za-z_{$]")


class EnvError(ValueError):
    """A setting that an environment file cannot hold; the message names it and never shows its value."""


@dataclass(frozen=True)
class Setting:
    """What an environment file says of one variable.

    :ivar value: None where the file alone does not say; `unknown` then says why.
    """

    value: t.Optional[str] = field(repr=False)
    unknown: str = ""


def env_file(settings: t.Mapping[str, t.Any]) -> str:
    """`NAME='value'` lines sorted by name; single quotes keep `$`, `#` and spaces as they are. Raises EnvError."""
    if not isinstance(settings, t.Mapping):
        raise EnvError("the settings are no mapping of names to values")
    return "\n".join("%s='%s'" % (name, _value(name, settings[name])) for name in sorted(map(_name, settings)))


def _name(name: t.Any) -> str:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise EnvError("%r is no name of an environment variable" % (name,))
    return name


def _value(name: str, value: t.Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, (str, int, float)):
        raise EnvError("%s is neither text, number nor boolean" % name)
    # Compose reads \' as a quote that does not end the value, within single quotes too.
    if re.search(r"['\n\r\0]|\\\Z", str(value)):
        raise EnvError("the value of %s holds a quote or a line break, or ends with a backslash, which an environment file cannot" % name)
    return str(value)


def parse_env(text: str) -> dict[str, Setting]:
    """The variables of an environment file; of a name that is set twice the last one counts, as in Compose.

    What Compose would fill in from elsewhere (`$NAME` outside single quotes, a name without a value) is not known.
    Raises EnvError, with the number of the line and nothing of what is on it.
    """
    text = text.replace("\r\n", "\n")
    found: dict[str, Setting] = {}
    position = _skip(_BLANK, text, 0)
    while position < len(text):
        start = position
        line = _LINE.match(text, position)
        if not line:
            raise EnvError("line %d is no NAME=value" % _number(text, start))
        position, name = line.end(), line[1]
        # Lines of a key that somebody pasted in look like names.
        if ("_" not in name and secret_text(name)) or ("=" not in line.group() and not _PASSED_ON.fullmatch(name)):
            raise EnvError("line %d is no NAME=value" % _number(text, start))
        if "=" not in line.group():
            found[name] = Setting(None, "it is passed on from whatever starts the program")
        else:
            found[name], position = _setting(text, start, position)
        position = _skip(_BLANK, text, position)
    return found


def _setting(text: str, start: int, position: int) -> tuple[Setting, int]:
    """What stands behind the = of the line at `start`, and where it ends."""
    if text[position : position + 1] not in ("'", '"'):
        line = _BARE.match(text, position)
        raw = re.split(r"(?:^|[ \t]+)#", line.group() if line else "", maxsplit=1)[0].strip()
        return _filled_in(raw, raw), line.end() if line else position
    quoted = (_SINGLE if text[position] == "'" else _DOUBLE).match(text, position)
    rest = quoted and _REST.match(text, quoted.end())
    if not quoted or not rest:
        raise EnvError("the quotes that open on line %d are not closed at the end of a line" % _number(text, start))
    if text[position] == "'":
        return Setting(quoted[1]), rest.end()
    return _filled_in(_ESCAPE.sub("", quoted[1]), _ESCAPE.sub(lambda found: _ESCAPES.get(found[1], found[0]), quoted[1])), rest.end()


def _filled_in(raw: str, value: str) -> Setting:
    """`value`, unless `raw` is something that Compose puts other variables into."""
    return Setting(None, "it refers to other variables with $") if _REFERENCE.search(raw) else Setting(value)


def _skip(pattern: re.Pattern[str], text: str, position: int) -> int:
    match = pattern.match(text, position)
    return match.end() if match else position


def _number(text: str, position: int) -> int:
    return text.count("\n", 0, position) + 1
