"""From the rows of a split to a calibrated model: one detector a kind, and one for kinds it never saw."""

from __future__ import annotations

import platform
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import sklearn
from numpy.typing import NDArray

from models.card import Card, KindCard, plain
from models.detector import Channel, Detector
from models.model import ANY, Model
from models.reference import Reference
from training.calibrate import Calibrated, borrowed, calibrated, scaled, thin
from training.channels import ALL, Choice, choose_channels, narrowed
from training.clean import strangest
from training.fit import Prepared, grow_extended, grow_forests, learn, prepare
from training.matrix import Matrix
from training.recipe import Recipe
from training.split import Split

Progress = Callable[[str], None]


@dataclass(frozen=True, eq=False)
class Made:
    """A model, the calibration rows of each kind, and the strangest of them."""

    model: Model
    calibration_rows: dict[str, NDArray[np.intp]]
    to_review: tuple[int, ...]


def make(matrix: Matrix, split: Split, recipe: Recipe, progress: Progress) -> Made:
    """This will fit and calibrate all kinds."""
    progress("learning baselines")
    channels = ALL if recipe.try_channels else recipe.channels
    early = {kind: rows_of(matrix, split.fit, kind, recipe) for kind in [*matrix.kinds, ANY]}
    prepared = {
        kind: prepare(matrix, kind, rows, recipe, channels) for kind, rows in early.items() if len(rows)
    }
    large = [one for kind, one in prepared.items() if len(early[kind]) >= recipe.least_windows]
    progress(f"growing forests for {len(large)} of {len(prepared)} kinds")
    grown = {one.kind: scaled(one.detector, one) for one in grow(large, recipe)}
    choice = None
    if recipe.try_channels:
        progress("choosing channels")
        known = {kind: detector for kind, detector in grown.items() if kind != ANY}
        choice = choose_channels(known, matrix, split.calibrate, recipe)
        grown = {kind: narrowed(detector, choice) for kind, detector in grown.items()}
    progress("calibrating")
    finished = {
        kind: calibrated(
            detector, matrix, early[kind], rows_of(matrix, split.calibrate, kind, recipe), recipe
        )
        for kind, detector in grown.items()
    }
    detectors = {
        kind: finished[kind].detector
        if kind in finished
        else borrowed(one.detector, prepared[ANY], finished[ANY], matrix)
        for kind, one in prepared.items()
    }
    detectors = {
        kind: replace(detector, reference=Reference.of(matrix.values[early[kind]]))
        for kind, detector in detectors.items()
    }
    model = Model(matrix.layout, detectors, _card(matrix, split, detectors, finished, choice, recipe))
    rows = {kind: done.rows for kind, done in finished.items()}
    return Made(model, rows, _to_review(finished, recipe))


def grow(prepared: list[Prepared], recipe: Recipe) -> list[Prepared]:
    """This will give each kind the forests its channels need."""
    forests = grow_forests(prepared, recipe)
    grown = []
    for one in prepared:
        extended = grow_extended(one, recipe) if Channel.EXTENDED in one.detector.channels else None
        detector = replace(one.detector, forest=forests[one.kind], extended=extended)
        grown.append(replace(one, detector=detector))
    return grown


def brought_up_to_date(model: Model, matrix: Matrix, clean: NDArray[np.intp], recipe: Recipe) -> Model:
    """This will learn the baselines again from all clean windows, the latest included.

    Forests and calibration stay: they know deviations, not entities. They were calibrated with baselines days
    older than those in use, so their p-values err on the quiet side.
    """
    detectors = {}
    for kind, detector in model.detectors.items():
        baseline, rhythm = learn(matrix, rows_of(matrix, clean, kind, recipe), recipe)
        detectors[kind] = replace(detector, baseline=baseline, rhythm=rhythm, _near={})
    return replace(model, detectors=detectors)


def rows_of(matrix: Matrix, rows: NDArray[np.intp], kind: str, recipe: Recipe) -> NDArray[np.intp]:
    """This will give the rows of one kind; for any kind, a sample of all."""
    if kind == ANY:
        return thin(rows, recipe.most_any, recipe.seed)
    return np.asarray(rows[matrix.kind[rows] == kind])


def _to_review(finished: dict[str, Calibrated], recipe: Recipe) -> tuple[int, ...]:
    own = [done for kind, done in finished.items() if kind != ANY] or [finished[ANY]]
    surprise = np.concatenate([done.detector.calibration.surprise(done.statistic) for done in own])
    return tuple(strangest(surprise, np.concatenate([done.rows for done in own]), recipe.review))


def _card(
    matrix: Matrix,
    split: Split,
    detectors: dict[str, Detector],
    finished: dict[str, Calibrated],
    choice: Choice | None,
    recipe: Recipe,
) -> Card:
    return Card(
        layout=matrix.layout.fingerprint,
        recipe=plain(recipe.to_dict()),
        first=int(matrix.at.min()),
        last=int(matrix.at.max()),
        windows=len(matrix),
        left_out=0,
        kinds=tuple(
            _kind_card(matrix, split, kind, detectors[kind], finished, recipe) for kind in sorted(detectors)
        ),
        versions={
            "numpy": np.__version__,
            "scikit-learn": str(sklearn.__version__),
            "python": platform.python_version(),
        },
        notes=(choice.note(),) if choice and choice.recall else (),
    )


def _kind_card(
    matrix: Matrix,
    split: Split,
    kind: str,
    detector: Detector,
    finished: dict[str, Calibrated],
    recipe: Recipe,
) -> KindCard:
    fit = rows_of(matrix, split.fit, kind, recipe)
    rows = np.unique(
        np.concatenate([rows_of(matrix, part, kind, recipe) for part in (split.fit, split.calibrate)])
    )
    few = f"Only {len(fit)} windows to fit on: no forest, judged by the three largest deviations on all kinds' scale."
    notes = finished[kind].notes if kind in finished else (few,)
    return KindCard(
        kind=kind,
        windows=len(rows),
        entities=len(np.unique(matrix.entity[rows])),
        fitted_on=len(fit) if kind in finished else 0,
        calibrated_on=detector.calibration.count,
        reach=detector.calibration.reach,
        channels=tuple(str(channel) for channel in detector.channels),
        notes=notes,
    )
