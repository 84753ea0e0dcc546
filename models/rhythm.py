"""When an entity usually works: how far each hour of the week lies from its own mean.

The week is cut into 48 phases (24 hours on working days, 24 at the weekend, UTC): hour by hour a week has too
few windows to learn from. Each phase's offset is shrunk towards none, and only entities with enough history have
their own; the others follow their peer group's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.baseline import Baseline, lookup

HOUR_US = 3_600_000_000
PHASES = 48
PSEUDO_WINDOWS = 8.0
"""Windows in a phase that its offset must outweigh: about two weeks of one hour."""


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
    least_windows: int = 336,
    most_entities: int = 500,
) -> Rhythm | None:
    """This will learn rhythms from the rows' distances to their entity's mean; None when all history is too short.

    `least_windows` an entity needs for a rhythm of its own (336: two weeks of hours), a group for one of its own.
    """
    places = baseline.positions(entity[rows])
    counts = np.bincount(places, minlength=len(baseline.entities))
    busiest = np.argsort(-counts, kind="stable")[:most_entities]
    steady = np.sort(busiest[counts[busiest] >= least_windows])
    members = baseline.group_positions(group[rows])
    sizes = np.bincount(members[members >= 0], minlength=len(baseline.groups))
    large = np.flatnonzero(sizes >= least_windows)
    if not len(large) and not len(steady):
        return None
    own = _offsets(
        values,
        at,
        rows,
        places,
        lookup(steady.astype(np.int64), places.astype(np.int64)),
        len(steady),
        baseline,
    )
    peers = _offsets(
        values,
        at,
        rows,
        places,
        lookup(large.astype(np.int64), members.astype(np.int64)),
        len(large),
        baseline,
    )
    return Rhythm(baseline.entities[steady], own, baseline.groups[large], peers)


def _offsets(
    values: NDArray[np.floating[Any]],
    at: NDArray[np.int64],
    rows: NDArray[np.intp],
    places: NDArray[np.intp],
    target: NDArray[np.intp],
    count: int,
    baseline: Baseline,
) -> NDArray[np.float32]:
    width = values.shape[1]
    sums = np.zeros((count * PHASES, width))
    heft = np.zeros(count * PHASES)
    for start in range(0, len(rows), 32_768):
        part = slice(start, start + 32_768)
        kept = target[part] >= 0
        lines = rows[part][kept]
        cell = target[part][kept] * PHASES + phase_of(at[lines])
        apart = np.log1p(np.maximum(values[lines], 0.0)) - baseline.mean[places[part][kept]]
        np.add.at(sums, cell, apart)
        heft += np.bincount(cell, minlength=len(heft))
    shrunk = sums / (heft + PSEUDO_WINDOWS)[:, None]
    return shrunk.reshape(count, PHASES, width).astype(np.float32)
