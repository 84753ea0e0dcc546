"""How much an entity is worth looking at now: its findings together, each fading, none forgotten at once.

In plain words: every finding is a chance that something is wrong, by its severity; it fades by half each week. The chances are
joined as if they were independent, so that more findings always mean more risk and none ever more than 100. The same name again
and again says less each time; what people closed as benign or as a false alarm says nothing, what they confirmed says most.

    p_i(t)  = w(severity, verdict) * 2^(-(t - t_i) / half-life) / n_i
    risk(t) = 100 * (1 - prod_i (1 - p_i(t)))

with t_i the finding's last moment and n_i its place (1, 2, ...) among those of the same name, the weightiest first. The part a
finding has in it is ln(1 - p_i) of the sum of all logarithms; the parts add to 1.

Joining independent causes: noisy-or, Pearl 1988, Probabilistic Reasoning in Intelligent Systems, 4.3.2. The weights are a
judgement of ours: one critical finding is 70, three high ones 73, five medium ones of different names 56.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import numpy as np
from numpy.typing import NDArray

HALF_LIFE: Final = timedelta(days=7)
REACH: Final = 9 * HALF_LIFE
"""Older findings have faded to a five-hundredth and are left out."""
WEIGHTS: Final = (0.02, 0.05, 0.15, 0.35, 0.70)
"""By the rank of the severity, info to critical."""
_CONFIRMED: Final = 0.90
"""At least so much for a finding that people confirmed, whatever its severity."""
QUIET: Final = frozenset({"benign", "false_alarm"})
"""Verdicts after which a finding says nothing."""


@dataclass(frozen=True, slots=True)
class Mark:
    """What risk needs of a finding. `at` is its last moment, `severity` the rank 0 to 4."""

    id: str
    name: str
    title: str
    severity: int
    at: datetime
    verdict: str | None = None
    hidden: bool = False
    """Suppressed, or below its day's line: nobody is to be troubled with it."""


@dataclass(frozen=True, slots=True)
class Part:
    """What one finding has in the risk: its own chance (0..1) now, and its share of the whole (all add to 1)."""

    mark: Mark
    chance: float
    share: float


@dataclass(frozen=True, slots=True)
class Risk:
    """Risk at one moment, 0 to 100, and what makes it up, the largest part first."""

    value: float
    parts: tuple[Part, ...] = ()


def risk_at(marks: Iterable[Mark], moment: datetime, half_life: timedelta = HALF_LIFE) -> Risk:
    """This will return the risk at a moment: of what had happened by then. Order of the marks does not matter."""
    chances = _chances(marks, moment, half_life)
    logs = [math.log1p(-chance) for _, chance in chances]
    whole = sum(logs)
    if not whole:
        return Risk(0.0)
    parts = [Part(mark, chance, log / whole) for (mark, chance), log in zip(chances, logs, strict=True)]
    return Risk(
        100.0 * -math.expm1(whole), tuple(sorted(parts, key=lambda part: (-part.share, part.mark.id)))
    )


def risk_over(
    marks: Sequence[Mark], moments: Sequence[datetime], half_life: timedelta = HALF_LIFE
) -> list[float]:
    """This will return the risk at each of the moments."""
    return [risk_at(marks, moment, half_life).value for moment in moments]


@dataclass(frozen=True, slots=True)
class Risks:
    """Risk of many entities at one moment, a place for each that has any: the entity, its risk 0 to 100, how many findings make it
    up, and the place of the one with the largest part."""

    whose: NDArray[np.int64]
    value: NDArray[np.float64]
    parts: NDArray[np.int64]
    largest: NDArray[np.int64]


def risks_of(
    whose: NDArray[np.int64],
    name: NDArray[np.int64],
    severity: NDArray[np.int64],
    age: NDArray[np.int64],
    confirmed: NDArray[np.bool_],
    half_life: timedelta = HALF_LIFE,
) -> Risks:
    """This will return the risks that `risk_at` would, of all entities at once. Columns, a place for each finding that is neither
    hidden nor closed as harmless: the entity, a number for the finding's name, the severity's rank, and microseconds since its
    last moment."""
    half = half_life // timedelta(microseconds=1)
    there = np.flatnonzero((age >= 0) & (age <= 9 * half))
    weight = np.array(WEIGHTS)[severity[there]]
    weight = np.where(confirmed[there], np.maximum(weight, _CONFIRMED), weight)
    chance = weight * np.exp2(-age[there] / half)
    # Of the same name the weightiest first.
    order = np.lexsort((-chance, name[there], whose[there]))
    there, chance = there[order], chance[order]
    alike = _begins(whose[there], name[there])
    first = np.maximum.accumulate(np.where(alike, np.arange(len(there)), 0))
    chance = chance / (np.arange(len(there)) - first + 1)
    order = np.lexsort((-chance, whose[there]))
    there, chance = there[order], chance[order]
    edges = np.flatnonzero(_begins(whose[there]))
    if not len(edges):
        return Risks(there, chance, there, there)
    sums = np.add.reduceat(np.log1p(-chance), edges)
    return Risks(
        whose[there[edges]], -100.0 * np.expm1(sums), np.diff(np.append(edges, len(there))), there[edges]
    )


def _begins(*columns: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Whether each row differs from the one before."""
    begins = np.ones(len(columns[0]), np.bool_)
    if len(begins):
        begins[1:] = False
        for column in columns:
            begins[1:] |= column[1:] != column[:-1]
    return begins


def _chances(marks: Iterable[Mark], moment: datetime, half_life: timedelta) -> list[tuple[Mark, float]]:
    weighed = []
    for mark in marks:
        age = moment - mark.at
        if mark.hidden or mark.verdict in QUIET or age < timedelta(0) or age > 9 * half_life:
            continue
        weight = WEIGHTS[mark.severity]
        if mark.verdict == "true":
            weight = max(weight, _CONFIRMED)
        weighed.append((mark, weight * 2.0 ** -(age / half_life)))
    weighed.sort(key=lambda pair: (-pair[1], pair[0].id))
    seen: dict[str, int] = {}
    found = []
    for mark, chance in weighed:
        seen[mark.name] = seen.get(mark.name, 0) + 1
        found.append((mark, chance / seen[mark.name]))
    return found
