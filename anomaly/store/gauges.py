"""What the state of the database says as numbers, for monitoring: cheap questions only, for they are asked every few seconds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, func, select

from anomaly.findings.finding import Severity
from anomaly.store.models import first_judged
from anomaly.store.tables import cluster, entity_window, finding, job_run, model

_SEVERITIES: Final = tuple(Severity)


@dataclass(frozen=True, slots=True)
class Champion:
    """The model in use of a cluster."""

    cluster: str
    model_id: int
    made_at: datetime


@dataclass(frozen=True, slots=True)
class LastRun:
    """How the latest run of a job ended, and when a run last ended well."""

    job: str
    outcome: str
    started_at: datetime
    seconds: float | None
    ok_at: datetime | None


@dataclass(frozen=True, slots=True)
class Gauges:
    """Numbers as of one moment. `findings` counts by (cluster, severity, state); `unjudged` windows by cluster."""

    findings: Sequence[tuple[str, str, str, int]]
    unjudged: Sequence[tuple[str, int]]
    champions: Sequence[Champion]
    runs: Sequence[LastRun]
    size_bytes: int


def read_gauges(connection: Connection) -> Gauges:
    """This will read them all in one transaction."""
    return Gauges(
        _findings(connection),
        _unjudged(connection),
        _champions(connection),
        _runs(connection),
        int(connection.execute(select(func.pg_database_size(func.current_database()))).scalar_one()),
    )


def _findings(connection: Connection) -> list[tuple[str, str, str, int]]:
    counted = func.count().label("number")
    rows = connection.execute(
        select(cluster.c.name, finding.c.severity, finding.c.state, counted)
        .join(cluster, cluster.c.id == finding.c.cluster_id)
        .group_by(cluster.c.name, finding.c.severity, finding.c.state)
    )
    return [(row.name, _SEVERITIES[row.severity].value, row.state, row.number) for row in rows]


def _unjudged(connection: Connection) -> list[tuple[str, int]]:
    counted = func.count().label("number")
    # Once for each cluster, not for each window: models say a lot beside when they were trained.
    begun = select(cluster.c.id, cluster.c.name, first_judged(cluster.c.id).label("judged_from"))
    judging = begun.cte("judging").prefix_with("MATERIALIZED")
    rows = connection.execute(
        select(judging.c.name, counted)
        .join(judging, judging.c.id == entity_window.c.cluster_id)
        # What lies before the first model is never judged; it has learned from that.
        .where(entity_window.c.scored_at.is_(None), entity_window.c.start_at >= judging.c.judged_from)
        .group_by(judging.c.name)
    )
    return [(row.name, row.number) for row in rows]


def _champions(connection: Connection) -> list[Champion]:
    rows = connection.execute(
        select(cluster.c.name, model.c.id, model.c.created_at)
        .join(cluster, cluster.c.id == model.c.cluster_id)
        .where(model.c.state == "champion")
    )
    return [Champion(row.name, row.id, row.created_at) for row in rows]


def _runs(connection: Connection) -> list[LastRun]:
    newest = (
        select(job_run)
        .distinct(job_run.c.job)
        .order_by(job_run.c.job, job_run.c.scheduled_at.desc())
        .subquery()
    )
    good = (
        select(job_run.c.job, func.max(job_run.c.finished_at).label("ok_at"))
        .where(job_run.c.outcome == "ok")
        .group_by(job_run.c.job)
        .subquery()
    )
    rows = connection.execute(select(newest, good.c.ok_at).outerjoin(good, good.c.job == newest.c.job))
    return [
        LastRun(
            row.job,
            row.outcome,
            row.started_at,
            (row.finished_at - row.started_at).total_seconds() if row.finished_at else None,
            row.ok_at,
        )
        for row in rows
    ]
