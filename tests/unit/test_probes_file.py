# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The file probe on real files: what is not there, not readable, too large or secret is an error and no value."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import pwd
import sys
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.gonogo.preflight.plugins.module_utils._probes import _file, _files
from ansible_collections.gonogo.preflight.plugins.module_utils._probes._base import ProbeError


def look(fact, path, **more):
    return _file.FileProbe({}).observe({"fact": fact, "path": str(path), **more})


def value(fact, path, **more):
    return look(fact, path, **more).value


def error(fact, path, **more):
    with pytest.raises(ProbeError) as raised:
        look(fact, path, **more)
    return str(raised.value)


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "report.txt"
    path.write_text("seen\n")
    return path


FACTS = ["owner", "mode", "age", "size", "checksum"]


@pytest.mark.parametrize("fact", [*FACTS, "value"])
def test_a_file_that_is_not_there_is_an_error(tmp_path, fact):
    assert error(fact, tmp_path / "absent", key="a", format="json") == "%s does not exist" % (tmp_path / "absent")


@pytest.mark.parametrize("fact", [*FACTS, "exists", "count", "newest"])
def test_a_path_must_be_absolute(fact):
    assert error(fact, "etc/hosts", glob="*", key="a", format="text").endswith("is not an absolute path")


def test_existence(file, tmp_path):
    assert value("exists", file) is True and value("exists", tmp_path) is True
    assert value("exists", tmp_path / "absent") is False
    assert value("exists", file / "below") is False


def test_a_link_is_what_it_leads_to_and_is_stated(file, tmp_path):
    link = tmp_path / "link"
    link.symlink_to(file)
    for fact in ["exists", *FACTS]:
        seen = look(fact, link)
        assert "%s (a link to %s)" % (link, file) in seen.evidence
        if fact != "age":
            assert seen.value == value(fact, file)


def test_a_link_that_leads_nowhere_is_not_there(tmp_path):
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "gone")
    seen = look("exists", link)
    assert (seen.value, seen.evidence) == (False, "%s (a link to %s) leads nowhere" % (link, tmp_path / "gone"))
    for fact in FACTS:
        assert "leads nowhere" in error(fact, link)


def test_links_in_a_circle_are_an_error(tmp_path):
    (tmp_path / "a").symlink_to(tmp_path / "b")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    assert "Too many levels of symbolic links" in error("exists", tmp_path / "a")


def test_owner_mode_and_size(file):
    file.chmod(0o640)
    account = pwd.getpwuid(os.getuid()).pw_name
    assert value("owner", file).split(":")[0] == account
    assert value("mode", file) == "0640"
    file.chmod(0o4755)
    assert value("mode", file) == "4755"
    assert value("size", file) == 5


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_an_owner_without_a_name_is_a_number(file):
    os.chown(file, 54321, 54322)
    assert value("owner", file) == "54321:54322"


def test_age(file):
    os.utime(file, (time.time() - 3600, time.time() - 3600))
    assert 3600 <= value("age", file) < 3660


def test_a_file_of_the_future_has_no_age(file):
    os.utime(file, (time.time() + 3600, time.time() + 3600))
    assert "in the future" in error("age", file)
    assert "in the future" in error("newest", file.parent, glob="*")


def test_the_size_of_a_directory_says_nothing(tmp_path):
    assert "not a regular file" in error("size", tmp_path)


@pytest.mark.parametrize("algorithm", ["sha256", "sha384", "sha512"])
def test_checksum(file, algorithm):
    assert value("checksum", file, algorithm=algorithm) == hashlib.new(algorithm, b"seen\n").hexdigest()


def test_checksum_of_more_than_one_block(tmp_path):
    path = tmp_path / "large"
    data = os.urandom(3 * 1024 * 1024 + 7)
    path.write_bytes(data)
    assert value("checksum", path) == hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize("fact", ["checksum", "value"])
def test_a_pipe_or_a_device_is_not_read(tmp_path, fact):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", "/dev/zero"):
        assert "not a regular file" in error(fact, path, key="a", format="json")


# Patterns


@pytest.fixture
def backups(tmp_path):
    moment = time.time()
    for age, name in ((7200, "old.dump"), (60, "new.dump"), (10, "notes.txt"), (5, ".hidden.dump"), (1, "sub/deep/deep.dump")):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        os.utime(path, (moment - age, moment - age))
    return tmp_path


