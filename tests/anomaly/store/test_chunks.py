"""Chunks give back the very bytes."""

import hypothesis
import pytest
from hypothesis import strategies as st

from anomaly.store.chunks import Packer, pack_chunk, pick_events, unpack_chunk


@hypothesis.given(st.lists(st.binary(max_size=200), max_size=50))
def test_every_byte_comes_back_in_its_place(raws):
    assert unpack_chunk(pack_chunk(raws)) == raws


@hypothesis.given(st.lists(st.binary(max_size=200), min_size=1, max_size=50), st.data())
def test_some_are_those_that_all_have_in_their_places(raws, data):
    wanted = data.draw(st.sets(st.integers(0, len(raws) - 1)))
    assert pick_events(pack_chunk(raws), wanted) == {one: raws[one] for one in wanted}


def test_many_like_events_need_little():
    raws = [b'{"kind":"Event","auditID":"%08d","verb":"get"}' % number for number in range(20_000)]
    assert len(pack_chunk(raws)) < sum(map(len, raws)) / 5
    assert unpack_chunk(pack_chunk(raws)) == raws


@pytest.mark.parametrize("damage", [b"", b"nonsense", pack_chunk([b"abc"])[:-3], b"\x28\xb5\x2f\xfd\x00\x00"])
def test_what_is_no_chunk_is_refused_in_words(damage):
    with pytest.raises(ValueError, match="a chunk of raw events cannot be read"):
        unpack_chunk(damage)
    with pytest.raises(ValueError, match="a chunk of raw events cannot be read"):
        pick_events(damage, {0})


def test_a_place_that_is_not_there_is_refused():
    with pytest.raises(ValueError, match="it has 2 events, none at place 2"):
        pick_events(pack_chunk([b"a", b"b"]), {0, 2})


def test_a_packer_packs_by_itself_where_there_is_no_thread_to_be_had(monkeypatch):
    packer = Packer()
    assert unpack_chunk(packer.pack([b"a", b"bc"]).result(10)) == [b"a", b"bc"]

    def none_left(*_):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr("anomaly.store.chunks.ThreadPoolExecutor.submit", none_left)
    assert unpack_chunk(packer.pack([b"d"]).result(0)) == [b"d"]
    packer.close()
    packer.close()
