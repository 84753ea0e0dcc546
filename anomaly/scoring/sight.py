"""What stands out in one window: each of its terms with how unusual it is for the entity and among the others.

Naming, severity, words and evidence all look at this and not at the matrix, so that a finding speaks of what was done.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from anomaly.events.identity import EntityKind
from anomaly.features.circles import Circle
from anomaly.features.history import Past
from anomaly.features.novel import merged_of
from anomaly.windows.dimension import Dimension
from anomaly.windows.window import Windows

USUAL: Final = 2.0
"""Nats: what comes in every seventh window is no news."""


@dataclass(frozen=True, slots=True)
class Term:
    """One term of the window: `strange` nats for the entity, `unlike` nats for the others; `fresh`: never before."""

    dimension: Dimension
    text: str
    count: int
    strange: float
    unlike: float
    fresh: bool

    @property
    def most(self) -> float:
        """How unusual at most, for itself or for the others, in nats."""
        return max(self.strange, self.unlike)


@dataclass(frozen=True, slots=True)
class Sight:
    """One window as people see it. `shares` is each feature's part in the score, `values` each feature's value."""

    kind: EntityKind
    terms: dict[Dimension, tuple[Term, ...]]
    shares: dict[str, float] = field(default_factory=dict)
    values: dict[str, float] = field(default_factory=dict)
    stranger: bool = False

    def of(self, dimension: Dimension, predicate: Callable[[str], bool] | None = None) -> tuple[Term, ...]:
        """This will return the terms of a dimension that pass, the most unusual first."""
        found = self.terms.get(dimension, ())
        return found if predicate is None else tuple(term for term in found if predicate(term.text))

    def count(self, dimension: Dimension, predicate: Callable[[str], bool] | None = None) -> int:
        """This will return the sum of counts of the terms that pass."""
        return sum(term.count for term in self.of(dimension, predicate))

    def share(self, *prefixes: str) -> float:
        """This will return how much of the score the features with these prefixes carry, 0 to 1."""
        return sum(share for name, share in self.shares.items() if name.startswith(prefixes) and share > 0)


def sight(
    windows: Windows, past: Past, index: int, shares: dict[str, float], values: dict[str, float]
) -> Sight:
    """This will gather what stands out in window `index`."""
    strange: dict[int, float] = {}
    unlike: dict[int, float] = {}
    fresh: set[int] = set()
    rarity = past.surprise
    for entry in np.flatnonzero(rarity.row == index).tolist():
        term = int(rarity.term[entry])
        strange[term] = float(rarity.own[entry]) if rarity.past[entry] > 0 else 0.0
        unlike[term] = float(rarity.peers[entry])
    news = past.fresh
    for entry in np.flatnonzero(news.row == index).tolist():
        term = int(news.term[entry])
        fresh.add(term)
        strange[term] = max(strange.get(term, 0.0), float(news.surprise[entry]))
        unlike[term] = max(unlike.get(term, 0.0), float(news.others[entry, Circle.KIND]))
    stranger = bool(news.stranger[news.row == index].any())
    return Sight(
        past.history.kind_of(int(windows.entity[index])),
        _terms(windows, index, strange, unlike, fresh),
        shares,
        values,
        stranger,
    )


def _terms(
    windows: Windows, index: int, strange: dict[int, float], unlike: dict[int, float], fresh: set[int]
) -> dict[Dimension, tuple[Term, ...]]:
    merged = merged_of(windows)
    found: dict[Dimension, list[Term]] = {}
    for place in range(int(windows.offsets[index]), int(windows.offsets[index + 1])):
        number = int(windows.terms[place])
        dimension = windows.vocabulary.dimension_of(number)
        known = int(merged[number])
        found.setdefault(dimension, []).append(
            Term(
                dimension,
                windows.vocabulary.text_of(number),
                int(windows.counts[place]),
                max(strange.get(number, 0.0), strange.get(known, 0.0) if known in fresh else 0.0),
                unlike.get(number, unlike.get(known, 0.0)),
                number in fresh or known in fresh,
            )
        )
    return {
        dimension: tuple(sorted(terms, key=lambda term: (-term.most, -term.count, term.text)))
        for dimension, terms in found.items()
    }
