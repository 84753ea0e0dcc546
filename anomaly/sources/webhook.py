"""Bodies that an API server's webhook backend posts: an EventList of `audit.k8s.io/v1`, at most as long as we hold.

The API server sends plain JSON; relays in between may compress it, and others send what is no EventList (`wrapped.py`). Whatever
it is, something is kept: events, or a reject with the reason. A refused body would come four times more and then be lost for good.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from io import BytesIO
from typing import Final

import msgspec

from anomaly.errors import SourceUnavailable
from anomaly.events.decode import Decoded, Reject, decode_lines, decode_list
from anomaly.sources.block import HEAD_BYTES, Oversized
from anomaly.sources.items import KEY_REACH, item_blocks, one_line
from anomaly.sources.streams import GZIP_MAGIC, ZSTD_MAGIC, decompressed
from anomaly.sources.unwrap import normalise
from anomaly.sources.wrapped import NOTHING, add, decode_wrapped

_STEP: Final = 1 << 20
MOST_ITEMS: Final = 100_000
"""Items of one body that are decoded; a kube-apiserver sends 400. What follows is one reject, kept whole."""
MOST_REJECTS: Final = 1_000
"""Rejects of one body that are kept apart; those that follow are joined, one for each reason."""
MOST_REASONS: Final = 50
"""Reasons for which there is a reject of its own then: a sender can make every one differ."""

_HEAD: Final = b'{"kind":"EventList","items":['
_ITEMS_STEP: Final = 256 << 10
_LIST: Final = re.compile(rb'"items"\s*:\s*\[')
_HARMLESS: Final = 16 << 20
"""Bytes below which no expansion is worth being called a bomb: a small batch of equal events compresses very well."""


class _Items(msgspec.Struct):
    items: list[msgspec.Raw]


_items: Final = msgspec.json.Decoder(_Items)


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
    how much was lost. The work is bounded by `MOST_ITEMS` and `MOST_REJECTS`, and what they join or leave is kept too.
    """
    decoded = _unwrap(body, limits)
    decoded.rejects = _joined(decoded.rejects)
    return decoded


def _unwrap(body: Body, limits: Limits) -> Decoded:
    if body.held.startswith((GZIP_MAGIC, ZSTD_MAGIC)):
        return _unpack(body, limits)
    if body.cut:
        return _what_is_whole(body.held, f"the body is {body.size:,} bytes long,", body.size, limits)
    decoded = _listed(body.held, limits)
    if body.encoding not in {"", "identity"} and decoded.rejects and not decoded.events:
        reason = f"content-encoding {body.encoding[:40]!r} is not understood, send plain, gzip or zstd"
        return Decoded(rejects=[Reject(body.held, reason)])
    return decoded


def _listed(body: bytes, limits: Limits) -> Decoded:
    """Decode an EventList, or what other senders wrap; when it cannot be decoded as one, item by item: one odd event must not hide 399 others."""
    listed = bool(_LIST.search(body[:KEY_REACH]))
    if body.count(b",") > MOST_ITEMS and (many := _too_many(body)):
        return many
    decoded = decode_list(body)
    if decoded.events or not decoded.rejects:
        return decoded
    if not listed:
        wrapped = decode_wrapped(body, MOST_ITEMS, _most(len(body), limits))
        if not wrapped.rejects and not wrapped.events and body.lstrip()[:1] not in {b"{", b"["}:
            return decoded
        # Of what is one thing and nothing we know, the reason of an EventList says more.
        return decoded if [one.raw for one in wrapped.rejects] == [body] and not _many(wrapped) else wrapped
    if not (decoded.rejects and decoded.rejects[0].raw is body):
        return decoded
    apart = Decoded()
    taken = _take_items(apart, body)
    if taken < len(body):
        apart.rejects.append(_left(body[taken:].lstrip(b", \r\n\t")))
    return apart if apart.events or taken < len(body) else decoded


