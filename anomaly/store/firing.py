"""When rules fired: the last time, and how many findings each has of late, within the clusters of whoever asks."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, func, select

from anomaly.findings.finding import FindingKind
from anomaly.store.tables import finding

WEEK: Final = timedelta(days=7)
MONTH: Final = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Firing:
    """One rule's findings: the end of the last, how many began in the last 7 and 30 days, and how many there are."""

    last: datetime
    week: int
    month: int
    all: int


def firings(
    connection: Connection, clusters: Collection[int], now: datetime, rule: str | None = None
) -> dict[str, Firing]:
    """This will return of each rule, or of one, that has findings in these clusters, when it fired."""
    statement = (
        select(
            finding.c.name,
            func.max(finding.c.end_at),
            func.count().filter(finding.c.start_at >= now - WEEK),
            func.count().filter(finding.c.start_at >= now - MONTH),
            func.count(),
        )
        .where(finding.c.cluster_id.in_(list(clusters)), finding.c.kind == FindingKind.RULE.value)
        .group_by(finding.c.name)
    )
    if rule is not None:
        statement = statement.where(finding.c.name == rule)
    return {
        str(name): Firing(last, int(week), int(month), int(every))
        for name, last, week, month, every in connection.execute(statement)
    }


def fired_by_day(
    connection: Connection, clusters: Collection[int], rule: str, since: datetime, until: datetime
) -> dict[datetime, int]:
    """This will return how many findings of a rule began on each day (UTC) of [since, until); days without any are left out."""
    day = func.date_trunc("day", finding.c.start_at, "UTC")
    rows = connection.execute(
        select(day, func.count())
        .where(
            finding.c.cluster_id.in_(list(clusters)),
            finding.c.kind == FindingKind.RULE.value,
            finding.c.name == rule,
            finding.c.start_at >= since,
            finding.c.start_at < until,
        )
        .group_by(day)
    )
    return {at: int(count) for at, count in rows}
