import numpy as np
import pytest

from models.baseline import DAY_US, Shrinkage, without
from models.habits import learn_habits

HOUR_US = 3_600_000_000


def history(*entities, group=0):
    """Each entity a list of rows; windows an hour apart."""
    values = np.concatenate([np.asarray(rows, dtype=float) for rows in entities])
    entity = np.repeat(np.arange(len(entities)), [len(rows) for rows in entities])
    at = np.concatenate([np.arange(len(rows)) for rows in entities]) * HOUR_US
    return values, entity, np.full(len(values), group), at


def usual(baseline, entity, group=0):
    place = baseline.positions(np.array([entity])), baseline.group_positions(np.array([group]))
    centre, spread = baseline.usual(*place)
    return np.expm1(centre[0]), spread[0]


def test_long_history_is_judged_by_itself():
    baseline = learn_habits(*history([[100.0]] * 300, [[2.0]] * 300))
    assert usual(baseline, 0)[0][0] == pytest.approx(100.0, rel=0.15)
    assert usual(baseline, 1)[0][0] == pytest.approx(2.0, rel=0.15)


def test_a_new_entity_borrows_its_peers_baseline():
    baseline = learn_habits(*history([[9.0]] * 100, [[11.0]] * 100))
    assert usual(baseline, 77)[0][0] == pytest.approx(10.0, rel=0.1)


def test_a_new_entity_of_an_unknown_group_borrows_its_kinds_baseline():
    values, entity, _group, at = history([[9.0]] * 100, [[99.0]] * 100)
    baseline = learn_habits(values, entity, np.where(entity == 0, 0, 1), at)
    of_kind = usual(baseline, 77, group=55)[0][0]
    assert usual(baseline, 77, group=0)[0][0] < of_kind < usual(baseline, 77, group=1)[0][0]


def test_the_shorter_the_history_the_nearer_to_the_peers():
    random = np.random.default_rng(0)
    peers = [random.poisson(10, size=(200, 1)) for _ in range(5)]
    short = learn_habits(*history([[60.0]] * 3, *peers))
    long = learn_habits(*history([[60.0]] * 300, *peers))
    assert usual(short, 0)[0][0] < usual(long, 0)[0][0] <= 61.0


def test_one_wild_window_moves_the_usual_value_little():
    calm = [[10.0]] * 99
    quiet = usual(learn_habits(*history([*calm, [10.0]])), 0)
    wild = usual(learn_habits(*history([*calm, [1e6]])), 0)
    assert wild[0][0] == pytest.approx(quiet[0][0], rel=0.1)
    assert wild[1][0] < 2 * quiet[1][0]


def test_the_spread_never_falls_below_the_floor():
    baseline = learn_habits(*history([[5.0, 0.0]] * 200), Shrinkage(scale_floor=0.3))
    assert usual(baseline, 0)[1].min() == pytest.approx(0.3)


def test_confidence_grows_with_history():
    baseline = learn_habits(*history([[1.0]] * 5, [[1.0]] * 500))
    few, many = (baseline.confidence(place) for place in (0, 1))
    assert 0.0 == baseline.confidence(-1) < few < 0.5 < many < 1.0


def test_old_windows_fade():
    values, entity, group, _ = history([[1.0]] * 50 + [[200.0]] * 50)
    at = np.concatenate([np.arange(50) * HOUR_US, 120 * DAY_US + np.arange(50) * HOUR_US])
    assert usual(learn_habits(values, entity, group, at), 0)[0][0] == pytest.approx(200.0, rel=0.1)


def test_windows_in_any_order_give_the_same_baseline():
    parts = history(np.random.default_rng(1).poisson(5, size=(80, 3)), np.ones((60, 3)))
    order = np.random.default_rng(2).permutation(140)
    straight, shuffled = learn_habits(*parts), learn_habits(*(part[order] for part in parts))
    for name, array in straight.arrays().items():
        assert np.allclose(array, shuffled.arrays()[name], atol=1e-6), name


def test_learning_one_window_more_moves_towards_it():
    baseline = learn_habits(*history([[10.0]] * 40))
    taught = baseline
    for hour in range(40, 80):
        taught = taught.learned(0, 0, hour * HOUR_US, np.array([14.0]))
    assert usual(baseline, 0)[0][0] < usual(taught, 0)[0][0] < 14.5
    assert usual(taught, 0)[0][0] > 11.5


def test_learning_window_by_window_comes_to_what_learning_at_once_does():
    rows = np.random.default_rng(5).poisson(20, size=(200, 2)).astype(float)
    values, entity, group, at = history(rows)
    at_once = learn_habits(values, entity, group, at)
    step = learn_habits(values[:20], entity[:20], group[:20], at[:20])
    for place in range(20, 200):
        step = step.learned(0, 0, int(at[place]), values[place])
    assert np.allclose(usual(step, 0)[0], usual(at_once, 0)[0], rtol=0.1)
    assert step.weight == pytest.approx(at_once.weight, rel=1e-6)


def test_one_attack_window_does_not_make_itself_usual():
    baseline = learn_habits(*history([[2.0]] * 60))
    attacked = baseline.learned(0, 0, 60 * HOUR_US, np.array([5_000.0]))
    assert usual(attacked, 0)[0][0] < 2.5


def test_a_stranger_learned_has_a_baseline_of_its_own():
    baseline = learn_habits(*history([[2.0]] * 60, [[3.0]] * 60)).learned(-5, 0, HOUR_US, np.array([9.0]))
    assert baseline.entities.tolist() == [-5, 0, 1]
    assert baseline.checked().confidence(0) > 0


def test_taking_a_window_out_gives_the_moments_of_the_rest():
    values = np.array([[1.0], [2.0], [4.0], [3.0]])
    mean, variance = values.mean(axis=0)[None], values.var(axis=0)[None]
    left = without(mean, variance, np.array([4.0]), values[3:], np.array([1.0]))
    assert left[0][0, 0] == pytest.approx(values[:3].mean())
    assert left[1][0, 0] == pytest.approx(values[:3].var())
