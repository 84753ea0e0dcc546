import numpy as np
import pytest

from models import Budget, ModelError, threshold_for
from models.budget import KindRate, threshold_over


def test_days_keep_within_the_budget_as_often_as_asked():
    threshold = threshold_for(Budget(10, 0.9), 2_000, 5_000)
    random = np.random.default_rng(0)
    rank = round(threshold.p_value * 5_001)
    counts = random.binomial(2_000, random.beta(rank, 5_001 - rank, size=4_000))
    assert threshold.promised
    assert 0.88 < (counts <= 10).mean() < 0.97


def test_the_next_higher_threshold_would_break_it():
    threshold = threshold_for(Budget(10, 0.9), 2_000, 5_000)
    random = np.random.default_rng(0)
    rank = round(threshold.p_value * 5_001) + 1
    counts = random.binomial(2_000, random.beta(rank, 5_001 - rank, size=4_000))
    assert (counts <= 10).mean() < 0.91


def test_what_is_expected_lies_within_its_interval():
    threshold = threshold_for(Budget(10), 2_000, 5_000)
    assert threshold.low <= threshold.expected <= threshold.high
    assert threshold.expected < 10


def test_below_the_reach_nothing_is_promised():
    threshold = threshold_for(Budget(5), 1_000_000, 200)
    assert not threshold.promised
    assert threshold.p_value < 1 / 201
    assert threshold.expected < 5


def test_a_larger_budget_gives_a_higher_threshold():
    small, large = (threshold_for(Budget(size), 3_000, 4_000).p_value for size in (3, 30))
    assert small < large


def test_a_budget_above_all_windows_shows_all_that_can_be_shown():
    assert threshold_for(Budget(100), 10, 50).p_value == pytest.approx(50 / 51)


@pytest.mark.parametrize("budget", [Budget(0), Budget(-1), Budget(5, 1.0), Budget(5, 0.0)])
def test_an_impossible_budget_is_refused(budget):
    with pytest.raises(ModelError):
        threshold_for(budget, 100, 100)


def test_a_budget_of_thousands_is_worked_out_in_bundles_and_stays_careful():
    def rates(times):
        return [KindRate("human", 400.0 * times, 900), KindRate("node", 60.0 * times, 150)]

    single = threshold_over(Budget(per_day=50), rates(1), days=8.0)
    many = threshold_over(Budget(per_day=50_000), rates(1000), days=8.0)
    assert many.expected == pytest.approx(1000 * single.expected, rel=0.05)
    assert many.low <= many.expected <= many.high
