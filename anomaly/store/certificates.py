"""Which names in client certificates stand for which cluster: those kept here, and `cluster:NAME` for itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, select
from sqlalchemy.dialects.postgresql import insert

from anomaly.errors import NotFound, UsageError
from anomaly.store.tables import certificate_name, cluster

PREFIX: Final = "cluster:"
_LONGEST: Final = 253


@dataclass(frozen=True, slots=True)
class Bound:
    """A name in client certificates, and the cluster it stands for."""

    name: str
    cluster: str
    created_at: datetime
    created_by: str


def bind_name(connection: Connection, name: str, cluster_id: int, by: str) -> None:
    """This will have certificates of this name send events of a cluster; a name stands for one cluster, the last one said.

    Raises UsageError for a name that no certificate has.
    """
    if not 0 < len(name) <= _LONGEST or not name.isprintable() or name != name.strip():
        raise UsageError(f"{name[:80]!r} is no common name or alternative name of a certificate.")
    made = insert(certificate_name).values(name=name, cluster_id=cluster_id, created_by=by)
    connection.execute(
        made.on_conflict_do_update(index_elements=["name"], set_={"cluster_id": cluster_id, "created_by": by})
    )


def unbind_name(connection: Connection, name: str) -> None:
    """This will have a name stand for no cluster any more. Raises NotFound."""
    if connection.execute(certificate_name.delete().where(certificate_name.c.name == name)).rowcount == 0:
        raise NotFound(
            f"No certificate name {name[:80]!r} is bound.", hint="`anomaly certificate list` shows them."
        )


def list_names(connection: Connection) -> Sequence[Bound]:
    """This will return the names that are bound, in order."""
    columns = certificate_name.c
    rows = connection.execute(
        select(columns.name, cluster.c.name, columns.created_at, columns.created_by)
        .join(cluster, cluster.c.id == columns.cluster_id)
        .order_by(columns.name)
    )
    return [Bound(*row) for row in rows]


def clusters_named(connection: Connection, names: Sequence[str]) -> frozenset[str]:
    """This will return the clusters that the names of one certificate stand for.

    A name that is bound stands for that cluster alone; else `cluster:NAME` stands for NAME if there is such a cluster.
    """
    # A NUL in a certificate cannot be asked for, and stands for nothing.
    asked = [name for name in names if name.isprintable()]
    rows = connection.execute(
        select(certificate_name.c.name, cluster.c.name)
        .join(cluster, cluster.c.id == certificate_name.c.cluster_id)
        .where(certificate_name.c.name.in_(asked))
    )
    bound = {str(row[0]): str(row[1]) for row in rows}
    claimed = [name[len(PREFIX) :] for name in asked if name.startswith(PREFIX) and name not in bound]
    there = connection.execute(select(cluster.c.name).where(cluster.c.name.in_(claimed))).scalars()
    return frozenset(bound.values()) | frozenset(map(str, there))
