"""Rules that exploded: paused by whoever writes the finding too many, resumed by a person; what was held back is counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import psycopg
from psycopg.types.json import Jsonb
from sqlalchemy import Connection, func, select, update

from anomaly.findings.finding import FindingKind, Severity, finding_id
from anomaly.findings.gather import SCORES
from anomaly.findings.pausing import EXAMPLES, HOUR_US, NAME, USUAL_HOURS, most, sentence
from anomaly.store.tables import cluster, entity, held_finding, rule_pause

Cursor = psycopg.Cursor[tuple[object, ...]]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A finding about to be written. `events` are (microseconds, key) of the events that a batch adds to it."""

    id: UUID
    rule: str
    start_us: int
    end_us: int
    entity_id: int
    reason: str
    events: Sequence[tuple[int, bytes]]


@dataclass(frozen=True, slots=True)
class Pause:
    """One pause of a rule in a cluster, with what it holds back."""

    id: int
    cluster: str
    rule: str
    hour: datetime
    found: int
    usual: float
    paused_at: datetime
    resumed_at: datetime | None
    held: int
    held_events: int


@dataclass(frozen=True, slots=True)
class Held:
    """A finding that an exception or a pause held back."""

    id: UUID
    rule: str
    cluster: str
    entity: str
    start: datetime
    end: datetime
    count: int
    reason: str


def held_back(cursor: Cursor, cluster_id: int, candidates: Sequence[Candidate]) -> set[UUID]:
    """This will return the ids that must not become findings, because their rule is paused or is paused now by them.

    What exists already goes on. The earliest findings of an hour are let through up to what `findings.pausing.most` allows,
    then the rule is paused, with one finding that says so. Held ones are kept with their counts. All in the caller's
    transaction; two writers at once can let through a few more.
    """
    if not candidates:
        return set()
    rows = cursor.execute(
        "SELECT id FROM anomaly.finding WHERE id = ANY(%s)", [[one.id for one in candidates]]
    ).fetchall()
    there = {number for (number,) in rows}
    fresh = [one for one in candidates if one.id not in there]
    if not fresh:
        return set()
    paused = _paused(cursor, cluster_id, {one.rule for one in fresh})
    held = {one.id: paused[one.rule] for one in fresh if one.rule in paused}
    for rule, hour, listed in _too_many(cursor, cluster_id, [one for one in fresh if one.rule not in paused]):
        over = _over(cursor, cluster_id, rule, hour, listed)
        if over is None:
            continue
        rest, found, usual = over
        holder = _pause(cursor, cluster_id, rule, hour, found, usual, rest)
        held |= dict.fromkeys((one.id for one in rest), holder)
    keep_held(cursor, cluster_id, "pause", [(held[one.id], one) for one in fresh if one.id in held])
    return set(held)


def keep_held(cursor: Cursor, cluster_id: int, held_by: str, held: Iterable[tuple[int, Candidate]]) -> None:
    """This will count what an exception or a pause (`held_by`) holds back, in the order of the key."""
    statement = """
INSERT INTO anomaly.held_finding AS h
  (id, held_by, holder_id, cluster_id, entity_id, rule, start_at, end_at, count, reason)
VALUES (%s, %s, %s, %s, %s, %s, to_timestamp(0) + %s * interval '1 microsecond', to_timestamp(0) + %s * interval '1 microsecond', %s, %s)
ON CONFLICT (held_by, holder_id, id) DO UPDATE SET
  start_at = least(h.start_at, excluded.start_at), end_at = greatest(h.end_at, excluded.end_at),
  count = h.count + excluded.count
"""
    values = [
        (
            *(one.id, held_by, holder, cluster_id, one.entity_id, one.rule, one.start_us, one.end_us),
            *(len(one.events), one.reason),
        )
        for holder, one in sorted(held, key=lambda pair: (pair[0], pair[1].id))
    ]
    if values:
        cursor.executemany(statement, values)


