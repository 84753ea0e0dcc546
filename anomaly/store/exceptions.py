"""Exceptions kept, listed, ended, and tried on what is stored before they are saved."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Final
from uuid import UUID

import psycopg
from sqlalchemy import Connection, FromClause, Row, and_, func, insert, literal_column, select, update
from sqlalchemy.sql.elements import ColumnElement

from anomaly.errors import NotFound
from anomaly.findings.exceptions import Exceptions, RuleException, fits
from anomaly.store.tables import cluster, entity, event, evidence, finding, held_finding, rule_exception, term
from anomaly.store.tables import rule_match as stored_match

_COLUMNS: Final = (
    "id",
    "rule",
    "cluster",
    "entity",
    "namespace",
    "name",
    "owner",
    "reason",
    "created_at",
    "ends_at",
)
_EXAMPLES: Final = 10


@dataclass(frozen=True, slots=True)
class Listed:
    """An exception and what it has silenced so far, as far as retention kept it: findings, and events in them."""

    exception: RuleException
    findings: int
    silenced: int


@dataclass(slots=True)
class Preview:
    """What an exception would have silenced of what is stored.

    `findings` would not exist at all, `partly` would have fewer events, `events` is how many matches in all, `fed` how many
    matches no correlation would have seen.
    """

    findings: int = 0
    partly: int = 0
    events: int = 0
    fed: int = 0
    by_day: dict[date, int] = field(default_factory=dict)
    examples: list[tuple[UUID, str, str, datetime]] = field(default_factory=list)


def load_exceptions(cursor: psycopg.Cursor[tuple[object, ...]], oldest_us: int) -> Exceptions:
    """This will return the exceptions that cover events received at `oldest_us` or later.

    Read in the transaction that needs it: an exception holds from the moment it is saved, in every process.
    """
    rows = cursor.execute(
        "SELECT id, rule, cluster, entity, namespace, name, owner, reason, created_at, ends_at FROM anomaly.rule_exception"
        " WHERE ends_at > to_timestamp(0) + %s * interval '1 microsecond' ORDER BY id",
        [oldest_us],
    ).fetchall()
    return Exceptions(tuple(RuleException(**dict(zip(_COLUMNS, row, strict=True))) for row in rows))  # type: ignore[arg-type]


def cluster_names(cursor: psycopg.Cursor[tuple[object, ...]]) -> dict[int, str]:
    """This will return the names of all clusters by id, which exceptions go by."""
    rows = cursor.execute("SELECT id, name FROM anomaly.cluster").fetchall()
    return {int(str(number)): str(name) for number, name in rows}


def add_exception(connection: Connection, exception: RuleException) -> int:
    """This will save an exception that `findings.exceptions.checked` let pass, and return its id."""
    columns = ("rule", "cluster", "entity", "namespace", "name", "owner", "reason", "ends_at")
    values = {column: getattr(exception, column) for column in columns}
    statement = insert(rule_exception).values(values).returning(rule_exception.c.id)
    return int(connection.execute(statement).scalar_one())


def end_exception(connection: Connection, number: int, now: datetime) -> None:
    """This will end an exception: events received from `now` on are not excepted. Raises NotFound when it is not in force."""
    ended = connection.execute(
        update(rule_exception)
        .where(rule_exception.c.id == number, rule_exception.c.ends_at > now)
        .values(ends_at=now)
    )
    if not ended.rowcount:
        raise NotFound(
            f"There is no exception {number} in force.",
            hint="`anomaly exceptions list --all` shows all of them.",
        )


def list_exceptions(connection: Connection, now: datetime | None = None) -> list[Listed]:
    """This will return the exceptions in force at `now`, or all, by id."""
    counted = (
        select(
            held_finding.c.holder_id,
            func.count().label("held"),
            func.sum(held_finding.c.count).label("events"),
        )
        .where(held_finding.c.held_by == "exception")
        .group_by(held_finding.c.holder_id)
        .subquery()
    )
    statement = (
        select(rule_exception, counted.c.held, counted.c.events)
        .outerjoin(counted, counted.c.holder_id == rule_exception.c.id)
        .order_by(rule_exception.c.id)
    )
    if now is not None:
        statement = statement.where(rule_exception.c.ends_at > now)
    return [
        Listed(_exception(row), row.held or 0, int(row.events or 0)) for row in connection.execute(statement)
    ]


def preview(
    connection: Connection,
    exception: RuleException,
    rules: Iterable[str],
    since: datetime,
    until: datetime,
) -> Preview:
    """This will try an exception on the findings and matches of [since, until), whenever it would end.

    `rules` are the ids that it may be about; the same comparison decides as when events come in.
    """
    made = Preview()
    names = [rule for rule in rules if fits(exception.rule, rule)]
    totals: Counter[UUID] = Counter()
    silenced: Counter[UUID] = Counter()
    about: dict[UUID, tuple[str, str, datetime]] = {}
    for row in _events_of_findings(connection, names, since, until):
        totals[row.id] += row.events
        if _covers(exception, row):
            silenced[row.id] += row.events
            about[row.id] = (row.rule, row.username, row.start_at)
    for number, events in silenced.items():
        whole = events == totals[number]
        made.findings += whole
        made.partly += not whole
        made.events += events
        day = about[number][2].date()
        made.by_day[day] = made.by_day.get(day, 0) + 1
    newest = sorted(about.items(), key=lambda item: (item[1][2], item[0]), reverse=True)
    made.examples = [(number, *said) for number, said in newest[:_EXAMPLES]]
    made.by_day = dict(sorted(made.by_day.items()))
    made.fed = sum(row.events for row in _fed(connection, names, since, until) if _covers(exception, row))
    return made


_namespace, _name = term.alias("namespace"), term.alias("name")


def _events_of_findings(
    connection: Connection, names: Sequence[str], since: datetime, until: datetime
) -> Iterable[Row[tuple[object, ...]]]:
    """One row for each finding and sort of event in it."""
    statement = (
        select(
            finding.c.id,
            finding.c.name.label("rule"),
            finding.c.start_at,
            cluster.c.name.label("cluster"),
            entity.c.username,
            _namespace.c.value.label("namespace"),
            _name.c.value.label("object"),
            func.count().label("events"),
        )
        .join(evidence, evidence.c.finding_id == finding.c.id)
        .join(event, _same_event(evidence, finding.c.cluster_id))
        .join(cluster, cluster.c.id == finding.c.cluster_id)
        .join(entity, entity.c.id == event.c.entity_id)
        .outerjoin(_namespace, _namespace.c.id == event.c.namespace_id)
        .outerjoin(_name, _name.c.id == event.c.name_id)
        .where(
            finding.c.kind == "rule",
            finding.c.name.in_(names),
            evidence.c.received_at >= since,
            evidence.c.received_at < until,
        )
        .group_by(*_first_columns(7))
    )
    return connection.execute(statement).all()


def _fed(
    connection: Connection, names: Sequence[str], since: datetime, until: datetime
) -> Iterable[Row[tuple[object, ...]]]:
    statement = (
        select(
            stored_match.c.rule,
            cluster.c.name.label("cluster"),
            entity.c.username,
            _namespace.c.value.label("namespace"),
            _name.c.value.label("object"),
            func.count().label("events"),
        )
        .join(event, _same_event(stored_match, stored_match.c.cluster_id))
        .join(cluster, cluster.c.id == event.c.cluster_id)
        .join(entity, entity.c.id == event.c.entity_id)
        .outerjoin(_namespace, _namespace.c.id == event.c.namespace_id)
        .outerjoin(_name, _name.c.id == event.c.name_id)
        .where(
            stored_match.c.rule.in_(names),
            stored_match.c.received_at >= since,
            stored_match.c.received_at < until,
        )
        .group_by(*_first_columns(5))
    )
    return connection.execute(statement).all()


def _first_columns(count: int) -> list[ColumnElement[object]]:
    """The first columns by their place, for GROUP BY."""
    return [literal_column(str(place)) for place in range(1, count + 1)]


def _same_event(table: FromClause, cluster_id: ColumnElement[int]) -> ColumnElement[bool]:
    return and_(
        event.c.cluster_id == cluster_id,
        event.c.received_at == table.c.received_at,
        event.c.event_key == table.c.event_key,
    )


def _covers(exception: RuleException, row: Row[tuple[object, ...]]) -> bool:
    _, _, name = (row.object or "").partition(" ")
    return (
        fits(exception.cluster, row.cluster)
        and fits(exception.entity, row.username)
        and fits(exception.namespace, row.namespace or "")
        and fits(exception.name, name.partition("/")[2])
    )


def _exception(row: Row[tuple[object, ...]]) -> RuleException:
    return RuleException(**{name: getattr(row, name) for name in _COLUMNS})
