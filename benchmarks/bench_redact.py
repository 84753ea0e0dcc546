"""What redaction costs an event: the search for what could be a secret, and all of it, beside decoding in the same run.

`python -m benchmarks.bench_redact [LOG]` prints microseconds of processor time an event, and what a redacted one costs alone.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from anomaly.events.decode import decode_lines
from anomaly.redaction import Redactor, Tally
from anomaly.redaction.suspicion import suspicious, suspicious_among
from anomaly.sources.block import Block
from anomaly.sources.files import open_source
from benchmarks.realistic import SAMPLE

TURNS: Final = 5
"""Each figure is the best of so many turns: the others were disturbed."""


def best_seconds(task: Callable[[], object]) -> float:
    """This will return the processor seconds of the fastest turn: others on the machine do not count."""
    fastest = float("inf")
    for _ in range(TURNS):
        began = time.process_time()
        task()
        fastest = min(fastest, time.process_time() - began)
    return fastest


def main() -> None:
    """This will print the figures."""
    parser = argparse.ArgumentParser(description="Measure redaction of audit events.")
    parser.add_argument(
        "log", type=Path, nargs="?", default=SAMPLE, help="a log; the recorded one unless given"
    )
    chosen = parser.parse_args()
    with open_source(chosen.log) as source:
        blocks = [block.data for block in source.blocks() if isinstance(block, Block)]
    parts = [decode_lines(block) for block in blocks]
    raws = [raw for part in parts for raw in part.raws]
    redactor = Redactor()
    changed = [part.raws[index] for part in parts for index in redactor.redact(part).tallies]
    tasks: dict[str, tuple[Callable[[], object], int]] = {
        "decode: typed events with shapes": (lambda: [decode_lines(block) for block in blocks], len(raws)),
        "search, event by event": (lambda: [suspicious(raw) for raw in raws], len(raws)),
        "search, as redaction does": (lambda: [suspicious_among(part.raws) for part in parts], len(raws)),
        "redaction, the search in it": (lambda: [redactor.redact(part) for part in parts], len(raws)),
        "an event that is redacted, by itself": (
            lambda: [redactor.event_bytes(raw, Tally()) for raw in changed],
            max(len(changed), 1),
        ),
    }
    print(
        f"{len(raws):,} events, {sum(map(len, raws)) / max(len(raws), 1):,.0f} bytes each, {len(changed):,} redacted,"
        f" best of {TURNS}, processor time"
    )
    first = 0.0
    for name, (task, events) in tasks.items():
        took = best_seconds(task) / max(events, 1) * 1e6
        first = first or took
        print(f"{name:<40} {took:>10.2f} us an event {took / first:>8.2f} of decode")


if __name__ == "__main__":
    main()
