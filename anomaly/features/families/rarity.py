"""Seldom: how unlikely the window's actions, places, addresses and agents are under the usual mix of the entity and its peers.

Most come as odds, 1 / P - 1: "once in so many windows". Their logarithm, which the detector takes, is the surprise in nats.
"""

from __future__ import annotations

import numpy as np

from anomaly.features.actions import sensitivity
from anomaly.features.history import Past
from anomaly.features.masks import Column, per_window_max, weighed
from anomaly.windows.dimension import Dimension
from anomaly.windows.window import Windows

_EXPECTED = 3.0
"""Nats: what happens in every twentieth window or more often is no surprise."""
_TOP = 3
_CERTAIN = 18.0
"""Nats: once in 65 million windows is as rare as anything can be known to be."""


def _largest(past: Past, dimension: Dimension, own: bool = True) -> Column:
    found = past.rare(dimension)
    return _odds(per_window_max(past.windows, found.row, found.own if own else found.peers))


def _odds(surprise: Column) -> Column:
    return np.expm1(np.minimum(surprise, _CERTAIN))


def _top_mean(windows: Windows, row: np.ndarray[tuple[int], np.dtype[np.int64]], value: Column) -> Column:
    if windows.n == 1:
        return _odds(np.add.reduce(np.sort(value)[::-1][:_TOP], keepdims=True) / _TOP)
    order = np.lexsort((-value, row))
    row, value = row[order], value[order]
    starts = np.searchsorted(row, np.arange(windows.n))
    rank = np.arange(len(row)) - starts[row]
    chosen = rank < _TOP
    return _odds(np.bincount(row[chosen], weights=value[chosen], minlength=windows.n) / _TOP)


def _known(past: Past, dimension: Dimension) -> Column:
    """The largest surprise where the entity has a past: where a stranger comes from and with what is always new."""
    found = past.rare(dimension)
    return _odds(per_window_max(past.windows, found.row, np.where(found.past > 0, found.own, 0.0)))


def action(windows: Windows, past: Past) -> Column:
    """This will return how unlikely the least likely action is.

    Unit: windows to one.
    """
    return _largest(past, Dimension.ACTION)


def three_actions(windows: Windows, past: Past) -> Column:
    """This will return how unlikely the three least likely actions are: one oddity is an accident, three are a plan.

    Unit: windows to one.
    """
    found = past.rare(Dimension.ACTION)
    return _top_mean(windows, found.row, found.own)


def excess(windows: Windows, past: Past) -> Column:
    """This will return how unlikely all actions and places are together, beyond three nats each.

    Unit: nats.
    """
    total = np.zeros(windows.n)
    for dimension in (Dimension.ACTION, Dimension.TARGET):
        found = past.rare(dimension)
        beyond = np.maximum(found.own - _EXPECTED, 0.0)
        total += np.bincount(found.row, weights=beyond, minlength=windows.n)
    return total


def place(windows: Windows, past: Past) -> Column:
    """This will return how unlikely the least likely pair of resource and namespace is.

    Unit: windows to one.
    """
    return _largest(past, Dimension.TARGET)


def three_places(windows: Windows, past: Past) -> Column:
    """This will return how unlikely the three least likely places are.

    Unit: windows to one.
    """
    found = past.rare(Dimension.TARGET)
    return _top_mean(windows, found.row, found.own)


def address(windows: Windows, past: Past) -> Column:
    """This will return how unlikely the least likely address is; 0 for a stranger.

    Unit: windows to one.
    """
    return _known(past, Dimension.ADDRESS)


def agent(windows: Windows, past: Past) -> Column:
    """This will return how unlikely the least likely user agent is; 0 for a stranger.

    Unit: windows to one.
    """
    return _known(past, Dimension.AGENT)


def action_for_peers(windows: Windows, past: Past) -> Column:
    """This will return how unlikely the least likely action is among the entity's peers.

    Unit: windows to one.
    """
    return _largest(past, Dimension.ACTION, own=False)


def place_for_peers(windows: Windows, past: Past) -> Column:
    """This will return how unlikely the least likely place is among the entity's peers.

    Unit: windows to one.
    """
    return _largest(past, Dimension.TARGET, own=False)


def sensitive_action(windows: Windows, past: Past) -> Column:
    """This will return how unlikely the least likely harmful action is: a rare secret, exec, binding or webhook outweighs a rare list.

    Unit: windows to one, weighted.
    """
    found = past.rare(Dimension.ACTION)
    weight = weighed(windows, Dimension.ACTION, sensitivity, found.term)
    return _odds(per_window_max(windows, found.row, found.own * weight))


def sensitive_total(windows: Windows, past: Past) -> Column:
    """This will return how unlikely the harmful actions are together, weighted by harm.

    Unit: weighted nats.
    """
    found = past.rare(Dimension.ACTION)
    weight = weighed(windows, Dimension.ACTION, sensitivity, found.term)
    beyond = np.maximum(found.own - _EXPECTED, 0.0) * weight
    return np.bincount(found.row, weights=beyond, minlength=windows.n).astype(np.float64)
