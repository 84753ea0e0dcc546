"""Questions about stored events: by user, verb, resource, namespace, name, outcome, agent, address and time.

Texts become term ids first, so the search itself compares integers inside the day partitions that the time span leaves.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from itertools import islice
from typing import Final
from uuid import UUID
from zlib import crc32

from sqlalchemy import Connection, Row, Select, and_, func, or_, select, tuple_
from sqlalchemy.sql.elements import ColumnElement

from anomaly.errors import UsageError
from anomaly.events.decode import decode_lines
from anomaly.events.event import Event
from anomaly.store.batch import ALLOWED, FINAL, LEVELS, STAGES
from anomaly.store.chunks import unpack_chunk
from anomaly.store.tables import chunk, cluster, entity, event, evidence, finding, term
from anomaly.store.terms import storable
from anomaly.windows.dimension import Dimension
from anomaly.windows.terms import Term, event_terms, shape_terms

_AT_ONCE: Final = 500
_MOST_IN_WINDOW: Final = 20_000


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked; None or empty restricts nothing. Texts may hold `*` for anything. Times: [since, until).

    An empty text among `namespaces` asks for what is in none; addresses may be networks, as in 10.1.0.0/16.
    """

    cluster: str | None = None
    users: tuple[str, ...] = ()
    acting_as: tuple[str, ...] = ()
    verbs: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    namespaces: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    agents: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    codes: tuple[int, ...] = ()
    outcome: str | None = None
    """`allowed`, `refused` (401, 403 or forbidden), `failed` (allowed and 400 or above) or `ok`."""
    audit_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    final_only: bool = False
    limit: int = 100
    newest_first: bool = True


@dataclass(frozen=True, slots=True)
class Found:
    """One stored event. `raw` is its JSON as received."""

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
    raw: bytes

    @property
    def audit_id(self) -> str:
        """The audit id as the event says: anybody can choose it."""
        return self.event().auditID

    def event(self) -> Event:
        """This will decode the event again."""
        # A pretty-printed event has line ends between its fields; inside texts JSON has none.
        return decode_lines(self.raw.replace(b"\n", b" ")).events[0]


_COLUMNS: Final = {
    "verbs": (event.c.verb_id, Dimension.VERB),
    "resources": (event.c.resource_id, Dimension.RESOURCE),
    "namespaces": (event.c.namespace_id, Dimension.NAMESPACE),
    "agents": (event.c.agent_id, Dimension.AGENT),
    "addresses": (event.c.address_id, Dimension.ADDRESS),
    "acting_as": (event.c.acting_id, Dimension.IMPERSONATED),
}


def search(connection: Connection, question: Question) -> list[Found]:
    """This will return the events that answer the question, newest first unless asked otherwise, with their raw bytes."""
    conditions = _conditions(connection, question)
    if conditions is None:
        return []
    order = (event.c.received_at, event.c.event_key)
    turned = [key.desc() for key in order] if question.newest_first else list(order)
    statement = _rows().where(*conditions).order_by(*turned)
    if question.audit_id is None:
        return list(_with_raw(connection, connection.execute(statement.limit(question.limit)).all()))
    # Anybody can choose ids with an equal checksum: the limit counts only what has the very id.
    rows = connection.execute(statement).all()
    same = (one for one in _with_raw(connection, rows) if one.audit_id == question.audit_id)
    return list(islice(same, question.limit))


def count(connection: Connection, question: Question) -> int:
    """This will return how many events answer the question."""
    conditions = _conditions(connection, question)
    if conditions is None:
        return 0
    if question.audit_id is not None:
        return len(search(connection, replace(question, limit=sys.maxsize)))
    return int(connection.execute(select(func.count()).select_from(event).where(*conditions)).scalar_one())


