import importlib
import pkgutil
from pathlib import Path

import numpy as np
import pytest

from anomaly.events.decode import decode_lines
from anomaly.features import families, registry
from anomaly.features.history import History, Past
from anomaly.features.split import split
from anomaly.testing import raw_event
from anomaly.windows.dimension import Dimension
from anomaly.windows.memory import gather
from models.layout import Treatment

MINUTE = 60_000_000


def some_events():
    return [
        raw_event(resource, verb, by=who, name=name, at=60 * step + number, code=code, agent=agent)
        for step in range(6)
        for number, (resource, verb, name, code) in enumerate(
            [
                ("pods", "list", "", 200),
                ("secrets", "get", f"s{step}", 200),
                ("pods/exec", "get", "web-0", 403),
            ]
        )
        for who, agent in (
            ("amy", "kubectl/v1.30"),
            ("bob", "curl/8"),
            ("system:serviceaccount:ci:x", "helm/v3"),
        )
    ]


@pytest.fixture(scope="module")
def memory():
    return gather(decode_lines(b"\n".join(some_events())), MINUTE)


@pytest.fixture(scope="module")
def history(memory):
    return History.of(memory.windows, memory.firsts, memory.entities, int(memory.windows.start.max()))


def test_every_family_file_gives_features():
    files = {info.name for info in pkgutil.iter_modules(families.__path__)}

    assert {each.feature.family for each in registry.definitions()} == files
    assert len(files) >= 15


def test_names_are_the_file_and_the_function():
    for each in registry.definitions():
        family, name = each.feature.name.split(".")
        assert hasattr(importlib.import_module(f"{families.__name__}.{family}"), name)


def test_novelty_and_rarity_are_surprises_and_the_rest_relative():
    for each in registry.definitions():
        surprising = each.feature.family in {"novelty", "rarity"}
        assert (each.feature.treatment is Treatment.SURPRISE) == surprising


def test_the_matrix_is_finite_and_never_negative(memory, history):
    layout, matrix = registry.extract(memory.windows, history)

    assert matrix.shape == (memory.windows.n, len(layout))
    assert np.isfinite(matrix).all()
    assert (matrix >= 0).all()
    assert matrix.any(axis=1).all()


def test_blocks_and_company_do_not_change_a_row(memory, history):
    _, whole = registry.extract(memory.windows, history)
    _, blocks = registry.extract(memory.windows, history, block=4)
    backwards = np.arange(memory.windows.n)[::-1]
    _, reversed_rows = registry.extract(memory.windows.take(backwards), history)

    assert np.array_equal(whole, blocks)
    assert np.array_equal(whole, reversed_rows[backwards])
    for index in (0, 7):
        _, alone = registry.extract(memory.windows.take(np.array([index])), history)
        assert np.array_equal(alone[0], whole[index])


def test_the_order_of_events_does_not_matter(memory, history):
    shuffled = some_events()
    np.random.default_rng(5).shuffle(shuffled)
    again = gather(decode_lines(b"\n".join(shuffled)), MINUTE)
    past = History.of(again.windows, again.firsts, again.entities, int(again.windows.start.max()))

    assert np.array_equal(
        registry.extract(again.windows, past)[1], registry.extract(memory.windows, history)[1]
    )


def test_without_any_past_everything_can_still_be_computed(memory):
    _, matrix = registry.extract(memory.windows, History.none())

    assert np.isfinite(matrix).all()


def test_no_windows_give_no_rows(memory, history):
    _, matrix = registry.extract(memory.windows.take(np.zeros(0, dtype=np.int64)), history)

    assert matrix.shape == (0, len(registry.layout()))


def test_split_windows_answer_as_windows_do(memory):
    parted = split(memory.windows)
    for dimension in Dimension:
        for ours, theirs in zip(parted.rows(dimension), memory.windows.rows(dimension), strict=True):
            assert np.array_equal(ours, theirs)
        assert np.array_equal(parted.entropy(dimension), memory.windows.entropy(dimension))


def test_a_feature_without_a_unit_is_refused():
    def lost(windows):
        """This will return something."""

    with pytest.raises(ValueError, match=r"volume\.lost"):
        registry._definition("volume", "lost", lost)


def test_a_past_works_out_each_answer_once(memory, history):
    past = Past(history, split(memory.windows))

    assert past.fresh is past.fresh
    assert past.surprise is past.surprise


def test_every_feature_has_a_case_in_which_it_fires():
    cases = "".join(path.read_text() for path in (Path(__file__).parent / "families").glob("test_*.py"))

    missing = [name for name in registry.layout().names if f'"{name}"' not in cases]

    assert missing == []
