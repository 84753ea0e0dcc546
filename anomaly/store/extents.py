"""Where the events of clusters begin and end, and what entities are called: small questions that pictures ask."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import ARRAY, Connection, Integer, any_, func, literal, select

from anomaly.store.tables import entity, entity_window, event, window_part
from anomaly.store.terms import storable


def first_and_last(connection: Connection, clusters: Collection[int]) -> dict[int, tuple[datetime, datetime]]:
    """This will return the times of the first and last event of each cluster that has any: a step into the primary key each."""
    found = {}
    for number in clusters:
        moments = select(event.c.received_at).where(event.c.cluster_id == number)
        first = connection.execute(moments.order_by(event.c.received_at).limit(1)).scalar()
        last = connection.execute(moments.order_by(event.c.received_at.desc()).limit(1)).scalar()
        if first is not None and last is not None:
            found[number] = first, last
    return found


def came_since(connection: Connection, clusters: Collection[int], since: datetime) -> bool:
    """This will say whether any of these clusters has an event since a time: one step into an index, older days are not opened."""
    some = select(event.c.cluster_id).where(event.c.cluster_id.in_(clusters), event.c.received_at >= since)
    return connection.execute(some.limit(1)).first() is not None


def names_of(connection: Connection, entities: Collection[int]) -> dict[int, tuple[int, str]]:
    """This will return cluster id and username of these entities, by their ids."""
    # One array instead of a parameter for each: a thousand of those take longer to write down than to find.
    wanted = any_(literal(list(entities), ARRAY(Integer)))
    rows = connection.execute(
        select(entity.c.id, entity.c.cluster_id, entity.c.username).where(entity.c.id == wanted)
    )
    return {number: (cluster_id, name) for number, cluster_id, name in rows}


def first_and_last_window(connection: Connection, entity_id: int) -> tuple[datetime, datetime] | None:
    """This will return when the first and the last window of an entity begin, folded or not; None when there are none."""
    found: list[datetime] = []
    for table in (entity_window, window_part):
        asked = select(func.min(table.c.start_at), func.max(table.c.start_at)).where(
            table.c.entity_id == entity_id
        )
        found += [one for one in connection.execute(asked).one() if one is not None]
    return (min(found), max(found)) if found else None


def entity_id_of(connection: Connection, cluster_id: int, username: str) -> int | None:
    """This will return the id of an entity by its name in its cluster, None when there is none."""
    asked = select(entity.c.id).where(
        entity.c.cluster_id == cluster_id, entity.c.username == storable(username)
    )
    found = connection.execute(asked).scalar()
    return None if found is None else int(found)
