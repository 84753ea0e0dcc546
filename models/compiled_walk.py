"""The forest's walk compiled by numba, where the optional `compiled` extra is installed; nothing needs it.

The compiled and the numpy walk take the same branches, so their depths differ only by the order of a sum.
"""

from __future__ import annotations

import importlib.util
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from models.flat_tree import FlatTrees


@cache
def available() -> bool:
    """This will say whether numba can be imported."""
    return importlib.util.find_spec("numba") is not None


def depths(trees: FlatTrees, rows: NDArray[np.float32], workers: int = 1) -> NDArray[np.float64]:
    """This will give the summed depth of each row, on as many threads as said."""
    import numba

    out = np.empty(len(rows))
    before = numba.get_num_threads()
    numba.set_num_threads(max(1, min(workers, numba.config.NUMBA_NUM_THREADS)))
    try:
        _walks()[0](*_flat(trees), rows, out)
    finally:
        numba.set_num_threads(before)
    return out


def one(trees: FlatTrees, row: NDArray[np.float32]) -> float:
    """This will give the summed depth of one row."""
    return float(_walks()[1](*_flat(trees), row))


def _flat(trees: FlatTrees) -> tuple[NDArray[Any], ...]:
    return trees.feature, trees.threshold, trees.left, trees.right, trees.depth, trees.starts


@cache
def _walks() -> tuple[Any, Any]:
    from numba import njit, prange

    @njit(nogil=True, fastmath=False)
    def walk(feature, threshold, left, right, depth, starts, row):  # type: ignore[no-untyped-def]
        total = 0.0
        for tree in range(len(starts) - 1):
            start = starts[tree]
            node = start
            while feature[node] >= 0:
                node = start + left[node] if row[feature[node]] <= threshold[node] else start + right[node]
            total += depth[node]
        return total

    @njit(nogil=True, parallel=True, fastmath=False)
    def walk_all(feature, threshold, left, right, depth, starts, rows, out):  # type: ignore[no-untyped-def]
        for number in prange(len(rows)):
            out[number] = walk(feature, threshold, left, right, depth, starts, rows[number])

    return walk_all, walk
