import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models import NotEnoughData
from models.calibration import Calibration, pareto_tail

SCORES = st.lists(st.floats(-50, 50), min_size=1, max_size=300)


@given(SCORES, st.lists(st.floats(-100, 200), min_size=2, max_size=50))
@settings(deadline=None)
def test_a_higher_score_never_has_a_higher_p_value(quiet, asked):
    p_values = Calibration.of(np.array(quiet)).p_values(np.sort(np.array(asked)))
    assert np.all(np.diff(p_values) <= 1e-15)
    assert np.all((p_values >= 0) & (p_values <= 1))


@given(SCORES, st.lists(st.floats(-100, 200), min_size=1, max_size=20))
@settings(deadline=None)
def test_within_reach_p_is_never_less_than_counting_says(quiet, asked):
    calibration, scores = Calibration.of(np.array(quiet)), np.array(asked)
    within = scores[scores <= max(quiet)]
    counted = np.array([(1 + sum(q >= s for q in quiet)) / (len(quiet) + 1) for s in within])
    assert np.all(calibration.p_values(within) >= counted - 1e-12)


@given(SCORES, st.lists(st.floats(-100, 200), min_size=1, max_size=20))
@settings(deadline=None)
def test_one_score_has_the_p_value_it_has_among_many(quiet, asked):
    calibration = Calibration.of(np.array(quiet))
    many = calibration.surprise(np.array(asked))
    assert np.allclose(many, [calibration.surprise_of(score) for score in asked], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("share", [0.1, 0.01, 0.002])
def test_quiet_windows_fall_under_p_as_often_as_p_says(share):
    random = np.random.default_rng(11)
    rates = [
        (Calibration.of(random.gumbel(size=1_000)).p_values(random.gumbel(size=2_000)) <= share).mean()
        for _ in range(60)
    ]
    assert np.mean(rates) < 1.1 * share
    # Even falls between counted windows err on the quiet side, by up to one window.
    assert np.mean(rates) > 0.9 * share - 0.001


def test_thinning_a_large_calibration_moves_p_by_a_percent_at_most():
    quiet = np.random.default_rng(1).gumbel(size=50_000)
    calibration = Calibration.of(quiet)
    asked = np.quantile(quiet, [0.2, 0.5, 0.9, 0.99, 0.999, 0.9999])
    counted = np.array([(1 + (quiet >= score).sum()) / 50_001 for score in asked])
    assert len(calibration.scores) < 1_500
    assert np.allclose(calibration.p_values(asked[:4]), counted[:4], rtol=0.011)
    assert np.all(calibration.p_values(asked[4:]) >= counted[4:])


def test_beyond_the_last_quiet_score_the_tail_goes_on_falling():
    calibration = Calibration.of(np.random.default_rng(2).exponential(size=2_000))
    asked = calibration.scores[-1] + np.array([0.0, 1.0, 2.0, 20.0])
    p_values = calibration.p_values(asked)
    assert p_values[0] == pytest.approx(calibration.reach * 2, rel=1e-6)
    assert p_values[3] < p_values[2] < p_values[1] < p_values[0]
    assert p_values[3] > 0


def test_the_threshold_of_a_p_value_has_that_p_value():
    calibration = Calibration.of(np.random.default_rng(2).exponential(size=500))
    for p_value in (0.3, 0.01, 1e-5):
        score = calibration.score_at(p_value)
        assert calibration.p_values(np.array([score]))[0] == pytest.approx(p_value, rel=1e-6)


def test_equal_quiet_scores_still_tell_higher_from_equal():
    calibration = Calibration.of(np.full(50, 2.0))
    assert calibration.p_values(np.array([1.0, 2.0])).tolist() == [1.0, 1.0]
    assert calibration.p_values(np.array([3.0]))[0] < 0.02


def test_an_exponential_tail_is_found_to_be_one():
    start, shape, scale = pareto_tail(np.sort(np.random.default_rng(3).exponential(2.0, size=5_000)))
    assert shape < 0.12
    assert scale == pytest.approx(2.0, rel=0.2)
    assert start == pytest.approx(2.0 * np.log(10), rel=0.1)


def test_no_quiet_window_is_no_calibration():
    with pytest.raises(NotEnoughData):
        Calibration.of(np.zeros(0))


def test_kept_arrays_rebuild_the_calibration():
    calibration = Calibration.of(np.random.default_rng(4).normal(size=700))
    again = Calibration.from_arrays(calibration.arrays())
    asked = np.linspace(-3, 9, 50)
    assert np.array_equal(calibration.surprise(asked), again.surprise(asked))
