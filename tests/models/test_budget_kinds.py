import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.budget import Budget, KindRate, threshold_for, threshold_over
from models.errors import ModelError

rates = st.lists(
    st.builds(KindRate, st.just("kind"), st.floats(1, 5_000), st.integers(20, 50_000)), min_size=1, max_size=5
)


@given(rates, st.integers(1, 30))
def test_the_expected_day_lies_within_the_budget_and_its_own_interval(found, most):
    threshold = threshold_over(Budget(most), found)

    assert threshold.expected <= most
    assert threshold.low <= threshold.high
    assert threshold.low <= threshold.expected + 1
    assert threshold.promised is not bool(threshold.unproven)


@given(rates)
def test_a_larger_budget_never_lowers_the_line(found):
    lines = [threshold_over(Budget(most), found).p_value for most in (2, 5, 10, 20)]

    assert lines == sorted(lines)


def test_one_kind_of_many_windows_agrees_with_the_plain_threshold():
    alone = threshold_over(Budget(10), [KindRate("human", 1_200, 25_000)])

    assert alone.p_value == pytest.approx(threshold_for(Budget(10), 1_200, 25_000).p_value, rel=0.02)
    assert alone.promised


def test_few_calibration_windows_lower_the_line_and_are_named():
    few, many = (threshold_over(Budget(10), [KindRate("human", 2_000, count)]) for count in (60, 60_000))

    assert few.p_value < many.p_value
    assert few.unproven == ("human",) and not few.promised


def test_without_windows_there_is_no_line():
    with pytest.raises(ModelError):
        threshold_over(Budget(10), [KindRate("human", 0.0, 10)])


def test_the_fewer_days_are_known_the_lower_the_line_and_the_wider_the_promise():
    found = [KindRate("human", 3_000, 20_000), KindRate("serviceaccount", 5_000, 40_000)]
    held = [threshold_over(Budget(10), found, days) for days in (1, 7, 30)]

    assert held[0].p_value < held[1].p_value < held[2].p_value < threshold_over(Budget(10), found).p_value
    assert held[0].high > held[2].high


def test_days_that_differ_as_a_short_history_allows_still_keep_the_promise():
    random = np.random.default_rng(5)
    days, windows = 3, 4_000
    line = threshold_over(Budget(10), [KindRate("kind", windows, 10**6)], days)
    rate = line.p_value * random.chisquare(days, 20_000) / days
    alerts = random.binomial(windows, np.minimum(rate, 1.0))

    assert (alerts <= 10).mean() >= 0.88
    assert (alerts <= line.high).mean() >= 0.93
