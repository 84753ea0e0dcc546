import numpy as np
import pytest

from models import Layout
from tests.training.made_up import office, quick
from training import Matrix, run
from training.planting import SHAPES, plant


@pytest.fixture(scope="module")
def matrix():
    return office(entities=12, windows=50)


@pytest.fixture(scope="module")
def planted(matrix):
    return plant(matrix, np.arange(len(matrix)), 150, 7)


def test_every_kind_and_shape_gets_its_part(matrix, planted):
    assert set(planted.shape) == set(SHAPES)
    assert np.unique(planted.matrix.kind, return_counts=True)[1].tolist() == [150 // len(matrix.kinds)] * len(
        matrix.kinds
    )


def test_every_plant_differs_from_the_window_it_was_made_from(matrix, planted):
    changed = (planted.matrix.values != matrix.values[planted.origin]).any(axis=1)
    assert changed[planted.shape != "burst"].all()
    assert changed.mean() > 0.95


def test_a_plant_keeps_whose_window_it_is(matrix, planted):
    assert np.array_equal(planted.matrix.entity, matrix.entity[planted.origin])
    assert np.array_equal(planted.matrix.at, matrix.at[planted.origin])


def test_new_doing_raises_only_what_was_never_done(matrix, planted):
    rows = planted.shape == "new doing"
    before, after = matrix.values[planted.origin[rows]], planted.matrix.values[rows]
    raised = after != before
    assert (before[raised] == 0).all()
    assert (raised.sum(axis=1) == 3).all()


def test_the_same_seed_plants_the_same(matrix, planted):
    again = plant(matrix, np.arange(len(matrix)), 150, 7)
    assert np.array_equal(again.matrix.values, planted.matrix.values)


def test_the_matrix_itself_is_left_as_it_was(matrix):
    before = matrix.values.copy()
    plant(matrix, np.arange(len(matrix)), 50, 1)
    assert np.array_equal(matrix.values, before)


def test_without_surprise_features_there_is_no_novelty(matrix):
    plain = Matrix.of(
        Layout.of([f"f{n}" for n in range(24)]),
        matrix.values,
        matrix.entity,
        matrix.kind,
        matrix.group,
        matrix.at,
    )
    assert "novelty" not in plant(plain, np.arange(len(plain)), 50, 1).shape


def test_a_single_peer_group_has_nobody_to_masquerade_as(matrix):
    alone = matrix.part(np.flatnonzero(matrix.group == matrix.group[0]))
    assert "masquerade" not in plant(alone, np.arange(len(alone)), 50, 1).shape


def test_no_rows_give_no_plants(matrix):
    assert len(plant(matrix, np.zeros(0, dtype=np.intp), 50, 1).matrix) == 0


def test_each_shape_is_found_more_often_than_quiet_windows_are_shown(matrix):
    report = run(matrix, quick(planted=300)).report
    assert min(report.recall_by_shape.values()) > 10 * report.threshold.p_value
