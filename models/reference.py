"""How the features were distributed when the model was made, so that a later night can say what has drifted.

Counts are mostly zero, so zero has a bin of its own and the rest are cut at quantiles of what is left.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

BINS = 8
MOST_ROWS = 50_000
"""Enough to know a share within half a percent."""


@dataclass(frozen=True, eq=False)
class Reference:
    """Edges of the bins above zero, (k, BINS - 1), and the share of windows in each bin, (k, BINS + 1)."""

    edges: NDArray[np.float64]
    shares: NDArray[np.float64]

    @classmethod
    def of(cls, values: NDArray[np.floating[Any]]) -> Reference:
        """This will take down the distribution of each column of (n, k)."""
        rows = thinned(values)
        edges = np.zeros((rows.shape[1], BINS - 1))
        for place in range(rows.shape[1]):
            above = rows[rows[:, place] > 0, place]
            if len(above):
                edges[place] = np.quantile(above, np.linspace(0, 1, BINS + 1)[1:-1])
        return cls(edges, shares_of(rows, edges))

    def arrays(self) -> dict[str, NDArray[Any]]:
        """This will give what has to be kept."""
        return {"edges": self.edges, "shares": self.shares}

    def stability(self, values: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
        """This will give the population stability index of each column: under 0.1 the same, over 0.25 another.

        PSI = sum over bins of (now - then) ln(now / then), with half a window in each empty bin.
        """
        rows = thinned(values)
        least = 0.5 / max(len(rows), 1)
        now = np.maximum(shares_of(rows, self.edges), least)
        then = np.maximum(self.shares, least)
        return np.asarray(((now - then) * np.log(now / then)).sum(axis=1))


def thinned(values: NDArray[np.floating[Any]]) -> NDArray[np.floating[Any]]:
    """This will take every so-many-th row, so that at most `MOST_ROWS` are left."""
    return values[:: max(1, -(-len(values) // MOST_ROWS))]


def shares_of(rows: NDArray[np.floating[Any]], edges: NDArray[np.float64]) -> NDArray[np.float64]:
    """This will count the share of each column's values in its bins, zero first."""
    found = np.zeros((rows.shape[1], BINS + 1))
    for place in range(rows.shape[1]):
        column = rows[:, place]
        bins = np.where(column > 0, 1 + np.searchsorted(edges[place], column, side="left"), 0)
        found[place] = np.bincount(bins, minlength=BINS + 1)
    return found / max(len(rows), 1)
