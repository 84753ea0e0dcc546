"""Audit events: narrow rows by day, their raw bytes in compressed chunks, and what could not be decoded."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    Date,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    Sequence,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
)
from sqlalchemy.sql import func

from anomaly.store.tables.metadata import metadata

event = Table(
    "event",
    metadata,
    # Widest first: PostgreSQL pads each column to its alignment, and this order needs no padding.
    Column(
        "received_at",
        DateTime(timezone=True),
        nullable=False,
        comment="when the API server received the request",
    ),
    Column(
        "event_key", Uuid, nullable=False, comment="BLAKE2b of the identifying fields: anomaly/events/key.py"
    ),
    Column("chunk_id", BigInteger, nullable=False),
    Column(
        "latency_us",
        Integer,
        nullable=False,
        comment="from received to this stage; at most 35 minutes, then cut",
    ),
    Column("entity_id", Integer, nullable=False),
    Column("verb_id", Integer, nullable=False),
    Column("resource_id", Integer, nullable=False),
    Column("namespace_id", Integer, nullable=False),
    Column("name_id", Integer, nullable=False),
    Column("agent_id", Integer, nullable=False),
    Column("address_id", Integer, nullable=False),
    Column("acting_id", Integer, nullable=False, comment="the user acted as, 0 for none"),
    Column(
        "audit_crc",
        Integer,
        nullable=False,
        comment="CRC-32 of the audit id, to find it without storing it twice",
    ),
    Column("size", Integer, nullable=False, comment="raw bytes"),
    Column("cluster_id", SmallInteger, nullable=False),
    Column("ordinal", SmallInteger, nullable=False, comment="place in the chunk"),
    Column("code", SmallInteger, nullable=False),
    Column("stage", SmallInteger, nullable=False),
    Column("level", SmallInteger, nullable=False),
    Column("flags", SmallInteger, nullable=False, comment="1 allowed, 2 final"),
    PrimaryKeyConstraint("cluster_id", "received_at", "event_key"),
    Index("event_entity_id_received_at_idx", "entity_id", "received_at"),
    postgresql_partition_by="RANGE (received_at)",
)

chunk_number = Sequence("chunk_number", metadata=metadata)

chunk = Table(
    "chunk",
    metadata,
    Column("day", Date, nullable=False),
    Column("id", BigInteger, nullable=False),
    Column("data", LargeBinary, nullable=False, comment="zstd: anomaly/store/chunks.py"),
    PrimaryKeyConstraint("day", "id"),
    postgresql_partition_by="RANGE (day)",
)

quarantine = Table(
    "quarantine",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("cluster_id", SmallInteger, ForeignKey("anomaly.cluster.id"), nullable=False),
    Column(
        "digest",
        LargeBinary,
        nullable=False,
        comment="BLAKE2b-128 of the raw bytes: a retried batch is kept once",
    ),
    Column("source", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column(
        "size",
        BigInteger,
        nullable=False,
        comment="bytes as received, more than are kept when the input was oversized",
    ),
    Column("times", Integer, nullable=False, server_default="1"),
    Column("first_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("last_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("data", LargeBinary, nullable=False, comment="zstd"),
    UniqueConstraint("cluster_id", "digest"),
)
