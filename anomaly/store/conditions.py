"""A question about events as a condition on their rows: texts become numbers of the dictionary, and integers are compared.

What a row cannot tell (`anomaly.query.deep`) is answered both ways: `upper` finds every event that may answer, so that only
those are read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any, Final
from uuid import UUID
from zlib import crc32

from sqlalchemy import (
    ARRAY,
    Connection,
    Integer,
    and_,
    any_,
    exists,
    false,
    func,
    literal,
    not_,
    or_,
    select,
    true,
)
from sqlalchemy.sql.elements import ColumnElement

from anomaly.events.identity import UNAUTHENTICATED, EntityKind, identity_of
from anomaly.events.key import EPOCH, microseconds
from anomaly.query.deep import Leaf, is_deep
from anomaly.query.tree import Amount, And, Node, Not, Or, Pattern, Text, When, Word
from anomaly.store.batch import ALLOWED, LEVELS, STAGES
from anomaly.store.tables import cluster, entity, event, evidence, finding, term
from anomaly.store.terms import storable, without_nul
from anomaly.windows.dimension import Dimension

Condition = ColumnElement[bool]

COLUMNS: Final[dict[str, tuple[ColumnElement[int], Dimension]]] = {
    "verb": (event.c.verb_id, Dimension.VERB),
    "resource": (event.c.resource_id, Dimension.RESOURCE),
    "namespace": (event.c.namespace_id, Dimension.NAMESPACE),
    "name": (event.c.name_id, Dimension.NAME),
    "agent": (event.c.agent_id, Dimension.AGENT),
    "address": (event.c.address_id, Dimension.ADDRESS),
    "as": (event.c.acting_id, Dimension.IMPERSONATED),
}
"""Fields whose texts the dictionary has; 0 stands for none."""
_ALLOWED: Final[Condition] = event.c.flags.op("&")(ALLOWED) != 0
_REFUSED: Final[Condition] = event.c.flags.op("&")(ALLOWED) == 0
_OUTCOMES: Final[dict[str, Condition]] = {
    "allowed": _ALLOWED,
    "refused": _REFUSED,
    "failed": and_(_ALLOWED, event.c.code >= 400),
    "ok": and_(_ALLOWED, event.c.code < 400),
}
_NUMBERS: Final[dict[str, tuple[ColumnElement[int], int]]] = {
    "code": (event.c.code, 2**15 - 1),
    "latency": (event.c.latency_us, 2**31 - 1),
    "size": (event.c.size, 2**31 - 1),
}
_CAPITALS: Final = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz")
_MICROSECOND: Final = timedelta(microseconds=1)
_FEW: Final = 200
"""Numbers up to which a condition names them one by one."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """Times that events which answer can have: [since, until), None is open."""

    since: datetime | None = None
    until: datetime | None = None


def bounds(node: Node, now: datetime) -> Bounds:
    """This will return the times outside of which nothing can answer the question."""
    if isinstance(node, When):
        return _hull([_period(period.low, period.high, now) for period in node.periods])
    if isinstance(node, And):
        parts = [bounds(part, now) for part in node.nodes]
        return Bounds(
            max((part.since for part in parts if part.since), default=None),
            min((part.until for part in parts if part.until), default=None),
        )
    if isinstance(node, Or):
        return _hull([bounds(part, now) for part in node.nodes])
    return Bounds()


def _hull(parts: Sequence[Bounds]) -> Bounds:
    since = [part.since for part in parts if part.since is not None]
    until = [part.until for part in parts if part.until is not None]
    return Bounds(
        min(since) if len(since) == len(parts) else None, max(until) if len(until) == len(parts) else None
    )


def _period(low: Any, high: Any, now: datetime) -> Bounds:
    now_us = microseconds(now)
    return Bounds(
        None if low is None else EPOCH + low.at(now_us) * _MICROSECOND,
        None if high is None else EPOCH + (high.at(now_us) + 1) * _MICROSECOND,
    )


class Conditions:
    """Translates one question. `missing` collects what is named exactly and never occurred: (field, text)."""

    def __init__(self, connection: Connection, now: datetime) -> None:
        self._connection = connection
        self._now = now
        self._known: dict[Leaf, Condition] = {}
        self.missing: list[tuple[str, str]] = []

    def upper(self, node: Node) -> Condition:
        """This will return the condition that holds for every event which may answer the question."""
        return self._of(node, True)

    def leaf(self, leaf: Leaf) -> Condition:
        """This will return the condition of one part of a question that rows can answer."""
        if leaf not in self._known:
            self._known[leaf] = self._translate(leaf)
        return self._known[leaf]

    def _of(self, node: Node, generous: bool) -> Condition:
        if isinstance(node, And):
            return and_(true(), *(self._of(part, generous) for part in node.nodes))
        if isinstance(node, Or):
            return or_(false(), *(self._of(part, generous) for part in node.nodes))
        if isinstance(node, Not):
            return not_(self._of(node.node, not generous))
        if is_deep(node):
            return self._perhaps(node) if generous else false()
        return self.leaf(node)

    def _perhaps(self, node: Node) -> Condition:
        """An audit id can be found by its checksum; anybody can choose ids with an equal one, so it is read all the same."""
        if isinstance(node, Text) and node.field == "audit" and all(one.exact for one in node.patterns):
            return event.c.audit_crc.in_([_crc(one.parts[0]) for one in node.patterns])
        return true()

    def _translate(self, leaf: Leaf) -> Condition:
        if isinstance(leaf, When):
            return or_(*(self._when(period.low, period.high) for period in leaf.periods))
        if isinstance(leaf, Amount):
            column, most = _NUMBERS[leaf.field]
            return or_(*(_between(column, span.low, span.high, most) for span in leaf.spans))
        if isinstance(leaf, Word):
            return self._word(leaf)
        return _FIELDS.get(leaf.field, Conditions._text)(self, leaf)

    def _when(self, low: Any, high: Any) -> Condition:
        found = _period(low, high, self._now)
        return and_(
            true() if found.since is None else event.c.received_at >= found.since,
            true() if found.until is None else event.c.received_at < found.until,
        )

    def _word(self, word: Word) -> Condition:
        pattern = Pattern(("", *(part.translate(_CAPITALS) for part in word.parts), ""))
        columns = {int(dimension): column for column, dimension in COLUMNS.values()}
        folded = like(func.lower(term.c.value.collate("C")), pattern)
        found: dict[int, list[int]] = {}
        rows = self._connection.execute(
            select(term.c.dimension, term.c.id).where(term.c.dimension.in_(columns), folded)
        )
        for dimension, number in rows:
            found.setdefault(dimension, []).append(number)
        users = like(func.lower(entity.c.username.collate("C")), pattern)
        who = list(self._connection.execute(select(entity.c.id).where(users)).scalars())
        return or_(
            _among(event.c.entity_id, who),
            *(_among(columns[dimension], numbers) for dimension, numbers in found.items()),
        )

    def _text(self, leaf: Text) -> Condition:
        column, dimension = COLUMNS[leaf.field]
        numbers: list[int] = []
        patterns = []
        for pattern in leaf.patterns:
            if pattern.exact and not pattern.parts[0]:
                numbers.append(0)
            elif dimension is Dimension.ADDRESS and pattern.exact and "/" in pattern.parts[0]:
                numbers += self._within(pattern.parts[0])
            else:
                patterns.append(pattern)
        if any(pattern.anything for pattern in patterns):
            some = column != 0
            return or_(some, column == 0) if numbers else some
        if patterns and dimension is Dimension.NAME:
            numbers += self._names(patterns)
        elif patterns:
            of_kind = term.c.dimension == int(dimension)
            numbers += self._ids(leaf.field, term.c.id, term.c.value, patterns, of_kind)
        return _among(column, numbers)

    def _names(self, patterns: Sequence[Pattern]) -> list[int]:
        """NAME terms hold "resource namespace/name"; neither of the first two can hold what parts them, a name can hold
        anything."""
        rough = or_(
            *(like(term.c.value, Pattern(("", f"/{one.parts[0]}", *one.parts[1:]))) for one in patterns)
        )
        of_kind = term.c.dimension == int(Dimension.NAME)
        return self._ids("name", term.c.id, object_name(), patterns, of_kind, rough)

    def _ids(
        self,
        field: str,
        number: ColumnElement[int],
        value: ColumnElement[str],
        patterns: Sequence[Pattern],
        *also: Condition,
    ) -> list[int]:
        exact = {storable(one.parts[0]): one.parts[0] for one in patterns if one.exact}
        found: list[int] = []
        if exact:
            rows = self._connection.execute(select(number, value).where(*also, value.in_(exact))).all()
            there = {text for _, text in rows}
            self.missing += [(field, said) for kept, said in exact.items() if kept not in there]
            found += [int(one) for one, _ in rows]
        if rough := [like(value, one) for one in patterns if not one.exact]:
            # As one array: a pattern may stand for a hundred thousand texts.
            many = self._connection.execute(select(func.array_agg(number)).where(*also, or_(*rough)))
            found += many.scalar_one() or []
        return found

    def _within(self, text: str) -> list[int]:
        """Compared here: an address is what an event says, and PostgreSQL would refuse the question for one that is none."""
        network = ip_network(text, strict=False)
        rows = self._connection.execute(
            select(term.c.id, term.c.value).where(term.c.dimension == int(Dimension.ADDRESS))
        )
        return [int(number) for number, value in rows if _lies_in(value, network)]

    def _user(self, leaf: Text) -> Condition:
        if any(pattern.anything for pattern in leaf.patterns):
            return true()
        return _among(event.c.entity_id, self._ids("user", entity.c.id, entity.c.username, leaf.patterns))

    def _kind(self, leaf: Text) -> Condition:
        wanted = {EntityKind(pattern.parts[0]) for pattern in leaf.patterns}
        rows = self._connection.execute(select(entity.c.id, entity.c.username))
        return _among(event.c.entity_id, [number for number, name in rows if kind_of(name) in wanted])

    def _cluster(self, leaf: Text) -> Condition:
        numbers = self._ids("cluster", cluster.c.id, cluster.c.name, leaf.patterns)
        return _among(event.c.cluster_id, numbers)

    def _outcome(self, leaf: Text) -> Condition:
        return or_(*(_OUTCOMES[pattern.parts[0]] for pattern in leaf.patterns))

    def _stage(self, leaf: Text) -> Condition:
        return event.c.stage.in_([STAGES.index(pattern.parts[0]) for pattern in leaf.patterns])

    def _level(self, leaf: Text) -> Condition:
        return event.c.level.in_([LEVELS.index(pattern.parts[0]) for pattern in leaf.patterns])

    def _finding(self, leaf: Text) -> Condition:
        numbers = [UUID(pattern.parts[0]) for pattern in leaf.patterns]
        first, last = self._connection.execute(
            select(func.min(evidence.c.received_at), func.max(evidence.c.received_at)).where(
                evidence.c.finding_id.in_(numbers)
            )
        ).one()
        if first is None:
            return false()
        behind = exists().where(
            evidence.c.finding_id.in_(numbers),
            evidence.c.received_at == event.c.received_at,
            evidence.c.event_key == event.c.event_key,
            finding.c.id == evidence.c.finding_id,
            # The same log kept in two clusters has the same keys in both.
            finding.c.cluster_id == event.c.cluster_id,
        )
        return and_(event.c.received_at >= first, event.c.received_at <= last, behind)


_FIELDS: Final[dict[str, Callable[[Conditions, Text], Condition]]] = {
    "user": Conditions._user,
    "kind": Conditions._kind,
    "cluster": Conditions._cluster,
    "outcome": Conditions._outcome,
    "stage": Conditions._stage,
    "level": Conditions._level,
    "finding": Conditions._finding,
}


def kind_of(username: str) -> EntityKind:
    """This will return what a caller is by the name that is kept."""
    return EntityKind.ANONYMOUS if username == UNAUTHENTICATED else identity_of(username).kind


def _among(column: ColumnElement[int], numbers: Iterable[int]) -> Condition:
    chosen = sorted(set(numbers))
    if not chosen:
        return false()
    if len(chosen) == 1:
        return column == chosen[0]
    # One array, not a parameter each: a pattern may stand for a hundred thousand names.
    numbers = literal(chosen, ARRAY(Integer))
    if len(chosen) <= _FEW:
        return column == any_(numbers)
    # The planner weighs an array element by element, for each partition; a subquery it takes as it is, and hashes it. "Is true"
    # keeps it where it is: made a join, it would lose the order of rows that pages are read in.
    return column.in_(select(func.unnest(numbers))).is_(true())


def object_name() -> ColumnElement[str]:
    """This will return the name in a NAME term, "resource namespace/name": what follows the first slash after the first space. By
    position: a regular expression takes ten times as long, and there are a hundred thousand names."""
    rest = func.substr(term.c.value, func.strpos(term.c.value, " ") + 1)
    return func.substr(rest, func.strpos(rest, "/") + 1)


def _between(column: ColumnElement[int], low: int | None, high: int | None, most: int) -> Condition:
    if (low is not None and low > most) or (high is not None and high < -most):
        return false()
    return and_(
        true() if low is None or low < -most else column >= low,
        true() if high is None or high > most else column <= high,
    )


def like(value: ColumnElement[str], pattern: Pattern) -> Condition:
    """This will return the condition that a text is one the pattern stands for."""
    kept = map(without_nul, pattern.parts)
    escaped = (part.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") for part in kept)
    return value.like("%".join(escaped), escape="\\")


def _crc(text: str) -> int:
    crc = crc32(text.encode("utf-8", "surrogatepass"))
    return crc if crc < 2**31 else crc - 2**32


def _lies_in(text: str, network: IPv4Network | IPv6Network) -> bool:
    try:
        address: IPv4Address | IPv6Address = ip_address(text)
    except ValueError:
        return False
    return (getattr(address, "ipv4_mapped", None) or address) in network
