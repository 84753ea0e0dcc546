"""Columns hold what rows hold."""

from datetime import timedelta

from sqlalchemy import Integer, cast, select

from anomaly.store.columns import moment, read_columns, ticks, uuid_of
from anomaly.store.tables import finding
from tests.anomaly.kept import NOON, keep


def columns(connection, *where):
    wanted = {
        "id": ("uuid", finding.c.id),
        "start": ("timestamptz", finding.c.start_at),
        "score": ("float8", finding.c.score),
        "count": ("int8", finding.c.count),
        "severity": ("int4", cast(finding.c.severity, Integer)),
    }
    return read_columns(connection, wanted, finding, where)


def test_each_place_is_a_row(connection):
    for place in range(5):
        keep(
            connection,
            at=place,
            score=place / 7,
            count=place * 2**33,
            severity="low" if place % 2 else "high",
        )
    found = columns(connection)
    rows = select(finding.c.start_at, finding.c.score, finding.c.count, finding.c.severity)
    for place, number in enumerate(map(uuid_of, found["id"])):
        row = connection.execute(rows.where(finding.c.id == number)).one()
        assert row == (
            moment(found["start"][place]),
            found["score"][place],
            found["count"][place],
            found["severity"][place],
        )
    assert len(found["id"]) == 5


def test_no_rows_are_empty_columns(connection):
    keep(connection)
    found = columns(connection, finding.c.count < 0)
    assert [len(column) for column in found.values()] == [0] * 5


def test_a_column_can_have_only_some_of_the_rows(connection):
    for place in range(4):
        keep(connection, at=place, count=place)
    wanted = {"count": ("int8", finding.c.count), "score": ("float8", finding.c.score)}
    found = read_columns(connection, wanted, finding, [], {"count": finding.c.count > 1})
    assert (sorted(found["count"].tolist()), len(found["score"])) == ([2, 3], 4)


def test_ticks_and_moments_are_one_another():
    at = NOON + timedelta(microseconds=1)
    assert moment(ticks(at)) == at
