"""A record of a log shipper, opened one level deep: its fields stay raw JSON until somebody asks for one."""

from __future__ import annotations

import base64
import binascii
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

import msgspec

Record = dict[str, msgspec.Raw]

MAX_UNPACKED: Final = 64 << 20
"""A compressed field is not unpacked beyond this many bytes: CloudWatch sends at most 1 MB."""

_left: ContextVar[int | None] = ContextVar("left", default=None)
"""How many bytes may still be unpacked here; None for any number, field by field."""

_records: Final = msgspec.json.Decoder(Record)
_lists: Final = msgspec.json.Decoder(list[msgspec.Raw])
_texts: Final = msgspec.json.Decoder(str)


def record_of(raw: bytes | msgspec.Raw | None) -> Record:
    """This will open a JSON object one level; empty for anything that is not one."""
    try:
        return _records.decode(raw or b"{}")
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return {}


def list_of(raw: bytes | msgspec.Raw | None) -> list[bytes]:
    """This will open a JSON array one level; empty for anything that is not one."""
    try:
        return [bytes(item) for item in _lists.decode(raw or b"[]")]
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return []


def text_of(record: Record, *path: str) -> str:
    """This will return the text at a path of field names; empty when it is not there or not a text."""
    *parents, last = path
    for parent in parents:
        record = record_of(record.get(parent))
    try:
        return _texts.decode(record.get(last) or b'""')
    except (msgspec.MsgspecError, ValueError):
        return ""


def json_in(raw: bytes | msgspec.Raw | None) -> bytes:
    """This will return the JSON of a field that holds it directly or as a text; empty when the field is not there."""
    value = bytes(raw or b"").strip()
    if not value.startswith(b'"'):
        return value
    try:
        return _texts.decode(value).encode("utf-8", "surrogatepass").strip()
    except (msgspec.MsgspecError, ValueError):
        return value


@contextmanager
def unpacking_at_most(size: int) -> Iterator[None]:
    """This will let the fields opened within it unpack to `size` bytes together: a thousand bombs are one bomb."""
    before = _left.set(size)
    try:
        yield
    finally:
        _left.reset(before)


def unpacked(text: str) -> bytes:
    """This will return what a base64 text holds, unpacked when it is gzip; empty when it is neither or far too large."""
    try:
        data = base64.b64decode(text, validate=True)
        return _inflated(data) if data.startswith(b"\x1f\x8b") else data
    except (binascii.Error, ValueError, zlib.error):
        return b""


def _inflated(data: bytes) -> bytes:
    """All members of a gzip text; empty when one is cut, or when more comes of it than may."""
    left = _left.get()
    # Half of what is left: one bomb must not leave nothing for the records behind it.
    most = MAX_UNPACKED if left is None else min(MAX_UNPACKED, left // 2)
    pieces: list[bytes] = []
    length = 0
    try:
        while data and length < most:
            member = zlib.decompressobj(wbits=31)
            pieces.append(member.decompress(data, most - length))
            length += len(pieces[-1])
            if not member.eof:
                return b""
            data = member.unused_data
        return b"" if data else b"".join(pieces)
    finally:
        if left is not None:
            _left.set(left - length)
