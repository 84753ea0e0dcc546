"""Who read and changed what. A row names a principal, a route and an object; it never holds a body, a query or a secret."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from datetime import datetime

from sqlalchemy import Connection, select, update

from anomaly.store.tables import access_entry

_LONGEST = 200


@dataclass(frozen=True, slots=True)
class Entry:
    """One request or command. `kind` is token, person, certificate, command or nobody; `times` counts alike ones in one row.

    `status` is the HTTP status, 0 for a command that succeeded, None when it was begun and no outcome was written.
    """

    made_at: datetime
    kind: str
    principal_id: int | None
    name: str
    method: str
    route: str
    object: str
    cluster: str | None
    status: int | None
    address: str
    times: int = 1


@dataclass(frozen=True, slots=True)
class Kept:
    """An entry with its number."""

    id: int
    entry: Entry


@dataclass(frozen=True, slots=True)
class Asked:
    """Which entries are asked for; what is None restricts nothing. `clusters` limits to these, leaving out what is of no one cluster."""

    since: datetime | None = None
    until: datetime | None = None
    name: str | None = None
    cluster: str | None = None
    clusters: frozenset[str] | None = None
    changes: bool = False
    before: int | None = None
    limit: int = 100


def write_entry(connection: Connection, entry: Entry) -> int:
    """This will keep an entry and return its number."""
    made = connection.execute(access_entry.insert().values(_row(entry)).returning(access_entry.c.id))
    return int(made.scalar_one())


def write_entries(connection: Connection, entries: Sequence[Entry]) -> None:
    """This will keep many entries at once."""
    if entries:
        connection.execute(access_entry.insert(), [_row(one) for one in entries])


def finish_entries(connection: Connection, outcomes: Sequence[tuple[int, int]]) -> None:
    """This will write how requests ended that were kept when they began: (number, status)."""
    for number, status in outcomes:
        connection.execute(update(access_entry).where(access_entry.c.id == number).values(status=status))


def note_command(
    connection: Connection, command: str, object_: str, cluster: str | None, by: str, now: datetime
) -> None:
    """This will keep that a command changed something, in the transaction of the change: there is not one without the other."""
    write_entry(
        connection, Entry(now, "command", None, by, "RUN", f"anomaly {command}", object_, cluster, 0, "")
    )


def list_entries(connection: Connection, asked: Asked) -> Sequence[Kept]:
    """This will return entries, newest first."""
    column = access_entry.c
    wanted = select(
        column.id,
        column.made_at,
        column.kind,
        column.principal_id,
        column.name,
        column.method,
        column.route,
        column.object,
        column.cluster,
        column.status,
        column.address,
        column.times,
    )
    conditions = []
    if asked.since is not None:
        conditions.append(column.made_at >= asked.since)
    if asked.until is not None:
        conditions.append(column.made_at < asked.until)
    if asked.name is not None:
        conditions.append(column.name == asked.name)
    if asked.cluster is not None:
        conditions.append(column.cluster == asked.cluster)
    if asked.before is not None:
        conditions.append(column.id < asked.before)
    if asked.changes:
        conditions.append(column.method.not_in(("GET", "HEAD", "OPTIONS")))
    wanted = wanted.where(*conditions)
    if asked.clusters is not None:
        wanted = wanted.where(column.cluster.in_(sorted(asked.clusters)))
    rows = connection.execute(wanted.order_by(column.id.desc()).limit(asked.limit))
    return [Kept(row[0], Entry(*row[1:])) for row in rows]


def _row(entry: Entry) -> dict[str, object]:
    names = Entry.__dataclass_fields__
    # A NUL cannot be stored, and whoever asks chooses paths.
    return {
        name: value.replace("\0", "\ufffd")[:_LONGEST] if isinstance(value, str) else value
        for name, value in zip(names, astuple(entry), strict=True)
    }
