# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an expectation lets through, what it cannot be compared with, and which of two is the weaker."""

from __future__ import annotations

import contextlib
import datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.gonogo.preflight.plugins.module_utils._expect import (
    OPERATORS,
    TYPES,
    ExpectationError,
    check,
    judge,
    plain,
    seen,
    text,
    weaker,
)

GIB = 1024**3

# (observed, expectation, meets it)
TRUTH = [
    # exact
    ("UTC", {"equals": "UTC"}, True),
    ("Europe/Berlin", {"equals": "UTC"}, False),
    ("utc", {"equals": "UTC"}, False),
    ("", {"equals": ""}, True),
    (22, {"equals": 22.0}, True),
    ("22", {"equals": 22}, False),
    (True, {"equals": True}, True),
    (1, {"equals": True}, False),
    (True, {"equals": 1}, False),
    (0, {"equals": False}, False),
    ([22], {"equals": [22]}, True),
    ([22, 2222], {"equals": [22]}, False),
    ([2222, 22], {"equals": [22, 2222]}, False),
    ([], {"equals": []}, True),
    ({"active": True, "boot": True}, {"equals": {"boot": True, "active": True}}, True),
    ({"active": True, "boot": 1}, {"equals": {"active": True, "boot": True}}, False),
    ({"active": True}, {"equals": {"active": True, "boot": True}}, False),
    ({"active": True, "boot": True, "more": 1}, {"equals": {"active": True, "boot": True}}, False),
    ({"last": None}, {"equals": {"last": None}}, True),
    ([], {"equals": {}}, False),
    # as another type
    ("2147483648", {"equals": "2GB", "as": "size"}, True),
    (2 * GIB, {"equals": "2GiB", "as": "size"}, True),
    ("2147483647", {"equals": "2GB", "as": "size"}, False),
    ("17.0", {"equals": "17", "as": "version"}, True),
    ("17.1", {"equals": "17", "as": "version"}, False),
    ("6379", {"equals": 6379, "as": "number"}, True),
    (6379, {"equals": "6379", "as": "text"}, True),
    # one of
    ("debian 13", {"one_of": ["debian 13", "ubuntu 24.04"]}, True),
    ("debian 12", {"one_of": ["debian 13", "ubuntu 24.04"]}, False),
    (1, {"one_of": [True]}, False),
    ([], {"one_of": [[], ["reboot"]]}, True),
    ("2048", {"one_of": ["2KB", "4KB"], "as": "size"}, True),
    # at least, at most
    (24, {"at_least": 24}, True),
    (23.999, {"at_least": 24}, False),
    ("24", {"at_least": 24}, True),
    (-1, {"at_least": 0}, False),
    (0, {"at_most": 0}, True),
    (0.1, {"at_most": 0}, False),
    ("26.1.5+dfsg1", {"at_least": "24.0", "as": "version"}, True),
    ("24", {"at_least": "24.0", "as": "version"}, True),
    ("v2.26.1-4", {"at_least": "2.20", "as": "version"}, True),
    ("2.9", {"at_least": "2.20", "as": "version"}, False),
    ("23.0.6", {"at_least": "24.0", "as": "version"}, False),
    ("7.0.15", {"at_most": "7.0.15", "as": "version"}, True),
    (17, {"at_least": "15", "as": "version"}, True),
    (512 * GIB, {"at_least": "512GB", "as": "size"}, True),
    ("1TB", {"at_least": "1024GB", "as": "size"}, True),
    ("1023.9 GB", {"at_least": "1TB", "as": "size"}, False),
    ("512b", {"at_most": 512, "as": "size"}, True),
    # tolerance
    (512 * GIB * 0.93, {"at_least": "512GB", "as": "size", "tolerance": "7%"}, True),
    (512 * GIB * 0.92, {"at_least": "512GB", "as": "size", "tolerance": "7%"}, False),
    (90, {"at_least": 100, "tolerance": "10 %"}, True),
    (89.9, {"at_least": 100, "tolerance": "10%"}, False),
    (99.9, {"at_least": 100, "tolerance": "0%"}, False),
    # contains
    (["any"], {"contains": ["any"]}, True),
    (["any", "10.0.0.0/8"], {"contains": ["any"]}, True),
    (["10.0.0.0/8"], {"contains": ["any"]}, False),
    ([], {"contains": ["any"]}, False),
    ([True], {"contains": [1]}, False),
    (["a", "b"], {"contains": ["b", "a"]}, True),
    (["1GB", "2GB"], {"contains": ["2048MB"], "as": "size"}, True),
    # matches
    ("TLSv1.3", {"matches": r"^TLSv1\.[23]$"}, True),
    ("TLSv1.1", {"matches": r"^TLSv1\.[23]$"}, False),
    (13, {"matches": "^13$"}, True),
    ("", {"matches": "."}, False),
    # empty
    ([], {"empty": True}, True),
    ("", {"empty": True}, True),
    ({}, {"empty": True}, True),
    (["reboot"], {"empty": True}, False),
    (["reboot"], {"empty": False}, True),
    ([], {"empty": False}, False),
]

