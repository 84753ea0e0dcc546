import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.ensemble import IsolationForest as SklearnForest

from models import ModelError
from models.flat_tree import FlatTrees, largest_float32
from models.isolation_forest import IsolationForest, average_path_length


@pytest.fixture(scope="module")
def rows():
    return np.random.default_rng(4).normal(size=(2_000, 20)) * 2


def test_many_rows_score_as_scikit_learn_does(fitted, rows):
    assert (
        np.abs(IsolationForest.from_sklearn(fitted).strangeness(rows) + fitted.score_samples(rows)).max()
        < 1e-9
    )


def test_a_few_rows_score_as_scikit_learn_does(fitted, rows):
    few = rows[:7]
    assert (
        np.abs(IsolationForest.from_sklearn(fitted).strangeness(few) + fitted.score_samples(few)).max() < 1e-9
    )


def test_one_row_scores_as_scikit_learn_does(fitted, rows):
    forest = IsolationForest.from_sklearn(fitted)
    ours = np.array([forest.row(row.astype(np.float32)) for row in rows[:300]])
    assert np.abs(ours + fitted.score_samples(rows[:300])).max() < 1e-9


def test_rows_exactly_on_a_threshold_go_the_same_way(fitted):
    forest = IsolationForest.from_sklearn(fitted)
    cuts = np.concatenate([tree.tree_.threshold[tree.tree_.feature >= 0] for tree in fitted.estimators_[:5]])
    rows = np.repeat(cuts[:200, None].astype(np.float32), 20, axis=1)
    assert np.abs(forest.strangeness(rows) + fitted.score_samples(rows)).max() < 1e-9


@given(arrays(np.float32, (5, 20), elements=st.floats(-(2.0**100), 2.0**100, width=32)))
@settings(max_examples=40, deadline=None)
def test_any_finite_rows_score_as_scikit_learn_does(fitted, rows):
    assert (
        np.abs(IsolationForest.from_sklearn(fitted).strangeness(rows) + fitted.score_samples(rows)).max()
        < 1e-9
    )


@given(
    st.lists(st.floats(-(2.0**100), 2.0**100), min_size=1, max_size=20),
    st.floats(-(2.0**100), 2.0**100, width=32),
)
@settings(deadline=None)
def test_rounded_thresholds_leave_every_comparison_as_it_was(thresholds, value):
    exact = np.array(thresholds)
    assert np.array_equal(np.float32(value) <= largest_float32(exact), np.float64(value) <= exact)


def test_several_workers_give_the_same_bytes(fitted, rows):
    forest, many = IsolationForest.from_sklearn(fitted), np.tile(rows, (12, 1))
    assert np.array_equal(forest.strangeness(many, workers=2), forest.strangeness(many, workers=1))


def test_far_away_is_stranger_than_the_middle(fitted):
    scores = IsolationForest.from_sklearn(fitted).strangeness(np.vstack([np.zeros(20), np.full(20, 9.0)]))
    assert 0.0 < scores[0] < scores[1] <= 1.0


def test_parts_fitted_apart_score_like_one_forest(rows):
    parts = [SklearnForest(n_estimators=10, random_state=seed).fit(rows) for seed in (1, 2)]
    joined = IsolationForest.joined([IsolationForest.from_sklearn(part) for part in parts])
    expected = np.exp2(np.mean([np.log2(-part.score_samples(rows)) for part in parts], axis=0))
    assert np.abs(joined.strangeness(rows) - expected).max() < 1e-9


@pytest.mark.parametrize("distinct", [1, 2, 3])
def test_tiny_samples_score_as_scikit_learn_does(distinct):
    rows = np.tile(np.arange(distinct, dtype=float)[:, None], (2, 3))
    fitted = SklearnForest(n_estimators=5, random_state=0).fit(rows)
    forest = IsolationForest.from_sklearn(fitted)
    assert np.abs(forest.strangeness(rows) + fitted.score_samples(rows)).max() < 1e-9
    assert abs(forest.row(rows[0].astype(np.float32)) + fitted.score_samples(rows[:1])[0]) < 1e-9


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_not_finite_are_refused(fitted, bad):
    rows = np.zeros((3, 20))
    rows[1, 4] = bad
    with pytest.raises(ModelError, match="finite"):
        IsolationForest.from_sklearn(fitted).strangeness(rows)


def test_another_width_is_refused(fitted):
    with pytest.raises(ModelError, match=r"\(n, 20\)"):
        IsolationForest.from_sklearn(fitted).strangeness(np.zeros((3, 19)))


def test_leaves_of_one_row_are_those_of_many(fitted, rows):
    forest = IsolationForest.from_sklearn(fitted)
    assert np.array_equal(forest.row_leaves(rows[3].astype(np.float32)), forest.leaves(rows[:5])[3])


def test_a_child_that_leads_back_is_refused(fitted):
    held = IsolationForest.from_sklearn(fitted).trees.arrays()
    held["left"] = np.zeros_like(held["left"])
    with pytest.raises(ModelError, match="not sound"):
        FlatTrees(**held).checked()


def test_average_path_length_of_two_rows_is_one_cut():
    assert average_path_length(np.array([0, 1, 2])).tolist() == [0.0, 0.0, 1.0]
