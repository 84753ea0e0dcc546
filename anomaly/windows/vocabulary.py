"""Terms and their numbers, so that windows are arrays of integers and questions about text become masks."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from anomaly.windows.dimension import Dimension


class Vocabulary:
    """An immutable set of terms, each with its id. Ids need not be dense, but arrays are as long as the largest."""

    def __init__(self, terms: Iterable[tuple[int, int, str]]) -> None:
        """Takes (id, dimension, text) triples in any order."""
        self._texts: dict[int, str] = {}
        pairs: list[tuple[int, int]] = []
        for number, dimension, text in terms:
            self._texts[number] = text
            pairs.append((number, dimension))
        self.size = max((number for number, _ in pairs), default=-1) + 1
        self.dimensions: NDArray[np.uint8] = np.zeros(self.size, dtype=np.uint8)
        if pairs:
            ids, dims = np.array(pairs, dtype=np.int64).T
            self.dimensions[ids] = dims

    def __len__(self) -> int:
        return len(self._texts)

    @cached_property
    def _ids(self) -> dict[tuple[int, str], int]:
        return {(int(self.dimensions[number]), text): number for number, text in self._texts.items()}

    def id_of(self, dimension: Dimension, text: str) -> int | None:
        """This will return the id of a term, or None when it never occurred."""
        return self._ids.get((int(dimension), text))

    def text_of(self, number: int) -> str:
        """This will return a term's text. Raises KeyError for an id that is not there."""
        return self._texts[number]

    def dimension_of(self, number: int) -> Dimension:
        """This will return a term's dimension. Raises ValueError for an id that is not there."""
        return Dimension(int(self.dimensions[number]))

    def of(self, dimension: Dimension) -> NDArray[np.int64]:
        """This will return the ids of one dimension, ascending."""
        return np.flatnonzero(self.dimensions == int(dimension))

    def select(self, dimension: Dimension, predicate: Callable[[str], bool]) -> NDArray[np.bool_]:
        """This will return a mask over all ids (length `size`): the terms of the dimension whose text passes."""
        mask = np.zeros(self.size, dtype=np.bool_)
        for number in self.of(dimension):
            mask[number] = predicate(self._texts[int(number)])
        return mask