def _too_many(body: bytes) -> Decoded | None:
    """Decode the first of more items than are taken; None when there are no more, or it is no list."""
    try:
        items = _items.decode(body).items
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
    if len(items) <= MOST_ITEMS:
        return None
    decoded = Decoded()
    for item in items[:MOST_ITEMS]:
        decoded.add(bytes(item))
    decoded.rejects.append(_left(b",".join(items[MOST_ITEMS:]) + b"]}"))
    return decoded


def _left(rest: bytes) -> Reject:
    """A list again, so that it can be taken out of quarantine like any other."""
    return Reject(
        _HEAD + rest, f"the body has more than {MOST_ITEMS:,} items: those that follow are kept here"
    )


def _take_items(decoded: Decoded, body: bytes) -> int:
    """Decode item by item; returns where it stopped, the end of the body unless there were more than are taken."""
    for block in item_blocks(BytesIO(body).read, 0, 0, _ITEMS_STEP):
        if isinstance(block, Oversized):
            decoded.rejects.append(Reject(block.head, "the event is too long to be kept", block.length))
        else:
            add(decoded, decode_lines(block.data))
        if len(decoded.events) + len(decoded.rejects) >= MOST_ITEMS:
            return len(body) if _is_over(body[block.end :]) else block.end
    return len(body)


def _is_over(rest: bytes) -> bool:
    return not rest[:KEY_REACH].strip(b"]} \r\n\t")


def _joined(rejects: list[Reject]) -> list[Reject]:
    if len(rejects) <= MOST_REJECTS:
        return rejects
    kept, groups = rejects[:MOST_REJECTS], dict[str, list[Reject]]()
    for reject in rejects[MOST_REJECTS:]:
        # Only what is whole can be taken out again; of the others no more than a head was held.
        if reject.size > len(reject.raw) or reject.raw.startswith(_HEAD):
            kept.append(reject)
            continue
        reason = (
            reject.reason if reject.reason in groups or len(groups) < MOST_REASONS else "for other reasons"
        )
        groups.setdefault(reason, []).append(reject)
    return kept + [
        Reject(
            b"\n".join(one_line(one.raw) for one in group),
            f"{len(group):,} items of one body: {reason}"[:500],
        )
        for reason, group in groups.items()
    ]


def _many(wrapped: Decoded) -> bool:
    return wrapped.rejects[0].reason.startswith(NOTHING)


def whole(body: Body, reason: str) -> Decoded:
    """This will put a whole body into one reject."""
    return Decoded(rejects=[Reject(body.held, reason[:500], body.size)])


def _unpack(body: Body, limits: Limits) -> Decoded:
    if body.cut:
        return whole(body, f"the compressed body is {body.size:,} bytes long, more than serve.max_body")
    stream = decompressed(BytesIO(), body.held, "the body")
    most = _most(len(body.held), limits)
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
    return _listed(plain, limits)


def _most(size: int, limits: Limits) -> int:
    """How many bytes so many packed ones may come to."""
    return min(limits.max_body, max(_HARMLESS, size * limits.max_expansion))


def _what_is_whole(held: bytes, what: str, size: int, limits: Limits) -> Decoded:
    decoded = Decoded()
    taken = 0
    for block in item_blocks(BytesIO(held).read, 0, 0, _ITEMS_STEP):
        if len(decoded.events) + len(decoded.rejects) >= MOST_ITEMS:
            decoded.rejects.append(_left(held[taken:].lstrip(b", \r\n\t")))
            taken = len(held)
            break
        if isinstance(block, Oversized):
            decoded.rejects.append(Reject(block.head, "the event is too long to be kept", block.length))
        elif not block.partial:
            add(decoded, decode_lines(normalise(block.data)))
            taken = block.end
    lost = f"{what} more than serve.max_body ({limits.max_body:,}): events behind byte {taken:,} are lost"
    decoded.rejects.append(Reject(held[taken : taken + HEAD_BYTES], lost, size - taken))
    return decoded
