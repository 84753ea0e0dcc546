"""What answering a question takes: which fields no index serves, and how many events would have to be looked at or read."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy import Connection, bindparam, text

from anomaly.query.deep import READ
from anomaly.query.fields import FIELDS, Cost
from anomaly.query.tree import Amount, And, Node, Or, Pattern, Text, When, Word, leaves
from anomaly.store.conditions import bounds
from anomaly.store.search import Asked, Walk
from anomaly.store.tables import SCHEMA

_MOST_COUNTED: Final = 1_000_000
_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Reading:
    """`unindexed` are the fields whose rows must be compared, about `rows` of them; `raw` those that only raw events tell, of which
    `to_read` would have to be read. Words without a field are called "words"."""

    unindexed: tuple[str, ...] = ()
    rows: int = 0
    raw: tuple[str, ...] = ()
    to_read: int = 0

    def words(self) -> str:
        """This will return one or two sentences for people; "" when an index serves the question."""
        said = []
        if self.raw:
            said.append(
                f"Only raw events tell {_list(self.raw)}: {self.to_read:,} would have to be read for the whole answer."
            )
        if self.unindexed and self.rows:
            said.append(f"No index serves {_list(self.unindexed)}: about {self.rows:,} rows are compared.")
        return " ".join(said)


def weigh(connection: Connection, query: Asked) -> Reading:
    """This will say what the whole answer would take. Rows are estimated from the statistics of the database."""
    named = list(dict.fromkeys(_name(leaf) for leaf in leaves(query.node) if not isinstance(leaf, When)))
    raw = tuple(dict.fromkeys(_name(leaf) for leaf in leaves(query.node) if _must_be_read(leaf)))
    unindexed = tuple(name for name in named if name not in raw and not _indexed_name(name))
    rows = 0 if _served(query.node) else _rows_between(connection, query)
    to_read = min(Walk(connection, query).count(), _MOST_COUNTED) if raw else 0
    return Reading(unindexed if rows else (), rows if unindexed else 0, raw, to_read)


def _name(leaf: Text | Amount | When | Word) -> str:
    if isinstance(leaf, Text | Amount):
        return leaf.field
    return "words" if isinstance(leaf, Word) else "time"


def _must_be_read(leaf: Text | Amount | When | Word) -> bool:
    if not isinstance(leaf, Text) or leaf.field not in READ:
        return False
    # A whole audit id is found by the checksum that rows have.
    return leaf.field != "audit" or not all(pattern.exact for pattern in leaf.patterns)


def _indexed_name(name: str) -> bool:
    return name in FIELDS and FIELDS[name].cost is Cost.INDEX


def _served(node: Node) -> bool:
    """Whether an index leads to the events: through one part of what is asked together, or every one of what is asked in turn."""
    if isinstance(node, And):
        return any(_served(part) for part in node.nodes)
    if isinstance(node, Or):
        return all(_served(part) for part in node.nodes)
    return (
        isinstance(node, Text)
        and node.field in {"user", "finding"}
        and not any(map(_anything, node.patterns))
    )


def _anything(pattern: Pattern) -> bool:
    return pattern.anything


def _rows_between(connection: Connection, query: Asked) -> int:
    """The planner's count of each day's rows, and of the first and last day the part that is asked for."""
    within = bounds(query.node, query.now)
    found = connection.execute(
        text(
            "SELECT relname, greatest(reltuples, 0)::bigint FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace"
            " WHERE nspname = :schema AND relispartition AND relkind = 'r' AND relname LIKE :like"
        ).bindparams(bindparam("schema", SCHEMA), bindparam("like", "event\\_%"))
    )
    total = 0.0
    for name, rows in found:
        day = datetime.strptime(str(name)[-8:], "%Y%m%d").replace(tzinfo=UTC)
        low = max(day, within.since or day)
        high = min(day + _DAY, within.until or day + _DAY)
        total += int(rows) * max((high - low) / _DAY, 0.0)
    return round(total)


def _list(names: tuple[str, ...]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
