"""Entities as people look for them: listed by name, with what was found about each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Row, Select, and_, func, literal, select, tuple_

from anomaly.errors import NotFound
from anomaly.events.identity import Identity, identity_of
from anomaly.findings.finding import Severity
from anomaly.findings.triage import State
from anomaly.store.tables import cluster, entity, finding
from anomaly.store.terms import storable

_SEVERITIES: Final = tuple(Severity)
_AT_WORK: Final = (State.OPEN.value, State.TAKEN.value)


@dataclass(frozen=True, slots=True)
class Known:
    """An entity with its findings: how many are open or taken, how grave the gravest of these is, when the last of all began."""

    id: int
    cluster_id: int
    cluster: str
    identity: Identity
    open: int
    worst: Severity | None
    last_finding_at: datetime | None


def list_known(
    connection: Connection,
    clusters: Sequence[str] | None = None,
    like: str | None = None,
    after: tuple[str, str] | None = None,
    limit: int = 50,
) -> list[Known]:
    """This will return entities by cluster and username, those after (cluster, username); `*` in `like` stands for anything."""
    statement = _known().order_by(cluster.c.name, entity.c.username).limit(limit)
    if clusters is not None:
        statement = statement.where(cluster.c.name.in_(clusters))
    if like is not None and "*" in like:
        statement = statement.where(entity.c.username.like(_like(like), escape="\\"))
    elif like is not None:
        statement = statement.where(entity.c.username == storable(like))
    if after is not None:
        statement = statement.where(
            tuple_(cluster.c.name, entity.c.username) > tuple_(literal(after[0]), literal(after[1]))
        )
    return [_row(row) for row in connection.execute(statement)]


def find_known(connection: Connection, number: int) -> Known:
    """This will return one entity. Raises NotFound."""
    row = connection.execute(_known().where(entity.c.id == number)).first()
    if row is None:
        raise no_entity(number)
    return _row(row)


def no_entity(number: int) -> NotFound:
    """This will return what says that there is no such entity."""
    return NotFound(f"There is no entity {number}.", hint="The list of entities has their numbers.")


def _known() -> Select[Any]:
    counted = (
        select(
            func.count().filter(finding.c.state.in_(_AT_WORK)).label("open"),
            func.max(finding.c.severity).filter(finding.c.state.in_(_AT_WORK)).label("worst"),
            func.max(finding.c.start_at).label("last"),
        )
        .where(finding.c.entity_id == entity.c.id)
        .lateral()
    )
    return select(
        entity.c.id,
        entity.c.cluster_id,
        cluster.c.name.label("cluster"),
        entity.c.username,
        counted.c.open,
        counted.c.worst,
        counted.c.last,
    ).select_from(
        entity.join(cluster, and_(cluster.c.id == entity.c.cluster_id)).outerjoin(
            counted, counted.c.open >= 0
        )
    )


def _like(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return escaped.replace("*", "%")


def _row(row: Row[Any]) -> Known:
    return Known(
        row.id,
        row.cluster_id,
        row.cluster,
        identity_of(row.username),
        int(row.open or 0),
        None if row.worst is None else _SEVERITIES[row.worst],
        row.last,
    )
