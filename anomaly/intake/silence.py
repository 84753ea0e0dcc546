"""Whether a cluster fell silent: the present pause held against the rate that is usual and the pauses that are usual.

Two things must both be so, since either alone cries wolf: by the usual rate at least 20 events should have come meanwhile, and
the pause is twice as long as any that is usual. The rate is that of the same hours of the week once two weeks are known, and of
the last day before. Of past pauses the longest of each week is left out: it may have been an outage itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import numpy as np

EXPECTED: Final = 20
"""Events that should have come; that none of 20 came by chance has the odds of one to 500 million."""
_ENOUGH_EVENTS: Final = 100
_ENOUGH_TIME: Final = timedelta(hours=1)
_BY_WEEK: Final = timedelta(days=14)
_WEEK_HOURS: Final = 168
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MINUTE: Final = timedelta(minutes=1)
_HOUR: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Presence:
    """One hour in which live events arrived: how many, and in which minutes (bit n for minute n)."""

    hour: datetime
    events: int
    minutes: int


@dataclass(frozen=True, slots=True)
class Silence:
    """A pause that is not usual. `expected` is how many events should have come since; `usual` the longest usual pause."""

    since: datetime
    expected: float
    usual: timedelta


def silence(history: Sequence[Presence], now: datetime, least: timedelta) -> Silence | None:
    """This will return the present silence when it lasts at least `least` and is not usual, else None.

    Also None when too little is known: fewer than 100 events, or less than an hour from the first to the last.
    """
    heard = [one for one in history if one.minutes and one.hour <= now]
    if not heard or sum(one.events for one in heard) < _ENOUGH_EVENTS:
        return None
    minutes = np.concatenate([_minutes(one) for one in heard])
    minutes = np.sort(minutes[minutes <= (now - _EPOCH) // _MINUTE])
    if not minutes.size:
        return None
    first, last = _EPOCH + int(minutes[0]) * _MINUTE, _EPOCH + (int(minutes[-1]) + 1) * _MINUTE
    if now - last < least or last - first < _ENOUGH_TIME:
        return None
    pauses = np.sort(np.diff(minutes) - 1)[::-1]
    left_out = 1 + (last - first) // timedelta(days=7)
    usual = int(pauses[left_out]) * _MINUTE if left_out < len(pauses) else timedelta(0)
    if now - last < 2 * usual:
        return None
    expected = _expected(heard, first, last, now)
    return Silence(last, expected, usual) if expected >= EXPECTED else None


def _minutes(one: Presence) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    start = int((one.hour - _EPOCH) / _MINUTE)
    return np.array([start + minute for minute in range(60) if one.minutes >> minute & 1], dtype=np.int64)


def _expected(heard: Sequence[Presence], first: datetime, last: datetime, now: datetime) -> float:
    if last - first < _BY_WEEK:
        since = max(first, last - timedelta(days=1))
        came = sum(one.events for one in heard if one.hour + _HOUR > since)
        return came * ((now - last) / max(last - since, _HOUR))
    events, seen = np.zeros(_WEEK_HOURS), np.zeros(_WEEK_HOURS)
    hour = first.replace(minute=0, second=0, microsecond=0)
    while hour < last:
        seen[_place(hour)] += 1
        hour += _HOUR
    for one in heard:
        events[_place(one.hour)] += one.events
    expected, moment = 0.0, last
    while moment < now:
        until = min(now, moment.replace(minute=0, second=0, microsecond=0) + _HOUR)
        place = _place(moment)
        expected += events[place] / max(seen[place], 1) * ((until - moment) / _HOUR)
        moment = until
    return float(expected)


def _place(hour: datetime) -> int:
    return hour.weekday() * 24 + hour.hour
