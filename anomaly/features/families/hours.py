"""The hour of the day and the kind of day, where there is enough past to speak of habits."""

from __future__ import annotations

import numpy as np

from anomaly.features.history import Past
from anomaly.features.masks import Column
from anomaly.features.mixes import HOURS, hour_of
from anomaly.windows.window import Windows

ENOUGH_DAYS = 5.0
"""Fewer days than a working week are no rhythm."""
_PRIOR = 6.0


def unusual_hour(windows: Windows, past: Past) -> Column:
    """This will return the surprise of being active at this hour, beyond what an hour at random would give.

    0 for entities of fewer than five days. A neighbouring hour counts half, so that half past five is not a new world.

    Unit: nats.
    """
    mixes = past.history.mixes
    where = mixes.positions(past.entity)
    known = where >= 0
    known[known] = mixes.days[where[known]] >= ENOUGH_DAYS
    result = np.zeros(windows.n)
    if not known.any():
        return result
    hour = hour_of(windows.start[known])
    counts = mixes.hours[where[known]].copy()
    counts[np.arange(len(hour)), hour] -= mixes.inside(windows)[known]
    day = hour // 24 * 24
    near = (
        counts[np.arange(len(hour)), day + (hour + 1) % 24]
        + counts[np.arange(len(hour)), day + (hour - 1) % 24]
    )
    here = np.maximum(counts[np.arange(len(hour)), hour], 0.0) + near / 2
    share = (here + _PRIOR / HOURS) / (counts.sum(axis=1) + _PRIOR)
    result[known] = np.maximum(-np.log(share * HOURS), 0.0)
    return result
