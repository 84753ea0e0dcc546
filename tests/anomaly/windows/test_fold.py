"""Folding a batch is counting its events one after the other, whatever is left out of it."""

from collections import Counter, defaultdict

import hypothesis
import numpy as np
from hypothesis import strategies as st

from anomaly.windows.fold import MINUTE_US, Counted, fold, window_start
from anomaly.windows.window import RECORD

SHAPES = [([1, 2, 3], 1, True), ([1, 2, 4, 4], 1, True), ([1, 9], 2, True), ([8], 2, False), ([], 3, False)]
MINUTE_TERMS = np.arange(1_440) + 1_000
BYTES = 5_000
HOUR_US = 3_600_000_000

EVENTS = st.lists(
    st.tuples(
        st.integers(0, len(SHAPES) - 1),
        st.integers(0, 3 * HOUR_US),
        st.integers(1, 10**6),
        st.lists(st.integers(20, 25), max_size=3),
        st.booleans(),
    ),
    max_size=60,
)


@hypothesis.given(EVENTS, st.sampled_from([MINUTE_US, 15 * MINUTE_US, HOUR_US, 24 * HOUR_US]), st.booleans())
def test_parts_are_what_counting_each_event_gives(events, span_us, leave_out):
    extras = [(index, term) for index, event in enumerate(events) for term in event[3]]
    batch = Counted(
        received_us=np.array([event[1] for event in events], dtype=np.int64),
        shape=np.array([event[0] for event in events], dtype=np.int64),
        weight=np.array([event[2] for event in events], dtype=np.int64),
        entity_of_shape=np.array([entity for _, entity, _ in SHAPES]),
        final_shape=np.array([final for _, _, final in SHAPES]),
        terms_of_shape=[np.array(terms, dtype=np.int64) for terms, _, _ in SHAPES],
        extra_event=np.array([index for index, _ in extras], dtype=np.int64),
        extra_term=np.array([term for _, term in extras], dtype=np.int64),
        minute_terms=MINUTE_TERMS,
        bytes_term=BYTES,
    )
    keep = np.array([event[4] for event in events], dtype=np.bool_) if leave_out else None
    plain = defaultdict(Counter)
    for shape, moment, size, more, kept in events:
        terms, entity, final = SHAPES[shape]
        if not terms or (leave_out and not kept):
            continue
        start = moment // span_us * span_us
        window = plain[entity, start]
        window.update(terms)
        window.update(more)
        if final:
            window[1_000 + (moment - start) // MINUTE_US] += 1
            window[BYTES] += size
    found = {}
    for part in fold(batch, span_us, keep):
        records = np.frombuffer(part.histogram, dtype=RECORD)
        assert (np.diff(records["term"].astype(int)) > 0).all()
        found[part.entity_id, part.start_us] = dict(
            zip(records["term"].tolist(), records["count"].tolist(), strict=True)
        )
    assert found == {key: dict(window) for key, window in plain.items()}


def test_windows_begin_at_whole_spans_of_utc():
    assert window_start(np.array([0, 1, HOUR_US - 1, HOUR_US]), HOUR_US).tolist() == [0, 0, 0, HOUR_US]
