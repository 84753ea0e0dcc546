"""Stored events as people and programs want them: every number a text again, with the raw bytes where they are asked for."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ARRAY, Connection, Integer, Row, Select, any_, literal, select, tuple_

from anomaly.events.decode import decode_lines
from anomaly.events.event import Event
from anomaly.store.batch import ALLOWED, LEVELS, STAGES
from anomaly.store.chunks import pick_events
from anomaly.store.tables import chunk, cluster, entity, event, term

TEXT_COLUMNS: Final = (
    "verb_id",
    "resource_id",
    "namespace_id",
    "name_id",
    "address_id",
    "agent_id",
    "acting_id",
)
_AT_ONCE: Final = 2_000
_BYTES_AT_ONCE: Final = 32 << 20
_CHUNKS_AT_ONCE: Final = 20


@dataclass(frozen=True, slots=True)
class Found:
    """One stored event. `raw` is its JSON as received, empty when it was not asked for; latency in microseconds."""

    received_at: datetime
    event_key: UUID
    cluster: str
    user: str
    verb: str
    resource: str
    namespace: str
    name: str
    code: int
    allowed: bool
    stage: str
    level: str
    address: str
    agent: str
    acting_as: str
    latency_us: int
    size: int
    raw: bytes = b""

    @property
    def audit_id(self) -> str:
        """The audit id as the event says, which anybody can choose; empty when the raw event was not asked for."""
        return self.event().auditID if self.raw else ""

    def event(self) -> Event:
        """This will decode the event again."""
        # A pretty-printed event has line ends between its fields; inside texts JSON has none.
        return decode_lines(self.raw.replace(b"\n", b" ")).events[0]


def rows() -> Select[Any]:
    """This will return the statement that reads rows of events, for `with_raw` and `without_raw` to make `Found` of."""
    return select(
        event.c.received_at,
        event.c.event_key,
        cluster.c.name.label("cluster"),
        entity.c.username,
        event.c.chunk_id,
        event.c.ordinal,
        event.c.code,
        event.c.stage,
        event.c.level,
        event.c.flags,
        event.c.latency_us,
        event.c.size,
        event.c.cluster_id,
        event.c.verb_id,
        event.c.resource_id,
        event.c.namespace_id,
        event.c.name_id,
        event.c.address_id,
        event.c.agent_id,
        event.c.acting_id,
    ).select_from(
        event.join(cluster, cluster.c.id == event.c.cluster_id).join(entity, entity.c.id == event.c.entity_id)
    )


def with_raw(connection: Connection, rows: Sequence[Row[Any]]) -> Iterator[Found]:
    """This will yield the events of these rows with their raw bytes, in the same order."""
    for part in in_parts(rows):
        texts = _texts(connection, part)
        for row, raw in zip(part, raws_of(connection, part), strict=True):
            yield _found(row, texts, raw)


def in_parts(rows: Iterable[Row[Any]]) -> Iterator[list[Row[Any]]]:
    """This will yield the rows in parts whose raw bytes can be held at once: an event may have megabytes."""
    part: list[Row[Any]] = []
    held = 0
    for row in rows:
        part.append(row)
        held += row.size
        if len(part) == _AT_ONCE or held > _BYTES_AT_ONCE:
            yield part
            part, held = [], 0
    if part:
        yield part


def without_raw(connection: Connection, rows: Sequence[Row[Any]]) -> list[Found]:
    """This will return the events of these rows without their raw bytes, which are the dear part: a chunk holds thousands."""
    texts = _texts(connection, rows)
    return [_found(row, texts, b"") for row in rows]


def _found(row: Row[Any], texts: dict[int, str], raw: bytes) -> Found:
    _, _, name = texts.get(row.name_id, "").partition(" ")
    return Found(
        received_at=row.received_at,
        event_key=row.event_key,
        cluster=row.cluster,
        user=row.username,
        verb=texts.get(row.verb_id, ""),
        resource=texts.get(row.resource_id, ""),
        namespace=texts.get(row.namespace_id, ""),
        name=name.partition("/")[2],
        code=row.code,
        allowed=bool(row.flags & ALLOWED),
        stage=STAGES[row.stage],
        level=LEVELS[row.level],
        address=texts.get(row.address_id, ""),
        agent=texts.get(row.agent_id, ""),
        acting_as=texts.get(row.acting_id, ""),
        latency_us=row.latency_us,
        size=row.size,
        raw=raw,
    )


def texts_of(connection: Connection, numbers: Iterable[int]) -> dict[int, str]:
    """This will return the texts of these numbers; 0 has none."""
    # One array and not a parameter each: twenty thousand rows can have more texts than a statement has room for.
    wanted = term.c.id == any_(literal(sorted({*numbers} - {0}), ARRAY(Integer)))
    found = connection.execute(select(term.c.id, term.c.value).where(wanted))
    return {int(number): str(value) for number, value in found}


def _texts(connection: Connection, rows: Iterable[Row[Any]]) -> dict[int, str]:
    return texts_of(connection, {getattr(row, column) for row in rows for column in TEXT_COLUMNS})


def raws_of(connection: Connection, rows: Sequence[Row[Any]]) -> list[bytes]:
    """This will return the raw bytes of the events of these rows, in the same order.

    Some chunks at a time, and of each only what is wanted: unpacked it may be a hundred times as much.
    """
    wanted: dict[tuple[date, int], set[int]] = {}
    for row in rows:
        wanted.setdefault((row.received_at.date(), row.chunk_id), set()).add(row.ordinal)
    found: dict[tuple[date, int, int], bytes] = {}
    for day, number, raws in chunks_of(connection, wanted):
        found |= {(day, number, ordinal): raw for ordinal, raw in raws.items()}
    return [found[row.received_at.date(), row.chunk_id, row.ordinal] for row in rows]


def chunks_of(
    connection: Connection, wanted: Mapping[tuple[date, int], Collection[int]]
) -> Iterator[tuple[date, int, dict[int, bytes]]]:
    """This will yield day, number and the raw events wanted, by their ordinals, of each of these chunks, unpacked one at a time."""
    places = sorted(wanted)
    for start in range(0, len(places), _CHUNKS_AT_ONCE):
        statement = select(chunk.c.day, chunk.c.id, chunk.c.data).where(
            tuple_(chunk.c.day, chunk.c.id).in_(places[start : start + _CHUNKS_AT_ONCE])
        )
        for day, number, data in connection.execute(statement):
            yield day, number, pick_events(bytes(data), wanted[day, number])
