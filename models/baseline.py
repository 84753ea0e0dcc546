"""What is usual for each entity: a mean and a spread of log1p(feature), shrunk to its peers and its kind.

In plain words: an entity with much history is judged by its own past, a new one by its peer group, a peer group
of few by the whole kind, and everything between by a mix. With W the (decayed) number of windows, m and v their
mean and variance, m_g the peers' mean, s2 their usual variance within an entity, t2 the variance between them:

    n0     = s2 / t2, kept within 2 .. pseudo_windows      (how many windows of peers one's own must outweigh)
    centre = (W m + n0 m_g) / (W + n0)
    spread = sqrt(own variance shrunk to s2 + error of that mean), never below the floor

Both passes over the history cut values off at three spreads (Huber's way), so one wild day moves little.
References: James & Stein 1961; Efron & Morris 1975, https://doi.org/10.1080/01621459.1975.10479864;
Huber 1964, https://doi.org/10.1214/aoms/1177703732.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.errors import ModelError

DAY_US = 86_400_000_000
CUT = 3.0
"""Spreads beyond which a value counts as if it lay there."""
GROUP_PSEUDO_ENTITIES = 3.0
"""Entities of the whole kind a peer group's own must outweigh."""
LEAST_PSEUDO_WINDOWS = 2.0
"""Even where peers differ widely, two windows of one's own are not yet a habit."""


@dataclass(frozen=True, slots=True)
class Shrinkage:
    """How far one's own past is trusted."""

    pseudo_windows: float = 30.0
    scale_floor: float = 0.3
    """Least spread, in log1p units: a third more or fewer is never strange, nor is one where there was none.
    On the recorded control plane 0.15 made single requests as strange as attacks (AUPRC 0.84 against 0.97)."""
    half_life_days: float = 14.0


