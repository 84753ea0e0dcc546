"""Deviations planted into real windows: attacks of known shape, to see which a model finds.

Each plant starts from a quiet window and changes it as an intruder would, knowing nothing of what the features
mean: numbers go up, things are done that were never done, or someone behaves like somebody else.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.layout import Treatment
from training.matrix import Matrix

SHAPES = ("burst", "family burst", "new doing", "masquerade", "novelty")


@dataclass(frozen=True, eq=False)
class Planted:
    """Windows with a deviation each, the shape of each, and the row each was made from."""

    matrix: Matrix
    shape: NDArray[np.str_]
    origin: NDArray[np.intp]


def plant(matrix: Matrix, rows: NDArray[np.intp], count: int, seed: int) -> Planted:
    """This will plant `count` deviations into windows drawn from the rows, every kind and shape in equal parts.

    - burst: everything the window did, four to twelve times as often
    - family burst: one family of features, eight times as often and at least three more
    - new doing: three features that are zero become what is high for whoever has them, or 3 if nobody has
    - masquerade: the values of a window of another peer group of the kind
    - novelty: the surprise features become higher than nearly all windows'
    """
    random = np.random.default_rng([seed, len(rows)])
    if not len(rows):
        return Planted(matrix.part(rows), np.zeros(0, dtype=np.str_), rows)
    by_kind = [rows[matrix.kind[rows] == kind] for kind in np.unique(matrix.kind[rows])]
    origin = np.array([random.choice(by_kind[number % len(by_kind)]) for number in range(count)])
    shape = np.array([SHAPES[(number // len(by_kind)) % len(SHAPES)] for number in range(count)])
    if not any(feature.treatment is Treatment.SURPRISE for feature in matrix.layout):
        shape[shape == "novelty"] = "new doing"
    values = matrix.values[origin].copy()
    high = _high(matrix, rows)
    for number, name in enumerate(shape):
        if name == "masquerade" and (other := _other(matrix, rows, origin[number], random)) is not None:
            values[number] = matrix.values[other]
        elif name == "masquerade":
            shape[number] = "new doing"
            _change(matrix, values[number], "new doing", high, random)
        else:
            _change(matrix, values[number], str(name), high, random)
    changed = matrix.part(origin)
    return Planted(
        Matrix(matrix.layout, values, changed.entity, changed.kind, changed.group, changed.at), shape, origin
    )


def _change(
    matrix: Matrix,
    values: NDArray[np.float64],
    shape: str,
    high: NDArray[np.float64],
    random: np.random.Generator,
) -> None:
    layout = matrix.layout
    relative = np.array([feature.treatment is Treatment.RELATIVE for feature in layout])
    if shape == "burst":
        values[relative] *= np.exp(random.uniform(np.log(4.0), np.log(12.0)))
    elif shape == "family burst":
        families = sorted({f.family for f in layout if f.treatment is Treatment.RELATIVE})
        chosen = families[random.integers(len(families))]
        within = relative & np.array([feature.family == chosen for feature in layout])
        values[within] = np.maximum(values[within] * 8.0, values[within] + 3.0)
    elif shape == "new doing":
        idle = np.flatnonzero(relative & (values == 0))
        idle = idle if len(idle) else np.flatnonzero(relative)
        drawn = random.choice(idle, min(3, len(idle)), replace=False)
        values[drawn] = np.maximum(values[drawn] + 3.0, high[drawn])
    else:
        surprise = np.array([feature.treatment is Treatment.SURPRISE for feature in layout])
        values[surprise] = np.maximum(high[surprise] * random.uniform(1.0, 2.0), values[surprise] + 1.0)


def _high(matrix: Matrix, rows: NDArray[np.intp]) -> NDArray[np.float64]:
    """For each feature the 90th percentile of whoever has it (99th of everyone for surprise), 3 where nobody does."""
    values = matrix.values[rows[:: max(1, len(rows) // 50_000)]]
    found = np.full(values.shape[1], 3.0)
    for place, feature in enumerate(matrix.layout):
        above = values[values[:, place] > 0, place]
        if feature.treatment is Treatment.SURPRISE:
            found[place] = np.quantile(values[:, place], 0.99)
        elif len(above):
            found[place] = np.quantile(above, 0.9)
    return found


def _other(
    matrix: Matrix, rows: NDArray[np.intp], row: np.intp, random: np.random.Generator
) -> np.intp | None:
    drawn = rows[random.integers(len(rows), size=50)]
    apart = (matrix.group[drawn] != matrix.group[row]) & (matrix.kind[drawn] == matrix.kind[row])
    return drawn[apart][0] if apart.any() else None
