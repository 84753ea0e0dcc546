"""Runs of jobs: claimed by one, known to all, taken again when whoever ran them died.

A run is claimed by its row, unique on (job, scheduled time). While it goes on, the session that claimed it holds an advisory lock
of its number, which PostgreSQL lets go of when that session ends, however it ends. So a row that says `running` without a lock
belongs to somebody who died, and needs no time-out to be known as such.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

from anomaly.errors import DatabaseUnavailable, NotFound

Connection = psycopg.Connection[tuple[object, ...]]

LEADER: Final = 4_116_821_430_042_072
"""Names the advisory lock of whoever leads; beside the one of `migrate.py`."""
RUN: Final = 0x6A6F62
"""First half of the two numbers that name the lock of a run."""
MOST_ATTEMPTS: Final = 3
RUNNING, OK, FAILED, CRASHED = "running", "ok", "failed", "crashed"


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a job. `attempt` counts from 1; `detail` says what came of it."""

    id: int
    job: str
    scheduled_at: datetime
    started_at: datetime
    finished_at: datetime | None
    attempt: int
    host: str
    outcome: str
    detail: dict[str, Any]


_COLUMNS: Final = sql.SQL("id, job, scheduled_at, started_at, finished_at, attempt, host, outcome, detail")


@contextmanager
def claimed(
    connection: Connection, job: str, scheduled_at: datetime, host: str, now: datetime
) -> Iterator[Run | None]:
    """This will claim a run and hold its lock until the end of the block; None when it is somebody else's or was done.

    A run that crashed or failed is taken again, at most three times in all. The connection is the caller's alone.
    """
    run = _claim(connection, job, scheduled_at, host, now)
    try:
        yield run
    finally:
        if run is not None and not connection.closed:
            connection.rollback()
            connection.execute("SELECT pg_advisory_unlock(%s, %s)", [RUN, run.id])
            connection.commit()


def _claim(connection: Connection, job: str, scheduled_at: datetime, host: str, now: datetime) -> Run | None:
    row = connection.execute(
        sql.SQL(
            "INSERT INTO anomaly.job_run AS r (job, scheduled_at, started_at, host) VALUES (%(job)s, %(at)s, %(now)s, %(host)s)"
            " ON CONFLICT (job, scheduled_at) DO UPDATE SET outcome = 'running', started_at = excluded.started_at,"
            " finished_at = NULL, host = excluded.host, attempt = r.attempt + 1"
            " WHERE r.outcome IN ('crashed', 'failed') AND r.attempt < %(most)s"
            " RETURNING {}"
        ).format(_COLUMNS),
        {"job": job, "at": scheduled_at, "now": now, "host": host, "most": MOST_ATTEMPTS},
    ).fetchone()
    if row is None:
        connection.rollback()
        return None
    run = _run(row)
    # Before the commit: nobody ever sees the row without its lock.
    held = connection.execute("SELECT pg_try_advisory_lock(%s, %s)", [RUN, run.id]).fetchone()
    if held is None or not held[0]:
        connection.rollback()
        raise DatabaseUnavailable(f"The run {run.id} of {job} is locked by somebody who does not hold it.")
    connection.commit()
    return run


def finish(
    connection: Connection, run: Run, outcome: str, detail: Mapping[str, object], now: datetime
) -> bool:
    """This will note how a run ended, and return whether it still was ours: False when it was taken for dead and taken again."""
    done = connection.execute(
        "UPDATE anomaly.job_run SET outcome = %s, detail = %s, finished_at = %s"
        " WHERE id = %s AND attempt = %s AND outcome = 'running'",
        [outcome, Jsonb(dict(detail)), now, run.id, run.attempt],
    ).rowcount
    connection.commit()
    return bool(done)


def note(connection: Connection, run: Run, detail: Mapping[str, object]) -> None:
    """This will note how far a run is, for whoever looks at it meanwhile. Commits."""
    connection.execute(
        "UPDATE anomaly.job_run SET detail = %s WHERE id = %s AND attempt = %s AND outcome = 'running'",
        [Jsonb(dict(detail)), run.id, run.attempt],
    )
    connection.commit()


def find_run(connection: Connection, number: int) -> Run:
    """This will return one run. Raises NotFound."""
    row = connection.execute(
        sql.SQL("SELECT {} FROM anomaly.job_run WHERE id = %s").format(_COLUMNS), [number]
    ).fetchone()
    if row is None:
        raise NotFound(f"There is no run {number}.", hint="`anomaly jobs history` shows them.")
    return _run(row)


