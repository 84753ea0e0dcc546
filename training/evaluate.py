"""How good a model is, on windows it never saw: planted deviations found within the budget, and quiet ones left.

Every figure is counted on the held-back windows, the last ones in time. The plain forest on raw counts is run
beside it: a model that does not beat that is not worth its complexity.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from sklearn.ensemble import IsolationForest as SklearnForest

from models.budget import Threshold
from models.line import line_of
from models.model import Model
from training.matrix import Matrix
from training.planting import Planted
from training.recipe import Recipe

MOST_HELD_BACK = 50_000
"""Quiet windows judged; a share of one in a thousand is then known within a third."""


@dataclass(frozen=True, slots=True)
class Report:
    """What the evaluation found. Recalls are shares of planted deviations at the budget's threshold."""

    recall: float | None
    recall_by_shape: dict[str, float]
    recall_by_kind: dict[str, float]
    raw_forest_recall: float | None
    """The same for an isolation forest on log1p of the raw values, at the same share of quiet windows shown."""
    threshold: Threshold
    windows_a_day: float
    held_back: int
    alerts_a_day: float | None
    """Quiet held-back windows under the threshold, scaled to a day."""
    confirmed_found: int
    confirmed: int

    def to_dict(self) -> dict[str, Any]:
        """This will give the report as plain data, for the card."""
        return asdict(self)


def judge_matrix(model: Model, matrix: Matrix, rows: NDArray[np.intp], jobs: int = 1) -> NDArray[np.float64]:
    """This will give the p-values of some rows."""
    parts = matrix.values[rows], matrix.kind[rows], matrix.entity[rows], matrix.group[rows], matrix.at[rows]
    return model.judge(*parts, jobs).p_value


def evaluate(
    model: Model,
    matrix: Matrix,
    held_back: NDArray[np.intp],
    planted: Planted,
    confirmed: NDArray[np.intp],
    recipe: Recipe,
) -> Report:
    """This will judge planted, quiet and confirmed windows with one model."""
    a_day = recipe.windows_a_day or matrix.windows_a_day()
    threshold = line_of(model.card, recipe.budget, a_day)
    quiet = held_back[:: max(1, -(-len(held_back) // MOST_HELD_BACK))]
    everywhere = np.arange(len(planted.matrix))
    found = judge_matrix(model, planted.matrix, everywhere, recipe.jobs) <= threshold.p_value
    shown = judge_matrix(model, matrix, quiet, recipe.jobs) <= threshold.p_value
    caught = judge_matrix(model, matrix, confirmed, recipe.jobs) <= threshold.p_value
    return Report(
        recall=float(found.mean()) if len(found) else None,
        recall_by_shape=_by(planted.shape, found),
        recall_by_kind=_by(planted.matrix.kind, found),
        raw_forest_recall=raw_forest_recall(matrix, quiet, planted, threshold.p_value, recipe),
        threshold=threshold,
        windows_a_day=a_day,
        held_back=len(quiet),
        alerts_a_day=float(shown.mean() * a_day) if len(quiet) else None,
        confirmed_found=int(caught.sum()),
        confirmed=len(confirmed),
    )


def steadiness(
    candidate: Model, champion: Model, matrix: Matrix, rows: NDArray[np.intp], jobs: int = 1
) -> float | None:
    """This will give Spearman's rank correlation of the two models' scores; None on fewer than ten windows."""
    rows = rows[:: max(1, -(-len(rows) // MOST_HELD_BACK))]
    if len(rows) < 10:
        return None
    ours, theirs = (judge_matrix(model, matrix, rows, jobs) for model in (candidate, champion))
    if np.ptp(ours) == 0 or np.ptp(theirs) == 0:
        return None
    return float(stats.spearmanr(ours, theirs).statistic)


def raw_forest_recall(
    matrix: Matrix, quiet: NDArray[np.intp], planted: Planted, share: float, recipe: Recipe
) -> float | None:
    """This will give what scikit-learn's forest on log1p of raw values finds with the same share of quiet shown."""
    if len(quiet) < recipe.least_windows or not len(planted.matrix):
        return None
    forest = SklearnForest(n_estimators=recipe.trees, random_state=recipe.seed)
    rows = quiet[:: max(1, -(-len(quiet) // 10_000))]
    forest.fit(np.log1p(matrix.values[rows]))
    line = np.quantile(-forest.score_samples(np.log1p(matrix.values[rows])), max(0.0, 1.0 - share))
    return float((-forest.score_samples(np.log1p(planted.matrix.values)) > line).mean())


def _by(names: NDArray[np.str_], found: NDArray[np.bool_]) -> dict[str, float]:
    return {str(name): float(found[names == name].mean()) for name in np.unique(names)}
