"""Bodies of the webhook: whatever they hold, something is kept and nothing raises."""

import base64
import gzip
import json

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from anomaly.events.decode import decode_lines
from anomaly.sources.record import unpacked, unpacking_at_most
from anomaly.sources.unwrap import normalise
from anomaly.sources.webhook import MOST_ITEMS, MOST_REASONS, MOST_REJECTS, Body, Limits, unwrap
from anomaly.sources.wrapped import decode_wrapped
from anomaly.testing import raw_event

LIMITS = Limits(max_body=32 << 20, max_expansion=200)


def body_of(count):
    items = b",".join(raw_event(name=f"web-{number}") for number in range(count))
    return b'{"kind":"EventList","apiVersion":"audit.k8s.io/v1","metadata":{},"items":[' + items + b"]}"


def unwrapped(data, limits=LIMITS, size=None, encoding=""):
    return unwrap(Body(data, len(data) if size is None else size, encoding), limits)


@pytest.mark.parametrize(
    "pack",
    [
        pytest.param(bytes, id="plain"),
        pytest.param(gzip.compress, id="gzip"),
        pytest.param(zstandard.compress, id="zstd"),
    ],
)
def test_events_come_out_whatever_the_compression(pack):
    decoded = unwrapped(pack(body_of(7)))
    assert len(decoded.events) == 7
    assert decoded.rejects == []


def test_a_compressed_body_of_equal_events_is_no_bomb():
    same = b'{"items":[' + b",".join([raw_event()] * 8_000) + b"]}"
    assert len(unwrapped(gzip.compress(same)).events) == 8_000


def test_a_bomb_is_kept_as_it_came():
    bomb = gzip.compress(b"0" * (20 << 20))
    (reject,) = unwrapped(bomb).rejects
    assert "bomb" in reject.reason
    assert reject.raw == bomb


def test_a_cut_compressed_body_is_kept_whole():
    packed = gzip.compress(body_of(50))
    (reject,) = unwrapped(packed[:-9]).rejects
    assert reject.raw == packed[:-9]
    assert "cut short" in reject.reason


def test_an_unknown_encoding_is_named_in_the_reason():
    (reject,) = unwrapped(b"\x01\x02", encoding="br").rejects
    assert "'br'" in reject.reason


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_of_a_body_over_the_limit_the_whole_events_are_kept_and_the_rest_is_one_reject(pack):
    body = body_of(100)
    limit = len(body) // 2
    packed = pack(body)
    held = packed[:limit]
    decoded = unwrapped(held, Limits(limit, 200), size=len(packed))
    assert 48 <= len(decoded.events) <= 50
    (reject,) = decoded.rejects
    assert "serve.max_body" in reject.reason
    assert reject.size > 0
    assert decoded.raws == unwrapped(body).raws[: len(decoded.raws)]


@given(st.integers(min_value=0, max_value=len(body_of(5))))
def test_wherever_a_body_is_cut_nothing_raises_and_no_event_is_invented(cut):
    whole = unwrapped(body_of(5)).raws
    body = body_of(5)
    decoded = unwrapped(body[:cut], size=len(body) + 1)
    assert decoded.raws == whole[: len(decoded.raws)]
    assert len(decoded.rejects) >= 1


@given(st.binary(max_size=300), st.sampled_from([b"", b"\x1f\x8b", b"\x28\xb5\x2f\xfd"]))
def test_any_bytes_are_kept_as_events_or_rejects(data, magic):
    decoded = unwrapped(magic + data)
    assert decoded.events or decoded.rejects


@pytest.mark.parametrize(
    "odd", [b'"\\ud800"', b"[" * 3000 + b"]" * 3000, b"}"], ids=["half a surrogate pair", "deep", "no JSON"]
)
def test_one_odd_event_does_not_hide_the_others(odd):
    items = [raw_event(at=at, body={"odd": 1}) for at in range(20)]
    items[7] = items[7].replace(b'{"odd":1}', b'{"odd":' + odd + b"}")
    body = (
        b'{"kind":"EventList","apiVersion":"audit.k8s.io/v1","metadata":{},"items":['
        + b",".join(items)
        + b"]}"
    )
    decoded = unwrap(Body(body, len(body)), LIMITS)
    assert len(decoded.events) >= 7
    assert len(decoded.events) == 20 or odd == b"}"
    assert {event.auditID for event in decoded.events} >= {
        event.auditID for event in decode_lines(b"\n".join(items[:7])).events
    }


