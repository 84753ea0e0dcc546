"""One transaction for everything that a batch is: events, raw bytes, window parts, firsts, findings, quarantine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Final, TypeVar

import psycopg
from psycopg import errors

from anomaly.errors import DatabaseUnavailable
from anomaly.events.decode import Decoded
from anomaly.findings.gather import Match
from anomaly.redaction import Redactor
from anomaly.rules import RuleSet
from anomaly.store.batch import Batch, BatchMaker
from anomaly.store.believable import believable_now
from anomaly.store.chunks import Packer
from anomaly.store.door import NOTHING_LEFT, Left, keep_left
from anomaly.store.events import day_numbers, day_of, keep_events, keep_raws
from anomaly.store.evidence import keep_matches, matches_of
from anomaly.store.exceptions import cluster_names, load_exceptions
from anomaly.store.firsts import Sightings
from anomaly.store.intake import Sent, keep_account
from anomaly.store.looked import Looked
from anomaly.store.matches import keep_correlated, watched
from anomaly.store.partitions import make_partitions
from anomaly.store.quarantine import keep_rejects
from anomaly.store.redactions import count_redactions
from anomaly.store.windows import claim_span, keep_parts
from anomaly.windows.fold import fold

Connection = psycopg.Connection[tuple[object, ...]]
Answer = TypeVar("Answer")
_ATTEMPTS: Final = 6
_ALONE: Final = 0x616E6F6E
_PASSING: Final = (errors.DeadlockDetected, errors.SerializationFailure, errors.LockNotAvailable)

NOT_THE_INPUT: Final = (
    psycopg.OperationalError,
    psycopg.InterfaceError,
    psycopg.InternalError,
    psycopg.IntegrityError,
    psycopg.ProgrammingError,
    psycopg.NotSupportedError,
    DatabaseUnavailable,
    MemoryError,
)
"""Failures of `Writer.write` that another input would meet too: the server is away, full, read-only or of another release."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """Decoded input of one cluster, with the name of where it came from. `sent` are the batches it came in, for the account."""

    cluster_id: int
    source: str
    decoded: Decoded
    sent: tuple[Sent, ...] = ()
    left: Left = NOTHING_LEFT
    """What a policy at our door left out of it, for the ledger."""
    looked: Looked | None = None
    """What `look` said of `decoded`, by whoever had the time."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of an input: events now kept, duplicates of kept ones, inputs put into quarantine, rule matches, and events that
    a policy at our door dropped."""

    kept: int = 0
    duplicates: int = 0
    quarantined: int = 0
    matches: int = 0
    dropped: int = 0

    def __add__(self, other: Receipt) -> Receipt:
        return Receipt(
            self.kept + other.kept,
            self.duplicates + other.duplicates,
            self.quarantined + other.quarantined,
            self.matches + other.matches,
            self.dropped + other.dropped,
        )


class Writer:
    """Writes batches through one connection. Not safe to share between threads: each thread has its own."""

    def __init__(
        self,
        connect: Callable[[], Connection],
        rules: RuleSet,
        span_us: int,
        redactor: Redactor | None = None,
    ) -> None:
        """`connect` opens a connection that is not in autocommit mode; it is called again when the server went away.

        Everything written passes `redactor`, the default one unless said.
        """
        self._connect = connect
        self._connection: Connection | None = None
        self._maker = BatchMaker(rules, redactor)
        self._rules = rules
        self._firsts = Sightings()
        self._packer = Packer()
        self._span_us = span_us
        self._days: set[int] = set()

    def write(
        self,
        arrivals: Sequence[Arrival],
        also: Callable[[Connection, Sequence[Receipt]], None] | None = None,
    ) -> list[Receipt]:
        """This will keep all arrivals in one transaction and return a receipt for each, once they are durable.

        Events whose time cannot be believed go to quarantine. `also` adds to the same transaction. Deadlocks and partitions
        dropped meanwhile are tried again; anything else that psycopg raises passes through, and then nothing is kept.
        """
        # Every writer takes its locks in the order of the clusters.
        order = sorted(range(len(arrivals)), key=lambda place: arrivals[place].cluster_id)
        for attempt in range(_ATTEMPTS):
            connection = self._opened()
            try:
                receipts = self._write(connection, [arrivals[place] for place in order], also, attempt > 0)
                return [
                    receipt for _, receipt in sorted(zip(order, receipts, strict=True), key=itemgetter(0))
                ]
            except (*_PASSING, errors.CheckViolation):
                # CheckViolation is "no partition of relation found for row": retention dropped the day under our feet.
                self._abandon(connection)
                self._days.clear()
                if attempt == _ATTEMPTS - 1:
                    raise
            except BaseException:
                self._abandon(connection)
                raise
        raise AssertionError("unreachable")

    def ask(self, question: Callable[[Connection], Answer]) -> Answer:
        """This will put a question to the database by the writer's own connection, in a transaction that is ended."""
        connection = self._opened()
        try:
            found = question(connection)
            connection.rollback()
        except BaseException:
            self._abandon(connection)
            raise
        return found

    def close(self) -> None:
        """This will give the connection back and end the thread that packs."""
        self._packer.close()
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _opened(self) -> Connection:
        if self._connection is None or self._connection.closed:
            self._connection = self._connect()
            claim_span(self._connection, self._span_us)
        return self._connection

    def _abandon(self, connection: Connection) -> None:
        self._firsts.rolled_back()
        try:
            connection.rollback()
        except psycopg.Error:
            connection.close()
        if connection.closed:
            # The server may have been replaced by a restored one: what is remembered of it is not worth keeping.
            self._connection = None
            self._maker.forget()
            self._firsts = Sightings()
            self._days.clear()

    def _write(
        self,
        connection: Connection,
        arrivals: Sequence[Arrival],
        also: Callable[[Connection, Sequence[Receipt]], None] | None,
        alone: bool,
    ) -> list[Receipt]:
        batches = self._prepare(connection, arrivals)
        if alone:
            # Who met a deadlock queues up with all others who did: they cannot meet each other again.
            connection.execute("SELECT pg_advisory_xact_lock(%s)", [_ALONE])
        receipts = self._keep(connection, batches, arrivals)
        if also is not None:
            also(connection, receipts)
        connection.commit()
        self._firsts.committed()
        return receipts

    def _prepare(self, connection: Connection, arrivals: Sequence[Arrival]) -> list[Batch]:
        """Make the batches and the partitions they need; only days not met before are held against the clock."""
        batches = [
            self._maker.make(connection, arrival.cluster_id, arrival.decoded, arrival.looked)
            for arrival in arrivals
        ]
        if set().union(*map(day_numbers, batches)) <= self._days:
            return batches
        believable = believable_now(connection)
        for place, arrival in enumerate(arrivals):
            if not believable.all(batches[place].received_us):
                decoded = believable.part(arrival.decoded)
                batches[place] = self._maker.make(connection, arrival.cluster_id, decoded)
        wanted = set().union(*map(day_numbers, batches))
        make_partitions(connection, map(day_of, wanted))
        self._days |= wanted
        return batches

    def _keep(
        self, connection: Connection, batches: list[Batch], arrivals: Sequence[Arrival]
    ) -> list[Receipt]:
        """Table by table over all batches: every writer takes its locks in one order, so none waits in a circle."""
        stored = [keep_events(connection, batch, self._packer) for batch in batches]
        new = [one.kept for one in stored]
        matched = [0] * len(batches)
        with connection.cursor() as cursor:
            for batch, kept in zip(batches, new, strict=True):
                if kept.any():
                    keep_parts(cursor, batch.cluster_id, fold(batch.counted(), self._span_us, kept))
            for batch, kept in zip(batches, new, strict=True):
                if kept.any():
                    self._firsts.keep(cursor, batch, kept)
            fired = [list(matches_of(batch, kept)) for batch, kept in zip(batches, new, strict=True)]
            if any(fired):
                self._judge(cursor, batches, fired, matched)
            for batch, arrival in zip(batches, arrivals, strict=True):
                if batch.rejects:
                    keep_rejects(cursor, batch.cluster_id, arrival.source, batch.rejects, batch.received)
            came = [(one.source, one.sent, one.left.live) for one in arrivals]
            keep_account(cursor, batches, came, new)
            for batch, one in zip(batches, stored, strict=True):
                keep_raws(cursor, batch, one)
            # Last, because all writers of a cluster add to the same few rows.
            for batch, kept in zip(batches, new, strict=True):
                count_redactions(cursor, batch, kept)
            keep_left(cursor, [(one.cluster_id, one.left) for one in arrivals])
        return [
            Receipt(
                int(kept.sum()),
                batch.n - int(kept.sum()),
                len(batch.rejects),
                matches,
                arrival.left.dropped,
            )
            for batch, kept, matches, arrival in zip(batches, new, matched, arrivals, strict=True)
        ]

    def _judge(
        self,
        cursor: psycopg.Cursor[tuple[object, ...]],
        batches: list[Batch],
        fired: list[list[Match]],
        matched: list[int],
    ) -> None:
        """What rules say of the new events: findings at once, then what their matches mean together."""
        oldest = min(match.received_us for matches in fired for match in matches)
        exceptions = load_exceptions(cursor, oldest)
        clusters = cluster_names(cursor) if exceptions.listed else {}
        for place, (batch, matches) in enumerate(zip(batches, fired, strict=True)):
            matched[place] = keep_matches(cursor, batch, matches, exceptions, clusters)
        fires = list(zip(batches, fired, strict=True))
        keep_correlated(cursor, watched(self._rules), fires, exceptions, clusters)
