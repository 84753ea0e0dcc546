"""Baselines in bulk: a million windows of history become usual values in three passes of numpy.

Sums per entity are products with a sparse matrix that has one row an entity and one column a window, block by block,
so memory stays at the size of a block whatever the history.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from models.baseline import CUT, DAY_US, GROUP_PSEUDO_ENTITIES, Baseline, Shrinkage

BLOCK = 32_768
PASSES = 3
"""The plain mean, then twice with values beyond three spreads cut off; a fourth changed nothing we could see."""


def learn_habits(
    values: NDArray[np.floating[Any]],
    entity: NDArray[np.int64],
    group: NDArray[np.int64],
    at: NDArray[np.int64],
    shrinkage: Shrinkage | None = None,
    rows: NDArray[np.intp] | None = None,
) -> Baseline:
    """This will learn the baseline of one kind from raw feature values (n, k), from the given rows only.

    `at` is each window's as-of time in microseconds; an entity's peer group is that of its latest window.
    """
    shrinkage = shrinkage or Shrinkage()
    rows = np.arange(len(values)) if rows is None else rows
    entities, seen, inverse = np.unique(entity[rows], return_index=True, return_inverse=True)
    last = np.full(len(entities), np.iinfo(np.int64).min)
    np.maximum.at(last, inverse, at[rows])
    weights = 0.5 ** ((last[inverse] - at[rows]) / (DAY_US * shrinkage.half_life_days))
    weight = np.asarray(np.bincount(inverse, weights, minlength=len(entities)), dtype=np.float64)

    def logs(part: slice) -> NDArray[np.float64]:
        lines = rows[part]
        return np.asarray(np.log1p(np.maximum(values[lines], 0.0, dtype=np.float64)))

    mean, variance = _robust_moments(logs, values.shape[1], inverse, weights, weight, shrinkage)
    in_order = np.argsort(at[rows], kind="stable")
    entity_group = np.zeros(len(entities), dtype=np.int64)
    entity_group[inverse[in_order]] = group[rows[in_order]]
    trust = weight / (weight + shrinkage.pseudo_windows)
    groups, member = np.unique(entity_group, return_inverse=True)
    # Added up in the order of the rows, not of the entities' numbers: the last digit of a sum depends on it.
    order = np.argsort(seen)
    member, parts = member[order], (trust[order], mean[order], variance[order])
    kind = _pooled(np.zeros(len(entities), dtype=np.intp), 1, *parts)
    own = _pooled(member, len(groups), *parts)
    heft = np.bincount(member, parts[0], minlength=len(groups))[:, None]
    shrunk = [
        (heft * o + GROUP_PSEUDO_ENTITIES * k) / (heft + GROUP_PSEUDO_ENTITIES)
        for o, k in zip(own, kind, strict=True)
    ]
    return Baseline(
        shrinkage, entities, entity_group, weight, last, mean.astype(np.float32), variance.astype(np.float32),
        groups, *(part.astype(np.float32) for part in shrunk), *(part[0].astype(np.float32) for part in kind),
    )  # fmt: skip


def _robust_moments(
    logs: Callable[[slice], NDArray[np.float64]],
    width: int,
    inverse: NDArray[np.intp],
    weights: NDArray[np.float64],
    weight: NDArray[np.float64],
    shrinkage: Shrinkage,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    shape = (len(weight), width)
    mean, variance = np.zeros(shape), np.zeros(shape)
    for number in range(PASSES):
        first, second = np.zeros(shape), np.zeros(shape)
        reach = CUT * np.maximum(np.sqrt(variance), shrinkage.scale_floor)
        low, high = mean - reach, mean + reach
        for part in _blocks(len(inverse)):
            who = inverse[part]
            value = logs(part)
            if number:
                value = np.clip(value, low[who], high[who])
            sums = csr_matrix((weights[part], (who, np.arange(len(who)))), shape=(shape[0], len(who)))
            first += sums @ value
            second += sums @ (value * value)
        mean = first / weight[:, None]
        variance = np.maximum(second / weight[:, None] - mean * mean, 0.0)
    return mean, variance


def _pooled(
    member: NDArray[np.intp],
    count: int,
    trust: NDArray[np.float64],
    mean: NDArray[np.float64],
    variance: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """This will give mean, variance within and variance between the entities of each group, (count, k) each."""
    sums = csr_matrix((trust, (member, np.arange(len(member)))), shape=(count, len(member)))
    heft = np.bincount(member, trust, minlength=count)[:, None]
    centre = (sums @ mean) / heft
    within = (sums @ variance) / heft
    apart = mean - centre[member]
    between = (sums @ (apart * apart)) / heft
    return centre, within, between


def _blocks(length: int) -> Iterator[slice]:
    for start in range(0, length, BLOCK):
        yield slice(start, min(start + BLOCK, length))
