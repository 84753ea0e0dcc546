"""Findings and the events behind them."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    Double,
    Index,
    Integer,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    Uuid,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.sql import func

from anomaly.store.tables.metadata import metadata

finding = Table(
    "finding",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("cluster_id", SmallInteger, nullable=False),
    Column("entity_id", Integer, nullable=False),
    Column("kind", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("severity", SmallInteger, nullable=False, comment="0 info to 4 critical"),
    Column("attack", ARRAY(Text), nullable=False),
    Column("start_at", DateTime(timezone=True), nullable=False),
    Column("end_at", DateTime(timezone=True), nullable=False),
    Column("score", Double, nullable=False),
    Column("reason", Text, nullable=False),
    Column("normal", Text, nullable=False, server_default=""),
    Column("count", BigInteger, nullable=False),
    Column("contributions", JSONB, nullable=False, server_default="[]"),
    Column("details", JSONB, nullable=False, server_default="{}"),
    Column("state", Text, nullable=False, server_default="open"),
    Column("model_id", Integer),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("updated_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Index("finding_start_at_idx", "start_at"),
    Index("finding_entity_id_start_at_idx", "entity_id", "start_at"),
    Index("finding_cluster_id_kind_start_at_idx", "cluster_id", "kind", "start_at"),
)

evidence = Table(
    "evidence",
    metadata,
    Column("received_at", DateTime(timezone=True), nullable=False),
    Column("finding_id", Uuid, nullable=False),
    Column("event_key", Uuid, nullable=False),
    PrimaryKeyConstraint("finding_id", "received_at", "event_key"),
    postgresql_partition_by="RANGE (received_at)",
)
