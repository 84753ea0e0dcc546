"""Fit, calibrate, hold out, in the order of time: nothing later ever explains something earlier."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.matrix import Matrix
from training.recipe import Recipe


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """Row numbers of each part, ascending."""

    fit: NDArray[np.intp]
    calibrate: NDArray[np.intp]
    held_back: NDArray[np.intp]


def split_by_time(matrix: Matrix, recipe: Recipe) -> Split:
    """This will cut the rows into three by as-of time; rows of one time stay together."""
    if not len(matrix):
        empty = np.zeros(0, dtype=np.intp)
        return Split(empty, empty, empty)
    times = np.sort(matrix.at)
    last = len(times) - 1
    first_cut = times[min(last, round(recipe.fit_share * len(times)))]
    second_cut = times[min(last, round((recipe.fit_share + recipe.calibrate_share) * len(times)))]
    return Split(
        np.flatnonzero(matrix.at < first_cut),
        np.flatnonzero((matrix.at >= first_cut) & (matrix.at < second_cut)),
        np.flatnonzero(matrix.at >= second_cut),
    )
