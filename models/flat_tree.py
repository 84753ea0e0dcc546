"""Trees as flat arrays: small to keep, fast to walk, and free of code when loaded.

`FlatTrees` is the kept form: the nodes of all trees one after another. `Levels` is the walked form: every tree
padded to a perfect one, so that a step needs no child pointers. `trees_of` gives scikit-learn's own C trees back,
which walk many rows faster than numpy can.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.tree._tree import NODE_DTYPE, Tree

from models.errors import ModelError

LEAF = -1
DEEPEST = 14
"""Perfect trees double with each level; sampling over 16,384 rows a tree never helped a forest anyway."""


@dataclass(frozen=True, eq=False)
class FlatTrees:
    """The nodes of all trees, parents before children; `feature` is -1 in leaves.

    A row goes left where its float32 value is <= threshold; thresholds are the largest float32 not above
    scikit-learn's float64 ones, which leaves every comparison as it was.
    """

    feature: NDArray[np.int16]
    threshold: NDArray[np.float32]
    left: NDArray[np.int32]
    right: NDArray[np.int32]
    rows: NDArray[np.int32]
    starts: NDArray[np.int64]

    @property
    def count(self) -> int:
        return len(self.starts) - 1

    @classmethod
    def joined(cls, parts: Sequence[FlatTrees]) -> FlatTrees:
        """This will put the trees of all parts one after another."""
        sizes = np.concatenate([np.diff(part.starts) for part in parts])
        arrays = [
            np.concatenate([getattr(part, name) for part in parts])
            for name in ("feature", "threshold", "left", "right", "rows")
        ]
        starts = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        return cls(arrays[0], arrays[1], arrays[2], arrays[3], arrays[4], starts)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """This will give what has to be kept."""
        names = ("feature", "threshold", "left", "right", "rows", "starts")
        return {name: getattr(self, name) for name in names}

    def checked(self) -> FlatTrees:
        """This will raise `ModelError` unless every child lies after its parent and inside its tree."""
        ends = np.repeat(self.starts[1:] - self.starts[:-1], np.diff(self.starts))
        here = np.arange(len(self.feature)) - np.repeat(self.starts[:-1], np.diff(self.starts))
        inner = self.feature >= 0
        sound = len(self.starts) > 1 and len(self.feature) == self.starts[-1]
        for child in (self.left, self.right):
            sound = sound and bool(np.all((child[inner] > here[inner]) & (child[inner] < ends[inner])))
        if not sound:
            raise ModelError("The forest's trees are not sound.")
        return self

    @cached_property
    def root_distance(self) -> NDArray[np.int32]:
        """How many cuts lead to each node."""
        distance = np.zeros(len(self.feature), dtype=np.int32)
        offset = np.repeat(self.starts[:-1], np.diff(self.starts))
        parents = self.starts[:-1]
        while len(parents := parents[self.feature[parents] >= 0]):
            children = np.concatenate(
                [self.left[parents] + offset[parents], self.right[parents] + offset[parents]]
            )
            distance[children] = np.tile(distance[parents] + 1, 2)
            parents = children
        return distance

    @cached_property
    def depth(self) -> NDArray[np.float64]:
        """The path length a row ending in each node has: its cuts plus c(rows left there)."""
        from models.isolation_forest import average_path_length

        return self.root_distance + average_path_length(self.rows)

    @cached_property
    def expected(self) -> NDArray[np.float64]:
        """The mean path length of the training rows below each node; what explanations compare along a path."""
        offset = np.repeat(self.starts[:-1], np.diff(self.starts))
        value = self.depth.copy()
        for level in range(int(self.root_distance.max(initial=0)) - 1, -1, -1):
            node = np.flatnonzero((self.root_distance == level) & (self.feature >= 0))
            left, right = self.left[node] + offset[node], self.right[node] + offset[node]
            value[node] = (value[left] * self.rows[left] + value[right] * self.rows[right]) / self.rows[node]
        return value


def flatten(estimators: Sequence[Any]) -> FlatTrees:
    """This will copy the nodes out of fitted scikit-learn trees."""
    trees = [estimator.tree_ for estimator in estimators]
    thresholds = np.concatenate([tree.threshold for tree in trees])
    feature = np.concatenate([tree.feature for tree in trees])
    return FlatTrees(
        feature=np.where(feature < 0, LEAF, feature).astype(np.int16),
        threshold=largest_float32(np.where(feature < 0, 0.0, thresholds)),
        left=np.concatenate([tree.children_left for tree in trees]).astype(np.int32),
        right=np.concatenate([tree.children_right for tree in trees]).astype(np.int32),
        rows=np.concatenate([tree.n_node_samples for tree in trees]).astype(np.int32),
        starts=np.concatenate([[0], np.cumsum([tree.node_count for tree in trees])]).astype(np.int64),
    )


def largest_float32(thresholds: NDArray[np.float64]) -> NDArray[np.float32]:
    """This will round each threshold down to a float32, so that `x <= t` stays true for the same float32 x."""
    rounded = thresholds.astype(np.float32)
    below = np.nextafter(rounded, np.float32(-np.inf))
    return np.asarray(np.where(rounded > thresholds, below, rounded))


def trees_of(trees: FlatTrees, columns: int) -> list[Any]:
    """This will give scikit-learn's own trees back, for their fast `apply`."""
    built = []
    for start, stop in zip(trees.starts[:-1], trees.starts[1:], strict=True):
        nodes = np.zeros(int(stop - start), dtype=NODE_DTYPE)
        part = slice(int(start), int(stop))
        nodes["left_child"], nodes["right_child"] = trees.left[part], trees.right[part]
        nodes["feature"] = np.where(trees.feature[part] < 0, -2, trees.feature[part])
        nodes["threshold"] = trees.threshold[part]
        nodes["n_node_samples"] = nodes["weighted_n_node_samples"] = trees.rows[part]
        tree = Tree(columns, np.array([1], dtype=np.intp), 1)
        values = np.zeros((len(nodes), 1, 1))
        tree.__setstate__(
            {
                "max_depth": int(trees.root_distance[part].max()),
                "node_count": len(nodes),
                "nodes": nodes,
                "values": values,
            }
        )
        built.append(tree)
    return built


