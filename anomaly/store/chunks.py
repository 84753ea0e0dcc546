"""Raw event bytes, a batch at a time: compressed together they need a tenth of what they need one by one.

A chunk is zstd over: count uint32, that many lengths uint32, then the bytes one after the other (little-endian). An event
that was a duplicate has length 0, so that ordinals stay what they were.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

import zstandard

MAX_CHUNK_BYTES = 1 << 30
_LEVEL = 3


def pack_chunk(raws: Sequence[bytes]) -> bytes:
    """This will return the chunk of these raw events."""
    lengths = struct.pack(f"<I{len(raws)}I", len(raws), *map(len, raws))
    return zstandard.ZstdCompressor(level=_LEVEL).compress(lengths + b"".join(raws))


def unpack_chunk(data: bytes) -> list[bytes]:
    """This will return the raw events of a chunk, in their order. Raises ValueError when it is not a chunk."""
    try:
        plain = zstandard.ZstdDecompressor().decompress(data, max_output_size=MAX_CHUNK_BYTES)
        (count,) = struct.unpack_from("<I", plain)
        lengths = struct.unpack_from(f"<{count}I", plain, 4)
    except (zstandard.ZstdError, struct.error) as error:
        raise ValueError(f"a chunk of raw events cannot be read: {error}") from error
    raws, at = [], 4 + 4 * count
    for length in lengths:
        raws.append(plain[at : at + length])
        at += length
    return raws
