import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from anomaly.windows.firsts import Firsts

sightings = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 9), st.integers(0, 99)), max_size=40)


def firsts(rows):
    entity, term, first = np.array(rows, dtype=np.int64).reshape(-1, 3).T
    return Firsts.of(entity, term, first)


@given(sightings, sightings)
def test_joining_is_the_same_as_gathering_all_at_once(held, news):
    joined, together = firsts(held).joined(firsts(news)), firsts(held + news)
    assert joined.keys.tolist() == together.keys.tolist()
    assert joined.first_us.tolist() == together.first_us.tolist()
