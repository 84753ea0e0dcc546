"""Why a window scores as it does, feature by feature, and what would have made it normal.

The forest's part is path-depth attribution: walking down a tree, each cut changes the mean path length of the
training rows one is among, and that change belongs to the cut's column. Over all trees the changes add up exactly
to the row's depth less the mean depth. Columns lead back to features: a deviation to its own, the largest to the
feature that is it, the mean of three to those three, the mean square to all by their squares. Each channel's
surprise is then split by these shares, so that the contributions of all features add up to the statistic.
Reference: Saabas' path attribution for trees (2014); Lundberg et al. 2020 compare it with SHAP,
https://doi.org/10.1038/s42256-019-0138-9.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.detector import Channel, Detector, Near
from models.isolation_forest import IsolationForest
from models.relative import TOP, View

MOST_MOVED = 8
"""Features a counterfactual may move; a longer list explains nothing."""


class Contribution(NamedTuple):
    """One feature's part in a judgement; values are in the feature's own unit."""

    feature: str
    unit: str
    family: str
    amount: float
    """Share of the statistic in nats; all features' amounts add up to it (lessons of reviewers apart)."""
    value: float
    usual: float
    usual_low: float
    usual_high: float
    """About two spreads either side of the entity's usual value."""
    usual_of_peers: float
    deviation: float
    """Spreads from the entity's own usual value; negative below it."""
    deviation_from_peers: float


@dataclass(frozen=True, slots=True)
class Explanation:
    """A judged window with its reasons, the weightiest first; features that have no part in it are left out."""

    score: float
    p_value: float
    statistic: float
    confidence: float
    taught: float
    """What reviewers' verdicts added to the statistic."""
    channels: dict[str, float]
    """Surprise (-ln p on the rows of the fit) of each channel."""
    contributions: tuple[Contribution, ...]
    normal_if: tuple[tuple[str, float], ...] | None
    """(feature, value) of the fewest features found that, so changed, bring p above the threshold; empty when it
    is above it already, None when no few features do."""


def explain(
    detector: Detector,
    entity: int,
    group: int,
    at: int,
    values: NDArray[np.floating[Any]],
    threshold: float = 1e-3,
) -> Explanation:
    """This will explain one window of raw feature values (k,)."""
    near = detector.usual(entity, group, at)
    centre, sharp, confidence = near
    sizes, aggregates, columns = detector.seen(detector.logs(values[None, :]), centre, sharp)
    surprises, statistics = detector.heard(aggregates, columns)
    statistic, heard = float(statistics[0]), surprises[0].tolist()
    surprise = detector.calibration.surprise(statistics)
    p_value = float(np.exp(-surprise)[0])
    amounts = np.zeros(len(values))
    for channel, share in zip(detector.channels, detector.combination.shares(heard), strict=True):
        amounts += share * _parts(detector, channel, sizes[0], aggregates[0], columns[0])
    taught = statistic - detector.combination.of_row(heard)
    amounts *= statistic - taught
    return Explanation(
        score=float(1.0 - np.exp(-surprise / 4.0)[0]),
        p_value=p_value,
        statistic=statistic,
        confidence=confidence,
        taught=taught,
        channels={str(channel): one for channel, one in zip(detector.channels, heard, strict=True)},
        contributions=_contributions(detector, values, amounts, centre, sharp),
        normal_if=_normal_if(detector, values, near, p_value, amounts, threshold),
    )


def path_contributions(forest: IsolationForest, columns: NDArray[np.float32]) -> NDArray[np.float64]:
    """This will give what each column did to one row's strangeness, (columns,): positive = stranger.

    They add up to log2(strangeness) of the row less that of a path of mean length, exactly.
    """
    levels, lengths = forest.levels, forest.lengths
    if not forest.usual_depth or not levels.feature:
        return np.zeros(forest.columns)
    at, length = levels.roots, lengths[0].take(levels.roots)
    cuts, gains = [], []
    for feature, threshold, below in zip(levels.feature, levels.threshold, lengths[1:], strict=True):
        column = feature.take(at)
        at = 2 * at + (columns.take(column) > threshold.take(at))
        before, length = length, below.take(at)
        cuts.append(column)
        gains.append(before - length)
    found = np.bincount(np.concatenate(cuts), np.concatenate(gains), minlength=forest.columns)
    return np.asarray(found / forest.usual_depth)


