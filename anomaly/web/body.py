"""Reading a body: as a stream, within a time, into memory that is counted before it is used."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Final

from starlette.requests import Request

from anomaly.sources.webhook import Body
from anomaly.web.problem import BodyTooSlow, ComeBack

_STEP: Final = 1 << 20


class Pending:
    """Counts the bytes of bodies in memory. For one event loop; not for threads."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self.held = 0

    def take(self, size: int) -> None:
        """This will count `size` bytes more. Raises ComeBack when they do not fit."""
        if self.held + size > self._limit:
            raise ComeBack("Too many bodies are waiting to be stored.")
        self.held += size

    def give(self, size: int) -> None:
        """This will count `size` bytes less."""
        self.held -= size


class Share:
    """What one request holds of the pending bytes; `give_back` is called once it lets go, early or late. `most` stays after it."""

    def __init__(self, pending: Pending) -> None:
        self._pending = pending
        self.size = 0
        self.most = 0

    def grow_to(self, size: int) -> None:
        """This will hold at least `size` bytes. Raises ComeBack when they do not fit."""
        if size > self.size:
            self._pending.take(size - self.size)
            self.size = self.most = size

    def give_back(self) -> None:
        """This will hold nothing more; calling it again changes nothing."""
        self._pending.give(self.size)
        self.size = 0


def declared_length(request: Request) -> int:
    """This will return how long the sender says that the body is, in bytes; 0 when it says nothing that is a number."""
    declared = request.headers.get("content-length", "")
    return int(declared) if declared.isascii() and declared.isdigit() else 0


async def read_body(request: Request, share: Share, max_body: int, within: timedelta) -> Body:
    """This will read the body to its end and keep its first `max_body` bytes; the rest is only counted.

    Raises ComeBack when memory is full, before anything is read if the length is known; BodyTooSlow after the time limit;
    starlette's ClientDisconnect when the sender goes away.
    """
    if declared := declared_length(request):
        share.grow_to(min(declared, max_body))
    held = bytearray()
    size = 0
    try:
        async with asyncio.timeout(within.total_seconds()):
            async for chunk in request.stream():
                size += len(chunk)
                if room := max_body - len(held):
                    if len(held) + len(chunk) > share.size:
                        share.grow_to(min(max_body, len(held) + max(_STEP, len(chunk))))
                    held += chunk[:room]
    except TimeoutError as late:
        raise BodyTooSlow(f"{size:,} bytes came within {within.total_seconds():g} s, and no end.") from late
    return Body(bytes(held), size, request.headers.get("content-encoding", "").strip().lower())