# (observed, expectation, what the error says): never a pass, and never a plain fail either
INCOMPARABLE = [
    (None, {"equals": "UTC"}, "nothing was observed"),
    (None, {"empty": True}, "nothing was observed"),
    (None, {"empty": False}, "nothing was observed"),
    (None, {"at_most": 5}, "nothing was observed"),
    ("many", {"at_least": 24}, "'many' is not a number"),
    ("", {"at_least": 24}, "'' is not a number"),
    (True, {"at_least": 1}, "True is not a number"),
    ([30], {"at_least": 24}, "[30] is not a number"),
    ({}, {"at_most": 24}, "{} is not a number"),
    (float("nan"), {"at_most": 24}, "nan is not a finite number"),
    ("nan", {"at_least": 24}, "'nan' is not a finite number"),
    ("-inf", {"at_most": 24}, "'-inf' is not a finite number"),
    (10**400, {"at_least": 24}, "is not a number"),
    ("two", {"at_least": "1GB", "as": "size"}, "'two' is not a size"),
    ("-1GB", {"at_most": "1GB", "as": "size"}, "'-1GB' is not a size"),
    ("9" * 400 + "GB", {"at_least": "1GB", "as": "size"}, "inf is not a finite number"),
    ("٣GB", {"at_least": "1GB", "as": "size"}, "is not a size"),
    (True, {"at_least": "1GB", "as": "size"}, "True is not a number"),
    ("unknown", {"at_least": "24.0", "as": "version"}, "'unknown' is not a version"),
    ("", {"at_least": "24.0", "as": "version"}, "'' is not a version"),
    (24.1, {"at_least": "24.0", "as": "version"}, "24.1 is a number, not a version"),
    (-1, {"at_most": "24.0", "as": "version"}, "-1 is not a version"),
    (True, {"at_least": "1", "as": "version"}, "True is not a version"),
    ("1" * 5000, {"at_least": "24.0", "as": "version"}, "is not a version"),
    ("1." + "2" * 30, {"at_most": "24.0", "as": "version"}, "is not a version"),
    ([24], {"at_least": "24.0", "as": "version"}, "[24] is not a version"),
    ("any", {"contains": ["any"]}, "'any' is not a list"),
    ({"any": 1}, {"contains": ["any"]}, "is not a list"),
    (["any", "x"], {"contains": ["1GB"], "as": "size"}, "'any' is not a size"),
    (["a"], {"matches": "a"}, "['a'] is not text"),
    (True, {"matches": "True"}, "True is not text"),
    (["x"], {"equals": "x", "as": "text"}, "['x'] is not text"),
    (0, {"empty": True}, "0 is neither a list nor text"),
    (False, {"empty": True}, "False is neither a list nor text"),
    (["x" * 999], {"at_least": 1}, "xxx... is not a number"),
]