@dataclass(frozen=True, eq=False)
class Baseline:
    """The usual values of one kind. Rows of the (entities, k) arrays follow `entities`, of (groups, k) `groups`."""

    shrinkage: Shrinkage
    entities: NDArray[np.int64]
    entity_group: NDArray[np.int64]
    weight: NDArray[np.float64]
    last: NDArray[np.int64]
    mean: NDArray[np.float32]
    variance: NDArray[np.float32]
    groups: NDArray[np.int64]
    group_mean: NDArray[np.float32]
    group_within: NDArray[np.float32]
    group_between: NDArray[np.float32]
    kind_mean: NDArray[np.float32]
    kind_within: NDArray[np.float32]
    kind_between: NDArray[np.float32]

    ARRAYS = (
        "entities", "entity_group", "weight", "last", "mean", "variance", "groups", "group_mean",
        "group_within", "group_between", "kind_mean", "kind_within", "kind_between",
    )  # fmt: skip

    @property
    def width(self) -> int:
        return int(self.kind_mean.shape[0])

    def arrays(self) -> dict[str, NDArray[Any]]:
        """This will give what has to be kept."""
        return {name: getattr(self, name) for name in self.ARRAYS}

    def positions(self, entity: NDArray[np.int64]) -> NDArray[np.intp]:
        """This will find each entity's row, -1 where it was never seen."""
        return lookup(self.entities, entity)

    def knows(self, entity: int) -> bool:
        """This will say whether an entity was seen."""
        place = int(np.searchsorted(self.entities, entity))
        return place < len(self.entities) and int(self.entities[place]) == entity

    def group_positions(self, group: NDArray[np.int64]) -> NDArray[np.intp]:
        """This will find each peer group's row, -1 where it was never seen."""
        return lookup(self.groups, group)

    def confidence(self, position: int) -> float:
        """This will say how much of a judgement rests on the entity's own past, 0 (none of it) .. 1."""
        if position < 0:
            return 0.0
        weight = float(self.weight[position])
        return weight / (weight + self.shrinkage.pseudo_windows)

    def confidences(self, positions: NDArray[np.intp]) -> NDArray[np.float64]:
        """This will say the same for many."""
        weight = np.zeros(len(positions))
        known = positions >= 0
        weight[known] = self.weight[positions[known]]
        return weight / (weight + self.shrinkage.pseudo_windows)

    def peers(self, group_position: NDArray[np.intp]) -> tuple[NDArray[np.float64], ...]:
        """This will give mean, variance within and between of each peer group, of the kind where it is unknown."""
        found = []
        for own, kind in (
            (self.group_mean, self.kind_mean),
            (self.group_within, self.kind_within),
            (self.group_between, self.kind_between),
        ):
            values = np.empty((len(group_position), self.width))
            known = group_position >= 0
            values[known] = own[group_position[known]]
            values[~known] = kind
            found.append(values)
        return tuple(found)

    def usual(
        self,
        position: NDArray[np.intp],
        group_position: NDArray[np.intp],
        left_out: tuple[NDArray[np.float64], NDArray[np.float64]] | None = None,
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """This will give each entity's shrunk centre and spread, (n, k) each, in log1p units.

        `left_out` = (log1p values, weights) takes a row's own share out of its baseline again, so that the rows
        a baseline was made from look as strange as new ones would.
        """
        peer_mean, within, between = self.peers(group_position)
        mean, variance, weight = self._own(position)
        if left_out is not None:
            mean, variance, weight = without(mean, variance, weight, *left_out)
        pseudo = self.shrinkage.pseudo_windows
        share = np.clip(within / np.maximum(between, 1e-9), LEAST_PSEUDO_WINDOWS, pseudo)
        heft = weight[:, None]
        centre = (heft * mean + share * peer_mean) / (heft + share)
        spread2 = (heft * variance + pseudo * within) / (heft + pseudo)
        # The shrunk mean is itself uncertain: by what peers differ, and by how few windows there are.
        spread2 += (share / (heft + share)) ** 2 * between + heft * spread2 / (heft + share) ** 2
        return centre, np.maximum(np.sqrt(spread2), self.shrinkage.scale_floor)

    def usual_of_peers(
        self, group_position: NDArray[np.intp]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """This will give centre and spread of what anyone in the peer group does."""
        mean, within, between = self.peers(group_position)
        return mean, np.maximum(np.sqrt(within + between), self.shrinkage.scale_floor)

    def _own(self, position: NDArray[np.intp]) -> tuple[NDArray[np.float64], ...]:
        known = position >= 0
        mean = np.zeros((len(position), self.width))
        variance = np.zeros_like(mean)
        weight = np.zeros(len(position))
        mean[known], variance[known] = self.mean[position[known]], self.variance[position[known]]
        weight[known] = self.weight[position[known]]
        return mean, variance, weight

    def learned(self, entity: int, group: int, at: int, values: NDArray[np.float64]) -> Baseline:
        """This will give a baseline that also knows this window (raw feature values); peers stay as they were.

        Older windows fade by the half-life. A value beyond three spreads counts as three: one attack window
        does not make itself usual.
        """
        position = int(self.positions(np.array([entity]))[0])
        if position < 0:
            return self._with_entity(entity, group, at).learned(entity, group, at, values)
        places = np.array([position]), self.group_positions(np.array([group]))
        centre, spread = self.usual(*places)
        value = np.clip(np.log1p(values), centre[0] - CUT * spread[0], centre[0] + CUT * spread[0])
        days = max(0, at - int(self.last[position])) / DAY_US
        kept = float(self.weight[position]) * 0.5 ** (days / self.shrinkage.half_life_days)
        mean = self.mean[position].astype(np.float64)
        new_mean = mean + (value - mean) / (kept + 1.0)
        spread2 = (kept * self.variance[position] + (value - mean) * (value - new_mean)) / (kept + 1.0)
        changed = {name: getattr(self, name).copy() for name in ("weight", "last", "mean", "variance")}
        changed["weight"][position] = kept + 1.0
        changed["last"][position] = max(at, int(self.last[position]))
        changed["mean"][position], changed["variance"][position] = new_mean, spread2
        return replace(self, **changed)

    def _with_entity(self, entity: int, group: int, at: int) -> Baseline:
        place = int(np.searchsorted(self.entities, entity))
        return replace(
            self,
            entities=np.insert(self.entities, place, entity),
            entity_group=np.insert(self.entity_group, place, group),
            weight=np.insert(self.weight, place, 0.0),
            last=np.insert(self.last, place, at),
            mean=np.insert(self.mean, place, 0.0, axis=0),
            variance=np.insert(self.variance, place, 0.0, axis=0),
        )

    def checked(self) -> Baseline:
        """This will raise `ModelError` unless the arrays fit one another."""
        wide = {getattr(self, name).shape[-1] for name in self.ARRAYS if "mean" in name or "within" in name}
        rows = {
            len(getattr(self, name))
            for name in ("entities", "entity_group", "weight", "last", "mean", "variance")
        }
        if len(wide) != 1 or len(rows) != 1 or len(self.groups) != len(self.group_mean):
            raise ModelError("The baseline's arrays do not fit one another.")
        return self


def lookup(known: NDArray[np.int64], wanted: NDArray[np.int64]) -> NDArray[np.intp]:
    """This will find each wanted number in a sorted array, -1 where it is missing."""
    if not len(known):
        return np.full(len(wanted), -1, dtype=np.intp)
    place = np.minimum(np.searchsorted(known, wanted), len(known) - 1)
    return np.where(known[place] == wanted, place, -1)


def without(
    mean: NDArray[np.float64],
    variance: NDArray[np.float64],
    weight: NDArray[np.float64],
    values: NDArray[np.float64],
    shares: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """This will take one value with its weight out of each mean and variance again."""
    spread = np.sqrt(variance)
    value = np.clip(values, mean - CUT * spread, mean + CUT * spread)
    left = np.maximum(weight - shares, 0.0)
    heft = np.maximum(left, 1e-9)[:, None]
    square = weight[:, None] * (variance + mean * mean) - shares[:, None] * value * value
    new_mean = np.where(heft > 1e-6, (weight[:, None] * mean - shares[:, None] * value) / heft, mean)
    new_variance = np.where(heft > 1e-6, np.maximum(square / heft - new_mean * new_mean, 0.0), variance)
    return new_mean, new_variance, left
