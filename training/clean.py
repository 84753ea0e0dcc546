"""What must not teach a model what is normal: confirmed attacks, and entities so loud that they drown the rest."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.calibration import Calibration
from models.errors import ModelError
from training.matrix import Matrix

UNLIKELY = 0.01
"""Expected windows as strange as one set aside."""
LEAST_ROWS = 20
"""Rows any entity may give, however few there are in all."""


def leave_out(matrix: Matrix, confirmed: NDArray[np.bool_] | None) -> NDArray[np.intp]:
    """This will give the rows that are not windows of confirmed attacks."""
    if confirmed is None:
        return np.arange(len(matrix))
    if confirmed.shape != (len(matrix),):
        raise ModelError("The mask of confirmed attacks needs one value a window.")
    return np.flatnonzero(~confirmed)


def quieten(
    entity: NDArray[np.int64], rows: NDArray[np.intp], share: float, random: np.random.Generator
) -> NDArray[np.intp]:
    """This will give the rows with no entity above its share of them: the louder ones lose rows at random."""
    if not len(rows):
        return rows
    most = max(LEAST_ROWS, int(share * len(rows)))
    order = random.permutation(len(rows))
    owner = entity[rows[order]]
    by_owner = np.argsort(owner, kind="stable")
    sorted_owner = owner[by_owner]
    first = np.searchsorted(sorted_owner, sorted_owner)
    place = np.arange(len(rows)) - first
    return np.sort(rows[order[by_owner[place < most]]])


def too_strange(statistic: NDArray[np.float64], share: float) -> NDArray[np.bool_]:
    """This will mark the calibration windows to set aside until reviewed, at most this share and at least one.

    A window is set aside when, by the tail of the rest, not one in a hundred such sets holds one as strange. A
    heavy tail of ordinary windows is thus left alone; a forgotten attack far above everything is not.
    """
    marked = np.zeros(len(statistic), dtype=np.bool_)
    if len(statistic) < LEAST_ROWS or share <= 0:
        return marked
    order = np.argsort(statistic, kind="stable")
    most = max(1, int(share * len(statistic)))
    rest = np.sort(statistic)[:-most]
    hazard = Calibration.of(rest)
    expected = len(statistic) * hazard.p_values(statistic[order[-most:]])
    marked[order[-most:]] = expected < UNLIKELY
    return marked


def strangest(statistic: NDArray[np.float64], rows: NDArray[np.intp], count: int) -> list[int]:
    """This will name the rows that score highest, highest first: half a percent of attacks among the calibration
    windows blinds a detector, and a look at its twenty highest brings it back."""
    order = np.argsort(-statistic, kind="stable")[:count]
    return [int(row) for row in rows[order]]
