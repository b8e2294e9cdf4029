# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The environment probe on real files; the Docker Engine is a double. No value that is a secret is in anything it says."""

from __future__ import annotations

import grp
import os
import pwd
import sys
import types

import pytest

from ansible_collections.gonogo.preflight.plugins.module_utils._fingerprint import challenge, opened
from ansible_collections.gonogo.preflight.plugins.module_utils._probes import _docker, _environment
from ansible_collections.gonogo.preflight.plugins.module_utils._probes._base import ProbeError

ROLLED = "q7Wm2xZp9Lc4Vt6Rb8Nj3Hd5Gk1Fs0Ya"
OTHER = "Ue4Tr6Yw8Qs1Ad3Fg5Hj7Kl9Zx0Cv2Bn"

FILE = """
# Of the shop
ENVIRONMENT=production
DEBUG='false'
KELLY_FRACTION=0.25
EMPTY=
BLANK="  "
SECRET_KEY=%(rolled)s
JWT_SECRET_KEY=%(other)s
SESSION_SEED=%(other)s
WEAK_PASSWORD=changeme
POSTGRES_PASSWORD=postgres
DATABASE_URL=postgresql://app:%(rolled)s@db:5432/shop
REDIS_URL=redis://:redis@cache:6379/0
PLAIN_URL=http://mlflow:5000
BUILD=%(other)s
""" % {"rolled": ROLLED, "other": OTHER}

EXAMPLE = "ENVIRONMENT=development\nDEBUG=true\nSECRET_KEY=changeme\nSEED=%s\nNEW_SETTING=\nPASSED_ON\n" % OTHER

SECRETS = (ROLLED, OTHER, "changeme")


@pytest.fixture
def env(tmp_path):
    """env(fact, ...) -> observation of a file of the shop; `text` replaces its content."""
    (tmp_path / ".env.example").write_text(EXAMPLE)

    def ask(fact, text=FILE, **more):
        (tmp_path / "app.env").write_text(text)
        return _environment.EnvironmentProbe({}).observe({"fact": fact, "path": str(tmp_path / "app.env"), **more})

    return ask


@pytest.fixture
def example(tmp_path):
    return str(tmp_path / ".env.example")


def silent(text):
    return not any(secret in text for secret in SECRETS)


def error(ask, fact, **more):
    with pytest.raises(ProbeError) as raised:
        ask(fact, **more)
    assert silent(str(raised.value) + raised.value.remedy)
    return str(raised.value)


@pytest.mark.parametrize(("name", "value"), [("ENVIRONMENT", True), ("SECRET_KEY", True), ("EMPTY", False), ("BLANK", False), ("ABSENT", False)])
def test_present(env, name, value):
    seen = env("present", name=name)
    assert seen.value is value and silent(repr(seen))


@pytest.mark.parametrize(
    ("name", "value"), [("ENVIRONMENT", "production"), ("DEBUG", "false"), ("KELLY_FRACTION", "0.25"), ("PLAIN_URL", "http://mlflow:5000")]
)
def test_value(env, name, value):
    assert env("value", name=name).value == value


@pytest.mark.parametrize("name", ["SECRET_KEY", "WEAK_PASSWORD", "DATABASE_URL", "REDIS_URL", "BUILD", "SESSION_SEED"])
def test_a_secret_is_not_shown_whether_its_name_or_its_value_tells(env, name):
    assert "not shown" in error(env, "value", name=name)


@pytest.mark.parametrize(
    ("name", "more", "value"),
    [
        ("SECRET_KEY", {}, 32),
        ("WEAK_PASSWORD", {}, 8),
        ("DATABASE_URL", {"part": "password"}, 32),
        ("DATABASE_URL", {}, len("postgresql://app:@db:5432/shop") + 32),
        ("REDIS_URL", {"part": "password"}, 5),
    ],
)
def test_length(env, name, more, value):
    seen = env("length", name=name, **more)
    assert seen.value == value and silent(repr(seen))


