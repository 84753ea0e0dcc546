"""Alarms about the intake: one row an episode, and a finding of its own that people see and work on like any other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import psycopg
from psycopg.types.json import Jsonb

from anomaly.findings.finding import FindingKind, Severity, finding_id
from anomaly.store.terms import without_nul

Connection = psycopg.Connection[tuple[object, ...]]

ENTITY: Final = "system:cluster"
"""Whose finding it is: the cluster's itself. Kubernetes keeps names with `system:` for itself, so no user has it."""
_SCORES: Final = {
    Severity.INFO: 0.2,
    Severity.LOW: 0.4,
    Severity.MEDIUM: 0.6,
    Severity.HIGH: 0.8,
    Severity.CRITICAL: 0.95,
}


@dataclass(frozen=True, slots=True)
class Alarm:
    """Something about a cluster's intake that holds now. `subject` tells alarms of one name apart; `began` is when it began, as
    far as can be told; `count` the events it is about."""

    cluster_id: int
    name: str
    title: str
    severity: Severity
    says: str
    normal: str
    began: datetime
    subject: str = ""
    count: int = 0
    detail: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Episode:
    """An alarm as it is kept. `ended` None: it holds still."""

    id: int
    cluster_id: int
    name: str
    subject: str
    finding_id: UUID
    began: datetime
    seen: datetime
    ended: datetime | None
    says: str


_COLUMNS: Final = "id, cluster_id, name, subject, finding_id, began_at, seen_at, ended_at, detail ->> 'says'"


def open_alarms(connection: Connection, cluster_id: int | None = None) -> list[Episode]:
    """This will return the alarms that hold, of one cluster or of all, the oldest first."""
    rows = connection.execute(
        f"SELECT {_COLUMNS} FROM anomaly.alarm WHERE ended_at IS NULL"  # noqa: S608 -- a constant
        " AND (%(cluster)s::int IS NULL OR cluster_id = %(cluster)s) ORDER BY began_at, id",
        {"cluster": cluster_id},
    ).fetchall()
    return [_episode(row) for row in rows]


def alarms_since(connection: Connection, cluster_id: int, since: datetime) -> list[Episode]:
    """This will return the alarms of a cluster that held at some time after `since`, the latest first."""
    rows = connection.execute(
        f"SELECT {_COLUMNS} FROM anomaly.alarm WHERE cluster_id = %s AND seen_at >= %s"  # noqa: S608 -- a constant
        " ORDER BY began_at DESC, id DESC",
        [cluster_id, since],
    ).fetchall()
    return [_episode(row) for row in rows]


def raise_alarm(connection: Connection, alarm: Alarm, now: datetime) -> bool:
    """This will open an episode with its finding, or carry on the one that is open; returns whether it is new.

    In the caller's transaction. What people did to the finding stays; only its words, its end and its count follow.
    """
    detail = {"says": without_nul(alarm.says)}
    row = connection.execute(
        "UPDATE anomaly.alarm SET seen_at = %s, detail = %s WHERE cluster_id = %s AND name = %s AND subject = %s"
        " AND ended_at IS NULL RETURNING finding_id",
        [now, Jsonb(detail), alarm.cluster_id, alarm.name, alarm.subject],
    ).fetchone()
    if row is not None:
        number = row[0]
        connection.execute(
            "UPDATE anomaly.finding SET reason = %s, end_at = greatest(end_at, %s), count = %s, details = %s, updated_at = now()"
            " WHERE id = %s",
            [detail["says"], now, alarm.count, Jsonb(_details(alarm)), number],
        )
        return False
    began_us = round(alarm.began.timestamp() * 1e6)
    number = finding_id(
        alarm.cluster_id, FindingKind.SYSTEM, alarm.name, (alarm.subject, str(now.timestamp())), began_us
    )
    made = connection.execute(
        "INSERT INTO anomaly.alarm (cluster_id, name, subject, finding_id, began_at, seen_at, detail)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING",
        [alarm.cluster_id, alarm.name, alarm.subject, number, alarm.began, now, Jsonb(detail)],
    ).rowcount
    if not made:
        return False
    connection.execute(
        "INSERT INTO anomaly.finding (id, cluster_id, entity_id, kind, name, title, severity, attack, start_at, end_at, score,"
        " reason, normal, count, details) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
        [
            number,
            alarm.cluster_id,
            _entity(connection, alarm.cluster_id),
            FindingKind.SYSTEM.value,
            alarm.name,
            without_nul(alarm.title),
            alarm.severity.rank,
            ["T1562.008"] if alarm.severity.rank >= Severity.MEDIUM.rank else [],
            alarm.began,
            now,
            _SCORES[alarm.severity],
            detail["says"],
            without_nul(alarm.normal),
            alarm.count,
            Jsonb(_details(alarm)),
        ],
    )
    return True


def end_alarm(connection: Connection, episode: Episode, title: str, says: str, now: datetime) -> None:
    """This will end an episode and have its finding say so. It stays for people to look at; only they close it."""
    connection.execute(
        "UPDATE anomaly.alarm SET ended_at = %s, detail = detail || jsonb_build_object('says', %s::text) WHERE id = %s",
        [now, without_nul(says), episode.id],
    )
    connection.execute(
        "UPDATE anomaly.finding SET title = %s, reason = %s, end_at = greatest(end_at, %s), updated_at = now(),"
        " details = details || jsonb_build_object('over since', %s::text) WHERE id = %s",
        [
            without_nul(title),
            without_nul(says),
            episode.seen,
            f"{now:%Y-%m-%d %H:%M:%S} UTC",
            episode.finding_id,
        ],
    )


def forget_alarms(connection: Connection, before: datetime) -> int:
    """This will forget episodes that ended before a moment; their findings have a time of their own. Commits."""
    gone = connection.execute("DELETE FROM anomaly.alarm WHERE ended_at < %s", [before]).rowcount
    connection.commit()
    return gone


def _details(alarm: Alarm) -> dict[str, str]:
    return {key: without_nul(value) for key, value in alarm.detail.items()}


def _entity(connection: Connection, cluster_id: int) -> int:
    row = connection.execute(
        "INSERT INTO anomaly.entity AS e (cluster_id, username) VALUES (%s, %s)"
        " ON CONFLICT (cluster_id, username) DO UPDATE SET username = e.username RETURNING id",
        [cluster_id, ENTITY],
    ).fetchone()
    assert row is not None
    return int(str(row[0]))


def _episode(row: tuple[Any, ...]) -> Episode:
    number, cluster, name, subject, finding, began, seen, ended, says = row
    return Episode(number, cluster, name, subject, finding, began, seen, ended, says or "")
