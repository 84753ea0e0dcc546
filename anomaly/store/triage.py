"""What people did with findings, and what is suppressed. Each step is kept with who made it; none is ever changed but marked undone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Connection, Row, and_, exists, func, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from anomaly.errors import NotFound
from anomaly.findings.finding import FindingKind, Severity
from anomaly.findings.suppress import Subject, Suppression
from anomaly.findings.triage import Move, Standing, State, Verdict
from anomaly.store.tables import entity, event, evidence, finding, finding_step, suppression, term, triage

_SEVERITIES: Final = tuple(Severity)
_BY_SUPPRESSION: Final = (Move.SUPPRESS.value, Move.SURFACE.value)


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a finding's way."""

    id: int
    at: datetime
    who: str
    move: Move
    note: str
    before: Standing
    after: Standing
    undone: bool


@dataclass(frozen=True, slots=True)
class Kept:
    """A finding's standing and its version, which counts the steps."""

    standing: Standing
    version: int


def standing_of(connection: Connection, number: UUID, lock: bool = False) -> Kept:
    """This will return where a finding stands; `lock` holds it until the transaction ends. Raises NotFound."""
    chosen = (
        select(
            finding.c.state, triage.c.assignee, triage.c.verdict, triage.c.suppression_id, triage.c.version
        )
        .select_from(finding.outerjoin(triage, triage.c.finding_id == finding.c.id))
        .where(finding.c.id == number)
    )
    row = connection.execute(chosen.with_for_update(of=finding) if lock else chosen).first()
    if row is None:
        raise NotFound(f"There is no finding {number}.", hint="`anomaly findings list` shows their ids.")
    verdict = None if row.verdict is None else Verdict(row.verdict)
    return Kept(Standing(State(row.state), row.assignee, verdict, row.suppression_id), row.version or 0)


def record(
    connection: Connection,
    number: UUID,
    now: datetime,
    who: str,
    move: Move,
    note: str,
    before: Standing,
    after: Standing,
) -> int:
    """This will keep a step and where it leads, and return the finding's new version. The caller holds the finding's lock."""
    closed_at = now if after.state is State.CLOSED else None
    values: dict[str, Any] = {
        "assignee": after.assignee,
        "verdict": None if after.verdict is None else after.verdict.value,
        "suppression_id": after.suppression,
    }
    if before.state is not State.CLOSED or after.state is not State.CLOSED:
        values["closed_at"] = closed_at
    made = connection.execute(
        upsert(triage)
        .values(finding_id=number, version=1, **values)
        .on_conflict_do_update(index_elements=["finding_id"], set_=values | {"version": triage.c.version + 1})
        .returning(triage.c.version)
    ).scalar_one()
    connection.execute(update(finding).where(finding.c.id == number).values(state=after.state.value))
    connection.execute(
        insert(finding_step).values(
            finding_id=number,
            made_at=now,
            who=who,
            move=move.value,
            note=note,
            before=before.to_dict(),
            after=after.to_dict(),
        )
    )
    return int(made)


def steps_of(connection: Connection, number: UUID) -> list[Step]:
    """This will return every step of a finding, oldest first."""
    rows = connection.execute(
        select(finding_step).where(finding_step.c.finding_id == number).order_by(finding_step.c.id)
    )
    return [_step(row) for row in rows]


def mark_undone(connection: Connection, step: int) -> None:
    """This will mark a step as undone; it stays in the history."""
    connection.execute(update(finding_step).where(finding_step.c.id == step).values(undone=True))


def last_step_id(connection: Connection) -> int:
    """This will return the number of the newest step of all, 0 when there is none: it changes with every verdict."""
    return int(connection.execute(select(func.coalesce(func.max(finding_step.c.id), 0))).scalar_one())


def _step(row: Row[Any]) -> Step:
    return Step(
        row.id,
        row.made_at,
        row.who,
        Move(row.move),
        row.note,
        Standing.from_dict(row.before),
        Standing.from_dict(row.after),
        row.undone,
    )


def add_suppression(connection: Connection, one: Suppression) -> int:
    """This will keep a suppression and return its number."""
    made = connection.execute(
        insert(suppression)
        .values(
            kind=None if one.kind is None else one.kind.value,
            name=one.name,
            entity=one.entity,
            cluster_id=one.cluster_id,
            namespace=one.namespace,
            up_to=one.up_to.rank,
            owner=one.owner,
            reason=one.reason,
            created_at=one.created_at,
            ends_at=one.ends_at,
        )
        .returning(suppression.c.id)
    )
    return int(made.scalar_one())


