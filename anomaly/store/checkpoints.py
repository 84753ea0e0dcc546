"""How far each file has been read, so that reading goes on where it stopped."""

from __future__ import annotations

from dataclasses import dataclass

import psycopg

from anomaly.store.terms import without_nul

Connection = psycopg.Connection[tuple[object, ...]]


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """All content before `position` (bytes, decompressed) is kept; `mark` recognises the bytes right before it."""

    position: int = 0
    mark: str = ""
    finished: bool = False


def load_checkpoint(connection: Connection, cluster_id: int, source: str) -> Checkpoint:
    """This will return how far a source was read into a cluster; nothing read is position 0."""
    row = connection.execute(
        "SELECT position, mark, finished FROM anomaly.checkpoint WHERE cluster_id = %s AND source = %s",
        [cluster_id, source],
    ).fetchone()
    return Checkpoint(int(str(row[0])), str(row[1]), bool(row[2])) if row else Checkpoint()


def save_checkpoint(
    connection: Connection, cluster_id: int, source: str, path: str, reached: Checkpoint
) -> None:
    """This will remember how far a source was read, and commit."""
    connection.execute(
        "INSERT INTO anomaly.checkpoint (cluster_id, source, path, position, mark, finished)"
        " VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT (cluster_id, source) DO UPDATE SET path = excluded.path,"
        " position = excluded.position, mark = excluded.mark, finished = excluded.finished, updated_at = now()",
        [
            cluster_id,
            source,
            without_nul(path),
            reached.position,
            reached.mark,
            reached.finished,
        ],
    )
    connection.commit()
