"""`anomaly redactions`: counts by cluster, day and kind, and never a value."""

import pytest

from anomaly.events.decode import decode_lines
from anomaly.events.key import received_at
from anomaly.testing import raw_event
from tests.anomaly.cli.running import Command

SECRET = "aHVudGVyMi1odW50ZXIy"
DAY = received_at(decode_lines(raw_event()).events[0]).date().isoformat()


@pytest.fixture
def anomaly(database, tmp_path, monkeypatch, capsysbinary):
    return Command(database, tmp_path, monkeypatch, capsysbinary)


def test_when_nothing_was_replaced_it_says_so(anomaly):
    done = anomaly("redactions")
    assert (done.code, done.out) == (0, "") and "Nothing was replaced" in done.err
    assert anomaly("redactions", json=True).data == []


def test_what_was_replaced_is_counted_by_cluster_day_and_kind(anomaly, tmp_path):
    log = tmp_path / "audit.log"
    body = {"kind": "Secret", "data": {"a": SECRET, "b": SECRET}}
    log.write_bytes(raw_event("secrets", "create", body=body) + b"\n" + raw_event(at=1))
    for cluster in ("prod", "test"):
        done = anomaly("ingest", log, "--cluster", cluster)
        assert done.code == 0, done.err
    counted = anomaly("redactions", json=True).data
    assert [(one["cluster"], one["kind"], one["replaced"]) for one in counted] == [
        ("prod", "secret", 2),
        ("test", "secret", 2),
    ]
    (one,) = anomaly("redactions", "--cluster", "prod", json=True).data
    assert one["day"] == counted[0]["day"] == DAY
    shown = anomaly("redactions")
    assert "secret" in shown.out and SECRET not in shown.out
    assert anomaly("redactions", "--cluster", "nowhere").code == 1
