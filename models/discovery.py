"""Holding the share of false findings among many entities, whatever their number.

A budget holds how many windows are shown; this holds how many of them are for nothing. At once for the windows of
an hour (Benjamini & Hochberg 1995, https://doi.org/10.1111/j.2517-6161.1995.tb02031.x), or one after another as
they come (LORD++, Ramdas et al. 2017, https://arxiv.org/abs/1710.00499), where each finding earns the right to
look at more.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import exp, log, sqrt

import numpy as np
from numpy.typing import NDArray

from models.errors import ModelError


def benjamini_hochberg(p_values: NDArray[np.float64], rate: float) -> NDArray[np.bool_]:
    """This will mark the windows to show so that at most `rate` of those shown are quiet, on average."""
    if not 0 < rate < 1:
        raise ModelError("A false discovery rate lies between 0 and 1.")
    count = len(p_values)
    order = np.argsort(p_values, kind="stable")
    under = np.flatnonzero(p_values[order] <= rate * np.arange(1, count + 1) / max(count, 1))
    shown = np.zeros(count, dtype=np.bool_)
    if len(under):
        shown[order[: under[-1] + 1]] = True
    return shown


def firm(p_values: NDArray[np.float64], among: float, rate: float) -> NDArray[np.bool_]:
    """This will mark which of the strangest of `among` windows stand out although so many were looked at.

    The same rule as `benjamini_hochberg`, for when only the strangest windows are at hand: the others need not be, as none of
    them could pass. Of those marked at most `rate` are quiet, on average. Raises `ModelError` for a rate beyond 0 to 1.
    """
    missing = max(0, round(among) - len(p_values))
    return benjamini_hochberg(np.concatenate([p_values, np.ones(missing)]), rate)[: len(p_values)]


@dataclass(slots=True)
class OnlineDiscovery:
    """The same over an endless stream: `show(p)` for each window as it comes.

    The more windows pass without a find, the smaller p must be; each find brings wealth back.
    """

    rate: float = 0.1
    seen: int = 0
    finds: list[int] = field(default_factory=list)
    """When the latest finds were, counted in windows."""

    REMEMBERED = 200

    def show(self, p_value: float) -> bool:
        """This will say whether to show the next window."""
        shown = p_value <= self.level()
        self.seen += 1
        if shown:
            self.finds = [*self.finds[-self.REMEMBERED :], self.seen]
        return shown

    def level(self) -> float:
        """This will give the p-value the next window must not exceed."""
        first = self.rate / 2
        number = self.seen + 1
        level = _spending(number) * first
        for place, find in enumerate(self.finds):
            level += _spending(number - find) * (self.rate - first if place == 0 else self.rate)
        return min(level, 1.0)


def _spending(number: int) -> float:
    """A sequence that adds up to at most 1 over 1, 2, 3 ..., falling slowly (Javanmard & Montanari 2018)."""
    return 0.0722 * log(max(number, 2)) / (number * exp(sqrt(log(number))))
