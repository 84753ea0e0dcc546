"""Lateness adds up, and quantiles are near enough."""

from datetime import timedelta

import numpy as np
import pytest

from anomaly.intake.lag import BUCKETS, LIVE_US, histogram, live, quantile


@pytest.mark.parametrize("seconds", [0.02, 1.0, 30.0, 3_600.0, 86_400.0 * 5])
def test_a_quantile_is_right_within_a_fifth(seconds):
    counts = histogram(np.full(100, int(seconds * 1e6)))
    assert quantile(counts, 0.5).total_seconds() == pytest.approx(seconds, rel=0.2)


def test_halves_and_the_last_hundredth_are_told_apart():
    counts = histogram(np.array([1_000_000] * 98 + [600_000_000] * 2))
    assert quantile(counts, 0.5) < timedelta(seconds=2)
    assert quantile(counts, 0.99) > timedelta(minutes=8)


def test_histograms_add_up():
    lags = np.random.default_rng(3).integers(-(10**6), 10**12, 1_000)
    assert (histogram(lags[:300]) + histogram(lags[300:]) == histogram(lags)).all()
    assert len(histogram(lags)) == BUCKETS


def test_what_comes_before_it_happened_is_in_the_first_bucket():
    assert histogram(np.array([-5_000_000]))[0] == 1


def test_a_backlog_is_not_live():
    assert live(histogram(np.array([0, 40_000_000, 3 * LIVE_US]))) == 2


def test_nothing_has_no_quantile():
    assert quantile([0] * BUCKETS, 0.5) is None