def list_pauses(connection: Connection, *, also_ended: bool = False) -> list[Pause]:
    """This will return the rules that are paused, the newest first, with how much each holds back."""
    counted = (
        select(
            held_finding.c.holder_id,
            func.count().label("held"),
            func.sum(held_finding.c.count).label("events"),
        )
        .where(held_finding.c.held_by == "pause")
        .group_by(held_finding.c.holder_id)
        .subquery()
    )
    statement = (
        select(rule_pause, cluster.c.name, counted.c.held, counted.c.events)
        .join(cluster, cluster.c.id == rule_pause.c.cluster_id)
        .outerjoin(counted, counted.c.holder_id == rule_pause.c.id)
        .order_by(rule_pause.c.paused_at.desc(), rule_pause.c.id.desc())
    )
    if not also_ended:
        statement = statement.where(rule_pause.c.resumed_at.is_(None))
    return [
        Pause(
            row.id,
            row.name,
            row.rule,
            row.hour_at,
            row.found,
            row.usual,
            row.paused_at,
            row.resumed_at,
            row.held or 0,
            int(row.events or 0),
        )
        for row in connection.execute(statement)
    ]


def resume(connection: Connection, rule: str, cluster_name: str | None, now: datetime) -> int:
    """This will let a paused rule make findings again, in one cluster or all, and return in how many it was paused.

    It is not paused again for hours of events that began before `now`: somebody has just looked at them.
    """
    statement = (
        update(rule_pause)
        .where(rule_pause.c.rule == rule, rule_pause.c.resumed_at.is_(None))
        .values(resumed_at=now)
    )
    if cluster_name is not None:
        chosen = select(cluster.c.id).where(cluster.c.name == cluster_name)
        statement = statement.where(rule_pause.c.cluster_id.in_(chosen))
    return int(connection.execute(statement).rowcount)


def list_held(connection: Connection, held_by: str, holder_id: int, limit: int) -> list[Held]:
    """This will return what one exception or pause held back, the newest first."""
    statement = (
        select(held_finding, cluster.c.name, entity.c.username)
        .join(cluster, cluster.c.id == held_finding.c.cluster_id)
        .join(entity, entity.c.id == held_finding.c.entity_id)
        .where(held_finding.c.held_by == held_by, held_finding.c.holder_id == holder_id)
        .order_by(held_finding.c.start_at.desc(), held_finding.c.id)
        .limit(limit)
    )
    return [
        Held(
            row.id,
            row.rule,
            row.name,
            row.username,
            row.start_at,
            row.end_at,
            row._mapping[held_finding.c.count],
            row.reason,
        )
        for row in connection.execute(statement)
    ]


def _paused(cursor: Cursor, cluster_id: int, rules: set[str]) -> dict[str, int]:
    rows = cursor.execute(
        "SELECT rule, id FROM anomaly.rule_pause WHERE cluster_id = %s AND rule = ANY(%s) AND resumed_at IS NULL",
        [cluster_id, sorted(rules)],
    ).fetchall()
    return {str(rule): int(str(number)) for rule, number in rows}


