"""What an entity did for the first time lately, and whether the whole cluster had never seen it either."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, and_, select

from anomaly.store.tables import seen, term
from anomaly.windows.dimension import Dimension
from anomaly.windows.entity import CLUSTER_WIDE

_TOLD: Final = tuple(
    int(one)
    for one in (
        Dimension.ACTION, Dimension.NAMESPACE, Dimension.ADDRESS, Dimension.AGENT, Dimension.IMPERSONATED, Dimension.SECRET,
        Dimension.EXEC, Dimension.DENIED, Dimension.RISK, Dimension.GRANT, Dimension.IMAGE,
    )
)  # fmt: skip
"""Resources and targets are left out: their actions say the same and more."""


@dataclass(frozen=True, slots=True)
class First:
    """Something new: what, when, and whether it was new to the cluster with this."""

    dimension: Dimension
    text: str
    at: datetime
    for_cluster: bool


def firsts_since(
    connection: Connection, cluster_id: int, entity_id: int, since: datetime, limit: int = 40
) -> list[First]:
    """This will return what the entity first showed since a moment, the latest first."""
    everyone = seen.alias("everyone")
    statement = (
        select(term.c.dimension, term.c.value, seen.c.first_at, everyone.c.first_at >= seen.c.first_at)
        .select_from(
            seen.join(term, term.c.id == seen.c.term_id).outerjoin(
                everyone,
                and_(
                    everyone.c.cluster_id == seen.c.cluster_id,
                    everyone.c.entity_id == CLUSTER_WIDE,
                    everyone.c.term_id == seen.c.term_id,
                ),
            )
        )
        .where(
            seen.c.cluster_id == cluster_id,
            seen.c.entity_id == entity_id,
            seen.c.first_at >= since,
            term.c.dimension.in_(_TOLD),
        )
        .order_by(seen.c.first_at.desc(), term.c.id)
        .limit(limit)
    )
    return [
        First(Dimension(dimension), text, at, bool(fresh))
        for dimension, text, at, fresh in connection.execute(statement)
    ]