class Levels:
    """Perfect trees level by level; position p of one level leads to 2p (left) or 2p + 1 (right) of the next.

    Not safe for use by two threads at once: `walk` works in buffers of its own.
    """

    def __init__(
        self, feature: list[NDArray[Any]], threshold: list[NDArray[Any]], node: list[NDArray[Any]]
    ) -> None:
        self.feature = feature
        self.threshold = threshold
        self.node = node
        self.trees = len(node[0])
        self.roots = np.arange(self.trees, dtype=np.intp)
        self.ends: NDArray[np.float64] = np.zeros(0)
        self._buffers()

    @classmethod
    def of(cls, trees: FlatTrees) -> Levels:
        """This will pad each tree; leaves above the last level lead to themselves whatever the row says."""
        deepest = int(trees.root_distance.max(initial=0))
        if deepest > DEEPEST:
            raise ModelError(f"Trees of {deepest} levels are too deep for flat levels (at most {DEEPEST}).")
        offset = np.repeat(trees.starts[:-1], np.diff(trees.starts))
        feature, threshold, node = [], [], [trees.starts[:-1].astype(np.intp)]
        for _ in range(deepest):
            here = node[-1]
            leaf = trees.feature[here] < 0
            feature.append(np.where(leaf, 0, trees.feature[here]).astype(np.intp))
            threshold.append(np.where(leaf, np.float32(np.inf), trees.threshold[here]).astype(np.float32))
            children = np.empty(2 * len(here), dtype=np.intp)
            children[0::2] = np.where(leaf, here, trees.left[here] + offset[here])
            children[1::2] = np.where(leaf, here, trees.right[here] + offset[here])
            node.append(children)
        levels = cls(feature, threshold, node)
        levels.ends = trees.depth[node[-1]]
        return levels

    def _buffers(self) -> None:
        self._at = np.empty(self.trees, dtype=np.intp)
        self._column = np.empty(self.trees, dtype=np.intp)
        self._value = np.empty(self.trees, dtype=np.float32)
        self._cut = np.empty(self.trees, dtype=np.float32)
        self._right = np.empty(self.trees, dtype=np.bool_)
        self._depth = np.empty(self.trees)

    def walk(self, row: NDArray[np.float32]) -> float:
        """This will give the summed depth of one float32 row over all trees."""
        self.descend(row)
        self.ends.take(self._at, out=self._depth, mode="clip")
        return float(np.add.reduce(self._depth))

    def descend(self, row: NDArray[np.float32]) -> NDArray[np.intp]:
        """This will give the position of one row on the last level, a lane a tree (a buffer: copy to keep)."""
        at, column, value, cut, right = self._at, self._column, self._value, self._cut, self._right
        at[:] = self.roots
        for feature, threshold in zip(self.feature, self.threshold, strict=True):
            feature.take(at, out=column, mode="clip")
            row.take(column, out=value, mode="clip")
            threshold.take(at, out=cut, mode="clip")
            np.greater(value, cut, out=right)
            np.add(at, at, out=at)
            np.add(at, right, out=at)
        return at

    def walk_rows(self, rows: NDArray[np.float32]) -> NDArray[np.float64]:
        """This will give the summed depth of each of a few rows."""
        at = self.roots[None, :]
        flat, begun = rows.ravel(), np.arange(0, rows.size, max(rows.shape[1], 1))[:, None]
        for feature, threshold in zip(self.feature, self.threshold, strict=True):
            value = flat.take(feature.take(at) + begun)
            at = 2 * at + (value > threshold.take(at))
        return np.asarray(np.add.reduce(self.ends.take(at), axis=1))
