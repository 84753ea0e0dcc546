"""Bytes of a file as they were before compression: plain, gzip (RFC 1952) and zstd (RFC 8878), several members too.

Every stream decompresses a bounded amount at a time, so an archive that unpacks to terabytes costs time and not memory.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Final, Protocol

import zstandard

from anomaly.errors import SourceUnavailable

GZIP_MAGIC: Final = b"\x1f\x8b"
ZSTD_MAGIC: Final = b"\x28\xb5\x2f\xfd"
_ZSTD_SKIPPABLE: Final = frozenset(bytes([0x50 + n, 0x2A, 0x4D, 0x18]) for n in range(16))
MAX_WINDOW_BYTES: Final = 128 << 20
"""The largest zstd window taken, the same as the zstd program's own limit."""

_GZIP_FEED: Final = 256 << 10
# One zstd block of 4 bytes can stand for 128 KiB, and this decompressor cannot be told to stop: 1 KiB gives at most 32 MiB.
_ZSTD_FEED: Final = 1 << 10


class Raw(Protocol):
    """A file opened for reading bytes."""

    def read(self, size: int, /) -> bytes: ...


class Stream(Protocol):
    """Decompressed bytes: `read(n)` gives up to n of them, none at the end. `packed` when they are not as on disk."""

    packed: bool

    def read(self, size: int, /) -> bytes: ...


def decompressed(raw: Raw, head: bytes, name: str) -> Stream:
    """This will return the stream of what is in `raw`; `head` is what was already read of it, at least 4 bytes if it has them.

    The magic number decides, not the name of the file. Reading raises SourceUnavailable when the archive is cut or damaged.
    """
    if head.startswith(GZIP_MAGIC):
        return _Gzip(_Fed(raw, head), name)
    if head.startswith(ZSTD_MAGIC) or head[:4] in _ZSTD_SKIPPABLE:
        return _Zstd(_Fed(raw, head), name)
    return _Fed(raw, head)


class _Fed:
    """A file some of which was read already."""

    packed = False

    def __init__(self, raw: Raw, head: bytes) -> None:
        self._raw, self._head = raw, head

    def read(self, size: int, /) -> bytes:
        if not self._head:
            return self._raw.read(size)
        given, self._head = self._head[:size], self._head[size:]
        return given


class _Buffered:
    """Gives out what was asked for while decompressed pieces come in any size; a failure is raised behind the last byte."""

    packed = True

    def __init__(self, more: Callable[[], bytes]) -> None:
        self._more = more
        self._held = bytearray()
        self._failure: SourceUnavailable | None = None

    def read(self, size: int, /) -> bytes:
        try:
            while len(self._held) < size and not self._failure and (piece := self._more()):
                self._held += piece
        except SourceUnavailable as error:
            self._failure = error
        if self._failure and not self._held:
            raise self._failure
        given = bytes(self._held[:size])
        del self._held[:size]
        return given


class _Gzip(_Buffered):
    def __init__(self, raw: Raw, name: str) -> None:
        super().__init__(self._piece)
        self._raw, self._name = raw, name
        self._member = zlib.decompressobj(wbits=31)
        self._input = b""
        self._begun = False

    def _piece(self) -> bytes:
        while True:
            if not self._input:
                self._input = self._raw.read(_GZIP_FEED)
            if self._member.eof and not self._next_member():
                return b""
            if not self._input and self._begun:
                raise cut_short(self._name)
            if not self._input:
                return b""
            piece = self._inflate()
            if piece:
                return piece

    def _inflate(self) -> bytes:
        self._begun = True
        try:
            piece = self._member.decompress(self._input, 1 << 20)
        except zlib.error as error:
            raise damaged(self._name, f"{error}") from error
        self._input = self._member.unused_data if self._member.eof else self._member.unconsumed_tail
        return piece

    def _next_member(self) -> bool:
        # gzip(1) and tape tools pad with zeros after the last member.
        self._input = self._input.lstrip(b"\0")
        while not self._input and (more := self._raw.read(_GZIP_FEED)):
            self._input = more.lstrip(b"\0")
        self._member = zlib.decompressobj(wbits=31)
        self._begun = False
        return bool(self._input)


class _Zstd(_Buffered):
    def __init__(self, raw: Raw, name: str) -> None:
        super().__init__(self._piece)
        self._raw, self._name = raw, name
        self._context = zstandard.ZstdDecompressor(max_window_size=MAX_WINDOW_BYTES)
        self._frame = self._context.decompressobj()
        self._input = b""
        self._begun = False

    def _piece(self) -> bytes:
        while True:
            if self._frame.eof:
                self._input = self._frame.unused_data + self._input
                self._frame = self._context.decompressobj()
                self._begun = False
            fed = self._input or self._raw.read(_ZSTD_FEED)
            self._input = b""
            if not fed:
                if self._begun:
                    raise cut_short(self._name)
                return b""
            self._begun = True
            try:
                piece = self._frame.decompress(fed)
            except zstandard.ZstdError as error:
                raise damaged(self._name, f"{error}") from error
            if piece:
                return piece


def cut_short(name: str) -> SourceUnavailable:
    """This will return the error for an archive that ends before its end."""
    return SourceUnavailable(
        f"{name} is cut short: what was whole in it has been taken, the rest is missing",
        hint="copy the file again in full and ingest it again; events already taken are not doubled",
    )


def damaged(name: str, why: str) -> SourceUnavailable:
    """This will return the error for an archive whose bytes are wrong."""
    return SourceUnavailable(
        f"{name} is damaged ({why}): what came before the damage has been taken",
        hint="copy the file again in full and ingest it again; events already taken are not doubled",
    )
