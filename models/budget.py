"""From "at most N a day" to a p-value, and what will come of it.

With n calibration windows and a threshold p = k / (n + 1), the true share of quiet windows under it is itself
uncertain, Beta(k, n + 1 - k); so a day of W windows brings a beta-binomial number of alerts. The threshold is the
highest with which a day keeps within the budget as often as asked. Below the calibration's reach nothing was
counted, the Poisson law of the tail takes over, and `promised` is False. Days differ as well, by more than chance: a
release, a holiday, nodes that join. A short history has seen few of them, which `threshold_over` allows for.
Reference: Angelopoulos & Bates 2023, https://doi.org/10.1561/2200000101 (section 3.2).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import exp, inf, log
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from models.errors import ModelError

_LEAST: Final = 1e-9
_HALVINGS: Final = 30
_CASES: Final = 32
_MOST_COUNTED: Final = 64
"""Alerts a day that are counted one by one: the work grows with the square. Of more, bundles are counted, which chance moves more
than single ones; so the line lies a little lower than it might."""
_LEAST_DAYS: Final = 0.5
"""Of less history than half a day the spread between days is as unknown as of that."""


@dataclass(frozen=True, slots=True)
class Budget:
    """How many windows a day may be put before people."""

    per_day: float = 10.0
    assurance: float = 0.9
    """Share of quiet days that keep within it."""


@dataclass(frozen=True, slots=True)
class Threshold:
    """A p-value to alert at, with what is expected of a quiet day."""

    p_value: float
    expected: float
    low: float
    high: float
    """Between which the alerts of nine quiet days in ten lie."""
    promised: bool
    """False where the threshold lies below what the calibration windows can show."""
    unproven: tuple[str, ...] = ()
    """Kinds whose calibration windows are too few to show it; what lies under it rests on the tail's law."""


@dataclass(frozen=True, slots=True)
class KindRate:
    """One kind of entity: windows a day, and the quiet windows that its p-values rest on."""

    kind: str
    windows_a_day: float
    calibrated_on: int


def threshold_for(budget: Budget, windows_a_day: float, calibrated_on: int) -> Threshold:
    """This will turn a budget into a threshold, for so many windows a day and calibration windows."""
    if budget.per_day <= 0 or not 0 < budget.assurance < 1 or windows_a_day <= 0 or calibrated_on < 1:
        raise ModelError("A budget needs more than 0 alerts a day, an assurance within 0..1, and windows.")
    count, day = calibrated_on + 1, max(1, round(windows_a_day))
    low, high = 0, calibrated_on
    while low < high:
        middle = (low + high + 1) // 2
        if _holds(budget, day, middle, count):
            low = middle
        else:
            high = middle - 1
    if low >= 1:
        law = stats.betabinom(day, low, count - low) if low < count else stats.binom(day, 1.0)
        return Threshold(low / count, day * low / count, float(law.ppf(0.05)), float(law.ppf(0.95)), True)
    mean = _poisson_mean(budget)
    p_value = min(mean / windows_a_day, 1.0 / count)
    law = stats.poisson(p_value * windows_a_day)
    return Threshold(p_value, p_value * windows_a_day, float(law.ppf(0.05)), float(law.ppf(0.95)), False)


def threshold_over(budget: Budget, rates: Sequence[KindRate], days: float = inf) -> Threshold:
    """This will turn a budget into one threshold for all kinds of a cluster, each with its own certainty.

    The alerts of a quiet day are the sum over the kinds, beta-binomial each, all quickened or slowed together by how one day
    differs from another. Of `days` of history the spread between days is known as from so many degrees of freedom: the day's factor
    is chi-square(days) / days. `unproven` kinds have too few calibration windows to have shown what lies under the threshold.
    Raises `ModelError` without windows or with a budget of nothing.
    """
    if budget.per_day <= 0 or not 0 < budget.assurance < 1 or not any(one.windows_a_day > 0 for one in rates):
        raise ModelError("A budget needs more than 0 alerts a day, an assurance within 0..1, and windows.")
    if (bundle := budget.per_day / _MOST_COUNTED) > 1:
        few = [replace(one, windows_a_day=one.windows_a_day / bundle) for one in rates]
        found = threshold_over(replace(budget, per_day=_MOST_COUNTED), few, days)
        return replace(
            found, expected=found.expected * bundle, low=found.low * bundle, high=found.high * bundle
        )
    windows = sum(one.windows_a_day for one in rates)
    factors = _factors(days)
    # Few calibration windows make so wide a law that a far too high line would pass by its many empty days: the mean is held too.
    low, high = log(_LEAST), log(min(0.5, budget.per_day / windows))
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        within = _law(exp(middle), rates, budget, factors)[: int(budget.per_day) + 1].sum()
        low, high = (middle, high) if within >= budget.assurance else (low, middle)
    p_value = exp(low)
    sums = np.cumsum(_law(p_value, rates, budget, factors))
    expected = windows * p_value
    unproven = tuple(one.kind for one in rates if p_value * (one.calibrated_on + 1) < 1)
    fewest, most = (float(np.searchsorted(sums, quantile)) for quantile in (0.05, 0.95))
    return Threshold(p_value, expected, fewest, most, not unproven, unproven)


def _factors(days: float) -> NDArray[np.float64]:
    """How many times as busy as the mean a day is: equally likely cases of chi-square(days) / days, of mean 1."""
    if days == inf:
        return np.ones(1)
    cases = stats.gamma.ppf((np.arange(_CASES) + 0.5) / _CASES, max(days, _LEAST_DAYS) / 2)
    return np.asarray(cases / cases.mean())


def _law(
    p_value: float, rates: Sequence[KindRate], budget: Budget, factors: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The chances of 0, 1, 2 ... alerts on a quiet day, as far as they matter."""
    counts = np.arange(8 * int(budget.per_day) + 64)
    share = np.clip(p_value * factors, 1e-12, 0.9)[:, None]
    found = np.zeros((len(factors), len(counts)))
    found[:, 0] = 1.0
    for one in rates:
        day, rank = max(1, round(one.windows_a_day)), share * (one.calibrated_on + 1)
        law = stats.betabinom.pmf(counts, day, rank, one.calibrated_on + 1 - rank)
        found = np.array([np.convolve(a, b)[: len(counts)] for a, b in zip(found, law, strict=True)])
    return np.asarray(found.mean(axis=0))


def _holds(budget: Budget, day: int, rank: int, count: int) -> bool:
    within = stats.betabinom.cdf(int(budget.per_day), day, rank, count - rank)
    return bool(within >= budget.assurance)


def _poisson_mean(budget: Budget) -> float:
    """The largest mean whose Poisson count keeps within the budget as often as asked."""
    return float(stats.gamma.ppf(1.0 - budget.assurance, int(budget.per_day) + 1))
