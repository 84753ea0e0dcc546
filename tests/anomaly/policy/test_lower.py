"""What a lower level leaves out is gone from the bytes; everything else stays."""

import json

import pytest

from anomaly.events.decode import decode_lines
from anomaly.policy.document import Level
from anomaly.policy.lower import lowered
from anomaly.policy.strip import size_at
from anomaly.testing import raw_event

MANAGED = {"metadata": {"name": "web", "managedFields": [{"manager": "kubectl"}]}}
RAW = raw_event("pods", "create", name="web", body=MANAGED, answer={"kind": "PodList", "items": [MANAGED, 7]})


def at(level, raw=RAW, managed=False):
    decoded = decode_lines(raw)
    again = lowered(decoded.events[0], decoded.raws[0], level, omit_managed_fields=managed)
    if again is not None:
        assert not decode_lines(again).rejects
        # What the forecast says of sizes is what comes.
        assert len(again) == size_at(decoded.events[0], len(raw), level, omit_managed_fields=managed).bytes
    return again


@pytest.mark.parametrize(
    ("level", "gone"),
    [
        (Level.METADATA, {"requestObject", "responseObject"}),
        (Level.REQUEST, {"responseObject"}),
    ],
)
def test_bodies_of_a_higher_level_are_gone(level, gone):
    before, after = json.loads(RAW), json.loads(at(level))
    assert before.keys() - after.keys() == gone
    assert after["level"] == level
    assert {**before, "level": level, **after} == {**before, "level": level}


def test_what_is_no_higher_stays_as_it_is():
    assert at(Level.REQUEST_RESPONSE) is None
    assert at(Level.METADATA, raw_event("pods", "get")) is None
    assert at(Level.REQUEST_RESPONSE, raw_event("pods", "get"), managed=True) is None


def test_managed_fields_are_left_out_of_objects_and_of_items():
    after = json.loads(at(Level.REQUEST_RESPONSE, managed=True))
    assert after["requestObject"] == {"metadata": {"name": "web"}}
    assert after["responseObject"]["items"] == [{"metadata": {"name": "web"}}, 7]
    assert after["level"] == json.loads(RAW)["level"]


def test_a_patch_keeps_those_of_its_own_body():
    raw = raw_event("pods", "patch", name="web", body=MANAGED)
    assert at(Level.REQUEST_RESPONSE, raw, managed=True) is None


def test_nothing_of_a_body_that_no_decoder_reads_is_kept():
    deep = b'{"a":' * 5000 + b'"hunter2"' + b"}" * 5000
    raw = raw_event("pods", "create", body={"x": 1}).replace(b'{"x":1}', deep)
    decoded = decode_lines(raw)
    again = lowered(decoded.events[0], raw, Level.METADATA, omit_managed_fields=False)
    assert b"hunter2" in raw and b"hunter2" not in again
    assert decode_lines(again).events[0].auditID == decoded.events[0].auditID
