"""What is known of events ahead is the same however they were cut up meanwhile."""

from itertools import chain

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from anomaly.events.decode import Decoded, decode_lines
from anomaly.store.looked import joined, look
from anomaly.testing import raw_event

KEY = "AKIA" + "A1B2C3D4E5F6G7H8"


def event(number, leaks):
    uri = f"/api/v1/pods?aws={KEY}" if leaks else "/api/v1/pods"
    return raw_event("pods", "list", by=f"user-{number % 3}", at=number, audit_id=f"id-{number}", uri=uri)


def same(one, other):
    return (
        np.array_equal(one.received_us, other.received_us)
        and np.array_equal(one.latency_us, other.latency_us)
        and (one.keys, one.suspects) == (other.keys, other.suspects)
    )


@given(st.lists(st.lists(st.booleans(), max_size=6), min_size=1, max_size=5), st.integers(1, 7))
def test_joined_and_split_it_says_what_looking_anew_says(leaks, most):
    numbers = iter(range(1_000))
    parts = [decode_lines(b"\n".join(event(next(numbers), one) for one in part)) for part in leaks]
    whole = Decoded()
    for part in parts:
        whole.events += part.events
        whole.shapes += part.shapes
        whole.raws += part.raws
    assert len(whole.events) == sum(map(len, leaks))
    known = joined([look(part) for part in parts])
    assert same(known, look(whole))
    assert known.suspects == [index for index, one in enumerate(chain(*leaks)) if one]
    pieces = list(zip(whole.split(most), known.split(most), strict=True))
    assert all(same(looked, look(piece)) for piece, looked in pieces)
