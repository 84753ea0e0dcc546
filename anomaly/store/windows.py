"""Windows in PostgreSQL: parts as they come in, whole windows after folding, both together when read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

import numpy as np
import psycopg
from numpy.typing import NDArray
from psycopg import sql

from anomaly.errors import SettingsInvalid
from anomaly.events.key import EPOCH
from anomaly.store.terms import vocabulary
from anomaly.windows.fold import Part
from anomaly.windows.vocabulary import Vocabulary
from anomaly.windows.window import RECORD, Windows, merge

Connection = psycopg.Connection[tuple[object, ...]]
Key = tuple[int, datetime, int]
"""Entity, start and cluster of a window."""
_FOLD_AT_ONCE: Final = 20_000
_BLOCK: Final = 20_000
WINDOWS_AT_ONCE: Final = 65_536
"""Windows read at a time: their histograms as they come from the database take about 30 MB."""


def keep_parts(cursor: psycopg.Cursor[tuple[object, ...]], cluster_id: int, parts: Iterable[Part]) -> None:
    """This will append window parts, in the caller's transaction."""
    statement = (
        "COPY anomaly.window_part (start_at, entity_id, cluster_id, histogram) FROM STDIN (FORMAT BINARY)"
    )
    with cursor.copy(statement) as copy:
        copy.set_types(["timestamptz", "int4", "int2", "bytea"])
        for part in parts:
            copy.write_row((_moment(part.start_us), part.entity_id, cluster_id, part.histogram))


def fold_parts(connection: Connection, most: int = _FOLD_AT_ONCE) -> int:
    """This will fold up to `most` parts into whole windows in one transaction, and return how many; 0 when none is left.

    Parts that another process is folding are passed over. Readers see a part either alone or folded, never both.
    """
    with connection.transaction(), connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM anomaly.window_part WHERE id IN"
            " (SELECT id FROM anomaly.window_part ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED)"
            " RETURNING entity_id, start_at, cluster_id, histogram",
            [most],
        )
        parts = cursor.fetchall()
        grouped: dict[Key, list[bytes]] = {}
        for entity_id, start_at, cluster_id, histogram in parts:
            assert isinstance(start_at, datetime) and isinstance(histogram, bytes)
            grouped.setdefault((int(str(entity_id)), start_at, int(str(cluster_id))), []).append(histogram)
        if grouped:
            _add_to_windows(cursor, dict(sorted(grouped.items())))
        return len(parts)


def _add_to_windows(
    cursor: psycopg.Cursor[tuple[object, ...]], grouped: Mapping[Key, Sequence[bytes]]
) -> None:
    """Add histograms to windows, sorted by key. In three statements however many there are: under a load each second brings a
    thousand, and asking for one after the other took most of the time in which they are to be judged.

    Two folders may add to one window: its row is there and taken before it is read, so that neither loses what the other adds, and
    all take the rows in one order.
    """
    entities, starts, clusters = (list(column) for column in zip(*grouped, strict=True))
    cursor.execute(
        "INSERT INTO anomaly.entity_window (entity_id, start_at, cluster_id, histogram)"
        " SELECT e, s, c, '' FROM unnest(%s::int[], %s::timestamptz[], %s::smallint[]) AS new (e, s, c) ORDER BY e, s"
        " ON CONFLICT (entity_id, start_at) DO NOTHING",
        [entities, starts, clusters],
    )
    cursor.execute(
        "SELECT w.entity_id, w.start_at, w.histogram FROM anomaly.entity_window w"
        " JOIN unnest(%b::int[], %b::timestamptz[]) AS asked (e, s) ON w.entity_id = asked.e AND w.start_at = asked.s"
        " ORDER BY w.entity_id, w.start_at FOR UPDATE OF w",
        [entities, starts],
        binary=True,
    )
    stored = {(entity_id, start_at): histogram for entity_id, start_at, histogram in cursor.fetchall()}
    merged = []
    for (entity_id, start_at, _), histograms in grouped.items():
        there = stored[entity_id, start_at]
        assert isinstance(there, bytes)
        merged.append(merge([there, *histograms]))
    cursor.execute(
        "UPDATE anomaly.entity_window w SET histogram = n.h, scored_at = NULL"
        " FROM unnest(%b::int[], %b::timestamptz[], %b::bytea[]) AS n (e, s, h)"
        " WHERE w.entity_id = n.e AND w.start_at = n.s",
        [entities, starts, merged],
    )


