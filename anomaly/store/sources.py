"""Sources that the service reads by itself: who reads each, how far it is, and what came of it.

A reader holds an advisory lock named by the source's number on a connection of its own; PostgreSQL lets go of it when that
session ends, however it ends, so that a reader that was killed is replaced by the next that asks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import psycopg
from psycopg.types.json import Jsonb

from anomaly.store.terms import without_nul
from anomaly.store.writer import Receipt

Connection = psycopg.Connection[tuple[object, ...]]

LOCK: Final = 0x736F7572
"""First half of the two numbers that name the lock of a source."""
READING, WAITING, FAILED, STOPPED = "reading", "waiting", "failed", "stopped"
_LONGEST: Final = 1_000


@dataclass(frozen=True, slots=True)
class Source:
    """One source. `state` is `stopped` whenever nobody reads it; `behind` is in bytes on disk, `files` those read to their end."""

    id: int
    cluster: str
    kind: str
    path: str
    state: str
    says: str
    reader: str
    file: str
    behind: int
    files: int
    kept: int
    duplicates: int
    quarantined: int
    read_at: datetime | None
    looked_at: datetime
    failed_files: int


def enrol(connection: Connection, cluster_id: int, kind: str, path: str) -> int:
    """This will return the number of a source, made when it is new, and commit."""
    wanted = [cluster_id, kind, path]
    # Whoever stands by asks every few seconds, and shall write nothing by it.
    known = "SELECT id FROM anomaly.source WHERE cluster_id = %s AND kind = %s AND path = %s"
    row = connection.execute(known, wanted).fetchone()
    if row is None:
        connection.execute(
            "INSERT INTO anomaly.source (cluster_id, kind, path) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING",
            wanted,
        )
        row = connection.execute(known, wanted).fetchone()
    connection.commit()
    assert row is not None
    return int(str(row[0]))


def hold(connection: Connection, number: int, reader: str) -> bool:
    """This will say whether this session reads the source from now on; False while another does. It commits."""
    row = connection.execute("SELECT pg_try_advisory_lock(%s, %s)", [LOCK, number]).fetchone()
    held = bool(row and row[0])
    if held:
        connection.execute(
            "UPDATE anomaly.source SET reader = %s, state = 'reading', says = '', looked_at = now() WHERE id = %s",
            [reader, number],
        )
    connection.commit()
    return held


def note_look(connection: Connection, number: int, state: str, says: str = "", behind: int = 0) -> None:
    """This will write down what a reader sees of its source now, and commit; a dead connection is noticed by it."""
    connection.execute(
        "UPDATE anomaly.source SET state = %s, says = %s, behind = %s, looked_at = now() WHERE id = %s",
        [state, without_nul(says)[:_LONGEST], behind, number],
    )
    connection.commit()


def note_read(
    connection: Connection,
    number: int,
    came: Receipt,
    file: str,
    checkpoint: Mapping[str, Any] | None = None,
    *,
    files: int = 0,
) -> None:
    """This will add what was read to the source, in the caller's transaction, and move its checkpoint if one is given."""
    connection.execute(
        "UPDATE anomaly.source SET file = %(file)s, files = files + %(files)s, kept = kept + %(kept)s,"
        " duplicates = duplicates + %(duplicates)s, quarantined = quarantined + %(quarantined)s, read_at = now(),"
        " looked_at = now(), checkpoint = coalesce(%(checkpoint)s, checkpoint) WHERE id = %(id)s",
        {
            "id": number,
            "file": without_nul(file),
            "files": files,
            "kept": came.kept,
            "duplicates": came.duplicates,
            "quarantined": came.quarantined,
            "checkpoint": None if checkpoint is None else Jsonb(dict(checkpoint)),
        },
    )


def checkpoint_of(connection: Connection, number: int) -> dict[str, Any] | None:
    """This will return the checkpoint of a source; None when it was never read."""
    row = connection.execute("SELECT checkpoint FROM anomaly.source WHERE id = %s", [number]).fetchone()
    connection.commit()
    return row[0] if row and isinstance(row[0], dict) else None


def files_of(connection: Connection, number: int) -> dict[str, str]:
    """This will return how each file of a folder looked when it was read."""
    rows = connection.execute(
        "SELECT file, looks FROM anomaly.source_file WHERE source_id = %s", [number]
    ).fetchall()
    connection.commit()
    return {str(file): str(looks) for file, looks in rows}


def keep_file(connection: Connection, number: int, file: str, looks: str, failure: str = "") -> None:
    """This will remember that a file was read as it looked, in the caller's transaction."""
    connection.execute(
        "INSERT INTO anomaly.source_file (source_id, file, looks, failure) VALUES (%s, %s, %s, %s)"
        " ON CONFLICT (source_id, file) DO UPDATE SET looks = excluded.looks, failure = excluded.failure, read_at = now()",
        [number, without_nul(file), looks, without_nul(failure)[:_LONGEST]],
    )


def forget_files(connection: Connection, number: int, files: Sequence[str]) -> None:
    """This will forget files that are gone, in the caller's transaction."""
    connection.execute(
        "DELETE FROM anomaly.source_file WHERE source_id = %s AND file = ANY(%s)", [number, list(files)]
    )


def list_sources(connection: Connection, clusters: Sequence[str] | None = None) -> list[Source]:
    """This will return the sources of some clusters or of all, by cluster, kind and path."""
    rows = connection.execute(
        "SELECT s.id, c.name, s.kind, s.path, CASE WHEN EXISTS (SELECT FROM pg_locks l WHERE l.locktype = 'advisory'"
        " AND l.granted AND l.objsubid = 2 AND l.classid::bigint = %(lock)s AND l.objid::bigint = s.id"
        " AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database()))"
        " OR s.state = 'failed' THEN s.state ELSE 'stopped' END, s.says, s.reader, s.file, s.behind, s.files, s.kept,"
        " s.duplicates, s.quarantined, s.read_at, s.looked_at,"
        " (SELECT count(*) FROM anomaly.source_file f WHERE f.source_id = s.id AND f.failure <> '')"
        " FROM anomaly.source s JOIN anomaly.cluster c ON c.id = s.cluster_id"
        " WHERE %(clusters)s::text[] IS NULL OR c.name = ANY(%(clusters)s) ORDER BY c.name, s.kind, s.path",
        {"lock": LOCK, "clusters": None if clusters is None else list(clusters)},
    ).fetchall()
    return [Source(*row) for row in rows]  # type: ignore[arg-type]
