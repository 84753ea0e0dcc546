"""Keeps who read and changed what, without slowing requests.

A change is kept before it is made: when that cannot be written, the change is refused, so there is none without its entry.
What is only read is gathered for a second and written together. Refusals of whoever is unknown are counted by kind instead
of kept one by one, or a flood of them would fill the disk. What finds no room is counted, and the count is kept as well.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import psycopg
import sqlalchemy

from anomaly.errors import AnomalyError
from anomaly.rights import Principal, Right
from anomaly.store.access_log import Entry, finish_entries, write_entries, write_entry
from anomaly.store.database import Database

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

log = logging.getLogger(__name__)

FLUSH_SECONDS: Final = 1.0
MOST: Final = 5_000
"""Entries and outcomes held in memory: 10 s of 500 reads a second while the database restarts."""
_STRANGERS: Final = 200
"""Of these, kinds of refusals of whoever is unknown."""
_REFUSED: Final = frozenset({401, 403, 404, 429})
_SECRET: Final = frozenset({"code"})
"""Parameters of paths that open something by themselves."""


@dataclass(frozen=True, slots=True)
class _Kind:
    """What makes two entries alike enough to be one with a count."""

    kind: str
    principal_id: int | None
    name: str
    method: str
    route: str
    object: str
    cluster: str | None
    status: int | None
    address: str


class AccessRecord:
    """Takes entries from any thread; one thread writes them. `close` writes what is left."""

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._clock = clock
        self._lock = threading.Lock()
        self._waiting: dict[_Kind, Entry] = {}
        self._outcomes: list[tuple[int, int]] = []
        self._strangers = 0
        self._untold = 0
        self.lost = 0
        """Entries that were never written, since the process began."""
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="access-record", daemon=True)

    def start(self) -> None:
        """This will begin to write what is gathered."""
        self._thread.start()

    def close(self, within: float) -> None:
        """This will write what is left and end, waiting at most `within` seconds."""
        self._stop.set()
        self._thread.join(within)

    def begin(self, scope: Scope, principal: Principal) -> None:
        """This will keep that a change is about to be made. Blocks; raises what the database does."""
        with self._database.begin() as connection:
            scope["anomaly.entry"] = write_entry(connection, self._entry(scope, principal, None))

    def end(self, scope: Scope, status: int) -> None:
        """This will take note of how a request ended, for the next writing."""
        if "anomaly.entry" in scope:
            with self._lock:
                if len(self._outcomes) < MOST:
                    self._outcomes.append((scope["anomaly.entry"], status))
                else:
                    self._lose()
            return
        principal = scope.get("anomaly.principal")
        if not isinstance(principal, Principal):
            if status in _REFUSED and (status != 404 or "route" in scope):
                self._take(self._entry(scope, None, status))
        elif scope.get("anomaly.right") is not Right.INGEST or status >= 400:
            # What was sent is in the store itself; each batch once more here would say nothing and cost a row.
            self._take(self._entry(scope, principal, status))

    def flush(self) -> None:
        """This will write what is gathered; what cannot be written now is kept for the next time, as far as there is room."""
        with self._lock:
            waiting, outcomes, untold = self._waiting, self._outcomes, self._untold
            self._waiting, self._outcomes, self._strangers, self._untold = {}, [], 0, 0
        entries = list(waiting.values())
        if untold:
            entries.append(
                Entry(self._clock(), "nobody", None, "not kept", "-", "-", "", None, None, "", untold)
            )
        if not entries and not outcomes:
            return
        try:
            with self._database.begin() as connection:
                write_entries(connection, entries)
                finish_entries(connection, outcomes)
        except (psycopg.Error, sqlalchemy.exc.SQLAlchemyError, AnomalyError) as fault:
            log.warning(
                "who read what could not be written yet", extra={"reason": str(fault).split("\n")[0][:300]}
            )
            with self._lock:
                self._untold += untold
                self._outcomes = (outcomes + self._outcomes)[:MOST]
            for entry in waiting.values():
                self._take(entry)

    def _run(self) -> None:
        while not self._stop.wait(FLUSH_SECONDS):
            self.flush()
        self.flush()

    def _take(self, entry: Entry) -> None:
        kind = _Kind(
            entry.kind, entry.principal_id, entry.name, entry.method, entry.route, entry.object,
            entry.cluster, entry.status, entry.address,
        )  # fmt: skip
        unknown = entry.kind == "nobody"
        with self._lock:
            if (known := self._waiting.get(kind)) is not None:
                self._waiting[kind] = replace(known, times=known.times + entry.times)
            elif len(self._waiting) >= MOST or (unknown and self._strangers >= _STRANGERS):
                self._lose(entry.times)
            else:
                self._waiting[kind] = entry
                self._strangers += unknown

    def _lose(self, times: int = 1) -> None:
        self.lost += times
        self._untold += times

    def _entry(self, scope: Scope, principal: Principal | None, status: int | None) -> Entry:
        given: dict[str, Any] = scope.get("path_params", {})
        cluster = given.get("cluster") or scope.get("anomaly.cluster") or None
        parts = [
            f"{name}={value}" for name, value in given.items() if name not in _SECRET and name != "cluster"
        ]
        # Scores by the hundred a second differ only in what is scored.
        few = scope.get("anomaly.right") is Right.SCORE or principal is None
        return Entry(
            self._clock(),
            principal.kind if principal else "nobody",
            principal.id if principal else None,
            principal.name if principal else "",
            scope["method"],
            getattr(scope.get("route"), "path", "-"),
            "" if few else " ".join(parts),
            str(cluster) if cluster and principal else None,
            status,
            (scope.get("client") or ("",))[0],
        )


class Recorded:
    """An ASGI layer that tells the record how each request ended."""

    def __init__(self, app: ASGIApp, record: AccessRecord) -> None:
        self._app, self._record = app, record

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """This will pass the request on; 499 is kept for one whose sender went away."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status = 499

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, noted)
        finally:
            self._record.end(scope, status)
