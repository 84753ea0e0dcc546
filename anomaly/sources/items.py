"""Taking a JSON list of several gigabytes apart into its items, in the memory of one item.

Understood: an object with a list under `items` (EventList), `records` (Azure) or `events` (CloudWatch), a bare array, and
single objects one after the other, each on one line or printed over many. What lies between items and is no JSON is handed
on as an item of its own, so that it is refused with a reason instead of vanishing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Final

import msgspec

from anomaly.events.decode import MAX_EVENT_BYTES
from anomaly.sources.block import BLOCK_BYTES, HEAD_BYTES, MARK_BYTES, Block, Oversized, mark_of
from anomaly.sources.structure import Structure

LIST_KEY: Final = re.compile(rb'(?<!\\)"(?:items|records|events)"\s*:\s*\Z')
KEY_REACH: Final = 256
"""How far before a bracket the name of its list is looked for."""

_BETWEEN: Final = b" \t\r\n,\xef\xbb\xbf"
_OPENING: Final = frozenset(b"{[")

Piece = Block | Oversized


def item_blocks(
    read: Callable[[int], bytes],
    offset: int,
    list_depth: int,
    block_bytes: int = BLOCK_BYTES,
    limit: int = MAX_EVENT_BYTES,
) -> Iterator[Piece]:
    """This will yield the items of a stream standing at `offset`, one a line, about `block_bytes` a block.

    `list_depth` says how deep the list lies (1 a bare array, 2 inside an object); it matters only when reading goes on inside
    one. An item longer than `limit` comes as `Oversized`; one that the file ends in the middle of as a `partial` block.
    """
    splitter = _Splitter(offset, list_depth, limit)
    while chunk := read(min(block_bytes, limit)):
        yield from splitter.feed(chunk)
    yield from splitter.finish()


class _Splitter:
    """Holds the bytes from the first unfinished value on, and where in the nesting the stream stands. Offsets are absolute."""

    def __init__(self, offset: int, list_depth: int, limit: int) -> None:
        self._limit = limit
        self._resumed_depth = list_depth if offset else 0
        self._structure: Structure | None = None
        self._held = b""
        self._base = offset
        self._list = -1  # the depth of the list being read, -1 outside one
        self._listed = False  # the value at the top holds a list, so it is not an item itself
        self._value: int | None = None  # where the open value begins
        self._gap: int | None = (
            offset  # where the space between values begins; None among an object's other fields
        )
        self._oversized = b""
        self._items: list[bytes] = []
        self._done = offset

    def feed(self, chunk: bytes) -> Iterator[Piece]:
        """This will take the next bytes and yield what became whole."""
        structure = self._structure = self._structure or self._start(chunk)
        begin = self._base + len(self._held)
        self._held += chunk
        for place, depth in zip(*structure.feed(chunk), strict=True):
            if chunk[place] in _OPENING:
                self._open(begin + place, depth)
            else:
                yield from self._close(begin + place, depth)
        yield from self._flush()
        yield from self._trim()

    def finish(self) -> Iterator[Piece]:
        """This will yield what the stream ended in the middle of."""
        end = self._base + len(self._held)
        begin = self._value if self._value is not None else self._gap
        if begin is None:
            return
        if self._oversized:
            yield Oversized(self._oversized, end - begin, end)
        elif rest := self._between(begin, end).strip(_BETWEEN):
            yield Block(one_line(rest) + b"\n", end, mark_of(self._held), partial=True)

    def _start(self, chunk: bytes) -> Structure:
        # A reading that goes on inside a list meets the comma or the bracket behind the item it stopped at.
        if self._resumed_depth and chunk.lstrip()[:1] in {b",", b"]"}:
            self._list, self._listed = self._resumed_depth, True
            return Structure(self._resumed_depth)
        return Structure()

    def _open(self, place: int, depth: int) -> None:
        array = self._between(place, place + 1) == b"["
        if depth == 1 or depth == self._list + 1:
            self._residue(place)
            self._value = place
            if depth == 1:
                self._listed, self._list = False, -1
                if array:
                    self._enter(place, 1)
        elif depth == 2 and self._list < 0 and array and self._named(place):
            self._enter(place, 2)

    def _close(self, place: int, depth: int) -> Iterator[Piece]:
        if self._list >= 0:
            if depth == self._list and self._value is not None:
                yield from self._emit(place + 1)
            elif depth == self._list - 1:
                self._residue(place)
                self._list = -1
                self._gap = place + 1 if depth == 0 else None
        elif depth == 0 and self._value is not None:
            yield from self._emit(place + 1)
        elif depth == 0 and self._listed:
            self._listed, self._gap = False, place + 1

    def _enter(self, place: int, depth: int) -> None:
        self._list, self._listed = depth, True
        self._value, self._gap, self._oversized = None, place + 1, b""

    def _named(self, place: int) -> bool:
        before = self._between(max(self._base, place - KEY_REACH), place)
        return LIST_KEY.search(before) is not None

    def _emit(self, end: int) -> Iterator[Piece]:
        begin = self._value or 0
        if end - begin > self._limit:
            yield from self._flush()
            head = self._oversized or self._between(begin, min(end, begin + HEAD_BYTES))
            yield Oversized(head, end - begin, end)
            self._oversized = b""
        else:
            self._items.append(one_line(self._between(begin, end)))
        self._value, self._gap, self._done = None, end, end

    def _residue(self, place: int) -> None:
        if self._gap is not None and (rest := self._between(self._gap, place).strip(_BETWEEN)):
            self._items.append(one_line(rest))
            self._done = place
        self._gap = None

    def _flush(self) -> Iterator[Piece]:
        if self._items:
            mark = mark_of(self._between(max(self._base, self._done - MARK_BYTES), self._done))
            yield Block(b"\n".join(self._items) + b"\n", self._done, mark)
            self._items = []

    def _trim(self) -> Iterator[Piece]:
        """Lets go of what is finished, and of all but the head of what has grown too long to be taken."""
        end = self._base + len(self._held)
        begin = self._value if self._value is not None else self._gap
        keep = end - KEY_REACH
        if begin is not None and end - begin <= self._limit:
            keep = min(keep, begin)
        elif self._value is not None:
            self._oversized = self._oversized or self._between(self._value, self._value + HEAD_BYTES)
        elif self._gap is not None:
            if rest := self._between(self._gap, end).strip(_BETWEEN):
                yield Oversized(rest[:HEAD_BYTES], len(rest), end)
            self._gap = end
        cut = max(0, keep - self._base)
        self._held = self._held[cut:]
        self._base += cut

    def _between(self, begin: int, end: int) -> bytes:
        return self._held[begin - self._base : end - self._base]


def one_line(item: bytes) -> bytes:
    """This will return the item without newlines: outside strings they mean nothing, and inside they are not JSON."""
    if b"\n" not in item:
        return item
    try:
        return msgspec.json.format(item, indent=-1)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return item.replace(b"\n", b" ")
