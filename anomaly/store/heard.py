"""What verdicts changed: findings ranked anew because of alike ones, and models that were trained with a verdict."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, func, or_, select

from anomaly.findings.triage import State
from anomaly.store.tables import finding, model, triage

_ACTIVE = (State.OPEN.value, State.TAKEN.value)


@dataclass(frozen=True, slots=True)
class Moved:
    """An open finding whose score verdicts on alike ones moved."""

    id: UUID
    title: str
    before: float
    after: float


@dataclass(frozen=True, slots=True)
class Lesson:
    """A model that was trained since a verdict, and what it says of the verdicts it heard. `vanished` says that this finding would
    not be made again."""

    model: int
    state: str
    trained_at: datetime
    findings: int
    reason: str
    vanished: bool


@dataclass(frozen=True, slots=True)
class Change:
    """What came of a verdict: open findings that moved with it, how many in the cluster did in all, and models that heard it."""

    moved: tuple[Moved, ...]
    moved_in_all: int
    lessons: tuple[Lesson, ...]
    own: tuple[float, float] | None
    """The finding's own score before and after verdicts on alike ones, where they moved it."""


def change_of(connection: Connection, number: UUID, most: int = 6) -> Change:
    """This will return what verdicts changed about and after a finding."""
    about = connection.execute(
        select(
            finding.c.cluster_id,
            finding.c.name,
            finding.c.attack,
            finding.c.score,
            triage.c.heard_score,
            triage.c.closed_at,
            triage.c.verdict,
        )
        .select_from(finding.outerjoin(triage, triage.c.finding_id == finding.c.id))
        .where(finding.c.id == number)
    ).one()
    own = None if about.heard_score is None else (about.score, about.heard_score)
    if about.verdict is None:
        return Change((), 0, (), own)
    heard = [
        finding.c.cluster_id == about.cluster_id,
        finding.c.state.in_(_ACTIVE),
        triage.c.heard_score.is_not(None),
    ]
    source = finding.join(triage, triage.c.finding_id == finding.c.id)
    alike = or_(finding.c.name == about.name, finding.c.attack.overlap(list(about.attack)))
    shift = func.abs(triage.c.heard_score - finding.c.score)
    rows = connection.execute(
        select(finding.c.id, finding.c.title, finding.c.score, triage.c.heard_score)
        .select_from(source)
        .where(*heard, alike)
        .order_by(shift.desc())
        .limit(most)
    )
    total = connection.execute(select(func.count()).select_from(source).where(*heard)).scalar_one()
    models = connection.execute(
        select(model.c.id, model.c.state, model.c.created_at, model.c.context["verdicts"].label("verdicts"))
        .where(model.c.cluster_id == about.cluster_id, model.c.created_at > about.closed_at)
        .order_by(model.c.id.desc())
        .limit(3)
    )
    return Change(
        tuple(Moved(row.id, row.title, row.score, row.heard_score) for row in rows),
        int(total),
        tuple(_lesson(row, number) for row in models),
        own,
    )


def _lesson(row: Any, number: UUID) -> Lesson:
    said = row.verdicts or {}
    gone = str(number) in said.get("vanished", ())
    return Lesson(
        row.id, row.state, row.created_at, int(said.get("findings", 0)), said.get("reason", ""), gone
    )
