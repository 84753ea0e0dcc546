"""What a key that is named again hides is bytes all the same; and what is too long for a decoder is still looked at."""

import json

import pytest

from anomaly.events.decode import Reject, decode_lines
from anomaly.redaction import Kind, Redactor, Tally
from anomaly.testing import raw_event
from tests.anomaly.redaction.test_redact import HEAD, JWT, SECRET, redacted, without


def put_before(raw, name, body):
    """Name a field of the event a first time, with what the second then hides."""
    return raw.replace(f'"{name}":'.encode(), f'"{name}":{json.dumps(body)},"{name}":'.encode(), 1)


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(put_before(raw_event("secrets", "create", body=None, answer={}), "responseObject", {**HEAD, "data": {"a": SECRET}}), id="a body"),
        pytest.param(put_before(raw_event("secrets", "patch", body={"data": None}), "data", {"a": SECRET}), id="the data of a patch"),
        pytest.param(put_before(raw_event("secrets", "patch", body={"data": {"a": None}}), "a", SECRET), id="a value of the data"),
        pytest.param(put_before(raw_event("secrets", "patch", body={"data": {"a": "\u003c<b", "z": 1.5e3}}), "a", SECRET), id="a value before escapes"),
        pytest.param(put_before(raw_event("secrets", "patch", body={"metadata": {"annotations": {"x/last-applied-configuration": '{"data":{"a":"' + SECRET + '"},"data":{}}'}}}), "data", {"b": SECRET}), id="in a text of JSON too"),
        pytest.param(put_before(raw_event("pods", "create", body={"spec": {"token": ""}}), "token", JWT), id="a token in another body"),
        pytest.param(put_before(raw_event("pods", "get"), "userAgent", f"Bearer {JWT}"), id="a field outside of bodies"),
        pytest.param(put_before(raw_event("pods", "get"), "userAgent", f"Bearer {JWT}").replace(b'"userAgent"', b'"user\\u0041gent"', 1), id="a name that is escaped once"),
    ],
)  # fmt: skip
def test_what_a_key_named_twice_hides_is_not_kept(raw):
    assert SECRET.encode() in raw or JWT.encode() in raw
    (after,) = Redactor().redact(decode_lines(raw)).decoded.raws
    assert SECRET.encode() not in after and JWT.encode() not in after
    assert redacted(raw)[1][Kind.HIDDEN] >= 1
    assert json.loads(after)["auditID"] == json.loads(raw)["auditID"]
    assert redacted(after) == (after, Tally())
    reject = Redactor().reject_of(Reject(raw, "no event"), Tally())
    assert SECRET.encode() not in reject.raw and JWT.encode() not in reject.raw


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(raw_event("secrets", "delete", body={"kind": "DeleteOptions", "a": 1e30, "b": -0.0}), id="numbers"),
        pytest.param(raw_event("secrets", "delete", body={"kind": "Status", "message": "1"}).replace(b'"1"', rb'"a\u003cb\\u003c\/\u00e9"'), id="escapes"),
        pytest.param(raw_event("secrets", "delete", body={"kind": "Status"}).replace(b":", b" : "), id="spaces"),
    ],
)  # fmt: skip
def test_what_is_only_written_in_another_way_stays_as_it_is(raw):
    assert redacted(raw)[0] is raw


@pytest.mark.parametrize("kind", [["Secret"], {"a": 1}])
def test_a_kind_that_is_no_text_makes_nothing_fail(kind):
    without(SECRET, raw_event("secrets", "patch", body={"kind": kind, "data": {"a": SECRET}}))
    raw = raw_event("pods", "patch", body={"kind": kind, "token": JWT})
    assert JWT.encode() not in redacted(raw)[0]


def large(body, more=17 << 20):
    return raw_event("secrets", "patch", body={**body, "type": "x" * more})


def test_an_event_over_16_mib_is_redacted_like_any_other():
    again, tally = redacted(large({"data": {"a": SECRET}}))
    assert SECRET.encode() not in again and tally == {Kind.SECRET: 1} and len(again) > 17 << 20


@pytest.mark.parametrize(
    "values",
    [
        {"a": SECRET},
        {"a": 'quo"te ' + SECRET, "b": "} " + SECRET, "c": "back\\\\" + SECRET},
    ],
)
def test_an_event_over_16_mib_that_no_decoder_reads_goes_to_quarantine_without_its_secrets(values):
    raw = large({"stringData": values}).replace(b'"type":"x', b'"type":"\\ud800')
    decoded = decode_lines(raw)
    (reject,) = Redactor().redact(decoded).decoded.rejects
    assert not decoded.events and reject.size == len(raw)
    assert SECRET.encode() in raw and SECRET.encode() not in reject.raw
