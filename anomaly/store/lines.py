"""Findings as lists show them, one line each: who, what, how grave, in whose hands; without reasons in full and evidence."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    Connection,
    FromClause,
    Select,
    Uuid,
    and_,
    any_,
    extract,
    func,
    literal,
    or_,
    select,
    union_all,
)
from sqlalchemy.sql.elements import ColumnElement

from anomaly.findings.finding import FindingKind, Severity
from anomaly.findings.triage import State, Verdict
from anomaly.store.tables import cluster, entity, finding, triage

SEVERITIES: Final = tuple(Severity)
_LONGEST_REASON: Final = 600


@dataclass(frozen=True, slots=True)
class Sought:
    """Which findings; empty or None restricts nothing. `clusters` are those in sight, by name. Times: overlapping [since, until).

    `entity` and `name` may hold `*` for anything; `text` is looked for in title, name and entity. `assignee` "" asks for nobody's.
    """

    clusters: frozenset[str] | None = None
    states: tuple[State, ...] = ()
    severities: tuple[Severity, ...] = ()
    kind: FindingKind | None = None
    name: str | None = None
    entity: str | None = None
    assignee: str | None = None
    technique: str | None = None
    text: str | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """One finding as a list shows it, without its reasons. `score` is after verdicts on alike ones."""

    id: UUID
    cluster: str
    entity: str
    kind: FindingKind
    name: str
    title: str
    severity: Severity
    attack: tuple[str, ...]
    start: datetime
    end: datetime
    score: float
    reason: str
    count: int
    state: State
    assignee: str | None
    verdict: Verdict | None
    version: int

    @property
    def risk(self) -> int:
        """0 to 100: severity first, a fifth of the scale each, and strangeness within it; the order of the inbox in one number."""
        return min(100, round(20 * self.severity.rank + 20 * min(1.0, max(0.0, self.score))))


_BARE: Final = finding.outerjoin(triage, triage.c.finding_id == finding.c.id)
FROM: Final = _BARE.join(cluster, cluster.c.id == finding.c.cluster_id).join(
    entity, entity.c.id == finding.c.entity_id
)
SCORE: Final = func.coalesce(triage.c.heard_score, finding.c.score)


def lines_of(connection: Connection, ids: Iterable[UUID]) -> list[Line]:
    """This will return findings by id, in no order; those that are not there are left out."""
    # One array instead of a parameter for each: hundreds of those take longer to write down than to find.
    wanted = any_(literal(list(ids), ARRAY(Uuid)))
    rows = connection.execute(_lines().where(finding.c.id == wanted))
    return [_line(row) for row in rows]


def related(connection: Connection, one: Line, around: timedelta, most: int = 5) -> dict[str, list[Line]]:
    """This will return findings that may belong to one: of the same entity, of the same technique by others, and by others at the
    same time in the same cluster; the gravest `most` of each, the one itself left out."""
    ours = select(cluster.c.id).where(cluster.c.name == one.cluster).scalar_subquery()
    named = (entity.c.cluster_id == ours, entity.c.username == one.entity)
    whose = select(entity.c.id).where(*named).scalar_subquery()
    mine = finding.c.entity_id == whose
    others = and_(finding.c.cluster_id == ours, finding.c.entity_id != whose)
    near = and_(finding.c.end_at >= one.start - around, finding.c.start_at <= one.end + around)
    nearest = func.abs(extract("epoch", finding.c.start_at - one.start))
    gravest = (finding.c.severity.desc(), nearest)
    ways: dict[str, tuple[ColumnElement[bool], tuple[ColumnElement[Any], ...]]] = {
        "entity": (mine, (nearest,)),
        "technique": (and_(others, finding.c.attack.overlap(list(one.attack))), gravest),
        "time": (and_(others, near), gravest),
    }
    if not one.attack:
        del ways["technique"]
    # Which ones, by themselves: thousands share a technique, and what a line shows would be looked up and sorted along for each.
    chosen = [
        select(
            select(literal(way).label("way"), finding.c.id)
            .where(asked, finding.c.id != one.id)
            .order_by(*order)
            .limit(most)
            .subquery(way)
        )
        for way, (asked, order) in ways.items()
    ]
    listed = connection.execute(union_all(*chosen)).all()
    lines = {line.id: line for line in lines_of(connection, {number for _, number in listed})}
    found: dict[str, list[Line]] = {"entity": [], "technique": [], "time": []}
    for way, number in listed:
        if number in lines:
            found[way].append(lines[number])
    for way, those in found.items():
        those.sort(
            key=lambda each: (0 if way == "entity" else -each.severity.rank, abs(each.start - one.start))
        )
    return found


def _lines() -> Select[Any]:
    return select(
        finding.c.id,
        cluster.c.name.label("cluster"),
        entity.c.username,
        finding.c.kind,
        finding.c.name,
        finding.c.title,
        finding.c.severity,
        finding.c.attack,
        finding.c.start_at,
        finding.c.end_at,
        SCORE.label("rank"),
        func.left(finding.c.reason, _LONGEST_REASON).label("reason"),
        finding.c.count.label("events"),
        finding.c.state,
        triage.c.assignee,
        triage.c.verdict,
        func.coalesce(triage.c.version, 0).label("version"),
    ).select_from(FROM)


def _line(row: Any) -> Line:
    return Line(
        row.id,
        row.cluster,
        row.username,
        FindingKind(row.kind),
        row.name,
        row.title,
        SEVERITIES[row.severity],
        tuple(row.attack),
        row.start_at,
        row.end_at,
        row.rank,
        row.reason,
        row.events,
        State(row.state),
        row.assignee,
        None if row.verdict is None else Verdict(row.verdict),
        row.version,
    )


def source(sought: Sought) -> FromClause:
    """This will return what `conditions` restrict: FROM, or it without the names of clusters and entities where the question asks
    for no entity; they then need not be looked up for every finding."""
    return FROM if sought.entity is not None or sought.text else _BARE


def conditions(sought: Sought) -> list[ColumnElement[bool]]:
    """This will return what restricts FROM, or `source` of the same question, to the findings asked for."""
    found: list[ColumnElement[bool]] = []
    if sought.clusters is not None:
        found.append(in_sight(sought.clusters))
    if sought.states:
        found.append(finding.c.state.in_([state.value for state in sought.states]))
    if sought.severities:
        found.append(finding.c.severity.in_([severity.rank for severity in sought.severities]))
    if sought.kind is not None:
        found.append(finding.c.kind == sought.kind.value)
    if sought.name is not None:
        found.append(finding.c.name.like(_like(sought.name), escape="\\"))
    if sought.entity is not None:
        found.append(entity.c.username.like(_like(sought.entity), escape="\\"))
    if sought.assignee is not None:
        found.append(triage.c.assignee == sought.assignee if sought.assignee else triage.c.assignee.is_(None))
    if sought.technique is not None:
        found.append(finding.c.attack.contains([sought.technique]))
    if sought.text:
        inside = _like(f"*{sought.text}*")
        columns = (finding.c.title, finding.c.name, entity.c.username)
        # Capital letters are those of ASCII, as in questions about events: a third of the time that all alphabets take.
        found.append(or_(*(column.collate("C").ilike(inside, escape="\\") for column in columns)))
    if sought.since is not None:
        found.append(finding.c.end_at >= sought.since)
    if sought.until is not None:
        found.append(finding.c.start_at < sought.until)
    return found


def in_sight(clusters: frozenset[str]) -> ColumnElement[bool]:
    """This will return the condition that a finding is of one of these clusters."""
    return finding.c.cluster_id.in_(select(cluster.c.id).where(cluster.c.name.in_(clusters)))


def _like(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return escaped.replace("*", "%")
