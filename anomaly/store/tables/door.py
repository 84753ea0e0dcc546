"""The audit policy that is applied at our own door, and the ledger of what it dropped."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Integer,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    text,
)
from sqlalchemy.sql import func

from anomaly.store.tables.metadata import metadata

door_policy = Table(
    "door_policy",
    metadata,
    Column("id", Integer, Identity(), primary_key=True),
    Column("cluster_id", SmallInteger, ForeignKey("anomaly.cluster.id", ondelete="CASCADE"), nullable=False),
    Column("policy", Text, nullable=False, comment="YAML or JSON of audit.k8s.io/v1, as it was given"),
    Column("set_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("set_by", Text, nullable=False),
    Column("cleared_at", DateTime(timezone=True), comment="null: in force"),
    Column("cleared_by", Text),
    # Two cannot be in force at once.
    Index("door_policy_in_force_key", "cluster_id", unique=True, postgresql_where=text("cleared_at IS NULL")),
)

dropped = Table(
    "dropped",
    metadata,
    Column("cluster_id", SmallInteger, ForeignKey("anomaly.cluster.id", ondelete="CASCADE"), nullable=False),
    Column("hour_at", DateTime(timezone=True), nullable=False, comment="hour of arrival"),
    Column("policy_id", Integer, nullable=False),
    Column("rule", SmallInteger, nullable=False, comment="index of the rule that decided; -1: none matched"),
    Column("deed", Text, nullable=False, comment="dropped or lowered"),
    Column("username", Text, nullable=False),
    Column("action", Text, nullable=False, comment="verb and resource"),
    Column("events", BigInteger, nullable=False),
    Column("bytes", BigInteger, nullable=False, comment="that were not kept"),
    PrimaryKeyConstraint("cluster_id", "hour_at", "policy_id", "rule", "deed", "username", "action"),
    Index("dropped_hour_at_idx", "hour_at"),
)

dropped_minute = Table(
    "dropped_minute",
    metadata,
    Column("cluster_id", SmallInteger, ForeignKey("anomaly.cluster.id", ondelete="CASCADE"), nullable=False),
    Column("minute_at", DateTime(timezone=True), nullable=False, comment="of the events' own stage"),
    Column("events", BigInteger, nullable=False),
    PrimaryKeyConstraint("cluster_id", "minute_at"),
)
