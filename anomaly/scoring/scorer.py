"""Windows in, judgements out; and for those over the line, deviations with name, severity, reason and evidence."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from anomaly.features.history import Past
from anomaly.features.registry import extract, layout, rows_seen, titles
from anomaly.features.split import split
from anomaly.scoring.context import Context
from anomaly.scoring.deviation import Deviation, Part
from anomaly.scoring.evidence import evidence_of
from anomaly.scoring.naming import name_of
from anomaly.scoring.severity import severity_of
from anomaly.scoring.sight import sight
from anomaly.scoring.words import normal, reason
from anomaly.windows.window import Windows
from models.detector import Judgements
from models.explanation import Explanation
from models.layout import Layout

SHOWN_PARTS = 12
"""Features a finding keeps; their shares are of all."""


@dataclass(frozen=True, slots=True)
class Scores:
    """Judged windows: the matrix they were judged on, and an array for each part of the judgement, in the windows' order."""

    windows: Windows
    matrix: NDArray[np.float32]
    judged: Judgements

    def over(self, threshold: float) -> NDArray[np.int64]:
        """This will return the windows at or below the p-value, the strangest first; ties by order."""
        rows = np.flatnonzero(self.judged.p_value <= threshold)
        order = np.lexsort((rows, -self.judged.statistic[rows], self.judged.p_value[rows]))
        return rows[order].astype(np.int64)


def score(windows: Windows, context: Context, workers: int = 1) -> Scores:
    """This will judge windows of one cluster. Raises `models.errors.LayoutMismatch` when the model knows other features."""
    known, matrix = extract(windows, context.history)
    return Scores(windows, matrix, judge(known, matrix, windows, context, workers))


def judge(
    known: Layout, matrix: NDArray[np.float32], windows: Windows, context: Context, workers: int = 1
) -> Judgements:
    """This will judge windows whose matrix is there already."""
    context.model.layout.require(known)
    entity = windows.entity.astype(np.int64)
    group = context.history.peers.group_of(entity)
    return context.model.judge(matrix, context.kinds(entity), entity, group, windows.start, workers)


def deviations(scores: Scores, context: Context) -> Iterator[Deviation]:
    """This will explain every window over the context's threshold, the strangest first."""
    for row in scores.over(context.threshold).tolist():
        yield deviation(scores, row, context)


def deviation(scores: Scores, row: int, context: Context) -> Deviation:
    """This will explain one window, whether it lies over the threshold or not."""
    window = scores.windows.take(np.array([row]))
    return _told(Past(context.history, window), scores.matrix[row], context)


def appraise(window: Windows, context: Context) -> Deviation:
    """This will judge and explain one window at once: what `score` and then `deviation` say of it, in half the time.

    Raises `models.errors.LayoutMismatch` when the model knows other features.
    """
    context.model.layout.require(layout())
    past = Past(context.history, split(window))
    return _told(past, rows_seen(past)[0], context)


def _told(past: Past, row: NDArray[np.float32], context: Context) -> Deviation:
    window = past.windows
    entity = context.entities[int(window.entity[0])]
    explained = _explained(past, row, context)
    parts = _parts(explained)
    shares = {part.feature: part.share for part in parts}
    values = dict(zip(context.model.layout.names, row.tolist(), strict=True))
    seen = sight(window, past, 0, shares, values)
    naming = name_of(seen)
    peers = context.history.peers.name_of(entity.id)
    return Deviation(
        entity=entity,
        start_us=int(window.start[0]),
        span_us=window.span_us,
        name=naming.name.name,
        title=naming.name.title,
        severity=severity_of(naming, seen, explained.confidence),
        attack=naming.name.attack,
        score=explained.score,
        p_value=explained.p_value,
        confidence=explained.confidence,
        reason=reason(entity.title, naming, seen, parts, peers, explained.confidence),
        normal=normal(explained.normal_if, titles()),
        parts=parts[:SHOWN_PARTS],
        evidence=evidence_of(naming, seen),
        also=tuple(other.name for other, _ in naming.also),
        details={"peers": peers, "confidence": f"{explained.confidence:.2f}"},
    )


def _explained(past: Past, row: NDArray[np.float32], context: Context) -> Explanation:
    return context.model.explain(
        str(context.kinds(past.entity)[0]),
        int(past.entity[0]),
        int(past.group[0]),
        int(past.windows.start[0]),
        row,
        context.threshold,
    )


def _parts(explained: Explanation) -> tuple[Part, ...]:
    weighty = [each for each in explained.contributions if each.amount > 0]
    total = sum(each.amount for each in weighty)
    said = titles()
    return tuple(
        Part(
            each.feature,
            said.get(each.feature, each.feature),
            each.unit,
            each.value,
            each.usual,
            each.usual_of_peers,
            each.amount / total,
        )
        for each in weighty
    )
