import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.combination import Combination

HEARD = st.lists(st.floats(0, 200), min_size=1, max_size=4)


@given(HEARD, st.sampled_from(Combination))
@settings(deadline=None)
def test_one_window_combines_as_it_does_among_many(heard, how):
    assert how.of(np.array([heard]))[0] == pytest.approx(how.of_row(heard), rel=1e-12)


@given(HEARD, st.sampled_from(Combination))
@settings(deadline=None)
def test_shares_add_up_to_one(heard, how):
    shares = how.shares(heard)
    assert sum(shares) == pytest.approx(1.0)
    assert min(shares) >= 0


@given(HEARD, st.integers(0, 3), st.sampled_from(Combination))
@settings(deadline=None)
def test_more_surprise_never_combines_to_less(heard, place, how):
    more = list(heard)
    more[place % len(more)] += 1.0
    assert how.of_row(more) >= how.of_row(heard)


def test_the_least_p_value_answers_alone():
    assert Combination.LEAST.shares([1.0, 5.0, 2.0]) == [0.0, 1.0, 0.0]
