import base64
import gzip
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anomaly.events.decode import decode_lines
from anomaly.sources import unwrap as room
from anomaly.sources.detect import list_depth_of
from anomaly.sources.files import open_source
from anomaly.sources.unwrap import normalise, source_of, unwrap
from anomaly.testing import raw_event

GOLDEN = Path(__file__).parents[2] / "golden"
CASES = sorted(path for path in GOLDEN.glob("*/*.json") if ".expected" not in path.name)
EVENT = raw_event(
    "pods/exec", "create", name="web-0", namespace="shop", body={"auditID": "fake", "kind": "Event"}
)
OTHER = json.dumps(dict(reversed(json.loads(EVENT).items()))).encode()


def documents(lines):
    return [json.loads(line) for line in lines]


@pytest.mark.parametrize("path", CASES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_recorded_shape_gives_the_expected_events(path):
    expected = json.loads(path.with_suffix(".expected.json").read_text())
    assert documents(unwrap(path.read_bytes())) == expected
    with open_source(path) as source:
        from_file = b"".join(normalise(block.data) for block in source.blocks(block_bytes=1000))
    assert documents(from_file.splitlines()) == expected
    decoded = decode_lines(from_file)
    assert (len(decoded.events), decoded.rejects) == (len(expected), [])


def test_every_source_has_golden_files():
    assert {source.__name__.rpartition(".")[2] for source in room.SOURCES} == {
        path.parent.name for path in CASES
    }


@pytest.mark.parametrize("path", CASES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_source_is_named_by_its_first_record(path):
    body = path.read_bytes()
    first = body if list_depth_of(body) else body.splitlines()[0]
    record = json.loads(first) if first[:1] in b"{[" else None
    if isinstance(record, dict) and "events" not in record and "@timestamp" not in record:
        allowed = {path.parent.name} | ({"aks"} if "records" in record else set())
        assert source_of(first) in allowed


def test_native_lines_are_the_same_object_untouched():
    data = EVENT + b"\n" + raw_event("secrets", "list") + b"\n"
    assert normalise(data) is data
    unfinished = data[:-1]
    assert normalise(unfinished) is unfinished
    assert normalise(b"") == b""


def test_native_lines_among_others_and_in_another_order_of_keys_keep_their_bytes():
    wrapped = json.dumps({"log": EVENT.decode()}).encode()
    data = b"\n".join([EVENT, b"", OTHER, wrapped, b"  ", b'{"kind":"EventList","items":[]}'])
    assert normalise(data) == b"\n".join([EVENT, OTHER, EVENT, b'{"kind":"EventList","items":[]}']) + b"\n"
    assert source_of(EVENT) == source_of(OTHER) == "native"


def test_what_an_attacker_put_into_a_body_is_never_taken_for_an_event():
    forged = {
        "kind": "Event",
        "apiVersion": "audit.k8s.io/v1",
        "auditID": "forged",
        "stage": "ResponseComplete",
    }
    damaged = json.loads(EVENT) | {"requestObject": {"log": forged, "message": json.dumps(forged)}}
    del damaged["auditID"]
    line = json.dumps(damaged).encode()
    assert list(unwrap(line)) == [line]
    entry = {
        "protoPayload": {"serviceName": "k8s.io", "methodName": "io.k8s.core.v1.pods.create"},
        "insertId": "real",
    }
    entry["protoPayload"]["request"] = {"auditID": "forged", "protoPayload": {"methodName": "x"}}
    (event,) = documents(unwrap(json.dumps(entry).encode()))
    assert event["auditID"] == "real"


def test_a_printed_event_inside_a_text_comes_out_on_one_line():
    printed = json.dumps(json.loads(EVENT), indent=2)
    (line,) = unwrap(json.dumps({"message": printed}).encode())
    assert json.loads(line) == json.loads(EVENT)
    assert b"\n" not in line


@pytest.mark.parametrize(
    "line",
    [
        pytest.param(b"not json", id="text"),
        pytest.param(b'{"log":"no event"}', id="another log"),
        pytest.param(b'{"awslogs":{"data":"!!!"}}', id="broken base64"),
        pytest.param(b'{"awslogs":{"data":"H4sIAAAA"}}', id="broken gzip"),
        pytest.param(b'{"awslogs":7}', id="wrong type"),
        pytest.param(b'{"protoPayload":{"serviceName":"k8s.io"}}', id="no method"),
        pytest.param(
            b'{"protoPayload":{"serviceName":"container.googleapis.com"}}', id="another Google service"
        ),
        pytest.param(b'{"kind":"AdmissionReview","request":{"operation":"DANCE"}}', id="unknown operation"),
        pytest.param(b'{"category":"kube-audit","properties":{}}', id="no log"),
        pytest.param(
            b'{"kind":"Event","apiVersion":"v1","message":"pulled"}', id="an event of the core group"
        ),
        pytest.param(b'{"log":[1,2', id="half an object"),
        pytest.param(b"\xff\xfe\x00", id="no text"),
    ],
)
def test_what_nobody_understands_passes_as_it_is_and_is_refused(line):
    assert list(unwrap(line)) == [line]
    assert [reject.raw for reject in decode_lines(normalise(line + b"\n")).rejects] == [line]


def test_other_logs_of_the_same_cloud_are_passed_over():
    stream = {
        "messageType": "DATA_MESSAGE",
        "logStream": "kube-apiserver-0a1b",
        "logEvents": [{"message": "I0414"}],
    }
    other = {"category": "guard", "properties": {"log": "access granted"}}
    for record in (stream, other, [], {"records": []}):
        assert list(unwrap(json.dumps(record).encode())) == []


def test_a_field_that_unpacks_to_too_much_is_not_unpacked(monkeypatch):
    bomb = base64.b64encode(gzip.compress(bytes(80 << 20))).decode()
    line = json.dumps({"awslogs": {"data": bomb}}).encode()
    assert list(unwrap(line)) == [line]


def test_wrapping_without_end_stops():
    line = EVENT
    for _ in range(30):
        line = b"[" + line + b"]"
    assert len(list(unwrap(line))) == 1
    text = EVENT.decode()
    for _ in range(9):
        text = json.dumps({"log": text})
    (left,) = unwrap(text.encode())
    assert decode_lines(left).rejects


@pytest.mark.parametrize("depth", [10, 100_000])
def test_deep_nesting_is_survived(depth):
    for line in (b"[" * depth, b'{"log":' * depth, b'{"records":' + b"[" * depth + b"]" * depth + b"}"):
        list(unwrap(line))
        normalise(line)


RECORDS = st.recursive(
    st.none()
    | st.integers()
    | st.text(max_size=8)
    | st.sampled_from([EVENT.decode(), '{"auditID":"x"}', "H4sI"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "log",
                    "message",
                    "data",
                    "awslogs",
                    "records",
                    "properties",
                    "category",
                    "protoPayload",
                    "serviceName",
                    "methodName",
                    "resourceName",
                    "status",
                    "code",
                    "authorizationInfo",
                    "request",
                    "kind",
                    "operation",
                    "logEvents",
                    "messageType",
                    "logStream",
                    "auditID",
                    "AuditId",
                    "User",
                    "items",
                ]
            ),
            inner
            | st.sampled_from(
                ["k8s.io", "io.k8s.core.v1.pods.get", "AdmissionReview", "CREATE", "kube-audit"]
            ),
            max_size=5,
        )
    ),
    max_leaves=15,
)


@given(RECORDS)
def test_no_record_makes_it_fail_and_everything_is_event_or_reject(record):
    line = json.dumps(record).encode()
    plain = normalise(line)
    decoded = decode_lines(plain)
    assert len(decoded.events) + len(decoded.rejects) >= plain.count(b"\n") - plain.count(b'"items"')
    if isinstance(record, dict) and "records" not in record and "items" not in record:
        assert b"".join(one + b"\n" for one in unwrap(line)) == plain


@given(st.binary(max_size=300))
def test_no_bytes_make_it_fail(data):
    list(unwrap(data))
    assert decode_lines(normalise(data)) is not None
