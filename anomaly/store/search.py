"""Search over stored events: a page of those that answer a question, how many there are, and one of them by its key.

Rows are read from the newest back in slices of time that grow, so that a question which many events answer is done after the
first minutes, and one which none answers reads each row once. What only raw events can tell is read within a bound, and the
page says how far it came.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Connection, Row, and_, false, func, select, text, true, tuple_, union_all

from anomaly.errors import UsageError
from anomaly.events.decode import decode_lines
from anomaly.events.key import EPOCH, microseconds
from anomaly.query.deep import Leaf, holds, is_deep
from anomaly.query.tree import And, Node, Text, When, asks_for, leaves
from anomaly.store.batch import FINAL
from anomaly.store.behind import evidence_of
from anomaly.store.conditions import Condition, Conditions, bounds
from anomaly.store.found import Found, in_parts, raws_of, rows, with_raw, without_raw
from anomaly.store.tables import cluster, event

__all__ = [
    "Asked",
    "Found",
    "Page",
    "count_events",
    "evidence_of",
    "one_event",
    "search_events",
]

MOST_READ: Final = 10_000
"""Raw events read for one page: some tenths of a second."""
_FIRST_SLICE: Final = timedelta(minutes=1)
_GROWS: Final = 8
_BLOCK: Final = 2_000
_STAGED: Final = ("stage", "audit", "finding")
_MICROSECOND: Final = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Asked:
    """A question with what it depends on: `now` for relative times, `clusters` that may be seen (None: all).

    Each request is found once, by the event that ends it, unless `all_stages` or the question itself names a stage, an audit id
    or a finding.
    """

    node: Node
    now: datetime
    clusters: frozenset[str] | None = None
    all_stages: bool = False
    oldest_first: bool = False

    @property
    def final_only(self) -> bool:
        return not self.all_stages and not asks_for(self.node, *_STAGED)


@dataclass(frozen=True, slots=True)
class Page:
    """Some of the events that answer. `cursor` leads on, None at the end; `read` counts raw events that were read to decide;
    `cut` says that reading stopped at its bound before the page was full; `missing` is what never occurred: (field, text)."""

    found: list[Found]
    cursor: str | None
    read: int = 0
    cut: bool = False
    missing: tuple[tuple[str, str], ...] = ()


def search_events(
    connection: Connection, query: Asked, cursor: str | None = None, limit: int = 100, *, raw: bool = False
) -> Page:
    """This will return the next events that answer, newest first unless asked otherwise, with their raw bytes if wanted.

    Raises UsageError for a cursor that is none.
    """
    walk = Walk(connection, query)
    if walk.deep:
        return _read_through(walk, cursor, limit, raw)
    taken = list(_first(walk.rows(_parse(cursor), limit + 1), limit + 1))
    return Page(
        _told(connection, taken[:limit], raw), _cursor(taken, limit), missing=tuple(walk.conditions.missing)
    )


def _read_through(walk: Walk, cursor: str | None, limit: int, raw: bool) -> Page:
    """Candidates are read until the page is full, none is left, or so many were read."""
    kept: list[tuple[Row[Any], bytes]] = []
    read = 0
    last: Row[Any] | None = None
    for row, text_of_it, answers in walk.judged(walk.rows(_parse(cursor), _BLOCK)):
        read += 1
        last = row
        if answers:
            kept.append((row, text_of_it))
        if len(kept) == limit or read == MOST_READ:
            break
    else:
        last = None
    found = without_raw(walk.connection, [row for row, _ in kept])
    if raw:
        found = [replace(one, raw=text_of_it) for one, (_, text_of_it) in zip(found, kept, strict=True)]
    cut = last is not None and len(kept) < limit
    return Page(found, None if last is None else _written(last), read, cut, tuple(walk.conditions.missing))


def count_events(connection: Connection, query: Asked, most: int = MOST_READ) -> tuple[int, bool]:
    """This will return how many events answer, and whether that is all of them: where raw events must be read, at most so many
    are."""
    walk = Walk(connection, query)
    if not walk.deep:
        return walk.count(), True
    total = 0
    for number, (_, _, answers) in enumerate(walk.judged(walk.rows(None, _BLOCK))):
        if number == most:
            return total, False
        total += answers
    return total, True


def one_event(
    connection: Connection,
    cluster_name: str,
    received_at: datetime,
    key: UUID,
    clusters: frozenset[str] | None = None,
) -> Found | None:
    """This will return one event with its raw bytes, by the cluster, time and key that every found event has; None when there is
    no such event in sight."""
    if clusters is not None and cluster_name not in clusters:
        return None
    statement = rows().where(
        cluster.c.name == cluster_name, event.c.received_at == received_at, event.c.event_key == key
    )
    return next(with_raw(connection, connection.execute(statement).all()), None)


class Walk:
    """The rows that may answer one question, from one end of time to the other."""

    def __init__(self, connection: Connection, query: Asked) -> None:
        self.connection = connection
        self.query = query
        self.conditions = Conditions(connection, query.now)
        self.deep = [leaf for leaf in leaves(query.node) if is_deep(leaf)]
        # Numbers stand for texts in what follows: a plan made for any number would be a bad one for most.
        connection.execute(text("SELECT set_config('plan_cache_mode', 'force_custom_plan', true)"))
        self._clusters = self._in_sight()
        final = event.c.flags.op("&")(FINAL) != 0 if query.final_only else true()
        self.condition = and_(
            true(), *(self.conditions.upper(part) for part in _besides_time(query.node)), final
        )
        # What rows tell is asked of the database, once, also where raw events have the last word.
        self._told = [leaf for leaf in leaves(query.node) if not is_deep(leaf)] if self.deep else []
        self._named = {leaf: f"told_{place}" for place, leaf in enumerate(dict.fromkeys(self._told))}

    def extent(self) -> tuple[datetime, datetime] | None:
        """This will return the first and last time of the events within the question's times and clusters; None for none."""
        within = bounds(self.query.node, self.query.now)
        first: list[datetime] = []
        last: list[datetime] = []
        for number in self._clusters:
            asked = select(func.min(event.c.received_at), func.max(event.c.received_at)).where(
                event.c.cluster_id == number, *_within(within.since, within.until)
            )
            low, high = self.connection.execute(asked).one()
            if low is not None:
                first.append(low)
                last.append(high)
        return (min(first), max(last)) if first else None

    def rows(self, after: tuple[datetime, UUID, int] | None, at_once: int) -> Iterator[Row[Any]]:
        """This will yield rows that may answer, in order, those after a place; at most `at_once` are fetched at a time."""
        extent = self.extent()
        if extent is None:
            return
        place = after
        for low, high in self._slices(extent, after):
            while True:
                page = self._page(low, high, place, at_once)
                yield from page
                if len(page) < at_once:
                    break
                place = page[-1].received_at, page[-1].event_key, page[-1].cluster_id

    def count(self) -> int:
        """This will count the rows that may answer."""
        within = bounds(self.query.node, self.query.now)
        statement = select(func.count()).select_from(event)
        statement = statement.where(self.condition, self._mine(), *_within(within.since, within.until))
        return int(self.connection.execute(statement).scalar_one())

    def by_bucket(
        self, width: timedelta, origin: datetime, since: datetime, until: datetime
    ) -> Sequence[Row[Any]]:
        """This will count the rows that may answer within [since, until), by buckets of a width counted from an origin."""
        those = select(event.c.received_at).where(self.condition, self._mine(), *_within(since, until))
        # Taken together with nothing, which is dropped again: of the times of one table PostgreSQL knows that nearly every one is
        # another, takes it that there are as many buckets, and then counts with one process instead of all.
        times = union_all(those, select(event.c.received_at).where(false())).subquery()
        bucket = func.date_bin(width, times.c.received_at, origin)
        statement = select(bucket.label("bucket"), func.count().label("events")).group_by(bucket)
        return self.connection.execute(statement).all()

    def judged(self, walked: Iterator[Row[Any]]) -> Iterator[tuple[Row[Any], bytes, bool]]:
        """This will yield each row with its raw bytes and whether the event answers, now that it is read."""
        for part in in_parts(walked):
            for row, raw in zip(part, raws_of(self.connection, part), strict=True):
                yield row, raw, self._holds(row, raw)

    def _holds(self, row: Row[Any], raw: bytes) -> bool:
        decoded = decode_lines(raw.replace(b"\n", b" "))

        def known(leaf: Leaf) -> bool:
            return bool(getattr(row, self._named[leaf]))

        return any(
            holds(self.query.node, known, one, shape, raw)
            for one, shape in zip(decoded.events, decoded.shapes, strict=True)
        )

    def _in_sight(self) -> list[int]:
        """The clusters that may be seen and that the question does not rule out."""
        asked = self.query.node.nodes if isinstance(self.query.node, And) else (self.query.node,)
        named = [one.patterns for one in asked if isinstance(one, Text) and one.field == "cluster"]
        rows = self.connection.execute(select(cluster.c.id, cluster.c.name).order_by(cluster.c.id))
        return [
            number
            for number, name in rows
            if (self.query.clusters is None or name in self.query.clusters)
            and all(any(one.matches(name) for one in patterns) for patterns in named)
        ]

    def _mine(self) -> Condition:
        return event.c.cluster_id.in_(self._clusters)

    def _slices(
        self, extent: tuple[datetime, datetime], after: tuple[datetime, UUID, int] | None
    ) -> Iterator[tuple[datetime, datetime]]:
        """[low, high) one after the other, the first a minute long and each eight times as long as the one before."""
        first, end = extent[0], extent[1] + _MICROSECOND
        length = _FIRST_SLICE
        if self.query.oldest_first:
            low = max(first, after[0]) if after else first
            while low < end:
                high = min(low + length, end)
                yield low, high
                low, length = high, length * _GROWS
            return
        high = min(end, after[0] + _MICROSECOND) if after else end
        while high > first:
            low = max(high - length, first)
            yield low, high
            high, length = low, length * _GROWS

    def _page(
        self, low: datetime, high: datetime, after: tuple[datetime, UUID, int] | None, most: int
    ) -> Sequence[Row[Any]]:
        keys = (event.c.received_at, event.c.event_key, event.c.cluster_id)
        statement = rows().add_columns(
            *(self.conditions.leaf(leaf).label(name) for leaf, name in self._named.items())
        )
        # In this order: rows are compared left to right, and what is asked for tells most of them apart.
        statement = statement.where(self.condition, self._mine(), *_within(low, high))
        if after is not None:
            place = tuple_(*keys)
            statement = statement.where(place > after if self.query.oldest_first else place < after)
        order = keys if self.query.oldest_first else tuple(key.desc() for key in keys)
        return self.connection.execute(statement.order_by(*order).limit(most)).all()