# (expectation, what the error says is right)
REFUSED = [
    (None, "an expectation is a mapping such as {at_least: 4}, not None"),
    ([], "an expectation is a mapping"),
    ("UTC", "an expectation is a mapping such as {at_least: 4}, not 'UTC'"),
    ({}, "exactly one operator of equals, one_of, at_least, at_most, contains, matches, empty"),
    ({"as": "size"}, "exactly one operator"),
    ({"equals": 1, "at_least": 1}, "exactly one operator"),
    ({"is": 1}, "unknown operator 'is'; known: equals"),
    ({"equals": 1, True: 1}, "unknown operator 'True'"),
    ({"equals": None}, "`equals` has no value"),
    ({"empty": None}, "`empty` has no value"),
    ({"equals": 1, "as": "colour"}, "`as: colour` is none of exact, number, size, text, version"),
    ({"equals": 1, "as": []}, "`as: []` is none of"),
    ({"equals": 1, "as": None}, "`as: None` is none of"),
    ({"equals": "big", "as": "size"}, "'big' is not a size such as 2GB or 512MiB"),
    ({"equals": [1], "as": "number"}, "[1] is not a number"),
    ({"equals": float("nan")}, "nan is not a finite number"),
    ({"equals": {"a": [float("inf")]}}, "inf is not a finite number"),
    ({"equals": datetime.date(2027, 1, 31)}, "2027-01-31 is a date, not text; put it in quotes"),
    ({"equals": b"raw"}, "is a bytes, not text"),
    ({"one_of": {1, 2}}, "is a set, not text"),
    ({"one_of": []}, "`one_of` needs a list with at least one value"),
    ({"one_of": "UTC"}, "`one_of` needs a list with at least one value, and no null in it, not 'UTC'"),
    ({"one_of": [None]}, "no null in it"),
    ({"one_of": ["1GB", "big"], "as": "size"}, "'big' is not a size"),
    ({"contains": []}, "`contains` needs a list"),
    ({"contains": "any"}, "`contains` needs a list"),
    ({"contains": [None]}, "no null in it"),
    ({"at_least": "24.0.1"}, "'24.0.1' is not a number"),
    ({"at_least": True}, "True is not a number"),
    ({"at_least": [1]}, "[1] is not a number"),
    ({"at_least": 4, "as": "text"}, "`at_least` compares as one of number, size, version, not as text"),
    ({"at_most": 4, "as": "exact"}, "`at_most` compares as one of number, size, version"),
    ({"at_least": 24.1, "as": "version"}, "put it in quotes, or 24.10 is read as 24.1"),
    ({"at_least": "0", "as": "version"}, "`at_least: 0` would let everything through"),
    ({"at_least": "0.0", "as": "version"}, "would let everything through"),
    ({"at_least": "0GB", "as": "size"}, "would let everything through"),
    ({"matches": ""}, "`matches` needs a regular expression"),
    ({"matches": 5}, "`matches` needs a regular expression, not 5"),
    ({"matches": "("}, "'(' is no regular expression"),
    ({"matches": "a{99999999999}"}, "is no regular expression"),
    ({"matches": "x*"}, "'x*' matches empty text, so it would let everything through"),
    ({"matches": "a|"}, "would let everything through"),
    ({"matches": "a", "as": "text"}, "`as` does not go with `matches`"),
    ({"empty": 1}, "`empty` takes true or false, not 1"),
    ({"empty": "yes"}, "`empty` takes true or false, not 'yes'"),
    ({"empty": True, "as": "size"}, "`as` does not go with `empty`"),
    ({"at_least": 4, "tolerance": "30%"}, "a percentage up to 20%, not '30%'"),
    ({"at_least": 4, "tolerance": 7}, "a percentage up to 20%, not 7"),
    ({"at_least": 4, "tolerance": None}, "a percentage up to 20%, not None"),
    ({"at_least": 0, "tolerance": "7%"}, "`tolerance` goes with a value above 0"),
    ({"at_least": -10, "tolerance": "7%"}, "`tolerance` goes with a value above 0"),
    ({"at_most": 4, "tolerance": "7%"}, "`tolerance` goes with `at_least` on numbers and sizes only"),
    ({"at_least": "4", "as": "version", "tolerance": "7%"}, "on numbers and sizes only"),
    ({"equals": "2GB", "as": "size", "tolerance": "7%"}, "`tolerance` goes with `at_least`"),
]

