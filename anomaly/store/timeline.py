"""An entity's events around a finding, counted by time, with those that are its evidence."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import Connection, func, select, text

from anomaly.store.batch import ALLOWED
from anomaly.store.tables import entity, event, evidence, finding

PARTS: Final = 72
LEAST: Final = timedelta(minutes=10)
"""What is shown before and after, at the least."""
MOST: Final = timedelta(days=2)
"""What is shown in all, at the most: beyond it the events alone would take too long to count."""


@dataclass(frozen=True, slots=True)
class Part:
    """One stretch of time: all events of the entity, those refused, and those that are evidence of the finding."""

    start: datetime
    events: int
    refused: int
    evidence: int


@dataclass(frozen=True, slots=True)
class Timeline:
    """Stretches of equal length, oldest first; `begins` and `ends` are those of the finding."""

    since: datetime
    until: datetime
    step: timedelta
    begins: datetime
    ends: datetime
    parts: tuple[Part, ...]

    @property
    def most(self) -> int:
        """Events in the busiest stretch."""
        return max((part.events for part in self.parts), default=0)


def timeline_of(connection: Connection, number: UUID) -> Timeline | None:
    """This will return the timeline around a finding, None when there is no such finding."""
    row = connection.execute(
        select(finding.c.start_at, finding.c.end_at, finding.c.entity_id, finding.c.cluster_id)
        .join(entity, entity.c.id == finding.c.entity_id)
        .where(finding.c.id == number)
    ).one_or_none()
    if row is None:
        return None
    length = min(row.end_at - row.start_at, MOST)
    around = min(max(LEAST, length / 3), (MOST - length) / 2 if length < MOST else timedelta(0))
    since, until = row.start_at - around, row.start_at + length + around
    step = max((until - since) / PARTS, timedelta(seconds=1))
    # Evidence is counted by itself: joined with the events it took twice as long as both.
    counted = connection.execute(
        select(
            func.date_bin(step, event.c.received_at, since).label("start"),
            func.count().label("events"),
            func.count().filter(event.c.flags.op("&")(ALLOWED) == 0).label("refused"),
        )
        .where(
            event.c.entity_id == row.entity_id,
            event.c.cluster_id == row.cluster_id,
            event.c.received_at >= since,
            event.c.received_at < until,
        )
        .group_by(text("start"))
    )
    behind = connection.execute(
        select(
            func.date_bin(step, evidence.c.received_at, since).label("start"), func.count().label("events")
        )
        .where(
            evidence.c.finding_id == number, evidence.c.received_at >= since, evidence.c.received_at < until
        )
        .group_by(text("start"))
    )
    evident = {one.start: int(one.events) for one in behind}
    found = {one.start: one for one in counted}
    parts = []
    for index in range(-(-(until - since) // step)):
        start = since + index * step
        one = found.get(start)
        parts.append(Part(start, one.events if one else 0, one.refused if one else 0, evident.get(start, 0)))
    return Timeline(since, until, step, row.start_at, row.start_at + length, tuple(parts))
