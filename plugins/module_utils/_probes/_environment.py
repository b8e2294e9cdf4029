# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings of an application, in an environment file or in a running container; secrets are judged here and stay here."""

from __future__ import annotations

import grp
import math
import os
import pwd
import stat
import typing as t

from .._env import EnvError, Setting, parse_env
from .._fingerprint import sealed
from .._secrecy import entropy, is_default, is_placeholder, secret_name, secret_text, url_credentials
from ._base import PLACE, Observation, Probe, ProbeError
from ._docker import DockerProbe

__all__ = ["EnvironmentProbe", "parse_container"]

_LARGEST = 1024 * 1024

Settings = t.Mapping[str, Setting]


class EnvironmentProbe(Probe):
    SEES = PLACE
    ARGUMENTS = {
        "fact": {
            "type": "str",
            "required": True,
            "choices": ["default", "entropy", "fingerprint", "length", "missing_keys", "mode", "own_length", "placeholders", "present", "reused", "value"],
        },
        "path": {"type": "str"},
        "container": {"type": "str"},
        "name": {"type": "str"},
        "part": {"type": "str", "default": "value", "choices": ["password", "value"]},
        "example": {"type": "str"},
        "shared_by": {"type": "str"},
    }
    COMPARED = ("fingerprint",)

    def __init__(self, secrets: t.Mapping[str, str]) -> None:
        super().__init__(secrets)
        self._engine: t.Optional[DockerProbe] = None

    def observe(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        try:
            return super().observe(arguments)
        except ProbeError:
            raise
        except Exception as error:
            # The text of an error that nobody foresaw may quote a value.
            raise ProbeError("the environment probe failed: %s" % type(error).__name__) from None

    def fact_present(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        """Whether variable `name` is set to more than spaces."""
        name = _needed(arguments, "name")
        setting = self._settings(arguments).get(name)
        if setting is None:
            return Observation(False, "%s is not set in %s" % (name, _where(arguments)))
        present = _known(name, setting).strip() != ""
        return Observation(present, "%s is %s in %s" % (name, "set" if present else "set and empty", _where(arguments)))

    def fact_value(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        """The value of variable `name`; an error where name or value look like a secret."""
        name = _needed(arguments, "name")
        if secret_name(name):
            raise ProbeError("%s is, by its name, a secret; its value is not shown" % name)
        value = self._value(arguments)
        if secret_text(value):
            raise ProbeError("the value of %s looks like a secret; it is not shown" % name)
        return Observation(value, "%s in %s" % (name, _where(arguments)))

    def fact_length(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        """How many characters the value has."""
        return Observation(len(self._value(arguments)), self._judged(arguments))

    def fact_entropy(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        """An estimate of the bits that guessing the value takes, rounded down."""
        return Observation(math.floor(entropy(self._value(arguments))), self._judged(arguments))

    def fact_default(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        """ "default" where the value is a placeholder or one that everybody tries first, else "own"."""
        return Observation("default" if is_default(self._value(arguments)) else "own", self._judged(arguments))

    def fact_reused(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        """Other variables of the same value, a list; those of the file `example` too, as "NAME in FILE".

        A URL counts as its password as well, since that is where a secret is used again.
        """
        name, value = _needed(arguments, "name"), self._value(arguments)
        others = {other: setting for other, setting in self._settings(arguments).items() if other != name}
        found = _same({other: Setting(_known(other, setting)) for other, setting in others.items()}, value)
        evidence = "%s, %d other variables" % (self._judged(arguments), len(others))
        if arguments.get("example"):
            example = _example(arguments)
            found += ["%s in %s" % (other, arguments["example"]) for other in _same(example, value)]
            evidence += ", %d of %s" % (len(example), arguments["example"])
        return Observation(found, evidence)

    def fact_fingerprint(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        """The value's fingerprint under the key that the controller sent, sealed; the controller makes of it which other hosts have the same value.

        `shared_by` is for the controller, which does not count hosts of which the same is said there.
        """
        value, given = self._value(arguments), self.secrets.get(str(arguments.get("secret")))
        if not given:
            raise ProbeError("no key to fingerprint with was given")
        return Observation(sealed(value, given), self._judged(arguments))

    def fact_own_length(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        """How many characters the value has, 0 where it is nobody's own: a default, a repetition, or what another variable has too.

        The password of a URL may stand in a variable of its own as well; it is not held against the others.
        """
        value, judged = self._value(arguments), self._judged(arguments)
        if is_default(value):
            return Observation(0, judged + ": a default or a placeholder")
        if entropy(value) < 2 * len(value):
            return Observation(0, judged + ": too repetitive")
        found = [] if arguments.get("part") == "password" else self.fact_reused(arguments).value
        if found:
            return Observation(0, "%s: %s has it too" % (judged, ", ".join(found)))
        return Observation(len(value), judged)

    def fact_missing_keys(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        """Variables of the file `example` that are not set here, a list."""
        _needed(arguments, "example")
        example, settings = _example(arguments), self._settings(arguments)
        return Observation(sorted(set(example) - set(settings)), "%d variables of %s, in %s" % (len(example), arguments["example"], _where(arguments)))

    def fact_placeholders(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        """Variables whose value still is a placeholder, a list."""
        settings = self._settings(arguments)
        if not settings:
            raise ProbeError("%s sets no variable" % _where(arguments))
        found = sorted(name for name, setting in settings.items() if is_placeholder(_known(name, setting)))
        return Observation(found, "%d variables of %s" % (len(settings), _where(arguments)))

    def fact_mode(self, arguments: t.Mapping[str, t.Any]) -> Observation:
        """Mode, owner and group of the file, as in "0600 root:root"; of a link, those of what it leads to."""
        path = _needed(arguments, "path")
        _one_place(arguments)
        try:
            status = os.stat(path)
        except OSError as error:
            raise ProbeError("cannot look at %s: %s" % (path, error.strerror)) from None
        owner = _name(pwd.getpwuid, status.st_uid), _name(grp.getgrgid, status.st_gid)
        return Observation("%04o %s:%s" % (stat.S_IMODE(status.st_mode), *owner), path)

    def _settings(self, arguments: t.Mapping[str, t.Any]) -> Settings:
        """The variables of the file or of the container; raises ProbeError."""
        _one_place(arguments)
        if arguments.get("path"):
            return _read(arguments["path"])
        if self._engine is None:
            self._engine = DockerProbe(self.secrets)
        client, name = self._engine.client(), arguments["container"]
        try:
            container = client.containers.get(name)
            state, variables = container.attrs["State"]["Status"], container.attrs["Config"]["Env"]
        except Exception as error:
            if type(error).__name__ == "NotFound":
                raise ProbeError("there is no container %s" % name, "docker ps --all") from None
            raise ProbeError("the Docker Engine does not describe container %s: %s" % (name, type(error).__name__)) from None
        if state != "running":
            raise ProbeError("container %s is %s, not running" % (name, state), "docker logs --tail 50 %s" % name)
        return parse_container(variables)

    def _value(self, arguments: t.Mapping[str, t.Any]) -> str:
        """The value of `name`, or the password of the URL that it is; raises ProbeError where there is none."""
        name = _needed(arguments, "name")
        setting = self._settings(arguments).get(name)
        if setting is None:
            raise ProbeError("%s is not set in %s" % (name, _where(arguments)))
        value = _known(name, setting)
        if not value.strip():
            raise ProbeError("%s is set and empty in %s" % (name, _where(arguments)))
        if arguments.get("part") != "password":
            return value
        credentials = url_credentials(value)
        if credentials is None:
            raise ProbeError("%s in %s is no URL with a password" % (name, _where(arguments)))
        return credentials[1]

    @staticmethod
    def _judged(arguments: t.Mapping[str, t.Any]) -> str:
        part = "password of " if arguments.get("part") == "password" else ""
        return "%s%s in %s, judged there" % (part, arguments["name"], _where(arguments))


def parse_container(variables: t.Any) -> Settings:
    """The variables of Config.Env of `docker inspect`, a list of NAME=value; raises ProbeError."""
    if not isinstance(variables, list) or not all(isinstance(one, str) and "=" in one for one in variables):
        raise ProbeError("the Docker Engine does not say what the container's environment is")
    return {name: Setting(value) for name, _equals, value in (one.partition("=") for one in variables)}


def _one_place(arguments: t.Mapping[str, t.Any]) -> None:
    if bool(arguments.get("path")) == bool(arguments.get("container")):
        raise ProbeError("the environment probe needs `path` or `container`, and not both")


def _where(arguments: t.Mapping[str, t.Any]) -> str:
    return str(arguments.get("path") or "container %s" % arguments.get("container"))


def _needed(arguments: t.Mapping[str, t.Any], name: str) -> str:
    if not arguments.get(name):
        raise ProbeError("fact %s needs `%s`" % (arguments["fact"], name))
    return str(arguments[name])


def _known(name: str, setting: Setting) -> str:
    if setting.value is None:
        raise ProbeError("the file does not say what %s is: %s; ask the running container" % (name, setting.unknown))
    return setting.value


def _read(path: str) -> Settings:
    """The variables of an environment file; raises ProbeError, which shows nothing of the file."""
    try:
        # What is no regular file may never end, or not even open.
        with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise ProbeError("%s is no regular file" % path)
            content = file.read(_LARGEST + 1)
    except OSError as error:
        raise ProbeError("cannot read %s: %s" % (path, error.strerror)) from None
    if len(content) > _LARGEST:
        raise ProbeError("%s has more than %d bytes" % (path, _LARGEST))
    try:
        return parse_env(content.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise ProbeError("%s is not UTF-8" % path) from None
    except EnvError as error:
        raise ProbeError("%s: %s" % (path, error)) from None


def _example(arguments: t.Mapping[str, t.Any]) -> Settings:
    example = _read(arguments["example"])
    if not example:
        raise ProbeError("%s sets no variable" % arguments["example"])
    return example


def _same(settings: Settings, value: str) -> list[str]:
    """The variables that are `value`, or a URL with it as the password."""
    found = []
    for name, setting in sorted(settings.items()):
        credentials = url_credentials(setting.value or "")
        if value in (setting.value, credentials[1] if credentials else None):
            found.append(name)
    return found


def _name(lookup: t.Callable[[int], t.Any], number: int) -> str:
    try:
        return str(lookup(number)[0])
    except KeyError:
        return str(number)