@pytest.mark.parametrize(
    ("text", "name", "more", "value", "evidence"),
    [
        ("SECRET_KEY=%s\nSEED=x\n" % (ROLLED + OTHER), "SECRET_KEY", {}, 64, "judged there"),
        (FILE, "SECRET_KEY", {}, 0, "DATABASE_URL has it too"),
        (FILE, "DATABASE_URL", {"part": "password"}, 32, "judged there"),
        (FILE, "REDIS_URL", {"part": "password"}, 0, "a default or a placeholder"),
        (FILE, "WEAK_PASSWORD", {}, 0, "a default or a placeholder"),
        ("SECRET_KEY=%s\n" % ("ab1" * 30), "SECRET_KEY", {}, 0, "too repetitive"),
        ("JWT_SECRET_KEY=%s\n" % OTHER, "JWT_SECRET_KEY", {"example": True}, 0, "SEED in "),
        ("JWT_SECRET_KEY=%s\n" % OTHER, "JWT_SECRET_KEY", {}, 32, "judged there"),
    ],
)
def test_the_length_of_a_value_that_is_nobody_elses(env, example, text, name, more, value, evidence):
    seen = env("own_length", text, name=name, **({"example": example} if more.pop("example", False) else more))
    assert seen.value == value and silent(repr(seen))
    assert evidence in seen.evidence


def test_the_length_of_what_is_not_set_is_an_error(env):
    assert "is not set" in error(env, "own_length", name="ABSENT")
    assert "is set and empty" in error(env, "own_length", name="EMPTY")


@pytest.mark.parametrize(
    ("name", "more", "least", "most"),
    [("SECRET_KEY", {}, 120, 165), ("DATABASE_URL", {"part": "password"}, 120, 165), ("WEAK_PASSWORD", {}, 5, 25), ("REDIS_URL", {"part": "password"}, 0, 15)],
)
def test_entropy_in_whole_bits(env, name, more, least, most):
    seen = env("entropy", name=name, **more)
    assert isinstance(seen.value, int) and least <= seen.value <= most and silent(repr(seen))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SECRET_KEY", "own"),
        ("DATABASE_URL", "own"),
        ("WEAK_PASSWORD", "default"),
        ("POSTGRES_PASSWORD", "default"),
        ("REDIS_URL", "default"),
    ],
)
def test_default(env, name, value):
    seen = env("default", name=name)
    assert seen.value == value and silent(repr(seen))


def test_reused(env, example):
    assert env("reused", name="SECRET_KEY").value == ["DATABASE_URL"]
    assert env("reused", name="DATABASE_URL", part="password").value == ["SECRET_KEY"]
    assert env("reused", name="DATABASE_URL").value == []
    assert env("reused", name="JWT_SECRET_KEY").value == ["BUILD", "SESSION_SEED"]
    assert env("reused", name="JWT_SECRET_KEY", example=example).value == ["BUILD", "SESSION_SEED", "SEED in " + example]
    seen = env("reused", name="WEAK_PASSWORD", example=example)
    assert seen.value == ["SECRET_KEY in " + example] and silent(repr(seen))
    assert env("reused", name="POSTGRES_PASSWORD", example=example).value == []


GIVEN = challenge(b"key", "env.secret_key.own")


@pytest.fixture
def fingerprinted(tmp_path):
    """fingerprinted(name, ...) -> (fingerprint, observation), as by a controller that sent a challenge."""

    def ask(name, text=FILE, secret="challenge", **more):
        (tmp_path / "app.env").write_text(text)
        probe = _environment.EnvironmentProbe({"challenge": GIVEN})
        seen = probe.observe({"fact": "fingerprint", "path": str(tmp_path / "app.env"), "name": name, "secret": secret, **more})
        return opened(seen.value, GIVEN), seen

    return ask


