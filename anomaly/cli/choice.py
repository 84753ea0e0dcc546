"""The `--cluster` option of commands that work on one cluster or on all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection

    from anomaly.store.clusters import Cluster


def chosen_clusters(connection: Connection, name: str | None, now: datetime) -> list[Cluster]:
    """This will return the cluster of that name, or all of them. Raises NotFound for a name there is not."""
    from anomaly.store.clusters import cluster_id, list_clusters

    if name is not None:
        cluster_id(connection, name)
    return [one for one in list_clusters(connection, now) if name in {None, one.name}]