@pytest.mark.parametrize(
    ("glob", "count"),
    [("*.dump", 2), ("*", 4), (".*", 1), ("*.none", 0), ("**/*.dump", 3), ("sub/*/*.dump", 1), ("**", 6), ("[no]*.dump", 2), ("ne?.dump", 1), ("new.dump", 1)],
)
def test_count(backups, glob, count):
    assert value("count", backups, glob=glob) == count


def test_newest(backups):
    assert 60 <= value("newest", backups, glob="*.dump") < 120
    assert value("newest", backups, glob="**/*.dump") < 60
    assert "new.dump, the newest of 2" in look("newest", backups, glob="*.dump").evidence


def test_nothing_that_matches_is_a_count_of_zero_and_no_newest(backups):
    assert value("count", backups, glob="*.gz") == 0
    assert error("newest", backups, glob="*.gz") == "nothing in %s matches *.gz" % backups


@pytest.mark.parametrize("fact", ["count", "newest"])
def test_a_directory_that_is_not_there_is_no_count_of_zero(backups, fact):
    assert "does not exist" in error(fact, backups / "absent", glob="*")
    assert "is not a directory" in error(fact, backups / "new.dump", glob="*")
    assert error(fact, backups) == "fact %s needs `glob`" % fact


@pytest.mark.parametrize("glob", ["../*", "a//b", "/etc/*", "./a", "a/.."])
def test_a_pattern_stays_below_its_directory(backups, glob):
    assert "is not a pattern below a directory" in error("count", backups, glob=glob)


def test_links_among_matches_are_stated_and_not_followed_by_two_stars(backups):
    (backups / "link.dump").symlink_to(backups / "new.dump")
    (backups / "loop").symlink_to(backups)
    seen = look("count", backups, glob="*.dump")
    assert (seen.value, seen.evidence) == (3, "*.dump in %s, 1 of them links" % backups)
    assert value("count", backups, glob="**/*.dump") == 4


def test_a_dangling_link_among_matches_has_no_age(backups):
    (backups / "latest.dump").symlink_to(backups / "gone")
    assert "leads nowhere" in error("newest", backups, glob="*.dump")


def test_a_directory_that_cannot_be_listed_is_an_error(backups, monkeypatch):
    scandir = os.scandir

    def refused(path):
        if str(path).endswith("deep"):
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(_files.os, "scandir", refused)
    assert error("count", backups, glob="**/*.dump") == "cannot list %s/sub/deep: Permission denied" % backups


def test_more_files_than_are_looked_through_are_an_error(backups, monkeypatch):
    monkeypatch.setattr(_files, "_MOST_ENTRIES", 3)
    assert "more than 3 files" in error("count", backups, glob="*")


# Values

DOCUMENT = {"version": "1.4.2", "list": [{"port": 5432}], "a.b": {"c": True}, "none": None, "ratio": 0.5}
JSON = json.dumps(DOCUMENT)
YAML = "version: 1.4.2\nlist:\n  - port: 5432\na.b: {c: true}\nnone: null\nratio: 0.5\nday: 2026-11-20\n7: seven\n"
INI = "[mysqld]\nport = 3306\nskip-networking\n[a.b]\nc = d\n"
FLAT = "# PostgreSQL\nport = 5432\nmax_connections=200\n"
ENV = '# comment\n\nMODE=production\nexport WORKERS=\'4 # no comment\'\nNAME="a \\"b\\"" # said\nEMPTY=\nMODE=staging # later\nTWO=a b\n'