def _too_many(
    cursor: Cursor, cluster_id: int, fresh: Sequence[Candidate]
) -> list[tuple[str, int, list[Candidate]]]:
    """(rule, hour, candidates) where the hour holds more than is never too many."""
    by_hour: dict[tuple[str, int], list[Candidate]] = {}
    for one in fresh:
        by_hour.setdefault((one.rule, one.start_us // HOUR_US * HOUR_US), []).append(one)
    if not by_hour:
        return []
    hours = [hour for _, hour in by_hour]
    rows = cursor.execute(
        """
SELECT name, (extract(epoch FROM date_trunc('hour', start_at AT TIME ZONE 'UTC')) * 1000000)::bigint, count(*)
FROM anomaly.finding
WHERE cluster_id = %s AND kind = 'rule' AND name = ANY(%s) AND start_at >= to_timestamp(0) + %s * interval '1 microsecond' AND start_at < to_timestamp(0) + %s * interval '1 microsecond'
GROUP BY 1, 2
""",
        [cluster_id, sorted({rule for rule, _ in by_hour}), min(hours), max(hours) + HOUR_US],
    ).fetchall()
    counts: Counter[tuple[str, int]] = Counter()
    for rule, hour, count in rows:
        counts[str(rule), int(str(hour))] = int(str(count))
    return [
        (rule, hour, listed)
        for (rule, hour), listed in sorted(by_hour.items())
        if counts[rule, hour] + len(listed) > most(0)
    ]


def _over(
    cursor: Cursor, cluster_id: int, rule: str, hour: int, listed: list[Candidate]
) -> tuple[list[Candidate], int, float] | None:
    """The candidates over the limit, how many findings the hour has with them, and the usual rate; None when all may pass."""
    row = cursor.execute(
        """
SELECT count(*) FILTER (WHERE start_at >= to_timestamp(0) + %s * interval '1 microsecond'), count(*) FILTER (WHERE start_at < to_timestamp(0) + %s * interval '1 microsecond'),
  EXISTS (SELECT 1 FROM anomaly.rule_pause p WHERE p.cluster_id = %s AND p.rule = %s AND p.resumed_at > to_timestamp(0) + %s * interval '1 microsecond')
FROM anomaly.finding
WHERE cluster_id = %s AND kind = 'rule' AND name = %s AND start_at >= to_timestamp(0) + %s * interval '1 microsecond' AND start_at < to_timestamp(0) + %s * interval '1 microsecond'
""",
        [
            *(hour, hour, cluster_id, rule, hour),
            *(cluster_id, rule, hour - USUAL_HOURS * HOUR_US, hour + HOUR_US),
        ],
    ).fetchone()
    assert row is not None
    there, week, looked_at = int(str(row[0])), int(str(row[1])), bool(row[2])
    room = most(week) - there
    if looked_at or len(listed) <= room:
        return None
    ordered = sorted(listed, key=lambda one: (one.start_us, one.id))
    return ordered[max(0, room) :], there + len(listed), week / USUAL_HOURS


def _pause(
    cursor: Cursor,
    cluster_id: int,
    rule: str,
    hour: int,
    found: int,
    usual: float,
    rest: Sequence[Candidate],
) -> int:
    """Pause the rule, or join the pause that another writer made meanwhile; whoever makes it writes the finding."""
    row = cursor.execute(
        "INSERT INTO anomaly.rule_pause (cluster_id, rule, hour_at, found, usual) VALUES (%s, %s, to_timestamp(0) + %s * interval '1 microsecond', %s, %s)"
        " ON CONFLICT (cluster_id, rule) WHERE resumed_at IS NULL DO NOTHING RETURNING id",
        [cluster_id, rule, hour, found, usual],
    ).fetchone()
    if row is None:
        return _paused(cursor, cluster_id, {rule})[rule]
    examples = sorted({event for one in rest for event in one.events})[:EXAMPLES]
    values: list[Any] = [
        (number := finding_id(cluster_id, FindingKind.RULE, NAME, (rule,), hour)),
        cluster_id,
        rest[0].entity_id,
        NAME,
        f"Rule paused: {rule}",
        Severity.MEDIUM.rank,
        hour,
        hour + HOUR_US - 1,
        SCORES[Severity.MEDIUM],
        sentence(rule, found, usual),
        len(examples),
        Jsonb({"rule": rule, "found": str(found), "usual": f"{usual:.1f}"}),
    ]
    cursor.execute(
        """
INSERT INTO anomaly.finding
  (id, cluster_id, entity_id, kind, name, title, severity, attack, start_at, end_at, score, reason, count, details)
VALUES (%s, %s, %s, 'rule', %s, %s, %s, ARRAY[]::text[], to_timestamp(0) + %s * interval '1 microsecond', to_timestamp(0) + %s * interval '1 microsecond', %s, %s, %s, %s)
ON CONFLICT (id) DO UPDATE SET reason = excluded.reason, details = excluded.details, updated_at = now()
""",
        values,
    )
    cursor.executemany(
        "INSERT INTO anomaly.evidence (received_at, finding_id, event_key) VALUES (to_timestamp(0) + %s * interval '1 microsecond', %s, %s) ON CONFLICT DO NOTHING",
        [(us, number, UUID(bytes=key)) for us, key in examples],
    )
    return int(str(row[0]))
