"""A model's making, from matrix to judged candidate; read it from top to bottom.

split by time - leave out confirmed attacks - learn baselines - grow forests - calibrate on later windows - hear
the reviewers - evaluate on the last windows - compare with the champion - decide - bring baselines up to date.
"""

from __future__ import annotations

import platform
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import sklearn
from numpy.typing import NDArray

from models.card import Card, KindCard
from models.detector import Channel
from models.errors import NotEnoughData
from models.model import ANY, Model
from models.reference import Reference
from training.calibrate import Calibrated, borrowed, calibrated, scaled, thin
from training.clean import leave_out, strangest
from training.drift import Drift, drift_since
from training.evaluate import Report, evaluate, steadiness
from training.fit import Prepared, grow_extended, grow_forests, learn, prepare
from training.matrix import Matrix
from training.planting import plant
from training.promote import Decision, decide
from training.recipe import Recipe
from training.split import Split, split_by_time

Progress = Callable[[str], None]


@dataclass(frozen=True, eq=False)
class Candidate:
    """A trained model with everything needed to decide on it."""

    model: Model
    report: Report
    champion_report: Report | None
    steady: float | None
    drift: Drift | None
    decision: Decision
    to_review: tuple[int, ...]
    """Rows of the matrix: the strangest calibration windows. An attack among them blinds the detector."""

    @property
    def card(self) -> Card:
        return self.model.card


def run(
    matrix: Matrix,
    recipe: Recipe,
    champion: Model | None = None,
    confirmed: NDArray[np.bool_] | None = None,
    progress: Progress = lambda said: None,
) -> Candidate:
    """This will train a candidate on the matrix and judge it against the champion.

    `confirmed` marks windows of confirmed attacks: they teach nothing, and must still be found. `progress` hears
    one line a step. Raises `NotEnoughData` when fewer windows are left than the recipe's `least_windows`.
    """
    clean = leave_out(matrix, confirmed)
    if len(clean) < recipe.least_windows:
        raise NotEnoughData(
            f"Only {len(clean)} windows to train on; {recipe.least_windows} are needed at least."
        )
    split = split_by_time(matrix, recipe)
    fit, later, last = (np.intersect1d(part, clean) for part in (split.fit, split.calibrate, split.held_back))
    split = Split(fit if len(fit) >= recipe.least_windows else clean, later, last)
    model, to_review = train(matrix, split, recipe, progress)
    progress("evaluating on planted deviations")
    held_back = split.held_back if len(split.held_back) else split.calibrate
    attacks = np.setdiff1d(np.arange(len(matrix)), clean)
    planted = plant(matrix, held_back, recipe.planted, recipe.seed)
    report = evaluate(model, matrix, held_back, planted, attacks, recipe)
    theirs, steady, drift = None, None, None
    if champion is not None and champion.layout.fingerprint == matrix.layout.fingerprint:
        progress("comparing with the champion")
        theirs = evaluate(champion, matrix, held_back, planted, attacks, recipe)
        steady = steadiness(model, champion, matrix, held_back, recipe.jobs)
        drift = drift_since(champion, matrix, clean)
    decision = decide(report, theirs, steady)
    if champion is not None and theirs is None:
        decision = Decision(
            True, "Promoted: the features have changed, so the champion cannot score any more."
        )
    progress("bringing baselines up to date")
    model = brought_up_to_date(model, matrix, clean, recipe)
    card = replace(
        model.card,
        left_out=len(attacks),
        evaluation=report.to_dict(),
        drift=drift.to_dict() if drift else {},
        decision=decision.to_dict(),
    )
    return Candidate(replace(model, card=card), report, theirs, steady, drift, decision, to_review)


