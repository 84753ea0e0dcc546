"""What the alert budget of a cluster went for on its newest day, and how much room it had on others."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta

from sqlalchemy import ColumnElement, Connection, func, select, true

from anomaly.events.key import EPOCH
from anomaly.findings.finding import FindingKind
from anomaly.findings.merge import Days
from anomaly.findings.triage import State
from anomaly.store.tables import cluster, event, finding, model

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Spent:
    """One day of a cluster's budget: findings by behaviour that are shown, those without room below the line, and its `room`."""

    cluster: str
    start: datetime
    end: datetime
    shown: int
    below: int
    room: int


def newest_days(
    connection: Connection, clusters: frozenset[str] | None, per_day: float, most: int = 8
) -> list[Spent]:
    """This will return for each cluster in sight that has a model what its newest day with findings by behaviour went for, at
    most so many clusters, by name. Days are as long and begin as those by which the cluster is judged (`anomaly.nightly`)."""
    sought = true() if clusters is None else cluster.c.name.in_(clusters)
    found = []
    for number, name, days in _judged_by(connection, sought, per_day, most):
        if (spent := _newest(connection, number, name, days)) is not None:
            found.append(spent)
    return found


def rooms(
    connection: Connection, clusters: Collection[int], per_day: float, since: datetime, until: datetime
) -> dict[date, int]:
    """This will return how many findings by behaviour each day (UTC) of [since, until) has room for, over all these clusters;
    days without any left out. Where days are shorter than 24 hours, as in the demonstration, one has room for several of them."""
    found: dict[date, int] = {}
    for number, _, open_ended in _judged_by(connection, cluster.c.id.in_(clusters), per_day, len(clusters)):
        days = _within_log(connection, number, open_ended)
        if days.horizon is None:
            continue
        start = days.start_of(max(since, _first_judged(connection, number, days)))
        while start < min(until, days.horizon):
            day = start.astimezone(UTC).date()
            found[day] = found.get(day, 0) + days.room(start)
            start += days.length
    return found


def _first_judged(connection: Connection, number: int, days: Days) -> datetime:
    """When the days of a cluster began that were judged: of a log read at once those before the training mostly were not."""
    if days.origin == EPOCH:
        return EPOCH
    mine = (finding.c.cluster_id == number, finding.c.kind == FindingKind.BEHAVIOUR.value)
    first = connection.execute(select(func.min(finding.c.start_at)).where(*mine)).scalar_one()
    return days.origin if first is None else min(first, days.origin)


def _judged_by(
    connection: Connection, sought: ColumnElement[bool], per_day: float, most: int
) -> Iterator[tuple[int, str, Days]]:
    """Clusters that have a model: id, name, and the days by which they are judged."""
    statement = (
        # Of its context only what is needed: it names every entity.
        select(
            cluster.c.id,
            cluster.c.name,
            model.c.context["time_scale"].as_float(),
            model.c.context["until"].as_string(),
        )
        .join(model, model.c.cluster_id == cluster.c.id)
        .where(model.c.state == "champion", sought)
        .order_by(cluster.c.name)
        .limit(most)
    )
    for number, name, time_scale, until in connection.execute(statement).all():
        scale = 1.0 if time_scale is None else time_scale
        origin = EPOCH if scale == 1.0 else datetime.fromisoformat(until)
        yield number, name, Days(_DAY / scale, per_day, origin)


def _within_log(connection: Connection, number: int, days: Days) -> Days:
    """A day that the log covers in part has room for that part."""
    seen = select(func.max(event.c.received_at)).where(event.c.cluster_id == number)
    return replace(days, horizon=connection.execute(seen).scalar_one())


def _newest(connection: Connection, number: int, name: str, days: Days) -> Spent | None:
    mine = (finding.c.cluster_id == number, finding.c.kind == FindingKind.BEHAVIOUR.value)
    newest = connection.execute(select(func.max(finding.c.start_at)).where(*mine)).scalar_one()
    if newest is None:
        return None
    days = _within_log(connection, number, days)
    start = days.start_of(newest)
    end = start + days.length
    below = finding.c.state == State.BELOW.value
    row = connection.execute(
        select(func.count().filter(~below).label("shown"), func.count().filter(below).label("below")).where(
            *mine, finding.c.start_at >= start, finding.c.start_at < end
        )
    ).one()
    return Spent(name, start, end, row.shown, row.below, days.room(start))
