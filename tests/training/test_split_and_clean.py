import numpy as np
import pytest

from models import ModelError
from tests.training.made_up import office, quick
from training.clean import leave_out, quieten, strangest, too_strange
from training.split import split_by_time


@pytest.fixture(scope="module")
def matrix():
    return office(entities=6, windows=50)


def test_nothing_later_teaches_about_something_earlier(matrix):
    split = split_by_time(matrix, quick())
    parts = [matrix.at[rows] for rows in (split.fit, split.calibrate, split.held_back)]
    assert parts[0].max() < parts[1].min()
    assert parts[1].max() < parts[2].min()


def test_every_row_is_in_one_part(matrix):
    split = split_by_time(matrix, quick())
    rows = np.concatenate([split.fit, split.calibrate, split.held_back])
    assert np.array_equal(np.sort(rows), np.arange(len(matrix)))


def test_the_shares_are_those_of_the_recipe(matrix):
    split = split_by_time(matrix, quick(fit_share=0.5, calibrate_share=0.3))
    assert [
        len(rows) / len(matrix) for rows in (split.fit, split.calibrate, split.held_back)
    ] == pytest.approx([0.5, 0.3, 0.2], abs=0.02)


def test_an_empty_matrix_splits_into_nothing(matrix):
    split = split_by_time(matrix.part(np.zeros(0, dtype=int)), quick())
    assert len(split.fit) == len(split.calibrate) == len(split.held_back) == 0


def test_confirmed_attacks_are_left_out(matrix):
    confirmed = np.zeros(len(matrix), dtype=bool)
    confirmed[[3, 7]] = True
    rows = leave_out(matrix, confirmed)
    assert len(rows) == len(matrix) - 2
    assert not {3, 7} & set(rows.tolist())


def test_a_mask_of_another_length_is_refused(matrix):
    with pytest.raises(ModelError):
        leave_out(matrix, np.zeros(3, dtype=bool))


def test_a_loud_entity_gives_no_more_than_its_share():
    entity = np.repeat([1, 2, 3], [5_000, 300, 10])
    rows = quieten(entity, np.arange(len(entity)), 0.05, np.random.default_rng(0))
    counts = np.bincount(entity[rows])
    assert counts[1] == int(0.05 * 5_310)
    assert counts[2] == 265
    assert counts[3] == 10


def test_few_rows_are_not_thinned():
    entity = np.repeat([1, 2], [15, 5])
    assert len(quieten(entity, np.arange(20), 0.05, np.random.default_rng(0))) == 20


def test_the_strangest_come_first():
    assert strangest(np.array([0.1, 9.0, 3.0, 5.0]), np.array([10, 11, 12, 13]), 2) == [11, 13]


def test_a_forgotten_attack_far_above_everything_is_set_aside():
    quiet = np.random.default_rng(0).exponential(size=200)
    marked = too_strange(np.append(quiet, 40.0), 0.005)
    assert np.flatnonzero(marked).tolist() == [200]


def test_ordinary_windows_are_hardly_ever_set_aside():
    random = np.random.default_rng(1)
    assert np.mean([too_strange(random.exponential(size=400), 0.005).any() for _ in range(300)]) < 0.06


def test_a_heavy_tail_of_ordinary_windows_is_mostly_left_alone():
    random = np.random.default_rng(2)
    assert np.mean([too_strange(random.pareto(4.0, size=1_000), 0.005).sum() for _ in range(100)]) < 1.0


def test_never_more_than_the_share_is_set_aside():
    quiet = np.concatenate([np.random.default_rng(0).exponential(size=1_000), np.full(50, 90.0)])
    assert too_strange(quiet, 0.005).sum() <= 5


def test_setting_aside_can_be_turned_off():
    assert not too_strange(np.append(np.random.default_rng(0).exponential(size=200), 40.0), 0.0).any()
