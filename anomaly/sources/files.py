"""Audit logs from disk or standard input as blocks of whole lines, going on wherever reading stopped the last time.

Three shapes are told apart by what is inside, never by the name: JSON lines, one list (EventList, array, cloud export) on one
line or many, and objects printed over many lines. Memory stays bounded for any of them, compressed or not.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Final

from anomaly.errors import SourceUnavailable
from anomaly.sources.block import BLOCK_BYTES, MARK_BYTES, Block, Oversized, Position, mark_agrees
from anomaly.sources.detect import list_depth_of
from anomaly.sources.folder import find_logs
from anomaly.sources.foreign import refuse_foreign
from anomaly.sources.items import item_blocks
from anomaly.sources.lines import line_blocks
from anomaly.sources.reading import STANDARD_INPUT, Opened, Watch, unwatched
from anomaly.sources.streams import Stream, decompressed

HEAD_OF_CONTENT: Final = 4096
"""How much of the start of a log tells it from others: a kube-apiserver's first event has an id and a time of its own."""

_SAMPLE: Final = 256 << 10
_SKIP: Final = 1 << 20
_MAGIC: Final = 4


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """Which file it is, whatever it is called by now; `size` is bytes on disk.

    `content` is a hash of the first line, at most 4 KiB of it, before compression: it stays the same while a live log grows,
    is renamed and is compressed. It is empty while there is no whole line yet, and then equal to nothing.
    """

    device: int
    inode: int
    size: int
    content: str

    def same_content(self, other: Fingerprint) -> bool:
        """This will say whether both begin with the same line."""
        return bool(self.content) and self.content == other.content

    def same_file(self, other: Fingerprint) -> bool:
        """This will say whether both are one file of one file system."""
        return self.inode != 0 and (self.device, self.inode) == (other.device, other.inode)


def content_of(head: bytes) -> str:
    """This will return the hash of the first line; empty while it has no end within the 4 KiB looked at."""
    first, newline, _ = head[:HEAD_OF_CONTENT].partition(b"\n")
    whole = newline or len(first) == HEAD_OF_CONTENT
    return blake2b(first, digest_size=16).hexdigest() if whole else ""


class LogFile:
    """One open log; made by `open_source`, closed by `close()` or `with`. `name` is for people."""

    def __init__(self, opened: Opened) -> None:
        self.name, self.size = opened.name, opened.size
        self._opened = opened
        self._stream = _unpacked(opened)
        self._sample = self._take_sample()
        self._ahead = self._sample
        self._begun = False
        refuse_foreign(self._sample, self.name)
        self.list_depth = list_depth_of(self._sample)

    @property
    def fingerprint(self) -> Fingerprint:
        """What to recognise the file by, also after it was renamed or compressed."""
        return Fingerprint(self._opened.device, self._opened.inode, self.size, content_of(self._sample))

    @property
    def read_bytes(self) -> int:
        """How much of `size` was read so far, for a rate and a time left. `size` is 0 when nobody can know it."""
        return self._opened.read_bytes

    def blocks(
        self, start: Position | int = 0, block_bytes: int = BLOCK_BYTES
    ) -> Iterator[Block | Oversized]:
        """This will yield what lies behind `start`, in order, as blocks of about `block_bytes`.

        When the bytes before `start` are not those of its mark, the file is another one by now and is read from its beginning.
        Raises SourceUnavailable when an archive is cut or damaged: after everything that was whole in it.
        """
        wanted = Position(start) if isinstance(start, int) else start
        if self._begun:
            self._rewind()
        self._begun = True
        if wanted.offset and not self._skip(wanted):
            wanted = Position()
            self._rewind()
        if self.list_depth:
            yield from item_blocks(self._read, wanted.offset, self.list_depth, block_bytes)
        else:
            yield from line_blocks(self._read, wanted.offset, block_bytes)

    def close(self) -> None:
        """This will close the file; standard input stays open."""
        self._opened.close()

    def __enter__(self) -> LogFile:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _take_sample(self) -> bytes:
        sample = bytearray()
        try:
            while len(sample) < _SAMPLE and (piece := self._stream.read(_SAMPLE - len(sample))):
                sample += piece
                # The first bytes of a pipe were read to look for a magic number, and tell nothing else.
                if not self._opened.seekable and len(sample) > _MAGIC:
                    break
        except SourceUnavailable:
            # The stream says it again behind its last byte, when what is whole has been taken.
            pass
        return bytes(sample)

    def _read(self, size: int) -> bytes:
        if not self._ahead:
            return self._stream.read(size)
        given, self._ahead = self._ahead[:size], self._ahead[size:]
        return given

    def _rewind(self) -> None:
        self._opened.seek(0)
        self._stream, self._ahead = _unpacked(self._opened), b""

    def _skip(self, wanted: Position) -> bool:
        """Goes to the position; False when the file is too short for it or holds something else before it."""
        before, missing = b"", wanted.offset
        if self._opened.seekable and self.size and not self._stream.packed:
            if wanted.offset > self.size:
                return False
            missing = min(wanted.offset, MARK_BYTES)
            self._ahead = b""
            self._opened.seek(wanted.offset - missing)
            self._stream = self._opened
        while missing and (piece := self._read(min(missing, _SKIP))):
            missing -= len(piece)
            before = (before + piece)[-MARK_BYTES:]
        return not missing and mark_agrees(wanted.mark, before)


def open_source(path: str | Path, watch: Watch = unwatched) -> LogFile:
    """This will open a log by its path, or standard input for `-`. Raises SourceUnavailable when it cannot be read.

    `watch` is called before every read and while a pipe is waited for; what it raises ends the reading.
    """
    opened = Opened(path, watch)
    try:
        return LogFile(opened)
    except BaseException:
        opened.close()
        raise


def logs_of(target: str) -> list[str]:
    """This will list what `open_source` is to be called with: the logs of a directory, oldest first, or the target itself."""
    if target != STANDARD_INPUT and Path(target).is_dir():
        return [str(path) for path in find_logs(Path(target))]
    return [target]


def _unpacked(opened: Opened) -> Stream:
    return decompressed(opened, opened.read(_MAGIC), opened.name)
