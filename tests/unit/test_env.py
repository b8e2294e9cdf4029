# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Environment files hold every value as it is, and an error about one never shows it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.gonogo.preflight.plugins.module_utils._env import EnvError, env_file


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
