"""`anomaly quarantine`: listing, looking, trying again."""

import pytest

from anomaly.testing import raw_event
from tests.anomaly.cli.running import Command


@pytest.fixture
def anomaly(database, tmp_path, monkeypatch, capsysbinary):
    return Command(database, tmp_path, monkeypatch, capsysbinary)


def put_aside(anomaly, database, *inputs):
    """Inputs an older release could not decode, as they lie in quarantine now."""
    with database.begin():
        assert anomaly("cluster", "add", "prod").code == 0
    from anomaly.events.decode import Reject
    from anomaly.store.quarantine import keep_rejects

    with database.dedicated() as connection, connection.cursor() as cursor:
        (cluster,) = connection.execute("SELECT id FROM anomaly.cluster").fetchone()
        keep_rejects(cursor, cluster, "audit.log", [Reject(raw, "too new") for raw in inputs])


def listed(anomaly):
    return anomaly("quarantine", "list", json=True).data


def test_an_empty_quarantine_is_good_news(anomaly):
    done = anomaly("quarantine", "list")
    assert (done.code, done.out) == (0, "")
    assert "everything that came was decoded" in done.err


def test_bytes_are_shown_exactly(anomaly, database, capsysbinary):
    put_aside(anomaly, database, b'{"a":"caf\xc3\xa9"}')
    (one,) = listed(anomaly)
    assert anomaly("quarantine", "show", one["id"]).out == '{"a":"café"}'
    missing = anomaly("quarantine", "show", one["id"] + 1)
    assert (missing.code, "There is no input" in missing.err) == (1, True)


def test_what_can_be_decoded_now_is_released_and_the_rest_stays(anomaly, database):
    far = raw_event().replace(b"2026-", b"2400-")
    several = b"\n".join(raw_event(at=at) for at in (0, 1, 2))
    one_bad = b"\n".join([raw_event(at=3), b"{]"])
    put_aside(anomaly, database, several, raw_event(at=2), b"{]", far, one_bad)
    done = anomaly("quarantine", "retry", "--all", json=True)
    assert done.code == 0, done.err
    assert done.data == {"tried": 5, "released": 2, "events_kept": 3, "duplicates": 1, "still_undecodable": 3}
    assert sorted(one["size"] for one in listed(anomaly)) == sorted(map(len, (b"{]", far, one_bad)))
    assert {one["times"] for one in listed(anomaly)} == {1}
    assert anomaly("events", "--count", json=True).data == {"count": 3, "complete": True}
    again = anomaly("quarantine", "retry", "--all", json=True).data
    assert (again["released"], again["still_undecodable"]) == (0, 3)


def test_one_can_be_tried_by_its_number(anomaly, database):
    put_aside(anomaly, database, raw_event(), raw_event(at=1))
    first, second = listed(anomaly)
    assert anomaly("quarantine", "retry", first["id"], json=True).data["released"] == 1
    assert [one["id"] for one in listed(anomaly)] == [second["id"]]


@pytest.mark.parametrize("arguments", [(), ("1", "--all")])
def test_one_says_which(anomaly, arguments):
    done = anomaly("quarantine", "retry", *arguments)
    assert (done.code, "Say which inputs to try again" in done.err) == (2, True)


def test_a_wrong_number_is_said(anomaly):
    done = anomaly("quarantine", "retry", "99")
    assert (done.code, "There is no input 99" in done.err) == (1, True)


def test_the_limit_says_that_there_is_more(anomaly, database):
    put_aside(anomaly, database, *(b"%d" % number for number in range(5)))
    done = anomaly("quarantine", "list", "--limit", "2")
    assert "2 of 5" in done.err
    assert len(anomaly("quarantine", "list", "--cluster", "prod", json=True).data) == 5
    assert anomaly("quarantine", "list", "--cluster", "nowhere").code == 1
