"""`anomaly entities`: the list and the portrait at the command line."""

import pytest

from anomaly.testing import raw_event
from tests.anomaly.cli.running import Command

EVIL = "\x1b[2Jevil"


@pytest.fixture
def anomaly(database, tmp_path, monkeypatch, capsysbinary):
    command = Command(database, tmp_path, monkeypatch, capsysbinary)
    lines = [raw_event("pods", "list", by="amy@example.com", at=60 * number) for number in range(30)]
    lines += [raw_event("secrets", "list", by=EVIL, code=403, at=5)]
    path = tmp_path / "a.log"
    path.write_bytes(b"\n".join(lines))
    assert command("ingest", path, "--cluster", "prod").code == 0
    return command


def test_entities_are_listed_and_shown(anomaly):
    listed = anomaly("entities", "list", "--since", "2026-03-01", json=True).data
    assert {one["entity"]: one["requests"] for one in listed} == {"amy@example.com": 30, EVIL: 1}
    assert [
        one["entity"] for one in anomaly("entities", "list", "AMY", "--since", "2026-03-01", json=True).data
    ] == ["amy@example.com"]
    shown = anomaly("entities", "show", "amy@example.com", "--since", "2026-03-01", json=True).data
    assert (shown["requests"], shown["kind"], shown["habits"]["verb"][0]["text"]) == (30, "human", "list")
    said = anomaly("entities", "show", EVIL)
    assert said.code == 0 and "\x1b" not in said.out and "\\x1b[2Jevil" in said.out


def test_an_entity_that_is_not_there_is_said(anomaly):
    done = anomaly("entities", "show", "nobody")
    assert (done.code, "There is no entity nobody" in done.err) == (1, True)