def _besides_time(node: Node) -> list[Node]:
    """What is asked together, without what `bounds` says completely: each row is held to these anyway, and a million rows more
    comparisons are felt."""
    parts = node.nodes if isinstance(node, And) else (node,)
    return [part for part in parts if not (isinstance(part, When) and len(part.periods) == 1)]


def _within(since: datetime | None, until: datetime | None) -> list[Condition]:
    found: list[Condition] = []
    if since is not None:
        found.append(event.c.received_at >= since)
    if until is not None:
        found.append(event.c.received_at < until)
    return found


def _first(walked: Iterator[Row[Any]], most: int) -> Iterator[Row[Any]]:
    for number, row in enumerate(walked, 1):
        yield row
        if number == most:
            return


def _told(connection: Connection, taken: Sequence[Row[Any]], raw: bool) -> list[Found]:
    return list(with_raw(connection, taken)) if raw else without_raw(connection, taken)


def _cursor(taken: Sequence[Row[Any]], limit: int) -> str | None:
    return _written(taken[limit - 1]) if len(taken) > limit > 0 else None


def _written(row: Row[Any]) -> str:
    return f"{microseconds(row.received_at)}-{row.event_key.hex}-{row.cluster_id}"


def _parse(cursor: str | None) -> tuple[datetime, UUID, int] | None:
    if cursor is None:
        return None
    try:
        moment, key, number = cursor.rsplit("-", 2)
        return EPOCH + timedelta(microseconds=int(moment)), UUID(hex=key), int(number)
    except (ValueError, OverflowError):
        raise UsageError(
            "This cursor is none.", hint="Take it from the answer before, or leave it out to begin."
        ) from None
