"""A single window is answered by other sums than many are; what comes out may not differ by a bit."""

from importlib.resources import files

import numpy as np
import pytest
import zstandard

from anomaly.events.decode import decode_lines
from anomaly.features import registry
from anomaly.features.history import History, Past
from anomaly.features.questions import Ask, Question, question_of
from anomaly.features.split import OneWindow, split
from anomaly.windows.dimension import Dimension
from anomaly.windows.memory import gather

MINUTE = 60_000_000
EVENTS = 12_000


@pytest.fixture(scope="module")
def log():
    """The beginning of the demonstration's log, and the past of its first half."""
    packed = (files("anomaly") / "demo" / "audit.jsonl.zst").read_bytes()
    with zstandard.ZstdDecompressor().stream_reader(packed) as stream:
        lines = stream.read(64 << 20).split(b"\n")[:EVENTS]
    memory = gather(decode_lines(b"\n".join(lines)), MINUTE)
    cut = int(np.median(memory.windows.start))
    return memory.windows, History.of(memory.windows, memory.firsts, memory.entities, cut)


def test_each_window_of_a_real_log_alone_is_what_it_is_among_all(log):
    windows, history = log
    _, together = registry.extract(windows, history)

    different = [
        number
        for number in range(windows.n)
        if registry.extract(windows.take(np.array([number])), history)[1].tobytes()
        != together[number].tobytes()
    ]

    assert windows.n > 200
    assert different == []


def test_a_single_window_answers_as_many_do(log):
    windows, _ = log
    for number in range(0, windows.n, 40):
        alone = windows.take(np.array([number]))
        one = split(alone)
        assert isinstance(one, OneWindow)
        some = np.arange(windows.vocabulary.size) % 3 == 0
        for dimension in Dimension:
            for where in (None, some):
                assert one.count(dimension, where) == alone.count(dimension, where)
                assert one.distinct(dimension, where) == alone.distinct(dimension, where)
            assert one.entropies()[dimension] == alone.entropy(dimension)[0]
            assert one.largests()[dimension] == alone.largest(dimension)[0]
            for ours, theirs in zip(one.rows(dimension, some), alone.rows(dimension, some), strict=True):
                assert np.array_equal(ours, theirs)


def test_most_features_are_a_question():
    asked = {
        definition.feature.name: question_of(definition.compute, definition.needs_past)
        for definition in registry.definitions()
    }

    assert asked["volume.requests"] == Question(Ask.COUNT, Dimension.REQUESTS)
    assert asked["rhythm.spread"] == Question(Ask.ENTROPY, Dimension.MINUTE)
    assert asked["verbs.write_share"] is None
    assert sum(question is not None for question in asked.values()) > 100


def test_what_works_with_answers_is_no_question():
    def twice(windows):
        return 2.0 * windows.count(Dimension.REQUESTS)

    def terms(windows):
        return windows.rows(Dimension.REQUESTS)[2]

    assert question_of(twice, False) is None
    assert question_of(terms, False) is None


def test_a_window_of_nothing_has_a_row_of_nothing(log):
    windows, history = log
    empty = windows.take(np.array([0]))
    empty = type(empty)(
        empty.vocabulary, empty.entity, empty.start, empty.span_us, np.array([0, 0]), empty.terms[:0],
        empty.counts[:0], empty.dimensions[:0],
    )  # fmt: skip

    row = registry.rows_seen(Past(history, split(empty)))

    assert np.isfinite(row).all()
    assert row[0, registry.layout().index["volume.requests"]] == 0
