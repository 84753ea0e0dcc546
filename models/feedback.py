"""What reviewers taught a detector: a number a leaf, added to the statistic of every window that ends there.

Windows that end in the same leaves of many trees are alike in the forest's own eyes. A false alarm lowers the
leaves it fell into, a confirmed attack raises them, so alike windows move at once and unlike ones stay.
The sum is bounded, and so is what any number of verdicts can hide.
Reference: Das et al., "Active Anomaly Discovery", ICDM 2016, https://doi.org/10.1109/ICDM.2016.0102.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class LeafLessons:
    """`push` holds a number per node of the forest's flat arrays (0 but in leaves), in units of the statistic."""

    push: NDArray[np.float32]
    bound: float
    """Most that verdicts may add to or take from a window's statistic (-ln p): 8 turns one in a million into one in 350."""

    def of(self, leaves: NDArray[np.int64]) -> NDArray[np.float64]:
        """This will give what windows ending in these leaves, (n, trees), gain or lose."""
        summed = np.add.reduce(self.push[leaves].astype(np.float64), axis=1)
        return np.asarray(np.clip(summed, -self.bound, self.bound))

    def of_row(self, leaves: NDArray[np.int64]) -> float:
        """This will give the same for one window."""
        return float(self.of(leaves[None, :])[0])
