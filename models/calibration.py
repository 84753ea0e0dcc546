"""Scores as p-values: how often a quiet window would have scored at least this high.

Split conformal: with n quiet windows the model has not seen, p(s) = (1 + how many of them score >= s) / (n + 1),
which holds whatever the scores' distribution, as long as new quiet windows come from the same one. Between two
of those windows p falls evenly (in its logarithm), which is never less than the step would be. Below 1 / (n + 1)
there is nothing to count; a generalised Pareto tail goes on from there, without promise (`reach` says where).
References: Vovk, Gammerman, Shafer 2005, https://doi.org/10.1007/b106715; Bates et al. 2023,
https://doi.org/10.1214/22-AOS2244; Hosking & Wallis 1987, https://doi.org/10.1080/00401706.1987.10488243.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from functools import cached_property
from math import exp, log, log1p

import numpy as np
from numpy.typing import NDArray

from models.errors import NotEnoughData

EXACT = 256
"""The highest quiet scores are all kept; below them one for every percent that p grows."""
_TINY = 1e-300
STEADIEST, HEAVIEST = 0.0, 0.25
"""Bounds of the tail's shape: no end point (p never reaches 0), and not so heavy that one odd window hides all
others (what is calibrated is a sum of surprises, whose own tail is exponential)."""


@dataclass(frozen=True, eq=False)
class Calibration:
    """Ascending quiet scores with the surprise -ln p at each, and the tail beyond the last.

    Surprise rather than p is what everything adds and compares: it does not underflow.
    """

    scores: NDArray[np.float64]
    surprises: NDArray[np.float64]
    count: int
    tail_start: float
    tail_shape: float
    tail_scale: float

    ARRAYS = ("scores", "surprises", "tail")

    @classmethod
    def of(cls, quiet: NDArray[np.float64]) -> Calibration:
        """This will calibrate on the scores of quiet windows; raises `NotEnoughData` when there is none."""
        scores = np.sort(np.asarray(quiet, dtype=np.float64))
        # Between numbers so near zero the slope of p would be infinite.
        scores[np.abs(scores) < _TINY] = 0.0
        if not len(scores):
            raise NotEnoughData("There is no quiet window to calibrate on.")
        values, first = np.unique(scores, return_index=True)
        at_least = len(scores) - first
        kept = _kept(at_least)
        surprises = -np.log((1.0 + at_least[kept]) / (len(scores) + 1.0))
        return cls(values[kept], surprises, len(scores), *pareto_tail(scores))

    @property
    def reach(self) -> float:
        """The least p-value that rests on counted windows."""
        return 1.0 / (self.count + 1.0)

    def surprise(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        """This will give -ln p of each score, 0 for ordinary ones; it never falls as the score rises."""
        found = np.interp(scores, self.scores, self.surprises)
        beyond = scores > self.scores[-1]
        if beyond.any():
            found[beyond] += self._hazard(scores[beyond]) - self._hazard(self.scores[-1:])
        return found

    def surprise_of(self, score: float) -> float:
        """This will give -ln p of one score, as `surprise` does, without numpy's overhead."""
        knots, surprises = self._lists
        place = bisect_right(knots, score)
        if place == 0:
            return 0.0
        if place == len(knots):
            return surprises[-1] + max(0.0, self._hazard_of(score) - self._hazard_of(knots[-1]))
        low = knots[place - 1]
        share = (score - low) / (knots[place] - low)
        return surprises[place - 1] + share * (surprises[place] - surprises[place - 1])

    def p_values(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        """This will give the p-value of each score."""
        return np.exp(-self.surprise(scores))

    def score_at(self, p_value: float) -> float:
        """This will give the lowest score whose p-value is at most this one (the threshold of a budget)."""
        wanted = -log(p_value)
        if wanted <= self.surprises[-1]:
            return float(np.interp(wanted, self.surprises, self.scores))
        hazard = wanted - float(self.surprises[-1]) + self._hazard_of(float(self.scores[-1]))
        if self.tail_shape < 1e-9:
            return self.tail_start + hazard * self.tail_scale
        return self.tail_start + self.tail_scale * (exp(hazard * self.tail_shape) - 1.0) / self.tail_shape

    def _hazard(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        above = np.maximum(scores - self.tail_start, 0.0) / self.tail_scale
        if self.tail_shape < 1e-9:
            return above
        return np.asarray(np.log1p(self.tail_shape * above) / self.tail_shape)

    def _hazard_of(self, score: float) -> float:
        above = max(score - self.tail_start, 0.0) / self.tail_scale
        return above if self.tail_shape < 1e-9 else log1p(self.tail_shape * above) / self.tail_shape

    @cached_property
    def _lists(self) -> tuple[list[float], list[float]]:
        return self.scores.tolist(), self.surprises.tolist()

    def arrays(self) -> dict[str, NDArray[np.float64]]:
        """This will give what has to be kept."""
        tail = np.array([self.count, self.tail_start, self.tail_shape, self.tail_scale])
        return {"scores": self.scores, "surprises": self.surprises, "tail": tail}

    @classmethod
    def from_arrays(cls, arrays: dict[str, NDArray[np.float64]]) -> Calibration:
        """This will rebuild a calibration from what `arrays` gave."""
        count, start, shape, scale = arrays["tail"].tolist()
        return cls(arrays["scores"], arrays["surprises"], int(count), start, shape, scale)


def pareto_tail(scores: NDArray[np.float64]) -> tuple[float, float, float]:
    """This will fit (start, shape, scale) of a generalised Pareto tail to ascending scores.

    Probability-weighted moments: closed form, and steadier than maximum likelihood on tens of windows.
    """
    count = len(scores)
    used = min(count, max(10, min(500, count // 10)))
    start = float(scores[-used - 1]) if used < count else float(scores[0])
    excess = scores[-used:] - start
    mean = float(excess.mean())
    least = max(1e-3, 0.05 * float(scores.std()))
    if used < 10 or mean <= 0.0:
        return start, 0.0, max(mean, least)
    rank = (np.arange(1, used + 1) - 0.35) / used
    second = float(((1.0 - rank) * excess).mean())
    apart = mean - 2.0 * second
    shape = 2.0 - mean / apart if apart > 1e-12 else STEADIEST
    shape = min(max(shape, STEADIEST), HEAVIEST)
    return start, shape, max(mean * (1.0 - shape), least)


def _kept(at_least: NDArray[np.intp]) -> NDArray[np.intp]:
    """The positions worth keeping: all of the highest scores, then one for each percent more windows."""
    if len(at_least) <= 2 * EXACT:
        return np.arange(len(at_least))
    high = np.arange(len(at_least) - EXACT, len(at_least))
    steps = int(np.ceil(np.log(at_least[0] / at_least[high[0]]) / np.log(1.01))) + 1
    wanted = np.geomspace(at_least[0], at_least[high[0]], max(2, steps))
    low = np.searchsorted(-at_least, -wanted)
    return np.unique(np.concatenate([[0], np.minimum(low, len(at_least) - 1), high]))
