"""Terms and their numbers, so that windows are arrays of integers and questions about text become masks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from anomaly.windows.dimension import Dimension


class Vocabulary:
    """An immutable set of terms, each with its id. Ids need not be dense, but arrays are as long as the largest.

    `base` is the vocabulary it was widened from, all of whose ids it has; what was worked out for that holds for it as well.
    """

    base: Vocabulary | None = None

    def __init__(self, terms: Iterable[tuple[int, int, str]]) -> None:
        """Takes (id, dimension, text) triples in any order."""
        self._texts: dict[int, str] = {}
        self._added: dict[int, str] = {}
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
        return len(self._texts) + len(self._added)

    def widened(self, terms: Sequence[tuple[int, Dimension, str]]) -> Vocabulary:
        """This will return a vocabulary with these (id, dimension, text) too, in time that grows with what was ever added only.

        Ids begin at `size` or later; none of the terms may be here already.
        """
        made = Vocabulary.__new__(Vocabulary)
        made.base = self
        made._texts = self._texts
        made._added = self._added | {number: text for number, _, text in terms}
        made.size = max((number for number, _, _ in terms), default=self.size - 1) + 1
        fresh = np.zeros(made.size - self.size, dtype=np.uint8)
        for number, dimension, _ in terms:
            fresh[number - self.size] = int(dimension)
        made.dimensions = np.concatenate((self.dimensions, fresh))
        return made

    def numbers_beyond(self, base: Vocabulary, dimension: Dimension) -> list[int]:
        """This will return the ids of a dimension that `base`, from which this was widened, does not have."""
        beyond = self.dimensions[base.size :]
        return (np.flatnonzero(beyond == int(dimension)) + base.size).tolist()

    @cached_property
    def _ids(self) -> dict[tuple[int, str], int]:
        if self.base is None:
            own = self._texts
        else:
            own = {number: text for number, text in self._added.items() if number >= self.base.size}
        return {(int(self.dimensions[number]), text): number for number, text in own.items()}

    def id_of(self, dimension: Dimension, text: str) -> int | None:
        """This will return the id of a term, or None when it never occurred."""
        if self.base is not None and (known := self.base.id_of(dimension, text)) is not None:
            return known
        return self._ids.get((int(dimension), text))

    def text_of(self, number: int) -> str:
        """This will return a term's text. Raises KeyError for an id that is not there."""
        # Asked for every term of a window that deviates: two dictionaries, however often it was widened.
        added = self._added.get(number)
        return self._texts[number] if added is None else added

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
            mask[number] = predicate(self.text_of(int(number)))
        return mask
