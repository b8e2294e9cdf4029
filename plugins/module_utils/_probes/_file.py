# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files and what lies in directories: presence, owner, mode, age, size, checksum, and one value of a structured file."""

from __future__ import annotations

import configparser
import contextlib
import datetime
import grp
import hashlib
import json
import os
import pwd
import re
import stat
import typing as t

from .._secrecy import holds_credentials, secret_name
from ._base import PLACE, Observation, Probe, ProbeError
from ._files import age_of, compiled, contents, looked_at, matching, now, opened, refuse_secret_file, seconds_of, shown

__all__ = ["FileProbe", "parse_env", "parse_ini", "parse_json", "parse_text", "parse_yaml", "value_at"]

_LARGEST_DOCUMENT = 1024 * 1024
_MOST_VALUES = 10_000
_BLOCK = 1024 * 1024
_SECRET_CONTENT = re.compile(rb"-----BEGIN [A-Z ]*PRIVATE KEY-----|^\$ANSIBLE_VAULT;", re.MULTILINE)
_FORMATS = {".json": "json", ".yml": "yaml", ".yaml": "yaml", ".ini": "ini", ".cfg": "ini", ".env": "env"}
_ENV_LINE = re.compile(r"(?:export\s+)?([A-Za-z_][A-Za-z0-9_.-]*)\s*=(.*)")
_ENV_VALUE = re.compile(r"""\s*(?:'([^']*)'|"((?:[^"\\]|\\.)*)"|([^'"\s](?:[^\s]|[ \t](?!#))*|))[ \t]*(?:(?<=[\s'"])#.*)?""")
# Settings that are about a secret and hold none: PasswordAuthentication no, auth: required.
_HARMLESS = re.compile(r"(?i)yes|no|true|false|on|off|none|enabled|disabled|required|optional|prohibit-password|scram-sha-256|")
_MAY_BE_SECRET = re.compile(r"(?i)pass|auth|secret|token(?!iz)|key\b|credential")


class AbsentError(ProbeError):
    """The file can be read, and what is looked for is not in it."""