# (candidate, reference, may let more through)
WEAKER = [
    ({"at_least": 24}, {"at_least": 24}, False),
    ({"at_least": 24}, {"at_least": 24, "as": "number"}, False),
    ({"at_least": 25}, {"at_least": 24}, False),
    ({"at_least": 2}, {"at_least": 24}, True),
    ({"at_least": "512GB", "as": "size"}, {"at_least": "0.5TB", "as": "size"}, False),
    ({"at_least": "8GB", "as": "size"}, {"at_least": "512GB", "as": "size", "tolerance": "7%"}, True),
    ({"at_least": "512GB", "as": "size", "tolerance": "7%"}, {"at_least": "512GB", "as": "size"}, True),
    ({"at_least": "512GB", "as": "size"}, {"at_least": "512GB", "as": "size", "tolerance": "7%"}, False),
    ({"at_least": "600GB", "as": "size", "tolerance": "7%"}, {"at_least": "512GB", "as": "size"}, False),
    ({"at_least": "2.9", "as": "version"}, {"at_least": "2.20", "as": "version"}, True),
    ({"at_least": "2.20.0", "as": "version"}, {"at_least": "2.20", "as": "version"}, False),
    ({"at_most": 80}, {"at_most": 90}, False),
    ({"at_most": 95}, {"at_most": 90}, True),
    ({"one_of": ["debian 13"]}, {"one_of": ["ubuntu 24.04"]}, True),
    ({"one_of": ["ubuntu 24.04"]}, {"one_of": ["ubuntu 24.04", "debian 13"]}, False),
    ({"one_of": ["debian 13", "ubuntu 24.04"]}, {"one_of": ["ubuntu 24.04"]}, True),
    ({"contains": ["a", "b"]}, {"contains": ["a"]}, False),
    ({"contains": ["a"]}, {"contains": ["a", "b"]}, True),
    ({"equals": "2GB", "as": "size"}, {"equals": "2048MB", "as": "size"}, False),
    ({"equals": "64MB", "as": "size"}, {"equals": "2GB", "as": "size"}, True),
    ({"equals": 1}, {"equals": True}, True),
    ({"equals": 1.0, "as": "text"}, {"equals": 1, "as": "text"}, True),
    ({"equals": {"a": 1, "b": 2}}, {"equals": {"b": 2, "a": 1}}, False),
    ({"matches": "^a"}, {"matches": "^a"}, False),
    ({"matches": "^a"}, {"matches": "^ab"}, True),
    ({"empty": True}, {"empty": True}, False),
    ({"empty": False}, {"empty": True}, True),
    ({"equals": 30}, {"at_least": 24}, True),
    ({"at_least": "24"}, {"at_least": "24", "as": "version"}, True),
]

WORDS = [
    ({"equals": "UTC"}, "UTC"),
    ({"equals": {"active": True, "boot": False}}, "active: true, boot: false"),
    ({"equals": [22]}, "22"),
    ({"equals": []}, "none"),
    ({"one_of": ["debian 13", "ubuntu 24.04"]}, "one of debian 13, ubuntu 24.04"),
    ({"at_least": "24.0", "as": "version"}, "at least 24.0"),
    ({"at_least": "512GB", "as": "size", "tolerance": "7%"}, "at least 512GB (within 7%)"),
    ({"at_most": 90}, "at most 90"),
    ({"contains": ["any"]}, "contains any"),
    ({"matches": "^a$"}, "matches ^a$"),
    ({"empty": True}, "none"),
    ({"empty": False}, "at least one"),
]

PLAIN = [
    (None, "nothing"),
    (True, "true"),
    (False, "false"),
    (0, "0"),
    (24.5, "24.5"),
    ("yes", "yes"),
    ([], "none"),
    ((), "none"),
    ({}, "none"),
    (["a", 1, True, None], "a, 1, true, nothing"),
    ({"api": "healthy", "ports": [80, 443]}, "api: healthy, ports: 80, 443"),
]


@pytest.mark.parametrize(("observed", "expectation", "meets"), TRUTH)
def test_truth(observed, expectation, meets):
    assert judge(observed, expectation) is meets


def test_the_truth_table_has_a_good_and_a_bad_case_of_every_operator_and_type():
    for name in OPERATORS:
        assert {meets for _observed, expectation, meets in TRUTH if name in expectation} == {True, False}, name
    kinds = {expectation.get("as") for _observed, expectation, _meets in TRUTH}
    assert set(TYPES) - {"exact"} <= kinds


@pytest.mark.parametrize(("observed", "expectation", "message"), INCOMPARABLE)
def test_what_cannot_be_compared_is_an_error(observed, expectation, message):
    check(expectation)
    with pytest.raises(ExpectationError) as raised:
        judge(observed, expectation)
    assert message in str(raised.value)
    assert len(str(raised.value)) < 200


@pytest.mark.parametrize(("expectation", "message"), REFUSED)
def test_an_impossible_or_empty_expectation_is_refused_and_never_judged(expectation, message):
    with pytest.raises(ExpectationError) as raised:
        check(expectation)
    assert message in str(raised.value)
    with pytest.raises(ExpectationError):
        judge("anything", expectation)


@pytest.mark.parametrize(("candidate", "reference", "expected"), WEAKER)
def test_weaker(candidate, reference, expected):
    assert weaker(candidate, reference) is expected


@pytest.mark.parametrize(("expectation", "words"), WORDS)
def test_an_expectation_in_words(expectation, words):
    check(expectation)
    assert text(expectation) == words


@pytest.mark.parametrize(("value", "shown"), PLAIN)
def test_a_value_as_a_person_would_write_it(value, shown):
    assert plain(value) == shown