def list_suppressions(
    connection: Connection, now: datetime, ended: bool = False
) -> list[tuple[Suppression, int]]:
    """This will return the suppressions that hold now, or all, each with how many findings it hides; oldest first."""
    hidden = (
        select(triage.c.suppression_id, func.count().label("hidden"))
        .where(triage.c.suppression_id.is_not(None))
        .group_by(triage.c.suppression_id)
        .subquery()
    )
    chosen = (
        select(suppression, func.coalesce(hidden.c.hidden, 0).label("hidden"))
        .select_from(suppression.outerjoin(hidden, hidden.c.suppression_id == suppression.c.id))
        .order_by(suppression.c.id)
    )
    if not ended:
        chosen = chosen.where(suppression.c.ends_at > now)
    return [(_suppression(row), int(row.hidden)) for row in connection.execute(chosen)]


def end_suppression(connection: Connection, number: int, who: str, now: datetime) -> None:
    """This will end a suppression before its time; what it hid stays as it is. Raises NotFound when none such holds."""
    done = connection.execute(
        update(suppression)
        .where(suppression.c.id == number, suppression.c.ends_at > now)
        .values(ends_at=now, ended_by=who)
    )
    if not done.rowcount:
        raise NotFound(
            f"There is no suppression {number} that still holds.", hint="`anomaly suppress list` shows them."
        )


def _suppression(row: Row[Any]) -> Suppression:
    return Suppression(
        name=row.name,
        entity=row.entity,
        owner=row.owner,
        reason=row.reason,
        ends_at=row.ends_at,
        kind=None if row.kind is None else FindingKind(row.kind),
        cluster_id=row.cluster_id,
        namespace=row.namespace,
        up_to=_SEVERITIES[row.up_to],
        created_at=row.created_at,
        ended_by=row.ended_by,
        id=row.id,
    )


def untouched(connection: Connection, state: State, places: bool, most: int = 10_000) -> list[Subject]:
    """This will return findings in a state that no person has touched, as suppressions see them, the newest at most; `places`
    says whether the namespaces of their events are wanted."""
    touched = exists().where(
        finding_step.c.finding_id == finding.c.id, finding_step.c.move.not_in(_BY_SUPPRESSION)
    )
    rows = connection.execute(
        _subjects()
        .where(finding.c.state == state.value, ~touched)
        .order_by(finding.c.updated_at.desc())
        .limit(most)
    ).all()
    return _with_places(connection, rows, places)


def subjects_between(
    connection: Connection, since: datetime, until: datetime, places: bool, most: int = 10_000
) -> list[Subject]:
    """This will return all findings that overlap [since, until), newest first, as suppressions see them."""
    rows = connection.execute(
        _subjects()
        .where(finding.c.end_at >= since, finding.c.start_at < until)
        .order_by(finding.c.start_at.desc())
        .limit(most)
    ).all()
    return _with_places(connection, rows, places)


def _subjects() -> Any:
    return select(
        finding.c.id,
        finding.c.kind,
        finding.c.name,
        entity.c.username,
        finding.c.cluster_id,
        finding.c.severity,
    ).select_from(finding.join(entity, entity.c.id == finding.c.entity_id))


def _with_places(connection: Connection, rows: Iterable[Row[Any]], places: bool) -> list[Subject]:
    listed = list(rows)
    known = _namespaces(connection, [row.id for row in listed]) if places and listed else {}
    return [
        Subject(
            row.id,
            FindingKind(row.kind),
            row.name,
            row.username,
            row.cluster_id,
            _SEVERITIES[row.severity],
            known.get(row.id),
        )
        for row in listed
    ]


def _namespaces(connection: Connection, ids: list[UUID]) -> dict[UUID, frozenset[str]]:
    """Only findings all of whose events are still there: of the others nobody knows where they lay."""
    rows = connection.execute(
        select(
            evidence.c.finding_id,
            func.array_agg(func.distinct(func.coalesce(term.c.value, ""))).label("names"),
            func.bool_and(event.c.event_key.is_not(None)).label("whole"),
        )
        .select_from(
            evidence.join(finding, finding.c.id == evidence.c.finding_id)
            .outerjoin(
                event,
                and_(
                    event.c.cluster_id == finding.c.cluster_id,
                    event.c.received_at == evidence.c.received_at,
                    event.c.event_key == evidence.c.event_key,
                ),
            )
            .outerjoin(term, term.c.id == event.c.namespace_id)
        )
        .where(evidence.c.finding_id.in_(ids))
        .group_by(evidence.c.finding_id)
    )
    return {row.finding_id: frozenset(row.names) for row in rows if row.whole}


def verdicts_among(connection: Connection, ids: Iterable[UUID]) -> dict[UUID, Verdict]:
    """This will return the verdict of each of the findings that has one."""
    rows = connection.execute(
        select(triage.c.finding_id, triage.c.verdict).where(
            triage.c.finding_id.in_(list(ids)), triage.c.verdict.is_not(None)
        )
    )
    return {row.finding_id: Verdict(row.verdict) for row in rows}