def runs_before(
    connection: Connection,
    job: str | None,
    before: int | None,
    clusters: frozenset[str] | None,
    limit: int,
) -> list[Run]:
    """This will return runs by number, the latest first, those before a number; `clusters` None means all, else only runs that
    were asked for one of these."""
    rows = connection.execute(
        sql.SQL(
            "SELECT {} FROM anomaly.job_run WHERE (%(job)s::text IS NULL OR job = %(job)s)"
            " AND (%(before)s::bigint IS NULL OR id < %(before)s)"
            " AND (%(clusters)s::text[] IS NULL OR detail->>'cluster' = ANY(%(clusters)s))"
            " ORDER BY id DESC LIMIT %(limit)s"
        ).format(_COLUMNS),
        {
            "job": job,
            "before": before,
            "clusters": None if clusters is None else sorted(clusters),
            "limit": limit,
        },
    ).fetchall()
    return [_run(row) for row in rows]


def bury(connection: Connection, now: datetime) -> list[Run]:
    """This will mark the runs whose runner died as crashed, and return them. Commits."""
    rows = connection.execute(
        sql.SQL(
            "UPDATE anomaly.job_run SET outcome = 'crashed', finished_at = %s,"
            " detail = detail || jsonb_build_object('error', 'whoever ran it died')"
            # CASE, so that the lock is only asked for of rows that are running; it is let go of at the commit.
            " WHERE outcome = 'running' AND CASE WHEN outcome = 'running' THEN pg_try_advisory_xact_lock(%s, id) ELSE false END"
            " RETURNING {}"
        ).format(_COLUMNS),
        [now, RUN],
    ).fetchall()
    connection.commit()
    return [_run(row) for row in rows]


def last_run(connection: Connection, job: str) -> Run | None:
    """This will return the run of a job that was scheduled last, None when it never ran."""
    row = connection.execute(
        sql.SQL("SELECT {} FROM anomaly.job_run WHERE job = %s ORDER BY scheduled_at DESC LIMIT 1").format(
            _COLUMNS
        ),
        [job],
    ).fetchone()
    return None if row is None else _run(row)


def list_runs(connection: Connection, job: str | None, limit: int) -> list[Run]:
    """This will return runs of one job or of all, the latest first."""
    rows = connection.execute(
        sql.SQL(
            "SELECT {} FROM anomaly.job_run WHERE %s::text IS NULL OR job = %s ORDER BY started_at DESC, id DESC LIMIT %s"
        ).format(_COLUMNS),
        [job, job, limit],
    ).fetchall()
    return [_run(row) for row in rows]


def prune_runs(connection: Connection, before: datetime, frequent_before: datetime) -> int:
    """This will forget runs before a moment, and of jobs that run every few seconds those before a later one. Commits."""
    done = connection.execute(
        "DELETE FROM anomaly.job_run r WHERE r.outcome <> 'running' AND (r.started_at < %s OR (r.started_at < %s"
        " AND (SELECT count(*) FROM (SELECT 1 FROM anomaly.job_run o WHERE o.job = r.job LIMIT 1000) few) >= 1000))",
        [before, frequent_before],
    ).rowcount
    connection.commit()
    return done


def lead(connection: Connection) -> bool:
    """This will try to become the leader for as long as the connection lives, and return whether it is. Commits."""
    row = connection.execute("SELECT pg_try_advisory_lock(%s)", [LEADER]).fetchone()
    connection.commit()
    return bool(row and row[0])


def has_leader(connection: Connection) -> bool:
    """This will say whether any replica leads now."""
    row = connection.execute(
        "SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 1"
        " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
        " AND (classid::bigint << 32) | objid::bigint = %s)",
        [LEADER],
    ).fetchone()
    return bool(row and row[0])


def _run(row: tuple[object, ...]) -> Run:
    number, job, scheduled, started, finished, attempt, host, outcome, detail = row
    assert isinstance(scheduled, datetime) and isinstance(started, datetime) and isinstance(detail, dict)
    assert finished is None or isinstance(finished, datetime)
    return Run(
        int(str(number)),
        str(job),
        scheduled,
        started,
        finished,
        int(str(attempt)),
        str(host),
        str(outcome),
        detail,
    )
