"""What API servers counted themselves, sample by sample, and what we received over the same time."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

import psycopg
from psycopg.types.json import Jsonb

from anomaly.intake.exposition import Sample

Connection = psycopg.Connection[tuple[object, ...]]

LONGEST_INSTANCE: Final = 200
_LONGEST_LATENCY: Final = timedelta(minutes=36)
"""The latency of an event is kept up to 35 minutes."""


def keep_sample(connection: Connection, cluster_id: int, sample: Sample) -> None:
    """This will keep a sample; one of the same instance and moment is replaced."""
    connection.execute(
        "INSERT INTO anomaly.audit_metrics (cluster_id, instance, at, started_at, generated, errors, levels, rejected)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT (cluster_id, instance, at) DO UPDATE SET"
        " started_at = excluded.started_at, generated = excluded.generated, errors = excluded.errors,"
        " levels = excluded.levels, rejected = excluded.rejected",
        [
            cluster_id,
            sample.instance[:LONGEST_INSTANCE],
            sample.at,
            sample.started,
            sample.generated,
            Jsonb(dict(sample.errors)),
            Jsonb(dict(sample.levels)),
            sample.rejected,
        ],
    )


def last_pairs(connection: Connection, cluster_id: int) -> list[tuple[Sample | None, Sample]]:
    """This will return of each instance that was read within an hour of the newest its newest sample and the one before it."""
    rows = connection.execute(
        """
WITH numbered AS (
  SELECT *, row_number() OVER (PARTITION BY instance ORDER BY at DESC) AS place,
    max(at) OVER (PARTITION BY instance) AS newest, max(at) OVER () AS newest_of_all
  FROM anomaly.audit_metrics WHERE cluster_id = %s)
SELECT instance, at, started_at, generated, errors, levels, rejected FROM numbered
WHERE place <= 2 AND newest > newest_of_all - interval '1 hour' ORDER BY instance, at
""",
        [cluster_id],
    ).fetchall()
    found: dict[str, list[Sample]] = {}
    for row in rows:
        sample = _sample(row)
        found.setdefault(sample.instance, []).append(sample)
    return [(listed[-2] if len(listed) > 1 else None, listed[-1]) for listed in found.values()]


def received_between(
    connection: Connection, cluster_id: int, since: datetime, until: datetime, edge: timedelta
) -> tuple[int, int]:
    """This will return how many events kept are of a stage in (since, until], and how many lie within `edge` of either end.

    By the time of the stage, when the API server counts. Of stages more than 35 minutes after their request (long watches) the time
    is not kept exactly: they count as near an end.
    """
    row = connection.execute(
        """
SELECT count(*) FILTER (WHERE at > %(since)s AND at <= %(until)s),
  count(*) FILTER (WHERE exact AND (at BETWEEN %(since)s - %(edge)s AND %(since)s + %(edge)s
    OR at BETWEEN %(until)s - %(edge)s AND %(until)s + %(edge)s)) + count(*) FILTER (WHERE NOT exact)
FROM (SELECT received_at + latency_us * interval '1 microsecond' AS at, latency_us < 2147483647 AS exact FROM anomaly.event
  WHERE cluster_id = %(cluster)s AND received_at > %(since)s - %(reach)s AND received_at <= %(until)s + %(edge)s) each
""",
        {
            "cluster": cluster_id,
            "since": since,
            "until": until,
            "edge": edge,
            "reach": _LONGEST_LATENCY + edge,
        },
    ).fetchone()
    assert row is not None
    return int(str(row[0])), int(str(row[1]))


def first_event(connection: Connection, cluster_id: int) -> datetime | None:
    """This will return the time of the oldest event that is kept of a cluster."""
    row = connection.execute(
        "SELECT min(received_at) FROM anomaly.event WHERE cluster_id = %s", [cluster_id]
    ).fetchone()
    return row[0] if row and isinstance(row[0], datetime) else None


def forget_samples(connection: Connection, before: datetime) -> int:
    """This will forget samples before a moment, and return how many. Commits."""
    gone = connection.execute("DELETE FROM anomaly.audit_metrics WHERE at < %s", [before]).rowcount
    connection.commit()
    return gone


def _sample(row: tuple[Any, ...]) -> Sample:
    instance, at, started, generated, errors, levels, rejected = row
    return Sample(at, generated, errors, levels, rejected, started, instance)
