# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an expression compares with which number; one that is no single comparison has none."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ansible_collections.gonogo.preflight.plugins.module_utils._promql import Comparison, NoComparisonError, comparison, ranges


@pytest.mark.parametrize(
    ("expression", "operator", "number"),
    [
        ("up > 1", ">", "1"),
        ("up>1", ">", "1"),
        ("rate(errors[5m]) / rate(requests[5m]) >= 0.05", ">=", "0.05"),
        ("sum by (job) (rate(errors[5m])) > 0.05", ">", "0.05"),
        ("sum(rate(errors[5m])) by (job) > 0.05", ">", "0.05"),
        ("(1 - avg(rate(cpu[5m]))) > 0.8", ">", "0.8"),
        ("((x > 0.8))", ">", "0.8"),
        ("x < 0.2", "<", "0.2"),
        ("x <= 0.2", "<=", "0.2"),
        ("0.05 < x", ">", "0.05"),
        ("0.05 >= x", "<=", "0.05"),
        ("up == 0", "==", "0"),
        ("up != 1", "!=", "1"),
        ("x > -1", ">", "-1"),
        ("x > +1", ">", "1"),
        ("x > - 1", ">", "-1"),
        ("time() - max(x) > 6 * 3600", ">", "21600"),
        ("x > 6 * (60 * 60) - -1", ">", "21601"),
        ("x > 8 - 4 - 2", ">", "2"),
        ("x > 2 - 6 / 3 * 2", ">", "-2"),
        ("x > -2 * -3", ">", "6"),
        ("x > 7 % 4", ">", "3"),
        ("x > 1e-3", ">", "0.001"),
        ("x > 1e+06", ">", "1000000"),
        ("x > .5", ">", "0.5"),
        ("count(up == 0) > 2", ">", "2"),
        ("count(up > 0 and y < 3) > 2", ">", "2"),
        ('x{path="a > b", other!="c", third=~"[(]"} > 2', ">", "2"),
        ("x{a='it\\'s > 1'} > 2", ">", "2"),
        ("x{a=`b\\` + `} > 3`} > 2", ">", "2"),
        ("x offset 5m > 2", ">", "2"),
        ("x offset -5m > 2", ">", "2"),
        ("x @ 1609746000 > 2", ">", "2"),
        ("x > 2 # the limit > 3", ">", "2"),
        ("\n  x\n> 2\n", ">", "2"),
        ("histogram_quantile(0.99, sum by (le) (rate(d_bucket[5m]))) > 0.02", ">", "0.02"),
    ],
)
def test_the_one_comparison(expression, operator, number):
    assert comparison(expression) == Comparison(operator, Decimal(number))


@pytest.mark.parametrize(
    ("expression", "what"),
    [
        ("", "compares nothing"),
        ("vector(1)", "compares nothing"),
        ("absent(up)", "compares nothing"),
        ("(up == 0)[5m:1m]", "compares nothing"),
        ("x > 1 and y > 2", "joins several conditions"),
        ("x > 1 and on (a) y", "joins several conditions"),
        ("x > 1 OR y", "joins several conditions"),
        ("x unless y > 1", "joins several conditions"),
        ("(x > 1 or y > 2)", "joins several conditions"),
        ("x > 1 < 5", "compares 2 times"),
        ("x > bool 1", "compares with `bool`"),
        ("x > y", "compares with no number"),
        ("x > on (a) group_left () y", "compares with no number"),
        ("x > vector(1)", "compares with no number"),
        ("x > scalar(y)", "compares with no number"),
        ("x > 2 * y", "compares with no number"),
        ("x > NaN", "compares with no number"),
        ("x > +Inf", "compares with no number"),
        ("x > 0x10", "compares with no number"),
        ("x > 5m", "compares with no number"),
        ("x > 2 ^ 3", "compares with no number"),
        ("x > 1 / 0", "compares with no number"),
        ("x > 1 % 0", "compares with no number"),
        ("x > 1 2", "compares with no number"),
        ("x > (1, 2)", "compares with no number"),
        ("x > [1]", "compares with no number"),
        ("x > 1e999999999", "compares with no number"),
        ("x > 1" + " + 1" * 1000, "compares with no number"),
        ("x > 1e99 * 1e99 * 1e99 - " + "9e99 * " * 10 + "x", "compares with no number"),
        ("1 > 0", "compares two numbers"),
        ("> 1", "compares with nothing"),
        ("x >", "compares with nothing"),
        ("x > 1)", "brackets that do not match"),
        ("(x > 1", "brackets that do not match"),
        ("(x > 1]", "brackets that do not match"),
        ("(" * 100 + "x > 1", "cannot be read"),
        ('x{a="b} > 1', "cannot be read from"),
        ("x ! 1", "cannot be read from '! 1' on"),
        ("x > 1;", "cannot be read from ';' on"),
    ],
)
def test_what_is_no_single_comparison_with_a_number(expression, what):
    with pytest.raises(NoComparisonError) as raised:
        comparison(expression)
    assert what in str(raised.value)


@given(st.text(alphabet="x12.e+-*/%<>=!()[]{}'\"`\\,a \n#", max_size=40))
@example("x > 1e")
@example("(" * 20000)
def test_any_text_is_a_comparison_or_none(text):
    for read in (comparison, ranges):
        try:
            read(text)
        except NoComparisonError as error:
            assert str(error)  # noqa: PT017 (either is right)


@pytest.mark.parametrize(
    ("expression", "seconds"),
    [
        ("x > 1", []),
        ("increase(x[1h]) > 2", [3600]),
        ("rate(x[5m]) / rate(y[1h30m]) > 2", [300, 5400]),
        ("max_over_time(rate(x[500ms])[1d:5m]) > 2", [0.5, 86400]),
        ('x{a="[1h]"} > 2', []),
        ("increase(x[1w]) > 1", [604800]),
    ],
)
def test_ranges(expression, seconds):
    assert sorted(ranges(expression)) == seconds


@pytest.mark.parametrize("expression", ["x[5] > 1", "x[y] > 1", "x[1 h] > 1"])
def test_a_range_that_cannot_be_read(expression):
    with pytest.raises(NoComparisonError, match="a range that cannot be read"):
        ranges(expression)
