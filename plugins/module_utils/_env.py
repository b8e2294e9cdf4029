# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Environment files as Docker Compose reads them (https://docs.docker.com/reference/compose-file/services/#env_file-format)."""

from __future__ import annotations

import re
import typing as t

__all__ = ["EnvError", "env_file"]

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class EnvError(ValueError):
    """A setting that an environment file cannot hold; the message names it and never shows its value."""


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
