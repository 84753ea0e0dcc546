"""A live log, read as it grows: over rotation, truncation and our own absence, with nothing left out.

kube-apiserver rotates by renaming the live file and making a new one; logrotate may also copy it away and cut it to nothing.
Reading goes on in the renamed file to its end and then in the new one. After a stop, the file of the checkpoint is recognised
by its first line, even when it was renamed and compressed meanwhile, and everything rotated after it is read first.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from anomaly.errors import SourceUnavailable
from anomaly.sources.block import BLOCK_BYTES, MARK_BYTES, Block, Oversized, Position, mark_agrees
from anomaly.sources.files import HEAD_OF_CONTENT, Fingerprint, content_of, open_source
from anomaly.sources.folder import rotated_from
from anomaly.sources.lines import line_blocks

Wait = Callable[[], bool]
"""Called when there is nothing to read: waits a while and says whether to go on."""

_PACKED: Final = (".gz", ".zst")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What to keep to go on after a stop: which file, and where in it."""

    file: Fingerprint
    position: Position


@dataclass(frozen=True, slots=True)
class Followed:
    """A block of a followed log and the checkpoint behind it."""

    block: Block | Oversized
    checkpoint: Checkpoint


def follow(
    path: Path | str, wait: Wait, last: Checkpoint | None = None, block_bytes: int = BLOCK_BYTES
) -> Generator[Followed, None, None]:
    """This will yield whole lines of the log at `path` as they come, until `wait` says to stop.

    Without a checkpoint it begins at the start of the live file. A line without its end is yielded only when its file was
    rotated away. When the checkpoint's file is gone, everything rotated and still there is read: it is newer than that.
    Raises SourceUnavailable when a file cannot be read; one that is not there yet is waited for.
    """
    live, position = Path(path), Position()
    while not live.exists():
        if not wait():
            return
    if last is not None:
        if _fingerprint(live).same_content(last.file):
            position = last.position
        else:
            yield from _rotated_since(live, last, block_bytes)
    while True:
        known = _names(live)
        with _Tail(live, position, block_bytes) as tail:
            yield from tail.until_rotated(wait)
            if not tail.rotated:
                return
            ours = tail.checkpoint.file
        yield from _newly_rotated(live, known, ours, block_bytes)
        position = Position()


class _Tail:
    """One live file by its open handle, which stays the same file when the name moves on."""

    def __init__(self, path: Path, position: Position, block_bytes: int) -> None:
        self._path, self._block_bytes = path, block_bytes
        try:
            self._file = open(path, "rb", buffering=0)  # noqa: SIM115 - closed by __exit__
        except OSError as error:
            raise SourceUnavailable(f"{path} cannot be opened: {error.strerror}") from error
        self._position = position
        self.rotated = False

    def __enter__(self) -> _Tail:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    @property
    def checkpoint(self) -> Checkpoint:
        """Which file this is, and how far it was read."""
        status = os.fstat(self._file.fileno())
        content = content_of(os.pread(self._file.fileno(), HEAD_OF_CONTENT, 0))
        return Checkpoint(Fingerprint(status.st_dev, status.st_ino, status.st_size, content), self._position)

    def until_rotated(self, wait: Wait) -> Iterator[Followed]:
        """This will yield lines as they come until the name stands for another file or `wait` says to stop."""
        while True:
            yield from self._new(last_of_file=False)
            if self._moved():
                self.rotated = True
                yield from self._new(last_of_file=True)
                return
            if not wait():
                return

    def _new(self, last_of_file: bool) -> Iterator[Followed]:
        if not self._still_the_same():
            self._position = Position()
        self._file.seek(self._position.offset)
        for block in line_blocks(self._file.read, self._position.offset, self._block_bytes):
            if isinstance(block, Block) and block.partial and not last_of_file:
                return
            self._position = block.position
            yield Followed(block, self.checkpoint)

    def _still_the_same(self) -> bool:
        """False when the file was cut to nothing and perhaps written again since."""
        offset = self._position.offset
        if os.fstat(self._file.fileno()).st_size < offset:
            return False
        before = os.pread(self._file.fileno(), min(offset, MARK_BYTES), max(0, offset - MARK_BYTES))
        return mark_agrees(self._position.mark, before)

    def _moved(self) -> bool:
        """A name that is gone for the moment of the rename does not count as moved: the new file is about to come."""
        try:
            now = os.stat(self._path)
        except FileNotFoundError:
            return False
        ours = os.fstat(self._file.fileno())
        return (now.st_dev, now.st_ino) != (ours.st_dev, ours.st_ino)


def _rotated_since(live: Path, last: Checkpoint, block_bytes: int) -> Iterator[Followed]:
    """Reads what is left of the checkpoint's file and all that was rotated after it, the live file not included."""
    rotated = rotated_from(live)
    at, start = 0, Position()
    for index in reversed(range(len(rotated))):
        if _fingerprint(rotated[index]).same_content(last.file):
            at, start = index, last.position
            break
    for path in rotated[at:]:
        yield from _whole(path, start, block_bytes)
        start = Position()


def _newly_rotated(live: Path, known: set[str], ours: Fingerprint, block_bytes: int) -> Iterator[Followed]:
    """Reads files that came and went between two looks: rotated since, and not the one that was being read."""
    for path in rotated_from(live):
        if _bare(path) not in known:
            found = _fingerprint(path)
            if not found.same_file(ours) and not found.same_content(ours):
                yield from _whole(path, Position(), block_bytes)


def _whole(path: Path, start: Position, block_bytes: int) -> Iterator[Followed]:
    with open_source(path) as source:
        for block in source.blocks(start, block_bytes):
            yield Followed(block, Checkpoint(source.fingerprint, block.position))


def _fingerprint(path: Path) -> Fingerprint:
    with open_source(path) as source:
        return source.fingerprint


def _names(live: Path) -> set[str]:
    return {_bare(path) for path in rotated_from(live)}


def _bare(path: Path) -> str:
    return path.stem if path.suffix in _PACKED else path.name
