"""A followed log, from its checkpoint on: what a block holds and the place behind it become durable together."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Any

from anomaly.door import Door
from anomaly.pipeline import Connection, take_block
from anomaly.readers.holding import Held, Pace
from anomaly.sources.block import Position
from anomaly.sources.files import Fingerprint
from anomaly.sources.follow import Checkpoint, Followed, follow
from anomaly.store.sources import note_read
from anomaly.store.writer import Receipt, Writer


def read_followed(
    held: Held,
    writer: Writer,
    door: Door,
    cluster_id: int,
    source: str,
    path: Path,
    pace: Pace,
    clock_us: Callable[[], int],
    heard: Callable[[Receipt], None] = lambda receipt: None,
) -> None:
    """This will read a log as it grows until the pace says to stop; `heard` is told what became of each block.

    Killed at any moment, the next reading goes on behind the last block that is kept. Raises SourceUnavailable.
    """
    place = held.checkpoint()

    def nothing_to_read() -> bool:
        if path.exists():
            held.reads()
        else:
            held.waits(f"{path} is not there")
        return pace.wait()

    with closing(follow(path, nothing_to_read, _checkpoint(place))) as blocks:
        for one in blocks:
            behind = max(0, one.checkpoint.file.size - one.checkpoint.position.offset)
            heard(
                take_block(writer, door, cluster_id, source, one.block, clock_us(), _noting(held, one, path))
            )
            held.reads(behind)
            if not pace.going:
                return


def _noting(held: Held, one: Followed, path: Path) -> Callable[[Connection, Receipt, bool], None]:
    def note(transaction: Connection, receipt: Receipt, last: bool) -> None:
        note_read(transaction, held.number, receipt, str(path), _plain(one.checkpoint) if last else None)

    return note


def _plain(checkpoint: Checkpoint) -> dict[str, Any]:
    return {**asdict(checkpoint.file), **asdict(checkpoint.position)}


def _checkpoint(place: Mapping[str, Any] | None) -> Checkpoint | None:
    if place is None:
        return None
    file = Fingerprint(place["device"], place["inode"], place["size"], place["content"])
    return Checkpoint(file, Position(place["offset"], place["mark"]))