@pytest.mark.parametrize(
    ("name", "text", "key", "found"),
    [
        ("a.json", JSON, "version", "1.4.2"),
        ("a.json", JSON, "list.0.port", 5432),
        ("a.json", JSON, "a.b.c", True),
        ("a.json", JSON, "none", None),
        ("a.json", "\ufeff" + JSON, "ratio", 0.5),
        ("a.json", JSON, "list", [{"port": 5432}]),
        ("a.yml", YAML, "version", "1.4.2"),
        ("a.yaml", YAML, "list.0.port", 5432),
        ("a.yml", YAML, "day", "2026-11-20"),
        ("a.yml", YAML, "a.b", {"c": True}),
        ("a.ini", INI, "mysqld.port", "3306"),
        ("a.ini", INI, "mysqld.skip-networking", None),
        ("a.cfg", INI, "a.b.c", "d"),
        ("a.ini", FLAT, "max_connections", "200"),
        ("a.env", ENV, "MODE", "staging"),
        (".env", ENV, "WORKERS", "4 # no comment"),
        (".env.production", ENV, "NAME", 'a "b"'),
        (".env", ENV, "EMPTY", ""),
        (".env", ENV, "TWO", "a b"),
    ],
)
def test_value(tmp_path, name, text, key, found):
    (tmp_path / name).write_text(text)
    assert value("value", tmp_path / name, key=key) == found


@pytest.mark.parametrize(
    ("text", "key", "found"),
    [
        ("1.4.2\n\n", None, "1.4.2"),
        ("Port 22\nPasswordAuthentication no\n", r"^PasswordAuthentication\s+(\w+)", "no"),
        ("a=1\na=1\n", "^a=(.*)$", "1"),
        ("listen 443 ssl;", "listen [0-9]+", "listen 443"),
    ],
)
def test_value_of_text(tmp_path, text, key, found):
    (tmp_path / "plain").write_text(text)
    assert value("value", tmp_path / "plain", key=key, format="text") == found


@pytest.mark.parametrize(
    ("name", "text", "key", "said"),
    [
        ("a.json", JSON, "missing", "there is no missing"),
        ("a.json", JSON, "list.1", "there is no list.1"),
        ("a.json", JSON, "version.x", "there is no version.x"),
        ("a.json", "{", "a", "is not JSON, line 1"),
        ("a.json", '{"a": NaN}', "a", "is not JSON"),
        ("a.json", "[" * 100000, "a", "is not JSON"),
        ("a.json", "", "a", "is not JSON"),
        ("a.yml", "a: [", "a", "is not YAML, line "),
        ("a.yml", "a: 1\n---\na: 2\n", "a", "is not YAML, line 2"),
        ("a.yml", "a: !vault x\n", "a", "is not YAML, line 1"),
        ("a.yml", "a: 2026-99-99\n", "a", "is not YAML that can be read"),
        ("a.yml", "", "a", "there is no a"),
        ("a.yml", "a: &x [*x, *x]\n", "a", "the value is too large"),
        ("a.ini", "[a]\nb=1\nb=2\n", "a.b", "is not INI text, line 3: DuplicateOptionError"),
        ("a.ini", "", "a.b", "there is no a.b"),
        ("a.env", "A=1\nnonsense here\n", "A", "line 2 is no NAME=value"),
        ("a.env", "A='1\n", "A", "line 1 is no NAME=value"),
        ("a.env", "A=1\n", "B", "there is no B"),
        ("a.conf", "x", "a", "`format` does"),
    ],
)
def test_a_document_without_the_value_is_an_error(tmp_path, name, text, key, said):
    (tmp_path / name).write_text(text)
    assert said in error("value", tmp_path / name, key=key)


@pytest.mark.parametrize(
    ("text", "key", "said"),
    [
        ("a\nb\n", None, "has 2 lines"),
        ("", None, "has 0 lines"),
        ("a=1\na=2\n", "^a=(.*)$", "2 different values match"),
        ("a=1\n", "^b=", "no line matches"),
        ("a=1\n", "(", "is not a regular expression"),
    ],
)
def test_text_without_the_one_value_is_an_error(tmp_path, text, key, said):
    (tmp_path / "plain").write_text(text)
    assert said in error("value", tmp_path / "plain", key=key, format="text")


def test_small_yaml_that_grows_large_is_an_error_in_time(tmp_path):
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += ["a%d: &a%d [%s]" % (n, n, ", ".join(["*a%d" % (n - 1)] * 9)) for n in range(1, 12)]
    (tmp_path / "a.yml").write_text("\n".join(lines))
    began = time.monotonic()
    assert "the value is too large" in error("value", tmp_path / "a.yml", key="a11")
    assert time.monotonic() - began < 5


