"""What is held from look to look is what would be read anew."""

from datetime import timedelta

from anomaly.store.present import Present, present_of
from anomaly.store.windows import Span
from tests.anomaly.town import MINUTE, theft

SPAN_US = MINUTE // timedelta(microseconds=1)


def agree(town, held, since):
    span = Span(since)
    with town.database.connection() as connection:
        windows, firsts, entities = present_of(connection, town.cluster_id, span, SPAN_US, held)
        fresh, all_firsts, all_there = present_of(connection, town.cluster_id, span, SPAN_US)
    assert windows.entity.tolist() == fresh.entity.tolist()
    assert windows.start.tolist() == fresh.start.tolist()
    assert windows.terms.tolist() == fresh.terms.tolist()
    assert windows.counts.tolist() == fresh.counts.tolist()
    texts = [(words.vocabulary.text_of(one)) for words in (windows, fresh) for one in fresh.terms.tolist()]
    assert texts[: len(texts) // 2] == texts[len(texts) // 2 :]
    assert firsts.keys.tolist() == all_firsts.keys.tolist()
    assert firsts.first_us.tolist() == all_firsts.first_us.tolist()
    assert {one: entities[one] for one in set(windows.entity.tolist())} == {
        one: all_there[one] for one in set(windows.entity.tolist())
    }


def test_news_are_added_in_whatever_order_they_come(town):
    held = Present(town.cluster_id, lambda: 0.0)
    agree(town, held, town.now - 3 * MINUTE)
    for who, at in (("mallory", 5), ("trudy", 2), ("mallory", 1), ("eve", 9)):
        moment = town.now + at * MINUTE
        town.keep(*theft(who, moment))
        agree(town, held, moment)


def test_it_is_read_anew_after_a_while(town):
    seconds = [0.0]
    held = Present(town.cluster_id, lambda: seconds[0])
    agree(town, held, town.now - MINUTE)
    town.keep(*theft("mallory", town.now - 2 * MINUTE))
    # Somebody else judged that window: what came with it is known here after a while.
    seconds[0] = 1_000.0
    agree(town, held, town.now - MINUTE)


def test_a_span_without_windows_is_empty(town):
    held = Present(town.cluster_id, lambda: 0.0)
    with town.database.connection() as connection:
        windows, _, _ = present_of(connection, town.cluster_id, Span(town.now + 500 * MINUTE), SPAN_US, held)
    assert windows.n == 0
