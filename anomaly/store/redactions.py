"""How many values were replaced before they were stored, by cluster, day and kind."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final

import numpy as np
import psycopg
from numpy.typing import NDArray

from anomaly.redaction import Kind
from anomaly.store.batch import Batch
from anomaly.store.events import day_of

Connection = psycopg.Connection[tuple[object, ...]]
_DAY_US: Final = 86_400_000_000
_ADD: Final = (
    "INSERT INTO anomaly.redaction AS r (cluster_id, day, kind, replaced) VALUES (%s, coalesce(%s, current_date), %s, %s)"
    " ON CONFLICT (cluster_id, day, kind) DO UPDATE SET replaced = r.replaced + excluded.replaced"
)


@dataclass(frozen=True, slots=True)
class Replaced:
    """How many values of a kind were replaced in the events of one day of a cluster."""

    cluster: str
    day: date
    kind: Kind
    replaced: int


def count_redactions(
    cursor: psycopg.Cursor[tuple[object, ...]], batch: Batch, kept: NDArray[np.bool_]
) -> None:
    """This will add what was replaced in the events that are new, and in rejects, in the caller's transaction."""
    if not batch.redacted and not batch.redacted_rejects:
        return
    counts: Counter[tuple[date, Kind]] = Counter()
    for index, tally in batch.redacted.items():
        if kept[index]:
            day = day_of(int(batch.received_us[index]) // _DAY_US)
            counts.update({(day, kind): number for kind, number in tally.items()})
    add_redactions(cursor, batch.cluster_id, counts)
    rows = [(batch.cluster_id, None, kind.value, n) for kind, n in sorted(batch.redacted_rejects.items())]
    if rows:
        cursor.executemany(_ADD, rows)


def add_redactions(
    cursor: psycopg.Cursor[tuple[object, ...]], cluster_id: int, counts: Mapping[tuple[date, Kind], int]
) -> None:
    """This will add these counts to those of a cluster, in the caller's transaction."""
    rows = [(cluster_id, day, kind.value, number) for (day, kind), number in sorted(counts.items()) if number]
    if rows:
        cursor.executemany(_ADD, rows)


def list_redactions(connection: Connection, cluster_id: int | None = None) -> list[Replaced]:
    """This will return the counts, newest day first."""
    rows = connection.execute(
        "SELECT c.name, r.day, r.kind, r.replaced FROM anomaly.redaction r JOIN anomaly.cluster c ON c.id = r.cluster_id"
        " WHERE %(cluster)s::int IS NULL OR r.cluster_id = %(cluster)s ORDER BY r.day DESC, c.name, r.kind",
        {"cluster": cluster_id},
    ).fetchall()
    return [Replaced(str(name), _day(day), Kind(str(kind)), int(str(n))) for name, day, kind, n in rows]


def _day(value: object) -> date:
    assert isinstance(value, date)
    return value
