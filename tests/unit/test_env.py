# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Environment files hold every value as it is, and an error about one never shows it."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.gonogo.preflight.plugins.module_utils._env import EnvError, env_file, parse_env


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({}, ""),
        ({"B": "2", "A": 1}, "A='1'\nB='2'"),
        ({"URL": 'postgresql://u:p$w#"@h/db?x=1 2'}, "URL='postgresql://u:p$w#\"@h/db?x=1 2'"),
        ({"EMPTY": "", "_ON": True, "OFF": False, "RATE": 0.5}, "EMPTY=''\nOFF='false'\nRATE='0.5'\n_ON='true'"),
    ],
)
def test_settings_as_lines(settings, text):
    assert env_file(settings) == text


@pytest.mark.parametrize("name", ["", "1A", "A-B", "A B", "A=B", "A\nB", "Ä", 5, None])
def test_a_name_that_is_none_is_named(name):
    with pytest.raises(EnvError, match="is no name of an environment variable"):
        env_file({name: "x"})


@pytest.mark.parametrize("value", ["sec'ret", "sec\nret", "sec\rret", "sec\0ret", "secret\\", None, ["secret"], {"secret": 1}, b"secret"])
def test_a_value_that_cannot_be_held_is_named_and_not_shown(value):
    with pytest.raises(EnvError) as raised:
        env_file({"DB_PASSWORD": value})
    assert "DB_PASSWORD" in str(raised.value)
    assert "ret" not in str(raised.value)


@pytest.mark.parametrize("settings", [None, [], "A=1", 5])
def test_settings_that_are_no_mapping(settings):
    with pytest.raises(EnvError, match="no mapping"):
        env_file(settings)


NAMES = st.text(st.sampled_from("ABC_09"), max_size=4)


@given(st.dictionaries(NAMES | st.integers(), st.text(max_size=5) | st.integers() | st.none() | st.binary(max_size=3), max_size=4))
def test_one_line_a_setting_or_an_error(settings):
    try:
        lines = env_file(settings).split("\n") if settings else []
    except EnvError:
        return
    assert lines == ["%s='%s'" % (name, settings[name]) for name in sorted(settings)]


# Reading


@pytest.mark.parametrize(
    ("text", "settings"),
    [
        ("", {}),
        ("\n# only words\n\n", {}),
        ("A=1\nB='2'\n", {"A": "1", "B": "2"}),
        ("A=1\r\nB=2\r\n", {"A": "1", "B": "2"}),
        ("export A = 1", {"A": "1"}),
        ("A=\nB=''\nC=\"\"", {"A": "", "B": "", "C": ""}),
        ("A=a b  # why\nB=a#b\nC=#c", {"A": "a b", "B": "a#b", "C": ""}),
        ("A='a # b $c \\n'  # why", {"A": "a # b $c \\n"}),
        ('A="a # \\"b\\" \\$c\\n\\x"', {"A": 'a # "b" $c\n\\x'}),
        ("A='1\n2'\nB=3", {"A": "1\n2", "B": "3"}),
        ("A=b=c==", {"A": "b=c=="}),
        ("A=1\nA=2", {"A": "2"}),
        ("a.b-c=1", {"a.b-c": "1"}),
        ("PRICE=5$", {"PRICE": "5$"}),
    ],
)
def test_lines_as_settings(text, settings):
    assert {name: setting.value for name, setting in parse_env(text).items()} == settings


@pytest.mark.parametrize("text", ["A=$B", "A=x${B}y", 'A="$B"', "A=$$", 'A="\\\\$B"', "A"])
def test_what_the_file_alone_does_not_say_is_unknown(text):
    setting = parse_env(text)["A"]
    assert setting.value is None and setting.unknown


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("A=1\nsecret words", "line 2 is no NAME=value"),
        ("1A=secret", "line 1 is no NAME=value"),
        ("=secret", "line 1 is no NAME=value"),
        ("\n\nA='secret", "the quotes that open on line 3 are not closed at the end of a line"),
        ('A="secret', "the quotes that open on line 1"),
        ("A='sec'ret", "the quotes that open on line 1"),
        ("A='sec\\'ret'", "the quotes that open on line 1"),
        ('A: "secret"', "line 1 is no NAME=value"),
        ("\0secret", "line 1 is no NAME=value"),
        ("A=1\nsecret", "line 2 is no NAME=value"),
        ("A=1\nMIIEvQIBADANret9w0BAQEFAASCBKcwgg", "line 2 is no NAME=value"),
        ("A=1\nq7Wm2xZp9Lc4Vt6Rb8ret==", "line 2 is no NAME=value"),
        ("A=1\nQ7WM2XZP9LC4VT6RB8NJ", "line 2 is no NAME=value"),
    ],
)
def test_a_line_that_cannot_be_read_is_an_error_that_shows_nothing_of_it(text, message):
    with pytest.raises(EnvError) as raised:
        parse_env(text)
    assert message in str(raised.value) and "ret" not in str(raised.value)


@given(st.dictionaries(st.text(st.sampled_from("ABC_09"), max_size=4), st.text(max_size=8), max_size=4))
def test_what_was_written_is_what_is_read(settings):
    try:
        text = env_file(settings)
    except EnvError:
        return
    assert {name: setting.value for name, setting in parse_env(text).items()} == settings


@given(st.text(st.sampled_from("A=1 '\"\\$#\n{}"), max_size=30))
def test_any_text_is_settings_or_an_error(text):
    with contextlib.suppress(EnvError):
        for name, setting in parse_env(text).items():
            assert name in text and (setting.value is None) == bool(setting.unknown)


def test_a_setting_does_not_show_its_value():
    assert "hunter2" not in repr(parse_env("DB_PASSWORD=hunter2"))
