import numpy as np
import pytest

from models import Feature, Layout, Treatment
from models.habits import learn_habits
from models.relative import Lens, View


@pytest.fixture
def lens():
    made = [Feature(f"f{n}", "count", "a" if n < 2 else "b", "") for n in range(4)]
    made += [Feature("first", "count", "novelty", "", Treatment.SURPRISE)]
    made += [Feature("span", "s", "b", "", Treatment.CONTEXT)]
    return Lens(Layout(tuple(made)))


@pytest.fixture
def baseline():
    values = np.random.default_rng(0).poisson(6, size=(120, 6)).astype(float)
    values[:, 4] = 0
    return learn_habits(values, np.repeat([0, 1], 60), np.zeros(120, int), np.tile(np.arange(60), 2))


def sizes(lens, baseline, values):
    centre, sharp = lens.focus(baseline, np.array([0]), np.array([0]))
    return lens.magnitudes(lens.deviations(np.log1p(np.array([values])), centre, sharp))


def test_usual_values_are_no_deviation(lens, baseline):
    assert sizes(lens, baseline, [6.0, 6, 6, 6, 0, 0]).max() < 1.5


def test_a_fall_counts_in_part(lens, baseline):
    risen = sizes(lens, baseline, [6 * 8.0, 6, 6, 6, 0, 0])[0, 0, 0]
    fallen = sizes(lens, baseline, [0.0, 6, 6, 6, 0, 0])[0, 0, 0]
    assert 0 < fallen < risen / 2


def test_deviations_are_cut_off_at_the_clip(lens, baseline):
    assert sizes(lens, baseline, [1e12, 6, 6, 6, 0, 0]).max() == 30.0


def test_context_is_never_judged(lens, baseline):
    assert sizes(lens, baseline, [6.0, 6, 6, 6, 0, 1e9])[0, :, 5].tolist() == [0.0, 0.0]


def test_a_surprise_counts_for_oneself_but_not_against_peers(lens, baseline):
    size = sizes(lens, baseline, [6.0, 6, 6, 6, 5, 0])
    assert size[0, 0, 4] > 3
    assert size[0, 1, 4] == 0


def test_aggregates_are_largest_top_three_and_mean_square(lens):
    assert lens.aggregates(np.array([[3.0, 0, 4, 1, 5, 0]]))[0].tolist() == [5.0, 4.0, 51 / 6]


def test_families_show_their_largest_deviation(lens):
    by_family = Lens(lens.layout, View.FAMILIES)
    assert by_family.families == ("a", "b", "novelty")
    assert by_family.families_of(np.array([1.0, 4, 2, 0, 7, 99])).tolist() == [4.0, 2.0, 7.0]
    assert by_family.leaders_of(np.array([1.0, 4, 2, 0, 7, 99])).tolist() == [1, 2, 4]