# Values near each other, so that the properties meet both outcomes often.
NEAR = [None, True, False, 0, 1, 1.0, 2, -1, "", "0", "1", "1.0", "1.9", "1.10", "2GB", "2048MB", "2gb", "a", "ab", "^a", "a|b", "nan", float("nan")]
SCALARS = st.sampled_from(NEAR) | st.integers() | st.floats() | st.text(max_size=3)
DATA = SCALARS | st.lists(SCALARS, max_size=3) | st.dictionaries(st.text(max_size=2), SCALARS | st.lists(SCALARS, max_size=2), max_size=2)
OPERANDS = DATA | st.lists(st.sampled_from(NEAR), min_size=1, max_size=3)
MODIFIERS = st.sampled_from([{}, {}, {"tolerance": "7%"}, {"tolerance": "21%"}, {"as": 1}, *({"as": kind} for kind in sorted(TYPES))])
EXPECTATIONS = st.builds(lambda operator, operand, more: {operator: operand, **more}, st.sampled_from(sorted(OPERATORS)), OPERANDS, MODIFIERS)


def accepted(expectation):
    try:
        check(expectation)
    except ExpectationError:
        return False
    return True


def passes(observed, expectation):
    try:
        return judge(observed, expectation)
    except ExpectationError:
        return False


@given(DATA, EXPECTATIONS | DATA)
def test_judging_anything_is_a_truth_or_an_expectation_error(observed, expectation):
    with contextlib.suppress(ExpectationError):
        assert judge(observed, expectation) in (True, False)


@given(EXPECTATIONS)
def test_nothing_observed_never_passes(expectation):
    assert not passes(None, expectation)


@given(DATA, EXPECTATIONS | DATA)
def test_a_refused_expectation_never_passes(observed, expectation):
    assert accepted(expectation) or not passes(observed, expectation)


@given(EXPECTATIONS)
def test_an_accepted_expectation_has_words_and_is_not_weaker_than_itself(expectation):
    if accepted(expectation):
        assert isinstance(text(expectation), str)
        assert weaker(expectation, expectation) is False


OF_KIND = {
    "exact": [True, 1, 1.0, 0, "1", "a", "", [], ["a"], ["a", 1], {"a": 1}, {"a": True}],
    "number": [0, 0.95, 1, 1.0, "1", 1.05, 2, "-1"],
    "size": ["1KB", "1024", 1024, 1000, "2KB", "2.0kb"],
    "text": ["a", "b", "1", 1, 1.0],
    "version": ["1.9", "1.10", "1.10.0", "v1.10", 2, "2.0-1"],
}


@st.composite
def pairs(draw):
    """(observed, candidate, reference): two expectations of one operator and type, the ones that `weaker` orders."""
    operator = draw(st.sampled_from(sorted(OPERATORS)))
    kind = draw(st.sampled_from(["number", "size", "version"] if operator.startswith("at_") else sorted(OF_KIND)))
    values = st.sampled_from(OF_KIND[kind])
    several = st.lists(values, min_size=1, max_size=3)
    operands = {"one_of": several, "contains": several, "matches": st.sampled_from(["a", "^a", "1", "b|1"]), "empty": st.booleans()}
    modifiers = st.just({}) if operator in ("matches", "empty") else st.just({"as": kind})
    if operator == "at_least" and kind != "version":
        modifiers = st.sampled_from([{"as": kind}, {"as": kind, "tolerance": "10%"}])
    build = st.builds(lambda operand, more: {operator: operand, **more}, operands.get(operator, values), modifiers)
    return draw(several if operator == "contains" else values | several), draw(build), draw(build)


@settings(max_examples=800)
@given(pairs() | st.tuples(DATA, EXPECTATIONS, EXPECTATIONS))
def test_what_the_candidate_alone_lets_through_makes_it_weaker(pair):
    observed, candidate, reference = pair
    if accepted(candidate) and accepted(reference) and passes(observed, candidate) and not passes(observed, reference):
        assert weaker(candidate, reference)


@pytest.mark.parametrize(
    ("observed", "expectation", "words"),
    [
        (25276502016, {"at_least": "512GB", "as": "size"}, "23.5GB"),
        (2147483648, {"equals": "2GB", "as": "size"}, "2GB"),
        ("2147483648", {"equals": "2GB", "as": "size"}, "2GB"),
        (0, {"equals": "2GB", "as": "size"}, "0B"),
        ("plenty", {"equals": "2GB", "as": "size"}, "plenty"),
        (25276502016, {"at_least": 4}, "25276502016"),
    ],
)
def test_bytes_are_shown_as_a_size_where_one_is_expected(observed, expectation, words):
    assert seen(observed, expectation) == words
