"""What a source hands on: whole lines or items with the position behind them, or a note of one too large to hold."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b
from typing import Final

BLOCK_BYTES: Final = 4 << 20
"""How much is read at a time: large enough that the work for each block does not count, small enough to hold several."""

HEAD_BYTES: Final = 64 << 10
"""How much of something oversized is kept, so that a person can see what it was."""

MARK_BYTES: Final = 1024
"""How much before a position is looked at to recognise it."""


@dataclass(frozen=True, slots=True)
class Position:
    """Where reading stopped: the decompressed offset, and a mark of the bytes before it.

    The mark lets a later reading notice that the file was replaced by another one; an empty mark is not checked.
    """

    offset: int = 0
    mark: str = ""


@dataclass(frozen=True, slots=True)
class Block:
    """Whole lines, or whole items of a list one a line. Reading again from `end` gives exactly what follows.

    `partial` says that the file ended without a newline (or inside an item): the writer may not be done with it.
    """

    data: bytes
    end: int
    mark: str = ""
    partial: bool = False

    @property
    def position(self) -> Position:
        """The position to go on from."""
        return Position(self.end, self.mark)


@dataclass(frozen=True, slots=True)
class Oversized:
    """A line or item longer than the largest event taken: its first 64 KiB, its whole length in bytes, the offset behind it."""

    head: bytes
    length: int
    end: int

    @property
    def position(self) -> Position:
        """The position to go on from; without a mark, because the bytes were not kept."""
        return Position(self.end)


def mark_of(before: bytes) -> str:
    """This will return the mark of a position from the bytes that end there: how many were looked at, and their hash."""
    tail = before[-MARK_BYTES:]
    return f"{len(tail)}:{blake2b(tail, digest_size=8).hexdigest()}"


def mark_agrees(mark: str, before: bytes) -> bool:
    """This will say whether the bytes before a position are those of the mark; an empty or broken mark agrees with anything."""
    count, _, _ = mark.partition(":")
    if not count.isdigit() or not 0 < int(count) <= MARK_BYTES:
        return True
    return len(before) >= int(count) and mark_of(before[-int(count) :]) == mark
