"""An isolation forest that cuts askew: each cut is a random plane through a few columns instead of one.

Axis-parallel cuts leave ghost regions of low strangeness where the columns' dense ranges cross; planes do not.
All trees grow level by level at the same time in numpy, padded to perfect trees, a plane a node:

    right if  sum_j weight_j x_j > offset,  weights normal over each column's spread, offset uniform over the rows.

Reference: Hariri, Carrasco Kind, Brunner, "Extended Isolation Forest", TKDE 2021,
https://doi.org/10.1109/TKDE.2019.2947676 (here with a few columns a plane, and cuts drawn over the rows' range).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.errors import ModelError
from models.isolation_forest import average_path_length

BLOCK = 1_024


@dataclass(frozen=True, eq=False)
class ExtendedForest:
    """Perfect trees: level l holds trees * 2**l nodes, all levels one after another, `plane` columns a cut."""

    column: NDArray[np.int16]
    weight: NDArray[np.float32]
    offset: NDArray[np.float32]
    depth: NDArray[np.float64]
    rows: NDArray[np.int32]
    trees: int
    samples: int
    columns: int

    ARRAYS = ("column", "weight", "offset", "depth", "rows")

    def arrays(self) -> dict[str, NDArray[Any]]:
        """This will give what has to be kept."""
        return {name: getattr(self, name) for name in self.ARRAYS}

    @classmethod
    def from_parts(cls, arrays: dict[str, NDArray[Any]], said: dict[str, int]) -> ExtendedForest:
        """This will rebuild a forest from its arrays and numbers."""
        held = (arrays["column"], arrays["weight"], arrays["offset"], arrays["depth"], arrays["rows"])
        return cls(*held, said["trees"], said["samples"], said["columns"])

    @property
    def height(self) -> int:
        return int(np.log2(len(self.offset) // self.trees + 1))

    def strangeness(self, columns: NDArray[Any]) -> NDArray[np.float64]:
        """This will score rows, (n, columns) to (n,), 0..1, high = strange."""
        rows = np.ascontiguousarray(columns, dtype=np.float32)
        if rows.ndim != 2 or rows.shape[1] != self.columns or not np.isfinite(rows).all():
            raise ModelError(f"The extended forest takes finite (n, {self.columns}) columns.")
        usual = self.trees * float(average_path_length(np.array([self.samples]))[0])
        if not usual:
            return np.full(len(rows), 0.5)
        depths = [
            np.add.reduce(self.depth[self._last(rows[start : start + BLOCK])], axis=1)
            for start in range(0, len(rows), BLOCK)
        ]
        return np.exp2(-np.concatenate(depths) / usual) if depths else np.zeros(0)

    def row(self, columns: NDArray[np.float32]) -> float:
        """This will score one row."""
        return float(self.strangeness(columns[None, :])[0])

    def _level(self, level: int) -> slice:
        return slice(self.trees * (2**level - 1), self.trees * (2 ** (level + 1) - 1))

    def _last(self, rows: NDArray[np.float32]) -> NDArray[np.intp]:
        at = np.broadcast_to(np.arange(self.trees), (len(rows), self.trees))
        lines = np.arange(len(rows))[:, None]
        for level in range(self.height):
            part = self._level(level)
            column, weight, offset = self.column[part], self.weight[part], self.offset[part]
            value = np.zeros(at.shape, dtype=np.float32)
            for number in range(column.shape[1]):
                value += rows[lines, column[at, number]] * weight[at, number]
            at = 2 * at + (value > offset[at])
        return at

    @cached_property
    def _expected(self) -> list[NDArray[np.float64]]:
        """Mean path length of the training rows below each node, level by level, the last level included."""
        found, rows = [self.depth], [self.rows.astype(np.float64)]
        for _ in range(self.height):
            heft = rows[0][0::2] + rows[0][1::2]
            summed = found[0][0::2] * rows[0][0::2] + found[0][1::2] * rows[0][1::2]
            # A padded node has all its rows on the left; an empty one never lies on a path but from there.
            found.insert(0, np.where(heft > 0, summed / np.maximum(heft, 1.0), found[0][0::2]))
            rows.insert(0, heft)
        return found

    def contributions(self, columns: NDArray[np.float32]) -> NDArray[np.float64]:
        """This will say how much each column shortened one row's paths; they add up to -log2(strangeness) less
        the training rows' mean, sign turned: positive = stranger. A cut's share is split by |weight * value|."""
        usual = self.trees * float(average_path_length(np.array([self.samples]))[0])
        found = np.zeros(self.columns)
        at = np.arange(self.trees)
        for level in range(self.height):
            part = self._level(level)
            column, weight = self.column[part][at].astype(np.intp), self.weight[part][at]
            terms = columns[column] * weight
            shares = np.abs(terms) + 1e-12
            shares /= shares.sum(axis=1, keepdims=True)
            right = np.zeros(len(at), dtype=np.float32)
            for number in range(column.shape[1]):
                right += terms[:, number]
            following = 2 * at + (right > self.offset[part][at])
            gain = self._expected[level][at] - self._expected[level + 1][following]
            np.add.at(found, column.ravel(), (gain[:, None] * shares).ravel())
            at = following
        return found / usual


def grow(
    columns: NDArray[Any], seed: int, trees: int = 100, samples: int = 256, plane: int = 3
) -> ExtendedForest:
    """This will grow a forest on rows (n, m); the same rows and seed give the same forest."""
    random = np.random.default_rng(seed)
    rows = np.ascontiguousarray(columns, dtype=np.float32)
    samples, plane = min(samples, len(rows)), min(plane, rows.shape[1])
    spread = np.maximum(rows.std(axis=0), 1e-6)
    drawn = np.stack([random.choice(len(rows), samples, replace=False) for _ in range(trees)])
    points = rows[drawn.ravel()]
    node = np.repeat(np.arange(trees), samples)
    height = max(1, int(np.ceil(np.log2(max(samples, 2)))))
    cuts = np.zeros(trees, dtype=np.int32)
    parts: list[tuple[NDArray[Any], ...]] = []
    for level in range(height):
        count = trees * 2**level
        column, weight, offset, split = _cut(points, node, count, spread, plane, random)
        parts.append((column, weight, offset))
        value = np.zeros(len(points), dtype=np.float32)
        for number in range(plane):
            value += points[np.arange(len(points)), column[node, number]] * weight[node, number]
        node = 2 * node + (value > offset[node])
        cuts = np.repeat(cuts + split, 2).astype(np.int32)
    left = np.bincount(node, minlength=trees * 2**height).astype(np.int32)
    column, weight, offset = (np.concatenate([part[number] for part in parts]) for number in range(3))
    depth = cuts + average_path_length(left)
    return ExtendedForest(column, weight, offset, depth, left, trees, samples, rows.shape[1])


def _cut(
    points: NDArray[np.float32],
    node: NDArray[np.intp],
    count: int,
    spread: NDArray[np.float32],
    plane: int,
    random: np.random.Generator,
) -> tuple[NDArray[np.int16], NDArray[np.float32], NDArray[np.float32], NDArray[np.bool_]]:
    """Draw a plane for each node, through columns that differ among its rows; nodes of one row stay whole."""
    order = np.argsort(node, kind="stable")
    present, starts = np.unique(node[order], return_index=True)
    low = np.minimum.reduceat(points[order], starts, axis=0)
    high = np.maximum.reduceat(points[order], starts, axis=0)
    keys = random.random(low.shape) + (high > low)
    chosen = np.argsort(-keys, axis=1, kind="stable")[:, :plane]
    weights = (random.normal(size=chosen.shape) / spread[chosen]).astype(np.float32)
    column = np.zeros((count, plane), dtype=np.int16)
    weight = np.zeros((count, plane), dtype=np.float32)
    column[present], weight[present] = chosen, weights
    value = np.zeros(len(points), dtype=np.float32)
    for number in range(plane):
        value += points[np.arange(len(points)), column[node, number]] * weight[node, number]
    least = np.minimum.reduceat(value[order], starts)
    most = np.maximum.reduceat(value[order], starts)
    drawn = (least + random.random(len(present)) * (most - least)).astype(np.float32)
    apart = most > least
    offset = np.full(count, np.inf, dtype=np.float32)
    offset[present[apart]] = np.minimum(drawn, np.nextafter(most, np.float32(-np.inf)))[apart]
    weight[present[~apart]] = 0.0
    split = np.zeros(count, dtype=np.bool_)
    split[present[apart]] = True
    return column, weight, offset, split
