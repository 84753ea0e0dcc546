import json
import string
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anomaly.events.decode import MAX_EVENT_BYTES, decode_lines, decode_list
from anomaly.events.key import received_at
from anomaly.testing import raw_event

RAW = raw_event(
    "pods", "create", namespace="shop", name="web-0", body={"kind": "Pod"}, answer={"kind": "Pod"}
)
EVENT = json.loads(RAW)
READ = [
    "auditID", "stage", "level", "requestURI", "verb", "userAgent", "user", "impersonatedUser", "sourceIPs", "annotations",
    "objectRef", "responseStatus", "requestObject", "responseObject", "requestReceivedTimestamp", "stageTimestamp",
    "timestamp", "kind", "apiVersion",
]  # fmt: skip
WRONG = {
    "null": None,
    "true": True,
    "a number": 17,
    "a fraction": -1.5e300,
    "a text": "x",
    "an empty text": "",
    "an array": [1, None, {}],
    "an empty array": [],
    "an object": {"a": {"b": [None]}},
    "an empty object": {},
    "a huge number": 10**400,
}
BODIES = {"requestObject", "responseObject"}


def but(**fields):
    return json.dumps(EVENT | fields).encode()


def one_reject(data):
    decoded = decode_lines(data)
    assert (decoded.events, decoded.shapes, decoded.raws) == ([], [], [])
    (reject,) = decoded.rejects
    assert reject.raw == data
    assert 0 < len(reject.reason) <= 500
    return reject.reason


def one_event(data):
    decoded = decode_lines(data)
    assert decoded.rejects == []
    assert decoded.raws == [data]
    return decoded.events[0], decoded.shapes[0]


@pytest.mark.parametrize("value", WRONG.values(), ids=WRONG)
@pytest.mark.parametrize("field", READ)
def test_a_field_of_the_wrong_type_gives_an_event_or_a_reason(field, value):
    data = but(**{field: value})
    decoded = decode_lines(data)
    assert len(decoded.events) + len(decoded.rejects) == 1
    assert len(decoded.events) == len(decoded.shapes) == len(decoded.raws)
    if field in BODIES:
        assert decoded.rejects == []
    if decoded.rejects:
        assert decoded.rejects[0].raw == data
        assert decoded.rejects[0].reason


@pytest.mark.parametrize(
    ("field", "inner"),
    [
        ("user", {"username": 1}),
        ("user", {"groups": "a"}),
        ("user", {"groups": [1]}),
        ("user", {"extra": {"a": "b"}}),
        ("objectRef", {"name": {}}),
        ("responseStatus", {"code": "200"}),
        ("sourceIPs", [1]),
        ("annotations", {"a": 1}),
        ("impersonatedUser", {"username": []}),
    ],
)
def test_a_wrong_type_inside_a_field_is_a_reject(field, inner):
    assert one_reject(but(**{field: inner}))


def test_an_event_cut_anywhere_is_a_reject_and_its_neighbours_are_events():
    for end in range(1, len(RAW)):
        decoded = decode_lines(RAW + b"\n" + RAW[:end] + b"\n" + RAW)
        assert (len(decoded.events), [reject.raw for reject in decoded.rejects]) == (2, [RAW[:end]])


@pytest.mark.parametrize("field", ["userAgent", "requestURI", "auditID", "verb"])
def test_texts_of_ten_megabytes_are_kept(field):
    long = "x" * 10_000_000
    event, _ = one_event(but(**{field: long}))
    assert getattr(event, field) == long


def test_an_event_beyond_the_limit_is_a_reject_with_its_size():
    data = but(userAgent="x" * MAX_EVENT_BYTES)
    assert f"{len(data):,} bytes" in one_reject(data)


@pytest.mark.parametrize("bracket", [b"[", b'{"a":'], ids=["arrays", "objects"])
@pytest.mark.parametrize(
    "field", ["", "requestObject", "user", "objectRef", "annotations", "sourceIPs", "unknown"]
)
def test_a_hundred_thousand_brackets_hide_no_event(field, bracket):
    deep = bracket * 100_000 + b"1" + (b"]" if bracket == b"[" else b"}") * 100_000
    whole = RAW[:-1] + b',"' + field.encode() + b'":' + deep + b"}" if field else deep
    decoded = decode_lines(whole)
    assert len(decoded.events) + len(decoded.rejects) == 1
    if field in {"requestObject", "unknown"}:
        assert decoded.raws == [whole]
    assert one_reject(whole[:90_000])


