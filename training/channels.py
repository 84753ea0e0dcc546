"""Which channels to keep and how to combine them, tried on deviations planted into calibration windows.

The first half of the calibration windows gives the threshold, the second half the windows to plant into, so the
choice is not made on the windows the model is judged on. Simpler sets stand first and keep a draw.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from models.budget import threshold_for
from models.calibration import Calibration
from models.combination import Combination
from models.detector import Channel, Detector
from training.matrix import Matrix
from training.planting import plant
from training.recipe import Recipe

SETS: tuple[tuple[Channel, ...], ...] = (
    (Channel.FOREST, Channel.TOP_THREE),
    (Channel.FOREST,),
    (Channel.TOP_THREE,),
    (Channel.EXTENDED, Channel.TOP_THREE),
    (Channel.FOREST, Channel.EXTENDED),
    (Channel.FOREST, Channel.EXTENDED, Channel.TOP_THREE),
)
ALL = (Channel.FOREST, Channel.EXTENDED, Channel.TOP_THREE)
BETTER = 0.02
"""Recall another set must bring before it replaces the usual one: about the spread of a few hundred plants."""


@dataclass(frozen=True, slots=True)
class Choice:
    """The set kept, and what each tried one found."""

    channels: tuple[Channel, ...]
    combination: Combination
    recall: dict[str, float]

    def note(self) -> str:
        """This will say in a sentence what was tried."""
        tried = ", ".join(f"{name} {recall:.0%}" for name, recall in self.recall.items())
        return f"Channels chosen by planted deviations found: {tried}."


def choose_channels(
    detectors: dict[str, Detector], matrix: Matrix, rows: NDArray[np.intp], recipe: Recipe
) -> Choice:
    """This will try each set on detectors that hold all channels, over the calibration rows of their kinds."""
    usual = Choice(SETS[0], recipe.combination, {})
    order = rows[np.argsort(matrix.at[rows], kind="stable")]
    early, late = order[: len(order) // 2], order[len(order) // 2 :]
    planted = plant(matrix, late, recipe.planted, recipe.seed + 1)
    a_day = recipe.windows_a_day or matrix.windows_a_day()
    heard = []
    for kind, detector in detectors.items():
        quiet = early[matrix.kind[early] == kind]
        changed = np.flatnonzero(planted.matrix.kind == kind)
        if len(quiet) >= recipe.least_windows and len(changed):
            judged = (
                detector.judge(part, recipe.jobs)
                for part in (matrix.batch(quiet), planted.matrix.batch(changed))
            )
            heard.append(tuple(one.surprises for one in judged))
    if not heard:
        return usual
    line = threshold_for(recipe.budget, a_day, sum(len(quiet) for quiet, _ in heard)).p_value
    found: dict[tuple[tuple[Channel, ...], Combination], float] = {}
    for channels in SETS:
        for combination in Combination if len(channels) > 1 else (recipe.combination,):
            found[channels, combination] = _recall(heard, channels, combination, line)
    best = max(found, key=lambda one: found[one])
    standing = (SETS[0], recipe.combination)
    kept = best if found[best] > found[standing] + BETTER else standing
    return Choice(*kept, {f"{'+'.join(c)} by {how}": recall for (c, how), recall in found.items()})


def narrowed(detector: Detector, choice: Choice) -> Detector:
    """This will leave a detector only the chosen channels."""
    places = [detector.channels.index(channel) for channel in choice.channels]
    return replace(
        detector,
        channels=choice.channels,
        combination=choice.combination,
        scales=tuple(detector.scales[place] for place in places),
        extended=detector.extended if Channel.EXTENDED in choice.channels else None,
    )


def _recall(
    heard: list[tuple[NDArray[np.float64], ...]], channels: tuple[Channel, ...], how: Combination, line: float
) -> float:
    places = [ALL.index(channel) for channel in channels]
    caught = total = 0
    for quiet, changed in heard:
        calibration = Calibration.of(how.of(quiet[:, places]))
        caught += int((calibration.p_values(how.of(changed[:, places])) <= line).sum())
        total += len(changed)
    return caught / total
