"""What stands out in one window: each of its terms with how unusual it is for the entity and among the others.

Naming, severity, words and evidence all look at this and not at the matrix, so that a finding speaks of what was done.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

import msgspec
import numpy as np

from anomaly.events.identity import EntityKind
from anomaly.features.actions import ActionClass, class_of
from anomaly.features.circles import Circle
from anomaly.features.history import Past
from anomaly.features.novel import merged_terms_of
from anomaly.windows.dimension import Dimension
from anomaly.windows.window import Windows

USUAL: Final = 2.0
"""Nats: what comes in every seventh window is no news."""


class Term(msgspec.Struct, frozen=True):
    """One term of the window: `strange` nats for the entity, `unlike` nats for the others; `fresh`: never before.

    Dozens are made for every window that is explained, and msgspec makes one five times as fast as a frozen dataclass is made.
    """

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


@dataclass(frozen=True)
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

    @cached_property
    def deeds(self) -> dict[ActionClass, tuple[Term, ...]]:
        """The actions of each class that there are any of, the most unusual first."""
        found: dict[ActionClass, tuple[Term, ...]] = {}
        for term in self.of(Dimension.ACTION):
            kind = class_of(term.text)
            found[kind] = (*found.get(kind, ()), term)
        return found

    def of_classes(self, *classes: ActionClass) -> tuple[Term, ...]:
        """This will return the actions of some classes, the most unusual first."""
        held = [kind for kind in classes if kind in self.deeds]
        if len(held) < 2:
            return self.deeds[held[0]] if held else ()
        return self.of(Dimension.ACTION, lambda action: class_of(action) in classes)

    def count(self, dimension: Dimension, predicate: Callable[[str], bool] | None = None) -> int:
        """This will return the sum of counts of the terms that pass."""
        return sum(term.count for term in self.of(dimension, predicate))

    def share(self, *prefixes: str) -> float:
        """This will return how much of the score the features carry whose names, a family and a dot at least, begin
        so: 0 to 1."""
        carried = 0.0
        for family in {prefix.partition(".")[0]: None for prefix in prefixes}:
            for name, share in self._by_family.get(family, ()):
                if name.startswith(prefixes):
                    carried += share
        return carried

    @cached_property
    def _by_family(self) -> dict[str, list[tuple[str, float]]]:
        found: dict[str, list[tuple[str, float]]] = {}
        for name, share in self.shares.items():
            if share > 0:
                found.setdefault(name.partition(".")[0], []).append((name, share))
        return found


def sight(
    windows: Windows, past: Past, index: int, shares: dict[str, float], values: dict[str, float]
) -> Sight:
    """This will gather what stands out in window `index`."""
    strange: dict[int, float] = {}
    unlike: dict[int, float] = {}
    fresh: set[int] = set()
    rarity = past.surprise
    mine = np.flatnonzero(rarity.row == index)
    known = np.where(rarity.past[mine] > 0, rarity.own[mine], 0.0)
    terms = rarity.term[mine].tolist()
    strange.update(zip(terms, known.tolist(), strict=True))
    unlike.update(zip(terms, rarity.peers[mine].tolist(), strict=True))
    news = past.fresh
    mine = np.flatnonzero(news.row == index)
    others = news.others[mine, Circle.KIND]
    for term, surprise, other in zip(
        news.term[mine].tolist(), news.surprise[mine].tolist(), others.tolist(), strict=True
    ):
        fresh.add(term)
        strange[term] = max(strange.get(term, 0.0), surprise)
        unlike[term] = max(unlike.get(term, 0.0), other)
    stranger = bool(news.stranger[mine].any())
    return Sight(
        past.kind_of(index),
        _terms(windows, index, strange, unlike, fresh),
        shares,
        values,
        stranger,
    )


def _terms(
    windows: Windows, index: int, strange: dict[int, float], unlike: dict[int, float], fresh: set[int]
) -> dict[Dimension, tuple[Term, ...]]:
    held = slice(int(windows.offsets[index]), int(windows.offsets[index + 1]))
    terms = windows.terms[held].astype(np.int64)
    text_of = windows.vocabulary.text_of
    by_number: dict[int, list[tuple[float, int, str, Term]]] = {}
    for number, of, known, count in zip(
        terms.tolist(),
        windows.dimensions[held].tolist(),
        merged_terms_of(windows.vocabulary, terms).tolist(),
        windows.counts[held].tolist(),
        strict=True,
    ):
        new, text = known in fresh, text_of(number)
        odd = strange.get(number, 0.0)
        if new:
            odd = max(odd, strange.get(known, 0.0))
        others = unlike.get(number)
        if others is None:
            others = unlike.get(known, 0.0)
        term = Term(_DIMENSIONS[of], text, int(count), odd, others, new or number in fresh)
        by_number.setdefault(of, []).append((-max(odd, others), -term.count, text, term))
    # No text comes twice in a dimension, so terms themselves are never compared.
    return {_DIMENSIONS[of]: tuple(each[3] for each in sorted(found)) for of, found in by_number.items()}


_DIMENSIONS: Final = {int(dimension): dimension for dimension in Dimension}
