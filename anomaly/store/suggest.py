"""Values that a field has, for whoever is typing a question: those that begin so, the most frequent first.

How often a value occurs is known without reading an event: the database keeps the most common values of each column of each
day, for its planner. Values it does not list follow in alphabetical order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, Select, literal, or_, select, text

from anomaly.query.fields import FIELDS, NAMES, Sort
from anomaly.query.tree import Pattern
from anomaly.store.conditions import COLUMNS, like, object_name
from anomaly.store.tables import SCHEMA, cluster, entity, seen, term
from anomaly.windows.dimension import Dimension
from anomaly.windows.entity import CLUSTER_WIDE

_MOST: Final = 500
_ANYWHERE_FROM: Final = 2
"""Characters from which on a value that only holds the text is suggested too, after those that begin with it."""
_CODES: Final = ("200", "201", "400", "401", "403", "404", "409", "422", "429", "500", "503", "4xx", "5xx")
_TIMES: Final = ("-15m", "-1h", "-6h", "-24h", "-7d", "-30d")


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A value; `events` is about how many events have it, None when it is not among the common ones."""

    value: str
    events: int | None = None


def suggest(
    connection: Connection,
    field: str,
    prefix: str = "",
    limit: int = 10,
    clusters: frozenset[str] | None = None,
) -> list[Suggestion]:
    """This will return values of a field that begin with the text, the most frequent first; then some that only hold it.

    `clusters` are those that may be seen: nothing that occurs in others alone is told, so that object names, which are kept for all
    clusters together, are told to nobody who sees only some. Fields of numbers and times have usual values.
    """
    known = FIELDS.get(NAMES.get(field.casefold(), ""))
    if known is None:
        return []
    fixed = {"code": _CODES, "time": _TIMES}.get(known.name, known.choices)
    if fixed or known.sort is not Sort.TEXT:
        return [Suggestion(one) for one in fixed if one.casefold().startswith(prefix.casefold())][:limit]
    if known.name == "cluster":
        asked = select(cluster.c.id, cluster.c.name).order_by(cluster.c.name)
        names = [name for _, name in connection.execute(asked) if clusters is None or name in clusters]
        return [Suggestion(name) for name in names if name.startswith(prefix)][:limit]
    if known.name == "user":
        common = _common(connection, "entity_id")
        return _ranked(connection, _entities(clusters), entity.c.id, entity.c.username, common, prefix, limit)
    if known.name not in COLUMNS or (known.name == "name" and clusters is not None):
        return []
    column, dimension = COLUMNS[known.name]
    common = _common(connection, column.name)
    if dimension is Dimension.NAME:
        name = object_name()
        named = select(term.c.id, name.label("value")).where(term.c.dimension == int(dimension))
        named = named.where(like(term.c.value, Pattern(("", f"/{prefix}", "")))) if prefix else named
        return _ranked(connection, named, term.c.id, name, common, prefix, limit)
    return _ranked(connection, _terms(dimension, clusters), term.c.id, term.c.value, common, prefix, limit)


def _terms(dimension: Dimension, clusters: frozenset[str] | None) -> Select[Any]:
    statement = select(term.c.id, term.c.value).where(term.c.dimension == int(dimension))
    if clusters is None or dimension is Dimension.VERB:
        return statement
    theirs = select(seen.c.term_id).join(cluster, cluster.c.id == seen.c.cluster_id)
    theirs = theirs.where(seen.c.entity_id == CLUSTER_WIDE, cluster.c.name.in_(clusters))
    return statement.where(term.c.id.in_(theirs))


def _entities(clusters: frozenset[str] | None) -> Select[Any]:
    statement = select(entity.c.id, entity.c.username)
    if clusters is None:
        return statement
    return statement.join(cluster, cluster.c.id == entity.c.cluster_id).where(cluster.c.name.in_(clusters))


def _ranked(
    connection: Connection,
    values: Select[Any],
    number: Any,
    value: Any,
    common: dict[int, int],
    prefix: str,
    limit: int,
) -> list[Suggestion]:
    """Common ones that match are asked for by number, however many others there are; the rest fills up."""
    begins = like(value, Pattern((prefix, ""))) if prefix else literal(True)
    holds = like(value, Pattern(("", prefix, ""))) if len(prefix) >= _ANYWHERE_FROM else begins
    found: dict[str, int] = {}
    if common:
        matching = values.where(number.in_(common), or_(begins, holds))
        for one, text_of_it in connection.execute(matching):
            found[text_of_it] = found.get(text_of_it, 0) + common[one]
    if len(found) < limit:
        rest = values.where(begins).order_by(value).limit(_MOST)
        for _, text_of_it in connection.execute(rest):
            found.setdefault(text_of_it, 0)
    if len(found) < limit and len(prefix) >= _ANYWHERE_FROM:
        for _, text_of_it in connection.execute(values.where(holds).order_by(value).limit(_MOST)):
            found.setdefault(text_of_it, 0)
    found.pop("", None)
    ranked = sorted(found, key=lambda one: (not one.startswith(prefix), -found[one], one))
    return [Suggestion(one, found[one] or None) for one in ranked[:limit]]


def _common(connection: Connection, column: str) -> dict[int, int]:
    """About how many events have each of the column's most common numbers."""
    rows: Sequence[Any] = connection.execute(
        text(
            "SELECT value::bigint, sum(share * rows)::bigint FROM ("
            " SELECT unnest(s.most_common_vals::text::text[]) AS value, unnest(s.most_common_freqs) AS share,"
            "  greatest(c.reltuples, 0) AS rows FROM pg_stats s"
            "  JOIN pg_namespace n ON n.nspname = s.schemaname"
            "  JOIN pg_class c ON c.relname = s.tablename AND c.relnamespace = n.oid"
            "  WHERE s.schemaname = :schema AND s.tablename LIKE 'event\\_%' AND s.attname = :column AND NOT s.inherited"
            ") AS common GROUP BY 1"
        ),
        {"schema": SCHEMA, "column": column},
    ).all()
    return {int(value): int(events) for value, events in rows if int(value)}
