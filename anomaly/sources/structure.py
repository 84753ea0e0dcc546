"""Where JSON values begin and end in a stream of bytes, worked out with arrays instead of a loop over characters.

RFC 8259: brackets count only outside strings, and a quote ends a string unless an odd number of backslashes stands before it.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

_QUOTE, _SLASH, _OPEN, _CLOSE = 1, 2, 3, 4
_CLASSES: Final = np.zeros(256, np.uint8)
for _character, _class in ((b'"', _QUOTE), (b"\\", _SLASH), (b"{[", _OPEN), (b"}]", _CLOSE)):
    _CLASSES[np.frombuffer(_character, np.uint8)] = _class

DEEPEST: Final = 3
"""Brackets nested deeper than this are not reported: lists of events need no more."""


class Structure:
    """Follows the nesting of a stream given chunk by chunk; what it remembers between chunks is three numbers."""

    def __init__(self, depth: int = 0) -> None:
        self.depth = depth
        self._in_string = False
        self._escaped = False

    def feed(self, chunk: bytes) -> tuple[list[int], list[int]]:
        """This will return the brackets at the top levels: their places in the chunk, and the depth after each.

        An opening bracket is told from a closing one by the byte at its place. Closing brackets too many are not reported
        again below depth 0, so damaged input cannot push the depth out of step for good.
        """
        classes = _CLASSES[np.frombuffer(chunk, np.uint8)]
        if self._escaped and classes[0] <= _SLASH:
            classes[0] = 0
        places = np.flatnonzero(classes)
        kinds = classes[places]
        slashes = kinds == _SLASH
        escaping = _ends_an_odd_run(places, slashes)
        self._escaped = bool(places.size) and places[-1] == len(chunk) - 1 and bool(escaping[-1])
        quotes = kinds == _QUOTE
        quotes[1:] &= ~(escaping[:-1] & (places[1:] == places[:-1] + 1))
        inside = (np.cumsum(quotes) + self._in_string) & 1
        self._in_string = bool(inside[-1]) if inside.size else self._in_string
        brackets = (kinds >= _OPEN) & (inside == 0)
        return self._levels(places[brackets], kinds[brackets])

    def _levels(self, places: NDArray[np.intp], kinds: NDArray[np.uint8]) -> tuple[list[int], list[int]]:
        if not places.size:
            return [], []
        steps = np.where(kinds == _OPEN, 1, -1)
        depths = np.cumsum(steps) + self.depth
        depths -= np.minimum(np.minimum.accumulate(depths), 0)
        self.depth = int(depths[-1])
        shallow = depths + (steps < 0) <= DEEPEST
        return places[shallow].tolist(), depths[shallow].tolist()


def _ends_an_odd_run(places: NDArray[np.intp], slashes: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """This will mark the backslashes that end an odd number of neighbouring ones so far: what follows them is escaped."""
    if not slashes.any():
        return slashes
    order = np.arange(places.size)
    follows = np.zeros(places.size, np.bool_)
    follows[1:] = slashes[1:] & slashes[:-1] & (places[1:] == places[:-1] + 1)
    run_start = np.maximum.accumulate(np.where(follows, 0, order))
    odd: NDArray[np.bool_] = slashes & ((order - run_start) % 2 == 0)
    return odd
