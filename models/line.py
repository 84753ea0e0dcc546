"""The line of one model: from its papers and the budget to the p-value at which its windows become deviations.

Whoever judges a cluster's windows draws it here, and so does the trial that decides on a promotion.
"""

from __future__ import annotations

from models.budget import Budget, KindRate, Threshold, threshold_over
from models.card import Card
from models.model import ANY


def line_of(card: Card, budget: Budget, windows_a_day: float) -> Threshold:
    """This will draw the line for a day of so many windows, with each kind's certainty and that of a history of this length.

    Raises `ModelError` without windows or with a budget of nothing.
    """
    return threshold_over(budget, rates_of(card, windows_a_day), card.windows / windows_a_day)


def rates_of(card: Card, windows_a_day: float) -> list[KindRate]:
    """This will say how many windows of each kind a day brings, at the rates of the training, and on how many the kind was calibrated."""
    kinds = [kind for kind in card.kinds if kind.kind != ANY] or list(card.kinds)
    each = windows_a_day / max(sum(kind.windows for kind in kinds), 1)
    return [KindRate(kind.kind, each * kind.windows, max(kind.calibrated_on, 1)) for kind in kinds]
