"""Which terms a predicate picks, remembered for each vocabulary: predicates are Python, so each text is asked once."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from anomaly.features.questions import Asking, Predicate
from anomaly.windows.dimension import Dimension
from anomaly.windows.vocabulary import Vocabulary
from anomaly.windows.window import Windows

Column = NDArray[np.float64]

_masks: WeakKeyDictionary[Vocabulary, dict[tuple[Dimension, Predicate], NDArray[np.bool_]]] = (
    WeakKeyDictionary()
)
_weights: WeakKeyDictionary[
    Vocabulary, dict[tuple[Dimension, Callable[[str], float]], NDArray[np.float64]]
] = WeakKeyDictionary()


def mask(windows: Windows, dimension: Dimension, predicate: Predicate) -> NDArray[np.bool_]:
    """This will return the mask over term ids; give module-level functions, which are remembered.

    Whoever only notes what is asked (`anomaly.features.questions`) is given the predicate itself.
    """
    if isinstance(windows, Asking):
        return cast(NDArray[np.bool_], predicate)
    known = _masks.setdefault(windows.vocabulary, {})
    if (dimension, predicate) not in known:
        known[dimension, predicate] = _selected(windows.vocabulary, dimension, predicate)
    return known[dimension, predicate]


def _selected(vocabulary: Vocabulary, dimension: Dimension, predicate: Predicate) -> NDArray[np.bool_]:
    """Of a vocabulary that was widened only what is new is asked."""
    base = vocabulary.base
    if base is None:
        return vocabulary.select(dimension, predicate)
    known = _masks.setdefault(base, {})
    if (dimension, predicate) not in known:
        known[dimension, predicate] = _selected(base, dimension, predicate)
    found = np.zeros(vocabulary.size, dtype=np.bool_)
    found[: base.size] = known[dimension, predicate]
    for number in vocabulary.numbers_beyond(base, dimension):
        found[number] = predicate(vocabulary.text_of(number))
    return found


def weights(
    vocabulary: Vocabulary, dimension: Dimension, weigh: Callable[[str], float]
) -> NDArray[np.float64]:
    """This will return a number for each term id: `weigh` of its text in the dimension, 0 elsewhere."""
    known = _weights.setdefault(vocabulary, {})
    if (dimension, weigh) not in known:
        values = np.zeros(vocabulary.size)
        numbers = vocabulary.of(dimension).tolist()
        if (base := vocabulary.base) is not None:
            values[: base.size] = weights(base, dimension, weigh)
            numbers = vocabulary.numbers_beyond(base, dimension)
        for number in numbers:
            values[number] = weigh(vocabulary.text_of(number))
        known[dimension, weigh] = values
    return known[dimension, weigh]


def weighed(
    windows: Windows, dimension: Dimension, weigh: Callable[[str], float], terms: NDArray[np.int64]
) -> NDArray[np.float64]:
    """This will return the weight of each of these terms, as `weights` gives it; of a few terms no others are looked at."""
    words = windows.vocabulary
    if windows.n != 1:
        return weights(words, dimension, weigh)[terms]
    ours = words.dimensions[terms] == int(dimension)
    return np.array(
        [
            weigh(words.text_of(term)) if mine else 0.0
            for term, mine in zip(terms.tolist(), ours.tolist(), strict=True)
        ],
        dtype=np.float64,
    )


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
    if windows.n == 1:
        return np.maximum.reduce(value, initial=0.0, keepdims=True)
    result = np.zeros(windows.n)
    np.maximum.at(result, row, value)
    return result
