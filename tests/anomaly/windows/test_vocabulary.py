"""Terms by number and by text."""

import pytest

from anomaly.windows.dimension import Dimension
from anomaly.windows.vocabulary import Vocabulary

WORDS = Vocabulary([(7, 2, "get"), (3, 2, "list"), (9, 3, "get"), (100, 3, "")])


def test_a_term_is_its_dimension_and_its_text():
    assert WORDS.id_of(Dimension.VERB, "get") == 7
    assert WORDS.id_of(Dimension.RESOURCE, "get") == 9
    assert WORDS.id_of(Dimension.RESOURCE, "") == 100
    assert WORDS.id_of(Dimension.VERB, "watch") is None
    assert (WORDS.text_of(3), WORDS.dimension_of(3), len(WORDS), WORDS.size) == (
        "list",
        Dimension.VERB,
        4,
        101,
    )


def test_what_is_not_there_is_refused():
    with pytest.raises(KeyError):
        WORDS.text_of(4)
    with pytest.raises(ValueError):
        WORDS.dimension_of(4)


def test_a_mask_is_over_all_ids_and_only_of_its_dimension():
    assert WORDS.of(Dimension.VERB).tolist() == [3, 7]
    mask = WORDS.select(Dimension.RESOURCE, lambda text: True)
    assert (len(mask), mask.nonzero()[0].tolist()) == (101, [9, 100])
    assert not WORDS.select(Dimension.AGENT, lambda text: True).any()


def test_no_terms_are_a_vocabulary_too():
    empty = Vocabulary([])
    assert (empty.size, len(empty), empty.of(Dimension.VERB).tolist(), empty.id_of(Dimension.VERB, "")) == (
        0,
        0,
        [],
        None,
    )