@pytest.mark.parametrize("end", [pytest.param(b"]}", id="whole"), pytest.param(b"", id="cut")])
@pytest.mark.parametrize(
    "before", [pytest.param(b"", id="at once"), pytest.param(b" " * 500, id="after a gap")]
)
def test_more_items_than_are_taken_are_kept_but_not_looked_at(before, end):
    few = [raw_event(name=f"web-{number}") for number in range(3)]
    body = b'{"metadata":{},' + before + b'"items":[' + b",".join([*few, *[b"{}"] * 300_000, *few]) + end
    decoded = unwrapped(body)
    assert len(decoded.events) == 3
    assert len(decoded.rejects) <= MOST_REJECTS + 2
    assert sum(len(reject.raw) for reject in decoded.rejects) >= 3 * 300_000 - 3
    if end:
        (left,) = [reject for reject in decoded.rejects if "more than" in reject.reason]
        again = decode_lines(normalise(left.raw))
        assert (len(again.events), len(again.rejects)) == (3, 300_000 + 3 - MOST_ITEMS)


def test_a_great_many_real_events_in_one_body_are_all_taken():
    same = b'{"items":[' + b",".join([raw_event()] * 30_000) + b"]}"
    decoded = unwrapped(same, Limits(max_body=64 << 20, max_expansion=200))
    assert (len(decoded.events), decoded.rejects) == (30_000, [])


def test_many_rejects_of_one_reason_become_one_and_nothing_is_lost():
    items = [b'{"n":%d,\n"kind":"Pod"}' % number for number in range(5_000)]
    decoded = unwrapped(b'{"items":[' + b",".join([raw_event(), *items]) + b"]}")
    assert len(decoded.events) == 1
    *single, joined = decoded.rejects
    assert [reject.raw for reject in single] == items[:MOST_REJECTS]
    assert joined.reason.startswith("4,000 items of one body: kind is 'Pod'")
    assert joined.raw.split(b"\n") == [item.replace(b"\n", b"") for item in items[MOST_REJECTS:]]


def test_reasons_that_all_differ_make_no_more_rows_either():
    items = [b'{"kind":"k%d"}' % number for number in range(5_000)]
    decoded = unwrapped(b'{"items":[' + b",".join(items) + b"]}")
    assert len(decoded.rejects) == MOST_REJECTS + MOST_REASONS + 1
    assert "for other reasons" in decoded.rejects[-1].reason
    kept = b"\n".join(reject.raw for reject in decoded.rejects).split(b"\n")
    assert sorted(kept) == sorted(items)


def test_a_few_rejects_stay_apart():
    decoded = unwrapped(b'{"items":[' + b",".join([b"{}"] * MOST_REJECTS) + b"]}")
    assert [reject.raw for reject in decoded.rejects] == [b"{}"] * MOST_REJECTS


def test_a_thousand_bombs_unpack_to_what_one_may():
    bomb = base64.b64encode(gzip.compress(b" " * (8 << 20))).decode()
    body = json.dumps({"records": [{"data": bomb}] * 1_000}).encode()
    with unpacking_at_most(40 << 20):
        taken = sum(bool(unpacked(bomb)) for _ in range(1_000))
    assert taken == 4
    (reject,) = decode_wrapped(body, MOST_ITEMS, 20 << 20).rejects
    assert reject.raw == body and "nothing in the body" in reject.reason


def test_of_more_wrapped_events_than_are_taken_the_rest_is_kept():
    lines = b"\n".join(raw_event(name=f"web-{number}") for number in range(5_000))
    decoded = decode_wrapped(b'{"message":"no event"}\n' + lines, 2_000, 1 << 20)
    *_, rest = decoded.rejects
    assert "more than 2,000 events" in rest.reason
    again = decode_lines(normalise(rest.raw))
    assert len(decoded.events) + len(again.events) == 5_000 and len(decoded.rejects) == 2
