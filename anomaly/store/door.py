"""Audit policies applied at our own door: which is in force for a cluster, and the ledger of what each dropped or lowered."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final, Literal

import psycopg

from anomaly.store.terms import without_nul

Connection = psycopg.Connection[tuple[object, ...]]
Cursor = psycopg.Cursor[tuple[object, ...]]

Deed = Literal["dropped", "lowered"]
DROPPED: Final[Deed] = "dropped"
LOWERED: Final[Deed] = "lowered"
NO_RULE: Final = -1
_LONGEST: Final = 300


@dataclass(frozen=True, slots=True)
class InForce:
    """The policy in force for a cluster."""

    id: int
    cluster_id: int
    policy: str
    set_at: datetime
    set_by: str


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of the ledger: events of one user and action that one rule of a policy decided. `bytes` were not kept."""

    policy_id: int
    rule: int
    deed: Deed
    username: str
    action: str
    events: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Left:
    """What of some input was not kept: lines of the ledger, and how many events were dropped of each minute (since 1970).

    `live` says whether any of it had only just happened: its cluster is not silent.
    """

    entries: tuple[Entry, ...] = ()
    minutes: tuple[tuple[int, int], ...] = ()
    live: bool = False

    @property
    def dropped(self) -> int:
        """How many events were dropped."""
        return sum(one.events for one in self.entries if one.deed == DROPPED)

    def __add__(self, other: Left) -> Left:
        return Left(self.entries + other.entries, self.minutes + other.minutes, self.live or other.live)


NOTHING_LEFT: Final = Left()


def in_force(connection: Connection, cluster_id: int | None = None) -> list[InForce]:
    """This will return the policies in force, of one cluster or of all."""
    rows = connection.execute(
        "SELECT id, cluster_id, policy, set_at, set_by FROM anomaly.door_policy"
        " WHERE cleared_at IS NULL AND (%(cluster)s::int IS NULL OR cluster_id = %(cluster)s)",
        {"cluster": cluster_id},
    ).fetchall()
    return [InForce(*row) for row in rows]  # type: ignore[arg-type]


def set_policy(connection: Connection, cluster_id: int, policy: str, by: str) -> InForce:
    """This will put a policy in force in place of the one before, and commit."""
    _end(connection, cluster_id, by)
    row = connection.execute(
        "INSERT INTO anomaly.door_policy (cluster_id, policy, set_by) VALUES (%s, %s, %s)"
        " RETURNING id, cluster_id, policy, set_at, set_by",
        [cluster_id, without_nul(policy), by],
    ).fetchone()
    connection.commit()
    assert row is not None
    return InForce(*row)  # type: ignore[arg-type]


def clear_policy(connection: Connection, cluster_id: int, by: str) -> bool:
    """This will put no policy in force, say whether there was one, and commit."""
    ended = _end(connection, cluster_id, by)
    connection.commit()
    return ended


def _end(connection: Connection, cluster_id: int, by: str) -> bool:
    # Whoever sets one at the same time waits here, and ends ours.
    connection.execute("SELECT FROM anomaly.cluster WHERE id = %s FOR UPDATE", [cluster_id])
    done = connection.execute(
        "UPDATE anomaly.door_policy SET cleared_at = now(), cleared_by = %s WHERE cluster_id = %s AND cleared_at IS NULL",
        [by, cluster_id],
    )
    return done.rowcount > 0


