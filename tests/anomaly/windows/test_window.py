"""Sparse histograms: packing, adding, and the few questions all features are made of, against plain Python."""

import math
from collections import Counter, defaultdict

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

from anomaly.windows.dimension import Dimension
from anomaly.windows.vocabulary import Vocabulary
from anomaly.windows.window import RECORD, Windows, merge, pack

TERMS = [(number, 2 + number % 3, f"t{number}") for number in range(0, 40, 2)]
WORDS = Vocabulary(TERMS)
HISTOGRAMS = st.dictionaries(
    st.sampled_from([number for number, _, _ in TERMS]), st.integers(1, 10**12), max_size=12
)
ROWS = st.lists(st.tuples(st.integers(1, 4), st.sampled_from([0, 3_600, 7_200]), HISTOGRAMS), max_size=12)


def packed(histogram):
    pairs = sorted(histogram.items())
    return pack(
        np.array([term for term, _ in pairs], dtype=np.int64),
        np.array([count for _, count in pairs], dtype=np.int64),
    )


def windows_of(rows):
    return Windows.of(
        WORDS, [entity for entity, _, _ in rows], [start for _, start, _ in rows], [packed(one) for _, _, one in rows], 3_600
    )  # fmt: skip


def added(rows):
    plain = defaultdict(Counter)
    for entity, start, histogram in rows:
        plain[entity, start].update(histogram)
    return dict(sorted(plain.items()))


@hypothesis.given(st.lists(HISTOGRAMS, max_size=6))
def test_adding_packed_histograms_is_adding_counters(histograms):
    total = sum(map(Counter, histograms), Counter())
    assert merge(map(packed, histograms)) == packed(total)
    assert merge([merge(map(packed, histograms[:3])), *map(packed, histograms[3:])]) == packed(total)
    assert merge(map(packed, histograms[::-1])) == packed(total)


def test_a_record_is_twelve_bytes_little_endian():
    assert (
        pack(np.array([1, 258]), np.array([2, -1])).hex()
        == "010000000200000000000000" + "02010000ffffffffffffffff"
    )
    assert RECORD.itemsize == 12 and pack(np.array([], dtype=int), np.array([], dtype=int)) == b""


@hypothesis.given(ROWS)
def test_rows_of_one_window_are_one_window(rows):
    found, plain = windows_of(rows), added(rows)
    assert list(zip(found.entity.tolist(), found.start.tolist(), strict=True)) == list(plain)
    for index, histogram in enumerate(plain.values()):
        assert found.histogram(index) == {
            (Dimension(2 + term % 3), f"t{term}"): float(count) for term, count in histogram.items()
        }


@hypothesis.given(
    ROWS, st.sampled_from([Dimension.VERB, Dimension.RESOURCE, Dimension.NAMESPACE]), st.booleans()
)
def test_questions_are_answered_as_plain_python_would(rows, dimension, masked):
    found = windows_of(rows)
    mask = WORDS.select(dimension, lambda text: text.endswith("2")) if masked else None
    for index, histogram in enumerate(added(rows).values()):
        counts = [
            count
            for term, count in histogram.items()
            if 2 + term % 3 == dimension and (not masked or term % 10 == 2)
        ]
        total = sum(counts)
        assert found.count(dimension, mask)[index] == pytest.approx(total)
        assert found.distinct(dimension, mask)[index] == len(counts)
        entropy = -sum(count / total * math.log(count / total) for count in counts)
        assert found.entropy(dimension, mask)[index] == pytest.approx(entropy, abs=1e-6)
        if not masked:
            assert found.largest(dimension)[index] == max(counts, default=0)
    row, term, count = found.rows(dimension, mask)
    assert len(row) == len(term) == len(count) == found.distinct(dimension, mask).sum()


@hypothesis.given(ROWS, st.data())
def test_taking_windows_keeps_what_is_in_them(rows, data):
    found = windows_of(rows)
    chosen = data.draw(st.lists(st.integers(0, found.n - 1), max_size=6)) if found.n else []
    taken = found.take(np.array(chosen, dtype=np.int64))
    assert taken.n == len(chosen)
    for place, index in enumerate(chosen):
        assert taken.histogram(place) == found.histogram(index)
        assert (taken.entity[place], taken.start[place]) == (found.entity[index], found.start[index])
    assert taken.count(Dimension.VERB).tolist() == found.count(Dimension.VERB)[chosen].tolist()


def test_a_term_the_vocabulary_does_not_know_is_refused():
    with pytest.raises(ValueError, match="not in the vocabulary"):
        Windows.of(WORDS, [1], [0], [packed({10_000: 1})], 3_600)
