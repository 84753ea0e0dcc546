"""In how many of its windows an entity does each thing: the usual mix that rarity is measured against.

Counting windows and not requests keeps a loud habit from hiding a rare deed. A window that is part of the mix is judged with
itself taken out again, so that the past looks as strange as the future will.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from anomaly.windows.dimension import Dimension
from anomaly.windows.window import Windows

MIXED: Final = (Dimension.ACTION, Dimension.TARGET, Dimension.ADDRESS, Dimension.AGENT)
"""Dimensions whose mix is kept."""
HOURS: Final = 48
"""Hours of a working day, then hours of a weekend day, in UTC."""
HOUR_US: Final = 3_600_000_000
DAY_US: Final = 86_400_000_000

Keys = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Counts:
    """Sparse counts by (owner, term): sorted keys owner << 32 | term."""

    keys: Keys
    values: Floats

    @classmethod
    def of(cls, keys: Keys, values: Floats) -> Counts:
        """This will add what falls on the same key; any order."""
        order = np.argsort(keys, kind="stable")
        keys, values = keys[order], values[order]
        starts = np.flatnonzero(np.concatenate(([True], np.diff(keys) != 0)))[: len(keys)]
        return cls(keys[starts], np.add.reduceat(values, starts) if len(starts) else values)

    def at(self, keys: Keys) -> Floats:
        """This will return the count of each asked key, 0 where there is none."""
        if not len(self.keys):
            return np.zeros(len(keys))
        where = np.minimum(self.keys.searchsorted(keys), len(self.keys) - 1)
        return np.where(self.keys[where] == keys, self.values[where], 0.0)

    def regrouped(self, owners: Keys) -> Counts:
        """This will return the counts with every key's owner replaced by `owners` (one a key), added up."""
        return Counts.of((owners << 32) | (self.keys & 0xFFFFFFFF), self.values)


@dataclass(frozen=True, slots=True)
class Mixes:
    """The usual mix of every entity up to `until_us`. `totals` and `hours` follow `entities`, which is sorted."""

    counts: Counts
    entities: Keys
    totals: Floats
    hours: Floats
    days: Floats
    until_us: int

    @classmethod
    def of(cls, blocks: Iterable[Windows], until_us: int) -> Mixes:
        """This will count the windows that began before `until_us`; each window must come once, in any block and order."""
        parts = [_part(block, until_us) for block in blocks]
        keys = [part[0] for part in parts]
        counts = Counts.of(
            np.concatenate([key for key, _ in keys]) if keys else np.zeros(0, dtype=np.int64),
            np.concatenate([value for _, value in keys]) if keys else np.zeros(0),
        )
        who = np.concatenate([part[1] for part in parts]) if parts else np.zeros(0, dtype=np.int64)
        when = np.concatenate([part[2] for part in parts]) if parts else np.zeros(0, dtype=np.int64)
        entities, member = np.unique(who, return_inverse=True)
        totals = np.bincount(member, minlength=len(entities)).astype(np.float64)
        hours = np.bincount(member * HOURS + hour_of(when), minlength=len(entities) * HOURS)
        active = np.unique(member * (1 << 32) + when // DAY_US)
        days = np.bincount(active >> 32, minlength=len(entities)).astype(np.float64)
        return cls(
            counts,
            entities,
            totals,
            hours.reshape(len(entities), HOURS).astype(np.float64),
            days,
            until_us,
        )

    @classmethod
    def none(cls) -> Mixes:
        """This will return the mixes of a cluster nothing is known of."""
        return cls.of((), 0)

    def positions(self, entity: NDArray[np.integer]) -> Keys:
        """This will return each entity's row, -1 where it has none."""
        if not len(self.entities):
            return np.full(len(entity), -1, dtype=np.int64)
        where = np.minimum(self.entities.searchsorted(entity), len(self.entities) - 1)
        return np.where(self.entities[where] == entity, where, -1)

    def total_of(self, entity: NDArray[np.integer]) -> Floats:
        """This will return how many windows of each entity are in the mix."""
        where = self.positions(entity)
        if not len(self.totals):
            return np.zeros(len(entity))
        return np.where(where >= 0, self.totals[where], 0.0)

    def inside(self, windows: Windows) -> Floats:
        """This will return 1 for the windows that are themselves part of the mix, else 0."""
        return (windows.start < self.until_us).astype(np.float64)

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """This will return all there is as arrays, to be kept; `from_arrays` reads them."""
        return {
            "keys": self.counts.keys,
            "values": self.counts.values.astype(np.float32),
            "entities": self.entities,
            "totals": self.totals,
            "hours": self.hours.astype(np.float32),
            "days": self.days,
            "until_us": np.array([self.until_us], dtype=np.int64),
        }

    @classmethod
    def from_arrays(cls, arrays: dict[str, NDArray[np.generic]]) -> Mixes:
        """This will rebuild mixes from `arrays()`. Raises KeyError when one is missing."""
        floats = {name: arrays[name].astype(np.float64) for name in ("values", "totals", "hours", "days")}
        return cls(
            Counts(arrays["keys"].astype(np.int64), floats["values"]),
            arrays["entities"].astype(np.int64),
            floats["totals"],
            floats["hours"].reshape(-1, HOURS),
            floats["days"],
            int(arrays["until_us"].astype(np.int64)[0]),
        )


def hour_of(start_us: NDArray[np.int64]) -> Keys:
    """This will return 0..23 for the hour of a working day, 24..47 of a Saturday or Sunday, in UTC."""
    day = start_us // DAY_US
    # 1970-01-01 was a Thursday: days 2 and 3 of each week from there are the weekend.
    weekend = (day % 7 == 2) | (day % 7 == 3)
    return np.asarray((start_us % DAY_US) // HOUR_US + 24 * weekend)


def _part(windows: Windows, until_us: int) -> tuple[tuple[Keys, Floats], Keys, Keys]:
    early = windows.start < until_us
    row = np.concatenate([windows.rows(dimension)[0] for dimension in MIXED])
    term = np.concatenate([windows.rows(dimension)[1] for dimension in MIXED])
    chosen = early[row]
    keys = (windows.entity[row[chosen]].astype(np.int64) << 32) | term[chosen]
    unique, times = np.unique(keys, return_counts=True)
    return (
        (unique, times.astype(np.float64)),
        windows.entity[early].astype(np.int64),
        windows.start[early],
    )