def keep_left(cursor: Cursor, left: Iterable[tuple[int, Left]]) -> None:
    """This will add to the ledger what was not kept of each cluster, in the caller's transaction."""
    sums: Counter[tuple[object, ...]] = Counter()
    sizes: Counter[tuple[object, ...]] = Counter()
    minutes: Counter[tuple[int, int]] = Counter()
    for cluster_id, one in left:
        for entry in one.entries:
            names = (without_nul(entry.username)[:_LONGEST], without_nul(entry.action)[:_LONGEST])
            key = (cluster_id, entry.policy_id, entry.rule, entry.deed, *names)
            sums[key] += entry.events
            sizes[key] += entry.bytes
        for minute, events in one.minutes:
            minutes[cluster_id, minute] += events
    if not sums:
        return
    # In one order, or two writers that add to the same lines would wait for each other in a circle.
    cursor.executemany(
        "INSERT INTO anomaly.dropped AS d (cluster_id, hour_at, policy_id, rule, deed, username, action, events, bytes)"
        " VALUES (%s, date_trunc('hour', now()), %s, %s, %s, %s, %s, %s, %s)"
        " ON CONFLICT (cluster_id, hour_at, policy_id, rule, deed, username, action)"
        " DO UPDATE SET events = d.events + excluded.events, bytes = d.bytes + excluded.bytes",
        [(*key, sums[key], sizes[key]) for key in sorted(sums, key=repr)],
    )
    if minutes:
        cursor.executemany(
            "INSERT INTO anomaly.dropped_minute AS m (cluster_id, minute_at, events)"
            " VALUES (%s, to_timestamp(%s::bigint * 60), %s)"
            " ON CONFLICT (cluster_id, minute_at) DO UPDATE SET events = m.events + excluded.events",
            [(*key, minutes[key]) for key in sorted(minutes)],
        )


@dataclass(frozen=True, slots=True)
class DayOfLedger:
    """What one rule of a policy dropped or lowered on one day (UTC, of arrival) of one user and action."""

    day: date
    policy_id: int
    rule: int
    deed: Deed
    username: str
    action: str
    events: int
    bytes: int


def ledger(connection: Connection, cluster_id: int, since: datetime, limit: int = 1_000) -> list[DayOfLedger]:
    """This will return the ledger by day, the newest day and the largest lines first."""
    rows = connection.execute(
        "SELECT (hour_at AT TIME ZONE 'UTC')::date AS day, policy_id, rule, deed, username, action, sum(events)::bigint AS n,"
        " sum(bytes)::bigint FROM anomaly.dropped WHERE cluster_id = %s AND hour_at >= %s"
        " GROUP BY day, policy_id, rule, deed, username, action ORDER BY day DESC, n DESC, rule, username, action LIMIT %s",
        [cluster_id, since, limit],
    ).fetchall()
    return [DayOfLedger(*row) for row in rows]  # type: ignore[arg-type]


def dropped_by_day(
    connection: Connection, cluster_id: int, since: datetime
) -> dict[date, dict[Deed, tuple[int, int]]]:
    """This will return how many events and bytes were dropped and lowered on each day (UTC, of arrival)."""
    rows = connection.execute(
        "SELECT (hour_at AT TIME ZONE 'UTC')::date, deed, sum(events)::bigint, sum(bytes)::bigint FROM anomaly.dropped"
        " WHERE cluster_id = %s AND hour_at >= %s GROUP BY 1, 2",
        [cluster_id, since],
    ).fetchall()
    found: dict[date, dict[Deed, tuple[int, int]]] = {}
    for day, deed, events, size in rows:
        found.setdefault(day, {})[deed] = (int(str(events)), int(str(size)))  # type: ignore[arg-type, index]
    return found


def dropped_between(
    connection: Connection, cluster_id: int, since: datetime, until: datetime, edge: timedelta
) -> tuple[int, int]:
    """This will return how many dropped events are of a stage in (since, until], by the minute, and how many lie near either end."""
    row = connection.execute(
        "SELECT coalesce(sum(events) FILTER (WHERE minute_at > %(since)s AND minute_at <= %(until)s), 0)::bigint,"
        " coalesce(sum(events) FILTER (WHERE minute_at BETWEEN %(since)s - %(edge)s AND %(since)s + %(edge)s"
        " OR minute_at BETWEEN %(until)s - %(edge)s AND %(until)s + %(edge)s), 0)::bigint FROM anomaly.dropped_minute"
        " WHERE cluster_id = %(cluster)s AND minute_at BETWEEN %(since)s - %(edge)s AND %(until)s + %(edge)s",
        {"cluster": cluster_id, "since": since, "until": until, "edge": edge + timedelta(minutes=1)},
    ).fetchone()
    assert row is not None
    return int(str(row[0])), int(str(row[1]))