def train(matrix: Matrix, split: Split, recipe: Recipe, progress: Progress) -> tuple[Model, tuple[int, ...]]:
    """This will fit and calibrate all kinds, and name the calibration windows worth a reviewer's look."""
    progress("learning baselines")
    prepared = [
        prepare(matrix, kind, rows, recipe, recipe.channels)
        for kind in [*matrix.kinds, ANY]
        if len(rows := _rows_of(matrix, split.fit, kind, recipe))
    ]
    large = [
        one for one in prepared if len(_rows_of(matrix, split.fit, one.kind, recipe)) >= recipe.least_windows
    ]
    progress(f"growing forests for {len(large)} kinds")
    grown = grow(large, recipe)
    progress("calibrating")
    finished: dict[str, Calibrated] = {}
    for one in grown:
        early = _rows_of(matrix, split.fit, one.kind, recipe)
        later = _rows_of(matrix, split.calibrate, one.kind, recipe)
        finished[one.kind] = calibrated(scaled(one.detector, one), matrix, early, later, recipe)
    detectors = {kind: done.detector for kind, done in finished.items()}
    for one in prepared:
        if one.kind not in detectors:
            detectors[one.kind] = borrowed(one.detector, finished[ANY], matrix, recipe)
    detectors = {
        kind: replace(
            detector, reference=Reference.of(matrix.values[_rows_of(matrix, split.fit, kind, recipe)])
        )
        for kind, detector in detectors.items()
    }
    kinds = tuple(_kind_card(matrix, split, kind, finished, recipe) for kind in sorted(detectors))
    rows = np.concatenate(
        [done.rows for kind, done in finished.items() if kind != ANY] or [finished[ANY].rows]
    )
    surprise = np.concatenate(
        [done.detector.calibration.surprise(done.statistic) for kind, done in finished.items() if kind != ANY]
        or [finished[ANY].statistic]
    )
    card = Card(
        layout=matrix.layout.fingerprint,
        recipe=recipe.to_dict(),
        first=int(matrix.at.min()),
        last=int(matrix.at.max()),
        windows=len(matrix),
        left_out=0,
        kinds=kinds,
        versions={
            "numpy": np.__version__,
            "scikit-learn": sklearn.__version__,
            "python": platform.python_version(),
        },
    )
    return Model(matrix.layout, detectors, card), tuple(strangest(surprise, rows, recipe.review))


def grow(prepared: list[Prepared], recipe: Recipe) -> list[Prepared]:
    """This will give each kind the forests its channels need."""
    forests = grow_forests(prepared, recipe)
    grown = []
    for one in prepared:
        extended = grow_extended(one, recipe) if Channel.EXTENDED in one.detector.channels else None
        grown.append(
            replace(one, detector=replace(one.detector, forest=forests[one.kind], extended=extended))
        )
    return grown


def brought_up_to_date(model: Model, matrix: Matrix, clean: NDArray[np.intp], recipe: Recipe) -> Model:
    """This will learn the baselines again from all clean windows, the latest included.

    Forests and calibration stay: they know deviations, not entities. They were calibrated with baselines days
    older than those in use, so their p-values err on the quiet side.
    """
    detectors = {}
    for kind, detector in model.detectors.items():
        baseline, rhythm = learn(matrix, _rows_of(matrix, clean, kind, recipe), recipe)
        detectors[kind] = replace(detector, baseline=baseline, rhythm=rhythm, _near={})
    return replace(model, detectors=detectors)


def _rows_of(matrix: Matrix, rows: NDArray[np.intp], kind: str, recipe: Recipe) -> NDArray[np.intp]:
    if kind == ANY:
        return thin(rows, recipe.most_any, recipe.seed)
    return np.asarray(rows[matrix.kind[rows] == kind])


def _kind_card(
    matrix: Matrix, split: Split, kind: str, finished: dict[str, Calibrated], recipe: Recipe
) -> KindCard:
    fit = _rows_of(matrix, split.fit, kind, recipe)
    everything = np.concatenate([split.fit, split.calibrate, split.held_back])
    rows = np.unique(_rows_of(matrix, everything, kind, recipe))
    done = finished.get(kind)
    base = done or finished[ANY]
    notes = (
        base.notes
        if done
        else (
            f"Only {len(fit)} windows to fit on: no forest, judged by the top three deviations on the scale of all kinds.",
        )
    )
    return KindCard(
        kind=kind,
        windows=len(rows),
        entities=len(np.unique(matrix.entity[rows])),
        fitted_on=len(fit) if done else 0,
        calibrated_on=len(base.rows),
        reach=base.detector.calibration.reach,
        channels=tuple(
            str(channel) for channel in (base.detector.channels if done else (Channel.TOP_THREE,))
        ),
        notes=notes,
    )