def fold_all(connection: Connection) -> int:
    """This will fold until no part is left, and return how many there were."""
    total = 0
    while folded := fold_parts(connection):
        total += folded
    return total


@dataclass(frozen=True, slots=True)
class Span:
    """Which windows: those that start in [`since`, `until`), of one cluster or of all (None), of some entities or of all.

    `closed` takes in a window that starts at `until` itself: with `until` one span earlier, all that end by then.
    """

    since: datetime | None = None
    until: datetime | None = None
    cluster_id: int | None = None
    entity_ids: tuple[int, ...] | None = None
    closed: bool = False

    def conditions(self) -> sql.Composed:
        """This will return the WHERE clause, for both tables of windows."""
        found: list[sql.Composable] = [sql.SQL("true")]
        if self.since is not None:
            found.append(sql.SQL("start_at >= {}").format(self.since))
        if self.until is not None:
            found.append(sql.SQL("start_at {} {}").format(sql.SQL("<=" if self.closed else "<"), self.until))
        if self.cluster_id is not None:
            found.append(sql.SQL("cluster_id = {}").format(self.cluster_id))
        if self.entity_ids is not None:
            found.append(sql.SQL("entity_id = ANY({})").format(list(self.entity_ids)))
        return sql.SQL(" AND ").join(found)


def known_windows(connection: Connection, span: Span, span_us: int, words: Vocabulary) -> Windows | None:
    """This will read few windows, folded or not, with a vocabulary that is there already; None when it does not cover them."""
    who, starts, blobs = unsorted_windows(connection, span)
    records = np.frombuffer(b"".join(blobs), dtype=RECORD)
    if len(records) and int(records["term"].max()) >= words.size:
        return None
    return Windows.of(words, who, starts, blobs, span_us)


def unsorted_windows(connection: Connection, span: Span) -> tuple[list[int], list[int], list[bytes]]:
    """This will read windows, folded or not, as parallel lists: entity, start in microseconds, packed histogram. Parts of one
    window stand apart."""
    who, starts, blobs = [], [], []
    for entity, start, blob in _rows(connection, span):
        who.append(entity)
        starts.append(start)
        blobs.append(blob)
    return who, starts, blobs


def read_windows(connection: Connection, span: Span, span_us: int) -> Windows:
    """This will read windows, folded or not, with the vocabulary they need. Sorted by the entity's name, then start: numbers of
    entities follow the order in which they came, and what is drawn, sampled or cut must not.

    `span_us` is the length of a window in microseconds. Memory: about 13 bytes a histogram entry, and that of one block.
    """
    blocks = list(window_blocks(connection, span, span_us))
    words = vocabulary(connection) if len(blocks) > 1 else None
    if len(blocks) == 1:
        return blocks[0]
    return Windows.joined(words or vocabulary(connection), blocks, span_us)


def window_blocks(
    connection: Connection, span: Span, span_us: int, most: int = WINDOWS_AT_ONCE
) -> Iterator[Windows]:
    """This will read windows as `read_windows` does, all of an entity in one block, about `most` windows in each, in order of
    the entities' names. The vocabulary of a block covers it and the blocks before."""
    words: Vocabulary | None = None
    for entities in _batches(connection, span, most):
        who, starts, blobs = unsorted_windows(connection, replace(span, entity_ids=entities))
        owner, begun = np.array(who, dtype=np.int64), np.array(starts, dtype=np.int64)
        rank = _places(owner, entities)
        order = np.lexsort((begun, rank))
        blobs = [blobs[place] for place in order.tolist()]
        lengths = np.fromiter(map(len, blobs), dtype=np.int64, count=len(blobs)) // RECORD.itemsize
        records = np.frombuffer(b"".join(blobs), dtype=RECORD)
        blobs.clear()
        # Terms are kept before the windows that hold them, so a vocabulary loaded after the windows covers them.
        if words is None or (len(records) and int(records["term"].max()) >= words.size):
            words = vocabulary(connection)
        yield Windows.from_records(words, owner[order], begun[order], lengths, records, span_us, rank[order])


