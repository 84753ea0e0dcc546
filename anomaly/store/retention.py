"""Letting go of what is too old: whole days of events at once, the small things row by row."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta

import psycopg

from anomaly.settings import RetentionSettings
from anomaly.store.partitions import drop_before, partition_days

Connection = psycopg.Connection[tuple[object, ...]]


@dataclass(frozen=True, slots=True)
class Dropped:
    """What retention let go of, or would."""

    days: tuple[date, ...]
    windows: int
    findings: int
    quarantined: int


def apply_retention(
    connection: Connection, settings: RetentionSettings, now: datetime, dry_run: bool = False
) -> Dropped:
    """This will drop whole days of events, chunks and evidence, and old windows, closed findings and quarantine.

    A day goes when all of it is older than `settings.events`. Firsts and the dictionary stay: "never before" must not forget.
    With `dry_run` it only counts. Commits.
    """
    oldest = (now - settings.events).date()
    if dry_run:
        days = tuple(day for day in partition_days(connection) if day < oldest)
    else:
        days = tuple(drop_before(connection, oldest))
    dropped = Dropped(
        days,
        _delete(connection, "entity_window", now - settings.windows),
        _delete(connection, "finding", now - settings.findings),
        _delete(connection, "quarantine", now - settings.quarantine),
    )
    _delete(connection, "held_finding", now - settings.findings)
    _delete(connection, "access_entry", now - settings.access)
    # The ledger says for as long what is missing as windows are kept that lack it.
    _delete(connection, "dropped", now - settings.windows)
    for table, kept in _ENDED.items():
        _delete(connection, table, now - kept)
    connection.rollback() if dry_run else connection.commit()
    return dropped


_ENDED = {
    "session": timedelta(days=30),
    "failed_try": timedelta(days=1),
    "dropped_minute": timedelta(days=60),
}
"""What opens no door any more and only says something for a while."""

_DELETES = {
    "access_entry": "DELETE FROM anomaly.access_entry WHERE made_at < %s",
    "session": "DELETE FROM anomaly.session WHERE coalesce(revoked_at, expires_at) < %s",
    "failed_try": "DELETE FROM anomaly.failed_try WHERE made_at < %s",
    "dropped": "DELETE FROM anomaly.dropped WHERE hour_at < %s",
    "dropped_minute": "DELETE FROM anomaly.dropped_minute WHERE minute_at < %s",
    "entity_window": "DELETE FROM anomaly.entity_window WHERE start_at < %s",
    "finding": "DELETE FROM anomaly.finding WHERE end_at < %s AND state = 'closed'",
    "held_finding": "DELETE FROM anomaly.held_finding WHERE end_at < %s",
    "quarantine": "DELETE FROM anomaly.quarantine WHERE last_at < %s",
}


def _delete(connection: Connection, table: str, before: datetime) -> int:
    """Counting is deleting without the commit: then both can never disagree."""
    return connection.execute(_DELETES[table], [before]).rowcount


def days_ahead(now: datetime, count: int) -> list[date]:
    """This will return today (UTC) and the days after it, to make partitions for."""
    return [now.date() + timedelta(days=day) for day in range(count + 1)]
