import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anomaly.sources.block import Oversized
from anomaly.sources.detect import ARRAY, LINES, OBJECT, list_depth_of
from anomaly.sources.items import item_blocks

TEXTS = st.text(st.sampled_from('ab"\\{}[],:é\n '), max_size=12)
VALUES = st.recursive(
    st.none() | st.integers(-9, 9) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=12,
)
ITEMS = st.lists(st.dictionaries(TEXTS, VALUES, max_size=4), max_size=8)


def split(data, start=0, depth=OBJECT, block_bytes=1 << 16, limit=1 << 20):
    return list(item_blocks(io.BytesIO(data[start:]).read, start, depth, block_bytes, limit))


def parsed(blocks):
    return [json.loads(line) for block in blocks for line in block.data.splitlines()]


@given(
    ITEMS,
    TEXTS,
    st.integers(1, 40),
    st.sampled_from([None, 2]),
    st.sampled_from(["items", "records", "events"]),
)
def test_any_list_comes_apart_wherever_the_reading_is_cut(items, text, block_bytes, indent, key):
    other = {"kind": "EventList", text + "!": {"items": [1, {"items": [2]}]}, key: items, "after": [text, {}]}
    data = json.dumps(other, indent=indent).encode()
    assert parsed(split(data, block_bytes=block_bytes)) == items


@given(ITEMS.filter(bool), st.integers(1, 40), st.sampled_from([None, 2]))
def test_any_reading_can_go_on_where_one_stopped(items, block_bytes, indent):
    for depth, whole in ((OBJECT, {"a": [1], "items": items, "b": 2}), (ARRAY, items)):
        data = json.dumps(whole, indent=indent).encode()
        blocks = split(data, depth=depth, block_bytes=block_bytes)
        assert parsed(blocks) == items
        for index, block in enumerate(blocks):
            assert parsed(split(data, block.end, depth)) == parsed(blocks[index + 1 :])


@given(st.binary(max_size=200), st.integers(1, 50))
def test_no_bytes_make_it_fail_and_none_but_the_frame_is_lost(data, block_bytes):
    ends = [block.end for block in split(data, block_bytes=block_bytes, limit=64)]
    assert ends == sorted(ends)
    assert all(end <= len(data) for end in ends)


@given(st.lists(st.sampled_from([b"{}", b"[", b"]", b"}", b"{", b'"', b"\\", b",", b"x"]), max_size=30))
def test_cutting_differently_gives_the_same_items(parts):
    data = b"".join(parts)
    whole = b"".join(block.data for block in split(data))
    assert b"".join(block.data for block in split(data, block_bytes=1)) == whole


def test_brackets_too_many_do_not_push_the_rest_out_of_step():
    blocks = split(b'{"a":1}}}]]\n{"b":2}\n{"c":3}')
    assert b"".join(block.data for block in blocks).splitlines() == [
        b'{"a":1}',
        b"}}]]",
        b'{"b":2}',
        b'{"c":3}',
    ]


def test_an_item_longer_than_the_limit_is_cut_and_counted():
    giant = b'{"a":"' + b"[{" * 500 + b'"}'
    for block_bytes in (1, 7, 100, 5000):
        blocks = split(b'{"items":[{},' + giant + b',{"b":1}]}', block_bytes=block_bytes, limit=100)
        assert Oversized(giant, len(giant), 13 + len(giant)) in [
            Oversized(giant, block.length, block.end) for block in blocks if isinstance(block, Oversized)
        ]
        assert parsed([block for block in blocks if not isinstance(block, Oversized)]) == [{}, {"b": 1}]


def test_rubbish_between_values_without_an_end_is_cut_too():
    blocks = split(b'{"a":1}' + b"x" * 1000 + b'{"b":1}', block_bytes=50, limit=100)
    assert sum(block.length for block in blocks if isinstance(block, Oversized)) > 800
    assert blocks[-1].data.endswith(b'{"b":1}\n')


def test_nesting_of_a_hundred_thousand_brackets_is_one_item():
    deep = b"[" * 100_000 + b"]" * 100_000
    (block,) = split(b'{"items":[\n{"a":' + deep + b'},\n{"b":\n1}]}')
    assert block.data == b'{"a":' + deep + b'}\n{"b":1}\n'


@pytest.mark.parametrize(
    ("sample", "depth"),
    [
        pytest.param(b"", LINES, id="nothing"),
        pytest.param(b'{"kind":"Event"}\n{"kind":"Event"}\n', LINES, id="lines"),
        pytest.param(b'{"kind":"Event","requestObject":{"items":[1]}}', LINES, id="items of a body"),
        pytest.param(b'{"items":[{}]}\n{"items":[{}]}\n', LINES, id="a list a line"),
        pytest.param(b'{"kind":"Event","requestObject":{"a":"' + b"x" * 99, LINES, id="one long line"),
        pytest.param(b'{"kind":"Ev\n{"kind":"Event"}\n', LINES, id="a damaged first line"),
        pytest.param(b'2026-11-23T10:00:00Z {"kind":"Event"}\n', LINES, id="export lines"),
        pytest.param(b'{"kind":"EventList","items" : [{"a":1},', OBJECT, id="a long list"),
        pytest.param(b'{\n  "kind": "Event",\n  "verb"', OBJECT, id="printed object"),
        pytest.param(b'{"kind":"Event"}{"kind":"Event"}', OBJECT, id="objects without newlines"),
        pytest.param(b"\xef\xbb\xbf [\n{}", ARRAY, id="array behind a byte order mark"),
        pytest.param(b"[{}]\n[{}]\n", LINES, id="an array a line"),
    ],
)
def test_the_shape_is_seen_in_the_first_bytes(sample, depth):
    assert list_depth_of(sample) == depth
