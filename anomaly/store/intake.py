"""The account of what came in: written in the transaction of the events, read as tallies.

A row is for one cluster, hour of arrival, source and process of the database server that writes it: writers never wait for
each other's row, and each finds its own in the cache. `join_lanes` makes one row of them when the hour is over.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Any, Final

import numpy as np
import psycopg
from numpy.typing import NDArray

from anomaly.intake.lag import BUCKETS, LIVE_US, histogram
from anomaly.intake.tally import Tally
from anomaly.store.batch import Batch
from anomaly.store.terms import without_nul

Connection = psycopg.Connection[tuple[object, ...]]
Cursor = psycopg.Cursor[tuple[object, ...]]
Kept = NDArray[np.bool_]

BODIES_KEPT: Final = timedelta(hours=1)
"""How long a batch is recognised when it comes again; a kube-apiserver gives up after five minutes at the latest."""
LONGEST_SOURCE: Final = 200
_NO_LAGS: Final = [0] * BUCKETS


@dataclass(frozen=True, slots=True)
class Sent:
    """One batch as it was sent: how many events it came to, how long it was in bytes, and when it reached us (microseconds
    since 1970)."""

    events: int
    size: int
    at_us: int


def keep_account(
    cursor: Cursor,
    batches: Sequence[Batch],
    came: Sequence[tuple[str, Sequence[Sent], bool]],
    new: Sequence[Kept],
) -> None:
    """This will add to the account what came of these batches, in the caller's transaction; `came` says of each from where,
    in which bodies, and whether anything live was left out of it. Clusters come in order."""
    retries = _retries(cursor, batches, [parts for _, parts, _ in came])
    rows = [
        _row(batch, source, parts, kept, again, live)
        for batch, (source, parts, live), kept, again in zip(batches, came, new, retries, strict=True)
        if batch.n or batch.rejects or parts
    ]
    if rows:
        cursor.executemany(_ADD, rows) if len(rows) > 1 else cursor.execute(_ADD, rows[0])


def _row(
    batch: Batch, source: str, parts: Sequence[Sent], kept: Kept, retries: int, live: bool
) -> dict[str, object]:
    fresh = int(kept.sum())
    stages = batch.received_us + batch.latency_us
    row: dict[str, object] = {
        "cluster": batch.cluster_id,
        "source": without_nul(source)[:LONGEST_SOURCE],
        "kept": fresh,
        "duplicates": batch.n - fresh,
        "quarantined": len(batch.rejects),
        "bytes": int(batch.sizes[kept].sum()),
        "batches": len(parts),
        "retries": retries,
        "truncated": 0,
        "cut_agents": 0,
        "first": None,
        "last": None,
        "live": live,
        "lag": _NO_LAGS,
        "least": None,
        "most": None,
    }
    if not fresh:
        return row
    by_shape = np.bincount(batch.shape[kept], minlength=len(batch.known))
    row["truncated"] = sum(int(n) for n, one in zip(by_shape, batch.known, strict=True) if one.truncated)
    row["cut_agents"] = sum(int(n) for n, one in zip(by_shape, batch.known, strict=True) if one.cut_agent)
    fresh_stages = stages[kept]
    row["first"], row["last"] = int(fresh_stages.min()), int(fresh_stages.max())
    if parts and sum(part.events for part in parts) == batch.n:
        arrived = np.repeat([part.at_us for part in parts], [part.events for part in parts])
        # The latency of a long watch is cut, and is no lateness.
        lags = (arrived - stages)[kept & (batch.latency_us < 2**31 - 1)]
        if lags.size:
            row["lag"] = histogram(lags).tolist()
            row["least"], row["most"] = int(lags.min()), int(lags.max())
            row["live"] = live or bool(lags.min() <= LIVE_US)
    return row


def _retries(cursor: Cursor, batches: Sequence[Batch], sent: Sequence[Sequence[Sent]]) -> list[int]:
    """How many of the bodies of each batch came before: the same events in the same order, in as many bytes.

    A kube-apiserver sends a batch again byte for byte; the keys of its events are hashed already, the whole body is not, and
    hashing it would cost 4 % of the intake. Bodies of which some events were refused, or that were split, are not looked at.
    """
    found = [0] * len(batches)
    digests: list[tuple[int, str, int]] = []
    for place, (batch, parts) in enumerate(zip(batches, sent, strict=True)):
        if sum(part.events for part in parts) != batch.n:
            continue
        start = 0
        for part in parts:
            if part.events:
                keys = b"".join(batch.keys[start : start + part.events])
                digest = blake2b(keys, digest_size=16, salt=part.size.to_bytes(16, "big")).hexdigest()
                digests.append((batch.cluster_id, digest, place))
            start += part.events
    if not digests:
        return found
    first: dict[tuple[int, str], int] = {}
    for cluster, digest, place in digests:
        if (cluster, digest) in first:
            found[place] += 1
        first.setdefault((cluster, digest), place)
    listed = sorted(first)
    cursor.execute(_BODIES, [[cluster for cluster, _ in listed], [digest for _, digest in listed]])
    for number, seen in cursor.fetchall():
        found[first[int(str(number)), str(seen).replace("-", "")]] += 1
    return found


_BODIES: Final = """
WITH seen AS (
  INSERT INTO anomaly.intake_body AS b (cluster_id, digest)
  SELECT c, d FROM unnest(%s::smallint[], %s::uuid[]) AS new (c, d)
  ON CONFLICT (cluster_id, digest) DO UPDATE SET times = b.times + 1, seen_at = now()
  RETURNING cluster_id, digest, times)
