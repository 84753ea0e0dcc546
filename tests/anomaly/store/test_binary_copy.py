"""Rows made by numpy arrive in PostgreSQL as they were meant."""

from datetime import UTC, datetime
from uuid import UUID

import numpy as np
from psycopg import sql

from anomaly.events.key import microseconds
from anomaly.store.binary_copy import RowFormat, timestamps, uuids


def test_extremes_of_every_type_arrive(plain):
    plain.execute("CREATE TEMP TABLE extremes (a int2, b int4, c int8, d timestamptz, e uuid)")
    form = RowFormat(
        sql.Identifier("extremes"), {"a": "int2", "b": "int4", "c": "int8", "d": "timestamptz", "e": "uuid"}
    )
    moments = [
        datetime(1970, 1, 1, tzinfo=UTC),
        datetime(2026, 3, 2, 9, 0, 0, 1, UTC),
        datetime(9999, 12, 31, tzinfo=UTC),
    ]
    keys = [bytes(16), b"\xff" * 16, bytes(range(16))]
    rows = form.rows(3)
    for name, bits in (("a", 15), ("b", 31), ("c", 63)):
        rows[name] = [-(2**bits), 2**bits - 1, 0]
    rows["d"] = timestamps(np.array([microseconds(moment) for moment in moments]))
    rows["e"] = uuids(keys)
    with plain.cursor() as cursor:
        form.copy(cursor, rows)
        form.copy(cursor, form.rows(0))
    found = plain.execute("SELECT * FROM extremes").fetchall()
    numbers = [(-(2**15), -(2**31), -(2**63)), (2**15 - 1, 2**31 - 1, 2**63 - 1), (0, 0, 0)]
    assert found == [
        (*three, moment, UUID(bytes=key)) for three, moment, key in zip(numbers, moments, keys, strict=True)
    ]


def test_another_table_of_the_same_shape_can_take_the_rows(plain):
    plain.execute("CREATE TEMP TABLE one (a int4)")
    plain.execute("CREATE TEMP TABLE two (a int4)")
    form = RowFormat(sql.Identifier("one"), {"a": "int4"})
    rows = form.rows(1_000)
    rows["a"] = np.arange(1_000)
    with plain.cursor() as cursor:
        form.copy(cursor, rows, into=sql.Identifier("two"))
    assert plain.execute("SELECT (SELECT count(*) FROM one), (SELECT sum(a) FROM two)").fetchone() == (
        0,
        499_500,
    )
