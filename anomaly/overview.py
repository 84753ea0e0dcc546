"""The picture of a time: who asked for what, what went wrong, how much came and how late, what was found against the budget.

Counts are sums over windows, so the time is widened to whole ones; no event is read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final

from sqlalchemy import Connection

from anomaly.events.key import EPOCH
from anomaly.store.database import driver_connection
from anomaly.store.extents import first_and_last, names_of
from anomaly.store.latest import DayCount, Judged, findings_by_day, latest_findings
from anomaly.store.tallies import Tallies, read_tallies
from anomaly.windows.dimension import Dimension

_DAY: Final = timedelta(days=1)
_POINTS: Final = 96
"""Points of a line; finer than a screen shows is no use."""


@dataclass(frozen=True, slots=True)
class Counted:
    """How often something occurred. `cluster_id` and `entity_id` of a user; 0 for anything else."""

    label: str
    count: float
    entity_id: int = 0
    cluster_id: int = 0


@dataclass(frozen=True, slots=True)
class Moment:
    """What came in one step of time from `start` on: requests, of which refused, and allowed but failed."""

    start: datetime
    requests: float
    refused: float
    failed: float


@dataclass(frozen=True, slots=True)
class Arrival:
    """How a cluster's events come: the last one's time by the API server's clock, None for none yet; events in the time shown."""

    cluster: str
    last_event: datetime | None
    requests: float


@dataclass(frozen=True, slots=True)
class Overview:
    """Everything the dashboard shows of [since, until). `one_of` n above 1: counts are estimated from each n-th window."""

    since: datetime
    until: datetime
    step: timedelta
    users: tuple[Counted, ...]
    resources: tuple[Counted, ...]
    moments: tuple[Moment, ...]
    latest: tuple[Judged, ...]
    days: tuple[DayCount, ...]
    arrivals: tuple[Arrival, ...]
    requests: float
    windows: int
    one_of: int


def overview(
    connection: Connection,
    clusters: Mapping[int, str],
    since: datetime | None,
    until: datetime | None,
    span: timedelta,
    now: datetime,
    *,
    users: int = 10,
    resources: int = 7,
    latest: int = 8,
) -> Overview:
    """This will return the picture of a time in some clusters (id to name). Without `since` it begins with the first event kept,
    without `until` it goes to now, or to the last event if that is later or the time has no beginning either: of a log that was
    read long ago, nothing would be seen at the edge of years. `span` is the length of a window."""
    ends = first_and_last(connection, clusters)
    last = max((high for _, high in ends.values()), default=now)
    end = until or (max(now, last) if since else last)
    begin = since or min((low for low, _ in ends.values()), default=end - _DAY)
    begin = min(_floor(begin, span), _floor(end, span))
    end = max(-(-(end - EPOCH) // span) * span + EPOCH, begin + span)
    tallies = read_tallies(
        driver_connection(connection),
        begin,
        end,
        {Dimension.REQUESTS, Dimension.RESOURCE, Dimension.DENIED, Dimension.FAILED},
        clusters=clusters,
    )
    owners = tallies.by_entity(Dimension.REQUESTS)
    names = names_of(connection, owners)
    by_cluster: dict[int, float] = {}
    for number, count in owners.items():
        by_cluster[names[number][0]] = by_cluster.get(names[number][0], 0) + count
    counted = [Counted(names[number][1], count, number, names[number][0]) for number, count in owners.items()]
    step, moments = _moments(tallies, begin, end, span)
    return Overview(
        begin,
        end,
        step,
        tuple(counted[:users]),
        _with_rest(
            [Counted(text, count) for text, count in tallies.by_text(Dimension.RESOURCE).items()], resources
        ),
        moments,
        tuple(latest_findings(connection, list(clusters), begin, end, limit=latest)),
        _all_days(findings_by_day(connection, list(clusters), begin, end), begin, end),
        tuple(
            Arrival(name, ends[number][1] if number in ends else None, by_cluster.get(number, 0.0))
            for number, name in sorted(clusters.items(), key=lambda pair: pair[1])
        ),
        sum(owners.values()),
        tallies.windows,
        tallies.one_of,
    )


def _with_rest(counted: Sequence[Counted], most: int) -> tuple[Counted, ...]:
    """The largest, and all others as one with an empty label."""
    if len(counted) <= most + 1:
        return tuple(counted)
    rest = sum(one.count for one in counted[most:])
    return (*counted[:most], Counted("", rest))


def _moments(
    tallies: Tallies, begin: datetime, end: datetime, span: timedelta
) -> tuple[timedelta, tuple[Moment, ...]]:
    step = span * max(1, -(-int((end - begin) / span) // _POINTS))
    number = -(-(end - begin) // step)
    found = {name: [0.0] * number for name in ("requests", "refused", "failed")}
    for name, dimension in (
        ("requests", Dimension.REQUESTS),
        ("refused", Dimension.DENIED),
        ("failed", Dimension.FAILED),
    ):
        for start, count in tallies.by_start(dimension).items():
            found[name][(start - begin) // step] += count
    return step, tuple(
        Moment(begin + place * step, *values)
        for place, values in enumerate(zip(*found.values(), strict=True))
    )


def _all_days(counted: Sequence[DayCount], begin: datetime, end: datetime) -> tuple[DayCount, ...]:
    known = {one.day: one for one in counted}
    day: date = begin.astimezone(UTC).date()
    last = (end - timedelta(microseconds=1)).astimezone(UTC).date()
    found = []
    while day <= last:
        found.append(known.get(day, DayCount(day, 0, 0)))
        day += _DAY
    return tuple(found)


def _floor(at: datetime, span: timedelta) -> datetime:
    return EPOCH + (at - EPOCH) // span * span