SELECT cluster_id, digest FROM seen WHERE times > 1
"""

_MICROSECONDS: Final = "to_timestamp(0) + %({})s::bigint * interval '1 microsecond'"
_JOIN: Final = """
  kept = i.kept + excluded.kept, duplicates = i.duplicates + excluded.duplicates,
  quarantined = i.quarantined + excluded.quarantined, bytes = i.bytes + excluded.bytes,
  batches = i.batches + excluded.batches, retries = i.retries + excluded.retries,
  truncated = i.truncated + excluded.truncated, cut_agents = i.cut_agents + excluded.cut_agents,
  refused = i.refused + excluded.refused, minutes = i.minutes | excluded.minutes,
  first_event_at = least(i.first_event_at, excluded.first_event_at),
  last_event_at = greatest(i.last_event_at, excluded.last_event_at),
  last_arrival_at = greatest(i.last_arrival_at, excluded.last_arrival_at),
  least_lag_us = least(i.least_lag_us, excluded.least_lag_us),
  most_lag_us = greatest(i.most_lag_us, excluded.most_lag_us),
  lag = ARRAY(SELECT a + b FROM unnest(i.lag, excluded.lag) WITH ORDINALITY AS both_lags (a, b, place) ORDER BY place)
"""
_ADD: Final = f"""
INSERT INTO anomaly.intake_hour AS i (cluster_id, hour_at, source, lane, kept, duplicates, quarantined, bytes, batches, retries,
  truncated, cut_agents, first_event_at, last_event_at, last_arrival_at, minutes, lag, least_lag_us, most_lag_us)
VALUES (%(cluster)s, date_trunc('hour', now()), %(source)s, pg_backend_pid(), %(kept)s, %(duplicates)s, %(quarantined)s,
  %(bytes)s, %(batches)s, %(retries)s, %(truncated)s, %(cut_agents)s,
  {_MICROSECONDS.format("first")}, {_MICROSECONDS.format("last")}, now(),
  CASE WHEN %(live)s THEN 1::bigint << extract(minute FROM now())::int ELSE 0 END,
  %(lag)s::bigint[], %(least)s, %(most)s)
ON CONFLICT (cluster_id, hour_at, source, lane) DO UPDATE SET {_JOIN}
"""  # noqa: S608 -- made of the constants above


def add_refusals(connection: Connection, refused: Mapping[int, int], source: str) -> None:
    """This will add bodies that were answered 503, by the number of the cluster. Commits."""
    connection.execute(
        """
