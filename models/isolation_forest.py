"""scikit-learn's isolation forest, kept as flat arrays and scored without scikit-learn's overhead.

An isolation forest cuts random boxes until each row stands alone; strange rows need few cuts. With E(h) the mean
depth over the trees and c(n) the mean depth of an unsuccessful search among n rows,

    strangeness = 2 ** (-E(h) / c(samples)),   0..1, high = strange.

scikit-learn says the opposite sign; it is turned round here, once. One row walks all trees at the same time, a
lane a tree, over levels padded to perfect trees: position p at one level becomes 2p or 2p + 1 at the next.

Reference: Liu, Ting, Zhou, "Isolation Forest", ICDM 2008, https://doi.org/10.1109/ICDM.2008.17
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models import compiled_walk
from models.errors import ModelError
from models.flat_tree import FlatTrees, Levels, flatten, trees_of

BLOCK = 16_384
"""Rows a thread scores at once: their float32 columns stay within the second-level cache."""


@dataclass(frozen=True, eq=False)
class IsolationForest:
    """A fitted forest: its trees, the rows each tree saw, and the number of columns it expects."""

    trees: FlatTrees
    samples: int
    columns: int

    @classmethod
    def from_sklearn(cls, fitted: Any) -> IsolationForest:
        """This will take over a fitted `sklearn.ensemble.IsolationForest` (with all columns in every tree)."""
        if fitted._max_features != fitted.n_features_in_:
            raise ModelError("A forest fitted with max_features below 1.0 cannot be taken over.")
        return cls(flatten(fitted.estimators_), int(fitted._max_samples), int(fitted.n_features_in_))

    @classmethod
    def joined(cls, parts: list[IsolationForest]) -> IsolationForest:
        """This will put forests fitted apart (on other cores or machines) into one."""
        first = parts[0]
        if any((part.samples, part.columns) != (first.samples, first.columns) for part in parts):
            raise ModelError("Only forests of the same sample size and columns can be joined.")
        return cls(FlatTrees.joined([part.trees for part in parts]), first.samples, first.columns)

    @cached_property
    def levels(self) -> Levels:
        return Levels.of(self.trees)

    @cached_property
    def lengths(self) -> list[NDArray[np.float64]]:
        """The mean path length below each node of `levels`, level by level: `FlatTrees.expected` as a walk meets it."""
        return [self.trees.expected.take(nodes) for nodes in self.levels.node]

    @cached_property
    def usual_depth(self) -> float:
        """The number by which summed depths are divided: trees times c(samples)."""
        return self.trees.count * float(average_path_length(np.array([self.samples]))[0])

    def strangeness(self, columns: NDArray[Any], workers: int = 1) -> NDArray[np.float64]:
        """This will score many rows, (n, columns) to (n,), equal to `-score_samples` within 1e-9.

        Rows are cast to float32 as scikit-learn does. Raises `ModelError` on another width or non-finite numbers.
        """
        rows = self._checked(columns)
        if len(rows) <= 64:
            return self._from_depths(self.levels.walk_rows(rows))
        walk = self._compiled.depths if compiled_walk.available() else self._applied_depths
        parts = [rows[start : start + BLOCK] for start in range(0, len(rows), BLOCK)]
        if workers > 1 and len(parts) > 1:
            with ThreadPoolExecutor(workers) as pool:
                depths = list(pool.map(walk, parts))
        else:
            depths = [walk(part) for part in parts]
        return self._from_depths(np.concatenate(depths))

    def row(self, columns: NDArray[np.float32]) -> float:
        """This will score one row of finite float32 columns; the hot path, about 20 us in pure numpy."""
        if not self.usual_depth:
            return 0.5
        if compiled_walk.available():
            return float(2.0 ** (-self._compiled.one(columns) / self.usual_depth))
        return float(2.0 ** (-self.levels.walk(columns) / self.usual_depth))

    def leaves(self, columns: NDArray[Any]) -> NDArray[np.int64]:
        """This will name the leaf each row falls into, (n, trees), as positions in the flat node arrays."""
        rows = self._checked(columns)
        found = np.empty((len(rows), self.trees.count), dtype=np.int64)
        for number, tree in enumerate(self._sklearn_trees):
            found[:, number] = tree.apply(rows)
        return found + self.trees.starts[:-1]

    def row_leaves(self, columns: NDArray[np.float32]) -> NDArray[np.int64]:
        """This will name the leaves of one row, as `leaves` does."""
        return self.levels.node[-1][self.levels.descend(columns)]

    def _checked(self, columns: NDArray[Any]) -> NDArray[np.float32]:
        rows = np.ascontiguousarray(columns, dtype=np.float32)
        if rows.ndim != 2 or rows.shape[1] != self.columns:
            raise ModelError(f"The forest takes (n, {self.columns}) columns, not {rows.shape}.")
        if not np.isfinite(rows).all():
            raise ModelError("The forest takes finite numbers only; missing values are filled before.")
        return rows

    def _from_depths(self, depths: NDArray[np.float64]) -> NDArray[np.float64]:
        # With one row a tree there is no depth to compare; scikit-learn says 0.5 for it too.
        if not self.usual_depth:
            return np.full(len(depths), 0.5)
        return np.exp2(-depths / self.usual_depth)

    def _applied_depths(self, rows: NDArray[np.float32]) -> NDArray[np.float64]:
        depths, step = np.zeros(len(rows)), np.empty(len(rows))
        for start, tree in zip(self.trees.starts, self._sklearn_trees, strict=False):
            ends = self.trees.depth[start : start + tree.node_count]
            depths += ends.take(tree.apply(rows), out=step, mode="clip")
        return depths

    @cached_property
    def _compiled(self) -> compiled_walk.Compiled:
        return compiled_walk.Compiled.of(self.levels)

    @cached_property
    def _sklearn_trees(self) -> list[Any]:
        return trees_of(self.trees, self.columns)


def average_path_length(rows: NDArray[Any]) -> NDArray[np.float64]:
    """This will give c(n) of the paper: the mean depth of an unsuccessful search in a tree of n rows."""
    counts = np.asarray(rows, dtype=np.float64)
    many = np.maximum(counts, 3.0)
    usual = 2.0 * (np.log(many - 1.0) + np.euler_gamma) - 2.0 * (many - 1.0) / many
    return np.where(counts <= 1, 0.0, np.where(counts == 2, 1.0, usual))
