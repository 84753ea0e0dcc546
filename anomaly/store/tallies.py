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


_MIXED: Final = "mod(abs(hashint8(date_part('epoch', start_at)::bigint * 31 + entity_id)::bigint), {}) = 0"
"""One of so many windows: any times of the day and any entities are among them. `extract` would count in decimals, slower."""
_WHOLE: Final = "SELECT entity_id, start_at, histogram FROM anomaly.entity_window WHERE {}"
_PARTS: Final = "SELECT entity_id, start_at, histogram FROM anomaly.window_part WHERE {}"
# The keys first, which an index tells alone, then the few windows: not one of twenty that are looked at is wanted. "Offset" keeps
# PostgreSQL from making one question of the two.
_SOME: Final = (
    "SELECT w.entity_id, w.start_at, w.histogram FROM"
    " (SELECT entity_id, start_at FROM anomaly.entity_window WHERE {} AND {} OFFSET 0) AS wanted"
    " JOIN anomaly.entity_window w USING (entity_id, start_at) WHERE w.cluster_id = ANY({})"
)
_JOINED: Final = (
    # Each entity's windows in three runs of bytes: five thousand rows one by one took longer than all that is done with them.
    "SELECT entity_id, string_agg(timestamptz_send(start_at), ''), string_agg(int4send(length(histogram)), ''),"
    " string_agg(histogram, '') FROM ({} UNION ALL {}) AS windows GROUP BY entity_id"
)


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
            self.texts.get(term, ""): total for term, total in summed(self.term[chosen], self.count[chosen])
        }

    def by_entity(self, dimension: Dimension) -> dict[int, float]:
        """This will return the counts of a dimension by entity, the largest first."""
        chosen = self.dimension == int(dimension)
        return dict(summed(self.entity[chosen], self.count[chosen]))

    def by_start(self, dimension: Dimension) -> dict[datetime, float]:
        """This will return the counts of a dimension by when the window begins."""
        chosen = self.dimension == int(dimension)
        found = summed(self.start[chosen], self.count[chosen])
        return {EPOCH + timedelta(microseconds=start): total for start, total in sorted(found)}


def summed(keys: NDArray[np.int64], counts: NDArray[np.float64]) -> list[tuple[int, float]]:
    """This will return the sum of the counts of each key, the largest first."""
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
    within = sql.SQL("start_at >= {} AND start_at < {}").format(since, until)
    if entities is not None:
        within += sql.SQL(" AND entity_id = ANY({})").format(sorted(entities))
    elif not _are_all(connection, clusters):
        # By entity, not by the window's own cluster: that stands in no index, and every window would be read for it.
        mine = "SELECT id FROM anomaly.entity WHERE cluster_id = ANY({})"
        within += sql.SQL(" AND entity_id = ANY(ARRAY(" + mine + "))").format(sorted(clusters))
    counted = connection.execute(
        sql.SQL("SELECT count(*) FROM anomaly.entity_window WHERE {}").format(within)
    ).fetchone()
    windows = int(str(counted[0])) if counted else 0
    one_of = max(1, -(-windows // most))
    which = within + sql.SQL(" AND cluster_id = ANY({})").format(sorted(clusters))
    whole, parts = sql.SQL(_WHOLE).format(which), sql.SQL(_PARTS).format(which)
    if one_of > 1:
        mixed = sql.SQL(_MIXED).format(one_of)
        whole = sql.SQL(_SOME).format(within, mixed, sorted(clusters))
        parts += sql.SQL(" AND ") + mixed
    with connection.cursor(binary=True) as cursor:
        rows = cursor.execute(sql.SQL(_JOINED).format(whole, parts)).fetchall()
    runs = [
        (int(str(owner)), _bytes(starts), _bytes(sizes), _bytes(blobs))
        for owner, starts, sizes, blobs in rows
    ]
    return _tallies(connection, runs, dimensions, windows, one_of)


def _are_all(connection: Connection, clusters: Collection[int]) -> bool:
    """Whether these are all clusters there are."""
    rows = connection.execute("SELECT id FROM anomaly.cluster").fetchall()
    return {int(str(number)) for (number,) in rows} <= set(clusters)


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
