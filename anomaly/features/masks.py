"""Which terms a predicate picks, remembered for each vocabulary: predicates are Python, so each text is asked once."""

from __future__ import annotations

from collections.abc import Callable
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from anomaly.windows.dimension import Dimension
from anomaly.windows.vocabulary import Vocabulary
from anomaly.windows.window import Windows

Predicate = Callable[[str], bool]
Column = NDArray[np.float64]

_masks: WeakKeyDictionary[Vocabulary, dict[tuple[Dimension, Predicate], NDArray[np.bool_]]] = (
    WeakKeyDictionary()
)
_weights: WeakKeyDictionary[
    Vocabulary, dict[tuple[Dimension, Callable[[str], float]], NDArray[np.float64]]
] = WeakKeyDictionary()


def mask(windows: Windows, dimension: Dimension, predicate: Predicate) -> NDArray[np.bool_]:
    """This will return the mask over term ids; give module-level functions, which are remembered."""
    known = _masks.setdefault(windows.vocabulary, {})
    if (dimension, predicate) not in known:
        known[dimension, predicate] = windows.vocabulary.select(dimension, predicate)
    return known[dimension, predicate]


def weights(
    vocabulary: Vocabulary, dimension: Dimension, weigh: Callable[[str], float]
) -> NDArray[np.float64]:
    """This will return a number for each term id: `weigh` of its text in the dimension, 0 elsewhere."""
    known = _weights.setdefault(vocabulary, {})
    if (dimension, weigh) not in known:
        values = np.zeros(vocabulary.size)
        for number in vocabulary.of(dimension):
            values[number] = weigh(vocabulary.text_of(int(number)))
        known[dimension, weigh] = values
    return known[dimension, weigh]


def count(windows: Windows, dimension: Dimension, predicate: Predicate) -> Column:
    """This will return the sum of counts of the picked terms per window."""
    return windows.count(dimension, mask(windows, dimension, predicate))


def distinct(windows: Windows, dimension: Dimension, predicate: Predicate) -> Column:
    """This will return how many different picked terms each window holds."""
    return windows.distinct(dimension, mask(windows, dimension, predicate))


def share(part: Column, whole: Column) -> Column:
    """This will return part / whole, 0 where the whole is nothing."""
    return np.divide(part, whole, out=np.zeros(len(whole)), where=whole > 0)


def tenths(part: Column, whole: Column) -> Column:
    """This will return 10 part / (whole + 2): shares of a few are worth less, and none can outshine every count."""
    return 10.0 * part / (whole + 2.0)


def per_window_max(windows: Windows, row: NDArray[np.int64], value: Column) -> Column:
    """This will return the largest value of each window, 0 for a window without any."""
    result = np.zeros(windows.n)
    np.maximum.at(result, row, value)
    return result