def test_nesting_as_deep_as_real_objects_is_kept():
    deep = b"[" * 200 + b"]" * 200
    event, _ = one_event(RAW[:-1] + b',"requestObject":' + deep + b"}")
    assert bytes(event.requestObject) == deep


def test_nul_bytes_inside_texts_are_text_and_elsewhere_a_reject():
    bare = RAW.replace(b"web-0", b"web\x00")
    event, _ = one_event(bare)
    assert event.objectRef.name == "web\x00"
    assert one_reject(b"\x00" + RAW)
    event, shape = one_event(but(user={"username": "a\x00b"}, userAgent="\x00"))
    assert (shape.user.username, event.userAgent) == ("a\x00b", "\x00")


@pytest.mark.parametrize("field", ["alice@example.com", "kubectl/v1.33.0", "web-0"])
@pytest.mark.parametrize("text", [r"\u12", r"\x41"])
def test_a_broken_escape_is_a_reject(field, text):
    assert one_reject(RAW.replace(field.encode(), text.encode()))


@pytest.mark.parametrize("text", [r"\ud800", r"\udfff", r"x\ud83dy", r"\ud83d\ud83d"])
@pytest.mark.parametrize("field", ["alice@example.com", "kubectl/v1.33.0", "web-0"])
def test_half_a_surrogate_pair_hides_no_event(field, text):
    raw = RAW.replace(field.encode(), text.encode())
    decoded = decode_lines(raw)
    assert (len(decoded.events), decoded.raws) == (1, [raw])


def test_a_whole_surrogate_pair_is_one_character():
    _, shape = one_event(RAW.replace(b"alice", rb"\ud83d\ude00"))
    assert shape.user.username.startswith("\U0001f600")


@pytest.mark.parametrize("text", [b"\xff", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf5\x80\x80\x80", b"caf\xe9"])
@pytest.mark.parametrize("field", [b"alice@example.com", b"kubectl/v1.33.0", b"web-0", b"203.0.113.7"])
def test_bytes_that_are_not_utf_8_hide_no_event(field, text):
    raw = RAW.replace(field, text)
    decoded = decode_lines(raw)
    assert (len(decoded.events), decoded.raws) == (1, [raw])


@pytest.mark.parametrize(
    "number", ["1" * 400, "-1e999", "1e-999", "0x10", "NaN", "Infinity", "01", "--1", "1.", "200.5"]
)
def test_numbers_that_are_none_or_no_code_never_raise(number):
    decoded = decode_lines(RAW.replace(b'"code":200', f'"code":{number}'.encode()))
    assert len(decoded.events) + len(decoded.rejects) == 1


def test_of_two_equal_keys_the_last_counts():
    data = RAW.replace(b'"verb":"create"', b'"verb":"create","verb":"delete"')
    event, shape = one_event(data)
    assert (event.verb, shape.verb) == ("delete", "delete")


@pytest.mark.parametrize("data", [b"", b"\n", b"\n\n\r\n \t\n", b"   "])
def test_nothing_is_neither_event_nor_reject(data):
    decoded = decode_lines(data)
    assert (decoded.events, decoded.rejects) == ([], [])


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"kind": "Policy"}, "kind is 'Policy'"),
        ({"kind": "event"}, "kind is 'event'"),
        ({"apiVersion": "v1"}, "apiVersion is 'v1'"),
        ({"apiVersion": "events.k8s.io/v1"}, "apiVersion is 'events.k8s.io/v1'"),
        ({"kind": "x" * 100_000}, "kind is 'xxx"),
        ({"auditID": ""}, "no auditID"),
        ({"stage": ""}, "no stage"),
        ({"requestReceivedTimestamp": None, "stageTimestamp": None}, "no time"),
    ],
)
def test_what_is_no_audit_event_says_what_it_is(fields, reason):
    assert reason in one_reject(but(**fields))


@pytest.mark.parametrize(
    "text", ["yesterday", "2026-02-30T00:00:00Z", "2026-01-01", "", "9999-12-31T23:59:59.9999999Z"]
)
def test_a_time_that_is_none_is_a_reject(text):
    assert one_reject(but(requestReceivedTimestamp=text))


@pytest.mark.parametrize(
    "text", ["0001-01-01T00:00:00+23:59", "1969-12-31T23:00:00Z", "9999-12-31T23:59:59-23:59"]
)
def test_a_year_that_no_server_has_seen_is_a_reject_and_not_a_poisoned_batch(text):
    assert "year" in one_reject(but(requestReceivedTimestamp=text))
    for moment in ("1970-01-01T00:00:00Z", "2260-12-31T23:59:59Z", "2026-11-23T09:45:06"):
        one_event(but(requestReceivedTimestamp=moment))


