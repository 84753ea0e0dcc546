"""Whatever wraps an audit event, taken off: one normal form for one pack of rules.

A kube-apiserver's own lines pass untouched at the cost of counting them. Any other line is opened one level and shown to each
source in turn. What no source knows, or cannot open, passes as it is, so that decoding refuses it with a reason.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from types import ModuleType
from typing import Final

from anomaly.sources import aks, eks, fluent, gke, kube_audit_rest
from anomaly.sources.block import BLOCK_BYTES, Block, Oversized
from anomaly.sources.detect import LINES, list_depth_of
from anomaly.sources.items import item_blocks, one_line
from anomaly.sources.record import Record, list_of, record_of

SOURCES: Final[tuple[ModuleType, ...]] = (gke, kube_audit_rest, aks, eks, fluent)
"""In the order in which they are asked: the ones with the clearest marks first."""

DEEPEST: Final = 6
"""A message in a record in a batch in a base64 text is four deep; more is somebody's joke."""

_NATIVE: Final = b'{"kind":"Event","apiVersion":"audit.k8s.io/'
_SAMPLE: Final = 256 << 10


def normalise(data: bytes) -> bytes:
    """This will return lines with one plain event (or EventList) each, from lines of any known shape.

    Lines as a kube-apiserver writes them come back as the same object, untouched. Never raises on content.
    """
    native = data.count(b"\n" + _NATIVE) + data.startswith(_NATIVE)
    if native and native == data.count(b"\n") + (not data.endswith(b"\n")):
        return data
    lines: list[bytes] = []
    for line in data.split(b"\n"):
        if line.startswith(_NATIVE):
            lines.append(line)
        elif line and not line.isspace():
            lines += _unwrapped(line, DEEPEST)
    return b"\n".join(lines) + b"\n" if lines else b""


def unwrap(body: bytes) -> Iterator[bytes]:
    """This will yield the plain events of a whole body: lines, an array, a batch of records, printed or not.

    Never raises on content; what is not understood is yielded as it is.
    """
    depth = list_depth_of(body[:_SAMPLE])
    if depth == LINES:
        yield from _lines(normalise(body))
        return
    for piece in item_blocks(io.BytesIO(body).read, 0, depth, BLOCK_BYTES):
        yield from [piece.head] if isinstance(piece, Oversized) else _lines(normalise(piece.data))


def source_of(sample: bytes) -> str:
    """This will name the source of a line: `native`, a source's module name, or empty when nobody knows it."""
    record = record_of(eks.without_time(sample.strip()))
    if "auditID" in record or "items" in record:
        return "native"
    source = _source(record)
    return source.__name__.rpartition(".")[2] if source else ""


def _lines(data: bytes) -> Iterator[bytes]:
    # Not splitlines: a carriage return may stand between any two tokens of JSON.
    return (line for line in data.split(b"\n") if line and not line.isspace())


def _source(record: Record) -> ModuleType | None:
    return next((source for source in SOURCES if source.recognises(record)), None)


def _unwrapped(value: bytes, levels: int) -> Iterator[bytes]:
    text = eks.without_time(value.strip().removeprefix(b"\xef\xbb\xbf"))
    if text.startswith(b"["):
        yield from _each(list_of(text), text, levels)
        return
    record = record_of(text)
    if not record and levels < DEEPEST and text.startswith(b"{"):
        # What was unpacked may hold several: lines, or one right behind the other.
        yield from _several(text, levels)
        return
    source = None if not record or "auditID" in record or not levels else _source(record)
    if source is None:
        yield one_line(text)
        return
    try:
        inside = list(source.unwrap(record))
    except ValueError:
        yield one_line(text)
        return
    for inner in inside:
        yield from _unwrapped(inner, levels - 1)


def _several(text: bytes, levels: int) -> Iterator[bytes]:
    blocks = list(item_blocks(io.BytesIO(text).read, 0, 0, BLOCK_BYTES))
    parts = [part for block in blocks if isinstance(block, Block) for part in _lines(block.data)]
    if len(parts) < 2 or not levels or len(blocks) > sum(isinstance(block, Block) for block in blocks):
        yield one_line(text)
        return
    for part in parts:
        yield from _unwrapped(part, levels - 1)


def _each(parts: list[bytes], text: bytes, levels: int) -> Iterator[bytes]:
    if not levels or (not parts and text != b"[]"):
        yield one_line(text)
        return
    forwarded = fluent.record_of_forward(parts)
    for part in [forwarded] if forwarded else parts:
        yield from _unwrapped(part, levels - 1)
