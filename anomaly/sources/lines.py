"""Cutting a stream into blocks of whole lines: nothing is looked at but newlines, so it runs as fast as the disk."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from anomaly.events.decode import MAX_EVENT_BYTES
from anomaly.sources.block import BLOCK_BYTES, HEAD_BYTES, Block, Oversized, mark_of


def line_blocks(
    read: Callable[[int], bytes], offset: int, block_bytes: int = BLOCK_BYTES, limit: int = MAX_EVENT_BYTES
) -> Iterator[Block | Oversized]:
    """This will yield whole lines of about `block_bytes` a block; `offset` is where the stream stands.

    A line longer than `limit` bytes is never held: it comes as `Oversized`. A last line without a newline comes alone, marked
    `partial`. Memory stays below `limit` and two blocks.
    """
    held: list[bytes] = []
    length = 0
    while chunk := read(min(block_bytes, limit)):
        first = chunk.find(b"\n")
        if first < 0:
            length += len(chunk)
            _hold(held, chunk, length > limit)
            continue
        if length + first > limit:
            length += first
            offset += length + 1
            yield Oversized(b"".join([*held, chunk[:first]])[:HEAD_BYTES], length, offset)
            held, length, chunk = [], 0, chunk[first + 1 :]
        cut = chunk.rfind(b"\n") + 1
        if cut:
            data = b"".join([*held, chunk[:cut]])
            offset += len(data)
            yield Block(data, offset, mark_of(data))
            held, length, chunk = [], 0, chunk[cut:]
        if chunk:
            held.append(chunk)
            length += len(chunk)
    if length > limit:
        yield Oversized(b"".join(held)[:HEAD_BYTES], length, offset + length)
    elif length:
        data = b"".join(held)
        yield Block(data, offset + length, mark_of(data), partial=True)


def _hold(held: list[bytes], chunk: bytes, oversized: bool) -> None:
    held.append(chunk)
    if oversized:
        held[:] = [b"".join(held)[:HEAD_BYTES]]
