"""What must go on in every service while events come in: partitions are made ahead of midnight, counts are written down.

Folding is a job (`anomaly.jobs`), in a process of its own: in this one it would hold up what comes in.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Final

import psycopg

from anomaly.errors import AnomalyError
from anomaly.store.partitions import make_partitions

log = logging.getLogger(__name__)

ROUND_SECONDS: Final = 5.0
PARTITION_SECONDS: Final = 600.0
DAYS_AHEAD: Final = 2
"""Days after today, so that a service down over midnight finds its partition when it comes back."""

Connection = psycopg.Connection[tuple[object, ...]]


class Upkeep:
    """A thread with a connection of its own. Several services may do this at once."""

    def __init__(
        self,
        connect: Callable[[], Connection],
        clock: Callable[[], datetime],
        also: Sequence[Callable[[Connection], None]] = (),
    ) -> None:
        """`also` is done in every round, each in a transaction of its own."""
        self._connect = connect
        self._clock = clock
        self._also = tuple(also)
        self._stop = threading.Event()
        self._partitions_due = 0.0
        self._thread = threading.Thread(target=self._run, name="upkeep", daemon=True)

    def start(self) -> None:
        """This will begin at once."""
        self._thread.start()

    def close(self, within: float) -> None:
        """This will end the work after the transaction in hand, waiting at most `within` seconds."""
        self._stop.set()
        self._thread.join(within)

    def _run(self) -> None:
        connection: Connection | None = None
        while not self._stop.is_set():
            try:
                connection = self._connect() if connection is None or connection.closed else connection
                self._round(connection)
            except (psycopg.Error, AnomalyError) as fault:
                log.warning(
                    "upkeep failed and will be tried again", extra={"reason": str(fault).split("\n")[0][:300]}
                )
                self._drop(connection)
                connection = None
            self._stop.wait(ROUND_SECONDS)
        self._last_words(connection)
        self._drop(connection)

    def _round(self, connection: Connection) -> None:
        if time.monotonic() >= self._partitions_due:
            today = self._clock().date()
            make_partitions(connection, [today + timedelta(days=ahead) for ahead in range(DAYS_AHEAD + 1)])
            self._partitions_due = time.monotonic() + PARTITION_SECONDS
        for deed in self._also:
            deed(connection)

    def _last_words(self, connection: Connection | None) -> None:
        if connection is None or connection.closed:
            return
        try:
            for deed in self._also:
                deed(connection)
        except (psycopg.Error, AnomalyError) as fault:
            log.warning("what was counted last is lost", extra={"reason": str(fault).split("\n")[0][:300]})

    def _drop(self, connection: Connection | None) -> None:
        if connection is not None:
            connection.close()
