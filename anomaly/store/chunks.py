"""Raw event bytes, a batch at a time: compressed together they need a tenth of what they need one by one.

A chunk is zstd over: count uint32, that many lengths uint32, then the bytes one after the other (little-endian). An event
that was a duplicate has length 0, so that ordinals stay what they were.
"""

from __future__ import annotations

import struct
from collections.abc import Collection, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import zstandard

MAX_CHUNK_BYTES = 1 << 30
_LEVEL = 3


def pack_chunk(raws: Sequence[bytes]) -> bytes:
    """This will return the chunk of these raw events."""
    lengths = struct.pack(f"<I{len(raws)}I", len(raws), *map(len, raws))
    return zstandard.ZstdCompressor(level=_LEVEL).compress(lengths + b"".join(raws))


class Packer:
    """Packs chunks in a thread of its own: compressing needs no Python, so whoever asks goes on meanwhile."""

    def __init__(self) -> None:
        self._threads: ThreadPoolExecutor | None = None

    def pack(self, raws: Sequence[bytes]) -> Future[bytes]:
        """This will begin to pack, and return what will hold the chunk."""
        if self._threads is None:
            self._threads = ThreadPoolExecutor(1, thread_name_prefix="packer")
        try:
            return self._threads.submit(pack_chunk, raws)
        except RuntimeError:
            # No thread is to be had, or Python is about to end: that is not the events' fault.
            packed: Future[bytes] = Future()
            packed.set_result(pack_chunk(raws))
            return packed

    def close(self) -> None:
        """This will end the thread until it is needed again; what was not begun is not packed."""
        if self._threads is not None:
            self._threads.shutdown(wait=False, cancel_futures=True)
            self._threads = None


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


def pick_events(data: bytes, ordinals: Collection[int]) -> dict[int, bytes]:
    """This will return the raw events at some places of a chunk, by place; what lies behind the last of them is not even unpacked.

    Raises ValueError when it is not a chunk, or has no such place.
    """
    if not ordinals:
        return {}
    reader = zstandard.ZstdDecompressor().stream_reader(data)
    try:
        (count,) = struct.unpack("<I", _exactly(reader, 4))
        if max(ordinals) >= count:
            raise ValueError(f"it has {count} events, none at place {max(ordinals)}")
        ends = np.cumsum(np.frombuffer(_exactly(reader, 4 * count), "<u4"), dtype=np.int64)
        plain = _exactly(reader, int(ends[max(ordinals)]))
    except (zstandard.ZstdError, ValueError) as error:
        raise ValueError(f"a chunk of raw events cannot be read: {error}") from error
    return {one: plain[ends[one - 1] if one else 0 : ends[one]] for one in ordinals}


def _exactly(reader: zstandard.ZstdDecompressionReader, size: int) -> bytes:
    found = reader.read(size) if size <= MAX_CHUNK_BYTES else b""
    if len(found) < size:
        raise ValueError(f"{size} bytes are not there")
    return found
