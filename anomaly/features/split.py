"""Windows with their terms sorted by dimension, so that a hundred questions do not each search all terms."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from anomaly.windows.dimension import Dimension
from anomaly.windows.window import Floats, Mask, Windows

DIMENSIONS: Final = max(map(int, Dimension)) + 1
"""One more than the largest number of a dimension."""


@dataclass(frozen=True, slots=True)
class SplitWindows(Windows):
    """The same windows; `edges[d]` is where dimension d begins in the sorted arrays."""

    edges: NDArray[np.int64]
    sorted_row: NDArray[np.int64]
    sorted_terms: NDArray[np.int64]
    sorted_counts: Floats

    def rows(
        self, dimension: Dimension, where: Mask | None = None
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], Floats]:
        """This will return (window index, term, count) of every entry of a dimension, as `Windows.rows` does."""
        part = slice(int(self.edges[dimension]), int(self.edges[dimension + 1]))
        row, terms, counts = self.sorted_row[part], self.sorted_terms[part], self.sorted_counts[part]
        if where is None:
            return row, terms, counts
        chosen = where[terms]
        return row[chosen], terms[chosen], counts[chosen]


@dataclass(frozen=True, slots=True)
class OneWindow(SplitWindows):
    """A single window; `totals` and `different` hold the sum of counts and the number of terms of each dimension, by its number.

    Counts are whole numbers: whatever the order, their sum is the same. All other sums keep the order of the terms.
    """

    totals: Floats
    different: Floats

    def count(self, dimension: Dimension, where: Mask | None = None) -> Floats:
        """This will return the sum of counts, as `Windows.count` does, without sorting entries to windows."""
        if where is None:
            return self.totals[dimension : dimension + 1]
        part = slice(int(self.edges[dimension]), int(self.edges[dimension + 1]))
        return np.add.reduce(self.sorted_counts[part][where[self.sorted_terms[part]]], keepdims=True)

    def distinct(self, dimension: Dimension, where: Mask | None = None) -> Floats:
        """This will return how many different terms the window holds, as `Windows.distinct` does."""
        if where is None:
            return self.different[dimension : dimension + 1]
        part = slice(int(self.edges[dimension]), int(self.edges[dimension + 1]))
        return np.full(1, float(np.count_nonzero(where[self.sorted_terms[part]])))

    def entropies(self) -> Floats:
        """This will return what `entropy` says of each dimension, by its number."""
        logs = np.bincount(self.dimensions, weights=self.counts * np.log(self.counts), minlength=DIMENSIONS)
        whole = np.maximum(self.totals, 1.0)
        return np.maximum(np.where(self.totals > 0, np.log(whole) - logs / whole, 0.0), 0.0)

    def largests(self) -> Floats:
        """This will return what `largest` says of each dimension, by its number."""
        found = np.zeros(DIMENSIONS)
        held = np.flatnonzero(self.different)
        if len(held):
            found[held] = np.maximum.reduceat(self.sorted_counts, self.edges[held])
        return found


def split(windows: Windows) -> SplitWindows:
    """This will sort the terms of windows by dimension, once; within a dimension they keep their order."""
    order = windows.dimensions.argsort(kind="stable")
    if windows.n == 1:
        return _one(windows, order)
    edges = np.searchsorted(windows.dimensions[order], np.arange(257))
    return SplitWindows(
        windows.vocabulary,
        windows.entity,
        windows.start,
        windows.span_us,
        windows.offsets,
        windows.terms,
        windows.counts,
        windows.dimensions,
        edges.astype(np.int64),
        windows.row[order].astype(np.int64),
        windows.terms[order].astype(np.int64),
        windows.counts[order],
    )


def _one(window: Windows, order: NDArray[np.intp]) -> OneWindow:
    different = np.bincount(window.dimensions, minlength=DIMENSIONS)
    edges = np.zeros(DIMENSIONS + 1, dtype=np.int64)
    np.cumsum(different, out=edges[1:])
    return OneWindow(
        window.vocabulary,
        window.entity,
        window.start,
        window.span_us,
        window.offsets,
        window.terms,
        window.counts,
        window.dimensions,
        edges,
        np.zeros(len(order), dtype=np.int64),
        window.terms[order].astype(np.int64),
        window.counts[order],
        np.bincount(window.dimensions, weights=window.counts, minlength=DIMENSIONS).astype(np.float64),
        different.astype(np.float64),
    )
