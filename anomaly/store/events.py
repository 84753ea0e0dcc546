"""Keeping events: each exactly once, whatever is retried, sent twice or sent by two roads at once."""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final

import numpy as np
import psycopg
from numpy.typing import NDArray
from psycopg import errors, sql

from anomaly.store.batch import COLUMNS, Batch
from anomaly.store.binary_copy import RowFormat, Rows, timestamps, uuids
from anomaly.store.chunks import Packer, pack_chunk

DAY_US: Final = 86_400_000_000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC).date()
_STAGING: Final = sql.Identifier("event_staging")

EVENT: Final = RowFormat(
    sql.Identifier("anomaly", "event"),
    {
        "received_at": "timestamptz",
        "event_key": "uuid",
        "chunk_id": "int8",
        "latency_us": "int4",
        "entity_id": "int4",
        "verb_id": "int4",
        "resource_id": "int4",
        "namespace_id": "int4",
        "name_id": "int4",
        "agent_id": "int4",
        "address_id": "int4",
        "acting_id": "int4",
        "audit_crc": "int4",
        "size": "int4",
        "cluster_id": "int2",
        "ordinal": "int2",
        "code": "int2",
        "stage": "int2",
        "level": "int2",
        "flags": "int2",
    },
)

Connection = psycopg.Connection[tuple[object, ...]]


@dataclass(frozen=True, slots=True)
class _Chunk:
    """The raw bytes of some events of a batch, `members`, on their way into one chunk."""

    number: int
    day: date
    members: NDArray[np.int64]
    packed: Future[bytes]


@dataclass(frozen=True, slots=True)
class Stored:
    """Which events of a batch are new, `kept` of length n, and the chunks that their raw bytes go into."""

    kept: NDArray[np.bool_]
    chunks: list[_Chunk]


@dataclass(frozen=True, slots=True)
class _Prepared:
    """Rows in the order of the primary key: `place[i]` is the event that row i is about."""

    rows: Rows
    place: NDArray[np.int64]
    chunk_of: NDArray[np.int64]
    ordinal: NDArray[np.int64]
    chunks: list[tuple[int, date]]


def day_numbers(batch: Batch) -> set[int]:
    """This will return the days (UTC) that the batch's events were received on, counted from 1970."""
    return set(np.unique(batch.received_us // DAY_US).tolist())


def day_of(number: int) -> date:
    """This will return the date of a day counted from 1970."""
    return _EPOCH + timedelta(days=number)


def keep_events(connection: Connection, batch: Batch, packer: Packer) -> Stored:
    """This will write the rows of the events that are not kept yet, in the caller's transaction; `keep_raws` is to follow in it.

    Rows go in by optimistic COPY inside a savepoint; only when one of them is kept already is the batch sent again through a
    staging table. Two writers with the same events wait for each other: both send rows in the order of the primary key, so
    neither can block the other in turn.
    """
    if not batch.n:
        return Stored(np.zeros(0, dtype=np.bool_), [])
    prepared = _prepare(connection, batch)
    chunks = []
    for index, (number, day) in enumerate(prepared.chunks):
        members = np.flatnonzero(prepared.chunk_of == index)
        packed = packer.pack([batch.raws[event] for event in members])
        chunks.append(_Chunk(number, day, members, packed))
    kept = np.zeros(batch.n, dtype=np.bool_)
    with connection.cursor() as cursor:
        cursor.execute("SAVEPOINT events")
        try:
            if len(set(batch.keys)) < batch.n:
                raise errors.UniqueViolation("an event is twice in the batch")
            EVENT.copy(cursor, prepared.rows)
            kept[:] = True
        except errors.UniqueViolation:
            cursor.execute("ROLLBACK TO SAVEPOINT events")
            kept[prepared.place[_keep_the_new(cursor, prepared.rows)]] = True
        cursor.execute("RELEASE SAVEPOINT events")
    return Stored(kept, chunks)


def keep_raws(cursor: psycopg.Cursor[tuple[object, ...]], batch: Batch, stored: Stored) -> None:
    """This will write the raw bytes of the events that `keep_events` kept. As late as may be: they are being packed meanwhile."""
    for chunk in stored.chunks:
        kept = stored.kept[chunk.members]
        if kept.all():
            data = chunk.packed.result()
        elif kept.any():
            data = pack_chunk([batch.raws[event] if stored.kept[event] else b"" for event in chunk.members])
        else:
            continue
        statement = "INSERT INTO anomaly.chunk (day, id, data) VALUES (%b, %b, %b)"
        cursor.execute(statement, [chunk.day, chunk.number, data])


def _prepare(connection: Connection, batch: Batch) -> _Prepared:
    days, chunk_of = np.unique(batch.received_us // DAY_US, return_inverse=True)
    numbers = connection.execute(
        "SELECT nextval('anomaly.chunk_number') FROM generate_series(1, %s)", [len(days)]
    ).fetchall()
    ids = np.array([int(str(number)) for (number,) in numbers], dtype=np.int64)
    ordinal = np.zeros(batch.n, dtype=np.int64)
    for index in range(len(days)):
        members = chunk_of == index
        ordinal[members] = np.arange(members.sum())
    keys = uuids(batch.keys)
    halves = np.frombuffer(b"".join(batch.keys), dtype=">u8").reshape(-1, 2)
    place = np.lexsort((halves[:, 1], halves[:, 0], batch.received_us))
    rows = EVENT.rows(batch.n)
    shapes = np.array([known.columns for known in batch.known], dtype=np.int64).reshape(-1, len(COLUMNS))
    for column, values in zip(COLUMNS, shapes.T, strict=True):
        rows[column] = values[batch.shape][place]
    rows["received_at"] = timestamps(batch.received_us)[place]
    rows["event_key"] = keys[place]
    rows["chunk_id"] = ids[chunk_of][place]
    rows["latency_us"] = batch.latency_us[place]
    rows["name_id"] = batch.name_ids[place]
    rows["audit_crc"] = batch.crcs()[place]
    rows["size"] = np.minimum(batch.sizes, 2**31 - 1)[place]
    rows["cluster_id"] = batch.cluster_id
    rows["ordinal"] = ordinal[place]
    chunks = [(int(number), day_of(int(day))) for number, day in zip(ids, days, strict=True)]
    return _Prepared(rows, place, chunk_of, ordinal, chunks)


def _keep_the_new(cursor: psycopg.Cursor[tuple[object, ...]], rows: Rows) -> NDArray[np.int64]:
    """Send rows through a staging table; returns the indexes of those that were not kept yet."""
    cursor.execute("CREATE TEMP TABLE IF NOT EXISTS event_staging (LIKE anomaly.event) ON COMMIT DELETE ROWS")
    cursor.execute("TRUNCATE event_staging")
    EVENT.copy(cursor, rows, into=_STAGING)
    names = sql.SQL(", ").join(map(sql.Identifier, EVENT.columns))
    cursor.execute(
        sql.SQL(
            "INSERT INTO anomaly.event ({0}) SELECT {0} FROM event_staging ORDER BY cluster_id, received_at, event_key"
            " ON CONFLICT DO NOTHING RETURNING chunk_id, ordinal"
        ).format(names)
    )
    fresh = np.array(cursor.fetchall(), dtype=np.int64).reshape(-1, 2)
    sent = rows["chunk_id"].astype(np.int64) * 65_536 + rows["ordinal"]
    return np.flatnonzero(np.isin(sent, fresh[:, 0] * 65_536 + fresh[:, 1]))
