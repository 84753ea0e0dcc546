import numpy as np
import pytest

from models.explanation import path_contributions, to_features
from models.isolation_forest import IsolationForest
from tests.training.made_up import office, quick
from training import run


@pytest.fixture(scope="module")
def strange(model, matrix):
    """A window in which three features rise that the entity never shows."""
    place = 17
    values = matrix.values[place].copy()
    risen = np.flatnonzero(values[:20] == 0)[:3]
    values[risen] = [40.0, 60.0, 90.0]
    who = str(matrix.kind[place]), int(matrix.entity[place]), int(matrix.group[place]), int(matrix.at[place])
    return who, values, [matrix.layout.names[place] for place in risen]


def test_a_forests_contributions_add_up_exactly(fitted):
    forest = IsolationForest.from_sklearn(fitted)
    mean_path = forest.trees.expected[forest.trees.starts[:-1]].sum() / forest.usual_depth
    for row in np.random.default_rng(0).normal(size=(50, 20)).astype(np.float32) * 3:
        assert path_contributions(forest, row).sum() == pytest.approx(
            np.log2(forest.row(row)) + mean_path, abs=1e-12
        )


def test_the_column_that_is_far_out_contributes_most(fitted):
    row = np.zeros(20, dtype=np.float32)
    row[3] = 8.0
    assert np.argmax(path_contributions(IsolationForest.from_sklearn(fitted), row)) == 3


def test_leading_columns_back_to_features_keeps_their_sum(model):
    detector = model.detector("human")
    random = np.random.default_rng(0)
    by_column = random.normal(size=len(detector.lens.columns))
    sizes = random.exponential(size=(2, len(model.layout)))
    assert to_features(detector, sizes, by_column).sum() == pytest.approx(by_column.sum())


def test_the_features_contributions_add_up_to_the_statistic(model, strange):
    who, values, _ = strange
    explained = model.explain(*who, values)
    assert sum(part.amount for part in explained.contributions) == pytest.approx(
        explained.statistic, abs=1e-9
    )
    assert explained.statistic == pytest.approx(model.judge_row(*who, values).statistic, abs=1e-9)


def test_the_features_that_rose_are_named_first(model, strange):
    who, values, risen = strange
    explained = model.explain(*who, values)
    assert {part.feature for part in explained.contributions[:3]} == set(risen)


def test_usual_values_are_in_the_features_own_unit(model, matrix, strange):
    who, values, _ = strange
    own = matrix.values[(matrix.entity == who[1])]
    for part in model.explain(*who, values).contributions:
        place = matrix.layout.index[part.feature]
        assert part.value == values[place]
        assert part.usual_low <= part.usual <= part.usual_high
        assert abs(np.log1p(part.usual) - np.log1p(own[:, place]).mean()) < 0.5


def test_moving_the_named_features_makes_the_window_normal(model, strange):
    who, values, risen = strange
    explained = model.explain(*who, values, threshold=0.05)
    assert explained.p_value < 0.05
    assert {feature for feature, _ in explained.normal_if} <= set(risen)
    moved = values.copy()
    for feature, value in explained.normal_if:
        moved[model.layout.index[feature]] = value
    assert model.judge_row(*who, moved).p_value > 0.05


def test_leaving_out_any_of_them_does_not(model, strange):
    who, values, _ = strange
    normal_if = model.explain(*who, values, threshold=0.05).normal_if
    for left_out, _ in normal_if:
        moved = values.copy()
        for feature, value in normal_if:
            if feature != left_out:
                moved[model.layout.index[feature]] = value
        assert model.judge_row(*who, moved).p_value <= 0.05


def test_an_ordinary_window_needs_no_change(model, matrix):
    p_values = model.judge(matrix.values, matrix.kind, matrix.entity, matrix.group, matrix.at).p_value
    place = int(np.argmax(p_values))
    who = str(matrix.kind[place]), int(matrix.entity[place]), int(matrix.group[place]), int(matrix.at[place])
    assert model.explain(*who, matrix.values[place]).normal_if == ()


def test_a_window_strange_all_over_has_no_short_way_back(model, matrix):
    who = str(matrix.kind[0]), int(matrix.entity[0]), int(matrix.group[0]), int(matrix.at[0])
    assert model.explain(*who, matrix.values[0] + 500.0, threshold=0.05).normal_if is None


@pytest.mark.parametrize("channels", [("extended", "top_three"), ("forest", "extended"), ("top_three",)])
@pytest.mark.parametrize("how", ["fisher", "least", "harmonic"])
def test_every_set_of_channels_explains_the_whole_statistic(channels, how):
    from models import Channel
    from models.combination import Combination

    matrix = office(entities=8, windows=60)
    recipe = quick(channels=tuple(Channel(name) for name in channels), combination=Combination(how))
    model = run(matrix, recipe).model
    who = str(matrix.kind[0]), int(matrix.entity[0]), int(matrix.group[0]), int(matrix.at[0])
    explained = model.explain(*who, matrix.values[0] + 30.0)
    assert sum(part.amount for part in explained.contributions) == pytest.approx(
        explained.statistic, abs=1e-9
    )
