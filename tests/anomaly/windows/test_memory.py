import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anomaly.events.decode import decode_lines
from anomaly.testing import raw_event
from anomaly.windows.dimension import Dimension
from anomaly.windows.entity import CLUSTER_WIDE
from anomaly.windows.memory import gather

MINUTE = 60_000_000


def gathered(*events, span=MINUTE):
    return gather(decode_lines(b"\n".join(events)), span)


def test_entities_are_numbered_by_sorted_username():
    memory = gathered(raw_event(by="zoe"), raw_event(by="adam"), raw_event(by="mia"))

    assert [(entity.id, entity.title) for entity in memory.entities] == [(1, "adam"), (2, "mia"), (3, "zoe")]


def test_an_event_that_comes_twice_counts_once():
    memory = gathered(raw_event("pods", "list"), raw_event("pods", "list"))

    assert memory.windows.count(Dimension.REQUESTS).tolist() == [1.0]


def test_a_stranger_is_not_found_by_name():
    with pytest.raises(KeyError):
        gathered(raw_event()).entity("nobody")


def test_windows_begin_on_whole_spans():
    memory = gathered(raw_event(at=10), raw_event(at=70), raw_event(at=75))

    assert memory.windows.count(Dimension.REQUESTS).tolist() == [1.0, 2.0]
    assert (memory.windows.start % MINUTE == 0).all()


def test_firsts_hold_the_earliest_moment_for_the_entity_and_the_cluster():
    memory = gathered(
        raw_event("secrets", "get", name="db", by="bob", at=90),
        raw_event("secrets", "get", name="db", by="bob", at=30),
        raw_event("secrets", "get", name="db", by="amy", at=10),
    )
    term = np.array([memory.windows.vocabulary.id_of(Dimension.SECRET, "shop/db")])
    bob, amy = memory.entity("bob").id, memory.entity("amy").id
    moment = {who: int(memory.firsts.of_entity(np.array([who]), term)[0]) for who in (bob, amy, CLUSTER_WIDE)}

    assert moment[bob] - moment[amy] == 20_000_000
    assert moment[CLUSTER_WIDE] == moment[amy] == int(memory.firsts.of_cluster(term)[0])


def test_a_long_request_counts_as_opened_when_it_starts_and_as_a_request_when_it_ends():
    memory = gathered(
        raw_event("pods/exec", "get", name="web-0", stage="ResponseStarted", code=101),
        raw_event("pods/exec", "get", name="web-0", at=3, code=101),
    )

    assert memory.windows.count(Dimension.OPENED).tolist() == [1.0]
    assert memory.windows.count(Dimension.REQUESTS).tolist() == [1.0]


EVENTS = [
    raw_event(resource, verb, by=who, name=name, at=at)
    for resource, verb, name in (
        ("pods", "list", ""),
        ("secrets", "get", "a"),
        ("pods/exec", "create", "web-0"),
    )
    for who in ("amy", "bob")
    for at in (5, 65, 130)
]


@settings(max_examples=40, deadline=None)
@given(st.permutations(EVENTS))
def test_the_order_of_events_does_not_matter(events):
    memory, sorted_memory = gathered(*events), gathered(*EVENTS)

    assert [memory.windows.histogram(i) for i in range(memory.windows.n)] == [
        sorted_memory.windows.histogram(i) for i in range(sorted_memory.windows.n)
    ]
    assert memory.firsts.keys.tolist() == sorted_memory.firsts.keys.tolist()
    assert memory.firsts.first_us.tolist() == sorted_memory.firsts.first_us.tolist()
