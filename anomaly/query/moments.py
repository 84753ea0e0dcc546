"""Times as a question writes them: a time means all of what it names, 2026-11-23 the whole day, 10:30 the whole minute."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final

from anomaly.events.key import EPOCH
from anomaly.query.tree import Edge

_AGO: Final = re.compile(r"([+-])(\d{1,18})(us|ms|s|m|min|h|d|w)")
_UNITS: Final = {"us": 1, "ms": 1_000, "s": 1_000_000, "m": 60_000_000, "min": 60_000_000, "h": 3_600_000_000,
                 "d": 86_400_000_000, "w": 604_800_000_000}  # fmt: skip
_WRITTEN: Final = ("w", "d", "h", "m", "s", "ms", "us")
_FAR: Final = 100 * 366 * 86_400_000_000
"""A hundred years: what is further from now is a slip, and could not be written as a date."""
_MOMENT: Final = re.compile(
    r"(\d{4})(?:-(\d\d)(?:-(\d\d)(?:[T ](\d\d)(?::(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?)?)?)?)?(Z|z|[+-]\d\d:?\d\d)?"
)
_MICROSECOND: Final = timedelta(microseconds=1)
_LEAST: Final = (datetime(1, 1, 2, tzinfo=UTC) - EPOCH) // _MICROSECOND
_MOST: Final = (datetime(9999, 12, 30, tzinfo=UTC) - EPOCH) // _MICROSECOND


def named(text: str) -> tuple[Edge, Edge] | None:
    """This will return the first and the last microsecond of what a time names; None when it is no time.

    >>> named("-1h")
    (Edge(us=-3600000000, relative=True), Edge(us=-3600000000, relative=True))
    >>> first, last = named("2026-11-23")
    >>> (last.us - first.us + 1) // 3_600_000_000
    24
    """
    if text == "now":
        return Edge(0, True), Edge(0, True)
    if ago := _AGO.fullmatch(text):
        us = int(ago[2]) * _UNITS[ago[3]]
        edge = Edge(-us if ago[1] == "-" else us, True)
        return (edge, edge) if us <= _FAR else None
    return _calendar(text)


def _calendar(text: str) -> tuple[Edge, Edge] | None:
    found = _MOMENT.fullmatch(text)
    if not found or (found[8] and not found[4]):
        return None
    year, month, day, hour, minute, second = (int(part) if part else None for part in found.groups()[:6])
    assert year is not None
    zone = (found[8] or "Z").upper().replace(":", "")
    micro = int((found[7] or "0")[:6].ljust(6, "0"))
    try:
        start = datetime(year, month or 1, day or 1, hour or 0, minute or 0, second or 0, micro, UTC)
        if zone != "Z":
            start -= timedelta(hours=int(zone[1:3]), minutes=int(zone[3:])) * (-1 if zone[0] == "-" else 1)
        if month is None:
            end = start.replace(year=year + 1)
        elif day is None:
            end = (start + timedelta(days=32)).replace(day=1)
        else:
            end = start + _length(hour, minute, second, found[7])
    except (ValueError, OverflowError):
        return None
    low, high = (start - EPOCH) // _MICROSECOND, (end - EPOCH) // _MICROSECOND - 1
    return (Edge(low), Edge(high)) if low >= _LEAST and high <= _MOST else None


def _length(hour: int | None, minute: int | None, second: int | None, fraction: str | None) -> timedelta:
    if hour is None:
        return timedelta(days=1)
    if minute is None:
        return timedelta(hours=1)
    if second is None:
        return timedelta(minutes=1)
    return timedelta(seconds=1) if fraction is None else _MICROSECOND


def write_edge(edge: Edge) -> str:
    """This will write a moment so that it names exactly itself."""
    if not edge.relative:
        return (EPOCH + timedelta(microseconds=edge.us)).strftime("%Y-%m-%dT%H:%M:%S.%fZ").rjust(27, "0")
    if edge.us == 0:
        return "now"
    size = abs(edge.us)
    unit = next(unit for unit in _WRITTEN if size % _UNITS[unit] == 0)
    return f"{'-' if edge.us < 0 else '+'}{size // _UNITS[unit]}{unit}"