def test_a_fingerprint_is_equal_where_the_values_are(fingerprinted):
    rolled, seen = fingerprinted("SECRET_KEY")
    assert fingerprinted("DATABASE_URL", part="password")[0] == rolled == fingerprinted("A", text="A='%s' # again" % ROLLED)[0]
    assert rolled not in [fingerprinted(name)[0] for name in ("DATABASE_URL", "JWT_SECRET_KEY", "WEAK_PASSWORD")]
    assert silent(repr(seen)) and rolled not in repr(seen) and GIVEN[:64] not in repr(seen) and GIVEN[64:] not in repr(seen)


@pytest.mark.parametrize("secret", [None, "", "another"])
def test_a_fingerprint_needs_the_key_of_the_controller(fingerprinted, secret):
    assert error(fingerprinted, "SECRET_KEY", secret=secret) == "no key to fingerprint with was given"


@pytest.mark.parametrize("given", ["x", GIVEN[:64], GIVEN + "00", GIVEN.upper()])
def test_a_challenge_that_is_none_is_an_error_that_does_not_quote_it(tmp_path, given):
    (tmp_path / "app.env").write_text(FILE)
    probe = _environment.EnvironmentProbe({"challenge": given})
    asked = {"path": str(tmp_path / "app.env"), "name": "SECRET_KEY", "secret": "challenge"}
    assert error(lambda fact: probe.observe({"fact": fact, **asked}), "fingerprint") == "the environment probe failed: ValueError"


def test_what_refers_to_the_secret_may_be_it(env):
    """ALIAS is the very same value, which the file does not show."""
    said = error(env, "reused", name="A_SECRET", text="A_SECRET=%s\nALIAS=${A_SECRET}\n" % ROLLED)
    assert "does not say what ALIAS is: it refers to other variables" in said


def test_missing_keys(env, example):
    assert env("missing_keys", example=example).value == ["NEW_SETTING", "PASSED_ON", "SEED"]
    assert env("missing_keys", example=example, text=EXAMPLE).value == []
    assert env("missing_keys", example=example, text="").value == ["DEBUG", "ENVIRONMENT", "NEW_SETTING", "PASSED_ON", "SECRET_KEY", "SEED"]


def test_placeholders(env):
    assert env("placeholders").value == ["WEAK_PASSWORD"]
    assert env("placeholders", text="A=your-api-key\nB=<token>\nC=fine\nD=https://api.example.com/\nE=").value == ["A", "B", "D"]
    assert env("placeholders", text="A=fine").value == []


@pytest.mark.parametrize(("mode", "value"), [(0o600, "0600"), (0o644, "0644"), (0o4750, "4750")])
def test_mode(env, tmp_path, mode, value):
    env("present", name="A")
    file = tmp_path / "app.env"
    file.chmod(mode)
    (tmp_path / "link").symlink_to(file)
    owner = "%s:%s" % (pwd.getpwuid(os.geteuid()).pw_name, grp.getgrgid(file.stat().st_gid).gr_name)
    for path in (file, tmp_path / "link"):
        assert _environment.EnvironmentProbe({}).observe({"fact": "mode", "path": str(path)}).value == "%s %s" % (value, owner)


def test_an_owner_without_a_name_is_a_number(env, tmp_path, monkeypatch):
    env("present", name="A")

    def unknown(_number):
        raise KeyError

    monkeypatch.setattr(_environment.pwd, "getpwuid", unknown)
    monkeypatch.setattr(_environment.grp, "getgrgid", unknown)
    (tmp_path / "app.env").chmod(0o600)
    status = (tmp_path / "app.env").stat()
    seen = _environment.EnvironmentProbe({}).observe({"fact": "mode", "path": str(tmp_path / "app.env")})
    assert seen.value == "0600 %d:%d" % (status.st_uid, status.st_gid)


JUDGED = ["value", "length", "entropy", "default", "reused", "fingerprint"]