INSERT INTO anomaly.intake_hour AS i (cluster_id, hour_at, source, lane, refused, lag)
SELECT r.cluster_id, date_trunc('hour', now()), %s, pg_backend_pid(), r.refused, %s::bigint[]
FROM unnest(%s::smallint[], %s::bigint[]) AS r (cluster_id, refused) ORDER BY r.cluster_id
ON CONFLICT (cluster_id, hour_at, source, lane) DO UPDATE SET refused = i.refused + excluded.refused
""",
        [source, _NO_LAGS, list(refused), list(refused.values())],
    )
    connection.commit()


@dataclass(frozen=True, slots=True)
class Hour:
    """The account of one cluster, hour of arrival and source."""

    cluster_id: int
    hour: datetime
    source: str
    tally: Tally


_COLUMNS: Final = (
    "kept, duplicates, quarantined, bytes, batches, retries, truncated, cut_agents, refused, minutes, first_event_at,"
    " last_event_at, last_arrival_at, lag, least_lag_us, most_lag_us"
)


def hours_of(connection: Connection, cluster_id: int, since: datetime, until: datetime) -> list[Hour]:
    """This will return the account of a cluster by hour and source, oldest first; hours that began in [since, until)."""
    rows = connection.execute(
        f"SELECT hour_at, source, {_COLUMNS} FROM anomaly.intake_hour"  # noqa: S608 -- a constant
        " WHERE cluster_id = %s AND hour_at >= %s AND hour_at < %s ORDER BY hour_at, source",
        [cluster_id, since, until],
    ).fetchall()
    found: dict[tuple[datetime, str], Tally] = {}
    for row in rows:
        key, tally = _tally(row)
        found[key] = found.get(key, Tally()) + tally
    return [Hour(cluster_id, hour, source, tally) for (hour, source), tally in found.items()]


def _tally(row: tuple[Any, ...]) -> tuple[tuple[datetime, str], Tally]:
    hour, source, *values = row
    values[13] = tuple(values[13])
    return (hour, source), Tally(*values)


def last_arrival(connection: Connection, cluster_id: int) -> datetime | None:
    """This will return when anything last came for a cluster, by the database's clock; None when nothing ever did."""
    row = connection.execute(
        "SELECT max(last_arrival_at) FROM anomaly.intake_hour WHERE cluster_id = %s", [cluster_id]
    ).fetchone()
    return row[0] if row and isinstance(row[0], datetime) else None


def join_lanes(connection: Connection, before: datetime) -> int:
    """This will make one row of all that were written about an hour that is over, and return how many are gone. Commits."""
    done = connection.execute(
        f"""
WITH gone AS (
  DELETE FROM anomaly.intake_hour WHERE hour_at < %(before)s AND lane <> 0 RETURNING *),
summed AS (
  SELECT cluster_id, hour_at, source, sum(kept) kept, sum(duplicates) duplicates, sum(quarantined) quarantined,
    sum(bytes) bytes, sum(batches) batches, sum(retries) retries, sum(truncated) truncated, sum(cut_agents) cut_agents,
    sum(refused) refused, bit_or(minutes) minutes, min(first_event_at) first_event_at, max(last_event_at) last_event_at,
    max(last_arrival_at) last_arrival_at, min(least_lag_us) least_lag_us, max(most_lag_us) most_lag_us, count(*) lanes
  FROM gone GROUP BY cluster_id, hour_at, source),
lags AS (
  SELECT cluster_id, hour_at, source, array_agg(events ORDER BY place) lag FROM (
    SELECT cluster_id, hour_at, source, place, sum(events)::bigint events
    FROM gone, unnest(lag) WITH ORDINALITY AS one (events, place) GROUP BY cluster_id, hour_at, source, place) each
  GROUP BY cluster_id, hour_at, source),
written AS (
  INSERT INTO anomaly.intake_hour AS i (cluster_id, hour_at, source, lane, {_COLUMNS})
  SELECT cluster_id, hour_at, source, 0, {_COLUMNS} FROM summed JOIN lags USING (cluster_id, hour_at, source)
  ON CONFLICT (cluster_id, hour_at, source, lane) DO UPDATE SET {_JOIN})
SELECT coalesce(sum(lanes), 0) FROM summed
""",  # noqa: S608 -- constants
        {"before": before},
    ).fetchone()
    connection.commit()
    return int(str(done[0])) if done else 0


def forget_account(connection: Connection, before: datetime) -> int:
    """This will forget the account of hours before a moment, and return how many rows that was. Commits."""
    gone = connection.execute("DELETE FROM anomaly.intake_hour WHERE hour_at < %s", [before]).rowcount
    connection.commit()
    return gone


def forget_bodies(connection: Connection, now: datetime) -> int:
    """This will forget batches that will not come again, and return how many. Commits."""
    gone = connection.execute(
        "DELETE FROM anomaly.intake_body WHERE seen_at < %s", [now - BODIES_KEPT]
    ).rowcount
    connection.commit()
    return gone
