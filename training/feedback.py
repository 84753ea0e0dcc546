"""Reviewers' verdicts into leaf lessons, and the guard that no attack is whitened by them.

For the windows of a kind, with S the statistic, L the line of the budget and push(x) the sum of a window's leaves:

    minimise  sum over false alarms of max(0, S + push - max(L - margin, S - bound))^2
            + sum over true findings of max(0, L + margin - S - push)^2
            + sum over anchors of heft push^2  +  sum over leaves of (their push)^2

where only leaves with verdicts are pushed, and only the way their verdicts point. Anchors are planted deviations,
which verdicts on other windows must leave where they are: without them the leaves that all strange windows share
would be pushed, and with them are those that only alike windows share. Lessons that would still lose
a confirmed attack or a planted deviation of another draw are halved, and given up when that is not enough.
Reference: Das et al., "Active Anomaly Discovery", ICDM 2016, https://doi.org/10.1109/ICDM.2016.0102.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.sparse import csr_matrix

from models.calibration import Calibration
from models.detector import Batch, Detector
from models.errors import ModelError
from models.feedback import LeafLessons
from models.model import ANY, Model
from training.evaluate import judge_matrix
from training.matrix import Matrix
from training.planting import Planted
from training.recipe import Recipe

BOUND = 8.0
"""Most nats verdicts may take or give: one window in a million can become one in 350, not an ordinary one."""
MARGIN = 0.5
"""Nats beyond the line a verdict asks for."""
NEAR, NEAR_HEFT = 3.0, 3.0
"""Nats above the line within which an anchor holds, and how much more than the others."""
CLEAR = 1.65
"""Times below the line's p from which a planted deviation counts as clearly found. Nearer it is a toss of a coin: a p-value of a
few hundred calibration windows moves as much by chance. Those are counted; confirmed attacks and true findings have no such grace."""
STRENGTHS = (1.0, 0.75, 0.5, 0.25, 0.1)
MOST_ANCHORS = 1_000


@dataclass(frozen=True, eq=False)
class Reviewed:
    """Windows reviewers judged: `true` marks attacks, all others were benign or false alarms."""

    matrix: Matrix
    true: NDArray[np.bool_]

    def __post_init__(self) -> None:
        if self.true.shape != (len(self.matrix),):
            raise ModelError("A verdict is needed for each reviewed window.")


@dataclass(frozen=True, slots=True)
class Taught:
    """What the verdicts did: rows of the reviewed windows that vanish or appear, and the reason in a sentence."""

    strength: float
    """1 when taken whole, 0 when refused."""
    vanished: tuple[int, ...]
    appeared: tuple[int, ...]
    reason: str
    tossed: int = 0
    """Planted deviations so near the line that chance decides, which were found and are not."""


def teach(
    detector: Detector, windows: Batch, true: NDArray[np.bool_], anchors: Batch, line: float
) -> LeafLessons:
    """This will learn the pushes of one kind's leaves; `line` is the statistic at the budget's threshold."""
    if detector.forest is None:
        raise ModelError("A detector without a forest has no leaves to teach.")
    untaught = replace(detector, lessons=None, _near={})
    judged = untaught.judge(windows).statistic
    leaves = detector.forest.leaves(untaught.see(windows)[2])
    wanted = np.where(true, 1.0, -1.0)
    # What lies beyond the bound cannot be pushed all the way; asking for more would only move its neighbours.
    goal = np.where(
        true, np.minimum(line + MARGIN, judged + BOUND), np.maximum(line - MARGIN, judged - BOUND)
    )
    named = np.unique(leaves)
    falls, held, heft = _falls(leaves, named), *_held(untaught, anchors, named, line)

    def loss(push: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        short = np.maximum(0.0, wanted * (goal - judged - falls @ push))
        astray = held @ push
        cost = short @ short + heft @ (astray * astray) + push @ push
        slope = held.T @ (heft * astray) - falls.T @ (wanted * short) + push
        return float(cost), np.asarray(2.0 * slope)

    # A leaf is pushed only the way verdicts in it point: else pushes up and down cancel where they were learned
    # and nowhere else.
    down, up = (np.asarray(falls[sign].sum(axis=0)).ravel() > 0 for sign in (~true, true))
    limits = list(zip(np.where(down, -BOUND, 0.0), np.where(up, BOUND, 0.0), strict=True))
    solved = minimize(
        loss, np.zeros(len(named)), jac=True, method="L-BFGS-B", bounds=limits, options={"maxiter": 200}
    )
    push = np.zeros(len(detector.forest.trees.feature), dtype=np.float32)
    push[named] = solved.x
    return LeafLessons(push, BOUND)


def _held(
    detector: Detector, anchors: Batch, named: NDArray[np.int64], line: float
) -> tuple[csr_matrix, NDArray[np.float64]]:
    """The reviewed leaves each anchor ends in, and how much it matters that it stays."""
    if not len(anchors) or detector.forest is None:
        return csr_matrix((0, len(named))), np.zeros(0)
    above = detector.judge(anchors).statistic - line
    falls = _falls(detector.forest.leaves(detector.see(anchors)[2]), named)
    return falls, np.where((above >= 0) & (above < NEAR), NEAR_HEFT, 1.0)


def _falls(leaves: NDArray[np.int64], named: NDArray[np.int64]) -> csr_matrix:
    """A row a window with a 1 for each of the named leaves it ends in."""
    place = np.minimum(np.searchsorted(named, leaves), len(named) - 1)
    row, tree = np.nonzero(named[place] == leaves)
    return csr_matrix((np.ones(len(row)), (row, place[row, tree])), shape=(len(leaves), len(named)))


def hear(
    model: Model,
    reviewed: Reviewed,
    anchors: Planted,
    guard: Planted,
    confirmed: Matrix,
    threshold: float,
    recalibrate: Recalibrate,
    recipe: Recipe,
) -> tuple[Model, Taught]:
    """This will give the model with the verdicts heard, or the same model and why not.

    `recalibrate` calibrates a taught detector of a kind again. Refuses lessons by which a confirmed attack, a true
    finding or a planted deviation of the guard that was clearly found is found no more.
    """
    model.layout.require(reviewed.matrix.layout)
    lessons = _lessons(model, reviewed, anchors, threshold)
    if not lessons:
        return model, Taught(0.0, (), (), "No verdicts on windows of a kind with a forest.")
    guarded = (guard.matrix, confirmed, reviewed.matrix.part(reviewed.true))
    lines = (threshold / CLEAR, threshold, threshold)
    must = [_found(model, one, line, recipe) for one, line in zip(guarded, lines, strict=True)]
    near = _found(model, guard.matrix, threshold, recipe) & ~must[0]
    shown = _found(model, reviewed.matrix, threshold, recipe)
    for strength in STRENGTHS:
        detectors = dict(model.detectors)
        for kind, learned in lessons.items():
            weaker = LeafLessons((learned.push * strength).astype(np.float32), learned.bound)
            detectors[kind] = recalibrate(replace(detectors[kind], lessons=weaker, _near={}))
        taught = replace(model, detectors=detectors)
        found = [_found(taught, one, threshold, recipe) for one in guarded]
        if any((was & ~now).any() for was, now in zip(must, found, strict=True)):
            continue
        now = _found(taught, reviewed.matrix, threshold, recipe)
        vanished, appeared = np.flatnonzero(shown & ~now), np.flatnonzero(now & ~shown)
        reason = (
            f"{len(vanished)} of {int(shown.sum())} reviewed findings vanish by verdicts; no attack is lost."
        )
        if tossed := int((near & ~found[0]).sum()):
            reason += (
                f" Of {len(guard.matrix)} planted deviations {tossed} at the line itself fell just under it."
            )
        return taught, Taught(strength, tuple(vanished.tolist()), tuple(appeared.tolist()), reason, tossed)
    return model, Taught(0.0, (), (), "Verdicts refused: with them attacks found before would be lost.")


class Recalibrate:
    """Calibrates a detector again on the windows it was calibrated on, whose statistics verdicts have moved."""

    def __init__(self, matrix: Matrix, rows: dict[str, NDArray[np.intp]], recipe: Recipe) -> None:
        self.matrix = matrix
        self.rows = rows
        self.recipe = recipe

    def __call__(self, detector: Detector) -> Detector:
        """This will calibrate again; a detector without calibration windows of its own stays as it is."""
        rows = self.rows.get(detector.kind)
        if rows is None or not len(rows):
            return detector
        statistic = detector.judge(self.matrix.batch(rows), self.recipe.jobs).statistic
        return replace(detector, calibration=Calibration.of(statistic))


def _lessons(model: Model, reviewed: Reviewed, anchors: Planted, threshold: float) -> dict[str, LeafLessons]:
    learned = {}
    for kind, detector in model.detectors.items():
        rows = np.flatnonzero(reviewed.matrix.kind == kind)
        if kind == ANY or detector.forest is None or not len(rows):
            continue
        held = np.flatnonzero(anchors.matrix.kind == kind)[:MOST_ANCHORS]
        line = detector.calibration.score_at(threshold)
        batch = reviewed.matrix.batch(rows)
        learned[kind] = teach(detector, batch, reviewed.true[rows], anchors.matrix.batch(held), line)
    return learned


def _found(model: Model, matrix: Matrix, threshold: float, recipe: Recipe) -> NDArray[np.bool_]:
    return judge_matrix(model, matrix, np.arange(len(matrix)), recipe.jobs) <= threshold
