"""Replay: what another model would have found in history, beside the one in use, before it is put in use. Keeps nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final

from anomaly.errors import UsageError
from anomaly.events.key import EPOCH
from anomaly.nightly import Judge, survey
from anomaly.scoring import Deviation, deviation
from anomaly.store.database import Database
from anomaly.store.windows import Span

Say = Callable[[str], None]
_DAY: Final = timedelta(days=1)
LONGEST: Final = timedelta(days=400)


@dataclass(frozen=True, slots=True)
class Replayed:
    """One window that lies over the line of one model and not of the other, or of both."""

    entity: str
    start: datetime
    name: str
    severity: str
    p_value: float
    reason: str
    key: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Day:
    """One day of history: windows over the line of the model tried and of the one compared with."""

    day: date
    windows: int
    tried: int
    compared: int
    gained: tuple[Replayed, ...]
    lost: tuple[Replayed, ...]


def replay(
    database: Database,
    tried: Judge,
    compared: Judge,
    since: datetime,
    until: datetime,
    say: Say = lambda said: None,
) -> Iterator[Day]:
    """This will yield each day of [since, until) that has windows, judged by both models as they are.

    Both know what has been seen up to each window and nothing later; each draws its own line by the same budget. A model is kind to
    the days it was trained on. Raises UsageError for models of different clusters and for more than 400 days.
    """
    if tried.kept.cluster_id != compared.kept.cluster_id:
        raise UsageError("The two models are of different clusters.")
    if not since < until <= since + LONGEST:
        raise UsageError("A replay needs a beginning before its end, at most 400 days apart.")
    begin = since.astimezone(UTC)
    while begin < until:
        midnight = begin.replace(hour=0, minute=0, second=0, microsecond=0)
        end = min(midnight + _DAY, until)
        say(f"{begin:%Y-%m-%d}")
        if (day := _day(database, tried, compared, Span(begin, end))) is not None:
            yield day
        begin = end


def _day(database: Database, tried: Judge, compared: Judge, span: Span) -> Day | None:
    ours, count = found_in(database, tried, span)
    if not count:
        return None
    theirs, _ = found_in(database, compared, span)
    assert span.since is not None
    return Day(
        span.since.date(),
        count,
        len(ours),
        len(theirs),
        tuple(one for key, one in ours.items() if key not in theirs),
        tuple(one for key, one in theirs.items() if key not in ours),
    )


def found_in(database: Database, judge: Judge, span: Span) -> tuple[dict[tuple[int, int], Replayed], int]:
    """This will return the windows of a span over a model's line, by (entity id, start in us), and how many were judged."""
    surveyed = survey(database, judge, span)
    if surveyed is None:
        return {}, 0
    scores, context = surveyed
    found = (_replayed(deviation(scores, int(row), context)) for row in scores.over(context.threshold))
    return {one.key: one for one in found}, scores.windows.n


def _replayed(one: Deviation) -> Replayed:
    return Replayed(
        one.entity.identity.username,
        EPOCH + timedelta(microseconds=one.start_us),
        one.name,
        one.severity,
        one.p_value,
        one.reason,
        (one.entity.id, one.start_us),
    )
