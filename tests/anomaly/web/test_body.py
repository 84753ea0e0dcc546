"""Memory is counted before it is used, and always given back."""

import asyncio
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import ClientDisconnect, Request

from anomaly.web.body import Pending, Share, read_body
from anomaly.web.problem import BodyTooSlow, ComeBack

SECOND = timedelta(seconds=1)


def request(messages, **headers):
    """A request whose body comes in these messages; after the last one it is silent."""
    left = list(messages)

    async def receive():
        if not left:
            await asyncio.sleep(60)
        return left.pop(0)

    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return Request({"type": "http", "method": "POST", "path": "/", "headers": raw}, receive)


def body(*chunks, whole=True):
    """The messages of these chunks."""
    last = len(chunks) - 1
    return [
        {"type": "http.request", "body": chunk, "more_body": not whole or number < last}
        for number, chunk in enumerate(chunks)
    ]


def read(made, share, max_body=100, within=SECOND):
    return asyncio.run(read_body(made, share, max_body, within))


def test_a_body_is_read_to_its_end():
    pending = Pending(1000)
    found = read(request(body(b"ab", b"", b"cd"), content_encoding=" GZIP "), Share(pending))
    assert (found.held, found.size, found.encoding, found.cut) == (b"abcd", 4, "gzip", False)


def test_what_is_over_the_limit_is_counted_and_not_held():
    share = Share(Pending(1000))
    found = read(request(body(b"a" * 60, b"b" * 60, b"c" * 60)), share)
    assert (len(found.held), found.size, found.cut) == (100, 180, True)
    assert share.size <= 100


def test_a_declared_length_that_does_not_fit_is_refused_before_anything_is_read():
    share = Share(Pending(50))
    with pytest.raises(ComeBack):
        read(request([], content_length="80"), share)
    assert share.size == 0


@pytest.mark.parametrize("length", ["-1", "abc", "\u00b2", "", "1e3"])
def test_a_length_that_is_no_number_is_passed_over(length):
    made = request(body(b"abc"))
    made.scope["headers"].append((b"content-length", length.encode("latin-1")))
    assert read(made, Share(Pending(1000))).held == b"abc"


def test_a_body_that_lies_about_its_length_is_still_counted():
    with pytest.raises(ComeBack):
        read(request(body(b"a" * 60, b"b" * 30), content_length="1"), Share(Pending(50)))


def test_a_slow_body_is_given_up():
    with pytest.raises(BodyTooSlow, match="3 bytes"):
        read(request(body(b"abc", whole=False)), Share(Pending(1000)), within=timedelta(milliseconds=50))


def test_a_sender_that_goes_away_is_noticed():
    with pytest.raises(ClientDisconnect):
        read(request([*body(b"abc", whole=False), {"type": "http.disconnect"}]), Share(Pending(1000)))


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 400)), max_size=40))
def test_pending_bytes_never_pass_the_limit_and_all_come_back(steps):
    pending = Pending(1000)
    shares = [Share(pending) for _ in range(6)]
    for which, size in steps:
        if size % 7 == 0:
            shares[which].give_back()
        else:
            try:
                shares[which].grow_to(size)
            except ComeBack:
                assert pending.held + size - shares[which].size > 1000
        assert 0 <= pending.held <= 1000
        assert pending.held == sum(share.size for share in shares)
    for share in shares:
        share.give_back()
        share.give_back()
    assert pending.held == 0
