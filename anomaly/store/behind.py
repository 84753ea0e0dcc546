"""The events behind findings: those that were kept as evidence, and those of a window that made it deviate."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Connection, Row, Select, and_, select, tuple_

from anomaly.events.decode import decode_lines
from anomaly.events.key import EPOCH
from anomaly.scoring import Deviation
from anomaly.store.batch import ALLOWED, FINAL
from anomaly.store.found import TEXT_COLUMNS, Found, chunks_of, rows, texts_of, with_raw
from anomaly.store.tables import event, evidence, finding
from anomaly.store.terms import LONGEST, storable
from anomaly.windows.dimension import Dimension
from anomaly.windows.row_terms import EventRow, open_terms, row_terms
from anomaly.windows.terms import Term, event_terms, shape_terms

_WINDOWS_AT_ONCE: Final = 16
MOST_IN_WINDOW: Final = 20_000
"""Events of a window that are looked at."""


def evidence_of(connection: Connection, finding_id: UUID, limit: int, skip: int = 0) -> list[Found]:
    """This will return the events behind a finding, oldest first, at most `limit`, after the first `skip`."""
    found: list[Any] = []
    at, wanted = skip, limit
    while wanted > 0:
        # The keys first, and then their events one by one: asked for at once, PostgreSQL reads all events there are.
        keys = (
            select(evidence.c.received_at, evidence.c.event_key, finding.c.cluster_id)
            .join(finding, finding.c.id == evidence.c.finding_id)
            .where(evidence.c.finding_id == finding_id)
            .order_by(evidence.c.received_at, evidence.c.event_key)
            .offset(at)
            .limit(wanted)
        )
        listed = connection.execute(keys).all()
        found += _events(connection, listed)
        if len(listed) < wanted:
            break
        at, wanted = at + wanted, limit - len(found)
    return list(with_raw(connection, found))


def _events(connection: Connection, keys: Sequence[Row[Any]]) -> Sequence[Row[Any]]:
    """The events of these keys that are there, in their order. By cluster too: the same log kept in two has the same keys in both."""
    if not keys:
        return []
    wanted = tuple_(event.c.cluster_id, event.c.received_at, event.c.event_key).in_(
        [(key.cluster_id, key.received_at, key.event_key) for key in keys]
    )
    # The times once more, plainly, so that partitions of other days are not even opened.
    within = and_(event.c.received_at >= keys[0].received_at, event.c.received_at <= keys[-1].received_at)
    order = (event.c.received_at, event.c.event_key)
    return connection.execute(rows().where(wanted, within).order_by(*order)).all()


@dataclass(frozen=True, slots=True)
class Asked:
    """Which events of a window are asked for: an entity's in [start, end) that add one of the terms; of the first `most` at most."""

    entity_id: int
    start: datetime
    end: datetime
    terms: frozenset[Term]
    """As they are stored (`anomaly.store.terms.storable`)."""
    most: int = MOST_IN_WINDOW

    @classmethod
    def of(cls, one: Deviation, most: int) -> Asked:
        """This will ask for what a deviation names as its evidence."""
        start = EPOCH + timedelta(microseconds=one.start_us)
        end = start + timedelta(microseconds=one.span_us)
        return cls(one.entity.id, start, end, frozenset(one.evidence), most)


def evidence_in_windows(connection: Connection, asked: Sequence[Asked]) -> list[list[tuple[datetime, UUID]]]:
    """This will return (time, key) of the events behind each of the windows, oldest first.

    What counts as evidence is what counted in the window: most rows say so themselves, and only events of which the row does not
    tell are unpacked and decoded again. Windows of one time lie in the same chunks, which are unpacked once for some together.
    """
    found: list[list[tuple[datetime, UUID]]] = [[] for _ in asked]
    for first in range(0, len(asked), _WINDOWS_AT_ONCE):
        _gather(connection, asked[first : first + _WINDOWS_AT_ONCE], found[first : first + _WINDOWS_AT_ONCE])
    return [sorted(one) for one in found]


