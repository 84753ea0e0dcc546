"""What rules leave beside findings: matches that correlations read, exceptions, pauses, and findings held back by them."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    Double,
    ForeignKey,
    Identity,
    Index,
    Integer,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    Uuid,
    text,
)
from sqlalchemy.sql import func

from anomaly.store.tables.metadata import metadata

rule_match = Table(
    "rule_match",
    metadata,
    Column("received_at", DateTime(timezone=True), nullable=False),
    Column(
        "group_key",
        Uuid,
        nullable=False,
        comment="BLAKE2b of cluster, correlation and group values: anomaly/findings/episodes.py",
    ),
    Column("event_key", Uuid, nullable=False),
    Column("value_key", Uuid, nullable=False, comment="BLAKE2b of the values that are counted"),
    Column("entity_id", Integer, nullable=False),
    Column("cluster_id", SmallInteger, nullable=False),
    Column("rule", Text, nullable=False),
    PrimaryKeyConstraint("group_key", "received_at", "event_key", "rule"),
    postgresql_partition_by="RANGE (received_at)",
)

rule_exception = Table(
    "rule_exception",
    metadata,
    Column("id", Integer, Identity(), primary_key=True),
    Column("rule", Text, nullable=False, comment="this and the next four: * stands for anything"),
    Column("cluster", Text, nullable=False),
    Column("entity", Text, nullable=False),
    Column("namespace", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("owner", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column(
        "ends_at", DateTime(timezone=True), nullable=False, comment="events from then on are not excepted"
    ),
)

rule_pause = Table(
    "rule_pause",
    metadata,
    Column("id", Integer, Identity(), primary_key=True),
    Column("cluster_id", SmallInteger, ForeignKey("anomaly.cluster.id"), nullable=False),
    Column("rule", Text, nullable=False),
    Column(
        "hour_at", DateTime(timezone=True), nullable=False, comment="the hour of events that was too much"
    ),
    Column("found", Integer, nullable=False, comment="new findings in that hour when it was paused"),
    Column("usual", Double, nullable=False, comment="findings an hour over the week before"),
    Column("paused_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("resumed_at", DateTime(timezone=True)),
    # Two writers cannot both pause: a rule has one open pause in a cluster.
    Index(
        "rule_pause_open_key",
        "cluster_id",
        "rule",
        unique=True,
        postgresql_where=text("resumed_at IS NULL"),
    ),
)

held_finding = Table(
    "held_finding",
    metadata,
    Column("id", Uuid, nullable=False, comment="the finding it would have been"),
    Column("held_by", Text, nullable=False, comment="exception or pause"),
    Column("holder_id", Integer, nullable=False),
    Column("cluster_id", SmallInteger, nullable=False),
    Column("entity_id", Integer, nullable=False),
    Column("rule", Text, nullable=False),
    Column("start_at", DateTime(timezone=True), nullable=False),
    Column("end_at", DateTime(timezone=True), nullable=False),
    Column("count", BigInteger, nullable=False),
    Column("reason", Text, nullable=False),
    PrimaryKeyConstraint("held_by", "holder_id", "id"),
    Index("held_finding_end_at_idx", "end_at"),
)
