"""Which event is which."""

from datetime import UTC, datetime, timedelta, timezone

import hypothesis
from hypothesis import strategies as st

from anomaly.events.event import Event
from anomaly.events.key import EPOCH, event_key, microseconds, received_at

TEXT = st.text(st.characters(codec=None), max_size=6)
FIELDS = st.tuples(TEXT, TEXT, TEXT, TEXT, TEXT, st.integers(0, 9), st.integers(0, 9))


def key(fields):
    audit_id, stage, verb, uri, username, received, ended = fields
    return event_key(
        Event(auditID=audit_id, stage=stage, verb=verb, requestURI=uri), username, received, ended
    )


@hypothesis.given(FIELDS, FIELDS)
def test_equal_fields_and_only_they_give_one_key(one, other):
    assert (key(one) == key(other)) == (one == other)


@hypothesis.given(st.text("ab:,1", max_size=12), st.integers(0, 11), st.integers(0, 11))
def test_moving_letters_from_field_to_field_gives_another_key(text, first, second):
    """Without lengths "ab" + "c" and "a" + "bc" would be one event, and one would hide the other."""
    seen = {}
    for low, high in ((first, second), (second, first)):
        parts = (text[:low], text[low:high], text[high:], "", "", 0, 0)
        seen[parts] = key(parts)
    assert len(set(seen.values())) == len(seen)


def test_a_key_stays_what_it_is():
    """Keys are stored: another way to make them would keep every event twice."""
    fields = ("id", "ResponseComplete", "get", "/api", "alice", 1, 2)
    assert len(key(fields)) == 16 and key(fields) == key(fields)
    assert key(fields).hex() == "ccf7db513a363a809903005e871d86aa"


@hypothesis.given(st.datetimes(datetime(2014, 1, 1), datetime(2100, 1, 1)), st.integers(-14 * 60, 14 * 60))
def test_moments_are_exact_to_the_microsecond(naive, minutes):
    zone = timezone(timedelta(minutes=minutes))
    moment = naive.replace(tzinfo=zone)
    assert microseconds(moment) == (moment - EPOCH) // timedelta(microseconds=1)
    assert microseconds(naive) == microseconds(naive.replace(tzinfo=UTC))


def test_the_request_itself_says_when_it_was_received():
    first, second, third = (datetime(2026, 1, day, tzinfo=UTC) for day in (1, 2, 3))
    assert received_at(Event(requestReceivedTimestamp=first, timestamp=second, stageTimestamp=third)) == first
    assert received_at(Event(timestamp=second, stageTimestamp=third)) == second
    assert received_at(Event(stageTimestamp=third)) == third
    assert received_at(Event()) is None
