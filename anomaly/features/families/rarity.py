"""Seldom: how unlikely the window's actions, places, addresses and agents are under the usual mix of the entity and its peers."""

from __future__ import annotations

import numpy as np

from anomaly.features.actions import sensitivity
from anomaly.features.history import Past
from anomaly.features.masks import Column, per_window_max, weights
from anomaly.windows.dimension import Dimension
from anomaly.windows.window import Windows

_EXPECTED = 3.0
"""Nats: what happens in every twentieth window or more often is no surprise."""
_TOP = 3


def _largest(past: Past, dimension: Dimension, own: bool = True) -> Column:
    found = past.surprise.of(dimension)
    return per_window_max(past.windows, found.row, found.own if own else found.peers)


def _top_mean(windows: Windows, row: np.ndarray[tuple[int], np.dtype[np.int64]], value: Column) -> Column:
    order = np.lexsort((-value, row))
    row, value = row[order], value[order]
    starts = np.searchsorted(row, np.arange(windows.n))
    rank = np.arange(len(row)) - starts[row]
    chosen = rank < _TOP
    return np.bincount(row[chosen], weights=value[chosen], minlength=windows.n) / _TOP


def _known(past: Past, dimension: Dimension) -> Column:
    """The largest surprise where the entity has a past: where a stranger comes from and with what is always new."""
    found = past.surprise.of(dimension)
    return per_window_max(past.windows, found.row, np.where(found.past > 0, found.own, 0.0))


def action(windows: Windows, past: Past) -> Column:
    """This will return the surprise of the window's least likely action.

    Unit: nats.
    """
    return _largest(past, Dimension.ACTION)


def three_actions(windows: Windows, past: Past) -> Column:
    """This will return the mean surprise of the three least likely actions: one oddity is an accident, three are a plan.

    Unit: nats.
    """
    found = past.surprise.of(Dimension.ACTION)
    return _top_mean(windows, found.row, found.own)


def excess(windows: Windows, past: Past) -> Column:
    """This will return the surprise beyond three nats, summed over all actions and places.

    Unit: nats.
    """
    total = np.zeros(windows.n)
    for dimension in (Dimension.ACTION, Dimension.TARGET):
        found = past.surprise.of(dimension)
        beyond = np.maximum(found.own - _EXPECTED, 0.0)
        total += np.bincount(found.row, weights=beyond, minlength=windows.n)
    return total


def place(windows: Windows, past: Past) -> Column:
    """This will return the surprise of the least likely pair of resource and namespace.

    Unit: nats.
    """
    return _largest(past, Dimension.TARGET)


def three_places(windows: Windows, past: Past) -> Column:
    """This will return the mean surprise of the three least likely places.

    Unit: nats.
    """
    found = past.surprise.of(Dimension.TARGET)
    return _top_mean(windows, found.row, found.own)


def address(windows: Windows, past: Past) -> Column:
    """This will return the surprise of the least likely address, 0 for a stranger.

    Unit: nats.
    """
    return _known(past, Dimension.ADDRESS)


def agent(windows: Windows, past: Past) -> Column:
    """This will return the surprise of the least likely user agent, 0 for a stranger.

    Unit: nats.
    """
    return _known(past, Dimension.AGENT)


def action_for_peers(windows: Windows, past: Past) -> Column:
    """This will return the surprise of the action least likely among the entity's peers.

    Unit: nats.
    """
    return _largest(past, Dimension.ACTION, own=False)


def place_for_peers(windows: Windows, past: Past) -> Column:
    """This will return the surprise of the place least likely among the entity's peers.

    Unit: nats.
    """
    return _largest(past, Dimension.TARGET, own=False)


def sensitive_action(windows: Windows, past: Past) -> Column:
    """This will return the largest surprise weighted by harm: a rare secret, exec, binding or webhook outweighs a rare list.

    Unit: weighted nats.
    """
    found = past.surprise.of(Dimension.ACTION)
    weight = weights(windows.vocabulary, Dimension.ACTION, sensitivity)[found.term]
    return per_window_max(windows, found.row, found.own * weight)


def sensitive_total(windows: Windows, past: Past) -> Column:
    """This will return the surprise beyond three nats weighted by harm, summed over the actions.

    Unit: weighted nats.
    """
    found = past.surprise.of(Dimension.ACTION)
    weight = weights(windows.vocabulary, Dimension.ACTION, sensitivity)[found.term]
    beyond = np.maximum(found.own - _EXPECTED, 0.0) * weight
    return np.bincount(found.row, weights=beyond, minlength=windows.n).astype(np.float64)
