"""The dictionary of texts, and of entities."""

import threading

import hypothesis
from hypothesis import strategies as st

from anomaly.store.clusters import ensure_cluster
from anomaly.store.entities import Entities, all_entities
from anomaly.store.terms import LONGEST, Terms, storable, vocabulary
from anomaly.windows.dimension import Dimension

TEXTS = st.text(st.characters(codec=None), max_size=30) | st.text(
    st.characters(codec=None), min_size=500, max_size=540
)


@hypothesis.given(TEXTS)
def test_what_is_kept_is_short_clean_and_stays_itself(text):
    kept = storable(text)
    assert len(kept) <= LONGEST
    assert "\x00" not in kept
    assert kept.encode().decode() == kept == storable(kept)
    if len(text) <= LONGEST and "\x00" not in text and text.isprintable():
        assert kept == text


@hypothesis.given(TEXTS, TEXTS)
def test_two_long_texts_stay_two(one, other):
    prefix = "x" * 600
    assert (storable(prefix + one) == storable(prefix + other)) == (one == other)


def test_every_text_has_one_number_for_ever(database):
    first, second = Terms(), Terms()
    awkward = {
        (Dimension.AGENT, text)
        for text in ("", " ", "'; DROP TABLE term", "%_\\", "é", "e\u0301", "x" * 900, "\x00", "\ud800")
    }
    with database.dedicated() as connection:
        first.resolve(connection, awkward)
        second.resolve(connection, awkward | {(Dimension.NAME, "x")})
        words = vocabulary(connection)
    for dimension, text in awkward:
        assert (
            first.id(dimension, text) == second.id(dimension, text) == words.id_of(dimension, storable(text))
        )
        assert words.text_of(first.id(dimension, text)) == storable(text)
    assert len({first.id(*one) for one in awkward}) == len(awkward)
    assert first.missing(awkward | {(Dimension.NAME, "x")}) == {(Dimension.NAME, "x")}


def test_processes_that_make_the_same_terms_at_once_agree(database):
    wanted = {(Dimension.NAME, f"pods shop/web-{number}") for number in range(2_000)}
    numbers, failures = [], []

    def learn():
        try:
            terms = Terms()
            with database.dedicated() as connection:
                terms.resolve(connection, wanted)
            numbers.append({one: terms.id(*one) for one in wanted})
        except BaseException as failure:
            failures.append(failure)

    threads = [threading.Thread(target=learn) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not failures
    assert all(one == numbers[0] for one in numbers) and len(numbers) == 4


def test_too_much_to_remember_is_forgotten_between_batches(database):
    """A client may send a megabyte of user agent with every request."""
    terms = Terms()
    with database.dedicated() as connection:
        large = {(Dimension.AGENT, f"{number}" + "x" * 1_000_000) for number in range(60)}
        terms.resolve(connection, large)
        assert not terms.missing(large)
        terms.trim()
        assert terms.missing(large) == large
        small = {(Dimension.AGENT, "kubectl")}
        terms.resolve(connection, small)
        terms.trim()
        assert not terms.missing(small)


def test_entities_are_of_their_cluster(database):
    entities = Entities()
    with database.begin() as connection:
        prod, test = (ensure_cluster(connection, name) for name in ("prod", "test"))
    names = {"alice@example.com", "system:node:n1", "system:serviceaccount:ci:deployer", "n\x00ul", "x" * 600}
    with database.dedicated() as connection:
        for cluster in (prod, test):
            entities.resolve(connection, cluster, names)
            entities.resolve(connection, cluster, names)
        found = all_entities(connection, prod)
        assert len(all_entities(connection)) == 10
    assert {one.identity.username for one in found} == {storable(name) for name in names}
    assert {one.id for one in found} == {entities.id(prod, name) for name in names}
    assert {one.title for one in found} >= {"ci/deployer", "system:node:n1"}
