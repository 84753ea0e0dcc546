"""A record of a log shipper, opened one level deep: its fields stay raw JSON until somebody asks for one."""

from __future__ import annotations

import base64
import binascii
import zlib
from typing import Final

import msgspec

Record = dict[str, msgspec.Raw]

MAX_UNPACKED: Final = 64 << 20
"""A compressed field is not unpacked beyond this many bytes: CloudWatch sends at most 1 MB."""

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


def unpacked(text: str) -> bytes:
    """This will return what a base64 text holds, unpacked when it is gzip; empty when it is neither or far too large."""
    try:
        data = base64.b64decode(text, validate=True)
        if not data.startswith(b"\x1f\x8b"):
            return data
        member = zlib.decompressobj(wbits=31)
        whole = member.decompress(data, MAX_UNPACKED)
    except (binascii.Error, ValueError, zlib.error):
        return b""
    return whole if member.eof else b""
