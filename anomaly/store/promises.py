"""Promised against actual, a row a day and cluster: kept for good, since a promise that nobody can look up is none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, case, func, select
from sqlalchemy.dialects.postgresql import insert

from anomaly.findings.finding import FindingKind, Severity
from anomaly.findings.merge import BELOW, CHANCE, FIRM, SUPPRESSED
from anomaly.findings.triage import Verdict
from anomaly.store.tables import finding, triage
from anomaly.store.tables import promise_day as table


@dataclass(frozen=True, slots=True)
class Came:
    """Findings by behaviour that began on a day, by what became of them. `firm` and `confirmed` are among the others."""

    shown: int = 0
    no_room: int = 0
    hidden: int = 0
    critical: int = 0
    firm: int = 0
    confirmed: int = 0

    @property
    def all(self) -> int:
        """Over the line, whether people see them or not."""
        return self.shown + self.no_room + self.hidden


@dataclass(frozen=True, slots=True)
class PromiseDay:
    """One day of one cluster: what the budget promised of a quiet day, what came, and whether the promise held."""

    cluster_id: int
    day: datetime
    model_id: int
    budget: float
    line: float
    expected: float
    low: float
    high: float
    proven: bool
    windows: int
    deviating: int
    strangers: int
    shown: int
    no_room: int
    hidden: int
    beyond: int
    firm: int
    confirmed: int
    holds: bool
    reason: str
    drift: Mapping[str, Any]


_COLUMNS: Final = tuple(column for column in table.c if column.name != "made_at")


def came_on(connection: Connection, cluster_id: int, since: datetime, until: datetime) -> Came:
    """This will count the findings by behaviour of a cluster that began in [since, until)."""

    def number(condition: Any) -> Any:
        return func.coalesce(func.sum(case((condition, 1), else_=0)), 0)

    shown = finding.c.state.not_in([BELOW, SUPPRESSED])
    row = connection.execute(
        select(
            number(shown),
            number(finding.c.state == BELOW),
            number(finding.c.state == SUPPRESSED),
            number(shown & (finding.c.severity == Severity.CRITICAL.rank)),
            number(finding.c.details[CHANCE].astext == FIRM),
            number(triage.c.verdict == Verdict.TRUE.value),
        )
        .select_from(finding.outerjoin(triage, triage.c.finding_id == finding.c.id))
        .where(
            finding.c.cluster_id == cluster_id,
            finding.c.kind == FindingKind.BEHAVIOUR.value,
            finding.c.start_at >= since,
            finding.c.start_at < until,
        )
    ).one()
    return Came(*map(int, row))


def keep_promise(connection: Connection, one: PromiseDay) -> None:
    """This will keep a day's report in place of an earlier one of the same day."""
    values = asdict(one)
    statement = insert(table).values(values)
    renewed = {name: value for name, value in values.items() if name not in {"cluster_id", "day"}}
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=["cluster_id", "day"], set_=renewed | {"made_at": func.now()}
        )
    )


def list_promises(
    connection: Connection,
    cluster_id: int | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    limit: int = 30,
) -> list[PromiseDay]:
    """This will return reports of days, the latest day first; of every cluster unless one is named."""
    statement = select(*_COLUMNS).order_by(table.c.day.desc(), table.c.cluster_id).limit(limit)
    if cluster_id is not None:
        statement = statement.where(table.c.cluster_id == cluster_id)
    if since is not None:
        statement = statement.where(table.c.day >= since)
    if until is not None:
        statement = statement.where(table.c.day < until)
    return [PromiseDay(**row._mapping) for row in connection.execute(statement)]


def last_promise(connection: Connection, cluster_id: int) -> datetime | None:
    """This will return the latest day of a cluster that is reported on, None when there is none."""
    return connection.execute(
        select(func.max(table.c.day)).where(table.c.cluster_id == cluster_id)
    ).scalar_one_or_none()
