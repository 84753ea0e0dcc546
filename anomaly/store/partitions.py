"""Day partitions of events, chunks, evidence and matches: made ahead and on demand, dropped when their time is over."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from typing import Final

import psycopg
from psycopg import sql

from anomaly.store.tables import SCHEMA

PARTITIONED: Final = {
    "event": "received_at",
    "chunk": "day",
    "evidence": "received_at",
    "rule_match": "received_at",
}
_LOCK: Final = 0x616E6F6D
_DAY: Final = timedelta(days=1)

Connection = psycopg.Connection[tuple[object, ...]]


def partition_name(table: str, day: date) -> str:
    """This will return the name of one day's partition, `event_20261123`."""
    return f"{table}_{day:%Y%m%d}"


def make_partitions(connection: Connection, days: Iterable[date]) -> None:
    """This will make the partitions of these days where they are missing, and commit.

    A table is made alone and then attached: that takes a lock which lets other writers go on, which CREATE ... PARTITION OF
    does not. One process does it at a time.
    """
    wanted = {partition_name(table, day): (table, day) for day in sorted(set(days)) for table in PARTITIONED}
    connection.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
    there = {
        str(name)
        for (name,) in connection.execute(
            "SELECT relname FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace"
            " WHERE nspname = %s AND relispartition AND relname = ANY(%s)",
            [SCHEMA, list(wanted)],
        )
    }
    for name, (table, day) in wanted.items():
        if name not in there:
            _make(connection, name, table, day)
    connection.commit()


def _make(connection: Connection, name: str, table: str, day: date) -> None:
    parent, child = sql.Identifier(SCHEMA, table), sql.Identifier(SCHEMA, name)
    if table == "chunk":
        low, high = sql.Literal(day), sql.Literal(day + _DAY)
    else:
        midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
        low, high = sql.Literal(midnight), sql.Literal(midnight + _DAY)
    column = sql.Identifier(PARTITIONED[table])
    connection.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(child))
    connection.execute(sql.SQL("CREATE TABLE {} (LIKE {} INCLUDING ALL)").format(child, parent))
    if table == "chunk":
        # Already zstd: do not let PostgreSQL try to compress it again.
        connection.execute(sql.SQL("ALTER TABLE {} ALTER COLUMN data SET STORAGE EXTERNAL").format(child))
    # With the bound as a constraint ATTACH need not read the table.
    connection.execute(
        sql.SQL("ALTER TABLE {} ADD CONSTRAINT bound CHECK ({} >= {} AND {} < {})").format(
            child, column, low, column, high
        )
    )
    connection.execute(
        sql.SQL("ALTER TABLE {} ATTACH PARTITION {} FOR VALUES FROM ({}) TO ({})").format(
            parent, child, low, high
        )
    )
    connection.execute(sql.SQL("ALTER TABLE {} DROP CONSTRAINT bound").format(child))


def partition_days(connection: Connection) -> list[date]:
    """This will return the days that have a partition, oldest first."""
    rows = connection.execute(
        "SELECT relname FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace"
        " WHERE nspname = %s AND relispartition AND relkind = 'r' AND relname LIKE 'event\\_%%' ORDER BY relname",
        [SCHEMA],
    )
    return [datetime.strptime(str(name)[-8:], "%Y%m%d").replace(tzinfo=UTC).date() for (name,) in rows]


def drop_before(connection: Connection, day: date) -> list[date]:
    """This will drop every partition of the days before `day` with all that is in them, and return those days."""
    gone = [known for known in partition_days(connection) if known < day]
    for known in gone:
        for table in PARTITIONED:
            connection.execute(
                sql.SQL("DROP TABLE IF EXISTS {}").format(
                    sql.Identifier(SCHEMA, partition_name(table, known))
                )
            )
        connection.commit()
    return gone
