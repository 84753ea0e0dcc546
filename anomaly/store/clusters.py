"""Clusters: the names that events are kept under. A cluster is added by a person, never guessed from what arrives."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import sqlalchemy
from sqlalchemy import Connection, func, select
from sqlalchemy.dialects.postgresql import insert

from anomaly.errors import AnomalyError, NotFound, UsageError
from anomaly.store.tables import cluster, event, token

_NAME: Final = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


class ClusterExists(AnomalyError):
    """There is a cluster of this name already."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """A cluster as people see it. `tokens` counts those that still open the door; `last_event_at` is API server time."""

    id: int
    name: str
    created_at: datetime
    tokens: int
    last_event_at: datetime | None


def checked_name(name: str) -> str:
    """This will return the name if it is a DNS label (RFC 1123: a-z, 0-9 and -, at most 63), else raise UsageError."""
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{name[:80]!r} cannot be the name of a cluster.",
            hint="Use 1 to 63 of a-z, 0-9 and -, beginning and ending with a letter or digit, as in prod-eu-1.",
        )
    return name


def add_cluster(connection: Connection, name: str) -> int:
    """This will make a cluster and return its id. Raises ClusterExists, or UsageError for an unusable name."""
    made = connection.execute(
        insert(cluster).values(name=checked_name(name)).on_conflict_do_nothing().returning(cluster.c.id)
    ).scalar_one_or_none()
    if made is None:
        raise ClusterExists(
            f"There is a cluster {name!r} already.",
            hint=f"`anomaly cluster token {name}` makes another token for it.",
        )
    return int(made)


def ensure_cluster(connection: Connection, name: str) -> int:
    """This will return the id of the cluster, made if it is not there. Raises UsageError for an unusable name."""
    connection.execute(insert(cluster).values(name=checked_name(name)).on_conflict_do_nothing())
    return cluster_id(connection, name)


def cluster_id(connection: Connection, name: str) -> int:
    """This will return the id of a cluster. Raises NotFound."""
    found = connection.execute(select(cluster.c.id).where(cluster.c.name == name)).scalar_one_or_none()
    if found is None:
        raise no_cluster(name)
    return int(found)


def cluster_names(connection: Connection) -> dict[int, str]:
    """This will return the names of all clusters by id."""
    rows = connection.execute(select(cluster.c.id, cluster.c.name))
    return {int(row.id): str(row.name) for row in rows}


def no_cluster(name: str) -> NotFound:
    """This will return the error for a cluster that is not there, or that whoever asks must not learn of."""
    return NotFound(
        f"There is no cluster {name[:80]!r}.",
        hint="`anomaly cluster list` shows them, `anomaly cluster add` makes one.",
    )


def list_clusters(connection: Connection, now: datetime) -> Sequence[Cluster]:
    """This will return all clusters by name, with their valid tokens counted at `now`."""
    valid = (
        select(func.count())
        .select_from(token)
        .where(
            token.c.cluster_id == cluster.c.id,
            token.c.revoked_at.is_(None),
            sqlalchemy.or_(token.c.expires_at.is_(None), token.c.expires_at > now),
        )
        .scalar_subquery()
    )
    # One step into the primary key of each day's partition, newest first, whatever the number of events.
    newest = (
        select(event.c.received_at)
        .where(event.c.cluster_id == cluster.c.id)
        .order_by(event.c.received_at.desc())
        .limit(1)
        .scalar_subquery()
    )
    rows = connection.execute(
        select(cluster.c.id, cluster.c.name, cluster.c.created_at, valid, newest).order_by(cluster.c.name)
    )
    return [Cluster(*row) for row in rows]
