"""The first time anything was seen: for an entity and for the whole cluster, for ever.

`seen` is the truth; each process remembers what it knows to be there, so that only news reach the database.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

import numpy as np
import psycopg
from numpy.typing import NDArray

from anomaly.events.key import EPOCH
from anomaly.store.arrays import array_of
from anomaly.store.batch import Batch
from anomaly.store.events import DAY_US
from anomaly.windows.entity import CLUSTER_WIDE
from anomaly.windows.firsts import Firsts

_REMEMBERED: Final = 200_000
_READ_AT_ONCE: Final = 50_000
Ints = NDArray[np.int64]
Sighting = tuple[int, int]


class Sightings:
    """Writes sightings. One for each process; what it remembers is bounded and only believed once committed."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, int, int], Sighting] = {}
        self._pending: dict[tuple[int, int, int], Sighting] = {}

    def keep(self, cursor: psycopg.Cursor[tuple[object, ...]], batch: Batch, kept: NDArray[np.bool_]) -> None:
        """This will write the sightings of the kept events, in the caller's transaction; `committed` must follow it."""
        entities, terms, first, last = sightings(batch, kept)
        fresh: list[tuple[int, int, int, int]] = []
        for entity, term, low, high in zip(
            entities.tolist(), terms.tolist(), first.tolist(), (last // DAY_US).tolist(), strict=True
        ):
            known = self._known.get((batch.cluster_id, entity, term))
            if known is None or low < known[0] or high > known[1]:
                fresh.append((entity, term, low, high))
                self._pending[batch.cluster_id, entity, term] = (
                    (low, high) if known is None else (min(low, known[0]), max(high, known[1]))
                )
        if not fresh:
            return
        # Sorted by key: two writers take the same rows in the same order and cannot lock each other out.
        columns = list(zip(*sorted(fresh), strict=True))
        cursor.execute(
            "INSERT INTO anomaly.seen AS s (cluster_id, entity_id, term_id, first_at, last_on)"
            " SELECT %s, e, t, to_timestamp(0) + f * interval '1 microsecond', date '1970-01-01' + l"
            " FROM unnest(%s::int[], %s::int[], %s::bigint[], %s::int[]) AS news (e, t, f, l)"
            " ON CONFLICT (cluster_id, entity_id, term_id) DO UPDATE SET first_at = least(s.first_at, excluded.first_at),"
            " last_on = greatest(s.last_on, excluded.last_on)"
            " WHERE excluded.first_at < s.first_at OR excluded.last_on > s.last_on",
            [batch.cluster_id, *map(array_of, columns)],
        )

    def committed(self) -> None:
        """This will believe what was written since the last call: the transaction is durable."""
        if len(self._known) + len(self._pending) > _REMEMBERED:
            self._known.clear()
        self._known.update(self._pending)
        self._pending.clear()

    def rolled_back(self) -> None:
        """This will forget what was written since the last call: the transaction never happened."""
        self._pending.clear()


def sightings(batch: Batch, kept: NDArray[np.bool_]) -> tuple[Ints, Ints, Ints, Ints]:
    """This will return (entity, term, first and last microsecond), each pair once, for entities and for the cluster."""
    shape, received = batch.shape[kept], batch.received_us[kept]
    size = len(batch.known)
    low = np.full(size, np.iinfo(np.int64).max)
    high = np.full(size, -1, dtype=np.int64)
    np.minimum.at(low, shape, received)
    np.maximum.at(high, shape, received)
    entity: list[int] = []
    term: list[int] = []
    at: list[int] = []
    for index in np.flatnonzero(high >= 0).tolist():
        known = batch.known[index]
        term.extend(known.novel)
        entity.extend([known.entity_id] * len(known.novel))
        at.extend([index] * len(known.novel))
    where = np.array(at, dtype=np.int64)
    chosen = batch.extra_novel & kept[batch.extra_event] if len(batch.extra_event) else batch.extra_novel
    events = batch.extra_event[chosen]
    owners = np.array([known.entity_id for known in batch.known], dtype=np.int64)
    entities = np.concatenate((np.array(entity, dtype=np.int64), owners[batch.shape[events]]))
    terms = np.concatenate((np.array(term, dtype=np.int64), batch.extra_term[chosen]))
    first = np.concatenate((low[where], batch.received_us[events]))
    last = np.concatenate((high[where], batch.received_us[events]))
    everyone = np.full(len(entities), CLUSTER_WIDE, dtype=np.int64)
    return _extremes(
        np.concatenate((entities, everyone)), np.tile(terms, 2), np.tile(first, 2), np.tile(last, 2)
    )


def _extremes(entities: Ints, terms: Ints, first: Ints, last: Ints) -> tuple[Ints, Ints, Ints, Ints]:
    if not len(entities):
        return entities, terms, first, last
    packed = (entities << 32) | terms
    order = np.argsort(packed, kind="stable")
    packed = packed[order]
    starts = np.flatnonzero(np.concatenate(([True], np.diff(packed) != 0)))
    lowest = np.minimum.reduceat(first[order], starts)
    highest = np.maximum.reduceat(last[order], starts)
    return packed[starts] >> 32, packed[starts] & 0xFFFFFFFF, lowest, highest


def load_firsts(connection: psycopg.Connection[tuple[object, ...]], cluster_id: int) -> Firsts:
    """This will return every first sighting of a cluster: 24 bytes each while loading, 16 after."""
    return _firsts(connection, cluster_id, "-infinity")


def newer_firsts(
    connection: psycopg.Connection[tuple[object, ...]], cluster_id: int, since_us: int
) -> Firsts:
    """This will return the first sightings of a cluster at `since_us` (microseconds since 1970) or later."""
    return _firsts(connection, cluster_id, EPOCH + timedelta(microseconds=since_us))


def _firsts(
    connection: psycopg.Connection[tuple[object, ...]], cluster_id: int, since: datetime | str
) -> Firsts:
    blocks: list[NDArray[np.int64]] = []
    with connection.cursor(binary=True) as cursor:
        cursor.execute(
            "SELECT entity_id::bigint, term_id::bigint, (extract(epoch FROM first_at) * 1000000)::bigint"
            " FROM anomaly.seen WHERE cluster_id = %s AND first_at >= %s",
            [cluster_id, since],
        )
        while rows := cursor.fetchmany(_READ_AT_ONCE):
            blocks.append(np.array(rows, dtype=np.int64))
    if not blocks:
        return Firsts.none()
    entity, term, first = np.concatenate(blocks).T
    return Firsts.of(entity, term, first)


def firsts_since(
    connection: psycopg.Connection[tuple[object, ...]], cluster_id: int, entity_id: int, since: datetime
) -> tuple[Ints, Ints]:
    """This will return (terms, first microseconds) of what one entity, or `CLUSTER_WIDE`, showed first at `since` or later."""
    with connection.cursor(binary=True) as cursor:
        cursor.execute(
            "SELECT term_id::bigint, (extract(epoch FROM first_at) * 1000000)::bigint FROM anomaly.seen"
            " WHERE cluster_id = %s AND entity_id = %s AND first_at >= %s",
            [cluster_id, entity_id, since],
        )
        rows = cursor.fetchall()
    found = np.array(rows, dtype=np.int64).reshape(-1, 2)
    return found[:, 0], found[:, 1]
