"""Findings as pictures need them: the latest, those of one entity, how many a day."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Final
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    Connection,
    Date,
    Integer,
    Uuid,
    and_,
    any_,
    cast,
    false,
    func,
    literal,
    not_,
    select,
)

from anomaly.findings.finding import Finding, FindingKind
from anomaly.findings.merge import BELOW
from anomaly.findings.risk import QUIET, REACH, Mark, risks_of
from anomaly.findings.triage import Verdict
from anomaly.store.columns import read_columns, ticks, uuid_of
from anomaly.store.findings import finding_rows, to_finding
from anomaly.store.tables import finding, triage

_HIDDEN: Final = frozenset({BELOW, "suppressed"})


@dataclass(frozen=True, slots=True)
class DayCount:
    """Findings that began on a day (UTC): by behaviour, which the budget binds, and by rules."""

    day: date
    behaviour: int
    rules: int


@dataclass(frozen=True, slots=True)
class Judged:
    """A finding with the verdict people gave, None for none yet."""

    finding: Finding
    verdict: str | None


def latest_findings(
    connection: Connection,
    clusters: Collection[int],
    since: datetime | None = None,
    until: datetime | None = None,
    *,
    entity_id: int | None = None,
    least: int = 0,
    limit: int = 10,
) -> list[Judged]:
    """This will return findings that people see, the latest first: those that overlap [since, until), of one entity or of all, of
    at least a severity (0 info to 4 critical)."""
    statement = (
        finding_rows()
        .add_columns(triage.c.verdict)
        .where(finding.c.cluster_id.in_(clusters), finding.c.state != BELOW, finding.c.severity >= least)
    )
    if entity_id is not None:
        statement = statement.where(finding.c.entity_id == entity_id)
    if since is not None:
        statement = statement.where(finding.c.end_at >= since)
    if until is not None:
        statement = statement.where(finding.c.start_at < until)
    rows = connection.execute(statement.order_by(finding.c.start_at.desc(), finding.c.id).limit(limit))
    return [Judged(to_finding(row), row.verdict) for row in rows]


def findings_by_day(
    connection: Connection, clusters: Collection[int], since: datetime, until: datetime
) -> list[DayCount]:
    """This will return how many findings began on each day of [since, until), days without any left out."""
    day = cast(func.timezone("UTC", finding.c.start_at), Date).label("day")
    behaviour = func.count().filter(finding.c.kind == FindingKind.BEHAVIOUR.value)
    rows = connection.execute(
        select(day, behaviour, func.count())
        .where(
            finding.c.cluster_id.in_(clusters),
            finding.c.state != BELOW,
            finding.c.start_at >= since.astimezone(UTC),
            finding.c.start_at < until,
        )
        .group_by(day)
        .order_by(day)
    )
    return [DayCount(one, int(behave), int(total) - int(behave)) for one, behave, total in rows]


def marks_of(
    connection: Connection, clusters: Collection[int], since: datetime, entity_id: int | None = None
) -> dict[int, list[Mark]]:
    """This will return what risk needs of the findings that ended since a moment, by entity."""
    columns = (
        finding.c.entity_id,
        finding.c.id,
        finding.c.name,
        finding.c.title,
        finding.c.severity,
        finding.c.end_at,
    )
    statement = (
        select(*columns, triage.c.verdict, finding.c.state)
        .select_from(finding.outerjoin(triage, triage.c.finding_id == finding.c.id))
        .where(finding.c.cluster_id.in_(clusters), finding.c.end_at >= since)
    )
    if entity_id is not None:
        statement = statement.where(finding.c.entity_id == entity_id)
    found: dict[int, list[Mark]] = {}
    for entity, number, name, title, severity, end, verdict, state in connection.execute(statement):
        mark = Mark(str(number), name, title, severity, end, verdict, state in _HIDDEN)
        found.setdefault(entity, []).append(mark)
    return found


@dataclass(frozen=True, slots=True)
class Standing:
    """The risk of one entity at a moment, how many findings make it up, and the one with the largest part."""

    risk: float
    findings: int
    largest: UUID


def standings(connection: Connection, clusters: Collection[int], until: datetime) -> dict[int, Standing]:
    """This will return the risk at a moment of every entity that has any, by id."""
    harmless = and_(triage.c.verdict.is_not(None), triage.c.verdict.in_(QUIET))
    found = read_columns(
        connection,
        {
            "id": ("uuid", finding.c.id),
            "whose": ("int4", finding.c.entity_id),
            # A number that stands for the name: of 64 bits, so that no two names share one.
            "name": ("int8", func.hashtextextended(finding.c.name, 0)),
            "severity": ("int4", cast(finding.c.severity, Integer)),
            "at": ("timestamptz", finding.c.end_at),
            "confirmed": (
                "int4",
                cast(func.coalesce(triage.c.verdict == Verdict.TRUE.value, false()), Integer),
            ),
        },
        finding.outerjoin(triage, triage.c.finding_id == finding.c.id),
        [
            finding.c.cluster_id.in_(clusters),
            finding.c.end_at >= until - REACH,
            finding.c.state.not_in(_HIDDEN),
            not_(harmless),
        ],
    )
    risks = risks_of(
        found["whose"], found["name"], found["severity"], ticks(until) - found["at"], found["confirmed"] > 0
    )
    return {
        whose: Standing(value, parts, uuid_of(found["id"][place]))
        for whose, value, parts, place in zip(
            risks.whose.tolist(),
            risks.value.tolist(),
            risks.parts.tolist(),
            risks.largest.tolist(),
            strict=True,
        )
    }


def titles_of(connection: Connection, ids: Iterable[UUID]) -> dict[UUID, str]:
    """This will return the titles of findings by id."""
    wanted = any_(literal(list(ids), ARRAY(Uuid)))
    rows = connection.execute(select(finding.c.id, finding.c.title).where(finding.c.id == wanted))
    return {row.id: row.title for row in rows}
