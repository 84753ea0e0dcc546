"""How strange entities look when they come, for kinds in which that is ordinary: a scale of their own for newcomers.

Split conformal prediction holds for windows like those of the calibration, and a newcomer's are not: everything is its first
time. So quiet windows are judged as if their entity had just come, with the entity taken out of the baseline of its peers, and
newcomers are ranked among these (a Mondrian category: Vovk, Gammerman, Shafer 2005, section 4.5,
https://doi.org/10.1007/b106715). Kinds never seen are ranked among all of them, by the detector of any kind.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from models.calibration import Calibration
from models.detector import Detector
from models.habits import learn_habits
from models.model import ANY, Model
from training.calibrate import thin
from training.matrix import Matrix, in_order_seen
from training.recipe import Recipe

FOLDS = 5
MOST_ENTITIES = 200
"""Of more entities one does not move the mean of its peers, and none is taken out."""
MOST_ROWS = 100_000
UNKNOWN = -1


@dataclass(frozen=True, eq=False)
class Newcomers:
    """Quiet windows as they would look if their entity had just come, and the kinds that may come so, seen or not."""

    matrix: Matrix
    kinds: tuple[str, ...]


def newcomer_scales(
    model: Model, matrix: Matrix, fit: NDArray[np.intp], newcomers: Newcomers, recipe: Recipe
) -> dict[str, Calibration]:
    """This will give each kind the scale of its newcomers; none where fewer windows than `least_windows` are known."""
    found = {}
    everyone = np.arange(len(newcomers.matrix))
    for kind in newcomers.kinds:
        seen = kind in model.detectors
        rows = everyone[newcomers.matrix.kind == kind] if seen else everyone
        if len(rows) < recipe.least_windows:
            continue
        past = fit[matrix.kind[fit] == kind] if seen else fit
        statistic = _statistic(
            model.detector(kind if seen else ANY), matrix, past, newcomers.matrix, rows, recipe
        )
        found[kind] = Calibration.of(statistic)
    return found


def _statistic(
    detector: Detector,
    matrix: Matrix,
    fit: NDArray[np.intp],
    newcomers: Matrix,
    rows: NDArray[np.intp],
    recipe: Recipe,
) -> NDArray[np.float64]:
    entities, member = in_order_seen(newcomers.entity[rows])
    if len(entities) > MOST_ENTITIES:
        return _judged(detector, newcomers, rows)
    past = thin(fit, MOST_ROWS, recipe.seed)
    statistic = np.empty(len(rows))
    for fold in range(min(FOLDS, len(entities))):
        mine = member % FOLDS == fold
        others = past[~np.isin(matrix.entity[past], entities[fold::FOLDS])]
        if len(others):
            parts = matrix.values, matrix.entity, matrix.group, matrix.at
            baseline = learn_habits(*parts, recipe.shrinkage, others)
            without = replace(detector, baseline=baseline, rhythm=None, _near={})
        else:
            without = detector
        statistic[mine] = _judged(without, newcomers, rows[mine])
    return statistic


def _judged(detector: Detector, newcomers: Matrix, rows: NDArray[np.intp]) -> NDArray[np.float64]:
    batch = newcomers.batch(rows)
    return detector.judge(replace(batch, entity=np.full(len(rows), UNKNOWN))).statistic
