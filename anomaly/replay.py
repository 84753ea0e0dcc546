"""Replay: what another model would have found in history, beside the one in use, before it is put in use. Keeps nothing.

What is compared is what people would have read: findings, one a story, within each day's room, as judging would have told them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Final
from uuid import UUID

from anomaly.errors import UsageError
from anomaly.findings.merge import BELOW, Days, Story, tell
from anomaly.nightly import Judge, piece_of, survey
from anomaly.scoring import deviation
from anomaly.store.database import Database
from anomaly.store.windows import Span

Say = Callable[[str], None]
_DAY: Final = timedelta(days=1)
LONGEST: Final = timedelta(days=400)


@dataclass(frozen=True, slots=True)
class Replayed:
    """One finding that one of the models shows and the other does not. `start` is that of its first window, the words are those
    of its strangest, and so many `windows` deviate in it."""

    id: UUID
    entity: str
    start: datetime
    name: str
    severity: str
    p_value: float
    windows: int
    reason: str


@dataclass(frozen=True, slots=True)
class Day:
    """One day of history: findings that the model tried shows and the one compared with, how many of each had no room that day,
    and which of the shown ones only one of them shows."""

    day: date
    windows: int
    tried: int
    compared: int
    tried_below: int
    compared_below: int
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
    the days it was trained on; suppressions are left out of account. Raises UsageError for models of different clusters and for
    more than 400 days.
    """
    if tried.kept.cluster_id != compared.kept.cluster_id:
        raise UsageError("The two models are of different clusters.")
    if not since < until <= since + LONGEST:
        raise UsageError("A replay needs a beginning before its end, at most 400 days apart.")
    # One calendar for both, or the same story could fall on different days.
    telling = Telling(database, tried, tried.days)
    beside = Telling(database, compared, replace(tried.days, among=compared.days.among))
    begin = since.astimezone(UTC)
    while begin < until:
        midnight = begin.replace(hour=0, minute=0, second=0, microsecond=0)
        end = min(midnight + _DAY, until)
        say(f"{begin:%Y-%m-%d}")
        ours, windows = telling.of(Span(begin, end))
        if windows:
            theirs, _ = beside.of(Span(begin, end))
            yield _day(begin.date(), windows, ours, theirs)
        begin = end


@dataclass(frozen=True, slots=True)
class Told:
    """The findings of one day by one model, by their id: those shown, and how many had no room."""

    shown: dict[UUID, Replayed]
    below: int


class Telling:
    """One model's findings, told a day at a time; what stood foremost the day before counts, as it does in judging."""

    def __init__(self, database: Database, judge: Judge, days: Days) -> None:
        self._database = database
        self._judge = judge
        self._days = days
        self._before: tuple[Story, ...] = ()

    def of(self, span: Span) -> tuple[Told, int]:
        """This will return the findings of a span, and how many windows were judged for them."""
        surveyed = survey(self._database, self._judge, span)
        if surveyed is None:
            self._before = ()
            return Told({}, 0), 0
        scores, context = surveyed
        kept, days = self._judge.kept, self._days
        found = (deviation(scores, int(row), context) for row in scores.over(context.threshold))
        pieces = [piece_of(kept, kept.cluster_id, one, days) for one in found]
        told = tell(pieces, self._before, days)
        windows = Counter(piece.finding.id for piece in pieces)
        self._before = tuple(story for story in told.stories if story.finding.id in told.touched)
        shown = [story for story in self._before if story.finding.state != BELOW]
        named = {story.finding.id: _replayed(story, windows[story.finding.id]) for story in shown}
        return Told(named, len(self._before) - len(shown)), scores.windows.n


def _day(day: date, windows: int, ours: Told, theirs: Told) -> Day:
    return Day(
        day,
        windows,
        len(ours.shown),
        len(theirs.shown),
        ours.below,
        theirs.below,
        tuple(one for number, one in ours.shown.items() if number not in theirs.shown),
        tuple(one for number, one in theirs.shown.items() if number not in ours.shown),
    )


def _replayed(story: Story, windows: int) -> Replayed:
    made = story.finding
    p_value = float(made.details["p-value"])
    return Replayed(
        made.id, made.entity, made.start, made.name, made.severity.value, p_value, windows, made.reason
    )
