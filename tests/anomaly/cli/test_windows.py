"""`anomaly windows`: what an entity did, and the matrix for other tools."""

import csv
import io

import pytest

from anomaly.features.registry import layout
from anomaly.testing import raw_event
from tests.anomaly.cli.running import Command


@pytest.fixture
def anomaly(database, tmp_path, monkeypatch, capsysbinary):
    command = Command(database, tmp_path, monkeypatch, capsysbinary)
    events = [raw_event("secrets", "list", by="alice", at=at) for at in range(3)]
    events += [raw_event("pods", "get", by="=cmd|' /C calc'!A0", name="web-0", at=5000)]
    (tmp_path / "audit.log").write_bytes(b"\n".join(events) + b"\n")
    assert command("ingest", "audit.log", "--cluster", "prod").code == 0
    return command


def test_an_entitys_windows_say_what_it_did(anomaly):
    (window,) = anomaly("windows", "show", "alice", json=True).data
    assert (window["cluster"], window["requests"], window["did"]) == ("prod", 3, ["list secrets x3"])


def test_a_stranger_is_said_to_be_one(anomaly):
    done = anomaly("windows", "show", "nobody")
    assert (done.code, "There is no entity nobody" in done.err) == (1, True)


def test_the_matrix_has_a_row_a_window_and_a_column_a_feature(anomaly):
    rows = list(csv.DictReader(io.StringIO(anomaly("windows", "export").out)))
    assert len(rows) == 2
    assert set(layout().names) <= set(rows[0])
    (alice,) = [row for row in rows if row["entity"] == "alice"]
    assert float(alice["volume.requests"]) == 3


def test_a_name_like_a_formula_reaches_no_spreadsheet_as_one(anomaly):
    names = {row["entity"] for row in csv.DictReader(io.StringIO(anomaly("windows", "export").out))}
    assert names == {"alice", "'=cmd|' /C calc'!A0"}


def test_json_lines_are_one_object_a_window(anomaly):
    lines = anomaly("windows", "export", "--form", "jsonl").out.splitlines()
    assert len(lines) == 2 and all(line.startswith('{"entity"') for line in lines)


def test_an_empty_time_gives_the_heading_alone(anomaly):
    assert anomaly("windows", "export", "--until", "2020-01-01").out.count("\n") == 1
