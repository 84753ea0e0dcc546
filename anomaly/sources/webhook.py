"""Bodies that an API server's webhook backend posts: an EventList of `audit.k8s.io/v1`, at most as long as we hold.

The API server sends plain JSON; relays in between may compress it. Whatever it is, something is kept: events, or a reject
with the reason. A refused body would come four times more and then be lost for good.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from io import BytesIO
from typing import Final

from anomaly.errors import SourceUnavailable
from anomaly.events.decode import Decoded, Reject, decode_lines, decode_list
from anomaly.sources.block import HEAD_BYTES, Oversized
from anomaly.sources.items import KEY_REACH, item_blocks
from anomaly.sources.streams import GZIP_MAGIC, ZSTD_MAGIC, decompressed

_STEP: Final = 1 << 20
_LIST: Final = re.compile(rb'"items"\s*:\s*\[')
_HARMLESS: Final = 16 << 20
"""Bytes below which no expansion is worth being called a bomb: a small batch of equal events compresses very well."""


@dataclass(frozen=True, slots=True)
class Body:
    """A body as received: its first bytes, as many as are held, and how many there were."""

    held: bytes
    size: int
    encoding: str = ""
    """What the Content-Encoding header said; the magic number decides, this only goes into reasons."""

    @property
    def cut(self) -> bool:
        """Whether more was sent than is held."""
        return self.size > len(self.held)


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a body may be after decompression, in bytes, and how many times its size compressed input may grow."""

    max_body: int
    max_expansion: int


def unwrap(body: Body, limits: Limits) -> Decoded:
    """This will decode a body into events and rejects; it never raises on content.

    Of a body longer than the limit the events that are whole within it are kept, and what follows is one reject that says
    how much was lost.
    """
    if body.held.startswith((GZIP_MAGIC, ZSTD_MAGIC)):
        return _unpack(body, limits)
    if body.cut:
        return _what_is_whole(body.held, f"the body is {body.size:,} bytes long,", body.size, limits)
    decoded = _listed(body.held)
    if body.encoding not in {"", "identity"} and decoded.rejects and not decoded.events:
        reason = f"content-encoding {body.encoding[:40]!r} is not understood, send plain, gzip or zstd"
        return Decoded(rejects=[Reject(body.held, reason)])
    return decoded


def _listed(body: bytes) -> Decoded:
    """Decode an EventList; when it cannot be decoded as one, item by item: one odd event must not hide 399 others."""
    decoded = decode_list(body)
    if decoded.events or not _LIST.search(body[:KEY_REACH]):
        return decoded
    apart = Decoded()
    for block in item_blocks(BytesIO(body).read, 0, 0):
        if isinstance(block, Oversized):
            apart.rejects.append(Reject(block.head, "the event is too long to be kept", block.length))
        else:
            _add(apart, decode_lines(block.data))
    return apart if apart.events else decoded


def _add(decoded: Decoded, part: Decoded) -> None:
    decoded.events += part.events
    decoded.shapes += part.shapes
    decoded.raws += part.raws
    decoded.rejects += part.rejects


def whole(body: Body, reason: str) -> Decoded:
    """This will put a whole body into one reject."""
    return Decoded(rejects=[Reject(body.held, reason[:500], body.size)])


def _unpack(body: Body, limits: Limits) -> Decoded:
    if body.cut:
        return whole(body, f"the compressed body is {body.size:,} bytes long, more than serve.max_body")
    stream = decompressed(BytesIO(), body.held, "the body")
    most = min(limits.max_body, max(_HARMLESS, len(body.held) * limits.max_expansion))
    pieces, length = [], 0
    try:
        while length <= most and (piece := stream.read(_STEP)):
            pieces.append(piece)
            length += len(piece)
    except SourceUnavailable:
        return whole(body, "the compressed body is cut short or damaged")
    if length > most and most < limits.max_body:
        return whole(body, f"a decompression bomb: it grows more than {limits.max_expansion} times")
    plain = b"".join(pieces)
    if length > most:
        return _what_is_whole(plain[:most], "decompressed the body is", length, limits)
    return _listed(plain)


def _what_is_whole(held: bytes, what: str, size: int, limits: Limits) -> Decoded:
    decoded = Decoded()
    taken = 0
    for block in item_blocks(BytesIO(held).read, 0, 0):
        if isinstance(block, Oversized):
            decoded.rejects.append(Reject(block.head, "the event is too long to be kept", block.length))
        elif not block.partial:
            _add(decoded, decode_lines(block.data))
            taken = block.end
    lost = f"{what} more than serve.max_body ({limits.max_body:,}): events behind byte {taken:,} are lost"
    decoded.rejects.append(Reject(held[taken : taken + HEAD_BYTES], lost, size - taken))
    return decoded
