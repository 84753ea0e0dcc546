"""Reading the bytes of a file or of standard input, counted, with failures in words."""

from __future__ import annotations

import os
import select
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from typing import IO, Final

from anomaly.errors import SourceUnavailable

STANDARD_INPUT: Final = "-"
_BUFFER: Final = 1 << 20
# A pipe gives 64 KiB at a time; waiting this long for more makes large blocks of a fast one and costs a slow one nothing.
_PATIENCE_SECONDS: Final = 0.2

Watch = Callable[[bool], None]
"""Called before every read and, with True, five times a second until the first byte of a pipe comes; while a pipe pauses,
with False. What it raises ends the reading: neither an endless line nor a silent writer can hold the caller."""


def unwatched(_: bool) -> None:
    """This will let every reading go on."""


class Opened:
    """An open file: `size` on disk in bytes (0 for a pipe), where it lies, and how much of it was read."""

    packed = False

    def __init__(self, target: str | Path, watch: Watch = unwatched) -> None:
        self.name = "standard input" if target == STANDARD_INPUT else str(target)
        self._watch = watch
        self._file = _open(target, watch)
        self._standard = target == STANDARD_INPUT
        status = os.fstat(self._file.fileno())
        regular = stat.S_ISREG(status.st_mode)
        self.seekable = regular and not self._standard
        self.size = status.st_size if regular else 0
        self.device, self.inode = (status.st_dev, status.st_ino) if regular else (0, 0)
        self._count = 0

    @property
    def read_bytes(self) -> int:
        """Where reading stands in the file as it lies on disk."""
        return self._file.tell() if self.seekable else self._count

    def read(self, size: int, /) -> bytes:
        """This will return up to `size` bytes, none at the end; from a pipe what has come so far. Raises SourceUnavailable."""
        self._watch(False)
        try:
            data = self._file.read(size) if self.seekable else self._gather(size)
        except OSError as error:
            raise SourceUnavailable(f"{self.name} cannot be read on: {error.strerror}") from error
        self._count += len(data)
        return data

    def seek(self, offset: int) -> None:
        """This will go to a place of the file. Raises SourceUnavailable for a pipe, which has only one direction."""
        if not self.seekable:
            raise SourceUnavailable(
                f"{self.name} does not begin as it did the last time",
                hint="start again from the beginning: events that are already kept are not doubled",
            )
        self._file.seek(offset)

    def close(self) -> None:
        """This will close the file; standard input stays open."""
        if not self._standard:
            self._file.close()

    def _gather(self, size: int) -> bytes:
        # A read that blocks goes on after a signal; only between two looks can the caller be asked.
        while not select.select([self._file], [], [], _PATIENCE_SECONDS)[0]:
            self._watch(not self._count)
        data = self._file.read1(size)  # type: ignore[attr-defined]
        pieces, missing = [data], size - len(data)
        while data and missing and select.select([self._file], [], [], _PATIENCE_SECONDS)[0]:
            data = self._file.read1(missing)  # type: ignore[attr-defined]
            pieces.append(data)
            missing -= len(data)
        return b"".join(pieces)


def _open(target: str | Path, watch: Watch) -> IO[bytes]:
    if target == STANDARD_INPUT:
        return sys.stdin.buffer
    try:
        if stat.S_ISFIFO(os.stat(target).st_mode):
            return _open_fifo(target, watch)
        return open(target, "rb", buffering=_BUFFER)
    except IsADirectoryError as error:
        raise SourceUnavailable(f"{target} is a directory, not a log") from error
    except FileNotFoundError as error:
        raise SourceUnavailable(f"{target} does not exist", hint="check the path") from error
    except OSError as error:
        raise SourceUnavailable(f"{target} cannot be opened: {error.strerror}") from error


def _open_fifo(target: str | Path, watch: Watch) -> IO[bytes]:
    """Wait for the other end in looks and not in `open`, which would sit there until somebody writes."""
    handle = os.open(target, os.O_RDONLY | os.O_NONBLOCK)
    try:
        while not select.select([handle], [], [], _PATIENCE_SECONDS)[0]:
            watch(True)
        os.set_blocking(handle, True)
        return os.fdopen(handle, "rb", buffering=_BUFFER)
    except BaseException:
        os.close(handle)
        raise
