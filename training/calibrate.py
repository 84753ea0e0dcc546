"""Calibrating one kind's detector: a scale for each channel from the fit, p-values from later quiet windows."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from models.calibration import Calibration
from models.detector import Channel, Detector
from training.clean import too_strange
from training.fit import Prepared, see_left_out
from training.matrix import Matrix
from training.recipe import Recipe


@dataclass(frozen=True, eq=False)
class Calibrated:
    """A finished detector, the statistics of its calibration windows, and what a reader should know of them."""

    detector: Detector
    rows: NDArray[np.intp]
    statistic: NDArray[np.float64]
    notes: tuple[str, ...]


def scaled(detector: Detector, prepared: Prepared) -> Detector:
    """This will give each channel its scale: how surprising its scores are among the rows of the fit."""
    raw = detector.raw(prepared.columns, prepared.aggregates)
    return replace(detector, scales=tuple(Calibration.of(raw[:, place]) for place in range(raw.shape[1])))


def calibrated(
    detector: Detector, matrix: Matrix, fit: NDArray[np.intp], later: NDArray[np.intp], recipe: Recipe
) -> Calibrated:
    """This will calibrate on later windows; when there are too few, on those of the fit as well, and say so."""
    notes = []
    rows = thin(later, recipe.most_calibration, recipe.seed)
    statistic = detector.judge(matrix.batch(rows), recipe.jobs).statistic
    if len(rows) < recipe.least_windows:
        early = thin(fit, recipe.most_calibration, recipe.seed)
        statistic = np.concatenate([left_out_statistic(detector, matrix, early), statistic])
        rows = np.concatenate([early, rows])
        notes.append(
            f"Only {len(later)} later windows: calibrated on those of the fit as well, which flatters it."
        )
    strange = too_strange(statistic, recipe.set_aside)
    if strange.any():
        notes.append(f"{int(strange.sum())} calibration windows far above all others set aside: review them.")
    calibration = Calibration.of(statistic[~strange])
    return Calibrated(replace(detector, calibration=calibration), rows, statistic, tuple(notes))


def left_out_statistic(detector: Detector, matrix: Matrix, rows: NDArray[np.intp]) -> NDArray[np.float64]:
    """This will give the statistics of windows of the fit, each taken out of the baseline for itself."""
    _, aggregates, columns = see_left_out(detector, matrix.batch(rows))
    return detector.combination.of(detector.surprises(detector.raw(columns, aggregates)))


def borrowed(detector: Detector, sample: Prepared, everyone: Calibrated, matrix: Matrix) -> Detector:
    """This will judge a kind of few windows by the top-three channel on the scale of all kinds together.

    Deviations are in spreads for every kind, which is what makes their scales comparable.
    """
    scale = Calibration.of(sample.aggregates[:, 0, 1])
    batch = matrix.batch(everyone.rows)
    sizes = np.concatenate([everyone.detector.see(block)[1][:, 0, 1] for block in batch.blocks()])
    return replace(
        detector,
        channels=(Channel.TOP_THREE,),
        scales=(scale,),
        calibration=Calibration.of(scale.surprise(sizes)),
    )


def thin(rows: NDArray[np.intp], most: int, seed: int) -> NDArray[np.intp]:
    """This will draw at most so many of the rows, in order."""
    if len(rows) <= most:
        return rows
    return np.sort(np.random.default_rng(seed).choice(rows, most, replace=False))
