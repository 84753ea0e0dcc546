"""Windows in PostgreSQL: parts as they come in, whole windows after folding, both together when read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import numpy as np
import psycopg

from anomaly.events.key import EPOCH, microseconds
from anomaly.store.terms import vocabulary
from anomaly.windows.fold import Part
from anomaly.windows.window import RECORD, Windows, merge

Connection = psycopg.Connection[tuple[object, ...]]
_FOLD_AT_ONCE: Final = 20_000
_BLOCK: Final = 20_000


def keep_parts(cursor: psycopg.Cursor[tuple[object, ...]], cluster_id: int, parts: Iterable[Part]) -> None:
    """This will append window parts, in the caller's transaction."""
    statement = (
        "COPY anomaly.window_part (start_at, entity_id, cluster_id, histogram) FROM STDIN (FORMAT BINARY)"
    )
    with cursor.copy(statement) as copy:
        copy.set_types(["timestamptz", "int4", "int2", "bytea"])
        for part in parts:
            copy.write_row((_moment(part.start_us), part.entity_id, cluster_id, part.histogram))


def fold_parts(connection: Connection, most: int = _FOLD_AT_ONCE) -> int:
    """This will fold up to `most` parts into whole windows in one transaction, and return how many; 0 when none is left.

    Parts that another process is folding are passed over. Readers see a part either alone or folded, never both.
    """
    with connection.transaction(), connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM anomaly.window_part WHERE id IN"
            " (SELECT id FROM anomaly.window_part ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED)"
            " RETURNING entity_id, start_at, cluster_id, histogram",
            [most],
        )
        parts = cursor.fetchall()
        grouped: dict[tuple[int, datetime, int], list[bytes]] = {}
        for entity_id, start_at, cluster_id, histogram in parts:
            assert isinstance(start_at, datetime) and isinstance(histogram, bytes)
            grouped.setdefault((int(str(entity_id)), start_at, int(str(cluster_id))), []).append(histogram)
        for (entity_id, start_at, cluster_id), histograms in sorted(grouped.items()):
            # Two folders may add to one window: the row is taken first, so that neither loses what the other adds.
            cursor.execute(
                "INSERT INTO anomaly.entity_window (entity_id, start_at, cluster_id, histogram) VALUES (%s, %s, %s, '')"
                " ON CONFLICT (entity_id, start_at) DO UPDATE SET scored_at = NULL RETURNING histogram",
                [entity_id, start_at, cluster_id],
            )
            (stored,) = cursor.fetchone() or (b"",)
            assert isinstance(stored, bytes)
            cursor.execute(
                "UPDATE anomaly.entity_window SET histogram = %b WHERE entity_id = %b AND start_at = %b",
                [merge([stored, *histograms]), entity_id, start_at],
            )
        return len(parts)


def fold_all(connection: Connection) -> int:
    """This will fold until no part is left, and return how many there were."""
    total = 0
    while folded := fold_parts(connection):
        total += folded
    return total


@dataclass(frozen=True, slots=True)
class Span:
    """Which windows: those that start in [`since`, `until`), of one cluster or of all (None), of some entities or of all."""

    since: datetime | None = None
    until: datetime | None = None
    cluster_id: int | None = None
    entity_ids: tuple[int, ...] | None = None


def read_windows(connection: Connection, span: Span, span_us: int) -> Windows:
    """This will read windows, folded or not, with the vocabulary they need. Sorted by entity, then start.

    `span_us` is the length of a window in microseconds. Memory: about 24 bytes a histogram entry.
    """
    entities: list[int] = []
    starts: list[int] = []
    blobs: list[bytes] = []
    for entity, start, blob in _rows(connection, span):
        entities.append(entity)
        starts.append(start)
        blobs.append(blob)
    words = vocabulary(connection)
    lengths = np.fromiter((len(blob) for blob in blobs), dtype=np.int64, count=len(blobs)) // RECORD.itemsize
    joined = b"".join(blobs)
    blobs.clear()
    records = np.frombuffer(joined, dtype=RECORD)
    return Windows.from_records(
        words, np.array(entities, dtype=np.int64), np.array(starts, dtype=np.int64), lengths, records, span_us
    )


def _rows(connection: Connection, span: Span) -> Iterator[tuple[int, int, bytes]]:
    with connection.cursor(binary=True) as cursor:
        cursor.execute(
            "SELECT entity_id, start_at, histogram FROM anomaly.entity_window"
            " WHERE (%(since)s::timestamptz IS NULL OR start_at >= %(since)s)"
            " AND (%(until)s::timestamptz IS NULL OR start_at < %(until)s)"
            " AND (%(cluster)s::int IS NULL OR cluster_id = %(cluster)s)"
            " AND (%(entities)s::int[] IS NULL OR entity_id = ANY(%(entities)s))"
            " UNION ALL SELECT entity_id, start_at, histogram FROM anomaly.window_part"
            " WHERE (%(since)s::timestamptz IS NULL OR start_at >= %(since)s)"
            " AND (%(until)s::timestamptz IS NULL OR start_at < %(until)s)"
            " AND (%(cluster)s::int IS NULL OR cluster_id = %(cluster)s)"
            " AND (%(entities)s::int[] IS NULL OR entity_id = ANY(%(entities)s))",
            {
                "since": span.since,
                "until": span.until,
                "cluster": span.cluster_id,
                "entities": list(span.entity_ids) if span.entity_ids is not None else None,
            },
        )
        while rows := cursor.fetchmany(_BLOCK):
            for entity, start, blob in rows:
                assert isinstance(entity, int) and isinstance(start, datetime) and isinstance(blob, bytes)
                yield entity, microseconds(start), blob


def _moment(us: int) -> datetime:
    return EPOCH + timedelta(microseconds=us)
