"""When an entity usually works: how far each hour of the week lies from its own mean.

The week is cut into 48 phases (24 hours on working days, 24 at the weekend, UTC): hour by hour a week has too
few windows to learn from. Each phase's offset is shrunk towards none, and only entities with two weeks of history have
their own; the others follow their peer group's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from models.baseline import Baseline, lookup

HOUR_US = 3_600_000_000
PHASES = 48
PSEUDO_WINDOWS = 8.0
"""Windows in a phase that its offset must outweigh: about two weeks of one hour."""
LEAST_US: Final = 13 * 24 * HOUR_US
"""From the first window to the last: two weeks of working days and weekends."""
LEAST_WINDOWS: Final = 2 * PHASES
BLOCK: Final = 32_768


@dataclass(frozen=True, eq=False)
class Rhythm:
    """Offsets in log1p units: (entities with a rhythm, phases, k) and (groups, phases, k)."""

    entities: NDArray[np.int64]
    entity_offset: NDArray[np.float32]
    groups: NDArray[np.int64]
    group_offset: NDArray[np.float32]

    ARRAYS = ("entities", "entity_offset", "groups", "group_offset")

    def arrays(self) -> dict[str, NDArray[Any]]:
        """This will give what has to be kept."""
        return {name: getattr(self, name) for name in self.ARRAYS}

    def beat(self, entity: int, group: int, at: int) -> NDArray[np.float32] | None:
        """This will give what `offsets` gives for one window, (k,); None where no rhythm is known. Do not change it."""
        when = ((at // (24 * HOUR_US) + 3) % 7 >= 5) * 24 + at // HOUR_US % 24
        place = int(self.entities.searchsorted(entity))
        if place < len(self.entities) and self.entities[place] == entity:
            return np.asarray(self.entity_offset[place, when])
        place = int(self.groups.searchsorted(group))
        if place < len(self.groups) and self.groups[place] == group:
            return np.asarray(self.group_offset[place, when])
        return None

    def offsets(
        self, entity: NDArray[np.int64], group: NDArray[np.int64], at: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """This will give how far from its mean each entity usually is at that time, (n, k)."""
        when = phase_of(at)
        found = np.zeros((len(entity), self.group_offset.shape[2]))
        peers = lookup(self.groups, group)
        known = peers >= 0
        found[known] = self.group_offset[peers[known], when[known]]
        own = lookup(self.entities, entity)
        known = own >= 0
        found[known] = self.entity_offset[own[known], when[known]]
        return found


def phase_of(at: NDArray[np.int64]) -> NDArray[np.intp]:
    """This will give the phase 0..47 of times in microseconds since 1970 (a Thursday), UTC."""
    hours = at // HOUR_US
    weekend = ((hours // 24 + 3) % 7 >= 5).astype(np.intp)
    return (hours % 24 + 24 * weekend).astype(np.intp)


def learn_rhythm(
    values: NDArray[np.floating[Any]],
    entity: NDArray[np.int64],
    group: NDArray[np.int64],
    at: NDArray[np.int64],
    baseline: Baseline,
    rows: NDArray[np.intp],
    most_entities: int = 500,
) -> tuple[Rhythm | None, Baseline]:
    """This will learn rhythms from the rows' distances to their entity's mean: None when all history is too short.

    An entity has a rhythm of its own, and a group one, when its windows reach over two weeks and are `LEAST_WINDOWS` at least. The
    baseline comes back with the variance that is left when each entity's own rhythm is known (law of total variance).
    """
    places = baseline.positions(entity[rows])
    counts, reach = _history(places, at[rows], len(baseline.entities))
    seen = np.full(len(counts), len(places))
    np.minimum.at(seen, places, np.arange(len(places)))
    busiest = np.lexsort((seen, -counts))[:most_entities]
    enough = (counts >= LEAST_WINDOWS) & (reach >= LEAST_US)
    steady = np.sort(busiest[enough[busiest]])
    members = baseline.group_positions(group[rows])
    sizes, reach = _history(members, at[rows], len(baseline.groups))
    large = np.flatnonzero((sizes >= LEAST_WINDOWS) & (reach >= LEAST_US))
    if not len(large) and not len(steady):
        return None, baseline
    targets = (lookup(steady, places), len(steady)), (lookup(large, members), len(large))
    (own, left), (peers, _) = _offsets(values, at, rows, places, targets, baseline)
    variance = baseline.variance.copy()
    variance[steady] = np.maximum(variance[steady] - left, 0.0)
    rhythm = Rhythm(baseline.entities[steady], own, baseline.groups[large], peers)
    return rhythm, replace(baseline, variance=variance)


def _history(
    places: NDArray[np.intp], at: NDArray[np.int64], count: int
) -> tuple[NDArray[np.intp], NDArray[np.int64]]:
    """How many windows each place has, and how far they reach in microseconds."""
    known = places >= 0
    first, last = np.full(count, np.iinfo(np.int64).max), np.full(count, np.iinfo(np.int64).min)
    np.minimum.at(first, places[known], at[known])
    np.maximum.at(last, places[known], at[known])
    counts = np.bincount(places[known], minlength=count)
    return counts, np.where(counts > 0, last - first, 0)


def _offsets(
    values: NDArray[np.floating[Any]],
    at: NDArray[np.int64],
    rows: NDArray[np.intp],
    places: NDArray[np.intp],
    targets: Sequence[tuple[NDArray[np.intp], int]],
    baseline: Baseline,
) -> list[tuple[NDArray[np.float32], NDArray[np.float32]]]:
    """For each way to gather rows (their target, -1 for none, and how many targets there are): the offsets, (targets, phases, k),
    and the variance they explain, (targets, k)."""
    width = values.shape[1]
    cells = [np.where(target >= 0, target * PHASES + phase_of(at[rows]), -1) for target, _ in targets]
    sums = [np.zeros((count * PHASES, width)) for _, count in targets]
    for start in range(0, len(rows), BLOCK):
        part = slice(start, start + BLOCK)
        apart = np.log1p(np.maximum(values[rows[part]], 0.0)) - baseline.mean[places[part]]
        for cell, total in zip(cells, sums, strict=True):
            kept = np.flatnonzero(cell[part] >= 0)
            shape = (len(total), len(apart))
            total += csr_matrix((np.ones(len(kept), apart.dtype), (cell[part][kept], kept)), shape) @ apart
    found = []
    for cell, total, (_, count) in zip(cells, sums, targets, strict=True):
        heft = np.bincount(cell[cell >= 0], minlength=count * PHASES)[:, None]
        shrunk = total / (heft + PSEUDO_WINDOWS)
        # E[(x - o)^2] = E[x^2] - (2 E[x] o - o^2) within each phase.
        explained = (2.0 * total * shrunk - heft * shrunk * shrunk).reshape(count, PHASES, width).sum(axis=1)
        windows = np.maximum(heft.reshape(count, PHASES).sum(axis=1), 1)[:, None]
        offsets = shrunk.reshape(count, PHASES, width).astype(np.float32)
        found.append((offsets, (explained / windows).astype(np.float32)))
    return found
