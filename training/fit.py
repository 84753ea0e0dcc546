"""Fitting: baselines in bulk, forests on a sample, spread over cores or machines by joblib."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import joblib
import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import IsolationForest as SklearnForest

from models.baseline import DAY_US, Baseline
from models.calibration import Calibration
from models.detector import Batch, Channel, Detector
from models.extended_forest import ExtendedForest, grow
from models.habits import learn_habits
from models.isolation_forest import IsolationForest
from models.relative import Lens
from models.rhythm import Rhythm, learn_rhythm
from training.clean import quieten
from training.matrix import Matrix
from training.recipe import Recipe

PART = 25
"""Trees a task grows: small enough to share out, large enough to be worth sending."""
NOTHING = Calibration(np.zeros(1), np.zeros(1), 1, 0.0, 0.0, 1.0)
"""Stands in until the calibration is made."""


@dataclass(frozen=True, eq=False)
class Prepared:
    """One kind before its forests: what was learned, and the columns the forests will see."""

    kind: str
    detector: Detector
    columns: NDArray[np.float32]
    aggregates: NDArray[np.float64]


def prepare(
    matrix: Matrix, kind: str, rows: NDArray[np.intp], recipe: Recipe, channels: tuple[Channel, ...]
) -> Prepared:
    """This will learn one kind's baseline from the rows, and see a sample of them through it."""
    random = np.random.default_rng([recipe.seed, *kind.encode()])
    baseline, rhythm = learn(matrix, rows, recipe)
    lens = Lens(matrix.layout, recipe.view, recipe.fall_weight, recipe.clip)
    detector = Detector(
        kind, lens, baseline, channels, recipe.combination, (NOTHING,) * len(channels), NOTHING, rhythm=rhythm
    )
    quiet = quieten(matrix.entity, rows, recipe.loud_share, random)
    most = recipe.trees * recipe.samples
    if len(quiet) > most:
        quiet = np.sort(random.choice(quiet, most, replace=False))
    _, aggregates, columns = see_left_out(detector, matrix.batch(quiet))
    return Prepared(kind, detector, columns, aggregates)


def learn(matrix: Matrix, rows: NDArray[np.intp], recipe: Recipe) -> tuple[Baseline, Rhythm | None]:
    """This will learn the usual values of the rows' entities, and their rhythm where two weeks of history allow it."""
    parts = matrix.values, matrix.entity, matrix.group, matrix.at
    baseline = learn_habits(*parts, recipe.shrinkage, rows)
    if not recipe.rhythm:
        return baseline, None
    rhythm, steadied = learn_rhythm(*parts, baseline, rows)
    return steadied, rhythm


def see_left_out(
    detector: Detector, batch: Batch
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float32]]:
    """This will see windows the baseline was learned from as if it had not been."""
    seen = []
    for block in batch.blocks():
        places = detector.baseline.positions(block.entity)
        days = (detector.baseline.last[places] - block.at) / DAY_US
        seen.append(detector.see(block, 0.5 ** (days / detector.baseline.shrinkage.half_life_days)))
    return tuple(np.concatenate(part) for part in zip(*seen, strict=True))  # type: ignore[return-value]


def grow_forests(prepared: list[Prepared], recipe: Recipe) -> dict[str, IsolationForest]:
    """This will fit one isolation forest a kind with scikit-learn, in parts of 25 trees wherever joblib runs them.

    Each part has a seed of its own, so the forests do not depend on who fitted which part.
    """
    tasks = []
    for one in prepared:
        seeds = np.random.SeedSequence([recipe.seed, *one.kind.encode()]).generate_state(
            -(-recipe.trees // PART)
        )
        for number, seed in enumerate(seeds):
            trees = min(PART, recipe.trees - number * PART)
            tasks.append((one.kind, one.columns, trees, recipe.samples, int(seed)))
    with joblib.parallel_config(backend=recipe.backend, n_jobs=recipe.jobs):
        parts = joblib.Parallel()(joblib.delayed(fit_part)(*task[1:]) for task in tasks)
    grown: dict[str, list[IsolationForest]] = {}
    for task, part in zip(tasks, parts, strict=True):
        grown.setdefault(task[0], []).append(part)
    return {kind: IsolationForest.joined(held) for kind, held in grown.items()}


def fit_part(columns: NDArray[np.float32], trees: int, samples: int, seed: int) -> IsolationForest:
    """This will fit a few trees."""
    # Fitting on pre-drawn rows spares scikit-learn a pass over all of them: 115 ms against 352 on a million.
    fitted: Any = SklearnForest(n_estimators=trees, max_samples=min(samples, len(columns)), random_state=seed)
    return IsolationForest.from_sklearn(fitted.fit(columns))


def grow_extended(prepared: Prepared, recipe: Recipe) -> ExtendedForest:
    """This will grow the extended forest of one kind."""
    return grow(prepared.columns, recipe.seed, recipe.trees, recipe.samples)
