"""Entities by number: who was seen in which cluster."""

from __future__ import annotations

from typing import Final

import psycopg

from anomaly.events.identity import identity_of
from anomaly.store.terms import storable
from anomaly.windows.entity import Entity

_REMEMBERED: Final = 100_000
_REMEMBERED_CHARACTERS: Final = 16 << 20


class Entities:
    """Looks up and makes ids of entities. One for each process; what it remembers is bounded."""

    def __init__(self) -> None:
        self._ids: dict[tuple[int, str], int] = {}
        self._characters = 0

    def id(self, cluster_id: int, username: str) -> int:
        """This will return the id of an entity that was resolved before. Raises KeyError when it was not."""
        return self._ids[cluster_id, username]

    def trim(self) -> None:
        """This will forget all when there is too much to remember. To be called between batches only."""
        if len(self._ids) > _REMEMBERED or self._characters > _REMEMBERED_CHARACTERS:
            self._ids.clear()
            self._characters = 0

    def resolve(
        self, connection: psycopg.Connection[tuple[object, ...]], cluster_id: int, usernames: set[str]
    ) -> None:
        """This will learn the ids of these entities, making those that do not exist, and commit."""
        absent = {name: storable(name) for name in usernames if (cluster_id, name) not in self._ids}
        if not absent:
            return
        stored = sorted(set(absent.values()))
        found = _select(connection, cluster_id, stored)
        if fresh := [name for name in stored if name not in found]:
            connection.execute(
                "INSERT INTO anomaly.entity (cluster_id, username) SELECT %s, unnest(%s::text[]) ON CONFLICT DO NOTHING",
                [cluster_id, fresh],
            )
            found |= _select(connection, cluster_id, fresh)
        connection.commit()
        for name, kept in absent.items():
            self._ids[cluster_id, name] = found[kept]
            self._characters += len(name)


def _select(
    connection: psycopg.Connection[tuple[object, ...]], cluster_id: int, usernames: list[str]
) -> dict[str, int]:
    rows = connection.execute(
        "SELECT username, id FROM anomaly.entity WHERE cluster_id = %s AND username = ANY(%s)",
        [cluster_id, usernames],
    )
    return {str(username): int(str(number)) for username, number in rows}


def all_entities(
    connection: psycopg.Connection[tuple[object, ...]], cluster_id: int | None = None
) -> list[Entity]:
    """This will return the entities of one cluster, or of all, by id."""
    rows = connection.execute(
        "SELECT id, cluster_id, username FROM anomaly.entity WHERE %s::int IS NULL OR cluster_id = %s ORDER BY id",
        [cluster_id, cluster_id],
    )
    return [
        Entity(int(str(number)), int(str(cluster)), identity_of(str(name))) for number, cluster, name in rows
    ]


def entities_from(
    connection: psycopg.Connection[tuple[object, ...]], cluster_id: int, first: int
) -> list[Entity]:
    """This will return the entities of a cluster whose id is `first` or higher, by id."""
    rows = connection.execute(
        "SELECT id, username FROM anomaly.entity WHERE cluster_id = %s AND id >= %s ORDER BY id",
        [cluster_id, first],
    )
    return [Entity(int(str(number)), cluster_id, identity_of(str(name))) for number, name in rows]