@pytest.mark.parametrize("fact", JUDGED)
@pytest.mark.parametrize(("name", "message"), [("ABSENT", "ABSENT is not set in"), ("EMPTY", "EMPTY is set and empty in"), ("BLANK", "BLANK is set and empty")])
def test_what_is_not_set_cannot_be_judged(env, fact, name, message):
    assert message in error(env, fact, name=name)


@pytest.mark.parametrize("fact", ["length", "entropy", "default", "reused", "fingerprint"])
@pytest.mark.parametrize("name", ["ENVIRONMENT", "PLAIN_URL"])
def test_a_password_that_is_not_there_cannot_be_judged(env, fact, name):
    assert "is no URL with a password" in error(env, fact, name=name, part="password")


@pytest.mark.parametrize("fact", [*JUDGED, "present"])
def test_a_value_that_the_file_does_not_hold_cannot_be_judged(env, fact):
    for text in ("A=$OTHER", "A"):
        assert "the file does not say what A is" in error(env, fact, name="A", text=text)


@pytest.mark.parametrize("fact", [*JUDGED, "present"])
def test_a_name_is_needed(env, fact):
    assert error(env, fact) == "fact %s needs `name`" % fact


def test_an_example_is_needed(env, tmp_path):
    assert error(env, "missing_keys") == "fact missing_keys needs `example`"
    for fact, more in (("missing_keys", {}), ("reused", {"name": "SECRET_KEY"})):
        assert "cannot read" in error(env, fact, example=str(tmp_path / "nowhere"), **more)
        (tmp_path / "blank").write_text("# nothing\n")
        assert "sets no variable" in error(env, fact, example=str(tmp_path / "blank"), **more)


def test_an_environment_without_variables_has_no_placeholder_that_could_be_seen(env):
    assert "sets no variable" in error(env, "placeholders", text="# nothing\n")
    assert "does not say what A is" in error(env, "placeholders", text="A=$B")


ALL = [
    *((fact, {"name": "SEED"}) for fact in [*JUDGED, "present"]),
    ("placeholders", {}),
]


@pytest.mark.parametrize(("fact", "more"), ALL)
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot read"),
        (b"SEED=\xff\xfe", "is not UTF-8"),
        (b"SEED='" + ROLLED.encode(), "the quotes that open on line 1"),
        (ROLLED.encode(), "line 1 is no NAME=value"),
        (b"changeme " + ROLLED.encode(), "line 1 is no NAME=value"),
        (b"#" * (1024 * 1024 + 1), "more than 1048576 bytes"),
    ],
)
def test_a_file_that_cannot_be_read_is_an_error_that_shows_nothing_of_it(tmp_path, fact, more, content, message):
    if content is not None:
        (tmp_path / "app.env").write_bytes(content)
    probe = _environment.EnvironmentProbe({})
    assert message in error(lambda fact, **more: probe.observe({"fact": fact, "path": str(tmp_path / "app.env"), **more}), fact, **more)


@pytest.mark.parametrize("fact", ["present", "mode", "missing_keys"])
@pytest.mark.parametrize("places", [{}, {"path": "/etc/hosts", "container": "app"}, {"path": "", "container": ""}])
def test_one_place_is_needed(fact, places, tmp_path):
    (tmp_path / "example").write_text("A=1\n")
    with pytest.raises(ProbeError, match="needs `path`"):
        _environment.EnvironmentProbe({}).observe({"fact": fact, "name": "A", "example": str(tmp_path / "example"), **places})


