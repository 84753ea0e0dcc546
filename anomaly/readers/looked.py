"""A folder that is looked through again and again: each file is read once, on when it grew, anew when it is another one.

Which files were read, and how they looked then (device, inode, size, time of change), is kept; only others are opened. How far
into a file it was read is kept by its content (`anomaly.pipeline.Reading`), so that a renamed or copied one is no new one.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Final

from anomaly.errors import SourceUnavailable
from anomaly.pipeline import Reading
from anomaly.readers.holding import Held, Pace
from anomaly.sources.files import open_source
from anomaly.sources.folder import is_log, written_order
from anomaly.store.sources import files_of, forget_files, keep_file, note_read
from anomaly.store.writer import Receipt
from anomaly.workers import Crew

_FORGOTTEN_AT_ONCE: Final = 10_000


def read_folder(
    held: Held,
    crew: Crew,
    cluster_id: int,
    folder: Path,
    pace: Pace,
    heard: Callable[[Receipt], None] = lambda receipt: None,
) -> None:
    """This will read what is in a folder and what comes into it, until the pace says to stop.

    A file that cannot be read whole is noted with the reason, and looked at again once it changed. Raises SourceUnavailable when
    the folder itself cannot be read.
    """
    known = files_of(held.connection, held.number)
    while pace.going:
        found = dict(_files(folder))
        behind = sum(size for name, (looks, size) in found.items() if known.get(name) != looks)
        for name, (looks, size) in found.items():
            if known.get(name) == looks:
                continue
            if not pace.going:
                return
            held.reads(behind)
            _read(held, crew, cluster_id, folder, name, looks, pace, heard)
            if not pace.going:
                # It may have been left in the middle.
                return
            known[name] = looks
            behind -= size
        gone = [name for name in known if name not in found]
        if gone:
            forget_files(held.connection, held.number, gone[:_FORGOTTEN_AT_ONCE])
            held.connection.commit()
            for name in gone[:_FORGOTTEN_AT_ONCE]:
                del known[name]
        held.reads()
        pace.wait()


def _read(
    held: Held,
    crew: Crew,
    cluster_id: int,
    folder: Path,
    name: str,
    looks: str,
    pace: Pace,
    heard: Callable[[Receipt], None],
) -> None:
    failure, reading, ended = "", None, False
    try:
        with open_source(folder / name) as file:
            reading = Reading(cluster_id, file, held.connection)
            with closing(reading.run(crew)) as steps:
                for _ in steps:
                    if not pace.going:
                        break
                else:
                    ended = True
    except SourceUnavailable as unreadable:
        failure, ended = str(unreadable), True
    came = reading.total if reading is not None else Receipt()
    heard(came)
    note_read(held.connection, held.number, came, str(folder / name), files=int(ended and not failure))
    if ended:
        keep_file(held.connection, held.number, name, looks, failure)
    held.connection.commit()


def _files(folder: Path) -> Iterator[tuple[str, tuple[str, int]]]:
    """The logs below a folder, in the order in which they were written, with how each looks and its size."""
    for root, folders, names in os.walk(folder, onerror=_unreadable):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(filter(_is_taken, names), key=written_order):
            path = Path(root, name)
            try:
                status = path.stat()
            except OSError:
                continue
            if path.is_file() and status.st_size:
                looks = f"{status.st_dev}:{status.st_ino}:{status.st_size}:{status.st_mtime_ns}"
                yield str(path.relative_to(folder)), (looks, status.st_size)


def _is_taken(name: str) -> bool:
    """Logs by their names, and what has no ending at all: objects as Firehose and CloudWatch name them."""
    return is_log(name) or ("." not in name and not name.startswith("_"))


def _unreadable(error: OSError) -> None:
    raise SourceUnavailable(f"{error.filename} cannot be read: {error.strerror}") from error
