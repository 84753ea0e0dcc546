"""What must not teach a model what is normal: confirmed attacks, and entities so loud that they drown the rest."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.errors import ModelError
from training.matrix import Matrix

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


def strangest(statistic: NDArray[np.float64], rows: NDArray[np.intp], count: int) -> list[int]:
    """This will name the rows that score highest, highest first: half a percent of attacks among the calibration
    windows blinds a detector, and a look at its twenty highest brings it back."""
    order = np.argsort(-statistic, kind="stable")[:count]
    return [int(row) for row in rows[order]]
