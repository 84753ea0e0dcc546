"""Windows with their terms sorted by dimension, so that a hundred questions do not each search all terms."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from anomaly.windows.dimension import Dimension
from anomaly.windows.window import Floats, Mask, Windows


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


def split(windows: Windows) -> SplitWindows:
    """This will sort the terms of windows by dimension, once; within a dimension they keep their order."""
    order = np.argsort(windows.dimensions, kind="stable")
    edges = np.searchsorted(windows.dimensions[order], np.arange(257))
    return SplitWindows(
        windows.vocabulary,
        windows.entity,
        windows.start,
        windows.span_us,
        windows.offsets,
        windows.terms,
        windows.counts,
        windows.row,
        windows.dimensions,
        edges.astype(np.int64),
        windows.row[order].astype(np.int64),
        windows.terms[order].astype(np.int64),
        windows.counts[order],
    )