def to_features(
    detector: Detector, sizes: NDArray[np.float64], by_column: NDArray[np.float64]
) -> NDArray[np.float64]:
    """This will lead the columns' contributions back to the features, keeping their sum; `sizes` is (2, k)."""
    lens = detector.lens
    own, last = by_column[:-6], by_column[-6:].reshape(2, 3)
    found = np.zeros(len(lens.layout))
    if lens.view is View.FEATURES:
        found += own
    else:
        np.add.at(found, lens.leaders_of(sizes[0]), own)
    for side in range(2):
        size = sizes[side]
        high = size.argsort(kind="stable")[-min(TOP, len(size)) :]
        found[high[-1]] += last[side, 0]
        found[high] += last[side, 1] * _split(size[high])
        found += last[side, 2] * _split(size * size)
    return found


def _split(sizes: NDArray[np.float64]) -> NDArray[np.float64]:
    total = float(sizes.sum())
    return sizes / total if total > 0 else np.full(len(sizes), 1.0 / len(sizes))


def _parts(
    detector: Detector,
    channel: Channel,
    sizes: NDArray[np.float64],
    aggregates: NDArray[np.float64],
    columns: NDArray[np.float32],
) -> NDArray[np.float64]:
    """Shares of one channel's surprise by feature, adding up to 1; what made the window more ordinary has none."""
    if channel is Channel.TOP_THREE:
        high = sizes[0].argsort(kind="stable")[-min(TOP, sizes.shape[1]) :]
        found = np.zeros(sizes.shape[1])
        found[high] = _split(sizes[0, high])
        return found
    if channel is Channel.FOREST and detector.forest is not None:
        by_column = path_contributions(detector.forest, columns)
    elif detector.extended is not None:
        by_column = detector.extended.contributions(columns)
    else:
        return np.zeros(sizes.shape[1])
    return _split(np.maximum(to_features(detector, sizes, by_column), 0.0) * detector.lens.judged)


def _contributions(
    detector: Detector,
    values: NDArray[np.floating[Any]],
    amounts: NDArray[np.float64],
    centre: NDArray[np.float64],
    sharp: NDArray[np.float64],
) -> tuple[Contribution, ...]:
    order = (-amounts).argsort(kind="stable")
    order = order[amounts[order] != 0]
    values, centre, sharp = values[order], centre[:, order], sharp[:, order]
    away = (np.log1p(np.maximum(values, 0.0)) - centre) * sharp
    spread = np.where(sharp[0] > 0, 1.0 / np.maximum(sharp[0], 1e-12), 0.0)
    low, high = np.maximum(np.expm1(centre[0] - 2 * spread), 0.0), np.expm1(centre[0] + 2 * spread)
    usual = np.maximum(np.expm1(centre), 0.0)
    features = detector.lens.layout.features
    ranked = [features[place] for place in order.tolist()]
    return tuple(
        map(
            Contribution,
            [feature.name for feature in ranked], [feature.unit for feature in ranked],
            [feature.family for feature in ranked], amounts[order].tolist(), values.tolist(), usual[0].tolist(),
            low.tolist(), high.tolist(), usual[1].tolist(), away[0].tolist(), away[1].tolist(),
        )
    )  # fmt: skip


def _normal_if(
    detector: Detector,
    values: NDArray[np.floating[Any]],
    near: Near,
    p_value: float,
    amounts: NDArray[np.float64],
    threshold: float,
) -> tuple[tuple[str, float], ...] | None:
    """Move the weightiest features to their usual values one after another, then give back those not needed."""
    if p_value > threshold:
        return ()
    usual = np.maximum(np.expm1(near[0][0]), 0.0)
    # Whoever moves a count to its usual 0.3 wants to read "none", not a third of a request.
    usual = np.where(usual < 0.5, 0.0, usual)
    order = (-amounts).argsort(kind="stable")[:MOST_MOVED]
    row = values.astype(np.float64)
    tried = np.tile(row, (len(order), 1))
    for step, place in enumerate(order):
        tried[step:, place] = usual[place]
    enough = np.flatnonzero(_p_values(detector, near, tried) > threshold)
    if not len(enough):
        return None
    moved = order[: enough[0] + 1]
    while len(moved) > 1:
        given_back = np.tile(row, (len(moved), 1))
        given_back[:, moved] = usual[moved]
        given_back[np.arange(len(moved)), moved] = row[moved]
        needless = np.flatnonzero(_p_values(detector, near, given_back) > threshold)
        if not len(needless):
            break
        moved = np.delete(moved, needless[-1])
    names = detector.lens.layout.names
    return tuple((names[place], float(usual[place])) for place in moved)


def _p_values(detector: Detector, near: Near, tried: NDArray[np.float64]) -> NDArray[np.float64]:
    _, aggregates, columns = detector.seen(detector.logs(tried), near[0], near[1])
    return detector.calibration.p_values(detector.heard(aggregates, columns)[1])
