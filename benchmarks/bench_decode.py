"""How fast bytes become typed audit events, beside what else reads JSON in the same run on the same lines.

`python -m benchmarks.bench_decode [--events N]` prints one line a figure: events a second, MB/s, and the ratio to the slowest.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from anomaly.events.decode import decode_lines
from anomaly.sources.block import Block
from anomaly.sources.files import open_source
from anomaly.sources.unwrap import normalise
from benchmarks.realistic import SAMPLE, make

TURNS: Final = 3
"""Each figure is the best of so many turns: the others were disturbed."""


def read_blocks(path: Path) -> list[bytes]:
    """This will return the blocks of a log."""
    with open_source(path) as source:
        return [block.data for block in source.blocks() if isinstance(block, Block)]


def standard_library(blocks: list[bytes]) -> int:
    """This will parse every line in full with json. Returns how many."""
    return sum(1 for data in blocks for line in data.splitlines() if json.loads(line))


def untyped(blocks: list[bytes]) -> int:
    """This will parse every line in full with msgspec, without types. Returns how many."""
    decoder = msgspec.json.Decoder()
    return sum(1 for data in blocks for line in data.splitlines() if decoder.decode(line))


def typed(blocks: list[bytes]) -> int:
    """This will decode every line as the product does, with the shape of each event. Returns how many."""
    return sum(len(decode_lines(data).events) for data in blocks)


def typed_behind_unwrap(blocks: list[bytes]) -> int:
    """This will do the same behind the search for cloud wrappers. Returns how many."""
    return sum(len(decode_lines(normalise(data)).events) for data in blocks)


def lines_only(path: Path) -> Callable[[list[bytes]], int]:
    """This will give a task that reads the log from disk as blocks of lines and no more."""
    return lambda _: sum(data.count(b"\n") for data in read_blocks(path))


def best_seconds(task: Callable[[list[bytes]], int], blocks: list[bytes], expected: int) -> float:
    """This will return the processor seconds of the fastest turn: others on the machine do not count. Raises ValueError when a task loses an event."""
    fastest = float("inf")
    for _ in range(TURNS):
        began = time.process_time()
        count = task(blocks)
        fastest = min(fastest, time.process_time() - began)
        if count != expected:
            raise ValueError(f"{count:,} events came back of {expected:,}")
    return fastest


def main() -> None:
    """This will print the figures."""
    parser = argparse.ArgumentParser(description="Measure decoding of audit events.")
    parser.add_argument("--events", type=int, default=60_000)
    parser.add_argument("--sample", type=Path, default=SAMPLE)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "audit.jsonl"
        made = make(chosen.sample, path, 1 << 40, events_wanted=chosen.events)
        blocks = read_blocks(path)
        tasks: dict[str, Callable[[list[bytes]], int]] = {
            "json of the standard library, in full": standard_library,
            "msgspec without types, in full": untyped,
            "decode: typed events with shapes": typed,
            "decode behind the search for wrappers": typed_behind_unwrap,
            "reading lines from disk alone": lines_only(path),
        }
        seconds = {name: best_seconds(task, blocks, made.events) for name, task in tasks.items()}
    print(
        f"{made.events:,} events, {made.bytes / made.events:,.0f} bytes each, best of {TURNS}, processor time"
    )
    slowest = max(seconds.values())
    for name, took in seconds.items():
        rate, volume = made.events / took, made.bytes / took / 1e6
        print(f"{name:<40} {rate:>12,.0f} events/s {volume:>8,.0f} MB/s {slowest / took:>8.1f}x")


if __name__ == "__main__":
    main()
