"""From "at most N a day" to a p-value, and what will come of it.

With n calibration windows and a threshold p = k / (n + 1), the true share of quiet windows under it is itself
uncertain, Beta(k, n + 1 - k); so a day of W windows brings a beta-binomial number of alerts. The threshold is the
highest with which a day keeps within the budget as often as asked. Below the calibration's reach nothing was
counted, the Poisson law of the tail takes over, and `promised` is False.
Reference: Angelopoulos & Bates 2023, https://doi.org/10.1561/2200000101 (section 3.2).
"""

from __future__ import annotations

from dataclasses import dataclass

from scipy import stats

from models.errors import ModelError


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


def _holds(budget: Budget, day: int, rank: int, count: int) -> bool:
    within = stats.betabinom.cdf(int(budget.per_day), day, rank, count - rank)
    return bool(within >= budget.assurance)


def _poisson_mean(budget: Budget) -> float:
    """The largest mean whose Poisson count keeps within the budget as often as asked."""
    return float(stats.gamma.ppf(1.0 - budget.assurance, int(budget.per_day) + 1))
