"""Input that is not an audit event: kept whole, counted, listed and tried again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b

import psycopg
import zstandard

from anomaly.events.decode import Reject
from anomaly.store.chunks import MAX_CHUNK_BYTES
from anomaly.store.terms import without_nul

Connection = psycopg.Connection[tuple[object, ...]]


@dataclass(frozen=True, slots=True)
class Quarantined:
    """One input in quarantine. `times` says how often it came; `size` is in bytes as received."""

    id: int
    cluster: str
    source: str
    reason: str
    size: int
    times: int
    first_at: datetime
    last_at: datetime


def keep_rejects(
    cursor: psycopg.Cursor[tuple[object, ...]],
    cluster_id: int,
    source: str,
    rejects: Sequence[Reject],
    received: Sequence[Reject] = (),
) -> None:
    """This will put rejects into quarantine, in the caller's transaction; the same bytes are kept once and counted.

    `received` are the same rejects before redaction: where one was kept as it came, the redacted one takes its place.
    """
    for reject, before in zip(rejects, received, strict=False):
        if reject is not before:
            _take_the_place(cursor, cluster_id, before.raw, reject)
    compressor = zstandard.ZstdCompressor(level=3)
    rows: dict[bytes, tuple[int, bytes, str, str, int, int, bytes]] = {}
    for reject in rejects:
        digest = _digest(reject.raw)
        times = rows[digest][-2] + 1 if digest in rows else 1
        rows[digest] = (
            cluster_id,
            digest,
            without_nul(source),
            without_nul(reject.reason),
            max(reject.size, len(reject.raw)),
            times,
            compressor.compress(reject.raw),
        )
    cursor.executemany(
        "INSERT INTO anomaly.quarantine AS q (cluster_id, digest, source, reason, size, times, data)"
        " VALUES (%b, %b, %b, %b, %b, %b, %b) ON CONFLICT (cluster_id, digest)"
        " DO UPDATE SET times = q.times + excluded.times, last_at = now()",
        [rows[digest] for digest in sorted(rows)],
    )


def _take_the_place(
    cursor: psycopg.Cursor[tuple[object, ...]], cluster_id: int, before: bytes, reject: Reject
) -> None:
    """What was kept before redaction was switched on becomes what would be kept now, so that it is not kept twice."""
    cursor.execute(
        "UPDATE anomaly.quarantine q SET digest = %(new)b, data = %(data)b, reason = %(reason)b"
        " WHERE cluster_id = %(cluster)b AND digest = %(old)b AND NOT EXISTS"
        " (SELECT FROM anomaly.quarantine o WHERE o.cluster_id = q.cluster_id AND o.digest = %(new)b)",
        {
            "cluster": cluster_id,
            "old": _digest(before),
            "new": _digest(reject.raw),
            "data": zstandard.ZstdCompressor(level=3).compress(reject.raw),
            "reason": without_nul(reject.reason),
        },
    )


def _digest(raw: bytes) -> bytes:
    return blake2b(raw, digest_size=16).digest()


def list_quarantine(
    connection: Connection, cluster_id: int | None = None, limit: int = 100
) -> list[Quarantined]:
    """This will return what is in quarantine, newest first."""
    rows = connection.execute(
        "SELECT q.id, c.name, q.source, q.reason, q.size, q.times, q.first_at, q.last_at FROM anomaly.quarantine q"
        " JOIN anomaly.cluster c ON c.id = q.cluster_id WHERE %(cluster)s::int IS NULL OR q.cluster_id = %(cluster)s"
        " ORDER BY q.last_at DESC, q.id DESC LIMIT %(limit)s",
        {"cluster": cluster_id, "limit": limit},
    )
    return [Quarantined(*row) for row in rows]  # type: ignore[arg-type]


def quarantine_before(
    connection: Connection, clusters: Sequence[str] | None, before: int | None, limit: int
) -> list[Quarantined]:
    """This will return what is in quarantine by number, the newest first, those before a number, of some clusters or of all."""
    rows = connection.execute(
        "SELECT q.id, c.name, q.source, q.reason, q.size, q.times, q.first_at, q.last_at FROM anomaly.quarantine q"
        " JOIN anomaly.cluster c ON c.id = q.cluster_id"
        " WHERE (%(clusters)s::text[] IS NULL OR c.name = ANY(%(clusters)s))"
        " AND (%(before)s::bigint IS NULL OR q.id < %(before)s) ORDER BY q.id DESC LIMIT %(limit)s",
        {"clusters": None if clusters is None else list(clusters), "before": before, "limit": limit},
    )
    return [Quarantined(*row) for row in rows]  # type: ignore[arg-type]


def quarantined_raw(connection: Connection, number: int) -> tuple[str, bytes] | None:
    """This will return (cluster, bytes) of one input, None when there is none."""
    row = connection.execute(
        "SELECT c.name, q.data FROM anomaly.quarantine q JOIN anomaly.cluster c ON c.id = q.cluster_id WHERE q.id = %s",
        [number],
    ).fetchone()
    if row is None:
        return None
    name, data = row
    assert isinstance(data, bytes)
    return str(name), zstandard.ZstdDecompressor().decompress(data, MAX_CHUNK_BYTES)


def count_quarantine(connection: Connection, cluster_id: int | None = None) -> int:
    """This will return how many different inputs are in quarantine."""
    row = connection.execute(
        "SELECT count(*) FROM anomaly.quarantine WHERE %(cluster)s::int IS NULL OR cluster_id = %(cluster)s",
        {"cluster": cluster_id},
    ).fetchone()
    return int(str(row[0])) if row else 0


def raw_of(connection: Connection, number: int) -> tuple[int, str, bytes] | None:
    """This will return (cluster id, source, bytes) of one input, locked against another retry; None when it is gone."""
    row = connection.execute(
        "SELECT cluster_id, source, data FROM anomaly.quarantine WHERE id = %s FOR UPDATE", [number]
    ).fetchone()
    if row is None:
        return None
    cluster_id, source, data = row
    assert isinstance(data, bytes)
    return int(str(cluster_id)), str(source), zstandard.ZstdDecompressor().decompress(data, MAX_CHUNK_BYTES)


def release(connection: Connection, number: int) -> None:
    """This will take one input out of quarantine."""
    connection.execute("DELETE FROM anomaly.quarantine WHERE id = %s", [number])