def _places(owner: NDArray[np.int64], entities: tuple[int, ...]) -> NDArray[np.int64]:
    """Where each owner stands among the entities."""
    known = np.array(entities, dtype=np.int64)
    order = np.argsort(known)
    return np.asarray(order[np.searchsorted(known[order], owner)], dtype=np.int64)


def _batches(connection: Connection, span: Span, most: int) -> Iterator[tuple[int, ...]]:
    """Entities in groups that have about `most` windows together, by name."""
    counted = connection.execute(
        sql.SQL(
            "SELECT entity_id, sum(n)::bigint FROM ("
            " SELECT entity_id, count(*) AS n FROM anomaly.entity_window WHERE {} GROUP BY 1"
            " UNION ALL SELECT entity_id, count(*) FROM anomaly.window_part WHERE {} GROUP BY 1"
            ") AS counted LEFT JOIN anomaly.entity ON entity.id = entity_id"
            ' GROUP BY entity_id, username ORDER BY username COLLATE "C", entity_id'
        ).format(span.conditions(), span.conditions())
    ).fetchall()
    batch: list[int] = []
    total = 0
    for entity, number in counted:
        if batch and total + int(str(number)) > most:
            yield tuple(batch)
            batch, total = [], 0
        batch.append(int(str(entity)))
        total += int(str(number))
    yield tuple(batch)


def last_start(connection: Connection, span: Span) -> datetime | None:
    """This will return when the latest window of a span begins, folded or not; None when there is none."""
    row = connection.execute(
        sql.SQL(
            "SELECT greatest((SELECT max(start_at) FROM anomaly.entity_window WHERE {}),"
            " (SELECT max(start_at) FROM anomaly.window_part WHERE {}))"
        ).format(span.conditions(), span.conditions())
    ).fetchone()
    return row[0] if row and isinstance(row[0], datetime) else None


def _rows(connection: Connection, span: Span) -> Iterator[tuple[int, int, bytes]]:
    """Each part of each window: entity, start in microseconds, packed histogram. The first order that comes to hand is nearly
    sorted, which spares sorting the entries."""
    microseconds_of = sql.SQL("(extract(epoch FROM start_at) * 1000000)::bigint")
    with connection.cursor(binary=True) as cursor:
        cursor.execute(
            sql.SQL(
                "SELECT entity_id, {us}, histogram FROM anomaly.entity_window WHERE {which}"
                " UNION ALL SELECT entity_id, {us}, histogram FROM anomaly.window_part WHERE {which} ORDER BY 1, 2"
            ).format(us=microseconds_of, which=span.conditions())
        )
        while rows := cursor.fetchmany(_BLOCK):
            yield from rows  # type: ignore[misc]


def _moment(us: int) -> datetime:
    return EPOCH + timedelta(microseconds=us)


def claim_span(connection: Connection, span_us: int) -> None:
    """This will hold a database to one length of windows: the first to write settles it.

    Raises SettingsInvalid when it was settled otherwise. Commits.
    """
    connection.execute(
        "INSERT INTO anomaly.window_span (span_us) VALUES (%s) ON CONFLICT DO NOTHING", [span_us]
    )
    row = connection.execute("SELECT span_us FROM anomaly.window_span").fetchone()
    connection.commit()
    settled = int(str(row[0])) if row else span_us
    if settled != span_us:
        raise SettingsInvalid(
            f"The windows of this database are {timedelta(microseconds=settled)} long; windows.span says"
            f" {timedelta(microseconds=span_us)}.",
            hint="Set windows.span back, or use another database (data_dir or ANOMALY_DATABASE_URL).",
        )


def mark_scored(connection: Connection, cluster_id: int, span: Span) -> None:
    """This will note that the folded windows of a span were judged as they are; folding more in takes the note back."""
    connection.execute(
        sql.SQL("UPDATE anomaly.entity_window SET scored_at = now() WHERE scored_at IS NULL AND {}").format(
            replace(span, cluster_id=cluster_id).conditions()
        )
    )
