"""Sums over many windows at once, for pictures: the histograms are added up as they lie, no event is read.

Only terms of the dimensions that are asked for get their text. Of very many windows some are read and stand for the rest; the
answer says so.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import numpy as np
import psycopg
from numpy.typing import NDArray
from psycopg import sql

from anomaly.events.key import EPOCH
from anomaly.windows.dimension import Dimension
from anomaly.windows.window import RECORD

Connection = psycopg.Connection[tuple[object, ...]]
MOST_WINDOWS: Final = 3_000
"""Windows read for one picture: some 6 MB, a tenth of a second. Twice as many took pages of a month beyond 150 ms."""
_FROM_2000_US: Final = (datetime(2000, 1, 1, tzinfo=UTC) - EPOCH) // timedelta(microseconds=1)
"""PostgreSQL's own form counts times from the year 2000 on."""


@dataclass(frozen=True, slots=True)
class Tallies:
    """Entries of windows, flat: when the window begins (microseconds), whose it is, the term, how often. `one_of` n: each n-th
    window was read, and counts are already multiplied."""

    start: NDArray[np.int64]
    entity: NDArray[np.int64]
    term: NDArray[np.int64]
    count: NDArray[np.float64]
    dimension: NDArray[np.uint8]
    texts: dict[int, str]
    windows: int
    one_of: int

    def by_text(self, dimension: Dimension) -> dict[str, float]:
        """This will return how often each text of a dimension occurred, the most frequent first."""
        chosen = self.dimension == int(dimension)
        return {
            self.texts.get(term, ""): total for term, total in _summed(self.term[chosen], self.count[chosen])
        }

    def by_entity(self, dimension: Dimension) -> dict[int, float]:
        """This will return the counts of a dimension by entity, the largest first."""
        chosen = self.dimension == int(dimension)
        return dict(_summed(self.entity[chosen], self.count[chosen]))

    def by_start(self, dimension: Dimension) -> dict[datetime, float]:
        """This will return the counts of a dimension by when the window begins."""
        chosen = self.dimension == int(dimension)
        found = _summed(self.start[chosen], self.count[chosen])
        return {EPOCH + timedelta(microseconds=start): total for start, total in sorted(found)}


def _summed(keys: NDArray[np.int64], counts: NDArray[np.float64]) -> list[tuple[int, float]]:
    distinct, where = np.unique(keys, return_inverse=True)
    totals = np.bincount(where, weights=counts, minlength=len(distinct))
    order = np.argsort(-totals, kind="stable")
    return list(zip(distinct[order].tolist(), totals[order].tolist(), strict=True))


def read_tallies(
    connection: Connection,
    since: datetime,
    until: datetime,
    dimensions: Collection[Dimension],
    *,
    clusters: Collection[int],
    entities: Collection[int] | None = None,
    most: int = MOST_WINDOWS,
) -> Tallies:
    """This will read the windows that begin in [since, until) of these clusters, of some entities or of all, folded or not."""
    which = sql.SQL("start_at >= {} AND start_at < {} AND cluster_id = ANY({})").format(
        since, until, sorted(clusters)
    )
    if entities is not None:
        which += sql.SQL(" AND entity_id = ANY({})").format(sorted(entities))
    counted = connection.execute(
        sql.SQL("SELECT count(*) FROM anomaly.entity_window WHERE {}").format(which)
    ).fetchone()
    windows = int(str(counted[0])) if counted else 0
    one_of = max(1, -(-windows // most))
    if one_of > 1:
        mixed = sql.SQL(
            "mod(abs(hashint8(extract(epoch FROM start_at)::bigint * 31 + entity_id)::bigint), {}) = 0"
        )
        which += sql.SQL(" AND ") + mixed.format(one_of)
    with connection.cursor(binary=True) as cursor:
        # Each entity's windows in three runs of bytes: five thousand rows one by one took longer than all that is done with them.
        rows = cursor.execute(
            sql.SQL(
                "SELECT entity_id, string_agg(timestamptz_send(start_at), ''), string_agg(int4send(length(histogram)), ''),"
                " string_agg(histogram, '') FROM (SELECT entity_id, start_at, histogram FROM anomaly.entity_window WHERE {0}"
                " UNION ALL SELECT entity_id, start_at, histogram FROM anomaly.window_part WHERE {0}) AS windows"
                " GROUP BY entity_id"
            ).format(which)
        ).fetchall()
    runs = [
        (int(str(owner)), _bytes(starts), _bytes(sizes), _bytes(blobs))
        for owner, starts, sizes, blobs in rows
    ]
    return _tallies(connection, runs, dimensions, windows, one_of)


def _bytes(run: object) -> bytes:
    assert isinstance(run, bytes)
    return run


def _tallies(
    connection: Connection,
    runs: list[tuple[int, bytes, bytes, bytes]],
    dimensions: Collection[Dimension],
    windows: int,
    one_of: int,
) -> Tallies:
    whose, moments, sizes, blobs = zip(*runs, strict=True) if runs else ((), (), (), ())
    starts = np.frombuffer(b"".join(moments), dtype=">i8").astype(np.int64) + _FROM_2000_US
    lengths = np.frombuffer(b"".join(sizes), dtype=">i4").astype(np.int64) // RECORD.itemsize
    each = [len(run) // 8 for run in moments]
    owners = np.repeat(np.array(whose, dtype=np.int64), each)
    records = np.frombuffer(b"".join(blobs), dtype=RECORD)
    term = records["term"].astype(np.int64)
    # Terms are kept before the windows that hold them, so those read now cover all of them.
    rows = connection.execute(
        "SELECT id, dimension, value FROM anomaly.term WHERE dimension = ANY(%s)",
        [[int(one) for one in dimensions]],
    ).fetchall()
    known = np.zeros(int(term.max(initial=0)) + 1, dtype=np.uint8)
    texts: dict[int, str] = {}
    for number, dimension, text in rows:
        place = int(str(number))
        if place < len(known):
            known[place] = int(str(dimension))
            texts[place] = str(text)
    # Few of the entries are of a dimension that is asked for: only these are drawn out.
    chosen = np.flatnonzero(known[term])
    window = np.searchsorted(np.cumsum(lengths), chosen, side="right")
    return Tallies(
        starts[window],
        owners[window],
        term[chosen],
        records["count"][chosen].astype(np.float64) * one_of,
        known[term[chosen]],
        texts,
        windows,
        one_of,
    )
