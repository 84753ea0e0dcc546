"""Charts as numbers for SVG: geometry is worked out here, drawn by `templates/charts.html`, coloured by `static/css/charts.css`.

Nothing is drawn that a table beside it does not say as well, and no colour alone tells anything.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

_NICE: Final = (1, 2, 2.5, 5, 10)
_TICK_HOURS: Final = (1 / 60, 1 / 12, 0.25, 0.5, 1, 2, 3, 6, 12, 24, 48, 168, 336, 720, 2160)


@dataclass(frozen=True, slots=True)
class Bar:
    """A column from `x`, `width` wide, `height` high from the ground; times [since, until) and how many."""

    x: float
    y: float
    width: float
    height: float
    since: datetime
    until: datetime
    value: float


@dataclass(frozen=True, slots=True)
class Tick:
    """A mark on an axis: where, and what it says."""

    at: float
    value: float
    moment: datetime | None = None


@dataclass(frozen=True, slots=True)
class Columns:
    """Columns over time in a field of `width` by `height`, with marks for amounts and times."""

    width: int
    height: int
    bars: tuple[Bar, ...]
    amounts: tuple[Tick, ...]
    times: tuple[Tick, ...]


@dataclass(frozen=True, slots=True)
class Line:
    """One line over time: `points` as SVG writes them."""

    name: str
    points: str
    area: str


@dataclass(frozen=True, slots=True)
class Lines:
    """Lines over time in one field."""

    width: int
    height: int
    lines: tuple[Line, ...]
    amounts: tuple[Tick, ...]
    times: tuple[Tick, ...]


@dataclass(frozen=True, slots=True)
class Slice:
    """A part of a pie: `path` as SVG writes it, its share of the whole (0..1), its place for the colour."""

    label: str
    value: float
    share: float
    path: str
    place: int


def top_of(most: float, steps: int = 3) -> list[float]:
    """This will return the amounts to mark on an axis that must reach `most`: round ones, the last at or above it."""
    if most < 1e-9:
        return [1.0]
    rough = most / steps
    size = 10 ** math.floor(math.log10(rough))
    step = next(nice * size for nice in _NICE if nice * size >= rough)
    if most >= 1:
        step = max(step, 1.0)
    return [step * number for number in range(1, math.ceil(most / step - 1e-9) + 1)]


def columns(
    starts: Sequence[datetime],
    values: Sequence[float],
    length: timedelta,
    width: int = 1200,
    height: int = 120,
) -> Columns:
    """This will return the columns of values over time, each `length` long and beginning at one of `starts`, in order."""
    marks = top_of(max(values, default=0))
    top = marks[-1]
    each = width / max(len(starts), 1)
    bars = []
    for place, (start, value) in enumerate(zip(starts, values, strict=True)):
        # Few are still seen: what happened once must not look like what never did.
        high = _round(max(value / top * height, 2.0)) if value > 0 else 0.0
        gap = min(1.5, each / 5)
        bars.append(
            Bar(
                _round(place * each),
                _round(height - high),
                _round(each - gap),
                high,
                start,
                start + length,
                value,
            )
        )
    end = starts[-1] + length if starts else None
    return Columns(
        width,
        height,
        tuple(bars),
        _amounts(marks, height),
        _times(starts[0], end, width) if end is not None else (),
    )


def lines(
    starts: Sequence[datetime],
    series: Sequence[tuple[str, Sequence[float]]],
    length: timedelta,
    width: int = 600,
    height: int = 150,
    top: float = 0,
) -> Lines:
    """This will return lines of values over time; each value stands in the middle of its span of time. The axis reaches `top` at
    least."""
    marks = top_of(max([top, *(value for _, values in series for value in values)]))
    highest = marks[-1]
    each = width / max(len(starts), 1)
    drawn = []
    for name, values in series:
        points = [
            f"{_round((place + 0.5) * each)},{_round(height - value / highest * height)}"
            for place, value in enumerate(values)
        ]
        if len(points) == 1:
            y = points[0].split(",")[1]
            points = [f"0,{y}", f"{width},{y}"]
        first, last = (points[0].split(",")[0], points[-1].split(",")[0]) if points else ("0", "0")
        drawn.append(
            Line(name, " ".join(points), " ".join([f"{first},{height}", *points, f"{last},{height}"]))
        )
    times = _times(starts[0], starts[-1] + length, width) if starts else ()
    return Lines(width, height, tuple(drawn), _amounts(marks, height), times)


def pie(parts: Sequence[tuple[str, float]], radius: float = 70, hole: float = 42) -> tuple[Slice, ...]:
    """This will return the slices of a ring, clockwise from the top, in the order given; none for a whole of nothing."""
    whole = sum(value for _, value in parts)
    found = []
    begun = 0.0
    for place, (label, value) in enumerate(parts):
        if whole <= 0 or value <= 0:
            continue
        share = value / whole
        found.append(Slice(label, value, share, _ring(begun, begun + share, radius, hole), place))
        begun += share
    return tuple(found)


def shade(value: float, most: float, shades: int = 5) -> int:
    """This will return how dark a cell of a heat map is: 0 for nothing, 1 to `shades` by the root of its part of the most, so that
    quiet hours can be told apart too."""
    if value <= 0 or most <= 0:
        return 0
    return max(1, min(shades, math.ceil(math.sqrt(value / most) * shades)))


def _ring(begin: float, end: float, radius: float, hole: float) -> str:
    # A whole circle ends where it begins, which SVG draws as nothing.
    end = min(end, begin + 0.9999)

    def point(turn: float, far: float) -> str:
        angle = 2 * math.pi * turn
        return f"{_round(far * math.sin(angle))} {_round(-far * math.cos(angle))}"

    large = 1 if end - begin > 0.5 else 0
    return (
        f"M{point(begin, radius)}A{radius} {radius} 0 {large} 1 {point(end, radius)}"
        f"L{point(end, hole)}A{hole} {hole} 0 {large} 0 {point(begin, hole)}Z"
    )


def _amounts(marks: Sequence[float], height: int) -> tuple[Tick, ...]:
    top = marks[-1]
    return tuple(Tick(_round(height - mark / top * height), mark) for mark in marks)


def _times(first: datetime, end: datetime, width: int, most: int = 6) -> tuple[Tick, ...]:
    hours = (end - first) / timedelta(hours=1)
    step = next((one for one in _TICK_HOURS if hours / one <= most), hours / most or 1.0)
    length = timedelta(hours=step)
    midnight = first.replace(hour=0, minute=0, second=0, microsecond=0)
    at = midnight + math.ceil((first - midnight) / length) * length
    found = []
    while at < end:
        found.append(Tick(_round((at - first) / (end - first) * width), 0, at))
        at += length
    return tuple(found)


def _round(value: float) -> float:
    return round(value, 2)
