import json

import pytest
import zstandard

from anomaly.events.decode import decode_lines
from anomaly.events.key import received_at
from anomaly.testing import raw_event
from benchmarks.realistic import make

POD = "web-7d4b9c6f5d-x2k4q"
UID = "5b1e7e12-0001-4a4a-9d9d-000000000001"


@pytest.fixture
def sample(tmp_path):
    pod = {
        "metadata": {
            "name": POD,
            "uid": UID,
            "resourceVersion": "41",
            "creationTimestamp": "2026-03-02T09:00:00Z",
            "labels": {"pod-template-hash": "7d4b9c6f5d"},
        }
    }
    events = [
        raw_event(
            "pods",
            verb,
            by=f"{who}@example.com",
            namespace="shop",
            name=POD,
            answer=pod,
            at=at,
            audit_id=audit_id,
        )
        for at, (verb, who, audit_id) in enumerate(
            [
                ("create", "alice", "0b0e5f0e-1111-4a4a-9d9d-000000000001"),
                ("get", "bob", "0b0e5f0e-1111-4a4a-9d9d-000000000002"),
                ("delete", "carol", "0b0e5f0e-1111-4a4a-9d9d-000000000003"),
                ("list", "dave", "0b0e5f0e-1111-4a4a-9d9d-000000000004"),
            ]
        )
    ]
    path = tmp_path / "sample.jsonl.zst"
    path.write_bytes(zstandard.compress(b"\n".join(events) + b"\n"))
    return path


def made(sample, tmp_path, megabytes=1, seed=1, **limits):
    out = tmp_path / f"out-{seed}.jsonl"
    report = make(sample, out, megabytes * 1_000_000, seed, **limits)
    data = out.read_bytes()
    decoded = decode_lines(data)
    assert decoded.rejects == []
    assert (report.events, report.bytes) == (len(decoded.events), len(data))
    return data, decoded


def test_every_event_is_new_and_time_goes_on_from_round_to_round(sample, tmp_path):
    data, decoded = made(sample, tmp_path, events_wanted=400)
    assert len(decoded.events) == 400
    assert len({event.auditID for event in decoded.events}) == 400
    times = [received_at(event) for event in decoded.events]
    assert times == sorted(set(times))
    assert UID.encode() not in data


def test_an_object_keeps_its_name_within_a_round_and_gets_another_in_the_next(sample, tmp_path):
    _, decoded = made(sample, tmp_path, events_wanted=40)
    names = [event.objectRef.name for event in decoded.events]
    assert all(len(set(names[start : start + 4])) == 1 for start in range(0, 40, 4))
    assert len(set(names)) == 10
    for event in decoded.events:
        answer = json.loads(bytes(event.responseObject))["metadata"]
        assert answer["name"] == event.objectRef.name == event.requestURI.rpartition("/")[2]
        assert answer["name"].split("-")[1] == answer["labels"]["pod-template-hash"]


def test_a_few_people_of_each_round_are_new(sample, tmp_path):
    _, decoded = made(sample, tmp_path, events_wanted=40)
    users = [shape.user.username for shape in decoded.shapes]
    assert users[:4] == [f"{name}@example.com" for name in ("alice", "bob", "carol", "dave")]
    assert 4 < len(set(users)) <= 4 + 9 * 3


def test_the_size_wanted_is_never_exceeded_and_lines_are_whole(sample, tmp_path):
    data, _ = made(sample, tmp_path, megabytes=1)
    assert 995_000 < len(data) <= 1_000_000
    assert data.endswith(b"\n")


def test_the_same_seed_gives_the_same_bytes_and_another_one_does_not(sample, tmp_path):
    first, _ = made(sample, tmp_path, events_wanted=30)
    again, _ = made(sample, tmp_path, events_wanted=30)
    other, _ = made(sample, tmp_path, events_wanted=30, seed=2)
    assert first == again != other


def test_a_sample_without_events_is_refused(tmp_path):
    path = tmp_path / "empty.jsonl"
    path.write_bytes(b"{}\n")
    with pytest.raises(ValueError, match="no audit events"):
        make(path, tmp_path / "out", 1000)
