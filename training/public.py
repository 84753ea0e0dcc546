"""The forests alone on public sets, in the form of ADBench: npz files with X (n, k) and y (0 quiet, 1 anomaly).

A change of detector is judged here on data nobody of this project made, against scikit-learn in the same run.
Reference: Han et al., "ADBench", NeurIPS 2022, https://doi.org/10.48550/arXiv.2206.09426.
"""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from sklearn.ensemble import IsolationForest as SklearnForest
from sklearn.metrics import average_precision_score, roc_auc_score

from models.errors import ModelError
from models.extended_forest import grow
from models.isolation_forest import IsolationForest

MOST_ROWS = 200_000


@dataclass(frozen=True, slots=True, eq=False)
class PublicSet:
    """A labelled set of rows."""

    name: str
    values: NDArray[np.float64]
    anomaly: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Comparison:
    """How well each way of scoring ranks the anomalies of one set: area under ROC and precision-recall curves."""

    name: str
    rows: int
    columns: int
    anomalies: int
    auroc: dict[str, float]
    auprc: dict[str, float]
    difference: float
    """Largest difference between our scores and scikit-learn's for the same forest."""


def load_public(path: Path) -> PublicSet:
    """This will read one npz file; raises `ModelError` when it holds no finite X and 0/1 y, or code."""
    try:
        with np.load(path, allow_pickle=False) as held:
            values, labels = np.asarray(held["X"], dtype=np.float64), np.asarray(held["y"]).ravel()
    except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise ModelError(f"{path.name} is not a set in ADBench's form (npz with X and y).") from error
    sound = values.ndim == 2 and len(values) == len(labels) and bool(np.isin(labels, (0, 1)).all())
    if not sound or not np.isfinite(values).all() or not 0 < labels.sum() < len(labels):
        raise ModelError(f"{path.name} needs finite X of (n, k) and y of n zeros and ones, both present.")
    step = max(1, -(-len(values) // MOST_ROWS))
    return PublicSet(path.stem, values[::step], labels[::step].astype(np.bool_))


def compare(public: PublicSet, seed: int = 0, trees: int = 100, samples: int = 256) -> Comparison:
    """This will score one set by scikit-learn's forest, ours, the extended one, and the mean rank of both."""
    values = public.values.astype(np.float32)
    fitted = SklearnForest(n_estimators=trees, max_samples=min(samples, len(values)), random_state=seed).fit(
        values
    )
    theirs = -fitted.score_samples(values)
    ours = IsolationForest.from_sklearn(fitted).strangeness(values)
    wide = grow(values, seed, trees, samples).strangeness(values)
    scores = {
        "scikit-learn": theirs,
        "forest": ours,
        "extended": wide,
        "both": stats.rankdata(ours) + stats.rankdata(wide),
    }
    return Comparison(
        name=public.name,
        rows=len(values),
        columns=values.shape[1],
        anomalies=int(public.anomaly.sum()),
        auroc={name: float(roc_auc_score(public.anomaly, one)) for name, one in scores.items()},
        auprc={name: float(average_precision_score(public.anomaly, one)) for name, one in scores.items()},
        difference=float(np.abs(theirs - ours).max()),
    )


def compare_folder(folder: Path, seed: int = 0) -> list[Comparison]:
    """This will compare on every npz file of a folder, by name."""
    return [compare(load_public(path), seed) for path in sorted(folder.glob("*.npz"))]
