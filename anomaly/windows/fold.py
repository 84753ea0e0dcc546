"""What a batch of events adds to the windows of its entities: parts, which are histograms themselves.

Array in, array out: events are told apart by the index of their shape, so a batch of 2,000 events costs a few hundred
steps of Python and the rest is numpy.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from anomaly.windows.window import pack

MINUTE_US = 60_000_000


@dataclass(frozen=True, slots=True)
class Part:
    """What one batch adds to one window; `start_us` in microseconds since 1970."""

    entity_id: int
    start_us: int
    histogram: bytes


@dataclass(frozen=True, slots=True)
class Counted:
    """A batch made ready for folding. Arrays over events have length n.

    `shape[i]` indexes `terms_of_shape` (term ids each event of that shape adds) and `entity_of_shape`;
    `extra_event`, `extra_term` are the terms of single events; `minute_terms[m]` is the id of minute m;
    `weight` is the raw size in bytes, counted under `bytes_term`. `counts` says which shapes are final: only their events have
    a minute and a size.
    """

    received_us: NDArray[np.int64]
    shape: NDArray[np.int64]
    weight: NDArray[np.int64]
    entity_of_shape: NDArray[np.int64]
    final_shape: NDArray[np.bool_]
    terms_of_shape: Sequence[NDArray[np.int64]]
    extra_event: NDArray[np.int64]
    extra_term: NDArray[np.int64]
    minute_terms: NDArray[np.int64]
    bytes_term: int


def window_start(received_us: NDArray[np.int64], span_us: int) -> NDArray[np.int64]:
    """This will return the start of the window each moment falls into; windows are aligned to 1970 in UTC."""
    return received_us - received_us % span_us


def fold(batch: Counted, span_us: int, keep: NDArray[np.bool_] | None = None) -> list[Part]:
    """This will return the parts of the batch, one for each (entity, window); `keep` leaves events out (duplicates)."""
    chosen = np.arange(len(batch.shape)) if keep is None else np.flatnonzero(keep)
    lengths = np.array([len(terms) for terms in batch.terms_of_shape], dtype=np.int64)
    chosen = chosen[lengths[batch.shape[chosen]] > 0]
    if not len(chosen):
        return []
    received, shape = batch.received_us[chosen], batch.shape[chosen]
    start = window_start(received, span_us)
    entity = batch.entity_of_shape[shape]
    window, windows = _windows(entity, start)
    rows, terms, counts = _shape_counts(batch, shape, window, lengths)
    final = batch.final_shape[shape]
    minute = batch.minute_terms[(received - start) // MINUTE_US]
    position = np.full(len(batch.shape), -1, dtype=np.int64)
    position[chosen] = window
    extra = position[batch.extra_event]
    known = extra >= 0
    ones = np.ones(int(final.sum()), dtype=np.int64)
    rows = np.concatenate((rows, window[final], extra[known], window[final]))
    terms = np.concatenate(
        (terms, minute[final], batch.extra_term[known], np.full(len(ones), batch.bytes_term))
    )
    counts = np.concatenate(
        (counts, ones, np.ones(int(known.sum()), dtype=np.int64), batch.weight[chosen][final])
    )
    return _parts(rows, terms, counts, windows)


def _windows(
    entity: NDArray[np.int64], start: NDArray[np.int64]
) -> tuple[NDArray[np.int64], list[tuple[int, int]]]:
    starts, start_index = np.unique(start, return_inverse=True)
    packed, window = np.unique(entity * len(starts) + start_index, return_inverse=True)
    pairs = [(int(value) // len(starts), int(starts[int(value) % len(starts)])) for value in packed]
    return window.astype(np.int64), pairs


def _shape_counts(
    batch: Counted, shape: NDArray[np.int64], window: NDArray[np.int64], lengths: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    pairs, times = np.unique(window * len(lengths) + shape, return_counts=True)
    rows, shapes = np.divmod(pairs, len(lengths))
    terms = np.concatenate([batch.terms_of_shape[index] for index in shapes])
    repeat = lengths[shapes]
    return np.repeat(rows, repeat), terms, np.repeat(times, repeat)


def _parts(
    rows: NDArray[np.int64],
    terms: NDArray[np.int64],
    counts: NDArray[np.int64],
    windows: list[tuple[int, int]],
) -> list[Part]:
    packed = (rows << 32) | terms
    order = np.argsort(packed, kind="stable")
    packed = packed[order]
    starts = np.flatnonzero(np.concatenate(([True], np.diff(packed) != 0)))
    summed = np.add.reduceat(counts[order], starts)
    rows, terms = packed[starts] >> 32, packed[starts] & 0xFFFFFFFF
    edges = np.searchsorted(rows, np.arange(len(windows) + 1))
    return [
        Part(entity, start, pack(terms[low:high], summed[low:high]))
        for (entity, start), low, high in zip(windows, edges[:-1], edges[1:], strict=True)
    ]
