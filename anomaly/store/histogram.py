"""How many events answer a question, over time: for the picture above a list of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection

from anomaly.events.key import EPOCH
from anomaly.store.conditions import bounds
from anomaly.store.search import Asked, Walk

_WIDTHS: Final = tuple(
    timedelta(seconds=seconds)
    for seconds in (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 10_800, 21_600, 43_200, 86_400,
                    172_800, 604_800, 1_209_600, 2_592_000, 7_776_000, 31_536_000)
)  # fmt: skip
_MICROSECOND: Final = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Histogram:
    """Events that answer, in buckets of one width from `since` on, the last ending at `until`; empty for no events at all.

    `exact` is False when raw events would have to be read to tell: the counts are then of all that may answer.
    """

    since: datetime
    until: datetime
    width: timedelta
    counts: tuple[int, ...]
    exact: bool = True

    @property
    def total(self) -> int:
        return sum(self.counts)

    def bucket(self, place: int) -> tuple[datetime, datetime]:
        """This will return the times [since, until) of one bucket."""
        start = self.since + place * self.width
        return start, start + self.width


def width_for(length: timedelta, buckets: int) -> timedelta:
    """This will return the narrowest width people count in that cuts a length of time into at most so many buckets."""
    return next((width for width in _WIDTHS if length <= width * (buckets - 1)), length or _MICROSECOND)


def histogram(connection: Connection, query: Asked, buckets: int = 60) -> Histogram | None:
    """This will count the events that answer, in at most so many buckets over the times that the question names, else over those
    of its events; None when there are none."""
    walk = Walk(connection, query)
    extent = walk.extent()
    if extent is None:
        return None
    asked = bounds(query.node, query.now)
    first = asked.since or extent[0]
    last = extent[1] + _MICROSECOND
    # A time that is asked for is shown to its end, empty or not; but "until the year 3000" is no wish for empty space.
    end = min(asked.until or (max(last, query.now) if asked.since else last), max(last, query.now))
    first = max(first, min(extent[0], end)) if end - first > 20 * (end - extent[0]) else first
    width = width_for(end - first, max(buckets, 2))
    since = EPOCH + (first - EPOCH) // width * width
    number = -((since - end) // width)
    counts = [0] * number
    for start, events in walk.by_bucket(width, since, max(first, since), end):
        counts[(start - since) // width] += int(events)
    return Histogram(since, since + number * width, width, tuple(counts), not walk.deep)