def evidence_of(connection: Connection, finding_id: UUID, limit: int) -> list[Found]:
    """This will return the events behind a finding, oldest first, at most `limit`."""
    # The cluster too: the same log kept in two clusters has the same keys in both.
    about = finding.c.cluster_id == event.c.cluster_id
    join = and_(evidence.c.received_at == event.c.received_at, evidence.c.event_key == event.c.event_key)
    statement = (
        _rows()
        .join(evidence, join)
        .join(finding, and_(finding.c.id == evidence.c.finding_id, about))
        .where(evidence.c.finding_id == finding_id)
        .order_by(event.c.received_at, event.c.event_key)
        .limit(limit)
    )
    return list(_with_raw(connection, connection.execute(statement).all()))


def evidence_in_window(
    connection: Connection, entity_id: int, start: datetime, end: datetime, terms: frozenset[Term]
) -> list[tuple[datetime, UUID]]:
    """This will return (time, key) of an entity's events in [start, end) that add one of the terms, oldest first.

    The events are decoded again, so that what counts as evidence is what counted in the window. At most the first 20,000
    events of the window are looked at.
    """
    statement = (
        select(event.c.received_at, event.c.event_key, event.c.chunk_id, event.c.ordinal)
        .where(event.c.entity_id == entity_id, event.c.received_at >= start, event.c.received_at < end)
        .order_by(event.c.received_at, event.c.event_key)
        .limit(_MOST_IN_WINDOW)
    )
    rows = connection.execute(statement).all()
    found: list[tuple[datetime, UUID]] = []
    for place in sorted({(row.received_at.date(), row.chunk_id) for row in rows}):
        raws = _raws(connection, {place})[place]
        for row in rows:
            if (row.received_at.date(), row.chunk_id) != place:
                continue
            decoded = decode_lines(raws[row.ordinal].replace(b"\n", b" "))
            for one, shape in zip(decoded.events, decoded.shapes, strict=True):
                if not terms.isdisjoint((*shape_terms(shape), *event_terms(one, shape))):
                    found.append((row.received_at, row.event_key))
    return sorted(found)


def _rows() -> Select[tuple[object, ...]]:
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


def _conditions(connection: Connection, question: Question) -> list[ColumnElement[bool]] | None:
    """The WHERE clause; None when some text never occurred, so nothing can be found."""
    conditions: list[ColumnElement[bool]] = []
    if question.cluster is not None:
        number = connection.execute(select(cluster.c.id).where(cluster.c.name == question.cluster)).scalar()
        if number is None:
            return None
        conditions.append(event.c.cluster_id == number)
    if question.since is not None:
        conditions.append(event.c.received_at >= question.since)
    if question.until is not None:
        conditions.append(event.c.received_at < question.until)
    wanted: list[tuple[ColumnElement[int], list[int]]] = []
    if question.users:
        wanted.append((event.c.entity_id, _entities(connection, question.users)))
    for field, (column, dimension) in _COLUMNS.items():
        if texts := getattr(question, field):
            wanted.append((column, _terms(connection, dimension, texts)))
            if field in _MAY_BE_NONE and "" in texts:
                wanted[-1][1].append(0)
    if question.names:
        wanted.append((event.c.name_id, _names(connection, question.names)))
    for asked, ids in wanted:
        if not ids:
            return None
        conditions.append(asked.in_(ids))
    if question.codes:
        conditions.append(event.c.code.in_(question.codes))
    if question.audit_id is not None:
        crc = crc32(question.audit_id.encode("utf-8", "surrogatepass"))
        conditions.append(event.c.audit_crc == (crc if crc < 2**31 else crc - 2**32))
    if question.final_only:
        conditions.append(event.c.flags.op("&")(FINAL) != 0)
    if question.outcome is not None:
        conditions.append(_OUTCOMES[question.outcome])
    return conditions


_ALLOWED: Final[ColumnElement[bool]] = event.c.flags.op("&")(ALLOWED) != 0
_OUTCOMES: Final[dict[str, ColumnElement[bool]]] = {
    "allowed": _ALLOWED,
    "refused": event.c.flags.op("&")(ALLOWED) == 0,
    "failed": and_(_ALLOWED, event.c.code >= 400),
    "ok": and_(_ALLOWED, event.c.code < 400),
}
_MAY_BE_NONE: Final = frozenset({"namespaces"})
"""Fields in which an empty text asks for events without one: cluster-scoped objects and paths."""
OUTCOMES: Final = tuple(_OUTCOMES)