def test_what_is_no_file_is_an_error_and_does_not_hang(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe", "/dev/zero"):
        with pytest.raises(ProbeError, match="cannot read|is no regular file"):
            _environment.EnvironmentProbe({}).observe({"fact": "placeholders", "path": str(path)})


def test_mode_of_what_is_not_there_is_an_error(tmp_path):
    with pytest.raises(ProbeError, match="cannot look at .*: No such file"):
        _environment.EnvironmentProbe({}).observe({"fact": "mode", "path": str(tmp_path / "nowhere")})


def test_an_error_that_nobody_foresaw_does_not_quote_a_value(env, monkeypatch):
    def breaks(text):
        raise ValueError("cannot judge %r" % text)

    monkeypatch.setattr(_environment, "is_default", breaks)
    assert error(env, "default", name="SECRET_KEY") == "the environment probe failed: ValueError"


# Containers


NotFound = type("NotFound", (Exception,), {})


class EngineDouble:
    """An engine with one container."""

    def __init__(self, variables, status="running", refuses=None):
        self.attrs = {"State": {"Status": status}, "Config": {"Env": variables}}
        self.refuses = refuses
        self.containers = types.SimpleNamespace(get=self.get)

    def __call__(self, **_options):
        return self

    def ping(self):
        return True

    def get(self, name):
        if self.refuses:
            raise self.refuses
        if name != "app-api-1":
            raise NotFound("404 Client Error for http+docker://localhost/v1.45/containers/%s/json" % name)
        return self


@pytest.fixture
def engine(monkeypatch):
    """engine(...) -> ask(fact, ...) of container app-api-1 of a double."""

    def install(variables, active=True, **options):
        library = types.ModuleType("docker")
        library.__dict__["DockerClient"] = EngineDouble(variables, **options)
        monkeypatch.setitem(sys.modules, "docker", library)
        monkeypatch.setattr(_docker, "unit", lambda: (active, True))
        probe = _environment.EnvironmentProbe({})
        return lambda fact, **more: probe.observe({"fact": fact, "container": "app-api-1", **more})

    return install


VARIABLES = ["PATH=/usr/bin", "ENVIRONMENT=production", "SECRET_KEY=" + ROLLED, "TWIN=" + ROLLED, "EMPTY=", "LITERAL=$HOME=x"]


def test_a_running_container(engine):
    ask = engine(VARIABLES)
    assert ask("value", name="ENVIRONMENT").value == "production"
    assert ask("value", name="LITERAL").value == "$HOME=x"
    assert ask("present", name="EMPTY").value is False
    assert ask("length", name="SECRET_KEY").value == 32
    assert ask("default", name="SECRET_KEY").value == "own"
    assert ask("reused", name="SECRET_KEY").value == ["TWIN"]
    assert ask("placeholders").value == []
    assert "not shown" in error(ask, "value", name="SECRET_KEY")
    assert "container app-api-1" in ask("length", name="SECRET_KEY").evidence


def test_keys_that_a_container_lacks(engine, tmp_path):
    (tmp_path / "example").write_text("ENVIRONMENT=\nNEW=\n")
    assert engine(VARIABLES)("missing_keys", example=str(tmp_path / "example")).value == ["NEW"]


@pytest.mark.parametrize("fact", [*JUDGED, "present", "placeholders", "missing_keys"])
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"status": "exited"}, "container app-api-1 is exited, not running"),
        ({"status": "restarting"}, "container app-api-1 is restarting, not running"),
        ({"refuses": NotFound("gone")}, "there is no container app-api-1"),
        ({"refuses": OSError("Read timed out " + ROLLED)}, "does not describe container app-api-1: OSError"),
        ({"active": False}, "docker.service is not active"),
        ({"variables": None}, "does not say what the container's environment is"),
        ({"variables": ["A=1", "B"]}, "does not say what the container's environment is"),
    ],
)
def test_a_container_that_cannot_be_asked_is_an_error(engine, tmp_path, fact, options, message):
    (tmp_path / "example").write_text("ENVIRONMENT=\n")
    ask = engine(**{"variables": VARIABLES, **options})
    assert message in error(ask, fact, name="ENVIRONMENT", example=str(tmp_path / "example"))


def test_a_container_has_no_mode(engine):
    assert error(engine(VARIABLES), "mode") == "fact mode needs `path`"
