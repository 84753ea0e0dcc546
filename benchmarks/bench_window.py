"""How fast events fold into windows, beside counting them one after the other with collections.Counter in the same run.

`python -m benchmarks.bench_window [--events N]`. Both begin with decoded events whose terms are known, as the writer has them,
and must agree in every count.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections import Counter, defaultdict
from itertools import pairwise
from pathlib import Path
from typing import Final

import numpy as np

from anomaly.events.decode import Decoded, decode_lines
from anomaly.events.key import microseconds, received_at
from anomaly.sources.block import Block
from anomaly.sources.files import open_source
from anomaly.windows.dimension import Dimension
from anomaly.windows.fold import MINUTE_US, Counted, Part, fold
from anomaly.windows.terms import Term, event_terms, shape_terms
from anomaly.windows.window import RECORD, merge
from benchmarks.realistic import SAMPLE, make

SPAN_US: Final = 3_600_000_000
TURNS: Final = 3
_BYTES: Final[Term] = (Dimension.BYTES, "")

Counts = dict[tuple[int, int], Counter[int]]


class Numbers:
    """Every term and every user gets a number when it is first met."""

    def __init__(self) -> None:
        self.terms: dict[Term, int] = {}
        self.users: dict[str, int] = {}

    def of(self, term: Term) -> int:
        return self.terms.setdefault(term, len(self.terms))


def counted(decoded: Decoded, numbers: Numbers) -> Counted:
    """This will make one batch ready, as the writer does."""
    distinct = {shape: index for index, shape in enumerate(dict.fromkeys(decoded.shapes))}
    extras = [
        (index, numbers.of(term))
        for index, (event, shape) in enumerate(zip(decoded.events, decoded.shapes, strict=True))
        for term in event_terms(event, shape)
    ]
    moments = [received_at(event) for event in decoded.events]
    users = [numbers.users.setdefault(shape.identity.username, len(numbers.users)) for shape in distinct]
    return Counted(
        received_us=np.array([microseconds(moment) for moment in moments if moment is not None]),
        shape=np.array([distinct[shape] for shape in decoded.shapes]),
        weight=np.array([len(raw) for raw in decoded.raws]),
        entity_of_shape=np.array(users),
        final_shape=np.array([shape.final for shape in distinct]),
        terms_of_shape=[
            np.array([numbers.of(term) for term in shape_terms(one)], dtype=np.int64) for one in distinct
        ],
        extra_event=np.array([index for index, _ in extras], dtype=np.int64),
        extra_term=np.array([number for _, number in extras], dtype=np.int64),
        minute_terms=np.array([numbers.of((Dimension.MINUTE, str(minute))) for minute in range(1_440)]),
        bytes_term=numbers.of(_BYTES),
    )


def plainly(batches: list[Counted]) -> Counts:
    """This will count event by event: what anybody would write first."""
    windows: Counts = defaultdict(Counter)
    for batch in batches:
        extras = defaultdict(list)
        for index, number in zip(batch.extra_event.tolist(), batch.extra_term.tolist(), strict=True):
            extras[index].append(number)
        terms = [one.tolist() for one in batch.terms_of_shape]
        minutes = batch.minute_terms.tolist()
        columns = (batch.received_us.tolist(), batch.shape.tolist(), batch.weight.tolist())
        for index, (moment, shape, size) in enumerate(zip(*columns, strict=True)):
            if not terms[shape]:
                continue
            start = moment - moment % SPAN_US
            window = windows[int(batch.entity_of_shape[shape]), start]
            window.update(terms[shape])
            window.update(extras[index])
            if batch.final_shape[shape]:
                window[minutes[(moment - start) // MINUTE_US]] += 1
                window[batch.bytes_term] += size
    return windows


def folded(batches: list[Counted]) -> list[Part]:
    """This will fold each batch into parts, as the writer does before it writes them."""
    return [part for batch in batches for part in fold(batch, SPAN_US)]


def summed(parts: list[Part]) -> Counts:
    """This will add parts up, as the folder and every reader do."""
    grouped: dict[tuple[int, int], list[bytes]] = defaultdict(list)
    for part in parts:
        grouped[part.entity_id, part.start_us].append(part.histogram)
    windows: Counts = {}
    for key, blobs in grouped.items():
        records = np.frombuffer(merge(blobs), dtype=RECORD)
        windows[key] = Counter(dict(zip(records["term"].tolist(), records["count"].tolist(), strict=True)))
    return windows


def main() -> None:
    """This will print the figures."""
    parser = argparse.ArgumentParser(description="Measure the folding of events into windows.")
    parser.add_argument("--events", type=int, default=50_000)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "audit.jsonl"
        make(SAMPLE, log, 1 << 40, events_wanted=chosen.events)
        with open_source(log) as source:
            decoded = [decode_lines(block.data) for block in source.blocks() if isinstance(block, Block)]
    numbers = Numbers()
    batches = [counted(one, numbers) for one in decoded]
    seconds = {"plain": float("inf"), "fold": float("inf"), "add": float("inf")}
    plain: Counts = {}
    parts: list[Part] = []
    for _ in range(TURNS):
        moments = [time.perf_counter()]
        plain = plainly(batches)
        moments.append(time.perf_counter())
        parts = folded(batches)
        moments.append(time.perf_counter())
        added = summed(parts)
        moments.append(time.perf_counter())
        for name, (begin, end) in zip(seconds, pairwise(moments), strict=True):
            seconds[name] = min(seconds[name], end - begin)
        if added != plain:
            raise SystemExit("the fold and the plain count disagree")
    events = sum(len(one.events) for one in decoded)
    both = seconds["fold"] + seconds["add"]
    print(
        f"{events:,} events in {len(batches)} batches, {len(parts):,} parts of {len(plain):,} windows; all counts agree"
    )
    print(f"{'collections.Counter, event by event':44} {events / seconds['plain']:>12,.0f} events/s")
    print(
        f"{'fold into parts':44} {events / seconds['fold']:>12,.0f} events/s {seconds['plain'] / seconds['fold']:>8.1f}x"
    )
    print(
        f"{'fold into parts and add them up':44} {events / both:>12,.0f} events/s {seconds['plain'] / both:>8.1f}x"
    )


if __name__ == "__main__":
    main()
