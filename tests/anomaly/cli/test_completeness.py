"""`anomaly doctor` and `anomaly completeness`: what they print, and how they end."""

import pytest

from anomaly.testing import raw_event
from anomaly.web.clock import clock
from tests.anomaly.cli.running import Command

PAGE = 'apiserver_audit_event_total {}\napiserver_audit_error_total{{plugin="webhook"}} {}\n'


@pytest.fixture
def anomaly(database, tmp_path, monkeypatch, capsysbinary):
    return Command(database, tmp_path, monkeypatch, capsysbinary)


@pytest.fixture
def fed(anomaly, tmp_path):
    log = tmp_path / "audit.log"
    log.write_bytes(b"\n".join(raw_event(at=clock(), name=f"p{place}") for place in range(20)) + b"\n")
    assert anomaly("cluster", "add", "prod").code == 0
    assert anomaly("ingest", log, "--cluster", "prod").code == 0
    return anomaly


def test_the_doctor_of_a_fed_cluster_says_what_arrives_in_words_and_as_data(fed):
    done = fed("doctor", "--cluster", "prod")
    assert done.code == 0
    assert "20 events in 24 hours" in done.out and "levels Metadata 100%" in done.out and "Next: " in done.out
    data = fed("doctor", json=True).data
    assert data["clusters"][0]["arrives"]["sources"] == {"audit.log": 20}
    assert fed("doctor", "--cluster", "nowhere").code != 0


def test_the_doctor_speaks_without_a_database(anomaly, monkeypatch):
    monkeypatch.setenv("ANOMALY_DATABASE__URL", "postgresql://nobody@127.0.0.1:1/none")
    monkeypatch.setenv("ANOMALY_DATABASE__CONNECT_TIMEOUT", "100ms")
    done = anomaly("doctor")
    assert done.code == 5
    assert "FAIL  database" in done.out and "127.0.0.1:1" in done.out


def test_the_account_counts_by_day(fed):
    assert fed("completeness", "show", "--cluster", "prod", "--days", "2").out.count("\n") >= 3
    days = fed("completeness", "show", "--cluster", "prod", json=True).data["days"]
    assert [one["total"]["kept"] for one in days] == [20, 0, 0, 0, 0, 0, 0]


def test_two_pages_of_the_api_server_are_compared(fed, tmp_path):
    page = tmp_path / "metrics.txt"
    page.write_text(PAGE.format(1_000, 0))
    first = fed("completeness", "metrics", page, "--cluster", "prod", "--at", "1h")
    assert first.code == 0 and "another page" in first.out
    page.write_text(PAGE.format(1_050, 25))
    found = fed("completeness", "metrics", page, "--cluster", "prod", json=True).data
    assert (found["generated"], found["received"], found["errors"]) == (50, 20, {"webhook": 25})
    page.write_text("nothing")
    assert fed("completeness", "metrics", page, "--cluster", "prod").code == 2
