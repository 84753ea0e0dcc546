"""A second look at JSON that the strict decoder refuses."""

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anomaly.events.decode import decode_lines
from anomaly.events.lenient import DEEPEST, LONGEST, is_utf8, mended
from anomaly.events.workload import pod_spec_of
from anomaly.rules import pack
from anomaly.testing import raw_event

PRIVILEGED = {"spec": {"containers": [{"image": "alpine", "securityContext": {"privileged": True}}]}}
ODD = [
    pytest.param(b'"\\ud800"', id="half a surrogate pair"),
    pytest.param(b'"\xff\xfe"', id="bytes that are no UTF-8"),
    pytest.param(b"1e99999", id="a number beyond a double"),
    pytest.param(b"9" * 5000, id="an integer of 5,000 digits"),
    pytest.param(b"[" * 3000 + b"]" * 3000, id="3,000 levels"),
    pytest.param(b'{"a":' * 20_000 + b"1" + b"}" * 20_000, id="20,000 levels"),
]


@pytest.mark.parametrize("odd", ODD)
def test_an_odd_value_in_a_body_hides_neither_event_nor_what_it_asks_for(odd):
    raw = raw_event("pods", "create", name="p", code=201, body=PRIVILEGED).replace(
        b'"spec":{', b'"odd":' + odd + b',"spec":{', 1
    )
    decoded = decode_lines(raw)
    assert (len(decoded.events), decoded.rejects, decoded.raws) == (1, [], [raw])
    (event,), (shape,) = decoded.events, decoded.shapes
    assert pod_spec_of(event).containers[0].securityContext.privileged
    assert "privileged-workload" in {rule.id for rule in pack().matches(event, shape)}


@pytest.mark.parametrize("data", [b"", b"{", b"nothing", b'{"a":}', b'"' + b"x" * LONGEST + b'"'])
def test_what_is_no_json_or_too_long_is_not_mended(data):
    assert mended(data) is None


def test_levels_that_real_objects_have_stay():
    value = json.loads("[" * DEEPEST + "]" * DEEPEST)
    assert json.loads(mended(json.dumps(value).encode())) == value


def test_brackets_inside_texts_are_text():
    value = {"a": "[" * 1000 + '\\"' + "{" * 1000, "b": [1, 2.5, None, True]}
    assert json.loads(mended(json.dumps(value).encode())) == value


def test_levels_below_the_deepest_become_null():
    deep = json.loads(mended(b"[" * (DEEPEST + 3) + b"7" + b"]" * (DEEPEST + 3)))
    for _ in range(DEEPEST - 1):
        (deep,) = deep
    assert deep == [None]


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=20,
)


@given(JSON)
def test_sound_documents_mean_the_same_afterwards(value):
    assert msgspec.json.decode(mended(msgspec.json.encode(value))) == msgspec.json.decode(
        msgspec.json.encode(value)
    )


@given(st.binary(max_size=200))
def test_it_never_raises_and_what_it_gives_can_be_decoded(data):
    assert is_utf8(data) == (data.decode("utf-8", "ignore").encode() == data)
    again = mended(data)
    if again is not None:
        msgspec.json.decode(again)
