"""Many windows at once: sparse histograms as flat arrays, and the few questions all features are made of.

Packed, a window is a run of 12-byte records (term uint32, count int64, little-endian), sorted by term. Sums of histograms
are histograms: order, retries, replicas and lateness cannot change what comes out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from anomaly.windows.dimension import Dimension
from anomaly.windows.vocabulary import Vocabulary

RECORD: Final = np.dtype([("term", "<u4"), ("count", "<i8")])

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]


def pack(terms: NDArray[np.integer], counts: NDArray[np.integer]) -> bytes:
    """This will return the packed form of one histogram; terms must be sorted and distinct."""
    records = np.empty(len(terms), dtype=RECORD)
    records["term"] = terms
    records["count"] = counts
    return records.tobytes()


def merge(blobs: Iterable[bytes]) -> bytes:
    """This will return the packed sum of packed histograms."""
    records = np.frombuffer(b"".join(blobs), dtype=RECORD)
    terms, where = np.unique(records["term"], return_inverse=True)
    counts = np.zeros(len(terms), dtype=np.int64)
    np.add.at(counts, where, records["count"])
    return pack(terms, counts)


@dataclass(frozen=True, slots=True)
class Windows:
    """`n` windows in compressed sparse rows: window i has the terms and counts from offsets[i] to offsets[i + 1].

    `start` is in microseconds since 1970, `span_us` the length of each window in microseconds. An entry takes 13 bytes; the
    questions answer in 64-bit integers.
    """

    vocabulary: Vocabulary
    entity: NDArray[np.int32]
    start: NDArray[np.int64]
    span_us: int
    offsets: NDArray[np.int64]
    terms: NDArray[np.int32]
    counts: Floats
    dimensions: NDArray[np.uint8]

    @property
    def n(self) -> int:
        return len(self.entity)

    @property
    def row(self) -> NDArray[np.int32]:
        """The window of each entry. Made when asked for: kept for a million windows it would be a quarter of what they take."""
        return np.repeat(np.arange(self.n, dtype=np.int32), np.diff(self.offsets))

    @classmethod
    def of(
        cls,
        vocabulary: Vocabulary,
        entity: Sequence[int],
        start: Sequence[int],
        blobs: Sequence[bytes],
        span_us: int,
    ) -> Windows:
        """This will unpack windows; rows with the same entity and start are summed. Sorted by entity, then start.

        Raises ValueError when a term is not in the vocabulary.
        """
        lengths = (
            np.fromiter((len(blob) for blob in blobs), dtype=np.int64, count=len(blobs)) // RECORD.itemsize
        )
        records = np.frombuffer(b"".join(blobs), dtype=RECORD)
        return cls.from_records(vocabulary, np.asarray(entity), np.asarray(start), lengths, records, span_us)

    @classmethod
    def from_records(
        cls,
        vocabulary: Vocabulary,
        entity: NDArray[np.integer],
        start: NDArray[np.integer],
        lengths: NDArray[np.int64],
        records: NDArray[np.void],
        span_us: int,
        rank: NDArray[np.integer] | None = None,
    ) -> Windows:
        """This will build windows from rows of records: row i has `lengths[i]` of them, one after the other. Sorted by the
        entity's `rank`, its number unless said, then by start."""
        order = np.lexsort((start, entity if rank is None else rank))
        fresh = np.ones(len(order), dtype=np.bool_)
        fresh[1:] = (np.diff(entity[order]) != 0) | (np.diff(start[order]) != 0)
        window_of = np.empty(len(order), dtype=np.int64)
        window_of[order] = np.cumsum(fresh) - 1
        first = order[fresh]
        row = np.repeat(window_of, lengths)
        terms = records["term"].astype(np.int64)
        if len(terms) and int(terms.max()) >= vocabulary.size:
            raise ValueError(
                "a window holds a term that is not in the vocabulary: load the vocabulary after the windows"
            )
        counts = records["count"].astype(np.float64)
        if not _in_order(row, terms):
            row, terms, counts = _sum(row, terms, counts)
        offsets = np.zeros(len(first) + 1, dtype=np.int64)
        np.cumsum(np.bincount(row, minlength=len(first)), out=offsets[1:])
        return cls(
            vocabulary,
            entity[first].astype(np.int32),
            start[first].astype(np.int64),
            span_us,
            offsets,
            terms.astype(np.int32),
            counts,
            vocabulary.dimensions[terms] if len(terms) else np.zeros(0, dtype=np.uint8),
        )

    def _chosen(self, dimension: Dimension, where: Mask | None) -> Mask:
        chosen: Mask = self.dimensions == int(dimension)
        return chosen if where is None else np.logical_and(chosen, where[self.terms])

    def rows(
        self, dimension: Dimension, where: Mask | None = None
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], Floats]:
        """This will return (window index, term, count) of every entry of a dimension; `where` is a mask over term ids."""
        chosen = self._chosen(dimension, where)
        return self.row[chosen].astype(np.int64), self.terms[chosen].astype(np.int64), self.counts[chosen]

    def count(self, dimension: Dimension, where: Mask | None = None) -> Floats:
        """This will return the sum of counts per window, float64 of length n."""
        row, _, counts = self.rows(dimension, where)
        return np.bincount(row, weights=counts, minlength=self.n).astype(np.float64)

    def distinct(self, dimension: Dimension, where: Mask | None = None) -> Floats:
        """This will return how many different terms each window holds, float64 of length n."""
        row, _, _ = self.rows(dimension, where)
        return np.bincount(row, minlength=self.n).astype(np.float64)

    def entropy(self, dimension: Dimension, where: Mask | None = None) -> Floats:
        """This will return the Shannon entropy of the mix in each window, in nats; 0 where there is nothing or one term."""
        row, _, counts = self.rows(dimension, where)
        total = np.bincount(row, weights=counts, minlength=self.n)
        logs = np.bincount(row, weights=counts * np.log(counts), minlength=self.n)
        return np.maximum(
            np.where(total > 0, np.log(np.maximum(total, 1.0)) - logs / np.maximum(total, 1.0), 0.0), 0.0
        )

    def largest(self, dimension: Dimension, where: Mask | None = None) -> Floats:
        """This will return the largest single count per window, float64 of length n."""
        row, _, counts = self.rows(dimension, where)
        result = np.zeros(self.n)
        np.maximum.at(result, row, counts)
        return result

    def take(self, index: NDArray[np.integer]) -> Windows:
        """This will return the chosen windows, in the order of the index."""
        lengths = np.diff(self.offsets)[index]
        starts = self.offsets[:-1][index]
        offsets = np.concatenate(([0], np.cumsum(lengths)))
        flat = np.arange(offsets[-1]) - np.repeat(offsets[:-1] - starts, lengths)
        return Windows(
            self.vocabulary,
            self.entity[index],
            self.start[index],
            self.span_us,
            offsets.astype(np.int64),
            self.terms[flat],
            self.counts[flat],
            self.dimensions[flat],
        )

    def blocks(self, most: int) -> Iterator[Windows]:
        """This will yield all windows in order, at most so many at a time."""
        for first in range(0, self.n, most):
            yield self.take(np.arange(first, min(first + most, self.n))) if self.n > most else self

    def sample(self, most: int) -> Windows:
        """This will return at most so many of the windows, evenly spread over all of them."""
        step = -(-self.n // most)
        return self.take(np.arange(0, self.n, step)) if step > 1 else self

    @classmethod
    def joined(cls, vocabulary: Vocabulary, parts: Sequence[Windows], span_us: int) -> Windows:
        """This will return the windows of all parts, one part after the other; `vocabulary` must cover
        them all."""
        entries = np.cumsum([0, *(len(part.terms) for part in parts)])
        return cls(
            vocabulary,
            _one([part.entity for part in parts], np.int32),
            _one([part.start for part in parts], np.int64),
            span_us,
            np.concatenate(
                [np.zeros(1, dtype=np.int64)]
                + [part.offsets[1:] + entries[place] for place, part in enumerate(parts)]
            ),
            _one([part.terms for part in parts], np.int32),
            _one([part.counts for part in parts], np.float64),
            _one([part.dimensions for part in parts], np.uint8),
        )

    def histogram(self, index: int) -> dict[tuple[Dimension, str], float]:
        """This will return one window as a dict from (dimension, text) to count, for showing and for tests."""
        chosen = slice(int(self.offsets[index]), int(self.offsets[index + 1]))
        return {
            (self.vocabulary.dimension_of(int(term)), self.vocabulary.text_of(int(term))): float(count)
            for term, count in zip(self.terms[chosen], self.counts[chosen], strict=True)
        }


def _one(parts: Sequence[NDArray[Any]], kind: type[np.generic]) -> NDArray[Any]:
    return np.concatenate(parts) if len(parts) else np.zeros(0, dtype=kind)


def _in_order(row: NDArray[np.int64], terms: NDArray[np.int64]) -> bool:
    """Whether entries come sorted and none twice, as they do when every window was folded."""
    if len(row) < 2:
        return True
    step = np.diff(row)
    return bool(((step > 0) | ((step == 0) & (np.diff(terms) > 0))).all())


def _sum(
    row: NDArray[np.int64], terms: NDArray[np.int64], counts: Floats
) -> tuple[NDArray[np.int64], NDArray[np.int64], Floats]:
    """Sort by (row, term) and add what falls together."""
    if not len(row):
        return row, terms, counts
    packed = (row << 32) | terms
    order = np.argsort(packed, kind="stable")
    packed = packed[order]
    starts = np.flatnonzero(np.concatenate(([True], np.diff(packed) != 0)))
    summed = np.add.reduceat(counts[order], starts)
    return packed[starts] >> 32, packed[starts] & 0xFFFFFFFF, summed
