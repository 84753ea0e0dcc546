"""Small charts of days: a column a day, and where a promise was made the band that it lay in. Numbers only; templates draw them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Final

from anomaly.events.key import EPOCH

if TYPE_CHECKING:
    from anomaly.payloads.model import DayPayload
    from anomaly.payloads.promise import PromisePayload

DAY: Final = timedelta(days=1)
WIDTH: Final = 12.0
"""Of a day, in units of the drawing."""
BAR: Final = 7.0
HEIGHT: Final = 72.0
_ROOM: Final = 14
"""Days there is room for at least, so that one alone does not fill the picture."""
_LEAST: Final = 1.5
"""Height of the smallest column that stands for something."""


@dataclass(frozen=True, slots=True)
class Column:
    """One day. `x` is its left edge; each of `tops` is (kind, y, height); `band` is (y, height) of what was promised."""

    day: datetime
    x: float
    tops: tuple[tuple[str, float, float], ...]
    band: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class Chart:
    """Columns side by side; `most` is what the full height stands for."""

    columns: tuple[Column, ...]
    width: float
    most: float
    height: float = HEIGHT
    bar: float = BAR


def days_until(now: datetime, count: int) -> list[datetime]:
    """This will return the last so many days (UTC), today among them, the oldest first."""
    today = EPOCH + (now - EPOCH) // DAY * DAY
    return [today - place * DAY for place in range(count - 1, -1, -1)]


def chart_of(days: Sequence[datetime], counts: Mapping[datetime, int]) -> Chart:
    """This will draw how many there were a day."""
    most = max(1, *counts.values()) if counts else 1
    return Chart(
        tuple(
            Column(day, place * WIDTH, _stacked((("came", counts.get(day, 0)),), most))
            for place, day in enumerate(days)
        ),
        max(len(days), _ROOM) * WIDTH,
        most,
    )


def chart_of_promises(kept: Iterable[PromisePayload]) -> Chart:
    """This will draw what came over the line a day, beside the band that was promised; the oldest day first."""
    listed = sorted(kept, key=lambda one: one["day"])
    most = max((1.0, *(max(one["promised"]["high"], _over(one)) for one in listed)))
    columns = []
    for place, one in enumerate(listed):
        low, high = one["promised"]["low"], one["promised"]["high"]
        top, bottom = HEIGHT * (1 - high / most), HEIGHT * (1 - low / most)
        kind = "came" if one["holds"] else "broken"
        day = _midnight(one["day"])
        columns.append(
            Column(
                day,
                place * WIDTH,
                _stacked(((kind, _over(one)),), most),
                (round(top, 2), round(max(bottom - top, 1.0), 2)),
            )
        )
    return Chart(tuple(columns), max(len(columns), _ROOM) * WIDTH, most)


def chart_of_replay(days: Sequence[DayPayload]) -> Chart:
    """This will draw a day's findings of both models, and above them those of one model only."""
    most = max((1, *(len(one["gained"]) + len(one["lost"]) + _both(one) for one in days)))
    return Chart(
        tuple(
            Column(
                _midnight(_date(one)),
                place * WIDTH,
                _stacked(
                    (("both", _both(one)), ("lost", len(one["lost"])), ("gained", len(one["gained"]))), most
                ),
            )
            for place, one in enumerate(days)
        ),
        max(len(days), _ROOM) * WIDTH,
        most,
    )


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def _both(one: DayPayload) -> int:
    return max(0, one["tried"] - len(one["gained"]))


def _date(one: DayPayload) -> date:
    # What comes back from a run went through JSON.
    return date.fromisoformat(str(one["day"]))


def _over(one: PromisePayload) -> int:
    came = one["came"]
    return came["shown"] + came["no_room"] + came["hidden"]


def _stacked(counts: Iterable[tuple[str, int]], most: float) -> tuple[tuple[str, float, float], ...]:
    made, bottom = [], HEIGHT
    for kind, count in counts:
        if count:
            height = max(_LEAST, HEIGHT * count / most)
            bottom -= height
            made.append((kind, round(bottom, 2), round(height, 2)))
    return tuple(made)
