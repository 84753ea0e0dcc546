"""Which windows are to be judged: those that came or changed since they were judged last."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import psycopg
from psycopg import sql

from anomaly.store.windows import Span

Connection = psycopg.Connection[tuple[object, ...]]


@dataclass(frozen=True, slots=True)
class Unjudged:
    """A whole window that is to be judged. `mark` is the version of its row: it changes with everything folded into it."""

    entity_id: int
    start: datetime
    mark: str


def unjudged(connection: Connection, cluster_id: int, span: Span, most: int | None = None) -> list[Unjudged]:
    """This will return the folded windows of a span that are to be judged, oldest first, at most `most`."""
    rows = connection.execute(
        sql.SQL(
            "SELECT entity_id, start_at, xmin::text FROM anomaly.entity_window WHERE scored_at IS NULL AND {}"
            " ORDER BY start_at, entity_id LIMIT {}"
        ).format(replace(span, cluster_id=cluster_id).conditions(), most)
    ).fetchall()
    found = []
    for entity, start, mark in rows:
        assert isinstance(start, datetime)
        found.append(Unjudged(int(str(entity)), start, str(mark)))
    return found


def mark_judged(connection: Connection, judged: Sequence[Unjudged]) -> int:
    """This will note that these windows were judged as they were when `unjudged` saw them, and return how many still are so.

    A window into which something was folded meanwhile has another mark and is left to be judged again.
    """
    if not judged:
        return 0
    return connection.execute(
        "UPDATE anomaly.entity_window w SET scored_at = now()"
        " FROM unnest(%s::int[], %s::timestamptz[], %s::text[]) AS j (entity_id, start_at, mark)"
        " WHERE w.entity_id = j.entity_id AND w.start_at = j.start_at AND w.xmin::text = j.mark",
        [[one.entity_id for one in judged], [one.start for one in judged], [one.mark for one in judged]],
    ).rowcount