def test_an_event_without_kind_and_version_is_one():
    lean = {key: value for key, value in EVENT.items() if key not in {"kind", "apiVersion"}}
    one_event(json.dumps(lean).encode())
    decoded = decode_list(json.dumps({"kind": "EventList", "items": [lean, EVENT]}).encode())
    assert (len(decoded.events), decoded.rejects) == (2, [])


def test_v1beta1_keeps_its_time_in_timestamp():
    old = EVENT | {"apiVersion": "audit.k8s.io/v1beta1", "timestamp": "2018-03-01T10:00:00Z"}
    del old["requestReceivedTimestamp"]
    event, _ = one_event(json.dumps(old).encode())
    assert received_at(event) == datetime(2018, 3, 1, 10, tzinfo=UTC)


def test_a_request_answered_401_has_an_empty_user_and_counts():
    data = but(user={}, stage="ResponseStarted", responseStatus={"code": 401}, annotations=None)
    _, shape = one_event(data)
    assert (shape.user.username, shape.identity.username) == ("", "system:unauthenticated")
    assert (shape.final, shape.allowed) == (True, False)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "truncated"),
        (b"[]", "array"),
        (b"{}", "no items"),
        (b'{"items":null}', "no items"),
        (b'{"items":{}}', "Expected `array"),
        (b'{"kind":"PodList","items":[]}', "PodList"),
        (b'{"kind":"EventList","items":[', "truncated"),
        (b"[" * 100_000, "array"),
        (b'{"items":' + b"[" * 100_000, "recursion"),
    ],
)
def test_a_body_that_is_no_list_is_one_reject(body, reason):
    decoded = decode_list(body)
    assert decoded.events == []
    assert [reject.raw for reject in decoded.rejects] == [body]
    assert reason in decoded.rejects[0].reason


def test_each_item_of_a_list_is_judged_alone():
    items = [RAW, b"null", b"{}", RAW, b'"x"', b"[]", RAW[:-1] + b',"user":7}']
    body = b'{"kind":"EventList","apiVersion":"audit.k8s.io/v1","items":[' + b",".join(items) + b"]}"
    decoded = decode_list(body)
    assert decoded.raws == [RAW, RAW]
    assert [reject.raw for reject in decoded.rejects] == [items[1], items[2], items[4], items[5], items[6]]
    assert decode_lines(body).raws == decoded.raws


def test_a_list_on_a_line_among_events_is_taken_apart():
    decoded = decode_lines(
        RAW + b'\n{"kind":"EventList","items":[' + RAW + b"," + RAW + b"]}\n" + RAW + b"\nrubbish\n"
    )
    assert (len(decoded.events), [reject.raw for reject in decoded.rejects]) == (4, [b"rubbish"])


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(string.printable + "\x00é😀", max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from([*READ, "code", "username", "groups"]), inner)
    ),
    max_leaves=20,
)


@given(
    st.lists(
        st.binary(max_size=60) | st.just(RAW) | JSON.map(lambda value: json.dumps(value).encode()), max_size=6
    )
)
def test_events_and_rejects_account_for_every_line(lines):
    # EventLists among the lines give one for each item, so they are left to the tests above.
    lines = [part for line in lines for part in line.split(b"\n") if b'"items"' not in part]
    decoded = decode_lines(b"\n".join(lines))
    wanted = sorted(line for line in lines if line and not line.isspace())
    assert sorted(decoded.raws + [reject.raw for reject in decoded.rejects]) == wanted
    assert len(decoded.events) == len(decoded.shapes) == len(decoded.raws)


@given(st.dictionaries(st.sampled_from(READ), JSON, max_size=4))
def test_a_real_event_with_anything_in_it_never_raises(fields):
    decoded = decode_lines(but(**fields))
    assert len(decoded.events) + len(decoded.rejects) == 1


@given(st.integers(0, len(RAW) - 1), st.binary(min_size=1, max_size=4))
def test_a_real_event_with_any_bytes_changed_never_raises(place, change):
    data = (RAW[:place] + change + RAW[place + len(change) :]).replace(b"\n", b" ")
    decoded = decode_lines(data)
    assert [*decoded.raws, *(reject.raw for reject in decoded.rejects)] == [data]
    decoded = decode_list(b'{"items":[' + data + b"]}")
    assert len(decoded.events) + len(decoded.rejects) >= 1


@given(st.lists(JSON, max_size=5))
def test_a_list_of_anything_gives_one_for_each_item(items):
    decoded = decode_list(json.dumps({"kind": "EventList", "items": items}).encode())
    assert len(decoded.events) + len(decoded.rejects) == len(items)