def test_what_is_not_text_or_too_large_is_an_error(tmp_path, monkeypatch):
    (tmp_path / "a.json").write_bytes(b'{"a": "\xff"}')
    assert "is not UTF-8" in error("value", tmp_path / "a.json", key="a")
    monkeypatch.setattr(_file, "_LARGEST_DOCUMENT", 8)
    assert "is larger than the 8 bytes" in error("value", tmp_path / "a.json", key="a")
    assert error("value", tmp_path / "a.json") == "fact value needs `key`"


def test_a_host_without_pyyaml_is_told_its_package(tmp_path, monkeypatch):
    (tmp_path / "a.yml").write_text("a: 1\n")
    monkeypatch.setitem(sys.modules, "yaml", None)
    with pytest.raises(ProbeError) as raised:
        look("value", tmp_path / "a.yml", key="a")
    assert "library missing" in str(raised.value) and raised.value.remedy == "apt-get install python3-yaml"


# Secrets

WORD = "Zebra7Quartz"


@pytest.mark.parametrize(
    "name",
    [
        "shadow",
        "id_ed25519",
        "tls.key",
        "server-key.pem",
        "db_password",
        "secrets.yml",
        "api.token",
        "environ",
        ".netrc",
        ".pgpass",
        "store.p12",
        "secrets/plain",
        "private/a",
    ],
)
@pytest.mark.parametrize("fact", ["value", "checksum"])
def test_a_file_that_looks_secret_by_its_name_is_not_read(tmp_path, name, fact):
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text(WORD)
    (tmp_path / "plain.txt").symlink_to(tmp_path / name)
    for path in (tmp_path / name, tmp_path / "plain.txt"):
        said = error(fact, path, format="text")
        assert "looks as if it held a secret" in said and WORD not in said
    assert value("mode", tmp_path / name)


@pytest.mark.parametrize("name", ["tokenizer.json", "id_ed25519.pub", "package.json", "compose.yml"])
def test_other_names_are_read(tmp_path, name):
    (tmp_path / name).write_text("plain")
    assert value("value", tmp_path / name, format="text") == "plain"


@pytest.mark.parametrize("text", ["a\n-----BEGIN OPENSSH PRIVATE KEY-----\n", "$ANSIBLE_VAULT;1.1;AES256\n3132\n"])
@pytest.mark.parametrize("fact", ["value", "checksum"])
def test_a_file_with_a_key_in_it_is_not_read(tmp_path, fact, text):
    (tmp_path / "plain.txt").write_text(text)
    assert "holds a private key or a vault" in error(fact, tmp_path / "plain.txt", key="a", format="text")


@pytest.mark.parametrize(
    ("name", "text", "key"),
    [
        ("a.json", {"db": {"password": WORD}}, "db.password"),
        ("a.json", {"db": {"password": WORD}}, "db"),
        ("a.json", {"db": [{"url": "postgresql://app:%s@db/app" % WORD}]}, "db"),
        ("a.json", {"api_key": 123456}, "api_key"),
        ("a.yml", {"db": {"password": WORD}}, "db.password"),
        ("a.ini", "[db]\npassword = %s\n" % WORD, "db.password"),
        ("a.env", "DB_PASSWORD=%s\n" % WORD, "DB_PASSWORD"),
        ("a.env", "DB_URL=postgresql://app:%s@db/app\n" % WORD, "DB_URL"),
        ("a.txt", "requirepass %s\n" % WORD, r"requirepass (\S+)"),
        ("a.txt", "password=%s\n" % WORD, r"=(.*)"),
    ],
)
def test_a_value_that_is_a_secret_is_not_shown(tmp_path, name, text, key):
    (tmp_path / name).write_text(text if isinstance(text, str) else json.dumps(text))
    said = error("value", tmp_path / name, key=key, format="text" if name == "a.txt" else None)
    assert "secret" in said and WORD not in said


@pytest.mark.parametrize("text", ["[%s]\n%s\n" % (WORD, WORD) * 2, "%s: [%s" % (WORD, WORD), '{"%s": %s}' % (WORD, WORD), "%s %s" % (WORD, WORD)])
@pytest.mark.parametrize("kind", ["json", "yaml", "ini", "env"])
def test_an_error_never_quotes_the_file(tmp_path, kind, text):
    (tmp_path / "a").write_text(text)
    assert WORD not in error("value", tmp_path / "a", key="x.y", format=kind)


