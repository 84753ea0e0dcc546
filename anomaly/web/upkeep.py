"""What must go on while events come in: window parts are folded into windows, partitions are made ahead of midnight."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

import psycopg

from anomaly.errors import AnomalyError
from anomaly.store.partitions import make_partitions
from anomaly.store.windows import fold_parts

log = logging.getLogger(__name__)

FOLD_SECONDS: Final = 5.0
"""Readers see parts and windows alike, so nothing waits for this; folding rarely rewrites each window less often."""
PARTITION_SECONDS: Final = 600.0
DAYS_AHEAD: Final = 2
"""Days after today, so that a service down over midnight finds its partition when it comes back."""

_FOLDED_AT_ONCE: Final = 4_000
"""Parts in one transaction; more would make stopping slow."""

Connection = psycopg.Connection[tuple[object, ...]]


class Upkeep:
    """A thread with a connection of its own. Several services may do this at once: folders pass over each other's parts."""

    def __init__(self, connect: Callable[[], Connection], clock: Callable[[], datetime]) -> None:
        self._connect = connect
        self._clock = clock
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
            self._stop.wait(FOLD_SECONDS)
        self._drop(connection)

    def _round(self, connection: Connection) -> None:
        if time.monotonic() >= self._partitions_due:
            today = self._clock().date()
            make_partitions(connection, [today + timedelta(days=ahead) for ahead in range(DAYS_AHEAD + 1)])
            self._partitions_due = time.monotonic() + PARTITION_SECONDS
        started, folded = time.perf_counter(), 0
        while not self._stop.is_set() and (parts := fold_parts(connection, _FOLDED_AT_ONCE)):
            folded += parts
        connection.commit()
        if folded:
            log.debug("folded", extra={"parts": folded, "ms": round((time.perf_counter() - started) * 1000)})

    def _drop(self, connection: Connection | None) -> None:
        if connection is not None:
            connection.close()
