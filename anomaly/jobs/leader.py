"""Which replica leads: the one that holds an advisory lock on a connection of its own, for as long as that lives."""

from __future__ import annotations

from collections.abc import Callable

import psycopg

from anomaly.errors import DatabaseUnavailable
from anomaly.store.job_runs import lead

Connection = psycopg.Connection[tuple[object, ...]]


class Leadership:
    """Used by one thread. A leader that dies, or loses its connection, leads no more, and PostgreSQL gives the lock to the next."""

    def __init__(self, connect: Callable[[], Connection]) -> None:
        self._connect = connect
        self._connection: Connection | None = None
        self.held = False

    def look(self) -> bool:
        """This will try to lead, or see whether it still does, and return which."""
        try:
            if self._connection is None or self._connection.closed:
                self.held = False
                self._connection = self._connect()
            if self.held:
                self._connection.execute("SELECT 1")
                self._connection.commit()
            else:
                self.held = lead(self._connection)
        except (psycopg.Error, DatabaseUnavailable):
            self.close()
        return self.held

    def close(self) -> None:
        """This will give up leading."""
        self.held = False
        if self._connection is not None:
            self._connection.close()
            self._connection = None