# Parsers

PARSERS = [_file.parse_json, _file.parse_yaml, _file.parse_ini, _file.parse_env, _file.parse_text]
SHAPED = st.text(alphabet="{}[]:,\"'=#-&*!?|>%@ \n\tab01.\\~<.", max_size=60)


@pytest.mark.parametrize("parse", PARSERS)
@given(text=st.one_of(SHAPED, st.text(max_size=60)), key=st.one_of(st.text(max_size=8), st.sampled_from(["a", "a.b", "0", "a.0", ""])))
def test_a_parser_answers_or_raises_its_own_error(parse, text, key):
    with contextlib.suppress(ProbeError):
        json.dumps(_file._plain(parse(text, key)))


@given(
    document=st.recursive(
        st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=5),
        lambda one: st.lists(one, max_size=3) | st.dictionaries(st.text(max_size=3), one, max_size=3),
    ),
    path=st.text(alphabet="ab.01", max_size=6),
)
def test_a_path_is_found_or_an_error(document, path):
    with contextlib.suppress(ProbeError):
        _file.value_at(document, path)


@given(
    text=st.one_of(
        st.text(max_size=12), st.from_regex(r"[0-9]{1,14}(\.[0-9]+)? ?[a-z]{0,3}", fullmatch=True), st.integers(), st.floats(), st.booleans(), st.none()
    )
)
def test_a_duration_is_more_than_nothing_or_an_error(text):
    with contextlib.suppress(ProbeError):
        assert _files.seconds_of(text, "window") > 0


@pytest.mark.parametrize(
    ("text", "seconds"), [("10ms", 0.01), ("2s", 2), ("15min", 900), ("24h", 86400), ("7d", 604800), ("90", 90), (90, 90), ("1.5 h", 5400)]
)
def test_durations(text, seconds):
    assert _files.seconds_of(text, "window") == pytest.approx(seconds)


# What is not there, and what is old


@pytest.mark.parametrize(
    ("name", "text", "key", "seen"),
    [
        ("daemon.json", '{"log-opts": {"max-size": "10m"}}', "log-opts.max-size", "10m"),
        ("daemon.json", '{"log-opts": {}}', "log-opts.max-size", 0),
        ("daemon.json", "{}", "log-opts.max-size", 0),
        ("x.yml", "a: 1", "b", 0),
        ("x.ini", "[a]\nb = 1\n", "a.c", 0),
        ("x.env", "A=1\n", "B", 0),
        ("x.conf", "size 5\n", "^limit (.*)", 0),
    ],
)
def test_what_a_setting_that_is_not_there_means_can_be_said(tmp_path, name, text, key, seen):
    path = tmp_path / name
    path.write_text(text)
    ask = {"fact": "value", "path": str(path), "key": key, "format": "text" if name == "x.conf" else None}
    assert _file.FileProbe({}).observe({**ask, "absent": 0}).value == seen
    path.unlink()
    assert _file.FileProbe({}).observe({**ask, "absent": 0}).value == 0
    with pytest.raises(ProbeError, match="does not exist"):
        _file.FileProbe({}).observe(ask)


@pytest.mark.parametrize(("text", "said"), [("{", "is not JSON"), ("\udcff", "is not UTF-8")])
def test_a_file_that_cannot_be_understood_is_an_error_whatever_its_absence_means(tmp_path, text, said):
    (tmp_path / "x.json").write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(ProbeError, match=said):
        _file.FileProbe({}).observe({"fact": "value", "path": str(tmp_path / "x.json"), "key": "a", "absent": 0})


def test_a_value_that_was_written_too_long_ago_is_an_error(tmp_path):
    path = tmp_path / "x.json"
    path.write_text('{"result": "passed"}')
    ask = {"fact": "value", "path": str(path), "key": "result", "within": "1h"}
    assert _file.FileProbe({}).observe(ask).value == "passed"
    os.utime(path, (time.time() - 7200,) * 2)
    with pytest.raises(ProbeError, match="was written 2.0 h ago, and nothing counts that is older than 1h"):
        _file.FileProbe({}).observe(ask)
