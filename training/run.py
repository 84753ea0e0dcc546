"""A model's making, from matrix to judged candidate; read it from top to bottom.

split by time - leave out confirmed attacks - learn baselines - grow forests - calibrate on later windows - hear
the reviewers - evaluate on the last windows - compare with the champion - decide - bring baselines up to date.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from models.card import Card, plain
from models.errors import NotEnoughData
from models.model import Model
from training.clean import leave_out
from training.drift import Drift, drift_since
from training.evaluate import Report, evaluate, steadiness
from training.feedback import Recalibrate, Reviewed, Taught, hear
from training.making import Made, Progress, brought_up_to_date, make
from training.matrix import Matrix
from training.newcomers import Newcomers, newcomer_scales
from training.planting import Planted, plant
from training.promote import Decision, decide
from training.recipe import Recipe
from training.split import Split, split_by_time

ANCHORS = 1_500
"""Planted windows that verdicts on others must leave where they are: so many that they share most leaves."""


@dataclass(frozen=True, eq=False)
class Candidate:
    """A trained model with everything needed to decide on it."""

    model: Model
    report: Report
    champion_report: Report | None
    steady: float | None
    """Rank correlation of its scores with the champion's."""
    drift: Drift | None
    decision: Decision
    taught: Taught | None
    """What reviewers' verdicts did, when there were any."""
    to_review: tuple[int, ...]
    """Rows of the matrix: the strangest calibration windows. An attack among them blinds the detector."""

    @property
    def card(self) -> Card:
        return self.model.card


@dataclass(frozen=True, eq=False)
class Trial:
    """The windows a candidate and the champion are judged on."""

    matrix: Matrix
    held_back: NDArray[np.intp]
    attacks: NDArray[np.intp]
    planted: Planted


def run(
    matrix: Matrix,
    recipe: Recipe,
    champion: Model | None = None,
    confirmed: NDArray[np.bool_] | None = None,
    reviewed: Reviewed | None = None,
    progress: Progress = lambda said: None,
    newcomers: Newcomers | None = None,
) -> Candidate:
    """This will train a candidate on the matrix and judge it against the champion.

    `confirmed` marks windows of confirmed attacks: they teach nothing, and must still be found. `reviewed` holds
    windows with verdicts, of this matrix or older. `newcomers` are quiet later windows as if their entities had just come. `progress` hears one line a step. Raises `NotEnoughData` when
    fewer windows are left than the recipe's `least_windows`.
    """
    clean = leave_out(matrix, confirmed)
    split = usable_split(matrix, clean, recipe)
    made = make(matrix, split, recipe, progress)
    model, trial = made.model, set_trial(matrix, clean, split, recipe)
    taught = None
    if reviewed is not None and len(reviewed.matrix):
        progress("hearing the reviewers")
        model, taught = _hear(made, trial, split, reviewed, recipe)
    if newcomers is not None:
        progress("measuring how strange newcomers look")
        model = replace(model, newcomers=newcomer_scales(model, matrix, split.fit, newcomers, recipe))
    progress("evaluating on planted deviations")
    report = _judged(model, trial, recipe)
    theirs, steady, drift = None, None, None
    if champion is not None and champion.layout.fingerprint == matrix.layout.fingerprint:
        progress("comparing with the champion")
        theirs = _judged(champion, trial, recipe)
        steady = steadiness(model, champion, matrix, trial.held_back, recipe.jobs)
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
        left_out=len(trial.attacks),
        evaluation=plain(report.to_dict()),
        drift=plain(drift.to_dict()) if drift else {},
        decision=plain(decision.to_dict()),
        notes=(*model.card.notes, *_newcomers_note(model), *((taught.reason,) if taught else ())),
    )
    model = replace(model, card=card)
    return Candidate(model, report, theirs, steady, drift, decision, taught, made.to_review)


def usable_split(matrix: Matrix, clean: NDArray[np.intp], recipe: Recipe) -> Split:
    """This will split the clean rows by time; where too few are early, all of them serve for the fit."""
    if len(clean) < recipe.least_windows:
        raise NotEnoughData(
            f"Only {len(clean)} windows to train on; {recipe.least_windows} are needed at least.",
            hint="Take in more of the log, or use shorter windows.",
        )
    split = split_by_time(matrix, recipe)
    fit, later, last = (np.intersect1d(part, clean) for part in (split.fit, split.calibrate, split.held_back))
    if len(fit) < recipe.least_windows:
        return Split(clean, clean[:0], clean[:0])
    return Split(fit, later, last)


def set_trial(matrix: Matrix, clean: NDArray[np.intp], split: Split, recipe: Recipe) -> Trial:
    """This will choose the last windows there are for the trial, and plant deviations into them."""
    held_back = next(part for part in (split.held_back, split.calibrate, split.fit) if len(part))
    attacks = np.setdiff1d(np.arange(len(matrix)), clean)
    return Trial(matrix, held_back, attacks, plant(matrix, held_back, recipe.planted, recipe.seed))


def _newcomers_note(model: Model) -> tuple[str, ...]:
    if not model.newcomers:
        return ()
    said = ", ".join(f"{kind} ({scale.count})" for kind, scale in sorted(model.newcomers.items()))
    return (f"Newcomers are ranked among windows of known ones as if these had just come: {said}.",)


def _judged(model: Model, trial: Trial, recipe: Recipe) -> Report:
    return evaluate(model, trial.matrix, trial.held_back, trial.planted, trial.attacks, recipe)


def _hear(made: Made, trial: Trial, split: Split, reviewed: Reviewed, recipe: Recipe) -> tuple[Model, Taught]:
    early = split.calibrate if len(split.calibrate) else split.fit
    anchors = plant(trial.matrix, early, ANCHORS, recipe.seed + 2)
    line = _judged(made.model, trial, recipe).threshold.p_value
    recalibrate = Recalibrate(trial.matrix, made.calibration_rows, recipe)
    confirmed = trial.matrix.part(trial.attacks)
    return hear(made.model, reviewed, anchors, trial.planted, confirmed, line, recalibrate, recipe)