def _like(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return escaped.replace("*", "%")


def _terms(connection: Connection, dimension: Dimension, texts: Sequence[str]) -> list[int]:
    of_kind = term.c.dimension == int(dimension)
    networks = [text for text in texts if "/" in text] if dimension is Dimension.ADDRESS else []
    others = [text for text in texts if text not in networks]
    found = _ids(connection, term.c.id, term.c.value, others, of_kind) if others else []
    return found + (_within(connection, networks, of_kind) if networks else [])


def _within(connection: Connection, networks: Sequence[str], of_kind: ColumnElement[bool]) -> list[int]:
    """Compared here: an address is what an event says, and PostgreSQL would refuse the question for one that is none."""
    wanted = [_network(text) for text in networks]
    rows = connection.execute(select(term.c.id, term.c.value).where(of_kind))
    return [
        int(number)
        for number, value in rows
        if (address := _address(str(value))) is not None and any(address in one for one in wanted)
    ]


def _network(text: str) -> IPv4Network | IPv6Network:
    try:
        return ip_network(text, strict=False)
    except ValueError as wrong:
        raise UsageError(f"{text} is no network.", hint="Write it as 10.1.0.0/16 or fd00::/8.") from wrong


def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _names(connection: Connection, names: Sequence[str]) -> list[int]:
    """NAME terms hold "resource namespace/name"; neither of the first two can hold what parts them, a name can hold anything."""
    name = func.substring(term.c.value, "^[^ ]* [^/]*/(.*)$")
    rough = or_(*(term.c.value.like(_like(f"* */{one}"), escape="\\") for one in names))
    return _ids(connection, term.c.id, name, names, term.c.dimension == int(Dimension.NAME), rough)


def _entities(connection: Connection, texts: Sequence[str]) -> list[int]:
    return _ids(connection, entity.c.id, entity.c.username, texts)


def _ids(
    connection: Connection,
    number: ColumnElement[int],
    value: ColumnElement[str],
    texts: Sequence[str],
    *also: ColumnElement[bool],
) -> list[int]:
    exact = [storable(text) for text in texts if "*" not in text]
    patterns = [text for text in texts if "*" in text]
    either = [value.in_(exact)] if exact else []
    either += [value.like(_like(pattern), escape="\\") for pattern in patterns]
    return [int(one) for one in connection.execute(select(number).where(*also, or_(*either))).scalars()]


def _with_raw(connection: Connection, rows: Sequence[Row[tuple[object, ...]]]) -> Iterator[Found]:
    for start in range(0, len(rows), _AT_ONCE):
        part = rows[start : start + _AT_ONCE]
        texts = _texts(connection, part)
        raws = _raws(connection, {(row.received_at.date(), row.chunk_id) for row in part})
        for row in part:
            _, _, name = texts.get(row.name_id, "").partition(" ")
            yield Found(
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
                raw=raws[row.received_at.date(), row.chunk_id][row.ordinal],
            )


def _texts(connection: Connection, rows: Iterable[Row[tuple[object, ...]]]) -> dict[int, str]:
    columns = ("verb_id", "resource_id", "namespace_id", "name_id", "address_id", "agent_id", "acting_id")
    ids = {getattr(row, column) for row in rows for column in columns}
    found = connection.execute(select(term.c.id, term.c.value).where(term.c.id.in_(ids - {0})))
    return {int(number): str(value) for number, value in found}


def _raws(connection: Connection, chunks: set[tuple[date, int]]) -> dict[tuple[date, int], list[bytes]]:
    if not chunks:
        return {}
    statement = select(chunk.c.day, chunk.c.id, chunk.c.data).where(
        tuple_(chunk.c.day, chunk.c.id).in_(chunks)
    )
    return {(day, number): unpack_chunk(bytes(data)) for day, number, data in connection.execute(statement)}