class FileProbe(Probe):
    SEES = PLACE
    ARGUMENTS = {
        "fact": {
            "type": "str",
            "required": True,
            "choices": ["age", "checksum", "count", "exists", "mode", "newest", "owner", "size", "value"],
        },
        "path": {"type": "str", "required": True},
        "glob": {"type": "str"},
        "algorithm": {"type": "str", "choices": ["sha256", "sha384", "sha512"], "default": "sha256"},
        "key": {"type": "str"},
        "within": {"type": "str"},
        "absent": {"type": "raw"},
        "format": {"type": "str", "choices": ["json", "yaml", "ini", "env", "text"]},
    }

    def fact_exists(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        """Whether there is something at `path`; a link that leads nowhere is not."""
        path = arguments["path"]
        if not os.path.isabs(path):
            raise ProbeError("%r is not an absolute path" % path)
        try:
            os.stat(path)
        except (FileNotFoundError, NotADirectoryError):
            return Observation(False, "%s leads nowhere" % shown(path) if os.path.islink(path) else "no %s" % path)
        except (OSError, ValueError) as error:
            raise ProbeError("cannot look at %s: %s" % (path, getattr(error, "strerror", "") or error)) from None
        return Observation(True, shown(path))

    def fact_owner(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        """ "user:group"; a number where an id has no name."""
        seen = looked_at(arguments["path"])
        user, group = str(seen.st_uid), str(seen.st_gid)
        with contextlib.suppress(KeyError):
            user = pwd.getpwuid(seen.st_uid).pw_name
        with contextlib.suppress(KeyError):
            group = grp.getgrgid(seen.st_gid).gr_name
        return Observation("%s:%s" % (user, group), shown(arguments["path"]))

    def fact_mode(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        """The permission bits as in "0644"."""
        return Observation("%04o" % stat.S_IMODE(looked_at(arguments["path"]).st_mode), shown(arguments["path"]))

    def fact_age(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        """Seconds since the content was last written."""
        path = arguments["path"]
        return Observation(age_of(looked_at(path).st_mtime, now(), path), "%s, time of its last change" % shown(path))

    def fact_size(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        """Bytes of a regular file."""
        seen = looked_at(arguments["path"])
        if not stat.S_ISREG(seen.st_mode):
            raise ProbeError("%s is not a regular file, so that its size says nothing" % shown(arguments["path"]))
        return Observation(seen.st_size, shown(arguments["path"]))

    def fact_checksum(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        """Checksum of a regular file in hexadecimal digits, SHA-256 unless `algorithm` says otherwise."""
        path, algorithm = arguments["path"], arguments.get("algorithm") or "sha256"
        refuse_secret_file(path)
        digest = hashlib.new(algorithm)
        with opened(path) as file:
            try:
                block = file.read(_BLOCK)
                _refuse_secret_content(path, block)
                while block:
                    digest.update(block)
                    block = file.read(_BLOCK)
            except OSError as error:
                raise ProbeError("cannot read %s: %s" % (path, error.strerror)) from None
        return Observation(digest.hexdigest(), "%s of %s" % (algorithm, shown(path)))

    def fact_count(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        """How many files, directories and links below directory `path` match `glob`, a number."""
        found = self._matching(arguments, "count")
        links = sum(os.path.islink(path) for path in found)
        note = ", %d of them links" % links if links else ""
        return Observation(len(found), "%s in %s%s" % (arguments["glob"], shown(arguments["path"]), note))

    def fact_newest(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        """Seconds since the newest file or directory that matches `glob` below directory `path` was last written."""
        found = self._matching(arguments, "newest")
        if not found:
            raise ProbeError("nothing in %s matches %s" % (shown(arguments["path"]), arguments["glob"]))
        newest, path = max((looked_at(path).st_mtime, path) for path in found)
        return Observation(age_of(newest, now(), path), "%s, the newest of %d" % (shown(path), len(found)))

    def fact_value(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        """The value at `key` ("services.web.image", "mysqld.port", NAME, or for text a regular expression) of the file; never a secret.

        A file that was last written longer ago than `within` is an error. `absent` is what to say where there is no file, or the
        file has no such key, and that means something.
        """
        path, key = arguments["path"], arguments.get("key") or ""
        kind = arguments.get("format") or _FORMATS.get(os.path.splitext(path)[1].lower(), "env" if os.path.basename(path).startswith(".env") else "")
        if not kind:
            raise ProbeError("%s does not say by its name what it is; `format` does" % path)
        if not key and kind != "text":
            raise ProbeError("fact value needs `key`")
        refuse_secret_file(path)
        absent = arguments.get("absent")
        if absent is not None and not self.fact_exists(arguments).value:
            return Observation(absent, "no %s" % path)
        data = contents(path, _LARGEST_DOCUMENT)
        _refuse_secret_content(path, data)
        if arguments.get("within"):
            age, allowed = age_of(looked_at(path).st_mtime, now(), path), seconds_of(arguments["within"], "within")
            if age > allowed:
                raise ProbeError("%s was written %.1f h ago, and nothing counts that is older than %s" % (shown(path), age / 3600, arguments["within"]))
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError:
            raise ProbeError("%s is not UTF-8" % shown(path)) from None
        try:
            value = _plain(_PARSERS[kind](text, key))
        except AbsentError as error:
            if absent is None:
                raise ProbeError("%s: %s" % (shown(path), error)) from None
            return Observation(absent, "%s: %s" % (shown(path), error))
        except ProbeError as error:
            raise ProbeError("%s: %s" % (shown(path), error), error.remedy) from None
        _refuse_secret_value(key if kind != "text" else "", value)
        return Observation(value, "%s of %s" % (key or "the line", shown(path)))

    def _matching(self, arguments: t.Mapping[str, t.Any], fact: str) -> list[str]:
        if not arguments.get("glob"):
            raise ProbeError("fact %s needs `glob`" % fact)
        return matching(arguments["path"], arguments["glob"])


def _refuse_secret_content(path: str, data: bytes) -> None:
    if _SECRET_CONTENT.search(data):
        raise ProbeError("%s holds a private key or a vault; its content is not read" % shown(path))


def _refuse_secret_value(key: str, value: t.Any) -> None:
    """Raise ProbeError when `value`, found at dotted path `key`, is or holds what looks like a secret."""
    if isinstance(value, dict):
        for name, one in value.items():
            _refuse_secret_value("%s.%s" % (key, name), one)
    elif isinstance(value, list):
        for one in value:
            _refuse_secret_value(key, one)
    elif value is None or isinstance(value, bool) or _HARMLESS.fullmatch(str(value)):
        return
    elif any(secret_name(step) for step in key.split(".")) or holds_credentials(str(value)):
        raise ProbeError("%s is, or holds, what looks like a secret; it is not shown" % (key.lstrip(".") or "what is found"))


def value_at(document: t.Any, path: str) -> t.Any:
    """The value at a dotted path; a number picks from a list, and a name may itself have dots. Raises ProbeError when there is none."""
    steps = path.split(".")
    while steps:
        if isinstance(document, list) and steps[0].isascii() and steps[0].isdigit() and len(steps[0]) < 9 and int(steps[0]) < len(document):
            document, steps = document[int(steps[0])], steps[1:]
            continue
        names = range(len(steps), 0, -1) if isinstance(document, dict) else ()
        taken = next((count for count in names if ".".join(steps[:count]) in document), 0)
        if not taken:
            raise AbsentError("there is no %s" % path)
        document, steps = document[".".join(steps[:taken])], steps[taken:]
    return document


def parse_json(text: str, key: str) -> t.Any:
    """The value at dotted path `key` of a JSON text (RFC 8259)."""
    try:
        return value_at(json.loads(text, parse_constant=_no_number), key)
    except (ValueError, RecursionError) as error:
        where = ", line %d" % error.lineno if isinstance(error, json.JSONDecodeError) else ""
        raise ProbeError("is not JSON%s" % where) from None


def _no_number(word: str) -> t.NoReturn:
    raise ValueError("%s is no number of JSON" % word)


def parse_yaml(text: str, key: str) -> t.Any:
    """The value at dotted path `key` of a YAML text with one document."""
    try:
        import yaml
    except ImportError as error:
        raise ProbeError("library missing: %s" % error, "apt-get install python3-yaml") from None
    try:
        document = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except yaml.MarkedYAMLError as error:
        # The message of the whole error quotes the file.
        mark = error.problem_mark
        raise ProbeError("is not YAML%s" % (", line %d" % (mark.line + 1) if mark else "")) from None
    except (yaml.YAMLError, ValueError, TypeError, AttributeError, OverflowError, RecursionError):
        # What looks like a date and is none, a number of too many digits, a key that cannot be one.
        raise ProbeError("is not YAML that can be read") from None
    return value_at(document, key)


def parse_ini(text: str, key: str) -> t.Any:
    """The value of option "section.option", or "option" where the file has no section, of an INI text."""
    parser = configparser.RawConfigParser(strict=True, allow_no_value=True, default_section="\0")
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    try:
        try:
            parser.read_string(text)
        except configparser.MissingSectionHeaderError:
            parser.read_string("[\1]\n" + text)
    except (configparser.Error, ValueError) as error:
        # The message of the whole error quotes the file.
        line = getattr(error, "lineno", None)
        raise ProbeError("is not INI text%s: %s" % (", line %d" % line if line else "", type(error).__name__)) from None
    if parser.has_option("\1", key):
        return parser.get("\1", key)
    for section in parser.sections():
        if key.startswith(section + ".") and parser.has_option(section, key[len(section) + 1 :]):
            return parser.get(section, key[len(section) + 1 :])
    raise AbsentError("there is no %s" % key)


def parse_env(text: str, key: str) -> t.Any:
    """The value of NAME in lines `NAME=value`; of two lines the later holds, as for Docker Compose."""
    found: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        setting = _ENV_LINE.fullmatch(line.strip())
        value = _ENV_VALUE.fullmatch(setting.group(2)) if setting else None
        if not setting or not value:
            raise ProbeError("line %d is no NAME=value" % number)
        single, double, plain = value.groups()
        found[setting.group(1)] = re.sub(r"\\(.)", r"\1", double) if double is not None else single if single is not None else plain.rstrip()
    if key not in found:
        raise AbsentError("there is no %s" % key)
    return found[key]


def parse_text(text: str, key: str) -> str:
    """What regular expression `key` finds in one line: its first group where it has one; without `key`, the only line there is."""
    lines = [line.rstrip() for line in text.splitlines()]
    if not key:
        filled = [line for line in lines if line]
        if len(filled) != 1:
            raise ProbeError("has %d lines, and no `key` to choose one" % len(filled))
        found = {filled[0].strip(): filled[0]}
    else:
        pattern = compiled(key, "key")
        hits = [(match, line) for line in lines for match in [pattern.search(line)] if match]
        found = {(match.group(1) if pattern.groups else match.group(0)) or "": line for match, line in hits}
    if len(found) != 1:
        raise ProbeError("%d different values match `key`" % len(found)) if found else AbsentError("no line matches `key`")
    value, line = found.popitem()
    if (_MAY_BE_SECRET.search(line) and not _HARMLESS.fullmatch(value)) or holds_credentials(line):
        raise ProbeError("the line may hold a secret; it is not shown")
    return value


_PARSERS: t.Mapping[str, t.Callable[[str, str], t.Any]] = {
    "json": parse_json,
    "yaml": parse_yaml,
    "ini": parse_ini,
    "env": parse_env,
    "text": parse_text,
}


def _plain(value: t.Any, room: t.Optional[list[int]] = None, depth: int = 0) -> t.Any:
    """`value` as plain data: keys as text, dates as ISO 8601. Raises ProbeError where there is more than a report can hold.

    Aliases of YAML make a small file a large value, or one without end.
    """
    room = [_MOST_VALUES] if room is None else room
    room[0] -= 1
    if room[0] < 0 or depth > 15:
        raise ProbeError("the value is too large")
    if isinstance(value, dict):
        return {str(key): _plain(one, room, depth + 1) for key, one in value.items()}
    if isinstance(value, (list, tuple, set)):
        return [_plain(one, room, depth + 1) for one in value]
    if isinstance(value, (datetime.date, datetime.datetime)):
        return value.isoformat()
    if value is None or isinstance(value, (str, bool)):
        return value
    if isinstance(value, (int, float)) and abs(value) < 2**63:
        return value
    raise ProbeError("the value is no text, number, list or mapping")
