import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from models import ModelError
from models.extended_forest import ExtendedForest, grow
from models.isolation_forest import average_path_length


@pytest.fixture(scope="module")
def rows():
    return np.random.default_rng(0).normal(size=(1_500, 8))


def test_far_away_is_stranger_than_the_middle(rows):
    scores = grow(rows, 1).strangeness(np.vstack([np.zeros(8), np.full(8, 7.0)]))
    assert 0 < scores[0] < 0.5 < scores[1] <= 1


def test_it_ranks_shifted_rows_above_ordinary_ones(rows):
    random = np.random.default_rng(5)
    tried = np.vstack([random.normal(size=(300, 8)), random.normal(2.5, 1, size=(60, 8))])
    assert roc_auc_score(np.repeat([0, 1], [300, 60]), grow(rows, 1).strangeness(tried)) > 0.97


def test_the_gap_between_two_clusters_is_stranger_to_planes_than_their_middle():
    random = np.random.default_rng(2)
    left, right = random.normal((-6, 6), 1, size=(600, 2)), random.normal((6, -6), 1, size=(600, 2))
    forest = grow(np.vstack([left, right]), 3, plane=2)
    ghost = forest.strangeness(np.array([[6.0, 6.0], [-6.0, -6.0]]))
    assert ghost.min() > forest.strangeness(np.vstack([left, right])).mean() + 0.1


def test_the_same_seed_grows_the_same_forest(rows):
    assert np.array_equal(grow(rows, 4).strangeness(rows), grow(rows, 4).strangeness(rows))
    assert not np.array_equal(grow(rows, 4).strangeness(rows), grow(rows, 5).strangeness(rows))


def test_all_rows_of_a_tree_end_in_its_leaves(rows):
    forest = grow(rows, 1, trees=7, samples=64)
    assert forest.rows.reshape(7, -1).sum(axis=1).tolist() == [64] * 7


def test_contributions_add_up_to_the_path_shortened(rows):
    forest = grow(rows, 1)
    row = np.array([0.1, 9, 0, 0, -3, 0, 0, 0], dtype=np.float32)
    usual = forest.trees * average_path_length(np.array([forest.samples]))[0]
    mean_path = -forest._expected[0].sum() / usual
    assert forest.contributions(row).sum() == pytest.approx(np.log2(forest.row(row)) - mean_path, abs=1e-6)
    assert np.argmax(forest.contributions(row)) == 1


def test_constant_columns_are_never_cut():
    rows = np.zeros((300, 4))
    rows[:, 2] = np.random.default_rng(0).normal(size=300)
    scores = grow(rows, 1).strangeness(np.array([[5.0, 5, 0, 5], [0, 0, 5, 0]]))
    assert scores[1] > scores[0]


def test_rows_that_are_all_the_same_are_all_as_strange():
    assert np.unique(grow(np.ones((50, 3)), 1).strangeness(np.ones((5, 3)))).size == 1


def test_kept_arrays_rebuild_the_forest(rows):
    forest = grow(rows, 1)
    again = ExtendedForest.from_parts(
        forest.arrays(), {"trees": forest.trees, "samples": forest.samples, "columns": forest.columns}
    )
    assert np.array_equal(forest.strangeness(rows), again.strangeness(rows))


def test_numbers_that_are_not_finite_are_refused(rows):
    with pytest.raises(ModelError):
        grow(rows, 1).strangeness(np.full((2, 8), np.nan))
