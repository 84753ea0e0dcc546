"""Holding a source: the connection whose lock keeps other replicas from reading it, and the notes of how it goes."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import psycopg

from anomaly.pipeline import Connect
from anomaly.store.sources import (
    FAILED,
    READING,
    WAITING,
    checkpoint_of,
    enrol,
    hold,
    note_look,
)

Connection = psycopg.Connection[tuple[object, ...]]

LOOK_SECONDS: Final = 5.0
"""How often at least it is looked whether the lock is still there, and written down how it goes."""


@dataclass(frozen=True, slots=True)
class Pace:
    """When to look again, in seconds, and whether to go on at all."""

    stop: threading.Event
    seconds: float

    @property
    def going(self) -> bool:
        """Whether to go on."""
        return not self.stop.is_set()

    def wait(self) -> bool:
        """This will wait until it is time to look again, and say whether to go on."""
        return not self.stop.wait(self.seconds)


class Held:
    """A source that is ours for as long as the connection lives. For one thread."""

    def __init__(self, connection: Connection, number: int) -> None:
        self.connection = connection
        self.number = number
        self._noted = ("", "", 0)
        self._noted_at = 0.0

    def checkpoint(self) -> Mapping[str, Any] | None:
        """This will return where reading stopped; None when it never began."""
        return checkpoint_of(self.connection, self.number)

    def note(self, state: str, says: str = "", behind: int = 0) -> None:
        """This will write down how it goes, at once when that is something new. Raises when the lock is lost."""
        now = time.monotonic()
        if (state, says, behind) != self._noted or now - self._noted_at >= LOOK_SECONDS:
            note_look(self.connection, self.number, state, says, behind)
            self._noted, self._noted_at = (state, says, behind), now

    def reads(self, behind: int = 0) -> None:
        """This will note that it is being read."""
        self.note(READING, "", behind)

    def waits(self, why: str) -> None:
        """This will note that there is nothing to read, and why."""
        self.note(WAITING, why)

    def failed(self, why: str) -> None:
        """This will note why it cannot be read."""
        self.note(FAILED, why)


@contextmanager
def held(connect: Connect, cluster_id: int, kind: str, path: str, reader: str) -> Iterator[Held | None]:
    """This will hold a source while the block lasts; None when another replica reads it. `reader` says who asks."""
    with connect() as connection:
        number = enrol(connection, cluster_id, kind, path)
        if not hold(connection, number, reader):
            yield None
            return
        yield Held(connection, number)