def _gather(
    connection: Connection, asked: Sequence[Asked], found: Sequence[list[tuple[datetime, UUID]]]
) -> None:
    unsure: dict[tuple[date, int], list[tuple[int, int, datetime, UUID]]] = {}
    for place, one in enumerate(asked):
        columns = _columns_for(one.terms)
        listed = connection.execute(_rows_of(one, columns)).all()
        saying = _Saying(connection, columns, {tuple(row[_SAID:]) for row in listed}, one.terms)
        for row in listed:
            sure, unclear = saying.of[tuple(row[_SAID:])]
            if sure:
                found[place].append((row.received_at, row.event_key))
            elif unclear:
                chunk = unsure.setdefault((row.received_at.date(), row.chunk_id), [])
                chunk.append((row.ordinal, place, row.received_at, row.event_key))
    wanted = {place: {ordinal for ordinal, *_ in events} for place, events in unsure.items()}
    for day, number, raws in chunks_of(connection, wanted):
        for ordinal, place, at, key in unsure.pop((day, number)):
            decoded = decode_lines(raws[ordinal].replace(b"\n", b" "))
            for each, shape in zip(decoded.events, decoded.shapes, strict=True):
                terms = (*shape_terms(shape), *event_terms(each, shape))
                if any((dimension, storable(text)) in asked[place].terms for dimension, text in terms):
                    found[place].append((at, key))


def _columns_for(asked: frozenset[Term]) -> tuple[str, ...]:
    """Names of objects only where one is asked for: of them nearly every row has another."""
    named = any(dimension is Dimension.NAME for dimension, _ in asked)
    return tuple(name for name in TEXT_COLUMNS if named or name != "name_id")


_PLACE: Final = ("received_at", "event_key", "chunk_id", "ordinal")
_SAID: Final = len(_PLACE)
"""Where in a row that is what it says begins: code, flags, and the numbers of its texts."""


def _rows_of(one: Asked, columns: Sequence[str]) -> Select[Any]:
    return (
        select(*(event.c[name] for name in (*_PLACE, "code", "flags", *columns)))
        .where(
            event.c.entity_id == one.entity_id,
            event.c.received_at >= one.start,
            event.c.received_at < one.end,
        )
        .order_by(event.c.received_at, event.c.event_key)
        .limit(one.most)
    )


class _Saying:
    """What rows say about the terms asked for: whether the event surely added one, and if not, whether it may have.

    Worked out once for all rows that say the same; `of` has the answer to each.
    """

    def __init__(
        self,
        connection: Connection,
        columns: Sequence[str],
        distinct: Collection[tuple[int, ...]],
        asked: frozenset[Term],
    ) -> None:
        texts = texts_of(connection, (number for _, _, *numbers in distinct for number in numbers))
        self._asked = asked
        self.of: dict[tuple[int, ...], tuple[bool, bool]] = {}
        for one in distinct:
            code, flags, *numbers = one
            said = {name: texts.get(number, "") for name, number in zip(columns, numbers, strict=True)}
            self.of[one] = self._worked_out(code, flags, said)

    def _worked_out(self, code: int, flags: int, said: Mapping[str, str]) -> tuple[bool, bool]:
        row = EventRow(
            verb=said["verb_id"],
            resource_text=said["resource_id"],
            namespace=said["namespace_id"],
            name=said.get("name_id", ""),
            address=said["address_id"],
            agent=said["agent_id"],
            acting_as=said["acting_id"],
            code=code,
            allowed=bool(flags & ALLOWED),
            final=bool(flags & FINAL),
        )
        # Texts that were shortened do not make up the terms that were counted.
        shortened = sum(map(len, said.values())) > LONGEST
        return not self._asked.isdisjoint(row_terms(row)), shortened or open_terms(row, self._asked)
