"""How late events come: a histogram that adds up, from which quantiles are read within 19 %.

Bounds grow by the square root of two from 10 ms, so that two decades of minutes and days need 54 numbers. The first
bucket holds what came at once, and what came before it happened: a clock that is ahead.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

import numpy as np
from numpy.typing import NDArray

_FIRST_US: Final = 10_000
BUCKETS: Final = 54
"""The last one holds everything from 9 days on."""
_BOUNDS: Final = _FIRST_US * np.sqrt(2.0) ** np.arange(BUCKETS - 1)
LIVE_US: Final = 15 * 60 * 1_000_000
"""Later events were not sent as they happened: a file that is read in, a backlog."""
_LIVE_BUCKETS: Final = int(np.searchsorted(_BOUNDS, LIVE_US, side="left"))

Ints = NDArray[np.int64]


def histogram(lags_us: Ints) -> Ints:
    """This will return how many of the lags (microseconds) fall into each bucket, int64 of length `BUCKETS`."""
    places = np.searchsorted(_BOUNDS, lags_us, side="right")
    return np.bincount(places, minlength=BUCKETS).astype(np.int64)


def live(counts: Sequence[int]) -> int:
    """This will return how many came within about a quarter of an hour of happening."""
    return int(sum(counts[: _LIVE_BUCKETS + 1]))


def quantile(counts: Sequence[int], share: float) -> timedelta | None:
    """This will return the lag below which a share of the events came, the middle of its bucket; None without events."""
    values = np.asarray(counts, dtype=np.int64)
    total = int(values.sum()) if values.size else 0
    if not total:
        return None
    place = int(np.searchsorted(np.cumsum(values), share * total, side="left"))
    if place == 0:
        return timedelta(microseconds=_FIRST_US / 2)
    low = float(_BOUNDS[place - 1])
    return timedelta(microseconds=low * 2**0.25)
