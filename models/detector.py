"""A fitted detector of one entity kind: baseline, forests, channels and calibration, for one window or a million.

A window becomes deviations from the entity's own and its peers' usual values; each channel scores them; each
channel's score becomes a surprise (-ln p on the rows of the fit); the surprises become one statistic; and the
statistic becomes a p-value on later, quiet windows the detector was not fitted on. The score people see is

    score = 1 - p ** (1/4)        (p = 1: 0, one in ten thousand: 0.9, one in a hundred million: 0.99)
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from enum import StrEnum
from math import exp, isfinite
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.baseline import Baseline
from models.calibration import Calibration
from models.combination import Combination
from models.errors import ModelError
from models.extended_forest import ExtendedForest
from models.feedback import LeafLessons
from models.isolation_forest import IsolationForest
from models.reference import Reference
from models.relative import Lens, View
from models.rhythm import Rhythm

Near = tuple[NDArray[np.float64], NDArray[np.float64], float]
"""Centre, 1/spread and confidence of one entity among its peers."""

BLOCK = 8_192
REMEMBERED = 20_000
"""Entities whose centre and spread are kept ready; beyond that the memory starts anew."""


class Channel(StrEnum):
    """A way of scoring deviations."""

    FOREST = "forest"
    EXTENDED = "extended"
    TOP_THREE = "top_three"
    """The mean of the three largest deviations: what a forest on many columns overlooks."""


class Judgement(NamedTuple):
    """What one window comes to: score 0..1 high = strange, p-value, statistic, confidence 0..1 in the baseline."""

    score: float
    p_value: float
    statistic: float
    confidence: float


@dataclass(frozen=True, slots=True, eq=False)
class Judgements:
    """The same for many windows, an array each; `surprises` is (n, channels)."""

    score: NDArray[np.float64]
    p_value: NDArray[np.float64]
    statistic: NDArray[np.float64]
    confidence: NDArray[np.float64]
    surprises: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Batch:
    """Windows as the detector takes them: raw values (n, k), entity and peer-group ids, as-of times (us)."""

    values: NDArray[np.floating[Any]]
    entity: NDArray[np.int64]
    group: NDArray[np.int64]
    at: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.values)

    def part(self, rows: Any) -> Batch:
        return Batch(self.values[rows], self.entity[rows], self.group[rows], self.at[rows])

    def blocks(self) -> Iterator[Batch]:
        for start in range(0, len(self), BLOCK):
            yield self.part(slice(start, start + BLOCK))


@dataclass(frozen=True, eq=False)
class Detector:
    """One kind's detector. `scales` holds a channel's surprise scale each; `lessons` what reviewers taught it."""

    kind: str
    lens: Lens
    baseline: Baseline
    channels: tuple[Channel, ...]
    combination: Combination
    scales: tuple[Calibration, ...]
    calibration: Calibration
    forest: IsolationForest | None = None
    extended: ExtendedForest | None = None
    rhythm: Rhythm | None = None
    lessons: LeafLessons | None = None
    reference: Reference | None = None
    _near: dict[tuple[int, int], Near] = field(default_factory=dict, repr=False)
    _lock: Any = field(default_factory=threading.Lock, repr=False)

    def judge(self, windows: Batch, workers: int = 1) -> Judgements:
        """This will judge many windows; raises `ModelError` on another number of features."""
        if not len(windows):
            empty = np.zeros(0)
            return Judgements(empty, empty, empty, empty, np.zeros((0, len(self.channels))))
        blocks = list(windows.blocks())
        if workers > 1 and len(blocks) > 1:
            with ThreadPoolExecutor(workers) as pool:
                found = list(pool.map(self._heard, blocks))
        else:
            found = [self._heard(block) for block in blocks]
        heard = np.concatenate([surprises for surprises, _ in found])
        statistic = np.concatenate([statistic for _, statistic in found])
        surprise = self.calibration.surprise(statistic)
        confidence = self.baseline.confidences(self.baseline.positions(windows.entity))
        return Judgements(1.0 - np.exp(-surprise / 4.0), np.exp(-surprise), statistic, confidence, heard)

    def _heard(self, block: Batch) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        _, aggregates, columns = self.see(block)
        return self.heard(aggregates, columns)

    def heard(
        self, aggregates: NDArray[np.float64], columns: NDArray[np.float32]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """This will give each channel's surprise, (n, channels), and the statistic of them, lessons of reviewers included."""
        surprises = self.surprises(self.raw(columns, aggregates))
        return surprises, self.combination.of(surprises) + self._taught(columns)

    def see(
        self, windows: Batch, left_out: NDArray[np.float64] | None = None
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float32]]:
        """This will give sizes of deviations (n, 2, k), their aggregates (n, 2, 3) and the forest's columns.

        `left_out` = the weights these very windows have in the baseline, which are taken out of it for them.
        """
        logs = self.logs(windows.values)
        places = self.baseline.positions(windows.entity)
        groups = self.baseline.group_positions(windows.group)
        beats = (
            None if self.rhythm is None else self.rhythm.offsets(windows.entity, windows.group, windows.at)
        )
        share = None if left_out is None else (logs if beats is None else logs - beats, left_out)
        centre, sharp = self.lens.focus(self.baseline, places, groups, share)
        if beats is not None:
            centre[:, 0] += np.where(self.lens.relative, beats, 0.0)
        return self.seen(logs, centre, sharp)

    def seen(
        self, logs: NDArray[np.float64], centre: NDArray[np.float64], sharp: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float32]]:
        """This will give what `see` gives, of log1p values and what is usual: for all of them, (2, k), or for each, (n, 2, k)."""
        sizes = self.lens.magnitudes(self.lens.deviations(logs, centre, sharp))
        aggregates = self.lens.aggregates(sizes)
        return sizes, aggregates, self.lens.view_of(sizes, aggregates)

    def logs(self, values: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
        """This will give log1p of raw values; raises `ModelError` on a wrong width or a number that is not finite."""
        if values.ndim != 2 or values.shape[1] != len(self.lens.layout):
            raise ModelError(f"A window has {len(self.lens.layout)} features here, not {values.shape}.")
        logs: NDArray[np.float64] = np.log1p(np.maximum(values, 0.0, dtype=np.float64))
        if not np.isfinite(logs).all():
            raise ModelError("Feature values must be finite numbers.")
        return logs

    def raw(self, columns: NDArray[np.float32], aggregates: NDArray[np.float64]) -> NDArray[np.float64]:
        """This will give each channel's own score, (n, channels)."""
        found = np.empty((len(columns), len(self.channels)))
        for place, channel in enumerate(self.channels):
            if channel is Channel.TOP_THREE:
                found[:, place] = aggregates[:, 0, 1]
            elif channel is Channel.FOREST and self.forest is not None:
                found[:, place] = self.forest.strangeness(columns)
            elif channel is Channel.EXTENDED and self.extended is not None:
                found[:, place] = self.extended.strangeness(columns)
            else:
                raise ModelError(f"The detector of kind {self.kind} has no {channel} to score with.")
        return found

    def surprises(self, raw: NDArray[np.float64]) -> NDArray[np.float64]:
        """This will put the channels' scores on one scale."""
        return np.stack([scale.surprise(raw[:, place]) for place, scale in enumerate(self.scales)], axis=1)

    def _taught(self, columns: NDArray[np.float32]) -> NDArray[np.float64]:
        if self.lessons is None or self.forest is None:
            return np.zeros(len(columns))
        return self.lessons.of(self.forest.leaves(columns))

    def judge_row(self, entity: int, group: int, at: int, values: NDArray[np.floating[Any]]) -> Judgement:
        """This will judge one window at once; safe to call from several threads.

        The numbers are those of `judge`; only the overhead differs.
        """
        centre, sharp, confidence = self.usual(entity, group, at)
        with self._lock:
            statistic = self._desk().statistic(values, centre, sharp)
        surprise = self.calibration.surprise_of(statistic)
        return Judgement(1.0 - exp(-surprise / 4.0), exp(-surprise), statistic, confidence)

    def usual(self, entity: int, group: int, at: int) -> Near:
        """This will give what is usual for an entity at a time: centre and 1/spread, (2, k) each (self, peers) in log1p units, and
        how much of that rests on its own past. The arrays may be shared: do not change them."""
        centre, sharp, confidence = self._focus(entity, group)
        if self.rhythm is not None:
            beat = self.rhythm.beat(entity, group, at)
            if beat is not None:
                centre = centre.copy()
                centre[0] += np.where(self.lens.relative, beat, 0.0)
        return centre, sharp, confidence

    def _focus(self, entity: int, group: int) -> Near:
        near = self._near.get((entity, group))
        if near is None:
            place = self.baseline.positions(np.array([entity]))
            centre, sharp = self.lens.focus(
                self.baseline, place, self.baseline.group_positions(np.array([group]))
            )
            if len(self._near) > REMEMBERED:
                self._near.clear()
            near = (centre[0], sharp[0], self.baseline.confidence(int(place[0])))
            self._near[entity, group] = near
        return near

    def _desk(self) -> Desk:
        desk = self.__dict__.get("_one")
        if desk is None:
            desk = Desk(self)
            object.__setattr__(self, "_one", desk)
        return desk


class Desk:
    """The buffers in which one window after another is scored; used by one thread at a time."""

    def __init__(self, detector: Detector) -> None:
        lens, width = detector.lens, len(detector.lens.layout)
        self.detector = detector
        self.logs = np.empty(width)
        self.sizes = np.empty((2, width))
        self.other = np.empty((2, width))
        self.columns = np.empty(len(lens.columns), dtype=np.float32)
        self.own = self.columns[:-6]
        self.last = self.columns[-6:].reshape(2, 3)
        self.by_feature = lens.view is View.FEATURES

    def statistic(
        self, values: NDArray[np.floating[Any]], centre: NDArray[np.float64], sharp: NDArray[np.float64]
    ) -> float:
        """This will give the statistic of one window's raw values."""
        detector, lens, sizes, other = self.detector, self.detector.lens, self.sizes, self.other
        if values.shape != self.logs.shape:
            raise ModelError(f"A window has {len(self.logs)} features here, not {values.shape}.")
        np.maximum(values, 0.0, out=self.logs)
        np.log1p(self.logs, out=self.logs)
        np.subtract(self.logs, centre, out=sizes)
        np.multiply(sizes, sharp, out=sizes)
        np.multiply(sizes, -lens.fall_weight, out=other)
        np.maximum(sizes, other, out=sizes)
        np.minimum(sizes, lens.clip, out=sizes)
        aggregates = lens.aggregates(sizes)
        top_three = float(aggregates[0, 1])
        # A sum is finite only when every value is; one test for the whole row.
        if not isfinite(np.add.reduce(self.logs)):
            raise ModelError("Feature values must be finite numbers.")
        self.own[:] = sizes[0] if self.by_feature else lens.families_of(sizes[0])
        self.last[:] = aggregates
        heard = []
        for channel, scale in zip(detector.channels, detector.scales, strict=True):
            if channel is Channel.TOP_THREE:
                score = top_three
            elif channel is Channel.FOREST and detector.forest is not None:
                score = detector.forest.row(self.columns)
            else:
                score = detector.extended.row(self.columns) if detector.extended is not None else 0.0
            heard.append(scale.surprise_of(score))
        statistic = detector.combination.of_row(heard)
        if detector.lessons is not None and detector.forest is not None:
            statistic += detector.lessons.of_row(detector.forest.row_leaves(self.columns))
        return statistic
