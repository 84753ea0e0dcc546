"""How otherwise the features were distributed when one model was trained than when another was."""

from __future__ import annotations

import numpy as np

from models import Model
from models.model import ANY
from training.drift import SHIFTED

_LEAST = 1e-4
"""Share of windows below which a bin counts as empty."""


def drift_between(one: Model, other: Model) -> list[tuple[str, str, float]]:
    """This will return (kind, feature, population stability index) of features that differ, the most first; nothing when the two
    know other features.

    Each model keeps the shares of its training's windows in bins of its own; they are compared at the other's edges by linear
    interpolation of what lies below each edge, zero having a bin of its own.
    """
    if one.layout.fingerprint != other.layout.fingerprint:
        return []
    found = []
    for kind in sorted((set(one.detectors) & set(other.detectors)) - {ANY}):
        mine, theirs = one.detectors[kind].reference, other.detectors[kind].reference
        if mine is None or theirs is None:
            continue
        for place, name in enumerate(one.layout.names):
            index = _index(mine.edges[place], mine.shares[place], theirs.edges[place], theirs.shares[place])
            if index >= SHIFTED:
                found.append((kind, name, index))
    return sorted(found, key=lambda each: -each[2])


def _index(
    edges: np.ndarray[tuple[int], np.dtype[np.float64]],
    shares: np.ndarray[tuple[int], np.dtype[np.float64]],
    other_edges: np.ndarray[tuple[int], np.dtype[np.float64]],
    other_shares: np.ndarray[tuple[int], np.dtype[np.float64]],
) -> float:
    below = np.cumsum(other_shares)[:-1]
    # What the other had at or below each of our edges; the share of zeros is known exactly.
    known_edges = np.concatenate(([0.0], other_edges))
    order = np.maximum.accumulate(known_edges)
    there = np.interp(edges, order, below)
    bounds = np.concatenate((below[:1], np.maximum.accumulate(np.maximum(there, below[0])), [1.0]))
    rebinned = np.concatenate((below[:1], np.diff(bounds)))
    now, then = np.maximum(rebinned, _LEAST), np.maximum(shares, _LEAST)
    return float(((now - then) * np.log(now / then)).sum())
