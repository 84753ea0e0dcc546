"""The forest's walk compiled by numba, where the optional `compiled` extra is installed; nothing needs it.

Trees are perfect ones here too, each with its nodes together: node i leads to 2i + 1 or 2i + 2, and a comparison
picks which without a branch, since a branch would be guessed wrong half the time. Rows are taken in blocks small
enough for the cache, and all of a block go through one tree before the next.
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from models.flat_tree import Levels

BLOCK = 256


@cache
def available() -> bool:
    """This will say whether numba can be imported."""
    return importlib.util.find_spec("numba") is not None


@dataclass(frozen=True, slots=True, eq=False)
class Compiled:
    """Perfect trees, (trees, nodes) each, and the path lengths of their last level, (trees, nodes + 1)."""

    feature: NDArray[np.uint32]
    threshold: NDArray[np.float32]
    ends: NDArray[np.float64]

    @classmethod
    def of(cls, levels: Levels) -> Compiled:
        """This will lay the levels out tree by tree."""
        feature = [part.reshape(levels.trees, -1) for part in levels.feature]
        threshold = [part.reshape(levels.trees, -1) for part in levels.threshold]
        nothing = np.zeros((levels.trees, 0))
        return cls(
            np.concatenate([nothing, *feature], axis=1).astype(np.uint32),
            np.concatenate([nothing, *threshold], axis=1).astype(np.float32),
            levels.ends.reshape(levels.trees, -1),
        )

    def depths(self, rows: NDArray[np.float32]) -> NDArray[np.float64]:
        """This will give the summed depth of each row; other threads run meanwhile.

        Threads are the caller's: numba's own may not be used from two threads at once.
        """
        out = np.zeros(len(rows))
        _walks()[0](self.feature, self.threshold, self.ends, rows, out)
        return out

    def one(self, row: NDArray[np.float32]) -> float:
        """This will give the summed depth of one row."""
        return float(_walks()[1](self.feature, self.threshold, self.ends, row))


@cache
def _walks() -> tuple[Any, Any]:
    from numba import njit

    @njit(nogil=True)
    def walk(feature, threshold, ends, row):  # type: ignore[no-untyped-def]
        trees, nodes = feature.shape
        total = 0.0
        for tree in range(trees):
            node = 0
            while node < nodes:
                node = 2 * node + 1 + (row[feature[tree, node]] > threshold[tree, node])
            total += ends[tree, node - nodes]
        return total

    @njit(nogil=True)
    def walk_all(feature, threshold, ends, rows, out):  # type: ignore[no-untyped-def]
        trees, nodes = feature.shape
        levels = 0
        while 2**levels - 1 < nodes:
            levels += 1
        one, two, inner = np.uint32(1), np.uint32(2), np.uint32(nodes)
        for start in range(0, len(rows), BLOCK):
            count = min(len(rows), start + BLOCK) - start
            columns = rows[start : start + count].T.copy()
            at = np.zeros(BLOCK, np.uint32)
            for tree in range(trees):
                at[:] = 0
                # Level by level over all rows of the block: independent steps overlap in the processor.
                for _ in range(levels):
                    for number in range(count):
                        node = at[number]
                        right = columns[feature[tree, node], number] > threshold[tree, node]
                        at[number] = two * node + one + np.uint32(right)
                for number in range(count):
                    out[start + number] += ends[tree, at[number] - inner]

    return walk_all, walk
