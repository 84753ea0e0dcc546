"""Several channels' surprises as one statistic; its own calibration follows, so dependence does no harm.

- fisher: the sum, strong where every channel is a little surprised (Fisher 1932)
- least: the largest, strong where only one channel notices (Tippett 1931)
- harmonic: between the two (Wilson 2019, https://doi.org/10.1073/pnas.1814092116)
"""

from __future__ import annotations

from enum import StrEnum
from math import exp, log

import numpy as np
from numpy.typing import NDArray


class Combination(StrEnum):
    """How surprises become one statistic."""

    FISHER = "fisher"
    LEAST = "least"
    HARMONIC = "harmonic"

    def of(self, surprises: NDArray[np.float64]) -> NDArray[np.float64]:
        """This will combine (n, channels) surprises into n statistics."""
        if self is Combination.FISHER:
            return np.asarray(np.add.reduce(surprises, axis=1))
        high = np.asarray(surprises.max(axis=1))
        if self is Combination.LEAST:
            return high
        return np.asarray(high + np.log(np.exp(surprises - high[:, None]).mean(axis=1)))

    def of_row(self, surprises: list[float]) -> float:
        """This will combine one window's surprises."""
        if self is Combination.FISHER:
            return sum(surprises)
        high = max(surprises)
        if self is Combination.LEAST:
            return high
        return high + log(sum(exp(one - high) for one in surprises) / len(surprises))

    def shares(self, surprises: list[float]) -> list[float]:
        """This will say how much of the statistic each channel answers for; the shares add up to 1."""
        if self is Combination.FISHER:
            weights = surprises
        elif self is Combination.LEAST:
            weights = [float(place == surprises.index(max(surprises))) for place in range(len(surprises))]
        else:
            weights = [exp(one - max(surprises)) for one in surprises]
        total = sum(weights)
        return [weight / total for weight in weights] if total > 0 else [1.0 / len(weights)] * len(weights)
